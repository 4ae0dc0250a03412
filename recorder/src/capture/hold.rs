//! While nothing can be written: when the next try is, and what the user was told.
//!
//! Not for why: `session`.

/// The next try comes after 10 ms, then after twice the last wait, up to 200 ms: a person sees no difference, and a full
/// disk is not polled at full speed.
const RETRY_US: (u64, u64) = (10_000, 200_000);

/// Output is held, or not.
#[derive(Debug, Default)]
pub(super) struct Hold {
    /// When the next try is due, and how long it was waited for.
    retry: Option<(u64, u64)>,
    /// The user has been told.
    told: bool,
    /// What was shown and is not recorded yet.
    owed: Option<String>,
}

impl Hold {
    pub(super) fn is_on(&self) -> bool {
        self.retry.is_some()
    }

    /// Time of the next try, in microseconds.
    pub(super) fn at_us(&self) -> Option<u64> {
        self.retry.map(|(at_us, _)| at_us)
    }

    /// A try has failed.
    pub(super) fn again(&mut self, now_us: u64) {
        let wait_us = self.retry.map_or(RETRY_US.0, |(_, wait_us)| (2 * wait_us).min(RETRY_US.1));
        self.retry = Some((now_us + wait_us, wait_us));
    }

    /// There will be no other.
    pub(super) fn for_good(&mut self) {
        self.retry = Some((u64::MAX, RETRY_US.1));
    }

    /// Whether this text is to be shown; it must be recorded then. Once for each hold.
    pub(super) fn owes(&mut self, text: &str) -> bool {
        let first = !std::mem::replace(&mut self.told, true);
        if first {
            self.owed = Some(text.to_owned());
        }
        first
    }

    /// What is to be recorded now that something can be.
    pub(super) fn take_owed(&mut self) -> Option<String> {
        self.owed.take()
    }

    /// Everything could be written.
    pub(super) fn is_over(&mut self) {
        (self.retry, self.told) = (None, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_become_rarer_and_the_user_is_told_once() {
        let mut hold = Hold::default();
        hold.again(0);
        assert_eq!(hold.at_us(), Some(10_000));
        assert!(hold.owes("held") && !hold.owes("held"));
        hold.again(10_000);
        assert_eq!(hold.at_us(), Some(30_000));
        (0..9).for_each(|_| hold.again(30_000));
        assert_eq!(hold.at_us(), Some(230_000));
        hold.is_over();
        assert!(!hold.is_on());
        assert_eq!(hold.take_owed().as_deref(), Some("held"));
        assert!(hold.owes("held again"));
    }
}
