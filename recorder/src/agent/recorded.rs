//! One session in the agent: what its tee says goes into the recording, what the recording says goes to the tee.
//!
//! A state machine without a thread: a worker calls it when something has come or its time is there. Not for sealing and
//! the journal (`capture::session`), nor for how it began (`starting`).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hansard_schemas::session::{Stop, StopOutcome};
use hansard_tee::wire::{FromAgent, FromTee, Refused};
use hansard_tee::{Exit, Message, Outcome, Reply};

use super::limits::{Limits, Step};
use super::line::Line;
use super::peer::Peer;
use super::registry::Entry;
use super::tty::Taken;
use super::worker::Return;
use crate::capture::clock::boottime_us;
use crate::capture::session::Session;
use crate::capture::stopping::{stop_of, stop_outcome};

/// A tee that is silent for so long is stalled, in microseconds.
const SILENT_US: u64 = 5_000_000;
/// A time that a tee gives may be ahead of ours by so much: both read one clock.
const AHEAD_US: u64 = 1_000_000;
/// A tee that was told to end the session has so long to do it: it waits up to 7 s for programs that do not want to end.
const OBEYS_US: u64 = 10_000_000;

/// What is to become of a session after a turn.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// It goes on; the next turn is at this time of CLOCK_BOOTTIME, in microseconds, or when something comes.
    On(u64),
    /// The connection is gone, and the tee may come back.
    Lost,
    /// It is over.
    Over,
}

/// What is wrong with a tee that has to be ended by force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is silent.
    Silent,
    /// It was told to end the session, and has not.
    Disobeys,
}

/// How a session begins, or goes on, here.
#[derive(Debug)]
pub struct Starting {
    /// CLOCK_BOOTTIME at its start, in microseconds.
    pub start_us: u64,
    /// Number of the last message that the journal holds.
    pub number: u64,
    /// What its tee shows to come back.
    pub token: Vec<u8>,
    /// How long it may last.
    pub limits: Limits,
    /// The outer terminal, where it was taken.
    pub terminal: Option<Taken>,
    /// Whether what is shown is recorded.
    pub content: bool,
}

/// A session.
pub struct Recorded {
    session: Session,
    /// What everybody may know of it.
    pub entry: Arc<Entry>,
    /// The tee's process.
    pub peer: Peer,
    line: Option<Line>,
    token: Vec<u8>,
    start_us: u64,
    /// Number and time of the last message.
    number: u64,
    time_us: u64,
    accepted: u64,
    limits: Limits,
    terminal: Option<Taken>,
    content: bool,
    heard_us: u64,
    sleeps: bool,
    /// Since when the tee is away.
    pub lost_us: Option<u64>,
    /// The tee is to be ended by force, and was not yet.
    pub fault: Option<Fault>,
    /// How the tee was told to end the session, and since when it has to.
    ordered: Option<(Outcome, u64)>,
    over: bool,
    /// Its last segment is on its way.
    pub closed: bool,
}

/// Now, in microseconds of CLOCK_BOOTTIME.
pub fn now_us() -> u64 {
    u64::try_from(boottime_us()).unwrap_or(0)
}

impl Recorded {
    /// A session whose tee is connected.
    pub fn new(session: Session, entry: Arc<Entry>, peer: Peer, line: Line, start: Starting) -> Self {
        let Starting { start_us, number, token, limits, terminal, content } = start;
        let now_us = now_us();
        Self {
            session,
            entry,
            peer,
            line: Some(line),
            token,
            start_us,
            number,
            time_us: now_us.saturating_sub(start_us),
            accepted: number,
            limits,
            terminal,
            content,
            heard_us: now_us,
            sleeps: false,
            lost_us: None,
            fault: None,
            ordered: None,
            over: false,
            closed: false,
        }
    }

    /// The socket, while there is one.
    pub fn line(&self) -> Option<&Line> {
        self.line.as_ref()
    }

    /// The tee is back, if that is who it is, and is told up to which message they are recorded.
    pub fn comes_back(&mut self, back: Return) -> Turn {
        let Return { socket, input, peer, token, shown } = back;
        let mut line = Line::new(socket, input);
        if token != self.token || peer.pid != self.peer.pid && self.peer.lives() && self.line.is_some() {
            line.say(&FromAgent::Refused(Refused { denied: true, text: b"this is not the session's own".to_vec() }));
            let _ = line.flush();
            return self.turn(false);
        }
        line.say(&FromAgent::Resumed(self.accepted));
        (self.line, self.peer, self.lost_us, self.sleeps) = (Some(line), peer, None, false);
        self.heard_us = now_us();
        self.entry.lost.store(false, Ordering::Relaxed);
        if let (Some((outcome, _)), Some(line)) = (self.ordered, &mut self.line) {
            // It was said while the tee was away, or lost with the connection.
            line.say(&FromAgent::Terminate(outcome));
        }
        if let Some(text) = shown {
            self.session.shown_meanwhile(self.elapsed_us(), &String::from_utf8_lossy(&text));
        }
        self.turn(true)
    }

    /// Time of the session.
    fn elapsed_us(&self) -> u64 {
        now_us().saturating_sub(self.start_us).max(self.time_us)
    }

    /// Does what there is to do; `came` where the socket has something.
    pub fn turn(&mut self, came: bool) -> Turn {
        let mut lost = false;
        // Nobody is found silent before all that he had said by then is heard: this thread may be held up itself, by a disk.
        let begun_us = now_us();
        let came = came || begun_us > self.silent_us() || self.disobeys(begun_us);
        if came && let Some(mut line) = self.line.take() {
            lost = !self.hear(&mut line);
            line.rest();
            self.line = Some(line);
        }
        let elapsed_us = self.elapsed_us();
        let mut next_us = u64::MAX;
        if !self.over {
            if let Some(at_us) = self.session.tick(elapsed_us) {
                next_us = next_us.min(self.start_us + at_us);
            }
            next_us = next_us.min(self.watch(elapsed_us, begun_us));
        }
        self.answer();
        if self.over
            && let Some(line) = &mut self.line
        {
            line.say(&FromAgent::Ended);
        }
        let flushed = self.line.as_mut().map_or(Ok(false), Line::flush);
        if self.over {
            return Turn::Over;
        }
        match flushed {
            Err(_) => self.lose(),
            Ok(_) if lost => self.lose(),
            Ok(_) => Turn::On(next_us),
        }
    }

    /// Whether something waits for the socket to take more.
    pub fn is_full(&mut self) -> bool {
        self.line.as_mut().is_some_and(|line| line.flush().unwrap_or(false))
    }

    fn lose(&mut self) -> Turn {
        self.line = None;
        self.lost_us = Some(now_us());
        self.entry.lost.store(true, Ordering::Relaxed);
        Turn::Lost
    }

    /// Takes what the tee says; false where it is gone, or says what no tee does.
    fn hear(&mut self, line: &mut Line) -> bool {
        let mut open = line.read().is_ok();
        while !self.over {
            match line.frame() {
                Ok(Some((kind, body))) => match FromTee::read(kind, body) {
                    Ok(frame) => open &= self.take(frame),
                    Err(_) => return false,
                },
                Ok(None) => break,
                Err(_) => return false,
            }
        }
        open
    }

    fn take(&mut self, frame: FromTee<'_>) -> bool {
        self.heard_us = now_us();
        self.sleeps = false;
        match frame {
            FromTee::Message(number, time_us, message) => return self.message(number, time_us, message),
            FromTee::Last(_) => self.session.last(),
            FromTee::Exit(time_us, exit) => self.exit(time_us, &exit),
            FromTee::Alive => {}
            FromTee::Sleeps => self.sleeps = true,
            FromTee::Hello(_) | FromTee::Resume(_) | FromTee::Control(_) => return false,
        }
        true
    }

    fn message(&mut self, number: u64, time_us: u64, message: Message<'_>) -> bool {
        // What was submitted before the connection broke is here already.
        if number <= self.number {
            return true;
        }
        if number != self.number + 1 {
            return false;
        }
        self.number = number;
        self.time_us = self.time_us.max(time_us.min(now_us().saturating_sub(self.start_us) + AHEAD_US));
        let length = match message {
            Message::Output { bytes, .. } | Message::Input { bytes, .. } => bytes.len() as u64,
            Message::InputEnd | Message::Resize { .. } | Message::Passing { .. } => 0,
            Message::Rest { rest, .. } => rest.tail.len() as u64,
        };
        self.limits.happens(self.time_us, &message);
        if !self.content {
            // It passes, and leaves no trace.
            self.session.replies().push_back(Reply::Accepted(number));
            return true;
        }
        self.entry.bytes.fetch_add(length, Ordering::Relaxed);
        self.session.submit(number, self.time_us, message);
        true
    }

    /// The session has ended as its tee says, or as it was made to.
    fn exit(&mut self, time_us: u64, exit: &Exit) {
        let ordered = self.ordered.map(|(outcome, _)| outcome);
        let exit = Exit { outcome: ordered.unwrap_or(exit.outcome), ..exit.clone() };
        let stop = stop_of(&exit);
        self.time_us = self.time_us.max(time_us.min(now_us().saturating_sub(self.start_us) + AHEAD_US));
        self.finish(stop);
    }

    /// Ends the recording: without its tee, where that is gone.
    pub fn end_without_tee(&mut self) {
        let outcome = self.ordered.map_or(StopOutcome::RecorderFailed, |(outcome, _)| stop_outcome(outcome));
        self.time_us = self.elapsed_us();
        self.finish(Stop { outcome, status: 137, signal: Some(9), left_behind: Vec::new() });
    }

    fn finish(&mut self, stop: Stop) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        // What could not be closed is closed as recovered; the tee need not wait for that.
        self.closed = self.session.finish(self.time_us / 1_000, stop).is_ok();
        self.terminal = None;
    }

    /// Puts a marker into the recording.
    pub fn mark(&mut self, text: &str) {
        self.session.mark(self.elapsed_us(), text);
    }

    /// An operator ends it.
    pub fn terminate(&mut self, text: &str) {
        self.order(Outcome::Terminated, text);
    }

    /// Puts a text on the terminal and into the recording.
    fn say(&mut self, text: &str) {
        self.session.say(self.elapsed_us(), &format!("\r\nhansard: {text}\r\n"));
    }

    /// The tee is to end the session; the first word counts.
    fn order(&mut self, outcome: Outcome, text: &str) {
        if self.ordered.is_some() {
            return;
        }
        self.ordered = Some((outcome, now_us()));
        self.say(text);
        self.answer();
        if let Some(line) = &mut self.line {
            line.say(&FromAgent::Terminate(outcome));
        }
    }

    /// Looks at the limits, and at what the tee should have done by `until_us`; gives the time of the next look, of
    /// CLOCK_BOOTTIME.
    fn watch(&mut self, elapsed_us: u64, until_us: u64) -> u64 {
        match self.limits.step(elapsed_us) {
            Step::Nothing => {}
            Step::Warn(text) => self.say(&text),
            Step::End(outcome, text) => self.order(outcome, &text),
        }
        let silent_us = self.silent_us();
        if self.disobeys(until_us) {
            self.fault = Some(Fault::Disobeys);
            self.session.mark(elapsed_us, "the tee has not ended the session: ended by force");
        } else if until_us > silent_us {
            self.fault = Some(Fault::Silent);
            self.session.mark(elapsed_us, "the tee is silent: stalled, and hung up");
        }
        let limit_us = self.limits.next_us().map_or(u64::MAX, |at_us| self.start_us + at_us);
        limit_us.min(silent_us.saturating_add(1)).min(self.obeys_until_us().saturating_add(1))
    }

    /// When a tee that says nothing any more is stalled.
    fn silent_us(&self) -> u64 {
        if self.line.is_some() && !self.sleeps { self.heard_us.saturating_add(SILENT_US) } else { u64::MAX }
    }

    /// When patience with a tee that was told to end the session ends.
    pub fn obeys_until_us(&self) -> u64 {
        self.ordered.map_or(u64::MAX, |(_, since_us)| since_us.saturating_add(OBEYS_US))
    }

    /// Whether it has ended.
    pub fn disobeys(&self, now_us: u64) -> bool {
        now_us > self.obeys_until_us()
    }

    /// Passes on what the recording says.
    fn answer(&mut self) {
        let Some(line) = &mut self.line else {
            // Accepted all the same: the tee hears of it when it is back.
            for reply in self.session.replies().drain(..) {
                if let Reply::Accepted(number) = reply {
                    self.accepted = self.accepted.max(number);
                }
            }
            return;
        };
        for reply in self.session.replies().drain(..) {
            match &reply {
                Reply::Accepted(number) => {
                    self.accepted = self.accepted.max(*number);
                    line.say(&FromAgent::Accepted(*number));
                }
                Reply::Notice(text) => line.say(&FromAgent::Notice(text.as_bytes())),
                Reply::Terminate(outcome) => line.say(&FromAgent::Terminate(*outcome)),
                Reply::LetGo => line.say(&FromAgent::LetGo),
                Reply::Failed(text) => line.say(&FromAgent::Failed(text.as_bytes())),
            }
        }
    }

    /// The agent stops, and another will take the session up: everything stays as it is.
    pub fn leave(mut self) {
        if let Some(terminal) = self.terminal.take() {
            terminal.forget();
        }
    }
}
