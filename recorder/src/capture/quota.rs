//! The spool's quota: how full it is, what that means for output, when the user is warned.
//!
//! Not for a full disk, which says so itself.

use super::segments::Blocked;
use crate::config::Full;
use crate::journal::spool::Spool;

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

/// What becomes of output.
#[derive(Debug)]
pub(super) enum Room {
    /// It is recorded.
    Yes,
    /// It is shown all the same.
    Drop,
    /// It waits.
    No(Blocked),
}

/// The quota as it was measured last.
pub(super) struct Measured {
    quota: Quota,
    at_ms: u64,
    over: bool,
    ignored: bool,
    warned: bool,
}

impl Measured {
    pub(super) fn new(quota: Quota) -> Self {
        Self { quota, at_ms: 0, over: false, ignored: false, warned: false }
    }

    pub(super) fn room(&self) -> Room {
        match self.quota.full {
            _ if !self.over => Room::Yes,
            Full::RefuseNew => Room::Yes,
            Full::DropWithGap => Room::Drop,
            Full::Block => {
                let text = format!("the spool {} is over its quota", self.quota.spool.root().display());
                Room::No(Blocked::Full(text))
            }
        }
    }

    /// From now on there is room: the session ends, and what it still has to say is bounded.
    pub(super) fn ignore(&mut self) {
        (self.over, self.ignored) = (false, true);
    }

    /// Measures, if it is time; whether it did, and a warning for the user.
    pub(super) fn look(&mut self, now_ms: u64) -> (bool, Option<String>) {
        if now_ms < self.at_ms + MEASURE_MS {
            return (false, None);
        }
        self.at_ms = now_ms;
        let used = self.quota.spool.used();
        self.over = used >= self.quota.bytes && !self.ignored;
        if self.warned || used / 4 < self.quota.bytes / 5 {
            return (true, None);
        }
        self.warned = true;
        let percent = used.saturating_mul(100) / self.quota.bytes.max(1);
        let root = self.quota.spool.root().display();
        (true, Some(format!("\r\nhansard-record: warning: the spool {root} is at {percent} % of its quota\r\n")))
    }

    pub(super) fn is_over(&self) -> bool {
        self.over
    }
}
