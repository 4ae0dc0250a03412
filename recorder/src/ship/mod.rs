//! Delivery: what is closed goes to every sink of the session, in order, while the session runs.
//!
//! One thread a sink, so that one that is away holds up none. Retries back off with jitter and have no end; the spool
//! is the queue, and a cursor per sink says what it has. Not for what a sink is: that is `hansard_sinks`.

pub mod announce;
pub mod deliver;
pub mod leftovers;
mod watch;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hansard_schemas::event::Who;
use hansard_sinks::{Class, EventSink, Sink, SinkError};
use rand::Rng as _;

use self::announce::{deliver_events, release_events};
use self::deliver::{Delivery, deliver, release};
use self::watch::{Health, Watch};
use crate::destinations::{Destination, Notify};
use crate::host_chain::HostChain;
use crate::journal::lag::Lag;
use crate::journal::session_dir::SessionDir;

/// First and longest pause between tries.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));

/// One sink, as the session sees it.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// Its address, without credentials.
    pub address: String,
    /// Everything that was closed when it last looked has arrived.
    pub caught_up: bool,
    /// What it said last, if it refused.
    pub trouble: Option<String>,
}

#[derive(Debug, Default)]
struct State {
    /// Counts wake-ups, so that none is missed.
    rounds: u64,
    /// How many rounds each sink has finished without an error.
    done: Vec<u64>,
    status: Vec<Status>,
    health: Vec<Health>,
    stopping: bool,
}

impl State {
    /// Something new waits for every place, since now where nothing waited before.
    fn wake(&mut self, now: Instant) {
        self.rounds += 1;
        for health in &mut self.health {
            health.waiting.get_or_insert(now);
        }
    }
}

type Shared = Arc<(Mutex<State>, Condvar)>;

fn locked(shared: &Shared) -> MutexGuard<'_, State> {
    // Each change is a few assignments that cannot panic between them.
    shared.0.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Wakes the shippers: something was closed.
#[derive(Debug, Clone)]
pub struct Waker(Shared);

impl Waker {
    /// Wakes them.
    pub fn wake(&self) {
        locked(&self.0).wake(Instant::now());
        self.0.1.notify_all();
    }
}

/// The shippers of one session.
#[derive(Debug)]
pub struct Shipper {
    shared: Shared,
    required: Arc<[String]>,
    events: Arc<[String]>,
    lag: Arc<Lag>,
    _threads: Vec<JoinHandle<()>>,
}

impl Shipper {
    /// Starts one thread for each sink, and for each place that takes events only; and one that says what is `behind`.
    pub fn start(
        sinks: Vec<Destination>,
        notify: Vec<Notify>,
        dir: &Arc<SessionDir>,
        chain: &Arc<HostChain>,
        who: Who,
        behind: Duration,
    ) -> std::io::Result<Self> {
        let addresses = sinks.iter().map(|one| &one.address).chain(notify.iter().map(|one| &one.address));
        let status: Vec<Status> =
            addresses.map(|address| Status { address: address.to_string(), ..Status::default() }).collect();
        let events: Arc<[String]> = notify.iter().map(|one| one.sink.place().to_owned()).collect();
        let counted: Vec<usize> = (0..sinks.len()).filter(|place| sinks[*place].address.required()).collect();
        let required: Arc<[String]> = counted.iter().map(|place| sinks[*place].sink.place().to_owned()).collect();
        let places = sinks.iter().map(|one| one.sink.place()).chain(notify.iter().map(|one| one.sink.place()));
        let shown: Vec<String> = status.iter().map(|status| status.address.clone()).collect();
        let targets = shown.iter().cloned().zip(places.map(str::to_owned)).collect();
        let count = status.len();
        let health = vec![Health { waiting: Some(Instant::now()), failing: None }; count];
        let state = State { rounds: 1, done: vec![0; count], status, health, stopping: false };
        let shared: Shared = Arc::new((Mutex::new(state), Condvar::new()));
        let lag = Arc::new(Lag::new(shown));
        let watch = Watch {
            shared: Arc::clone(&shared),
            dir: Arc::clone(dir),
            chain: chain.id(),
            who,
            behind,
            targets,
            counted,
            lag: Arc::clone(&lag),
        };
        let mut threads = vec![std::thread::Builder::new().name("watch".into()).spawn(move || watch.run())?];
        let sinks = sinks.into_iter().map(|one| Target::Recordings(one.sink));
        let targets = sinks.chain(notify.into_iter().map(|one| Target::Events(one.sink)));
        for (place, target) in targets.enumerate() {
            let one = One {
                place,
                target,
                required: Arc::clone(&required),
                events: Arc::clone(&events),
                dir: Arc::clone(dir),
                chain: Arc::clone(chain),
                shared: Arc::clone(&shared),
            };
            threads.push(std::thread::Builder::new().name("ship".into()).spawn(move || one.run())?);
        }
        Ok(Self { shared, required, events, lag, _threads: threads })
    }

    /// The places without which nothing leaves the spool.
    pub fn required(&self) -> Arc<[String]> {
        Arc::clone(&self.required)
    }

    /// The places of events without which none leaves the spool.
    pub fn events(&self) -> Arc<[String]> {
        Arc::clone(&self.events)
    }

    /// How late delivery to the required places is.
    pub fn lag(&self) -> Arc<Lag> {
        Arc::clone(&self.lag)
    }

    /// For whoever closes something.
    pub fn waker(&self) -> Waker {
        Waker(Arc::clone(&self.shared))
    }

    /// Waits until every sink has all that is closed; calls `progress` now and then.
    pub fn wait_caught_up(&self, limit: Duration, mut progress: impl FnMut(&[Status])) -> bool {
        let end = std::time::Instant::now() + limit;
        loop {
            let guard = locked(&self.shared);
            if guard.done.iter().all(|done| *done >= guard.rounds) {
                return true;
            }
            let left = end.saturating_duration_since(std::time::Instant::now());
            if left.is_zero() {
                return false;
            }
            let step = left.min(Duration::from_millis(100));
            let (guard, _) = self.shared.1.wait_timeout(guard, step).unwrap_or_else(PoisonError::into_inner);
            let status = guard.status.clone();
            drop(guard);
            progress(&status);
        }
    }

    /// What each sink says now.
    pub fn status(&self) -> Vec<Status> {
        locked(&self.shared).status.clone()
    }

    /// Tells the threads to end after what they are doing; one that hangs in a request is left to the process's end.
    pub fn stop(self) {
        locked(&self.shared).stopping = true;
        self.shared.1.notify_all();
    }
}

/// What one thread delivers to.
enum Target {
    Recordings(Arc<dyn Sink>),
    Events(Arc<dyn EventSink>),
}

struct One {
    place: usize,
    target: Target,
    required: Arc<[String]>,
    events: Arc<[String]>,
    dir: Arc<SessionDir>,
    chain: Arc<HostChain>,
    shared: Shared,
}

impl One {
    fn run(self) {
        let mut pause = BACKOFF.0;
        loop {
            let (round, begun) = {
                let state = locked(&self.shared);
                let place = self.place;
                let waited = self.shared.1.wait_while(state, |s| !s.stopping && s.done[place] >= s.rounds);
                let state = waited.unwrap_or_else(PoisonError::into_inner);
                if state.stopping {
                    return;
                }
                (state.rounds, Instant::now())
            };
            match self.deliver() {
                Ok(delivery) => {
                    pause = BACKOFF.0;
                    self.note(round, begun, &delivery);
                    // What cannot be removed stays, and costs space only.
                    let _ = release(&self.dir, &self.required);
                    let _ = release_events(&self.dir, &[&self.required[..], &self.events[..]].concat());
                }
                Err(e) => {
                    let never = e.class() == Class::Never;
                    self.refused(e.with_hint());
                    if never {
                        pause = BACKOFF.1;
                    }
                    // A place that asks to be left alone is, but never for longer than a place that says nothing.
                    let asked = e.retry_after().unwrap_or_default().min(BACKOFF.1);
                    if self.rest(pause, asked) {
                        return;
                    }
                    pause = (pause * 2).min(BACKOFF.1);
                }
            }
        }
    }

    fn deliver(&self) -> Result<Delivery, SinkError> {
        match &self.target {
            Target::Recordings(sink) => deliver(sink.as_ref(), &self.dir, &self.chain),
            Target::Events(sink) => deliver_events(sink.as_ref(), &self.dir).map(|_| Delivery::default()),
        }
    }

    fn note(&self, round: u64, begun: Instant, delivery: &Delivery) {
        let mut state = locked(&self.shared);
        state.done[self.place] = round;
        // What came while this round ran waits since it began, or less.
        let waiting = (state.rounds > round).then_some(begun);
        state.health[self.place] = Health { waiting, failing: None };
        let status = &mut state.status[self.place];
        status.caught_up = true;
        status.trouble = delivery.conflict.clone();
        drop(state);
        self.shared.1.notify_all();
    }

    fn refused(&self, why: String) {
        let mut state = locked(&self.shared);
        state.health[self.place].failing.get_or_insert_with(Instant::now);
        let status = &mut state.status[self.place];
        status.caught_up = false;
        status.trouble = Some(why);
        drop(state);
        self.shared.1.notify_all();
    }

    /// Waits for about `pause`, but not for less than `asked`; true when the threads are to end.
    fn rest(&self, pause: Duration, asked: Duration) -> bool {
        let jittered = pause.mul_f64(rand::thread_rng().gen_range(0.5..1.5)).max(asked);
        let state = locked(&self.shared);
        let waited = self.shared.1.wait_timeout_while(state, jittered, |s| !s.stopping);
        waited.unwrap_or_else(PoisonError::into_inner).0.stopping
    }
}
