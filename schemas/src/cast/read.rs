//! Reading event lines: the strict parser of one segment.
//!
//! It takes what the seal has authenticated and still trusts none of it: any bytes give events or an error.

use crate::cast::{CastHeader, Code, INTERVAL_MAX_MS, Size};
use crate::session::Streams;
use crate::{Digest, Error, Result, exact, json, limits};

/// One event; a `b` line has been folded into the one before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Event time: milliseconds since the start of the session.
    pub time_ms: u64,
    /// What it is; never [`Code::Exact`] or [`Code::Other`].
    pub code: Code,
    /// Its data.
    pub data: EventData,
}

/// Data of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventData {
    /// Of `o`, `e`, `i`: the exact bytes.
    Bytes(Vec<u8>),
    /// Of all others.
    Text(String),
}

/// Reads the lines of one segment, block by block. After an error it is of no more use.
#[derive(Debug)]
pub struct LineReader {
    expect: Expect,
    time_ms: u64,
    header: Option<(CastHeader, Digest)>,
    lines: u64,
    counts: Streams,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Header,
    Size,
    Any,
}

impl LineReader {
    /// For segment 0 or another one, at the `offset_ms` of its header.
    pub fn new(first_segment: bool, offset_ms: u64) -> Self {
        Self {
            expect: if first_segment { Expect::Header } else { Expect::Size },
            time_ms: offset_ms,
            header: None,
            lines: 0,
            counts: Streams::default(),
        }
    }

    /// Reads the lines of one block: whole lines, or nothing.
    pub fn push(&mut self, block: &[u8]) -> Result<Vec<Event>> {
        let mut events: Vec<Event> = Vec::new();
        // Whether the line before, in this block, can have a `b` line; its text until that is known.
        let mut open = None;
        let mut rest = block;
        while !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest).ok_or_else(|| bad("does not end with a line feed"))?;
            if end >= limits::EVENT_LINE {
                return Err(Error::Limit { what: "event line", limit: limits::EVENT_LINE as u64 });
            }
            let (line, after) = (&rest[..end], &rest[end + 1..]);
            rest = after;
            self.lines += 1;
            if self.expect == Expect::Header {
                self.header = Some(CastHeader::parse_line(line)?);
                self.expect = Expect::Any;
                continue;
            }
            let (interval_ms, code, data) = parse(line)?;
            if self.expect == Expect::Size && code != Code::Resize {
                return Err(bad("the first line of the segment is not a size"));
            }
            self.expect = Expect::Any;
            if code == Code::Exact {
                let text: String = open.take().ok_or_else(|| bad("exact bytes of nothing"))?;
                if interval_ms != 0 {
                    return Err(bad("exact bytes at another time"));
                }
                self.stream(&mut events, exact::join(&text, &data)?)?;
                continue;
            }
            if let Some(text) = open.take() {
                self.stream(&mut events, text.into_bytes())?;
            }
            self.time_ms = self
                .time_ms
                .checked_add(interval_ms)
                .filter(|time| *time <= limits::JSON_INTEGER)
                .ok_or_else(|| bad("event time over 2^53 - 1"))?;
            let data = match code {
                Code::Other(_) | Code::Exact => continue,
                Code::Output | Code::Input | Code::Error => {
                    open = Some(data);
                    EventData::Bytes(Vec::new())
                }
                Code::Resize | Code::Exit | Code::Gap | Code::Marker => {
                    check_text(code, &data)?;
                    EventData::Text(data)
                }
            };
            events.push(Event { time_ms: self.time_ms, code, data });
        }
        if let Some(text) = open {
            self.stream(&mut events, text.into_bytes())?;
        }
        Ok(events)
    }

    /// Puts the raw bytes into the event that waits for them, the last one.
    fn stream(&mut self, events: &mut [Event], raw: Vec<u8>) -> Result<()> {
        if raw.len() > limits::EVENT_RAW {
            return Err(Error::Limit { what: "raw bytes of an event", limit: limits::EVENT_RAW as u64 });
        }
        if let Some(event) = events.last_mut() {
            self.counts.add(event.code, 1, raw.len() as u64);
            event.data = EventData::Bytes(raw);
        }
        Ok(())
    }

    /// The header line, once it has been read; of segment 0 only. With the digest of its identity object.
    pub fn header(&self) -> Option<&(CastHeader, Digest)> {
        self.header.as_ref()
    }

    /// Line feeds read, the header line's among them.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Event time of the last line.
    pub fn time_ms(&self) -> u64 {
        self.time_ms
    }

    /// What was read, by stream; compared with the footer's.
    pub fn counts(&self) -> Streams {
        self.counts
    }
}

/// `[I, "C", "D"]` (CAST-2).
fn parse(line: &[u8]) -> Result<(u64, Code, String)> {
    let form = || bad("the form is [0.000, \"o\", \"…\"]");
    let line = line.strip_prefix(b"[").and_then(|l| l.strip_suffix(b"]")).ok_or_else(form)?;
    let comma = memchr::memchr(b',', line).ok_or_else(form)?;
    let (interval, rest) = line.split_at(comma);
    let interval_ms = parse_interval(interval)?;
    let (letter, data) = match rest {
        [b',', b' ', b'"', letter, b'"', b',', b' ', data @ ..] => (*letter, data),
        _ => return Err(form()),
    };
    let code = Code::from_char(char::from(letter)).ok_or_else(|| bad("its code is not a lower-case letter"))?;
    // The parser skips white space around the string; there must be none.
    if data.len() < 2 || !data.starts_with(b"\"") || !data.ends_with(b"\"") {
        return Err(form());
    }
    let data = serde_json::from_slice(data).map_err(|e| bad(format!("data: {e}")))?;
    Ok((interval_ms, code, data))
}

fn parse_interval(text: &[u8]) -> Result<u64> {
    let form = || bad("its interval is not seconds with three decimals");
    let (seconds, thousandths) = match text {
        [seconds @ .., b'.', a, b, c] if !seconds.is_empty() => (seconds, [*a, *b, *c]),
        _ => return Err(form()),
    };
    // Ten digits are enough for the largest.
    if seconds.len() > 10 || (seconds.len() > 1 && seconds[0] == b'0') {
        return Err(form());
    }
    let mut ms = 0;
    for digit in seconds.iter().chain(&thousandths) {
        if !digit.is_ascii_digit() {
            return Err(form());
        }
        ms = ms * 10 + u64::from(digit - b'0');
    }
    if ms > INTERVAL_MAX_MS {
        return Err(bad("its interval is over 9007199254.999"));
    }
    Ok(ms)
}

fn check_text(code: Code, data: &str) -> Result<()> {
    match code {
        Code::Resize => data.parse::<Size>().map(drop).map_err(bad),
        Code::Exit if data.is_empty() || data.len() > 9 || !data.bytes().all(|b| b.is_ascii_digit()) => {
            Err(bad("an exit status that is not a number"))
        }
        Code::Gap => json::check(data.as_bytes()).map_err(|why| bad(format!("gap: {why}"))),
        _ => Ok(()),
    }
}

fn bad(why: impl Into<String>) -> Error {
    Error::BadLine(why.into())
}
