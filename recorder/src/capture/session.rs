//! One session: what messages become, when segments are cut, what happens while nothing can be written.
//!
//! It belongs to one thread at a time (`recorder` says which) and waits for nothing but `write(2)`. It decides masking,
//! bounded streams, markers and gaps; the sealing and the journal are `segments`, the slow work is on other threads.

mod saying;

use std::collections::VecDeque;
use std::sync::Arc;

use hansard_schemas::cast::{Code, Gap, GapWhat, GapWhy, Size};
use hansard_schemas::limits;
use hansard_schemas::session::Stop;
use hansard_tee::{Message, Pipe, Reply, Rest, StandIn};

use super::batch::Batch;
use super::clock::{Change, Watch};
use super::hold::Hold;
use super::imported::Parts;
use super::lagging::{LagBounds, Lagging};
use super::lines::{Over, limit_reached, of_pipe, over_limit, released, stream};
use super::masking::{Masking, Release};
use super::quota::{Measured, Quota, Room};
use super::segments::{Blocked, Segments};
use crate::journal::closing::Closer;
use crate::journal::spool::{halve_reserve, release_reserve};
use crate::journal::stall::{self, Flag};

/// How often the clocks and the quota are looked at, in milliseconds.
const LOOK_MS: u64 = 1_000;
/// After the child's end: what cannot be written for so long, although the reserve was opened, is not waited for.
const LET_GO_US: u64 = 5_000_000;
/// Lines with which a block is full whatever comes next: one more message, at its worst, stays below the format's limit.
const STAGED_BYTES: usize = 1 << 20;

#[derive(Debug)]
enum InputState {
    /// Recorded as it comes.
    On,
    /// Recorded without secrets, best effort.
    Masked(Box<Masking>),
}

/// What of the end has come.
#[derive(Debug, PartialEq, Eq)]
enum Ending {
    /// The child runs.
    NotYet,
    /// It has ended; what it wrote may use half of the reserve.
    Last,
    /// That was needed at this time, in microseconds.
    Opened(u64),
    /// It was not enough.
    LetGo,
}

/// A session that is being recorded.
pub struct Session {
    segments: Segments,
    input: InputState,
    on_pipes: bool,
    /// Pipes that are over their limits, and have not said yet what they came to.
    over: [Option<Over>; 3],
    clocks: Watch,
    quota: Measured,
    lagging: Lagging,
    looked_ms: u64,
    /// Output that policy had shown and not recorded: since when, and how much.
    dropped: Option<(u64, u64)>,
    /// Output that was neither shown nor recorded, because the session ended while it was held: the same of it.
    unshown: Option<(u64, u64)>,
    stall: Arc<Flag>,
    /// Submitted, not staged.
    inbox: Batch,
    /// Number of the last message that is staged, and of the last that is accepted.
    staged: u64,
    accepted: u64,
    hold: Hold,
    /// The latest time that was heard of, in microseconds.
    now_us: u64,
    /// When time brings something, in milliseconds.
    next_ms: Option<u64>,
    ending: Ending,
    /// What only the end has to say is staged.
    has_last_lines: bool,
    replies: VecDeque<Reply>,
}

/// Of output that nobody got.
const UNSHOWN: &str = "held when the session ended, and never shown";

impl Session {
    /// Over its open segments. `masking` where typed input is to be masked; `on_pipes` for a session
    /// without a terminal.
    pub fn new(
        segments: Segments,
        masking: Option<Masking>,
        on_pipes: bool,
        quota: Quota,
        lag: LagBounds,
        stall: Arc<Flag>,
    ) -> Self {
        let position = segments.position();
        Self {
            segments,
            input: masking.map_or(InputState::On, |m| InputState::Masked(Box::new(m))),
            on_pipes,
            over: [None, None, None],
            clocks: Watch::new(),
            quota: Measured::new(quota),
            lagging: Lagging::new(lag),
            looked_ms: 0,
            dropped: None,
            unshown: None,
            stall,
            inbox: Batch::default(),
            staged: position,
            accepted: position,
            hold: Hold::default(),
            now_us: 0,
            next_ms: None,
            ending: Ending::NotYet,
            has_last_lines: false,
            replies: VecDeque::new(),
        }
    }

    /// What an import needs of it; it was given nothing yet.
    pub(super) fn into_parts(self) -> Parts {
        Parts { segments: self.segments, quota: self.quota, lagging: self.lagging }
    }

    /// Serves the user while a write does not return.
    pub fn lend(&self, stand_in: StandIn) {
        self.stall.lend(stand_in);
    }

    /// The child has ended: what it wrote is all that still comes.
    pub fn last(&mut self) {
        self.quota.ignore();
        self.lagging.ignore();
        self.ending = Ending::Last;
        if self.hold.is_on() {
            self.needs_reserve();
        }
    }

    /// Something cannot be written, and nothing else comes that could be waited for.
    fn needs_reserve(&mut self) {
        match self.ending {
            Ending::Last => {
                self.ending = Ending::Opened(self.now_us);
                halve_reserve(self.segments.dir());
            }
            Ending::Opened(at_us) if self.now_us >= at_us + LET_GO_US => {
                self.ending = Ending::LetGo;
                self.replies.push_back(Reply::LetGo);
            }
            Ending::NotYet | Ending::Opened(_) | Ending::LetGo => {}
        }
    }

    /// Nothing waits: a message can be sealed at once.
    pub fn is_ready(&self) -> bool {
        self.inbox.is_empty() && !self.hold.is_on()
    }

    /// Nothing can be written, and it is not yet time for another try.
    pub fn is_held(&self) -> bool {
        self.hold.is_on()
    }

    /// What waits to be sealed.
    pub fn inbox(&mut self) -> &mut Batch {
        &mut self.inbox
    }

    /// What closes its segments.
    pub fn closer(&self) -> &Arc<Closer> {
        self.segments.closer()
    }

    /// What there is to say, oldest first.
    pub fn replies(&mut self) -> &mut VecDeque<Reply> {
        &mut self.replies
    }

    /// Takes a message, and seals it at once where nothing waits before it.
    pub fn submit(&mut self, number: u64, time_us: u64, message: Message<'_>) {
        if !self.is_ready() {
            return self.inbox.push(number, time_us, message);
        }
        let result = match self.stage(number, time_us, &message) {
            Ok(()) => self.flush(),
            Err(blocked) => {
                self.inbox.push(number, time_us, message);
                Err(blocked)
            }
        };
        self.holds_if(time_us, result);
    }

    /// Does what time brings, and what waits. Gives back the time of the next call.
    pub fn tick(&mut self, time_us: u64) -> Option<u64> {
        if let Some(at_us) = self.hold.at_us().filter(|at_us| time_us < *at_us) {
            return Some(at_us);
        }
        self.step_at(time_us);
        while !self.is_ready() && !self.is_held() {
            self.step_at(time_us);
        }
        // One millisecond later: a time that has just not come yet would be asked for again at once.
        self.hold.at_us().or(self.next_ms.map(|ms| (ms + 1) * 1_000))
    }

    /// Seals and writes one block of what waits, and does what its time brings.
    pub fn step(&mut self) {
        let time_us = self.inbox.first().map_or(self.now_us, |(_, time_us, _)| time_us);
        self.step_at(time_us);
    }

    fn step_at(&mut self, time_us: u64) {
        self.now_us = self.now_us.max(time_us);
        let result = self.block(self.now_us / 1_000);
        self.holds_if(self.now_us, result);
    }

    fn block(&mut self, t_ms: u64) -> Result<(), Blocked> {
        self.flush()?;
        if let Some(text) = self.hold.take_owed() {
            self.stage_notice(t_ms, &text);
        }
        if t_ms >= self.looked_ms + LOOK_MS {
            self.looked_ms = t_ms;
            self.look(t_ms)?;
        }
        let staged = self.stage_inbox();
        self.flush()?;
        staged?;
        self.hold.is_over();
        self.next_ms = self.time_passes(t_ms)?;
        Ok(())
    }

    /// Stages what waits, as far as one block goes.
    fn stage_inbox(&mut self) -> Result<(), Blocked> {
        if self.inbox.is_empty() {
            return Ok(());
        }
        let mut inbox = std::mem::take(&mut self.inbox);
        let (mut raw, mut result) = (0, Ok(()));
        while let Some((number, time_us, message)) = inbox.first() {
            raw += length(&message);
            if self.segments.staged() > 0 && (raw > limits::BLOCK_RAW || self.segments.staged() > STAGED_BYTES) {
                break;
            }
            result = self.stage(number, time_us, &message);
            if result.is_err() {
                break;
            }
            inbox.pop();
        }
        self.inbox = inbox;
        result
    }

    /// Makes lines of a message; an error leaves it as it was.
    fn stage(&mut self, number: u64, time_us: u64, message: &Message<'_>) -> Result<(), Blocked> {
        let t_ms = time_us / 1_000;
        match (self.room(), message) {
            (Room::No(blocked), Message::Output { .. }) => return Err(blocked),
            (Room::Drop, Message::Output { bytes, .. }) => {
                let (since, amount) = self.dropped.unwrap_or((t_ms, 0));
                self.dropped = Some((since, amount + bytes.len() as u64));
            }
            _ => {
                self.stage_lines(t_ms, message);
                self.segments.set_position(number);
            }
        }
        self.staged = number;
        Ok(())
    }

    /// Whether output is recorded now.
    fn room(&self) -> Room {
        match self.quota.room() {
            Room::Yes => self.lagging.room(),
            other => other,
        }
    }

    /// Writes all that is staged; what it holds is accepted then.
    fn flush(&mut self) -> Result<(), Blocked> {
        self.segments.flush()?;
        self.accept();
        Ok(())
    }

    fn accept(&mut self) {
        if self.accepted < self.staged {
            self.accepted = self.staged;
            match self.replies.back_mut() {
                Some(Reply::Accepted(number)) => *number = self.accepted,
                _ => self.replies.push_back(Reply::Accepted(self.accepted)),
            }
        }
    }

    fn stage_lines(&mut self, t_ms: u64, message: &Message<'_>) {
        let segments = &mut self.segments;
        match *message {
            Message::Output { stream: from, bytes } => {
                let mut release = Vec::new();
                if let InputState::Masked(masking) = &mut self.input {
                    masking.output(bytes, &mut release);
                }
                let (_, code, _) = of_pipe(from.into());
                segments.stage(|encoder, lines, streams| {
                    released(encoder, lines, streams, release);
                    stream(encoder, lines, streams, code, t_ms, bytes);
                });
            }
            Message::Input { bytes, hidden } => match &mut self.input {
                InputState::On => segments.stage(|encoder, lines, streams| {
                    stream(encoder, lines, streams, Code::Input, t_ms, bytes);
                }),
                InputState::Masked(masking) => {
                    let mut release = Vec::new();
                    masking.input(t_ms, bytes, hidden, &mut release);
                    self.stage_released(release);
                }
            },
            Message::InputEnd => self.stage_text(Code::Marker, t_ms, "end of input"),
            Message::Resize { cols, rows } => {
                let size = Size { cols, rows };
                segments.set_size(size);
                self.stage_text(Code::Resize, t_ms, &size.to_string());
            }
            Message::Passing { pipe, total } => self.stage_passing(t_ms, pipe, total),
            Message::Rest { pipe, rest } => self.stage_rest(t_ms, pipe, &rest),
        }
    }

    fn stage_passing(&mut self, t_ms: u64, pipe: Pipe, total: u64) {
        let (index, _, what) = of_pipe(pipe);
        if let Some(over) = &mut self.over[index] {
            over.total = total;
            return;
        }
        self.over[index] = Some(Over { total, from_ms: t_ms });
        self.stage_gap(t_ms, &limit_reached(what, t_ms));
    }

    fn stage_rest(&mut self, t_ms: u64, pipe: Pipe, rest: &Rest<'_>) {
        let (index, code, what) = of_pipe(pipe);
        self.over[index] = None;
        self.stage_gap(t_ms, &over_limit(what, (rest.from_us / 1_000).min(t_ms), t_ms, Ok(rest)));
        if pipe == Pipe::Input && matches!(self.input, InputState::Masked(_)) {
            // Nobody has looked through it for secrets.
            return;
        }
        self.segments.stage(|encoder, lines, streams| stream(encoder, lines, streams, code, t_ms, rest.tail));
    }

    fn stage_text(&mut self, code: Code, t_ms: u64, text: &str) {
        self.segments.stage(|encoder, lines, _| {
            encoder.text(lines, code, t_ms, text);
        });
    }

    /// A text of the recorder's own, which the terminal gets, or standard error where there is none.
    fn stage_notice(&mut self, t_ms: u64, text: &str) {
        self.stage_text(Code::Marker, t_ms, "shown by the recorder");
        let code = if self.on_pipes { Code::Error } else { Code::Output };
        self.segments.stage(|encoder, lines, streams| {
            stream(encoder, lines, streams, code, t_ms, text.as_bytes());
        });
    }

    fn stage_released(&mut self, release: Vec<Release>) {
        if !release.is_empty() {
            self.segments.stage(|encoder, lines, streams| released(encoder, lines, streams, release));
        }
    }

    fn stage_gap(&mut self, t_ms: u64, gap: &Gap) {
        // Made of numbers and fixed words: it has a document.
        if let Ok(data) = gap.to_data() {
            self.stage_text(Code::Gap, t_ms, &data);
        }
    }

    /// After an error: holds the output, and says so once.
    fn holds_if(&mut self, now_us: u64, result: Result<(), Blocked>) {
        let (what, hint) = match result {
            Ok(()) => return,
            Err(Blocked::Fatal(text)) => return self.fails(text),
            Err(Blocked::Full(text)) => (text, "free space there and it goes on"),
            Err(Blocked::Late(text)) => (text, "it goes on when that is delivered"),
            Err(Blocked::Refused(text)) => match self.segments.abandon(&text) {
                // The next segment is another file, which is tried soon.
                Ok(true) => return self.hold.again(now_us),
                Err(Blocked::Fatal(text)) => return self.fails(text),
                Ok(false) | Err(_) => (text, "it is tried again"),
            },
        };
        self.hold.again(now_us);
        self.needs_reserve();
        let text = format!("\r\nhansard-record: output is held, it cannot be recorded: {what}; {hint}\r\n");
        if self.hold.owes(&text) {
            self.replies.push_back(Reply::Notice(text));
        }
    }

    /// Nothing will be sealed any more.
    fn fails(&mut self, text: String) {
        self.hold.for_good();
        self.replies.push_back(Reply::Failed(text));
    }

    fn time_passes(&mut self, t_ms: u64) -> Result<Option<u64>, Blocked> {
        let mut next = None;
        if let InputState::Masked(masking) = &mut self.input {
            let mut release = Vec::new();
            next = masking.tick(t_ms, &mut release);
            self.stage_released(release);
        }
        if self.stall.take_shown() {
            self.stage_text(Code::Marker, t_ms, stall::TEXT);
        }
        self.flush()?;
        if self.segments.is_damaged() {
            self.segments.abandon("a sync failed")?;
        }
        if self.segments.is_due(t_ms) {
            self.segments.cut()?;
            self.inbox.shrink();
        }
        let due = self.segments.due_ms();
        // Looks are made while something happens; an idle session sleeps until its segment is due.
        Ok(next.into_iter().chain(due).min())
    }

    fn look(&mut self, t_ms: u64) -> Result<(), Blocked> {
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
            self.stage_gap(t_ms, &gap);
        }
        let (measured, warning) = self.quota.look();
        for text in warning.into_iter().chain(self.lagging.look()) {
            self.stage_notice(t_ms, &text);
            self.flush()?;
            self.replies.push_back(Reply::Notice(text));
        }
        if measured && !self.quota.is_over() {
            self.stage_dropped(t_ms);
        }
        Ok(())
    }

    /// The gaps of what was not recorded, if there are any.
    fn stage_dropped(&mut self, t_ms: u64) {
        for (dropped, note) in [(self.dropped.take(), None), (self.unshown.take(), Some(UNSHOWN))] {
            let Some((from, bytes)) = dropped else { continue };
            self.stage_dropped_gap(from, t_ms, bytes, note);
        }
    }

    fn stage_dropped_gap(&mut self, from: u64, t_ms: u64, bytes: u64, note: Option<&str>) {
        let mut gap = Gap::new(GapWhat::Output, GapWhy::Dropped);
        gap.bytes = Some(bytes);
        gap.from_ms = Some(from);
        gap.to_ms = Some(t_ms);
        gap.note = note.map(str::to_owned);
        self.stage_gap(t_ms, &gap);
    }

    /// Writes the last lines and closes the last segment, from the reserve where the disk is full.
    pub fn finish(&mut self, t_ms: u64, stop: Stop) -> Result<(), Blocked> {
        self.segments.closer().ending();
        self.quota.ignore();
        self.lagging.ignore();
        if self.hold.is_on() {
            // Never shown, and what is left of the reserve is for the end.
            self.drop_inbox(t_ms);
        }
        let result = self.end(t_ms, &stop);
        let Err(Blocked::Full(_) | Blocked::Refused(_)) = result else { return result };
        self.drop_inbox(t_ms);
        release_reserve(self.segments.dir());
        // What was staged before is continued, the rest is written now.
        self.end(t_ms, &stop)
    }

    /// What waits is neither shown nor recorded; the recording says so.
    fn drop_inbox(&mut self, t_ms: u64) {
        if let Some((bytes, since_us)) = self.inbox.output() {
            self.unshown = Some(((since_us / 1_000).min(t_ms), bytes));
        }
        self.inbox.clear();
    }

    fn end(&mut self, t_ms: u64, stop: &Stop) -> Result<(), Blocked> {
        self.flush()?;
        while !self.inbox.is_empty() {
            self.stage_inbox()?;
            self.flush()?;
        }
        if let Some(text) = self.hold.take_owed() {
            self.stage_notice(t_ms, &text);
        }
        self.stage_last_lines(t_ms, stop);
        self.flush()?;
        self.segments.end(stop.clone())
    }

    /// Once.
    fn stage_last_lines(&mut self, t_ms: u64, stop: &Stop) {
        if std::mem::replace(&mut self.has_last_lines, true) {
            return;
        }
        if let InputState::Masked(masking) = &mut self.input {
            let mut release = Vec::new();
            masking.finish(&mut release);
            self.stage_released(release);
        }
        self.stage_dropped(t_ms);
        for pipe in [Pipe::Output, Pipe::Error, Pipe::Input] {
            // Its tee was killed before it could say what it came to.
            let (index, _, what) = of_pipe(pipe);
            if let Some(over) = self.over[index].take() {
                self.stage_gap(t_ms, &over_limit(what, over.from_ms, t_ms, Err(over.total)));
            }
        }
        self.stage_text(Code::Exit, t_ms, &stop.status.to_string());
    }
}

/// Raw bytes of a message.
pub(super) fn length(message: &Message<'_>) -> usize {
    match message {
        Message::Output { bytes, .. } | Message::Input { bytes, .. } => bytes.len(),
        Message::Rest { rest, .. } => rest.tail.len(),
        Message::InputEnd | Message::Resize { .. } | Message::Passing { .. } => 0,
    }
}
