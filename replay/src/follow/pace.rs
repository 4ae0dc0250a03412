//! When to look again: at an interval while something comes, less and less often while nothing does.

use std::time::Duration;

use hansard_sinks::Store;

/// Longest wait, unless the interval itself is longer: segments of a session that wakes up are shipped within seconds.
const LONGEST: Duration = Duration::from_secs(10);

/// Wait between two looks at a spool, at most.
const NEAR: Duration = Duration::from_millis(500);

/// The waits of one who polls.
#[derive(Debug, Clone)]
pub struct Pace {
    interval: Duration,
    longest: Duration,
    wait: Duration,
}

impl Pace {
    /// At an interval.
    pub fn new(interval: Duration) -> Self {
        Self { interval, longest: LONGEST.max(interval), wait: interval }
    }

    /// As often as what is read asks for: a spool is on this host, and things are gone from it soon.
    pub fn of(store: &dyn Store, interval: Duration) -> Self {
        let near = interval.min(NEAR);
        if store.is_passage() { Self { interval: near, longest: near, wait: near } } else { Self::new(interval) }
    }

    /// How long to wait after having looked, with or without news.
    pub fn after(&mut self, news: bool) -> Duration {
        if news {
            self.wait = self.interval;
        } else {
            let longer = self.wait.saturating_mul(3) / 2;
            self.wait = longer.min(self.longest);
        }
        self.wait
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{LONGEST, Pace};

    #[test]
    fn waits_grow_while_nothing_comes_and_no_further() {
        let second = Duration::from_secs(1);
        let mut pace = Pace::new(second);
        assert_eq!(pace.after(true), second);
        assert!(pace.after(false) > second);
        let last = (0..20).map(|_| pace.after(false)).last();
        assert_eq!(last, Some(LONGEST));
        assert_eq!(pace.after(true), second);
        let mut slow = Pace::new(LONGEST * 3);
        assert_eq!(slow.after(false), LONGEST * 3);
    }
}
