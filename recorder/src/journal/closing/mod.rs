//! Closing segments: joined where their blocks are small, synced, signed, named; in order within each session, by a few
//! threads for all sessions of the process.
//!
//! The relay goes on in the next segment meanwhile. A step that fails is tried again until it works, and holds up no other
//! session: until then nothing of the segment is signed, and no sink sees it. Not for deciding when a segment ends, nor
//! for segments whose recorder is gone (`recovery`).

mod pool;
mod rebuild;
mod steps;

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hansard_schemas::cast::Size;
use hansard_schemas::event::Summary;
use hansard_schemas::keys::{KeysLine, SegmentSecret};
use hansard_schemas::seal::SigningKey;
use hansard_schemas::segment::Closed;
use hansard_schemas::{Digest, PublicKey, SessionId, Timestamp};

use self::pool::Queue;
use self::steps::Work;
use super::file::Tracked;
use super::session_dir::SessionDir;
use crate::host_chain::HostChain;

pub use self::pool::ClosingPool;

/// One segment to close. It owns the last copies of its keys; they go with it.
pub struct CloseJob {
    /// Its number.
    pub number: u32,
    /// Its file.
    pub path: PathBuf,
    /// The same, as the group sync knows it.
    pub file: Arc<Tracked>,
    /// What the writer knows of it; `None` when it was given up.
    pub closed: Option<Closed>,
    /// Seal it anew in fewer blocks: so many bytes of lines.
    pub join: Option<u64>,
    /// What its blocks are sealed with.
    pub secret: SegmentSecret,
    /// Secret and index of the joined form.
    pub spare: (SegmentSecret, u32),
    /// What signs it.
    pub signer: SigningKey,
    /// What signs the next one; `None` in the last.
    pub next: Option<PublicKey>,
    /// Of the last segment: how the session ended.
    pub outcome: String,
    /// Of the last segment: what the event of the end says.
    pub summary: Option<Summary>,
    /// Set when a write or a sync failed.
    pub damage: Option<Damage>,
}

/// What is needed to make a segment anew out of what can be read of a damaged one.
#[derive(Debug)]
#[expect(missing_docs, reason = "the members of its header, and of the gap line that is added")]
pub struct Damage {
    pub why: String,
    pub session: SessionId,
    pub start: Timestamp,
    pub offset_ms: u64,
    pub end_ms: u64,
    pub epoch: u32,
    pub keys: KeysLine,
    pub size: Size,
    pub position: u64,
}

/// How far the closer is.
#[derive(Debug, Default, Clone)]
pub struct Progress {
    /// Highest closed segment.
    pub head: Option<(u32, Digest)>,
    /// The last segment is closed, and the chain's `end` is about to say so: no checkpoint lists the session any more.
    pub leaves: bool,
    /// The chain's `end` is written, and the event of it.
    pub ended: bool,
    /// What it is trying again, and why.
    pub trouble: Option<String>,
    /// The session ends: the reserve may be used.
    pub ending: bool,
}

/// What of one session's closing is told to others.
#[derive(Debug, Default)]
struct Told {
    progress: Mutex<Progress>,
    changed: Condvar,
}

impl Told {
    fn lock(&self) -> MutexGuard<'_, Progress> {
        // Each change is one assignment: a poisoned lock guards nothing half done.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Called after a segment has its final name, and after the session's end is written.
pub type Closing = Box<dyn Fn(&Progress) + Send + Sync>;

/// What closes one session's segments.
pub struct Closer {
    queue: Arc<Queue>,
    pool: ClosingPool,
    told: Arc<Told>,
}

impl std::fmt::Debug for Closer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Closer").field("told", &self.told).finish_non_exhaustive()
    }
}

impl Closer {
    /// For one session. `closed` is called by the threads of the pool.
    pub fn new(pool: &ClosingPool, dir: Arc<SessionDir>, chain: Arc<HostChain>, closed: Closing) -> Self {
        let told = Arc::new(Told::default());
        let work = Work::new(dir, chain, Arc::clone(&told), closed);
        Self { queue: Arc::new(Queue::new(work)), pool: pool.clone(), told }
    }

    /// The session goes on after this segment, which is the highest that is stored. Before the first one is handed over.
    pub fn goes_on_after(&self, number: u32, digest: Digest) {
        self.queue.goes_on_after(digest);
        self.told.lock().head = Some((number, digest));
    }

    /// Hands a segment over.
    pub fn close(&self, job: CloseJob) {
        self.pool.push(&self.queue, job);
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.told.lock().clone()
    }

    /// The session ends: from now on a full disk is met with the reserve.
    pub fn ending(&self) {
        self.told.lock().ending = true;
    }

    /// Waits until the chain's `end` is written; false when `limit` is over.
    pub fn wait_ended(&self, limit: Duration) -> bool {
        let waited = self.told.changed.wait_timeout_while(self.told.lock(), limit, |p| !p.ended);
        waited.unwrap_or_else(PoisonError::into_inner).0.ended
    }
}

/// Waits for `done` in small steps, for things that have no condition variable.
pub fn wait_for(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    while !done() {
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}
