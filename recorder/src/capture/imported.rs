//! A session whose events come from another tool's recording: their times are the source's, and nobody waits for them.
//!
//! Made of a session that has just begun, so that it is announced, sealed, delivered and closed after a crash as any other.
//! In place of a person it makes the source wait while nothing can be written, in real time; and what the recorder would tell
//! a person is not in the recording, because nobody was shown it. Segments close when they are full or when real time has
//! passed. Not for what the events are: `import`.

use std::time::{Duration, Instant};

use hansard_schemas::cast::{Code, Gap, Size};
use hansard_schemas::limits;
use hansard_schemas::session::Stop;

use super::lagging::Lagging;
use super::lines::stream;
use super::quota::{Measured, Room};
use super::segments::{Blocked, Segments};
use super::session::Session;
use crate::journal::usage::SHARE;

/// How long it waits before it tries again.
const PAUSE: Duration = Duration::from_millis(200);
/// How old what is known of the spool may be while it waits for room.
const LOOK: Duration = Duration::from_secs(1);
/// Lines with which a block is full: one event more, at its worst, stays below the format's limit.
const STAGED_BYTES: usize = 1 << 20;
/// A segment is closed after so long, so that a slow import is delivered while it runs.
const SEGMENT_AGE: Duration = Duration::from_secs(30);

/// Told what is waited for, and `None` when it is over.
type Waits<'w> = Box<dyn FnMut(Option<&str>) + 'w>;

/// The parts of a session that an import needs.
pub(super) struct Parts {
    pub(super) segments: Segments,
    pub(super) quota: Measured,
    pub(super) lagging: Lagging,
}

/// A session that is being imported.
pub struct Imported<'w> {
    parts: Parts,
    /// Called once for each wait.
    waits: Waits<'w>,
    waiting: bool,
    /// Raw bytes since the last block.
    raw: usize,
    /// When the open segment was opened.
    opened: Instant,
    events: u64,
    /// When the spool was measured, and how long that took.
    measured: (Instant, Duration),
}

impl<'w> Imported<'w> {
    /// Over a session that has begun, and was given nothing yet.
    pub fn over(session: Session, waits: impl FnMut(Option<&str>) + 'w) -> Self {
        let mut parts = session.into_parts();
        parts.quota.always_block();
        let now = Instant::now();
        let measured = (now, Duration::ZERO);
        Self { parts, waits: Box::new(waits), waiting: false, raw: 0, opened: now, events: 0, measured }
    }

    /// Bytes of a stream at their time, in milliseconds.
    pub fn bytes(&mut self, t_ms: u64, code: Code, bytes: &[u8]) -> Result<(), Blocked> {
        for piece in bytes.chunks(limits::EVENT_RAW) {
            self.parts.segments.stage(|encoder, lines, streams| stream(encoder, lines, streams, code, t_ms, piece));
            self.staged(piece.len())?;
        }
        Ok(())
    }

    /// A new size of the terminal.
    pub fn resize(&mut self, t_ms: u64, size: Size) -> Result<(), Blocked> {
        self.parts.segments.set_size(size);
        self.text(t_ms, Code::Resize, &size.to_string())
    }

    /// A marker.
    pub fn mark(&mut self, t_ms: u64, text: &str) -> Result<(), Blocked> {
        for piece in pieces(text) {
            self.text(t_ms, Code::Marker, piece)?;
        }
        Ok(())
    }

    /// Something that is not there.
    pub fn gap(&mut self, t_ms: u64, gap: &Gap) -> Result<(), Blocked> {
        // Made of numbers and short texts: it has a document.
        gap.to_data().map_or(Ok(()), |data| self.text(t_ms, Code::Gap, &data))
    }

    /// Writes what is left, the exit status where it is known, and closes the last segment.
    pub fn end(mut self, t_ms: u64, exit: Option<u32>, stop: &Stop) -> Result<(), Blocked> {
        self.parts.segments.closer().ending();
        self.parts.quota.ignore();
        self.parts.lagging.ignore();
        if let Some(status) = exit {
            self.text(t_ms, Code::Exit, &status.to_string())?;
        }
        self.write(Segments::flush)?;
        self.write(|segments| segments.end(stop.clone()))
    }

    fn text(&mut self, t_ms: u64, code: Code, text: &str) -> Result<(), Blocked> {
        self.parts.segments.stage(|encoder, lines, _| {
            encoder.text(lines, code, t_ms, text);
        });
        self.staged(text.len())
    }

    /// Something was staged: writes a block, if it is one.
    fn staged(&mut self, raw: usize) -> Result<(), Blocked> {
        self.events += 1;
        self.parts.segments.set_position(self.events);
        self.raw += raw;
        if self.raw + limits::EVENT_RAW <= limits::BLOCK_RAW && self.parts.segments.staged() < STAGED_BYTES {
            return Ok(());
        }
        self.raw = 0;
        self.room()?;
        self.write(Segments::flush)?;
        if self.parts.segments.is_full() || self.opened.elapsed() >= SEGMENT_AGE {
            self.write(Segments::cut)?;
            self.opened = Instant::now();
            self.measure(Duration::ZERO);
        }
        Ok(())
    }

    /// Measures the spool, where what is known of it is so old: a file is read faster than any terminal, and would fill it
    /// between two measurements.
    fn measure(&mut self, age: Duration) {
        let (at, took) = self.measured;
        if at.elapsed() >= age.max(took * SHARE) {
            self.measured = (Instant::now(), self.parts.quota.measure());
        }
    }

    /// Waits while the spool is over its quota, whatever is configured for that: a file can wait; and while what is sealed
    /// must reach a place first.
    fn room(&mut self) -> Result<(), Blocked> {
        loop {
            self.parts.quota.look();
            let text = match (self.parts.quota.room(), self.parts.lagging.room()) {
                (Room::Yes, Room::Yes) => break,
                (Room::No(blocked), _) | (_, Room::No(blocked)) => match blocked {
                    Blocked::Full(text) | Blocked::Refused(text) | Blocked::Late(text) => text,
                    Blocked::Fatal(_) => return Err(blocked),
                },
                // Neither says so here.
                (Room::Drop, _) | (_, Room::Drop) => "there is no room".to_owned(),
            };
            self.wait(&text);
            self.measure(LOOK);
        }
        self.goes_on();
        Ok(())
    }

    /// Does it, as often as it takes.
    fn write(&mut self, mut what: impl FnMut(&mut Segments) -> Result<(), Blocked>) -> Result<(), Blocked> {
        loop {
            let segments = &mut self.parts.segments;
            let mut result = what(segments);
            if result.is_ok() && segments.is_damaged() {
                result = segments.abandon("a sync failed").map(|_| ());
            }
            match result {
                Ok(()) => break,
                Err(Blocked::Fatal(text)) => return Err(Blocked::Fatal(text)),
                Err(Blocked::Full(text) | Blocked::Late(text)) => self.wait(&text),
                Err(Blocked::Refused(text)) => match segments.abandon(&text) {
                    Err(Blocked::Fatal(text)) => return Err(Blocked::Fatal(text)),
                    _ => self.wait(&text),
                },
            }
        }
        self.goes_on();
        Ok(())
    }

    fn wait(&mut self, text: &str) {
        if !std::mem::replace(&mut self.waiting, true) {
            (self.waits)(Some(text));
        }
        std::thread::sleep(PAUSE);
    }

    fn goes_on(&mut self) {
        if std::mem::replace(&mut self.waiting, false) {
            (self.waits)(None);
        }
    }
}

/// A text in pieces that are events.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut end = text.len().min(limits::EVENT_RAW);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let (piece, after) = text.split_at(end);
        rest = (!after.is_empty()).then_some(after);
        Some(piece)
    })
}
