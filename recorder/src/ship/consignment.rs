//! One session on its way: what each place has of it, who waits for that, and when its folder can go.
//!
//! Not for the queues of the places (`place`), nor for what lateness means (`watch`).

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::announce::release_events;
use super::deliver::{Delivery, release, release_all};
use super::place::own_pause;
use super::{Inner, Status};
use crate::capture::clock::ms;
use crate::journal::lag::Lag;
use crate::journal::session_dir::SessionDir;

/// The places of one session: all of the process, where nothing else is said.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Addresses of the places for recordings that it goes to, as the configuration has them; `None` is all.
    pub only: Option<Vec<String>>,
    /// Addresses of places that are required for it, whatever the configuration says of them.
    pub required: Vec<String>,
}

/// Where a session is with a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hand {
    /// Nothing is to be done.
    Nobody,
    /// It waits in the queue of the place.
    Queue,
    /// A thread delivers it.
    Thread,
}

/// What a place has of a session.
#[derive(Debug)]
struct Lot {
    required: bool,
    hand: Hand,
    /// The last round that succeeded.
    done: u64,
    /// Since when something waits that it lacks.
    waiting: Option<Instant>,
    /// When it last failed, without a success since, and the pause then.
    failed: Option<(Instant, Duration)>,
    /// What the place said last.
    trouble: Option<String>,
}

#[derive(Debug)]
struct State {
    /// Counts wake-ups, so that none is missed.
    rounds: u64,
    /// By place; `None` for those that it does not go to.
    lots: Box<[Option<Lot>]>,
    /// The last segment is closed, and the end is written.
    ended: Option<Instant>,
    /// Nobody delivers it any more.
    gone: bool,
}

/// One session's delivery.
pub struct Consignment {
    inner: Arc<Inner>,
    pub(super) dir: Arc<SessionDir>,
    required: Arc<[String]>,
    events: Arc<[String]>,
    lag: Arc<Lag>,
    state: Mutex<State>,
    changed: Condvar,
    /// Held while the folder is removed; whether it is.
    released: Mutex<bool>,
}

impl std::fmt::Debug for Consignment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consignment").field("session", &self.dir.session()).finish_non_exhaustive()
    }
}

/// What the watch sees of a session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// It need not be looked at again until it is woken.
    pub(super) idle: bool,
    /// It has ended, for so long.
    pub(super) ended: Option<Duration>,
}

impl Consignment {
    pub(super) fn new(inner: &Arc<Inner>, dir: Arc<SessionDir>, choice: &Choice) -> Arc<Self> {
        let is_chosen = |address: &String| choice.only.as_ref().is_none_or(|only| only.contains(address));
        let lots: Box<[Option<Lot>]> = inner
            .places
            .iter()
            .map(|place| {
                let chosen = !place.takes_recordings() || is_chosen(&place.address);
                chosen.then(|| Lot {
                    required: place.required || choice.required.contains(&place.address),
                    hand: Hand::Nobody,
                    done: 0,
                    waiting: None,
                    failed: None,
                    trouble: None,
                })
            })
            .collect();
        let keys = |recordings: bool| -> Arc<[String]> {
            let all = inner.places.iter().zip(&lots).filter(|(place, lot)| {
                place.takes_recordings() == recordings && lot.as_ref().is_some_and(|lot| lot.required)
            });
            all.map(|(place, _)| place.key.clone()).collect()
        };
        let (required, events) = (keys(true), keys(false));
        Arc::new(Self {
            inner: Arc::clone(inner),
            dir,
            required,
            events,
            lag: Arc::new(Lag::new(Arc::clone(&inner.shown))),
            state: Mutex::new(State { rounds: 0, lots, ended: None, gone: false }),
            changed: Condvar::new(),
            released: Mutex::new(false),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is a few assignments that cannot panic between them.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How late delivery to the required places is.
    pub fn lag(&self) -> Arc<Lag> {
        Arc::clone(&self.lag)
    }

    /// Something new waits for every place.
    pub fn wake(self: &Arc<Self>) {
        let now = Instant::now();
        let mut queues = Vec::new();
        let mut state = self.lock();
        if state.gone {
            return;
        }
        state.rounds += 1;
        for (index, lot) in state.lots.iter_mut().enumerate() {
            let Some(lot) = lot else { continue };
            lot.waiting.get_or_insert(now);
            if lot.hand == Hand::Nobody {
                lot.hand = Hand::Queue;
                queues.push(index);
            }
        }
        drop(state);
        for index in queues {
            self.inner.places[index].push(self, index);
        }
        self.inner.desk.add(self);
    }

    /// The session has ended: once all of it has arrived, its folder goes.
    pub fn end(self: &Arc<Self>) {
        self.lock().ended.get_or_insert_with(Instant::now);
        self.wake();
    }

    /// Nobody delivers it any more; a thread that does at the moment goes on to the end of its round.
    pub fn leave(&self) {
        self.lock().gone = true;
        self.changed.notify_all();
        // A queue of a place that is away would keep the lock of the folder.
        self.inner.places.iter().for_each(|place| place.forget(self));
        self.inner.desk.remove(self.dir.session());
        if let Some(gone) = self.inner.gone.get() {
            gone(self.dir.session());
        }
    }

    pub(super) fn serve(self: Arc<Self>, index: usize) {
        let inner = Arc::clone(&self.inner);
        drop(self);
        inner.places[index].serve(index, &inner.chain);
    }

    /// A thread takes it; the round that it is, and when it began.
    pub(super) fn begin(&self, index: usize) -> Option<(u64, Instant)> {
        let mut state = self.lock();
        let (gone, rounds) = (state.gone, state.rounds);
        let lot = state.lots.get_mut(index)?.as_mut()?;
        lot.hand = if gone { Hand::Nobody } else { Hand::Thread };
        (!gone).then(|| (rounds, Instant::now()))
    }

    /// The place has all of that round. Whether there is more.
    pub(super) fn delivered(&self, index: usize, (round, begun): (u64, Instant), delivery: Delivery) -> bool {
        // What cannot be removed stays, and costs space only.
        let _ = release(&self.dir, &self.required);
        let _ = release_events(&self.dir, &[&self.required[..], &self.events[..]].concat());
        let mut state = self.lock();
        let more = state.rounds > round && !state.gone;
        let ended = state.ended.is_some();
        if let Some(Some(lot)) = state.lots.get_mut(index) {
            lot.done = round;
            lot.hand = if more { Hand::Queue } else { Hand::Nobody };
            // What came while this round ran waits since it began, or less.
            lot.waiting = more.then_some(begun);
            lot.failed = None;
            lot.trouble = delivery.conflict;
        }
        drop(state);
        if ended && !more {
            self.release_if_done();
        }
        self.changed.notify_all();
        more
    }

    /// It failed. When it did before, without a success since, and its own pause now.
    pub(super) fn refused(&self, index: usize, why: &str, never: bool) -> (Option<Instant>, Duration) {
        let mut state = self.lock();
        let mut before = (None, own_pause(None, never));
        if let Some(Some(lot)) = state.lots.get_mut(index) {
            before = (lot.failed.map(|failed| failed.0), own_pause(lot.failed.map(|failed| failed.1), never));
            lot.hand = Hand::Queue;
            lot.failed = Some((Instant::now(), before.1));
            lot.trouble = Some(why.to_owned());
        }
        drop(state);
        self.changed.notify_all();
        before
    }

    /// Removes the folder of a session that has ended, where everybody has all of it, or everybody who is required has and
    /// the others were waited for.
    pub(super) fn release_if_done(&self) {
        let done = {
            let state = self.lock();
            let Some(ended) = state.ended.filter(|_| !state.gone) else { return };
            let waited = ended.elapsed() >= self.inner.final_wait;
            state.lots.iter().flatten().all(|lot| lot.done >= state.rounds || (waited && !lot.required))
        };
        if done {
            self.release();
        }
    }

    /// Removes the folder, where every required place has all of it; whether it is gone.
    pub fn release(&self) -> bool {
        let mut released = self.released.lock().unwrap_or_else(PoisonError::into_inner);
        if !*released {
            // What cannot be removed is delivered again by `ship`, which is harmless.
            *released = release_all(&self.dir, &self.required, &self.events).unwrap_or(false);
            if *released {
                self.leave();
            }
        }
        *released
    }

    /// Waits until every place has all that is closed; calls `progress` now and then.
    pub fn wait_caught_up(&self, limit: Duration, mut progress: impl FnMut(&[Status])) -> bool {
        let end = Instant::now() + limit;
        loop {
            let state = self.lock();
            if state.gone || state.lots.iter().flatten().all(|lot| lot.done >= state.rounds) {
                return true;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let step = left.min(Duration::from_millis(100));
            drop(self.changed.wait_timeout(state, step));
            progress(&self.status());
        }
    }

    /// What each of its places says now.
    pub fn status(&self) -> Vec<Status> {
        let state = self.lock();
        let lots = state.lots.iter().zip(self.inner.shown.iter());
        let status = lots.filter_map(|(lot, address)| {
            let lot = lot.as_ref()?;
            Some(Status {
                address: address.clone(),
                caught_up: lot.done > 0 && lot.failed.is_none(),
                trouble: lot.trouble.clone(),
                waits_ms: lot.waiting.map_or(0, |since| ms(since.elapsed())),
            })
        });
        status.collect()
    }

    /// Looks at its lateness: says it to the session, and to `see`, for each place, since when something waits.
    pub(super) fn look(&self, now: Instant, mut see: impl FnMut(usize, Instant)) -> Look {
        let state = self.lock();
        if state.gone {
            return Look { idle: true, ended: None };
        }
        let (mut worst, mut idle) = ((0, 0), state.ended.is_none());
        for (index, lot) in state.lots.iter().enumerate() {
            let Some(lot) = lot else { continue };
            if let Some(since) = lot.waiting {
                see(index, since);
                if lot.required && self.inner.places[index].takes_recordings() {
                    worst = worst.max((ms(now.saturating_duration_since(since)), index));
                }
            }
            idle &= lot.waiting.is_none() && lot.failed.is_none();
        }
        let ended = state.ended.map(|at| now.saturating_duration_since(at));
        drop(state);
        self.lag.set(worst.1, worst.0);
        Look { idle, ended }
    }

    /// Whether a thread is delivering it.
    pub(super) fn is_in_hand(&self) -> bool {
        self.lock().lots.iter().flatten().any(|lot| lot.hand == Hand::Thread)
    }
}
