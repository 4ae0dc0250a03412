//! What the user types, on its way to the child: past the recorder, or through it when input is captured.
//!
//! Captured input waits until it is accepted, but the keys that interrupt, quit or suspend do not wait for a recorder
//! without room. Not for masking: the recorder is only told whether the terminal hid the input.

use std::collections::VecDeque;

use crate::link::{Link, earliest};
use crate::message::Message;
use crate::queue::Queue;
use crate::terminal::Inner;

/// More than this is not taken from the user before the child reads; a terminal holds 4 KiB itself.
const ROOM_BYTES: usize = 64 * 1024;
/// After so long the keys that signal pass by themselves. A recorder that merely works has answered by then, and what
/// was typed before the key comes before it.
const HURRY_US: u64 = 50_000;

/// Input between the terminals.
#[derive(Default)]
pub(crate) struct Typed {
    /// To be written to the child.
    pub(crate) queue: Queue,
    /// Submitted, not accepted yet; in the order of the messages.
    held: VecDeque<Held>,
}

struct Held {
    bytes: Vec<u8>,
    /// When its signal keys pass; `None` once they have.
    hurry_us: Option<u64>,
}

impl Typed {
    pub(crate) fn has_room(&self) -> bool {
        self.queue.len() + self.held.iter().map(|held| held.bytes.len()).sum::<usize>() < ROOM_BYTES
    }

    /// Without the recorder, or after it.
    pub(crate) fn pass(&mut self, inner: &Inner, bytes: &[u8]) {
        let written = if self.queue.is_empty() { rustix::io::write(&inner.master, bytes).unwrap_or(0) } else { 0 };
        self.queue.push(bytes.get(written..).unwrap_or_default());
    }

    /// Gives it to the recorder.
    pub(crate) fn submit(&mut self, inner: &Inner, bytes: &[u8], link: &mut Link<'_>) {
        let hidden = inner.hides_input();
        self.held.push_back(Held { bytes: bytes.to_vec(), hurry_us: Some(link.now_us + HURRY_US) });
        link.submit(Message::Input { bytes, hidden });
    }

    /// Gives the recorder what the child has already.
    pub(crate) fn submit_passed(&mut self, bytes: &[u8], link: &mut Link<'_>) {
        self.held.push_back(Held { bytes: Vec::new(), hurry_us: None });
        link.submit(Message::Input { bytes, hidden: false });
    }

    /// The oldest message that was submitted is accepted.
    pub(crate) fn accepted(&mut self, inner: Option<&Inner>) {
        if let (Some(held), Some(inner)) = (self.held.pop_front(), inner) {
            self.pass(inner, &held.bytes);
        }
    }

    /// Passes the keys that signal out of what has waited too long.
    pub(crate) fn hurry(&mut self, inner: &Inner, now_us: u64) {
        for at in 0..self.held.len() {
            let Some(held) = self.held.get_mut(at) else { return };
            if held.hurry_us.is_none_or(|hurry| now_us < hurry) {
                continue;
            }
            held.hurry_us = None;
            let (keys, rest) = held.bytes.iter().partition(|byte| inner.signals_by(**byte));
            held.bytes = rest;
            let keys: Vec<u8> = keys;
            self.pass(inner, &keys);
        }
    }

    /// When [`Typed::hurry`] has something to do.
    pub(crate) fn wake_us(&self) -> Option<u64> {
        self.held.iter().fold(None, |wake, held| earliest(wake, held.hurry_us))
    }

    pub(crate) fn write(&mut self, inner: &Inner) {
        while !self.queue.is_empty() {
            match rustix::io::write(&inner.master, self.queue.front()) {
                Ok(count) => self.queue.taken(count),
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return,
                // Nobody will read it any more.
                Err(_) => self.queue.clear(),
            }
        }
    }
}
