//! Keys: from the bytes a terminal sends to what the reviewer wants.
//!
//! Incremental, since a slow line may cut an arrow key's sequence; one key at a time, since what a byte means depends
//! on whether a text is being typed. Not for mouse or paste: never switched on.

use std::time::Duration;

/// How long an escape may wait for the rest of its sequence before it counts as the key Escape.
pub const ESCAPE_WAIT: Duration = Duration::from_millis(100);

/// What the reviewer wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Pause, or go on.
    Pause,
    /// Seek by seconds.
    Seek(i64),
    /// To a time that is typed.
    GoTo,
    /// To the start.
    Home,
    /// To the end.
    End,
    /// One picture further.
    Step,
    /// One picture back.
    StepBack,
    /// To the next marker or gap.
    NextMarker,
    /// To the marker or gap before.
    PreviousMarker,
    /// To the next command, where the shell marks them.
    NextCommand,
    /// To the command before.
    PreviousCommand,
    /// To the next output after a pause.
    NextBurst,
    /// To the one before.
    PreviousBurst,
    /// Search for a text that is typed.
    Find,
    /// To where it comes next.
    FindNext,
    /// To where it came before.
    FindPrevious,
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
    /// Stop what goes on: typing, searching.
    Cancel,
    /// A character of a text.
    Char(char),
    /// The text is done.
    Enter,
    /// The last character goes.
    Erase,
    /// A key that means nothing; it stops a search all the same.
    Other,
}

/// Turns bytes into keys.
#[derive(Debug, Default)]
pub struct Keys {
    pending: Vec<u8>,
}

impl Keys {
    /// Takes bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// The next key, if its bytes are all there; read as text while one is `typing`.
    pub fn next(&mut self, typing: bool) -> Option<Key> {
        let (len, key) = if typing { text(&self.pending) } else { first(&self.pending) }?;
        self.pending.drain(..len.min(self.pending.len()));
        Some(key)
    }

    /// Whether the beginning of a sequence waits for its rest.
    pub fn is_waiting(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Gives up on the rest: its time is over. What was there is an Escape, if it is one at all.
    pub fn give_up(&mut self) -> Option<Key> {
        std::mem::take(&mut self.pending).starts_with(b"\x1b").then_some(Key::Cancel)
    }
}

/// Length and meaning of the first key; `None` when there is none yet.
fn first(bytes: &[u8]) -> Option<(usize, Key)> {
    let key = match *bytes.first()? {
        0x1b => return escape(bytes),
        b' ' | b'p' => Key::Pause,
        b'.' => Key::Step,
        b',' => Key::StepBack,
        b']' => Key::NextMarker,
        b'[' => Key::PreviousMarker,
        b'}' => Key::NextCommand,
        b'{' => Key::PreviousCommand,
        b')' => Key::NextBurst,
        b'(' => Key::PreviousBurst,
        b'/' => Key::Find,
        b'n' => Key::FindNext,
        b'N' => Key::FindPrevious,
        b'+' | b'=' | b'>' => Key::Faster,
        b'-' | b'_' | b'<' => Key::Slower,
        b'1' | 0x7f => Key::Normal,
        b'g' => Key::GoTo,
        b'0' => Key::Home,
        b'G' | b'$' => Key::End,
        b'?' | b'h' => Key::Help,
        0x0c => Key::Redraw,
        // Ctrl-C and Ctrl-D as well, where the terminal does not make signals of them.
        b'q' | b'Q' | 0x03 | 0x04 => Key::Quit,
        _ => Key::Other,
    };
    Some((1, key))
}

/// The same while a text is typed.
fn text(bytes: &[u8]) -> Option<(usize, Key)> {
    let begin = *bytes.first()?;
    let key = match begin {
        // Arrows and the like mean nothing here.
        0x1b => return escape(bytes).map(|(len, _)| (len, Key::Other)),
        b'\r' | b'\n' => Key::Enter,
        0x08 | 0x7f => Key::Erase,
        0x03 | 0x04 => Key::Cancel,
        b' '..=b'~' => Key::Char(char::from(begin)),
        0x80.. => {
            let most = bytes.get(..4).unwrap_or(bytes);
            return match most.utf8_chunks().next() {
                Some(chunk) => match chunk.valid().chars().next() {
                    Some(ch) => Some((ch.len_utf8(), Key::Char(ch))),
                    // Cut, or never a character.
                    None if std::str::from_utf8(most).is_err_and(|e| e.error_len().is_none()) => None,
                    None => Some((chunk.invalid().len().max(1), Key::Other)),
                },
                None => None,
            };
        }
        _ => Key::Other,
    };
    Some((1, key))
}

fn escape(bytes: &[u8]) -> Option<(usize, Key)> {
    match bytes.get(1)? {
        b'[' => {}
        b'O' => return Some((3, final_key(*bytes.get(2)?, &[]))),
        0x1b => return Some((1, Key::Cancel)),
        _ => return Some((2, Key::Other)),
    }
    let end = bytes.iter().skip(2).position(|byte| (0x40..=0x7e).contains(byte))? + 2;
    Some((end + 1, final_key(*bytes.get(end)?, bytes.get(2..end)?)))
}

fn final_key(last: u8, parameters: &[u8]) -> Key {
    // With Shift, Alt or Control an arrow goes twelve times as far.
    let far = if parameters.contains(&b';') { 12 } else { 1 };
    match (last, parameters) {
        (b'C', _) => Key::Seek(5 * far),
        (b'D', _) => Key::Seek(-5 * far),
        (b'A', _) => Key::Seek(60),
        (b'B', _) => Key::Seek(-60),
        (b'H', _) | (b'~', b"1" | b"7") => Key::Home,
        (b'F', _) | (b'~', b"4" | b"8") => Key::End,
        (b'~', b"5") => Key::Seek(-600),
        (b'~', b"6") => Key::Seek(600),
        _ => Key::Other,
    }
}
