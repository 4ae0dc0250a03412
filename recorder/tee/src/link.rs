//! The recorder as the relays see it: time that does not go back, messages on their way, what of them was accepted.
//!
//! Not for the bytes: each stream keeps its own until they may go on (`passage`, `typed`, `feed`).

use std::collections::VecDeque;
use std::os::fd::BorrowedFd;

use crate::clock::Clock;
use crate::error::TeeError;
use crate::message::{Message, Outcome, Recorder, Reply, Stream};
use crate::stand_in::StandIn;

/// More messages than this are not on their way at once: what is read meanwhile gathers instead.
const MESSAGES: usize = 500;

/// While an end is waited for, the recorder is not served more often than this.
const STAYS_US: u64 = 1_000;

/// What goes on now, in the order in which it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Passed {
    /// So many bytes of an output stream may be shown.
    Output(Stream, usize),
    /// The next input that was submitted may be given to the child.
    Input,
    /// The end of input may be given to the child.
    InputEnd,
    /// The size is recorded.
    Resize,
    /// It is recorded, and nothing waits for that.
    Fact,
    /// The recorder's own text is to be shown.
    Notice(String),
}

/// The recorder in the hands of a relay.
pub(crate) struct Link<'r> {
    recorder: &'r mut dyn Recorder,
    clock: Clock,
    pub(crate) now_us: u64,
    tick_us: Option<u64>,
    /// Something was submitted, or there was news, since the last tick.
    stirred: bool,
    /// Number of the last message.
    number: u64,
    /// Messages up to this number are accepted.
    accepted: u64,
    /// Numbers that are not accepted yet, or whose bytes have not been let go on.
    waiting: VecDeque<(u64, Passed)>,
    /// Texts to show, each after the messages up to its number.
    texts: VecDeque<(u64, String)>,
    ends: Option<Outcome>,
    told_last: bool,
    lets_go: bool,
    pub(crate) stand_in: StandIn,
}

impl<'r> Link<'r> {
    pub(crate) fn new(recorder: &'r mut dyn Recorder, clock: Clock) -> Self {
        Self {
            recorder,
            clock,
            now_us: clock.now_us(),
            tick_us: Some(0),
            stirred: false,
            number: 0,
            accepted: 0,
            waiting: VecDeque::new(),
            texts: VecDeque::new(),
            ends: None,
            told_last: false,
            lets_go: false,
            stand_in: StandIn::default(),
        }
    }

    /// A round of the relay begins.
    pub(crate) fn look_at_clock(&mut self) {
        self.now_us = self.now_us.max(self.clock.now_us());
    }

    /// Whether one more message may be on its way.
    pub(crate) fn has_room(&self) -> bool {
        self.waiting.len() < MESSAGES
    }

    /// Whether everything submitted has gone on.
    pub(crate) fn is_settled(&self) -> bool {
        self.waiting.is_empty() && self.texts.is_empty()
    }

    /// Gives the recorder a message; [`Link::passed`] tells when it was accepted.
    pub(crate) fn submit(&mut self, message: Message<'_>) {
        let passes = match message {
            Message::Output { stream, bytes } => Passed::Output(stream, bytes.len()),
            Message::Input { .. } => Passed::Input,
            Message::InputEnd => Passed::InputEnd,
            Message::Resize { .. } => Passed::Resize,
            Message::Passing { .. } | Message::Rest { .. } => Passed::Fact,
        };
        self.number += 1;
        self.stirred = true;
        self.waiting.push_back((self.number, passes));
        self.stand_in.away();
        self.recorder.submit(self.number, self.now_us, message);
        self.stand_in.back();
    }

    /// Lets the recorder have what serves the user while it cannot.
    pub(crate) fn lend(&mut self) {
        self.recorder.lend(self.stand_in.clone());
    }

    /// Hears what the recorder has to say.
    pub(crate) fn hear(&mut self) -> Result<(), TeeError> {
        while let Some(reply) = self.recorder.reply() {
            match reply {
                Reply::Accepted(number) => self.accepted = self.accepted.max(number),
                Reply::Notice(text) => self.texts.push_back((self.accepted, text)),
                Reply::Terminate(outcome) => self.ends = self.ends.or(Some(outcome)),
                Reply::LetGo => self.lets_go = true,
                Reply::Failed(text) => return Err(TeeError::Recorder(text)),
            }
        }
        // What was heard can be that nobody is there: the time that the last tick gave does not count then.
        self.tick_us = earliest(self.tick_us, self.recorder.due_us());
        Ok(())
    }

    /// The child has ended.
    pub(crate) fn last(&mut self) {
        if !std::mem::replace(&mut self.told_last, true) {
            self.stirred = true;
            self.stand_in.away();
            self.recorder.last(self.now_us);
            self.stand_in.back();
        }
    }

    /// We are about to stop, and do not know until when.
    pub(crate) fn sleeps(&mut self) {
        self.stirred = true;
        self.recorder.sleeps();
    }

    /// Whether the session may end although something waits.
    pub(crate) fn lets_go(&self) -> bool {
        self.lets_go
    }

    /// The next thing that goes on, of what was heard.
    pub(crate) fn passed(&mut self) -> Option<Passed> {
        let next = self.waiting.front().filter(|(number, _)| *number <= self.accepted).map(|(number, _)| *number);
        let text_first = self.texts.front().is_some_and(|(after, _)| next.is_none_or(|number| number > *after));
        if text_first {
            return self.texts.pop_front().map(|(_, text)| Passed::Notice(text));
        }
        next.and_then(|_| self.waiting.pop_front()).map(|(_, passes)| passes)
    }

    /// Lets the recorder do what time brings; the session has to end where it says so. To be called last in a round,
    /// after all was shown.
    pub(crate) fn tick(&mut self) -> Result<Option<Outcome>, TeeError> {
        if self.stirred || self.tick_us.is_some_and(|at| self.now_us >= at) {
            self.stirred = false;
            self.stand_in.away();
            self.tick_us = self.recorder.tick(self.now_us);
            self.stand_in.back();
            self.hear()?;
        }
        Ok(self.ends)
    }

    /// While only an end is waited for: the recorder does what time brings. Gives how long the wait may be until the next
    /// call, at most `left_us`.
    pub(crate) fn stays(&mut self, left_us: u64) -> u64 {
        self.look_at_clock();
        // What it has to say comes too late for anybody.
        let _ = self.tick();
        let next_us = self.wake_us().map_or(left_us, |at| at.saturating_sub(self.now_us));
        next_us.max(STAYS_US).min(left_us)
    }

    /// To be waited for: readable when the recorder has something to say.
    pub(crate) fn news(&mut self) -> Option<BorrowedFd<'_>> {
        self.recorder.news()
    }

    /// It was readable.
    pub(crate) fn has_news(&mut self) {
        self.stirred = true;
    }

    /// The time at which the next round must come, whatever else happens.
    pub(crate) fn wake_us(&self) -> Option<u64> {
        self.tick_us
    }
}

/// The earlier of two times, if there is any.
pub(crate) fn earliest(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
