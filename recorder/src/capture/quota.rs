//! The spool's quota: how full it is, what that means for output, when the user is warned.
//!
//! Not for a full disk, which says so itself.

use std::sync::Arc;
use std::time::Duration;

use super::segments::Blocked;
use crate::config::Full;
use crate::journal::usage::Usage;

/// The spool's bounds, as the configuration has them.
#[derive(Debug, Clone)]
pub struct Quota {
    /// How much the spool holds.
    pub usage: Arc<Usage>,
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
    /// The measurement that was looked at last.
    seen: u64,
    over: bool,
    ignored: bool,
    warned: bool,
}

impl Measured {
    pub(super) fn new(quota: Quota) -> Self {
        Self { seen: quota.usage.last().1, quota, over: false, ignored: false, warned: false }
    }

    /// What would be recorded waits while it is over, whatever is configured.
    pub(super) fn always_block(&mut self) {
        self.quota.full = Full::Block;
    }

    /// Measures now, and not when it is time. Gives back how long that took.
    pub(super) fn measure(&self) -> Duration {
        self.quota.usage.measure_now()
    }

    pub(super) fn room(&self) -> Room {
        match self.quota.full {
            _ if !self.over => Room::Yes,
            Full::RefuseNew => Room::Yes,
            Full::DropWithGap => Room::Drop,
            Full::Block => {
                let text = format!("the spool {} is over its quota", self.quota.usage.spool().root().display());
                Room::No(Blocked::Full(text))
            }
        }
    }

    /// From now on there is room: the session ends, and what it still has to say is bounded.
    pub(super) fn ignore(&mut self) {
        (self.over, self.ignored) = (false, true);
    }

    /// Whether there is a new measurement, and a warning for the user.
    pub(super) fn look(&mut self) -> (bool, Option<String>) {
        let (used, count) = self.quota.usage.last();
        if count == self.seen {
            return (false, None);
        }
        self.seen = count;
        self.over = used >= self.quota.bytes && !self.ignored;
        if self.warned || used / 4 < self.quota.bytes / 5 {
            return (true, None);
        }
        self.warned = true;
        let percent = used.saturating_mul(100) / self.quota.bytes.max(1);
        let root = self.quota.usage.spool().root().display();
        (true, Some(format!("\r\nhansard-record: warning: the spool {root} is at {percent} % of its quota\r\n")))
    }

    pub(super) fn is_over(&self) -> bool {
        self.over
    }
}
