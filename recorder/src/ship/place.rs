//! One place: who waits to be delivered to it, and the threads that do it.
//!
//! A session is delivered by one thread at a time, so that its segments and events arrive in order. A place that does not
//! answer is left alone for a while and then asked for one session; the others wait until that one was taken. A session
//! that fails where others succeed waits by itself. Not for what a round of delivery is: `deliver`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hansard_sinks::{Class, EventSink, Sink, SinkError};
use rand::Rng as _;

use super::announce::deliver_events;
use super::consignment::Consignment;
use super::deliver::{Delivery, deliver_chain, deliver_with};
use crate::destinations::{Destination, Notify};
use crate::host_chain::HostChain;
use crate::journal::session_dir::SessionDir;

/// First and longest pause between tries.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));

/// Threads of one place. A request to a place far away takes 20 to 50 ms, so these are some hundred segments a second.
const THREADS: usize = 8;

/// What is delivered to it.
enum Target {
    Recordings(Arc<dyn Sink>),
    Events(Arc<dyn EventSink>),
}

/// A pause of a place.
#[derive(Debug, Clone, Copy)]
struct Rest {
    until: Instant,
    /// The pause after this one, if it fails again.
    next: Duration,
    /// One session is tried.
    probing: bool,
}

#[derive(Default)]
struct Queue {
    ready: VecDeque<Arc<Consignment>>,
    /// Sessions that wait by themselves; the number tells two of one time apart.
    later: BTreeMap<(Instant, u64), Arc<Consignment>>,
    put_aside: u64,
    rest: Option<Rest>,
    /// When it took something last.
    took: Option<Instant>,
    /// Since when it has taken nothing, and what it says.
    failing: Option<(Instant, String)>,
    threads: usize,
    idle: usize,
    over: bool,
}

/// One place that takes recordings or events.
pub(super) struct Place {
    target: Target,
    /// Its address, with its options.
    pub(super) address: String,
    /// Its address, as people may see it.
    pub(super) shown: String,
    /// What tells it from others.
    pub(super) key: String,
    /// Unless a session says otherwise: nothing leaves the spool that it lacks.
    pub(super) required: bool,
    queue: Mutex<Queue>,
    more: Condvar,
    /// It has the chain up to this number.
    chain: Mutex<u64>,
}

impl Place {
    pub(super) fn of_recordings(one: Destination) -> Self {
        let (shown, required) = (one.address.to_string(), one.address.required());
        let (address, key) = (one.address.as_str().to_owned(), one.sink.place().to_owned());
        Self::new(Target::Recordings(one.sink), address, shown, key, required)
    }

    pub(super) fn of_events(one: Notify) -> Self {
        let (address, key) = (one.address.as_str().to_owned(), one.sink.place().to_owned());
        Self::new(Target::Events(one.sink), address, one.address.to_string(), key, true)
    }

    fn new(target: Target, address: String, shown: String, key: String, required: bool) -> Self {
        let (queue, more, chain) = (Mutex::default(), Condvar::new(), Mutex::new(0));
        Self { target, address, shown, key, required, queue, more, chain }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Each change is a few assignments that cannot panic between them.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it takes recordings, and not events only.
    pub(super) fn takes_recordings(&self) -> bool {
        matches!(self.target, Target::Recordings(_))
    }

    pub(super) fn sink(&self) -> Option<Arc<dyn Sink>> {
        match &self.target {
            Target::Recordings(sink) => Some(Arc::clone(sink)),
            Target::Events(_) => None,
        }
    }

    /// Since when it takes nothing, and what it says.
    pub(super) fn failing(&self) -> Option<(Instant, String)> {
        self.lock().failing.clone()
    }

    pub(super) fn is_away(&self) -> bool {
        self.lock().rest.is_some_and(|rest| rest.probing || Instant::now() < rest.until)
    }

    /// Takes a session out of the queue.
    pub(super) fn forget(&self, consignment: &Consignment) {
        let is_other = |one: &Arc<Consignment>| !std::ptr::eq(&raw const **one, consignment);
        let mut queue = self.lock();
        queue.ready.retain(is_other);
        queue.later.retain(|_, one| is_other(one));
    }

    pub(super) fn stop(&self) {
        self.lock().over = true;
        self.more.notify_all();
    }

    /// Puts a session at the end of the queue. `index` is this place's own.
    pub(super) fn push(&self, consignment: &Arc<Consignment>, index: usize) {
        let mut queue = self.lock();
        queue.ready.push_back(Arc::clone(consignment));
        if queue.idle < queue.ready.len() && queue.threads < THREADS {
            let first = Arc::clone(consignment);
            let started = std::thread::Builder::new().name("ship".into()).spawn(move || first.serve(index));
            // Where none is to be had, those that are there do it; where there is none, the next push tries again.
            queue.threads += usize::from(started.is_ok());
        }
        drop(queue);
        self.more.notify_one();
    }

    /// What one of its threads does until the end.
    pub(super) fn serve(&self, index: usize, chain: &HostChain) {
        let _ends = Ends(self);
        while let Some(consignment) = self.next() {
            let Some(round) = consignment.begin(index) else {
                self.skipped();
                continue;
            };
            match self.deliver(&consignment.dir, chain) {
                Ok(delivery) => {
                    self.took();
                    if consignment.delivered(index, round, delivery) {
                        self.push(&consignment, index);
                    }
                }
                Err(e) => {
                    let (why, class) = (e.with_hint(), e.class());
                    let before = consignment.refused(index, &why, class == Class::Never);
                    self.refused(consignment, before, class, why, e.retry_after().unwrap_or_default());
                }
            }
        }
    }

    /// The session to deliver next; `None` when the threads are to end.
    fn next(&self) -> Option<Arc<Consignment>> {
        let mut queue = self.lock();
        loop {
            if queue.over {
                return None;
            }
            let now = Instant::now();
            while let Some(due) = queue.later.first_entry().filter(|first| first.key().0 <= now) {
                let consignment = due.remove();
                queue.ready.push_back(consignment);
            }
            let until = match &mut queue.rest {
                Some(rest) if rest.probing => None,
                Some(rest) if now < rest.until => Some(rest.until),
                _ => {
                    if let Some(consignment) = queue.ready.pop_front() {
                        if let Some(rest) = &mut queue.rest {
                            rest.probing = true;
                        }
                        return Some(consignment);
                    }
                    None
                }
            };
            let due = queue.later.first_key_value().map(|((at, _), _)| *at);
            queue.idle += 1;
            queue = match until.into_iter().chain(due).min() {
                Some(at) => {
                    let wait = at.saturating_duration_since(now);
                    self.more.wait_timeout(queue, wait).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.more.wait(queue).unwrap_or_else(PoisonError::into_inner),
            };
            queue.idle -= 1;
        }
    }

    /// The session that was to be tried is gone: another one.
    fn skipped(&self) {
        if let Some(rest) = &mut self.lock().rest {
            rest.probing = false;
        }
        self.more.notify_one();
    }

    fn took(&self) {
        let mut queue = self.lock();
        (queue.took, queue.failing) = (Some(Instant::now()), None);
        if queue.rest.take().is_some() {
            drop(queue);
            self.more.notify_all();
        }
    }

    /// `before`: when this session failed last without a success since, and its own next pause.
    fn refused(
        &self,
        consignment: Arc<Consignment>,
        before: (Option<Instant>, Duration),
        class: Class,
        why: String,
        asked: Duration,
    ) {
        let now = Instant::now();
        let mut queue = self.lock();
        match &mut queue.failing {
            Some((_, said)) => *said = why,
            none => *none = Some((now, why)),
        }
        let others_succeed = before.0.is_some_and(|failed| queue.took.is_some_and(|took| took > failed));
        if class == Class::Never || others_succeed {
            if let Some(rest) = &mut queue.rest {
                rest.probing = false;
            }
            queue.put_aside += 1;
            let key = (now + jittered(before.1), queue.put_aside);
            queue.later.insert(key, consignment);
        } else {
            // Several that failed side by side are one failure.
            let resting = queue.rest.filter(|rest| !rest.probing && now < rest.until);
            if resting.is_none() {
                let pause = queue.rest.map_or(BACKOFF.0, |rest| rest.next);
                // A place that asks to be left alone is, but never for longer than one that says nothing.
                let until = now + jittered(pause).max(asked.min(BACKOFF.1));
                queue.rest = Some(Rest { until, next: (pause * 2).min(BACKOFF.1), probing: false });
            }
            queue.ready.push_back(consignment);
        }
        drop(queue);
        self.more.notify_all();
    }

    fn deliver(&self, dir: &SessionDir, chain: &HostChain) -> Result<Delivery, SinkError> {
        match &self.target {
            Target::Recordings(sink) => deliver_with(sink.as_ref(), dir, chain.id(), || self.deliver_chain(chain)),
            Target::Events(sink) => deliver_events(sink.as_ref(), dir).map(|_| Delivery::default()),
        }
    }

    /// What it lacks of the chain. Gives what stands in the way.
    pub(super) fn deliver_chain(&self, chain: &HostChain) -> Result<Option<String>, SinkError> {
        let Target::Recordings(sink) = &self.target else { return Ok(None) };
        // One thread at a time, for all that wait meanwhile.
        let mut up_to = self.chain.lock().unwrap_or_else(PoisonError::into_inner);
        let end = chain.end();
        if *up_to >= end {
            return Ok(None);
        }
        let conflict = deliver_chain(sink.as_ref(), chain.dir(), chain.log(), chain.id())?;
        if conflict.is_none() {
            *up_to = end;
        }
        Ok(conflict)
    }
}

/// A session's own pause after a failure, and the one after it.
pub(super) fn own_pause(before: Option<Duration>, never: bool) -> Duration {
    if never { BACKOFF.1 } else { before.map_or(BACKOFF.0, |pause| (pause * 2).min(BACKOFF.1)) }
}

fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::thread_rng().gen_range(0.5..1.5))
}

/// Counts a thread out, however it ends.
struct Ends<'a>(&'a Place);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.lock().threads -= 1;
    }
}
