//! The work that goes on beside playing: what a warm opening took for unchanged is checked again, all of it; what the
//! reviewer has not come to is gone through; and the result is kept.
//!
//! One thread, which the reviewer never waits for. Not for what is shown: `play`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hansard_schemas::cast::Size;
use hansard_sinks::SessionRef;

use super::{Cache, warm};
use crate::desk::Desk;
use crate::evidence::{Evidence, examine};
use crate::index::Index;
use crate::report::Failure;
use crate::screen::LineFeed;
use crate::timeline::{Source, Timeline};

/// How often the part gone through is handed over.
const HANDED_OVER: Duration = Duration::from_millis(250);
/// How long the end of the program waits for the cache to be written.
const WRITTEN: Duration = Duration::from_secs(2);

/// What there is to do.
pub struct Work<S> {
    /// The store and what is believed of it.
    pub desk: Desk,
    /// The session.
    pub session: SessionRef,
    /// What was found of it.
    pub evidence: Evidence,
    /// Whether it has to be checked again: [`warm::Start::unread`].
    pub unread: bool,
    /// What is known already.
    pub index: Option<Index>,
    /// The recording once more, to be read independently of what is shown.
    pub source: S,
    /// Its first size.
    pub size: Size,
    /// Its line feeds.
    pub feed: LineFeed,
    /// Where to keep what is found; `None`: nowhere.
    pub cache: Option<Cache>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    checked: AtomicBool,
    index: Mutex<Option<Index>>,
    refused: Mutex<Option<Failure>>,
}

/// The thread.
pub struct Beside {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

impl Beside {
    /// Begins.
    pub fn begin<S: Source + Send + 'static>(work: Work<S>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        shared.checked.store(!work.unread, Ordering::Release);
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("beside".into()).spawn(move || do_it(work, &theirs))?;
        Ok(Self { shared, thread })
    }

    /// What was found since this was last asked.
    pub fn index(&self) -> Option<Index> {
        self.shared.index.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Why the recording must not be shown any longer.
    pub fn refused(&self) -> Option<Failure> {
        self.shared.refused.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether there is nothing more to come.
    pub fn is_done(&self) -> bool {
        self.thread.is_finished()
    }

    /// Ends the work and lets it keep what it has; says whether all segments have been checked. A check that still goes on
    /// is not waited for.
    pub fn leave(self) -> bool {
        self.shared.stop.store(true, Ordering::Release);
        let begun = Instant::now();
        while !self.is_done() && self.shared.checked.load(Ordering::Acquire) && begun.elapsed() < WRITTEN {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.shared.checked.load(Ordering::Acquire)
    }
}

fn do_it<S: Source>(work: Work<S>, shared: &Shared) {
    let Work { desk, session, evidence, unread, index, mut source, size, feed, cache } = work;
    let refuse = |failure| *shared.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
    if unread {
        match examine(&*desk.store, &session, &desk.chains, desk.now(), &mut |_| {}) {
            Err(error) => return refuse(error.into()),
            Ok(again) if again.is_refused() || !warm::digests(&again).starts_with(&warm::digests(&evidence)) => {
                let faults: Vec<String> = again.judgement.faults.iter().map(ToString::to_string).collect();
                let what = if faults.is_empty() { "it is not what it was".to_owned() } else { faults.join("; ") };
                return refuse(
                    Failure::failed(format!("session {} is refused: {what}", session.session))
                        .hint("it was altered since it was last opened here; `hansard-replay verify` says more"),
                );
            }
            Ok(_) => shared.checked.store(true, Ordering::Release),
        }
    }
    let known = index.as_ref().is_some_and(|index| index.complete);
    if known {
        return;
    }
    let end_ms = source.end_ms();
    let index = go_through(&mut source, size, feed, index, shared);
    if let Some(cache) = cache {
        // That nothing could be kept costs time at the next opening, and nothing else.
        let _ = warm::keep(&cache, &*desk.store, desk.identities(), &evidence, index, end_ms);
    }
}

/// Reads on from where the index ends, until the end or until it is to stop.
fn go_through<S: Source>(source: S, size: Size, feed: LineFeed, index: Option<Index>, shared: &Shared) -> Index {
    let mut timeline = Timeline::new(source, size, feed);
    if let Some(index) = &index {
        timeline.adopt(index);
        timeline.rewind_to(index.frontier);
    }
    let hand_over = |index: &Index| *shared.index.lock().unwrap_or_else(PoisonError::into_inner) = Some(index.clone());
    let mut handed = Instant::now();
    // What cannot be read is for the player to say, when it comes there.
    while !shared.stop.load(Ordering::Acquire)
        && let Ok(Some(_)) = timeline.step()
    {
        if handed.elapsed() >= HANDED_OVER {
            hand_over(timeline.index());
            handed = Instant::now();
        }
    }
    hand_over(timeline.index());
    timeline.index().clone()
}
