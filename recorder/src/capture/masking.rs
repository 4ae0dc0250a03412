//! Typed input without the secrets, best effort (`--input masked`).
//!
//! Input is dropped while the inner terminal is canonical with echo off, and while the last line of output looks like a
//! prompt for a secret. What is not dropped at once is held until the next output or for a second, and dropped if
//! masking begins meanwhile: type-ahead for a prompt that is about to appear. What escapes is listed in `MASKING.md`.
//! Not for `off` and `on`, which need no decisions.

use std::sync::Arc;

use regex::{RegexSet, RegexSetBuilder};

/// How long input is held for a prompt that may be about to appear, in milliseconds.
const HOLD_MS: u64 = 1_000;
/// After how long without masked input a period of masking is written down.
const SETTLE_MS: u64 = 5_000;
/// Bytes of the last line that are looked at; prompts are shorter.
const LINE_MAX: usize = 1_024;

/// The prompt patterns, compiled.
#[derive(Debug)]
pub struct Prompts(RegexSet);

impl Prompts {
    /// Compiles them; the error names the pattern.
    pub fn new(patterns: &[String]) -> Result<Self, String> {
        RegexSetBuilder::new(patterns)
            .case_insensitive(true)
            .build()
            .map(Self)
            .map_err(|e| format!("input.prompt_patterns: {e}"))
    }

    fn ask_in(&self, line: &[u8]) -> bool {
        self.0.is_match(String::from_utf8_lossy(line).trim_end_matches(['*', '•', '●']))
    }
}

/// What must be written before the message at hand.
#[derive(Debug, PartialEq, Eq)]
pub enum Release {
    /// Input that turned out to be harmless, with the time at which it was typed.
    Input {
        /// When it was typed.
        time_ms: u64,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Something was dropped. How much is not said: it would be the length of a password.
    Gap {
        /// When the first of it was typed.
        from_ms: u64,
        /// When the last of it was typed.
        to_ms: u64,
    },
}

/// State of one terminal.
#[derive(Debug)]
pub struct Masking {
    prompts: Arc<Prompts>,
    line: LastLine,
    /// The last line was such a prompt. It stays one while text is written elsewhere (a status line), until it is answered.
    asked: bool,
    answered: bool,
    held: Vec<(u64, Vec<u8>)>,
    dropped: Option<(u64, u64)>,
}

impl Masking {
    /// Nothing seen yet.
    pub fn new(prompts: Arc<Prompts>) -> Self {
        Self { prompts, line: LastLine::default(), asked: false, answered: false, held: Vec::new(), dropped: None }
    }

    /// Output is about to be recorded.
    pub fn output(&mut self, bytes: &[u8], release: &mut Vec<Release>) {
        // The prompt that held input was typed for may be in these very bytes.
        let prompts = &self.prompts;
        let seen = self.line.push(bytes, |line| prompts.ask_in(line));
        self.asked = seen.asks || self.asked && !self.answered && !seen.goes_on;
        self.answered &= self.asked && !seen.goes_on;
        if self.asked {
            self.drop_held();
        } else {
            self.release_held(release);
        }
    }

    /// Input was typed.
    pub fn input(&mut self, time_ms: u64, bytes: &[u8], hidden: bool, release: &mut Vec<Release>) {
        if hidden || self.asked {
            self.answered |= bytes.iter().any(|byte| b"\r\n\x03\x04".contains(byte));
            self.drop_held();
            self.drop_now(time_ms);
        } else {
            self.settle(release);
            self.held.push((time_ms, bytes.to_vec()));
        }
    }

    /// Time passes. Gives back when it wants to be called again.
    pub fn tick(&mut self, now_ms: u64, release: &mut Vec<Release>) -> Option<u64> {
        if self.held.first().is_some_and(|(typed, _)| now_ms >= typed + HOLD_MS) {
            self.release_held(release);
        }
        if self.dropped.is_some_and(|(_, last)| now_ms >= last + SETTLE_MS) {
            self.settle(release);
        }
        let held = self.held.first().map(|(typed, _)| typed + HOLD_MS);
        let settle = self.dropped.map(|(_, last)| last + SETTLE_MS);
        held.into_iter().chain(settle).min()
    }

    /// The session ends.
    pub fn finish(&mut self, release: &mut Vec<Release>) {
        self.settle(release);
        self.release_held(release);
    }

    fn drop_now(&mut self, time_ms: u64) {
        let from = self.dropped.map_or(time_ms, |(from, _)| from);
        self.dropped = Some((from, time_ms));
    }

    fn drop_held(&mut self) {
        for (typed, mut bytes) in std::mem::take(&mut self.held) {
            zeroize::Zeroize::zeroize(&mut bytes);
            self.drop_now(typed);
        }
    }

    fn release_held(&mut self, release: &mut Vec<Release>) {
        if !self.held.is_empty() {
            self.settle(release);
        }
        release.extend(self.held.drain(..).map(|(time_ms, bytes)| Release::Input { time_ms, bytes }));
    }

    fn settle(&mut self, release: &mut Vec<Release>) {
        release.extend(self.dropped.take().map(|(from_ms, to_ms)| Release::Gap { from_ms, to_ms }));
    }
}

/// The last line of what was shown, escape sequences taken out: enough for prompts, no terminal.
#[derive(Debug, Default)]
struct LastLine {
    line: Vec<u8>,
    /// What is written next stands elsewhere and begins another line. Until then the last one counts: tmux puts the cursor
    /// where it is already after a prompt at the end of a full screen.
    moved: bool,
    /// It is such another line.
    elsewhere: bool,
    escape: Escape,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    /// After ESC.
    Begun,
    /// After ESC [.
    Csi,
    /// In a string (OSC, DCS …), which BEL or ESC \ ends.
    Text,
    /// After ESC ( and the like: one more byte.
    One,
}

/// What a piece of output was.
#[derive(Debug, Default)]
struct Seen {
    /// A line ended, or went on where it was.
    goes_on: bool,
    /// A prompt stands at its end, or was left standing when something was written elsewhere.
    asks: bool,
}

impl LastLine {
    fn push(&mut self, bytes: &[u8], asks_in: impl Fn(&[u8]) -> bool) -> Seen {
        let mut seen = Seen::default();
        // Only the end matters; an escape sequence cut here costs a few characters of a line that is hardly a prompt.
        let bytes = &bytes[bytes.len().saturating_sub(4 * LINE_MAX)..];
        for &byte in bytes {
            self.escape = match (self.escape, byte) {
                (Escape::None, 0x1b) | (Escape::Text, 0x1b) => Escape::Begun,
                (Escape::None, b'\n') => {
                    self.line.clear();
                    (self.moved, self.elsewhere) = (false, false);
                    seen = Seen { goes_on: true, asks: false };
                    Escape::None
                }
                (Escape::None, b'\r') => {
                    // A prompt redrawn in place begins anew; the `\r` of `\r\n` is followed by the line's end anyway.
                    self.moved = true;
                    Escape::None
                }
                (Escape::None, 0x08) => {
                    self.line.pop();
                    Escape::None
                }
                (Escape::None, 0x00..=0x1f | 0x7f) => Escape::None,
                (Escape::None, byte) => {
                    if std::mem::take(&mut self.moved) {
                        seen.asks |= asks_in(&self.line);
                        self.line.clear();
                        self.elsewhere = true;
                    }
                    if !self.elsewhere {
                        seen = Seen { goes_on: true, asks: false };
                    }
                    if self.line.len() == LINE_MAX {
                        self.line.drain(..LINE_MAX / 2);
                    }
                    self.line.push(byte);
                    Escape::None
                }
                (Escape::Begun, b'[') => Escape::Csi,
                (Escape::Begun, b']' | b'P' | b'X' | b'^' | b'_') => Escape::Text,
                (Escape::Begun, b' '..=b'/') => Escape::One,
                (Escape::Begun | Escape::One, _) => Escape::None,
                (Escape::Csi, 0x40..=0x7e) => {
                    self.moved |= matches!(byte, b'H' | b'f' | b'd');
                    Escape::None
                }
                (Escape::Csi, _) => Escape::Csi,
                (Escape::Text, 0x07) => Escape::None,
                (Escape::Text, _) => Escape::Text,
            };
        }
        seen.asks |= asks_in(&self.line);
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masking() -> Masking {
        Masking::new(Arc::new(Prompts::new(&crate::config::Input::default().prompt_patterns).unwrap()))
    }

    fn typed(release: &[Release]) -> Vec<u8> {
        release.iter().flat_map(|r| if let Release::Input { bytes, .. } = r { bytes.clone() } else { vec![] }).collect()
    }

    #[test]
    fn prompts_mask_what_follows_in_any_terminal_mode() {
        for prompt in [
            "[sudo] password for ann: ",
            "Password: ",
            "\x1b[1mEnter passphrase for key '/home/ann/.ssh/id': \x1b[0m",
            "Password for user app: ",
            "Enter password: ",
            "Enter PIN for 'card': ",
            "Password: ***",
            "ann@host's password: ",
            // As tmux draws it at the bottom of a full screen.
            "Password: \x1b[?25l\x1b[42m\x1b[24;1H[0] 0:psql*  \"vm\" 13:17\x1b(B\x1b[m\x1b[?25h\x1b[17;11H",
            "\x1b[1;23r\x1b[23;1H\n\x1b[K\x1b[1;24r\x1b[23;1HNew password: \x1b[K\x1b[1;24r\x1b[23;15H",
        ] {
            let mut m = masking();
            let mut out = Vec::new();
            m.output(format!("$ sudo -s\r\n{prompt}").as_bytes(), &mut out);
            m.input(10, b"hunter2\r", false, &mut out);
            m.output(b"\r\n$ ", &mut out);
            m.input(20, b"ls\r", false, &mut out);
            m.finish(&mut out);
            assert_eq!(typed(&out), b"ls\r", "{prompt}");
            assert!(out.contains(&Release::Gap { from_ms: 10, to_ms: 10 }), "{prompt}");
        }
    }

    #[test]
    fn ordinary_lines_do_not_mask() {
        for line in ["$ ", "password.txt changed", "-- INSERT --", "the password: is long since gone $ "] {
            let mut m = masking();
            let mut out = Vec::new();
            m.output(line.as_bytes(), &mut out);
            m.input(1, b"x", false, &mut out);
            m.finish(&mut out);
            assert_eq!(out, [Release::Input { time_ms: 1, bytes: b"x".to_vec() }], "{line}");
        }
    }

    #[test]
    fn a_prompt_outlives_what_is_drawn_elsewhere_until_it_is_answered() {
        let mut m = masking();
        let mut out = Vec::new();
        m.output(b"\x1b[23;1HPassword: ", &mut out);
        m.output(b"\x1b[24;1H[0] 0:bash* 12:39\x1b[23;11H", &mut out);
        m.input(1, b"hunter2", false, &mut out);
        m.output(b"\x1b[24;1H[0] 0:bash* 12:40\x1b[23;11H", &mut out);
        m.input(2, b"\r", false, &mut out);
        m.output(b"\x1b[24;1H[0] 0:bash* 12:41\x1b[1;1H", &mut out);
        m.input(3, b"ls", false, &mut out);
        // A prompt that nobody answers is over with its line.
        m.output(b"\r\nPassword: ", &mut out);
        m.output(b"timed out\r\n$ ", &mut out);
        m.input(4, b"pwd", false, &mut out);
        m.finish(&mut out);
        assert_eq!(typed(&out), b"pwd", "`ls` was typed ahead of a prompt");
        let gaps = out.iter().filter(|r| matches!(r, Release::Gap { .. })).count();
        assert_eq!(gaps, 2, "{out:?}");
    }

    #[test]
    fn type_ahead_is_dropped_when_the_prompt_appears_within_the_hold() {
        let mut m = masking();
        let mut out = Vec::new();
        m.output(b"$ ", &mut out);
        m.input(5, b"hunter2\r", false, &mut out);
        m.output(b"Password: ", &mut out);
        m.finish(&mut out);
        assert_eq!(out, [Release::Gap { from_ms: 5, to_ms: 5 }]);
    }

    #[test]
    fn held_input_is_released_after_a_second_with_its_own_time() {
        let mut m = masking();
        let mut out = Vec::new();
        m.input(5, b"x", false, &mut out);
        assert_eq!(m.tick(6, &mut out), Some(1_005));
        assert!(out.is_empty());
        m.tick(1_005, &mut out);
        assert_eq!(out, [Release::Input { time_ms: 5, bytes: b"x".to_vec() }]);
    }
}
