//! The threads that close segments, and who waits for them.
//!
//! A session is worked on by one thread at a time, so its segments are closed in order; one that has to wait is put
//! aside, and the threads go on with others. Not for what closing is: `steps`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hansard_schemas::Digest;

use super::CloseJob;
use super::steps::{Stage, Step, Work};

/// Threads for all sessions: what they do is one core's work at most, and half of it is waiting for the disk.
const THREADS: usize = 4;

/// Pause before a failed step is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// The segments of one session that are to be closed.
pub(super) struct Queue {
    state: Mutex<Waiting>,
    /// Whoever has the queue in hand has the work too.
    work: Mutex<Work>,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<CloseJob>,
    /// A thread has it, or will.
    in_hand: bool,
}

impl Queue {
    pub(super) fn new(work: Work) -> Self {
        Self { state: Mutex::default(), work: Mutex::new(work) }
    }

    pub(super) fn goes_on_after(&self, digest: Digest) {
        self.work.lock().unwrap_or_else(PoisonError::into_inner).prev = Some(digest);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works on the first segment as far as it goes now. Gives back when to go on, if there is more to do.
    fn advance(&self) -> Option<Instant> {
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stage = match work.put_aside.take() {
            Some(stage) => stage,
            None => match self.lock().jobs.pop_front() {
                Some(job) => Stage::begin(job),
                None => return self.is_done(),
            },
        };
        loop {
            match work.step(&mut stage) {
                Step::Next => {}
                Step::Again => {
                    work.put_aside = Some(stage);
                    return Some(Instant::now() + RETRY);
                }
                Step::Done => return self.is_done(),
            }
        }
    }

    /// Now, if there are others; else nobody has it in hand from now on.
    fn is_done(&self) -> Option<Instant> {
        let mut state = self.lock();
        state.in_hand = !state.jobs.is_empty();
        state.in_hand.then(Instant::now)
    }
}

#[derive(Default)]
struct State {
    ready: VecDeque<Arc<Queue>>,
    /// To be gone on with at a time; the number tells two of one time apart.
    later: BTreeMap<(Instant, u64), Arc<Queue>>,
    put_aside: u64,
    threads: usize,
    idle: usize,
    over: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    more: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The threads that close segments, for all sessions of the process. They are started when there is something to do.
#[derive(Clone, Default)]
pub struct ClosingPool(Arc<Shared>);

impl std::fmt::Debug for ClosingPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClosingPool")
    }
}

impl ClosingPool {
    /// Without threads yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a segment behind the others of its session.
    pub(super) fn push(&self, queue: &Arc<Queue>, job: CloseJob) {
        {
            let mut waiting = queue.lock();
            waiting.jobs.push_back(job);
            if std::mem::replace(&mut waiting.in_hand, true) {
                return;
            }
        }
        let mut state = self.0.lock();
        state.ready.push_back(Arc::clone(queue));
        if state.idle < state.ready.len() && state.threads < THREADS {
            let shared = Arc::clone(&self.0);
            let started = std::thread::Builder::new().name("closer".into()).spawn(move || run(&shared));
            // Where none is to be had, those that are there do it; where there is none, the next push tries again.
            state.threads += usize::from(started.is_ok());
        }
        drop(state);
        self.0.more.notify_one();
    }

    /// The threads end after what they are doing.
    pub fn stop(&self) {
        self.0.lock().over = true;
        self.0.more.notify_all();
    }
}

/// Counts a thread out, however it ends.
struct Ends<'a>(&'a Shared);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.lock().threads -= 1;
    }
}

fn run(shared: &Shared) {
    let _ends = Ends(shared);
    while let Some(queue) = next(shared) {
        let Some(at) = queue.advance() else { continue };
        let mut state = shared.lock();
        if at <= Instant::now() {
            state.ready.push_back(queue);
        } else {
            state.put_aside += 1;
            let key = (at, state.put_aside);
            state.later.insert(key, queue);
        }
    }
}

/// The next session with something to close; `None` when the threads are to end.
fn next(shared: &Shared) -> Option<Arc<Queue>> {
    let mut state = shared.lock();
    loop {
        if state.over {
            return None;
        }
        let now = Instant::now();
        while let Some(due) = state.later.first_entry().filter(|first| first.key().0 <= now) {
            let queue = due.remove();
            state.ready.push_back(queue);
        }
        if let Some(queue) = state.ready.pop_front() {
            return Some(queue);
        }
        state.idle += 1;
        let first = state.later.first_key_value().map(|((at, _), _)| at.saturating_duration_since(now));
        state = match first {
            Some(wait) => shared.more.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0,
            None => shared.more.wait(state).unwrap_or_else(PoisonError::into_inner),
        };
        state.idle -= 1;
    }
}
