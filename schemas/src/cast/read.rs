//! Reading event lines: the strict parser of one segment.
//!
//! It takes what the seal has authenticated and still trusts none of it: any bytes give events or an error.

use crate::cast::string::unescape;
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

/// Events in order, their data in one piece: what many events are read into without an allocation for each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Events {
    data: Vec<u8>,
    list: Vec<Item>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Item {
    time_ms: u64,
    code: Code,
    /// Where its data ends; it begins where that of the one before ends.
    end: usize,
}

impl Events {
    /// Time, code and data of each: exact bytes of the streams, valid UTF-8 of all others.
    pub fn iter(&self) -> impl Iterator<Item = (u64, Code, &[u8])> {
        let starts = std::iter::once(0).chain(self.list.iter().map(|item| item.end));
        starts.zip(&self.list).map(|(start, item)| (item.time_ms, item.code, &self.data[start..item.end]))
    }

    /// Each as a thing of its own.
    pub fn to_vec(&self) -> Vec<Event> {
        let data = |code: Code, data: &[u8]| match code.is_stream() {
            true => EventData::Bytes(data.to_vec()),
            false => EventData::Text(String::from_utf8_lossy(data).into_owned()),
        };
        self.iter().map(|(time_ms, code, raw)| Event { time_ms, code, data: data(code, raw) }).collect()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Event time of the last one.
    pub fn last_ms(&self) -> Option<u64> {
        self.list.last().map(|item| item.time_ms)
    }

    fn clear(&mut self) {
        self.data.clear();
        self.list.clear();
    }
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
        let mut events = Events::default();
        self.read(block, &mut events)?;
        Ok(events.to_vec())
    }

    /// As [`LineReader::push`], into `events`, in place of what they were.
    pub fn read(&mut self, block: &[u8], events: &mut Events) -> Result<()> {
        events.clear();
        // Whether the line before, in this block, can have a `b` line; where the text of that line begins.
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
            let (interval_ms, code, inside) = parse(line)?;
            if self.expect == Expect::Size && code != Code::Resize {
                return Err(bad("the first line of the segment is not a size"));
            }
            self.expect = Expect::Any;
            let start = events.data.len();
            unescape(inside, &mut events.data).map_err(|why| bad(format!("data: {why}")))?;
            if code == Code::Exact {
                let open: usize = open.take().ok_or_else(|| bad("exact bytes of nothing"))?;
                if interval_ms != 0 {
                    return Err(bad("exact bytes at another time"));
                }
                let raw = exact::join(valid(&events.data[open..start])?, valid(&events.data[start..])?)?;
                events.data.truncate(open);
                events.data.extend_from_slice(&raw);
                if let Some(item) = events.list.last_mut() {
                    item.end = events.data.len();
                }
                self.stream(events, open)?;
                continue;
            }
            if let Some(open) = open.take() {
                self.stream(events, open)?;
            }
            self.time_ms = self
                .time_ms
                .checked_add(interval_ms)
                .filter(|time| *time <= limits::JSON_INTEGER)
                .ok_or_else(|| bad("event time over 2^53 - 1"))?;
            match code {
                Code::Other(_) | Code::Exact => {
                    events.data.truncate(start);
                    continue;
                }
                Code::Output | Code::Input | Code::Error => open = Some(start),
                Code::Resize | Code::Exit | Code::Gap | Code::Marker => {
                    check_text(code, valid(&events.data[start..])?)?;
                }
            }
            events.list.push(Item { time_ms: self.time_ms, code, end: events.data.len() });
        }
        if let Some(open) = open {
            self.stream(events, open)?;
        }
        Ok(())
    }

    /// All bytes of the last event, a stream's that begin at `start`, are known; what follows it may be there already.
    fn stream(&mut self, events: &mut Events, start: usize) -> Result<()> {
        if let Some(item) = events.list.last_mut() {
            let len = item.end - start;
            if len > limits::EVENT_RAW {
                return Err(Error::Limit { what: "raw bytes of an event", limit: limits::EVENT_RAW as u64 });
            }
            self.counts.add(item.code, 1, len as u64);
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

/// `[I, "C", "D"]` (CAST-2), with `D` as it stands there.
fn parse(line: &[u8]) -> Result<(u64, Code, &[u8])> {
    let form = || bad("the form is [0.000, \"o\", \"…\"]");
    let line = line.strip_prefix(b"[").and_then(|l| l.strip_suffix(b"]")).ok_or_else(form)?;
    let comma = memchr::memchr(b',', line).ok_or_else(form)?;
    let (interval, rest) = line.split_at(comma);
    let interval_ms = parse_interval(interval)?;
    let (letter, data) = match rest {
        [b',', b' ', b'"', letter, b'"', b',', b' ', b'"', data @ .., b'"'] => (*letter, data),
        _ => return Err(form()),
    };
    let code = Code::from_char(char::from(letter)).ok_or_else(|| bad("its code is not a lower-case letter"))?;
    Ok((interval_ms, code, data))
}

/// What was unescaped is UTF-8.
fn valid(text: &[u8]) -> Result<&str> {
    std::str::from_utf8(text).map_err(|_| bad("data: not UTF-8"))
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
