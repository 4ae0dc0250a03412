//! The session's clock: CLOCK_BOOTTIME, which neither a set wall clock nor suspended time disturbs.

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Microseconds since a start.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start_us: u64,
}

impl Clock {
    /// A clock that begins now.
    pub fn start() -> Self {
        Self { start_us: boottime_us() }
    }

    /// When it began, in microseconds of CLOCK_BOOTTIME: other processes of this boot can go by it.
    pub fn start_us(&self) -> u64 {
        self.start_us
    }

    /// The clock that began then.
    pub fn started_at(start_us: u64) -> Self {
        Self { start_us }
    }

    /// Microseconds since it began.
    pub fn now_us(&self) -> u64 {
        boottime_us().saturating_sub(self.start_us)
    }
}

fn boottime_us() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0) / 1000
}

/// A length of time for poll.
pub(crate) fn timespec(us: u64) -> Timespec {
    // Both fit: an hour's wait is as good as any longer one, and the rest is below a second.
    let us = us.min(3_600_000_000);
    Timespec {
        tv_sec: i64::try_from(us / 1_000_000).unwrap_or(0),
        tv_nsec: i64::try_from(us % 1_000_000 * 1000).unwrap_or(0),
    }
}
