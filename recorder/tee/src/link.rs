//! The recorder as the relays see it: time that does not go back, refusals that are tried again, notices, ticks.

use std::collections::VecDeque;

use crate::clock::Clock;
use crate::error::TeeError;
use crate::message::{Message, Outcome, Recorder, RecorderError};

/// After a refusal the next try comes after 10 ms, then after twice the last wait, up to 200 ms: a person sees no
/// difference, and a full disk is not polled at full speed.
const RETRY_US: (u64, u64) = (10_000, 200_000);

/// The recorder in the hands of a relay.
pub(crate) struct Link<'r> {
    recorder: &'r mut dyn Recorder,
    clock: Clock,
    pub(crate) now_us: u64,
    tick_us: Option<u64>,
    submitted: bool,
    retry: Option<Retry>,
    /// Shown while there was no room, to be submitted first.
    owed: VecDeque<String>,
    /// To be shown, accepted or (in `owed` too) not.
    pub(crate) show: Vec<String>,
    /// Asked of the recorder, not accepted yet.
    waiting: VecDeque<String>,
}

#[derive(Clone, Copy)]
struct Retry {
    at_us: u64,
    wait_us: u64,
}

impl<'r> Link<'r> {
    pub(crate) fn new(recorder: &'r mut dyn Recorder, clock: Clock) -> Self {
        Self {
            recorder,
            clock,
            now_us: clock.now_us(),
            tick_us: Some(0),
            submitted: false,
            retry: None,
            owed: VecDeque::new(),
            show: Vec::new(),
            waiting: VecDeque::new(),
        }
    }

    /// A round of the relay begins.
    pub(crate) fn look_at_clock(&mut self) {
        self.now_us = self.now_us.max(self.clock.now_us());
    }

    /// Offers a message; `false` is "not now", and the caller keeps it.
    pub(crate) fn offer(&mut self, message: Message<'_>) -> Result<bool, TeeError> {
        if !self.settle()? {
            return Ok(false);
        }
        self.submit(message)
    }

    /// Submits the texts that were shown while there was no room; `false` while there still is none.
    fn settle(&mut self) -> Result<bool, TeeError> {
        if self.retry.is_some_and(|retry| self.now_us < retry.at_us) {
            return Ok(false);
        }
        while let Some(text) = self.owed.pop_front() {
            if !self.submit(Message::Notice { text: &text })? {
                self.owed.push_front(text);
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn submit(&mut self, message: Message<'_>) -> Result<bool, TeeError> {
        match self.recorder.submit(self.now_us, message) {
            Ok(()) => {
                self.retry = None;
                self.submitted = true;
                Ok(true)
            }
            Err(error) => self.refused(error).map(|()| false),
        }
    }

    fn refused(&mut self, error: RecorderError) -> Result<(), TeeError> {
        match error {
            RecorderError::Fatal(text) => Err(TeeError::Recorder(text)),
            RecorderError::Full { notice } => {
                let wait_us = self.retry.map_or(RETRY_US.0, |retry| (retry.wait_us * 2).min(RETRY_US.1));
                self.retry = Some(Retry { at_us: self.now_us + wait_us, wait_us });
                if let Some(text) = notice {
                    self.owed.push_back(text.clone());
                    self.show.push(text);
                }
                Ok(())
            }
        }
    }

    /// Lets the recorder do what time brings. To be called last in a round, after all was shown.
    pub(crate) fn tick(&mut self) -> Result<Option<Outcome>, TeeError> {
        if !self.submitted && self.tick_us.is_none_or(|at| self.now_us < at) {
            self.offer_notices()?;
            return Ok(None);
        }
        self.submitted = false;
        match self.recorder.tick(self.now_us) {
            Ok(next) => self.tick_us = next,
            Err(error) => {
                self.refused(error)?;
                self.tick_us = Some(self.now_us + RETRY_US.1);
            }
        }
        while let Some(text) = self.recorder.notice() {
            self.waiting.push_back(text);
        }
        self.offer_notices()?;
        Ok(self.recorder.must_end())
    }

    /// Offers the recorder's own texts, and what was shown while there was no room.
    fn offer_notices(&mut self) -> Result<(), TeeError> {
        while let Some(text) = self.waiting.pop_front() {
            if !self.offer(Message::Notice { text: &text })? {
                self.waiting.push_front(text);
                return Ok(());
            }
            self.show.push(text);
        }
        self.settle().map(|_| ())
    }

    /// Whether every text that was shown is accepted.
    pub(crate) fn is_settled(&self) -> bool {
        self.owed.is_empty()
    }

    /// The time at which the next round must come, whatever else happens.
    pub(crate) fn wake_us(&mut self) -> Option<u64> {
        if self.retry.is_some_and(|retry| retry.at_us <= self.now_us) {
            // What was refused is no longer there to be offered, or is about to be.
            self.retry = None;
        }
        let texts = (!self.owed.is_empty() || !self.waiting.is_empty()).then_some(self.now_us + RETRY_US.0);
        earliest(earliest(self.retry.map(|retry| retry.at_us), texts), self.tick_us)
    }
}

/// The earlier of two times, if there is any.
pub(crate) fn earliest(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
