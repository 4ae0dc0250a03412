//! Which sessions this process runs, and which it keeps for whoever comes back for them.
//!
//! Not for what they are doing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hansard_schemas::SessionId;
use hansard_schemas::chain::Head;

use crate::host_chain::head_in;
use crate::journal::closing::Closer;
use crate::journal::session_dir::SessionDir;
use crate::journal::stall::Flag;
use crate::ship::Consignment;

/// One session that runs here, or has ended and is not all delivered.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) dir: Arc<SessionDir>,
    pub(super) closer: Arc<Closer>,
    pub(super) consignment: Arc<Consignment>,
    pub(super) stall: Arc<Flag>,
}

#[derive(Debug, Default)]
pub(super) struct Registry {
    open: Mutex<HashMap<SessionId, Arc<Entry>>>,
    /// Folders of sessions whose recorder was gone and whose tee may come back, locked.
    reserved: Mutex<HashMap<SessionId, SessionDir>>,
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<Entry>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reserved(&self) -> MutexGuard<'_, HashMap<SessionId, SessionDir>> {
        self.reserved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, entry: &Arc<Entry>) {
        self.lock().insert(entry.dir.session(), Arc::clone(entry));
    }

    pub(super) fn get(&self, session: SessionId) -> Option<Arc<Entry>> {
        self.lock().get(&session).cloned()
    }

    pub(super) fn remove(&self, session: SessionId) {
        let gone = self.lock().remove(&session);
        // Dropped without the lock held.
        drop(gone);
    }

    pub(super) fn open(&self) -> Vec<Arc<Entry>> {
        self.lock().values().cloned().collect()
    }

    /// Whether it is open, or kept.
    pub(super) fn has(&self, session: SessionId) -> bool {
        self.lock().contains_key(&session) || self.reserved().contains_key(&session)
    }

    /// Keeps the folder of a session for whoever comes back for it.
    pub(super) fn keep(&self, dir: SessionDir) {
        self.reserved().insert(dir.session(), dir);
    }

    /// Gives it away.
    pub(super) fn take(&self, session: SessionId) -> Option<SessionDir> {
        self.reserved().remove(&session)
    }

    /// What is kept.
    pub(super) fn kept(&self) -> Vec<SessionId> {
        self.reserved().keys().copied().collect()
    }

    /// The oldest session that has not ended.
    pub(super) fn oldest(&self) -> Option<Arc<Entry>> {
        let open = self.lock();
        let running = open.iter().filter(|(_, entry)| !entry.closer.progress().leaves);
        running.min_by_key(|(session, _)| **session).map(|(_, entry)| Arc::clone(entry))
    }

    /// What a checkpoint says of them.
    pub(super) fn heads(&self) -> Vec<Head> {
        let mut heads: Vec<Head> = Vec::new();
        for entry in self.open() {
            let progress = entry.closer.progress();
            if !progress.leaves {
                let (segment, digest) = (progress.head.map(|head| head.0), progress.head.map(|head| head.1));
                heads.push(Head { session: entry.dir.session(), segment, digest });
            }
        }
        heads.extend(self.reserved().values().map(|dir| head_in(dir.session(), dir.path())));
        heads.sort_by_key(|head| head.session);
        heads
    }
}
