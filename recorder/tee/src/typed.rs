//! What the user types, on its way to the child: past the recorder, or through it when input is captured.
//!
//! While the recorder has no room, captured input waits, but the keys that interrupt, quit or suspend do not. Not for
//! masking: the recorder is only told whether the terminal hid the input.

use std::collections::VecDeque;

use crate::error::TeeError;
use crate::link::Link;
use crate::message::Message;
use crate::queue::Queue;
use crate::terminal::Inner;

/// More than this is not taken from the user before the child reads; a terminal holds 4 KiB itself.
const ROOM_BYTES: usize = 64 * 1024;

/// Input between the terminals.
#[derive(Default)]
pub(crate) struct Typed {
    /// To be written to the child.
    pub(crate) queue: Queue,
    /// Not accepted yet.
    held: VecDeque<Held>,
}

struct Held {
    bytes: Vec<u8>,
    hidden: bool,
    /// The child has it already.
    urgent: bool,
}

impl Typed {
    pub(crate) fn has_room(&self) -> bool {
        self.queue.len() + self.held.iter().map(|held| held.bytes.len()).sum::<usize>() < ROOM_BYTES
    }

    /// Without the recorder.
    pub(crate) fn pass(&mut self, inner: &Inner, bytes: &[u8]) {
        let written = if self.queue.is_empty() { rustix::io::write(&inner.master, bytes).unwrap_or(0) } else { 0 };
        self.queue.push(bytes.get(written..).unwrap_or_default());
    }

    /// Through the recorder.
    pub(crate) fn take(&mut self, inner: &Inner, bytes: &[u8], link: &mut Link<'_>) -> Result<(), TeeError> {
        let hidden = inner.hides_input();
        if self.held.is_empty() && link.offer(Message::Input { bytes, hidden })? {
            self.pass(inner, bytes);
            return Ok(());
        }
        for part in bytes.split_inclusive(|byte| inner.signals_by(*byte)) {
            let (before, key) = match part.split_last() {
                Some((key, before)) if inner.signals_by(*key) => (before, Some(*key)),
                _ => (part, None),
            };
            if !before.is_empty() {
                self.held.push_back(Held { bytes: before.to_vec(), hidden, urgent: false });
            }
            if let Some(key) = key {
                self.pass(inner, &[key]);
                self.held.push_back(Held { bytes: vec![key], hidden, urgent: true });
            }
        }
        Ok(())
    }

    /// Tries again what was held.
    pub(crate) fn offer_held(&mut self, link: &mut Link<'_>) -> Result<(), TeeError> {
        while let Some(held) = self.held.front() {
            if !link.offer(Message::Input { bytes: &held.bytes, hidden: held.hidden })? {
                return Ok(());
            }
            if let Some(held) = self.held.pop_front()
                && !held.urgent
            {
                self.queue.push(&held.bytes);
            }
        }
        Ok(())
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
