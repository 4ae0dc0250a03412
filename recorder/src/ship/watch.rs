//! Looks at the shippers from beside, because one that hangs in a request says nothing: how late each place is, since
//! when it fails, and what events that makes.
//!
//! Not for delivery, nor for what lag means to the session (`capture::lagging`).

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use hansard_schemas::event::{self, Delivery, What, Who};
use hansard_schemas::{ChainId, Timestamp};

use super::deliver::sink_id;
use super::{Shared, locked};
use crate::capture::clock::ms;
use crate::journal::lag::Lag;
use crate::journal::outbox;
use crate::journal::session_dir::SessionDir;

/// How often it looks while something is late or fails.
const STEP: Duration = Duration::from_millis(250);

/// How long a place has to fail, without one success, before that is an event: shorter failures are a network's life.
const FAILING: Duration = Duration::from_secs(10);

/// How a place does, kept by the shipper's thread that serves it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Health {
    /// Since when something waits that it lacks.
    pub(super) waiting: Option<Instant>,
    /// Since when no round succeeded.
    pub(super) failing: Option<Instant>,
}

/// What was said of a place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Said {
    behind: bool,
    failing: bool,
}

/// What is to be said of it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Say {
    Behind,
    Failing,
    Recovered,
}

impl Said {
    /// What has changed, said once.
    fn news(&mut self, health: Health, now: Instant, behind: Duration) -> Vec<Say> {
        let longer_than = |since: Option<Instant>, limit| since.is_some_and(|s| now.duration_since(s) >= limit);
        let (is_behind, fails) = (longer_than(health.waiting, behind), longer_than(health.failing, FAILING));
        let mut news = Vec::new();
        if is_behind && !self.behind {
            news.push(Say::Behind);
        }
        if fails && !self.failing {
            news.push(Say::Failing);
        }
        if self.failing && health.failing.is_none() {
            news.push(Say::Recovered);
        }
        self.behind = is_behind;
        self.failing = health.failing.is_some() && (self.failing || fails);
        news
    }
}

/// The watch of one session.
pub(super) struct Watch {
    pub(super) shared: Shared,
    pub(super) dir: Arc<SessionDir>,
    pub(super) chain: ChainId,
    pub(super) who: Who,
    pub(super) behind: Duration,
    /// Shown address and place of each target.
    pub(super) targets: Vec<(String, String)>,
    /// The targets whose lag counts: required places of recordings, which come first.
    pub(super) counted: Vec<usize>,
    pub(super) lag: Arc<Lag>,
}

impl Watch {
    pub(super) fn run(self) {
        let mut said = vec![Said::default(); self.targets.len()];
        loop {
            let Some((health, troubles)) = self.look(&said) else { return };
            let now = Instant::now();
            let waited = |since: Option<Instant>| since.map_or(Duration::ZERO, |since| now.duration_since(since));
            let worst = self.counted.iter().map(|place| (waited(health[*place].waiting), *place)).max();
            let (lag, place) = worst.unwrap_or_default();
            self.lag.set(place, ms(lag));
            let mut news = false;
            for (place, said) in said.iter_mut().enumerate() {
                for say in said.news(health[place], now, self.behind) {
                    // One that cannot be written is not tried again: it is news, and no evidence.
                    news |= self.tell(place, say, ms(waited(health[place].waiting)), troubles[place].clone()).is_ok();
                }
            }
            if news {
                let mut state = locked(&self.shared);
                state.wake(now);
                drop(state);
                self.shared.1.notify_all();
            }
        }
    }

    /// The state, once there is something to look at: a moment later while there is, else when something changes.
    /// Nothing when the session has ended.
    fn look(&self, said: &[Said]) -> Option<(Vec<Health>, Vec<Option<String>>)> {
        let mut state = locked(&self.shared);
        let busy = |state: &super::State| {
            state.health.iter().any(|h| h.waiting.is_some() || h.failing.is_some())
                || said.iter().any(|said| *said != Said::default())
                || self.lag.get().0 != 0
        };
        if busy(&state) {
            let waited = self.shared.1.wait_timeout_while(state, STEP, |s| !s.stopping);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        } else {
            let waited = self.shared.1.wait_while(state, |s| !s.stopping && !busy(s));
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        let troubles = state.status.iter().map(|status| status.trouble.clone()).collect();
        (!state.stopping).then(|| (state.health.clone(), troubles))
    }

    fn tell(&self, place: usize, say: Say, lag_ms: u64, why: Option<String>) -> std::io::Result<()> {
        let (address, key) = &self.targets[place];
        let delivery = Delivery { who: self.who.clone(), sink: address.clone(), lag_ms, why };
        let what = match say {
            Say::Behind => What::Behind(delivery),
            Say::Failing => What::Failing(delivery),
            Say::Recovered => What::Recovered(delivery),
        };
        let now = Timestamp::new(chrono::Utc::now());
        outbox::put(&self.dir, &event::of_delivery(&self.chain, now, &self.who, &sink_id(key), what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_said_once() {
        let (mut said, begun, behind) = (Said::default(), Instant::now(), Duration::from_secs(60));
        let after = |seconds| begun + Duration::from_secs(seconds);
        let fails = Health { waiting: Some(begun), failing: Some(begun) };
        assert_eq!(said.news(fails, after(9), behind), []);
        assert_eq!(said.news(fails, after(10), behind), [Say::Failing]);
        assert_eq!(said.news(fails, after(59), behind), []);
        assert_eq!(said.news(fails, after(60), behind), [Say::Behind]);
        assert_eq!(said.news(fails, after(99), behind), []);
        assert_eq!(said.news(Health { waiting: Some(begun), failing: None }, after(100), behind), [Say::Recovered]);
        assert_eq!(said.news(Health::default(), after(101), behind), []);
        assert_eq!(said, Said::default());
        // One that hangs fails in no way that it says, and is late all the same.
        assert_eq!(said.news(Health { waiting: Some(begun), failing: None }, after(200), behind), [Say::Behind]);
    }
}
