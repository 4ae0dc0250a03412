//! How far each session was sent: the file that makes a restart go on where it was.
//!
//! It holds ids and numbers, and nothing that a session showed: what is needed of that is read from the store again. The
//! file is replaced whole, so that a crash leaves the old one or the new one. Not for what is sent.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use hansard_schemas::Timestamp;
use hansard_sinks::SessionRef;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::report::Failure;

/// How far one session was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// How many of its segments: the number of the next.
    pub segments: u32,
    /// Whether nothing more is to be sent of it.
    #[serde(default)]
    pub done: bool,
}

/// What the file says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    /// The store that the sessions are of.
    store: String,
    /// Sessions that began after this are sent whether they still run or not.
    since: Timestamp,
    /// When it was written.
    saved: Timestamp,
    /// By `<chain16>/<session id>`.
    sessions: BTreeMap<String, Place>,
}

/// The file, held by this program alone.
#[derive(Debug)]
pub struct State {
    path: PathBuf,
    document: Document,
    changed: bool,
    /// Held as long as this lives.
    _lock: File,
}

fn key(session: &SessionRef) -> String {
    format!("{}/{}", session.chain16, session.session)
}

impl State {
    /// Opens the file, or begins one for sessions that start after `since`.
    pub fn open(path: &Path, store: &str, since: DateTime<Utc>) -> Result<Self, Failure> {
        let name = path.display();
        let failed = |what: &str, error: std::io::Error| Failure::usage(format!("{name}: cannot {what}: {error}"));
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| failed("make its folder", error))?;
        }
        let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(beside(path, "lock"));
        let lock = lock.map_err(|error| failed("lock the state", error))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            Failure::usage(format!("{name}: another `forward` uses this state"))
                .hint("stop that one, or name another file with --state")
        })?;
        let document = match std::fs::read_to_string(path) {
            Ok(text) => serde_json::from_str(&text).map_err(|error| {
                Failure::usage(format!("{name}: not the state of `forward`: {error}"))
                    .hint("name another file with --state; without its state `forward` begins anew")
            })?,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let since = Timestamp::new(since);
                Document { store: store.into(), since, saved: since, sessions: BTreeMap::new() }
            }
            Err(error) => return Err(failed("read the state", error)),
        };
        if document.store != store {
            return Err(Failure::usage(format!("{name}: this state is of {}, and not of {store}", document.store))
                .hint("name another file with --state, one for each store"));
        }
        Ok(Self { path: path.into(), document, changed: true, _lock: lock })
    }

    /// Sessions that began after this are sent whether they still run or not.
    pub fn since(&self) -> DateTime<Utc> {
        self.document.since.time()
    }

    /// Up to when everything that was there had been seen.
    pub fn saved(&self) -> DateTime<Utc> {
        self.document.saved.time()
    }

    /// How far a session was sent, if anything is known of it.
    pub fn get(&self, session: &SessionRef) -> Option<&Place> {
        self.document.sessions.get(&key(session))
    }

    /// Remembers how far a session was sent.
    pub fn set(&mut self, session: &SessionRef, place: Place) {
        self.changed |= self.document.sessions.insert(key(session), place.clone()) != Some(place);
    }

    /// The sessions of which more is to be sent.
    pub fn open_sessions(&self) -> impl Iterator<Item = SessionRef> {
        self.document.sessions.iter().filter(|(_, place)| !place.done).filter_map(|(key, _)| {
            let (chain16, session) = key.split_once('/')?;
            Some(SessionRef { session: session.parse().ok()?, chain16: chain16.into() })
        })
    }

    /// Forgets the sessions that began before this and are not `kept`.
    pub fn forget(&mut self, before: DateTime<Utc>, kept: impl Fn(&SessionRef) -> bool) {
        let count = self.document.sessions.len();
        self.document.sessions.retain(|key, _| {
            let Some((chain16, session)) = key.split_once('/') else { return false };
            let Ok(session) = session.parse() else { return false };
            let session = SessionRef { session, chain16: chain16.into() };
            session.session.time() >= before || kept(&session)
        });
        self.changed |= self.document.sessions.len() != count;
    }

    /// Writes the file, if there is something new in it.
    pub fn save(&mut self, now: DateTime<Utc>) -> Result<(), Failure> {
        if !self.changed {
            return Ok(());
        }
        self.document.saved = Timestamp::new(now);
        let failed =
            |error: std::io::Error| Failure::usage(format!("{}: cannot write the state: {error}", self.path.display()));
        let text = serde_json::to_string_pretty(&self.document).map_err(|error| failed(error.into()))?;
        let new = beside(&self.path, "new");
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new);
        let written = file.as_mut().map_err(|error| std::io::Error::from(error.kind())).and_then(|file| {
            file.write_all(text.as_bytes())?;
            file.sync_data()
        });
        written.and_then(|()| std::fs::rename(&new, &self.path)).map_err(failed)?;
        self.changed = false;
        Ok(())
    }
}

/// A file with one more ending.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use hansard_schemas::SessionId;
    use hansard_sinks::SessionRef;

    use super::{Place, State};

    fn session(ms: u64) -> SessionRef {
        SessionRef { session: SessionId::new(ms, &[7; 10]), chain16: "0123456789abcdef".into() }
    }

    #[test]
    fn a_restart_knows_how_far_each_session_was_sent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/forward.json");
        let time = |s| DateTime::<Utc>::from_timestamp(s, 0).unwrap();
        let mut state = State::open(&path, "file:///a", time(100)).unwrap();
        state.set(&session(1), Place { segments: 3, done: false });
        state.set(&session(2), Place { segments: 9, done: true });
        state.save(time(200)).unwrap();
        assert!(State::open(&path, "file:///a", time(300)).unwrap_err().message.contains("another `forward`"));
        drop(state);
        let mut state = State::open(&path, "file:///a", time(300)).unwrap();
        assert_eq!((state.since(), state.saved()), (time(100), time(200)));
        assert_eq!(state.get(&session(1)), Some(&Place { segments: 3, done: false }));
        assert_eq!(state.open_sessions().collect::<Vec<_>>(), [session(1)]);
        state.forget(time(3), |one| *one == session(1));
        assert_eq!(state.get(&session(2)), None);
        drop(state);
        assert!(State::open(&path, "file:///b", time(300)).unwrap_err().message.contains("is of file:///a"));
        std::fs::write(&path, "{").unwrap();
        assert!(State::open(&path, "file:///a", time(300)).unwrap_err().message.contains("not the state"));
    }
}
