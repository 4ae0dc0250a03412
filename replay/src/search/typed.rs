//! What was typed, as lines: the bytes of `i` events with what they did to the line being typed.
//!
//! Erasing is followed as terminals and shells do it by default (backspace, delete, ^U, ^W); keys that send sequences
//! (arrows) and other control characters are left out, so a line that was edited in its middle, recalled or completed
//! is not what the shell ran: that is on the screen.

use hansard_schemas::exact::Decoder;

/// A line without end is not kept longer.
const LINE_MAX: usize = 64 << 10;

/// Where in a key's sequence the last character was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Text,
    Escape,
    /// After `ESC [`.
    Control,
    /// After `ESC O`: one more.
    Single,
}

/// Makes lines of typed bytes.
#[derive(Debug, Default)]
pub struct Typed {
    decoder: Decoder,
    state: State,
    line: String,
    at_ms: u64,
}

impl Typed {
    /// Takes what was typed at an event time; gives each line that it ends, with the time of its last key.
    pub fn push(&mut self, raw: &[u8], at_ms: u64, ended: &mut Vec<(String, u64)>) {
        for ch in self.decoder.push(raw).chars() {
            match (self.state, ch) {
                (State::Escape, '[') => self.state = State::Control,
                (State::Escape, 'O') => self.state = State::Single,
                (State::Control, '\u{40}'..='\u{7e}') | (State::Escape | State::Single, _) => self.state = State::Text,
                (State::Control, _) => {}
                (State::Text, '\u{1b}') => self.state = State::Escape,
                (State::Text, '\r' | '\n') => self.end(ended),
                (State::Text, ch) => self.key(ch, at_ms),
            }
            if self.line.len() >= LINE_MAX {
                self.end(ended);
            }
        }
    }

    /// What was typed last, without an end.
    pub fn finish(mut self, ended: &mut Vec<(String, u64)>) {
        self.end(ended);
    }

    fn key(&mut self, ch: char, at_ms: u64) {
        match ch {
            '\u{8}' | '\u{7f}' => drop(self.line.pop()),
            '\u{15}' | '\u{3}' => self.line.clear(),
            '\u{17}' => {
                let kept = self.line.trim_end_matches(' ').rfind(' ').map_or(0, |at| at + 1);
                self.line.truncate(kept);
            }
            ch if ch.is_control() => return,
            ch => self.line.push(ch),
        }
        self.at_ms = at_ms;
    }

    fn end(&mut self, ended: &mut Vec<(String, u64)>) {
        if !self.line.is_empty() {
            ended.push((std::mem::take(&mut self.line), self.at_ms));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Typed;

    #[test]
    fn lines_are_what_was_typed() {
        let mut typed = Typed::default();
        let mut ended = Vec::new();
        typed.push(b"sduo\x7f\x7f\x7fudo ls /tm", 1, &mut ended);
        typed.push(b"p\r", 5, &mut ended);
        typed.push(b"\x1b[A\x1bOB\x1b[1;5Crm x\x15echo caf\xc3", 6, &mut ended);
        typed.push(b"\xa9 au lait\x17\n\r\rexit", 7, &mut ended);
        typed.finish(&mut ended);
        let expected = [("sudo ls /tmp".to_owned(), 5), ("echo café au ".to_owned(), 7), ("exit".to_owned(), 7)];
        assert_eq!(ended, expected);
    }
}
