//! Keys: from the bytes a terminal sends to what the reviewer wants.
//!
//! Incremental, since a slow line may cut an arrow key's sequence. Not for mouse or paste: never switched on.

use std::time::Duration;

/// How long an escape may wait for the rest of its sequence before it counts as nothing.
pub const ESCAPE_WAIT: Duration = Duration::from_millis(100);

/// What the reviewer wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Pause, or go on.
    Pause,
    /// Seek by seconds.
    Seek(i64),
    /// To the start.
    Home,
    /// To the end.
    End,
    /// One event further.
    Step,
    /// To the next marker or gap.
    NextMarker,
    /// To the marker or gap before.
    PreviousMarker,
    /// Play faster.
    Faster,
    /// Play slower.
    Slower,
    /// Play at the recorded speed.
    Normal,
    /// Show or hide the keys.
    Help,
    /// Draw everything again.
    Redraw,
    /// Leave.
    Quit,
}

/// Turns bytes into keys.
#[derive(Debug, Default)]
pub struct Keys {
    pending: Vec<u8>,
}

impl Keys {
    /// The keys that these bytes complete.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Key> {
        self.pending.extend_from_slice(bytes);
        let mut keys = Vec::new();
        let mut rest = self.pending.as_slice();
        while let Some((len, key)) = first(rest) {
            keys.extend(key);
            rest = &rest[len..];
        }
        let kept = rest.to_vec();
        self.pending = kept;
        keys
    }

    /// Whether the beginning of a sequence waits for its rest.
    pub fn is_waiting(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Gives up on the rest: its time is over.
    pub fn give_up(&mut self) {
        self.pending.clear();
    }
}

/// Length and meaning of the first key; `None` when there is none yet.
fn first(bytes: &[u8]) -> Option<(usize, Option<Key>)> {
    let key = match *bytes.first()? {
        0x1b => return escape(bytes),
        b' ' | b'p' => Some(Key::Pause),
        b'.' => Some(Key::Step),
        b']' | b'n' => Some(Key::NextMarker),
        b'[' | b'N' => Some(Key::PreviousMarker),
        b'+' | b'=' | b'>' => Some(Key::Faster),
        b'-' | b'_' | b'<' => Some(Key::Slower),
        b'1' | 0x7f => Some(Key::Normal),
        b'l' => Some(Key::Seek(5)),
        b'h' => Some(Key::Seek(-5)),
        b'0' | b'g' => Some(Key::Home),
        b'G' | b'$' => Some(Key::End),
        b'?' => Some(Key::Help),
        0x0c => Some(Key::Redraw),
        // Ctrl-C and Ctrl-D as well, where the terminal does not make signals of them.
        b'q' | b'Q' | 0x03 | 0x04 => Some(Key::Quit),
        _ => None,
    };
    Some((1, key))
}

fn escape(bytes: &[u8]) -> Option<(usize, Option<Key>)> {
    match bytes.get(1)? {
        b'[' => {}
        b'O' => return Some((3, final_key(*bytes.get(2)?, &[]))),
        0x1b => return Some((1, None)),
        _ => return Some((2, None)),
    }
    let end = bytes.iter().skip(2).position(|byte| (0x40..=0x7e).contains(byte))? + 2;
    Some((end + 1, final_key(bytes[end], &bytes[2..end])))
}

fn final_key(last: u8, parameters: &[u8]) -> Option<Key> {
    // With Shift, Alt or Control an arrow goes twelve times as far.
    let far = if parameters.contains(&b';') { 12 } else { 1 };
    match (last, parameters) {
        (b'C', _) => Some(Key::Seek(5 * far)),
        (b'D', _) => Some(Key::Seek(-5 * far)),
        (b'A', _) => Some(Key::Seek(60)),
        (b'B', _) => Some(Key::Seek(-60)),
        (b'H', _) | (b'~', b"1" | b"7") => Some(Key::Home),
        (b'F', _) | (b'~', b"4" | b"8") => Some(Key::End),
        (b'~', b"5") => Some(Key::Seek(-600)),
        (b'~', b"6") => Some(Key::Seek(600)),
        _ => None,
    }
}
