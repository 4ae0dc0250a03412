//! The sessions of this agent: who has how many, what `status` says of them, where `terminate` finds them.
//!
//! Not the sessions themselves: those belong to the workers.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hansard_schemas::session::Kind;
use hansard_schemas::{SessionId, Timestamp};
use serde::{Deserialize, Serialize};

/// What is known of a session, from its start on.
#[derive(Debug)]
pub struct Entry {
    /// Its id.
    pub session: SessionId,
    /// The user's name or number.
    pub user: String,
    /// The user.
    pub uid: u32,
    /// The tee's process.
    pub pid: i32,
    /// How it is captured.
    pub kind: Kind,
    /// Where it comes from, as far as that is known or claimed.
    pub from: Option<IpAddr>,
    /// The outer terminal.
    pub tty: Option<String>,
    /// When it began.
    pub started: Timestamp,
    /// Bytes that were recorded.
    pub bytes: AtomicU64,
    /// Its tee is away and may come back.
    pub lost: AtomicBool,
    /// The outer terminal is out of its user's reach.
    pub taken: AtomicBool,
    /// Which worker has it.
    pub worker: usize,
}

/// A session in `status`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Shown {
    /// Its id.
    pub session: SessionId,
    /// The user's name or number.
    pub user: String,
    /// The user.
    pub uid: u32,
    /// The tee's process.
    pub pid: i32,
    /// `interactive`, `exec` or `transfer`.
    pub kind: String,
    /// Where it comes from.
    pub from: Option<IpAddr>,
    /// The outer terminal.
    pub tty: Option<String>,
    /// When it began.
    pub started: Timestamp,
    /// Bytes that were recorded.
    pub bytes: u64,
    /// `recorded`, or `away` while its tee is not connected.
    pub state: String,
    /// Whether its user could use the outer terminal beside the recording.
    pub bypass_possible: bool,
}

/// All sessions.
#[derive(Debug, Default)]
pub struct Registry {
    sessions: Mutex<HashMap<SessionId, Arc<Entry>>>,
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<Entry>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one.
    pub fn add(&self, entry: Arc<Entry>) {
        self.lock().insert(entry.session, entry);
    }

    /// Removes one.
    pub fn remove(&self, session: SessionId) {
        self.lock().remove(&session);
    }

    /// One of them.
    pub fn get(&self, session: SessionId) -> Option<Arc<Entry>> {
        self.lock().get(&session).cloned()
    }

    /// How many a user has.
    pub fn of_user(&self, uid: u32) -> usize {
        self.lock().values().filter(|entry| entry.uid == uid).count()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// The session of a tee's process, if it is one.
    pub fn of_process(&self, pid: i32) -> Option<Arc<Entry>> {
        self.lock().values().find(|entry| entry.pid == pid).cloned()
    }

    /// All of them, oldest first.
    pub fn shown(&self) -> Vec<Shown> {
        let mut all: Vec<Arc<Entry>> = self.lock().values().cloned().collect();
        all.sort_by_key(|entry| entry.session);
        all.iter().map(|entry| entry.shown()).collect()
    }
}

impl Entry {
    fn shown(&self) -> Shown {
        let lost = self.lost.load(Ordering::Relaxed);
        Shown {
            session: self.session,
            user: self.user.clone(),
            uid: self.uid,
            pid: self.pid,
            kind: self.kind.as_str().to_owned(),
            from: self.from,
            tty: self.tty.clone(),
            started: self.started,
            bytes: self.bytes.load(Ordering::Relaxed),
            state: if lost { "away" } else { "recorded" }.to_owned(),
            bypass_possible: self.kind == Kind::Interactive && !self.taken.load(Ordering::Relaxed),
        }
    }
}
