//! What late delivery means for the session: the user is told, and where `ship.max_lag` says so, output waits.
//!
//! Not for how late it is: `journal::lag`.

use std::sync::Arc;
use std::time::Duration;

use super::clock::ms;
use super::quota::Room;
use super::segments::Blocked;
use crate::journal::lag::Lag;

/// The bounds of lag, as the configuration has them.
#[derive(Debug, Clone)]
pub struct LagBounds {
    /// What the shippers say.
    pub lag: Arc<Lag>,
    /// From here on the user is told, once until it is over.
    pub behind: Duration,
    /// From here on output waits.
    pub max: Option<Duration>,
}

/// Watches them for one session.
pub(super) struct Lagging {
    bounds: LagBounds,
    told: bool,
    ignored: bool,
}

impl Lagging {
    pub(super) fn new(bounds: LagBounds) -> Self {
        Self { bounds, told: false, ignored: false }
    }

    /// Whether output is recorded now.
    pub(super) fn room(&self) -> Room {
        let lag = self.bounds.lag.get();
        match self.bounds.max {
            Some(max) if !self.ignored && lag.0 > ms(max) => Room::No(Blocked::Late(late(lag))),
            _ => Room::Yes,
        }
    }

    /// From now on nothing waits for delivery: the session ends.
    pub(super) fn ignore(&mut self) {
        self.ignored = true;
    }

    /// A warning for the user.
    pub(super) fn look(&mut self) -> Option<String> {
        let lag = self.bounds.lag.get();
        if lag.0 <= ms(self.bounds.behind) {
            self.told = false;
            return None;
        }
        if std::mem::replace(&mut self.told, true) {
            return None;
        }
        Some(format!("\r\nhansard-record: warning: {}; the spool keeps what is recorded\r\n", late(lag)))
    }
}

/// What lags, in words.
fn late((lag_ms, place): (u64, &str)) -> String {
    let for_so_long = humantime::format_duration(Duration::from_secs(lag_ms / 1_000));
    format!("nothing has reached {place} for {for_so_long}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_is_told_once_until_it_is_over_and_output_waits_where_it_should() {
        let lag = Arc::new(Lag::new(["s3://bucket/p".into()].into()));
        let bounds = |max| LagBounds { lag: Arc::clone(&lag), behind: Duration::from_secs(60), max };
        let (mut never, mut holds) = (Lagging::new(bounds(None)), Lagging::new(bounds(Some(Duration::from_secs(90)))));
        assert!(never.look().is_none());
        lag.set(0, 61_000);
        let told = never.look().unwrap_or_default();
        assert!(told.contains("s3://bucket/p for 1m 1s"), "{told}");
        assert!(never.look().is_none() && matches!(holds.room(), Room::Yes));
        lag.set(0, 91_000);
        assert!(matches!(never.room(), Room::Yes) && matches!(holds.room(), Room::No(Blocked::Late(_))));
        lag.set(0, 0);
        assert!(never.look().is_none() && matches!(holds.room(), Room::Yes));
        lag.set(0, 91_000);
        assert!(never.look().is_some());
        holds.ignore();
        assert!(matches!(holds.room(), Room::Yes));
    }
}
