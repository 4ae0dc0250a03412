//! The clocks of a session: elapsed time that counts suspension, and steps of the wall clock.
//!
//! Not for sleeping or timers: the relay has those.

use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};

fn us(t: Timespec) -> i64 {
    t.tv_sec.saturating_mul(1_000_000).saturating_add(t.tv_nsec / 1_000)
}

/// Microseconds of `CLOCK_BOOTTIME`.
pub fn boottime_us() -> i64 {
    us(clock_gettime(ClockId::Boottime))
}

/// Wall-clock time in microseconds since 1970.
pub fn wall_us() -> i64 {
    us(clock_gettime(ClockId::Realtime))
}

/// A change that the recording must state.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    /// The wall clock was set; by how many milliseconds.
    Stepped(i64),
    /// The machine was suspended; for how many milliseconds.
    Suspended(i64),
}

/// Watches the clocks against each other (GAP-1).
#[derive(Debug)]
pub struct Watch {
    wall_offset_us: i64,
    suspended_us: i64,
}

/// Smallest change that is stated: well over what NTP slews in a round, well under what confuses a reviewer.
const STEP_US: i64 = 1_000_000;

impl Watch {
    /// From the present relation on.
    pub fn new() -> Self {
        let [wall_offset_us, suspended_us] = relation();
        Self { wall_offset_us, suspended_us }
    }

    /// What has changed since the last look.
    pub fn look(&mut self) -> Option<Change> {
        let [wall, suspended] = relation();
        self.compare(wall, suspended)
    }

    fn compare(&mut self, wall: i64, suspended: i64) -> Option<Change> {
        if (suspended - self.suspended_us).abs() > STEP_US {
            let by = suspended - self.suspended_us;
            self.suspended_us = suspended;
            return Some(Change::Suspended(by / 1_000));
        }
        if (wall - self.wall_offset_us).abs() > STEP_US {
            let by = wall - self.wall_offset_us;
            self.wall_offset_us = wall;
            return Some(Change::Stepped(by / 1_000));
        }
        None
    }
}

impl Default for Watch {
    fn default() -> Self {
        Self::new()
    }
}

fn relation() -> [i64; 2] {
    let boot = boottime_us();
    [wall_us() - boot, boot - us(clock_gettime(ClockId::Monotonic))]
}

/// Whole milliseconds.
pub fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gap_1_a_step_of_more_than_a_second_is_stated_once() {
        let mut w = Watch { wall_offset_us: 0, suspended_us: 0 };
        assert_eq!(w.compare(900_000, 0), None);
        assert_eq!(w.compare(-3_600_000_000, 0), Some(Change::Stepped(-3_600_000)));
        assert_eq!(w.compare(-3_600_000_000, 0), None);
        assert_eq!(w.compare(-3_600_000_000, 5_000_000), Some(Change::Suspended(5_000)));
    }
}
