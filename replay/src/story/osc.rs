//! Operating system commands (`ESC ]` … `BEL` or `ESC \`) in a stream of bytes: where each ends, and what it says.
//!
//! Only to find them: what they do to the screen is the emulated terminal's business.

/// Bytes of one that are kept; longer ones (pictures, the clipboard) are of none of the kinds that are read here.
const PAYLOAD_MAX: usize = 4096;

const BEL: u8 = 0x07;
const ESC: u8 = 0x1b;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Text,
    Escape,
    Inside,
    /// After an escape inside, which ends it.
    Ending,
}

/// Finds them, however the stream is cut.
#[derive(Debug, Default)]
pub struct Scanner {
    state: State,
    payload: Vec<u8>,
    /// Bytes of the one that is being read, all of its characters counted.
    length: usize,
}

/// One that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Between its beginning and its end.
    pub text: String,
    /// Bytes that it takes in the stream.
    pub length: usize,
}

impl Scanner {
    /// Takes bytes up to the end of the next one: how many, and what it says; all of them, when none ends there.
    pub fn next(&mut self, raw: &[u8]) -> (usize, Option<Said>) {
        let mut at = 0;
        while let Some(byte) = raw.get(at).copied() {
            match (self.state, byte) {
                (State::Text, _) => match memchr::memchr(ESC, raw.get(at..).unwrap_or_default()) {
                    Some(found) => {
                        at += found;
                        self.state = State::Escape;
                    }
                    None => return (raw.len(), None),
                },
                (State::Escape, b']') => {
                    self.payload.clear();
                    self.length = 2;
                    self.state = State::Inside;
                }
                (State::Escape, ESC) => {}
                (State::Escape, _) => self.state = State::Text,
                (State::Inside, ESC) => self.state = State::Ending,
                (State::Inside, BEL) => return (at + 1, self.end(1)),
                // Cancelled.
                (State::Inside, 0x18 | 0x1a) => self.state = State::Text,
                (State::Inside, _) => {
                    self.length += 1;
                    if self.payload.len() <= PAYLOAD_MAX {
                        self.payload.push(byte);
                    }
                }
                (State::Ending, b'\\') => return (at + 1, self.end(2)),
                // Another sequence begins, which ends this one all the same.
                (State::Ending, _) => {
                    let ended = self.end(0);
                    self.state = State::Escape;
                    return (at, ended);
                }
            }
            at += 1;
        }
        (raw.len(), None)
    }

    /// It has ended, with so many bytes.
    fn end(&mut self, terminator: usize) -> Option<Said> {
        self.state = State::Text;
        let payload = std::mem::take(&mut self.payload);
        let length = self.length + terminator;
        (payload.len() <= PAYLOAD_MAX).then(|| Said { text: String::from_utf8_lossy(&payload).into_owned(), length })
    }
}

/// The path of a directory that a shell reports: `file://HOST/PATH`, with `%` escapes.
pub fn directory(url: &str) -> Option<String> {
    let path = url.strip_prefix("file://")?;
    let path = path.get(path.find('/')?..)?.as_bytes();
    let mut raw = Vec::with_capacity(path.len());
    let mut at = 0;
    while let Some(byte) = path.get(at) {
        let escaped = path.get(at + 1..at + 3).filter(|_| *byte == b'%');
        let decoded = escaped.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        raw.push(decoded.unwrap_or(*byte));
        at += if decoded.is_some() { 3 } else { 1 };
    }
    Some(String::from_utf8_lossy(&raw).into_owned())
}

#[cfg(test)]
mod tests {
    use super::{Scanner, directory};

    fn found(pieces: &[&[u8]]) -> Vec<String> {
        let (mut scanner, mut found) = (Scanner::default(), Vec::new());
        for piece in pieces {
            let mut rest = *piece;
            while !rest.is_empty() {
                let (taken, said) = scanner.next(rest);
                found.extend(said.map(|said| said.text));
                rest = &rest[taken..];
            }
        }
        found
    }

    #[test]
    fn commands_are_found_however_they_are_cut_and_ended() {
        let raw = b"a\x1b]0;title\x07b\x1b[31m\x1b]7;file://h/x\x1b\\c\x1b]133;A\x1b]133;D;1\x07\x1b]9;x\x18\x07";
        let all = ["0;title", "7;file://h/x", "133;A", "133;D;1"];
        assert_eq!(found(&[raw]), all);
        let single: Vec<&[u8]> = raw.chunks(1).collect();
        assert_eq!(found(&single), all);
        let long = [b"\x1b]52;c;".as_slice(), &[b'x'; 5000], b"\x07\x1b]0;t\x07"].concat();
        assert_eq!(found(&[&long]), ["0;t"]);
    }

    #[test]
    fn directories_are_paths() {
        assert_eq!(directory("file://web1/home/a%20b%c3%a9%"), Some("/home/a bé%".into()));
        assert_eq!(directory("file:///x"), Some("/x".into()));
        assert_eq!(directory("http://x/y"), None);
        assert_eq!(directory("file://x"), None);
    }
}
