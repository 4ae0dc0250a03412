//! Looks at the places from beside, because one that hangs in a request says nothing: how late each session is, since when
//! a place fails, and what events that makes.
//!
//! One thread for all sessions. An event of lateness is said once for each place, by the session that waits longest: a
//! place that is away for thousands of sessions is one piece of news. Not for delivery, nor for what lag means to a session
//! (`capture::lagging`).

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hansard_schemas::event::{self, Delivery, What};
use hansard_schemas::{SessionId, Timestamp};

use super::Inner;
use super::consignment::Consignment;
use super::deliver::sink_id;
use crate::capture::clock::ms;
use crate::journal::outbox;

/// How often it looks while something is late or fails.
const STEP: Duration = Duration::from_millis(250);

/// How long a place has to fail, without one success, before that is an event: shorter failures are a network's life.
const FAILING: Duration = Duration::from_secs(10);

/// For how long a session that has ended waits here for a place that is away. Afterwards its lock is given back, and it is
/// one of those that are taken along when the place takes again. The one that waits longest stays, and tries the place.
const LEAVE_BEHIND: Duration = Duration::from_secs(120);

/// How a place does.
#[derive(Debug, Clone, Copy, Default)]
struct Health {
    /// Since when something waits that it lacks.
    waiting: Option<Instant>,
    /// Since when no round succeeded.
    failing: Option<Instant>,
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

/// The sessions that are to be looked at.
#[derive(Default)]
pub(super) struct Desk {
    state: Mutex<Watched>,
    changed: Condvar,
}

#[derive(Default)]
struct Watched {
    sessions: BTreeMap<SessionId, Arc<Consignment>>,
    over: bool,
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on this session is looked at, until nothing of it waits.
    pub(super) fn add(&self, consignment: &Arc<Consignment>) {
        let mut state = self.lock();
        let first = state.sessions.is_empty();
        state.sessions.entry(consignment.dir.session()).or_insert_with(|| Arc::clone(consignment));
        drop(state);
        if first {
            self.changed.notify_one();
        }
    }

    pub(super) fn stop(&self) {
        self.lock().over = true;
        self.changed.notify_all();
    }

    /// The sessions to look at, a moment later while there are some or something was said of a place, else when one comes.
    /// `None` when it is over.
    fn wait(&self, quiet: bool) -> Option<Vec<Arc<Consignment>>> {
        let state = self.lock();
        let state = if quiet && state.sessions.is_empty() {
            self.changed.wait_while(state, |s| !s.over && s.sessions.is_empty()).unwrap_or_else(PoisonError::into_inner)
        } else {
            let waited = self.changed.wait_timeout_while(state, STEP, |s| !s.over);
            waited.unwrap_or_else(PoisonError::into_inner).0
        };
        (!state.over).then(|| state.sessions.values().cloned().collect())
    }

    /// It is no longer looked at.
    pub(super) fn remove(&self, session: SessionId) {
        self.lock().sessions.remove(&session);
    }
}

/// Starts the thread.
pub(super) fn start(inner: &Arc<Inner>) -> std::io::Result<()> {
    let inner = Arc::clone(inner);
    std::thread::Builder::new().name("watch".into()).spawn(move || Watch::of(&inner).run()).map(drop)
}

struct Watch<'a> {
    inner: &'a Inner,
    /// By place.
    said: Vec<Said>,
    /// Who said that a place fails: who says that it takes again.
    spoke: Vec<Option<Arc<Consignment>>>,
}

impl<'a> Watch<'a> {
    fn of(inner: &'a Inner) -> Self {
        let count = inner.places.len();
        Self { inner, said: vec![Said::default(); count], spoke: vec![None; count] }
    }

    fn run(mut self) {
        loop {
            let quiet = self.said.iter().all(|said| *said == Said::default());
            let Some(sessions) = self.inner.desk.wait(quiet) else { return };
            let now = Instant::now();
            let mut oldest: Vec<Option<(Instant, &Arc<Consignment>)>> = vec![None; self.inner.places.len()];
            let mut late = Vec::new();
            for consignment in &sessions {
                let look = consignment.look(now, |place, since| {
                    if oldest[place].is_none_or(|(other, _)| since < other) {
                        oldest[place] = Some((since, consignment));
                    }
                });
                if let Some(ended) = look.ended {
                    consignment.release_if_done();
                    if ended > LEAVE_BEHIND && !consignment.is_in_hand() {
                        late.push(consignment);
                    }
                }
                if look.idle {
                    self.forget(consignment);
                }
            }
            for consignment in late {
                if !oldest.iter().flatten().any(|(_, one)| Arc::ptr_eq(one, consignment)) {
                    consignment.leave();
                }
            }
            for (place, oldest) in oldest.into_iter().enumerate() {
                self.look_at(place, oldest, sessions.first(), now);
            }
        }
    }

    /// Nothing of it waits; looked at once more after it has left the desk, because it may have been woken in between.
    fn forget(&self, consignment: &Arc<Consignment>) {
        self.inner.desk.remove(consignment.dir.session());
        if !consignment.look(Instant::now(), |_, _| ()).idle {
            self.inner.desk.add(consignment);
        }
    }

    fn look_at(
        &mut self,
        place: usize,
        oldest: Option<(Instant, &Arc<Consignment>)>,
        any: Option<&Arc<Consignment>>,
        now: Instant,
    ) {
        let failing = self.inner.places[place].failing();
        let (since, why) = failing.map_or((None, None), |(since, why)| (Some(since), Some(why)));
        let health = Health { waiting: oldest.map(|(since, _)| since), failing: since };
        let lag = health.waiting.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        for say in self.said[place].news(health, now, self.inner.behind) {
            let spoke = if say == Say::Recovered { self.spoke[place].take() } else { None };
            let speaker = spoke.or_else(|| oldest.map(|(_, c)| c).or(any).cloned());
            if let Some(speaker) = speaker {
                // One that cannot be written is not tried again: it is news, and no evidence.
                if self.tell(&speaker, place, say, ms(lag), why.clone()).is_ok() {
                    speaker.wake();
                }
                if say == Say::Failing {
                    self.spoke[place] = Some(speaker);
                }
            }
            // Who spoke has let go of its folder: it may be one of those that were left behind.
            if say == Say::Recovered
                && let Some(back) = self.inner.back.get()
            {
                back();
            }
        }
    }

    fn tell(
        &self,
        speaker: &Consignment,
        place: usize,
        say: Say,
        lag_ms: u64,
        why: Option<String>,
    ) -> std::io::Result<()> {
        let place = &self.inner.places[place];
        let Some(who) = speaker.dir.read_about()?.and_then(|about| about.who) else { return Ok(()) };
        let delivery = Delivery { who: who.clone(), sink: place.shown.clone(), lag_ms, why };
        let what = match say {
            Say::Behind => What::Behind(delivery),
            Say::Failing => What::Failing(delivery),
            Say::Recovered => What::Recovered(delivery),
        };
        let now = Timestamp::new(chrono::Utc::now());
        let chain = self.inner.chain.id();
        outbox::put(&speaker.dir, &event::of_delivery(&chain, now, &who, &sink_id(&place.key), what))
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
