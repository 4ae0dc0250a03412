//! Writing event lines. The hot path of a recorder: no allocation per event, and text is copied in runs between the
//! characters that must be escaped.

use crate::cast::string::escape;
use crate::cast::{Code, INTERVAL_MAX_MS};
use crate::{exact, limits};

/// Turns event times into intervals and appends lines to a caller's buffer.
#[derive(Debug, Clone, Default)]
pub struct Encoder {
    last_ms: u64,
}

impl Encoder {
    /// At the start of a session.
    pub fn new() -> Self {
        Self::default()
    }

    /// In the middle of a session: the sum of all intervals written so far is `last_ms`.
    pub fn at(last_ms: u64) -> Self {
        Self { last_ms: last_ms.min(limits::JSON_INTEGER) }
    }

    /// Appends the event of a stream's bytes, and its `b` line when they are not valid UTF-8. Returns the number of
    /// lines.
    ///
    /// More than [`limits::EVENT_RAW`] bytes become several events, cut between characters; none become no line. A
    /// time before the last one counts as equal to it.
    pub fn stream(&mut self, out: &mut Vec<u8>, code: Code, t_ms: u64, raw: &[u8]) -> u32 {
        self.stream_counted(out, code, t_ms, raw).0
    }

    /// [`Self::stream`], giving the number of lines and of events, for a footer's counts.
    pub fn stream_counted(&mut self, out: &mut Vec<u8>, code: Code, t_ms: u64, raw: &[u8]) -> (u32, u64) {
        let mut rest = raw;
        let (mut lines, mut events) = (0, 0);
        while !rest.is_empty() {
            let (event, after) = rest.split_at(cut(rest));
            lines += self.event(out, code, t_ms, event);
            events += 1;
            rest = after;
        }
        (lines, events)
    }

    /// Appends a line of text: a size, a marker, an exit status, a gap. Returns the number of lines: over
    /// [`limits::EVENT_RAW`] bytes, which only markers could reach, there are several.
    pub fn text(&mut self, out: &mut Vec<u8>, code: Code, t_ms: u64, data: &str) -> u32 {
        let mut rest = data.as_bytes();
        let mut lines = 0;
        loop {
            let (part, after) = rest.split_at(cut(rest));
            self.begin(out, code, t_ms, part.len());
            escape(out, part);
            out.extend_from_slice(b"\"]\n");
            lines += 1;
            rest = after;
            if rest.is_empty() {
                return lines;
            }
        }
    }

    /// The sum of all intervals written: the event time of the last line.
    pub fn offset_ms(&self) -> u64 {
        self.last_ms
    }

    fn event(&mut self, out: &mut Vec<u8>, code: Code, t_ms: u64, raw: &[u8]) -> u32 {
        self.begin(out, code, t_ms, raw.len());
        if std::str::from_utf8(raw).is_ok() {
            escape(out, raw);
            out.extend_from_slice(b"\"]\n");
            return 1;
        }
        for chunk in raw.utf8_chunks() {
            escape(out, chunk.valid().as_bytes());
            if !chunk.invalid().is_empty() {
                out.extend_from_slice("\u{fffd}".as_bytes());
            }
        }
        out.extend_from_slice(b"\"]\n[0.000, \"b\", \"");
        exact::write_groups(out, raw);
        out.extend_from_slice(b"\"]\n");
        2
    }

    /// Everything of a line up to the opening quote of its data.
    fn begin(&mut self, out: &mut Vec<u8>, code: Code, t_ms: u64, raw_len: usize) {
        let now_ms = t_ms.clamp(self.last_ms, limits::JSON_INTEGER);
        let interval_ms = (now_ms - self.last_ms).min(INTERVAL_MAX_MS);
        self.last_ms += interval_ms;
        // One growth for most events: an eighth more than the text covers the line breaks and colours of terminals.
        out.reserve(raw_len + raw_len / 8 + 40);
        out.push(b'[');
        push_decimal(out, interval_ms / 1000);
        let thousandths = interval_ms % 1000;
        out.extend_from_slice(&[b'.', digit(thousandths / 100), digit(thousandths / 10), digit(thousandths)]);
        out.extend_from_slice(&[b',', b' ', b'"', code.as_byte(), b'"', b',', b' ', b'"']);
    }
}

/// Length of the next event: at most the limit, and not inside a character.
fn cut(rest: &[u8]) -> usize {
    if rest.len() <= limits::EVENT_RAW {
        return rest.len();
    }
    limits::EVENT_RAW - exact::incomplete_tail(&rest[..limits::EVENT_RAW])
}

fn digit(n: u64) -> u8 {
    b'0' + (n % 10) as u8
}

fn push_decimal(out: &mut Vec<u8>, n: u64) {
    if n >= 10 {
        push_decimal(out, n / 10);
    }
    out.push(digit(n));
}
