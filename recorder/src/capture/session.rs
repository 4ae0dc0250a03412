//! One session's recorder: what the tee submits becomes event lines of the open segment.
//!
//! Called in place on the relay's thread. It decides what a message becomes (masking, bounded streams, markers, gaps)
//! and when a segment is cut; the sealing and the journal are `segments`, the slow work is on other threads.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use hansard_schemas::Digest;
use hansard_schemas::cast::{Code, Encoder, Gap, GapWhat, GapWhy, Size};
use hansard_schemas::session::{Stop, Streams};
use hansard_tee::{Message, Recorder, RecorderError, Stream};

use super::bounded::Bounded;
use super::clock::{Change, Watch};
use super::masking::{Masking, Release};
use super::segments::{Blocked, Segments};
use crate::config::Full;
use crate::journal::spool::{Spool, release_reserve};
use crate::journal::stall::{self, StallWatch};

/// How often the clocks and the quota are looked at, in milliseconds.
const LOOK_MS: u64 = 1_000;
/// How often the space that the spool occupies is measured, in milliseconds.
const MEASURE_MS: u64 = 5_000;

/// The spool's bounds, as the configuration has them.
#[derive(Debug, Clone)]
pub struct Quota {
    /// The spool to measure.
    pub spool: Spool,
    /// Most bytes it may hold.
    pub bytes: u64,
    /// What happens then.
    pub full: Full,
}

#[derive(Debug)]
enum InputState {
    /// Recorded as it comes.
    On,
    /// Recorded without secrets, best effort.
    Masked(Box<Masking>),
}

#[derive(Debug)]
enum Bounds {
    /// A terminal: no limit.
    None,
    /// Pipes: each stream has one.
    Each(Box<[Bounded; 3]>),
}

/// The recorder of one session, called in place by the tee.
pub struct SessionRecorder {
    segments: Segments,
    input: InputState,
    bounds: Bounds,
    clocks: Watch,
    quota: Quota,
    looked_ms: u64,
    measured_ms: u64,
    over_quota: bool,
    warned: bool,
    /// Output that policy had shown and not recorded: since when, and how much.
    dropped: Option<(u64, u64)>,
    /// Messages that were sealed and could not be written at once; offered again, they are not sealed again.
    unconfirmed: Vec<Unconfirmed>,
    notices: Vec<String>,
    hold_shown: bool,
    stall: StallWatch,
}

fn place(stream: Stream) -> (usize, Code, GapWhat) {
    match stream {
        Stream::Output => (0, Code::Output, GapWhat::Output),
        Stream::Error => (1, Code::Error, GapWhat::Error),
    }
}

const INPUT: usize = 2;

/// A message that the tee was told to offer again although it was sealed. Other messages may come before it (the notice
/// that output is held), and what is offered again may have grown.
#[derive(Debug)]
struct Unconfirmed {
    kind: u8,
    length: usize,
    hash: u64,
    /// In the journal by now.
    written: bool,
}

/// Which stream a message belongs to, and its bytes.
fn parts<'m>(message: &Message<'m>) -> (u8, &'m [u8]) {
    match *message {
        Message::Output { stream, bytes } => (u8::from(stream == Stream::Error), bytes),
        Message::Input { bytes, hidden } => (2 + u8::from(hidden), bytes),
        Message::InputEnd => (4, &[]),
        Message::Resize { .. } => (5, &[]),
        Message::Notice { text } => (6, text.as_bytes()),
    }
}

fn hash_of(message: &Message<'_>, bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    if let Message::Resize { cols, rows } = message {
        (cols, rows).hash(&mut hasher);
    }
    hasher.finish()
}

impl Unconfirmed {
    fn new(message: &Message<'_>) -> Self {
        let (kind, bytes) = parts(message);
        Self { kind, length: bytes.len(), hash: hash_of(message, bytes), written: false }
    }

    /// What is left of a message that begins with this one; `None` when it is another.
    fn rest<'m>(&self, message: &Message<'m>) -> Option<Message<'m>> {
        let (kind, bytes) = parts(message);
        let begins =
            kind == self.kind && bytes.len() >= self.length && hash_of(message, &bytes[..self.length]) == self.hash;
        let rest = bytes.get(self.length..).filter(|_| begins)?;
        Some(match *message {
            Message::Output { stream, .. } => Message::Output { stream, bytes: rest },
            Message::Input { hidden, .. } => Message::Input { bytes: rest, hidden },
            other => other,
        })
    }
}

impl SessionRecorder {
    /// A recorder over an open session. `masking` where typed input is to be masked; `limit` bounds each stream of a
    /// session without a terminal.
    pub fn new(
        segments: Segments,
        masking: Option<Masking>,
        limit: Option<u64>,
        quota: Quota,
        stall: StallWatch,
    ) -> Self {
        Self {
            segments,
            input: masking.map_or(InputState::On, |m| InputState::Masked(Box::new(m))),
            bounds: limit
                .map_or(Bounds::None, |n| Bounds::Each(Box::new([Bounded::new(n), Bounded::new(n), Bounded::new(n)]))),
            clocks: Watch::new(),
            quota,
            looked_ms: 0,
            measured_ms: 0,
            over_quota: false,
            warned: false,
            dropped: None,
            unconfirmed: Vec::new(),
            notices: Vec::new(),
            hold_shown: false,
            stall,
        }
    }

    /// The segments, for the end of the session.
    pub fn segments(&mut self) -> &mut Segments {
        &mut self.segments
    }

    fn record(&mut self, t_ms: u64, message: &Message<'_>) -> Result<(), Blocked> {
        let bounds = &mut self.bounds;
        match *message {
            Message::Output { stream, bytes } => {
                let mut release = Vec::new();
                if let InputState::Masked(masking) = &mut self.input {
                    masking.output(bytes, &mut release);
                }
                let (index, code, what) = place(stream);
                self.segments.block(|encoder, lines, streams| {
                    released(encoder, lines, streams, release);
                    bounded(bounds, index, code, what, t_ms, bytes, encoder, lines, streams);
                })
            }
            Message::Input { bytes, hidden } => match &mut self.input {
                InputState::On => self.segments.block(|encoder, lines, streams| {
                    bounded(bounds, INPUT, Code::Input, GapWhat::Input, t_ms, bytes, encoder, lines, streams);
                }),
                InputState::Masked(masking) => {
                    let mut release = Vec::new();
                    masking.input(t_ms, bytes, hidden, &mut release);
                    self.write_released(release)
                }
            },
            Message::InputEnd => self.marker(t_ms, "end of input"),
            Message::Resize { cols, rows } => {
                let size = Size { cols, rows };
                self.segments.set_size(size);
                self.segments.block(|encoder, lines, _| {
                    encoder.text(lines, Code::Resize, t_ms, &size.to_string());
                })
            }
            Message::Notice { text } => self.segments.block(|encoder, lines, streams| {
                encoder.text(lines, Code::Marker, t_ms, "shown by the recorder");
                stream(encoder, lines, streams, Code::Output, t_ms, text.as_bytes());
            }),
        }
    }

    fn marker(&mut self, t_ms: u64, text: &str) -> Result<(), Blocked> {
        self.segments.block(|encoder, lines, _| {
            encoder.text(lines, Code::Marker, t_ms, text);
        })
    }

    fn write_released(&mut self, release: Vec<Release>) -> Result<(), Blocked> {
        if release.is_empty() {
            return Ok(());
        }
        self.segments.block(|encoder, lines, streams| released(encoder, lines, streams, release))
    }

    /// What the tee is told of a block that could not be written.
    fn blocked(&mut self, blocked: Blocked) -> RecorderError {
        let (what, hint) = match blocked {
            Blocked::Fatal(text) => return RecorderError::Fatal(text),
            Blocked::Full(text) => (text, "free space there and it goes on"),
            Blocked::Refused(text) => match self.segments.abandon(&text) {
                // The next segment is another file: the message, offered again, goes there.
                Ok(true) => {
                    self.unconfirmed.retain(|one| one.written);
                    return RecorderError::Full { notice: None };
                }
                Ok(false) => (text, "it is tried again"),
                Err(Blocked::Fatal(text)) => return RecorderError::Fatal(text),
                Err(Blocked::Full(text) | Blocked::Refused(text)) => {
                    self.unconfirmed.retain(|one| one.written);
                    (text, "it is tried again")
                }
            },
        };
        let notice = (!self.hold_shown)
            .then(|| format!("\r\nhansard-record: output is held, it cannot be recorded: {what}; {hint}\r\n"));
        self.hold_shown = true;
        RecorderError::Full { notice }
    }

    /// Over the quota, and what that means for this message. `None`: go on.
    fn over_quota(&mut self, t_ms: u64, message: &Message<'_>) -> Option<Result<(), RecorderError>> {
        if !self.over_quota {
            return None;
        }
        match (self.quota.full, message) {
            (Full::RefuseNew, _) => None,
            (Full::DropWithGap, Message::Output { bytes, .. }) => {
                let (since, amount) = self.dropped.unwrap_or((t_ms, 0));
                self.dropped = Some((since, amount + bytes.len() as u64));
                Some(Ok(()))
            }
            (Full::Block, Message::Output { .. }) => {
                let text = format!("the spool {} is over its quota", self.quota.spool.root().display());
                Some(Err(self.blocked(Blocked::Full(text))))
            }
            _ => None,
        }
    }

    fn look(&mut self, t_ms: u64) -> Result<(), Blocked> {
        self.looked_ms = t_ms;
        let gap = match self.clocks.look() {
            Some(Change::Stepped(ms)) => Some(Gap::clock_step(ms)),
            Some(Change::Suspended(ms)) => {
                let mut gap = Gap::new(GapWhat::Time, GapWhy::Suspended);
                gap.from_ms = Some(t_ms.saturating_sub(ms.unsigned_abs()));
                gap.to_ms = Some(t_ms);
                Some(gap)
            }
            None => None,
        };
        if let Some(gap) = gap {
            self.gap(t_ms, &gap)?;
        }
        if t_ms >= self.measured_ms + MEASURE_MS {
            self.measured_ms = t_ms;
            self.measure(t_ms)?;
        }
        Ok(())
    }

    fn measure(&mut self, t_ms: u64) -> Result<(), Blocked> {
        let used = self.quota.spool.used();
        self.over_quota = used >= self.quota.bytes;
        if !self.warned && used / 4 >= self.quota.bytes / 5 {
            self.warned = true;
            let percent = used.saturating_mul(100) / self.quota.bytes.max(1);
            let root = self.quota.spool.root().display();
            self.notices
                .push(format!("\r\nhansard-record: warning: the spool {root} is at {percent} % of its quota\r\n"));
        }
        if self.over_quota { Ok(()) } else { self.say_dropped(t_ms) }
    }

    /// The gap of what policy had shown and not recorded, if there is one.
    fn say_dropped(&mut self, t_ms: u64) -> Result<(), Blocked> {
        let Some((from, bytes)) = self.dropped.take() else { return Ok(()) };
        let mut gap = Gap::new(GapWhat::Output, GapWhy::Dropped);
        gap.bytes = Some(bytes);
        gap.from_ms = Some(from);
        gap.to_ms = Some(t_ms);
        self.gap(t_ms, &gap)
    }

    fn gap(&mut self, t_ms: u64, gap: &Gap) -> Result<(), Blocked> {
        let data = gap.to_data().map_err(|e| Blocked::Fatal(e.to_string()))?;
        self.segments.block(|encoder, lines, _| {
            encoder.text(lines, Code::Gap, t_ms, &data);
        })
    }

    fn time_passes(&mut self, t_ms: u64) -> Result<Option<u64>, Blocked> {
        self.segments.flush()?;
        let mut next = None;
        if let InputState::Masked(masking) = &mut self.input {
            let mut release = Vec::new();
            next = masking.tick(t_ms, &mut release);
            self.write_released(release)?;
        }
        if t_ms >= self.looked_ms + LOOK_MS {
            self.look(t_ms)?;
        }
        if self.stall.take_shown() {
            self.marker(t_ms, stall::TEXT)?;
        }
        if self.segments.is_damaged() {
            self.segments.abandon("a sync failed")?;
        }
        if self.segments.is_due(t_ms) {
            self.segments.cut()?;
        }
        let due = self.segments.due_ms();
        // Looks are made while something happens; an idle session sleeps until its segment is due.
        Ok(next.into_iter().chain(due).min())
    }

    /// Writes the last lines and closes the last segment, from the reserve where the disk is full.
    pub fn finish(&mut self, t_ms: u64, stop: Stop) -> Result<(), Blocked> {
        self.segments.closer().ending();
        let result = self.last_lines(t_ms, &stop).and_then(|()| self.segments.end(stop.clone()));
        let Err(Blocked::Full(_) | Blocked::Refused(_)) = result else { return result };
        release_reserve(self.segments.dir());
        // What was sealed before is continued, the rest is written now.
        self.last_lines(t_ms, &stop).and_then(|()| self.segments.end(stop))
    }

    fn last_lines(&mut self, t_ms: u64, stop: &Stop) -> Result<(), Blocked> {
        self.segments.flush()?;
        if let InputState::Masked(masking) = &mut self.input {
            let mut release = Vec::new();
            masking.finish(&mut release);
            self.write_released(release)?;
        }
        self.say_dropped(t_ms)?;
        let Bounds::Each(bounds) = std::mem::replace(&mut self.bounds, Bounds::None) else {
            return self.exit_line(t_ms, stop);
        };
        let kinds = [(Code::Output, GapWhat::Output), (Code::Error, GapWhat::Error), (Code::Input, GapWhat::Input)];
        for (stream_bounds, (code, what)) in bounds.into_iter().zip(kinds) {
            let Some(rest) = stream_bounds.finish() else { continue };
            let mut gap = Gap::new(what, GapWhy::Bounded);
            gap.bytes = Some(rest.missing);
            gap.from_ms = Some(rest.from_ms);
            gap.to_ms = Some(t_ms);
            gap.sha256 = Some(Digest(rest.sha256));
            self.gap(t_ms, &gap)?;
            self.segments.block(|encoder, lines, streams| stream(encoder, lines, streams, code, t_ms, &rest.tail))?;
        }
        self.exit_line(t_ms, stop)
    }

    fn exit_line(&mut self, t_ms: u64, stop: &Stop) -> Result<(), Blocked> {
        self.segments.block(|encoder, lines, _| {
            encoder.text(lines, Code::Exit, t_ms, &stop.status.to_string());
        })
    }
}

impl Recorder for SessionRecorder {
    fn submit(&mut self, time_us: u64, message: Message<'_>) -> Result<(), RecorderError> {
        let t_ms = time_us / 1_000;
        if let Some(result) = self.over_quota(t_ms, &message) {
            return result;
        }
        if let Err(blocked) = self.segments.flush() {
            return Err(self.blocked(blocked));
        }
        self.unconfirmed.iter_mut().for_each(|one| one.written = true);
        let mut message = message;
        let known = self.unconfirmed.iter().enumerate().find_map(|(place, one)| Some((place, one.rest(&message)?)));
        if let Some((place, rest)) = known {
            self.unconfirmed.remove(place);
            let is_whole = match rest {
                Message::Output { bytes, .. } | Message::Input { bytes, .. } => bytes.is_empty(),
                _ => true,
            };
            if is_whole {
                self.hold_shown = false;
                return Ok(());
            }
            message = rest;
        }
        let result = self.record(t_ms, &message);
        match result {
            Ok(()) => {
                self.hold_shown = false;
                Ok(())
            }
            Err(blocked) => {
                self.unconfirmed.push(Unconfirmed::new(&message));
                Err(self.blocked(blocked))
            }
        }
    }

    fn tick(&mut self, time_us: u64) -> Result<Option<u64>, RecorderError> {
        match self.time_passes(time_us / 1_000) {
            // One millisecond later: a time that has just not come yet would be asked for again at once.
            Ok(next) => Ok(next.map(|ms| (ms + 1) * 1_000)),
            Err(blocked) => Err(self.blocked(blocked)),
        }
    }

    fn notice(&mut self) -> Option<String> {
        self.notices.pop()
    }
}

fn stream(encoder: &mut Encoder, lines: &mut Vec<u8>, streams: &mut Streams, code: Code, t_ms: u64, bytes: &[u8]) {
    let (_, events) = encoder.stream_counted(lines, code, t_ms, bytes);
    if events > 0 {
        streams.add(code, events, bytes.len() as u64);
    }
}

fn released(encoder: &mut Encoder, lines: &mut Vec<u8>, streams: &mut Streams, release: Vec<Release>) {
    for item in release {
        match item {
            Release::Input { time_ms, bytes } => stream(encoder, lines, streams, Code::Input, time_ms, &bytes),
            Release::Gap { from_ms, to_ms } => {
                let mut gap = Gap::new(GapWhat::Input, GapWhy::Masked);
                gap.from_ms = Some(from_ms);
                gap.to_ms = Some(to_ms);
                if let Ok(data) = gap.to_data() {
                    encoder.text(lines, Code::Gap, to_ms, &data);
                }
            }
        }
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "borrows of the parts of one recorder, apart so that a closure can hold them"
)]
fn bounded(
    bounds: &mut Bounds,
    index: usize,
    code: Code,
    what: GapWhat,
    t_ms: u64,
    bytes: &[u8],
    encoder: &mut Encoder,
    lines: &mut Vec<u8>,
    streams: &mut Streams,
) {
    let Bounds::Each(each) = bounds else {
        return stream(encoder, lines, streams, code, t_ms, bytes);
    };
    let (head, reached) = each[index].push(t_ms, bytes);
    if head > 0 {
        stream(encoder, lines, streams, code, t_ms, &bytes[..head]);
    }
    if reached {
        // Said at once: should the recorder be killed, the recording does not end as if nothing more had come.
        let mut gap = Gap::new(what, GapWhy::Bounded);
        gap.from_ms = Some(t_ms);
        gap.note = Some("the limit of this stream is reached".into());
        if let Ok(data) = gap.to_data() {
            encoder.text(lines, Code::Gap, t_ms, &data);
        }
    }
}
