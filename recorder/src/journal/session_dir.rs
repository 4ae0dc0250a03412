//! One session's folder in the spool: its lock, its files and their names.
//!
//! Not for closing or recovering segments (`closing`, `recovery`), nor for delivery (`ship`).

use std::fs::File;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use hansard_schemas::event::Named;
pub use hansard_schemas::spool::About;
use hansard_schemas::spool::{ABOUT, SegmentFile as SegmentName};
use hansard_schemas::{Digest, SessionId};
use rustix::fs::{FlockOperation, flock};

use super::file::{replace, replace_loosely};

/// The file that says how the session ended, written before the chain says it: a word, and where its recorder saw the end
/// a second line with all that is known of it.
pub const OUTCOME: &str = "outcome";

/// What a file of the folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// Closed: synced and signed.
    Closed,
    /// Open, or closed and not yet signed.
    Journal,
}

/// One segment that the folder holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SegmentFile {
    /// Its number.
    pub number: u32,
    /// What it is.
    pub form: Form,
    /// Where it is.
    pub path: PathBuf,
}

/// A session's folder, locked for as long as this value lives.
#[derive(Debug)]
pub struct SessionDir {
    path: PathBuf,
    session: SessionId,
    events: Mutex<Option<Named>>,
    _lock: File,
}

impl SessionDir {
    /// Makes the folder of a new session and locks it.
    pub fn create(sessions: &Path, session: SessionId) -> io::Result<Self> {
        let path = sessions.join(session.to_string());
        // Locked before it has its name: whoever looks for sessions that nobody runs must not find this one between the
        // two. A crash there leaves an empty folder under a name that is no session's.
        let unnamed = sessions.join(format!("{session}.new"));
        std::fs::DirBuilder::new().mode(0o700).create(&unnamed)?;
        let lock = File::create_new(unnamed.join("lock"))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        std::fs::rename(&unnamed, &path)?;
        Ok(Self { path, session, events: Mutex::default(), _lock: lock })
    }

    /// Locks the folder of a session that nobody runs; `None` when somebody does.
    pub fn take(sessions: &Path, session: SessionId) -> io::Result<Option<Self>> {
        let path = sessions.join(session.to_string());
        // Created where it is missing: a folder without its lock was left by a crash between the two.
        let lock = File::options().create(true).truncate(false).write(true).open(path.join("lock"))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self { path, session, events: Mutex::default(), _lock: lock })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whose it is.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// Held while an event gets its number; the event that is still to be written before any other.
    pub(super) fn events(&self) -> &Mutex<Option<Named>> {
        &self.events
    }

    /// Name of an open segment's file.
    pub fn journal_path(&self, number: u32) -> PathBuf {
        self.path.join(format!("{number:06}.journal"))
    }

    /// Name of a closed segment's file.
    pub fn closed_path(&self, number: u32, digest: &Digest) -> PathBuf {
        self.path.join(format!("{number:06}-{}.hseg", digest.short()))
    }

    /// Writes `about.json`, durably.
    pub fn write_about(&self, about: &About) -> io::Result<()> {
        replace(&self.path.join(ABOUT), &serde_json::to_vec(about).map_err(io::Error::other)?)
    }

    /// Reads `about.json`; `None` where there is none (the crash was before the `start` entry).
    pub fn read_about(&self) -> io::Result<Option<About>> {
        match std::fs::read(self.path.join(ABOUT)) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::other),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Writes one line into a small file of the folder, durably.
    pub fn write_line(&self, name: &str, line: &str) -> io::Result<()> {
        replace(&self.path.join(name), format!("{line}\n").as_bytes())
    }

    /// The same for what only saves work, and may be lost with the power.
    pub fn write_loosely(&self, name: &str, line: &str) -> io::Result<()> {
        replace_loosely(&self.path.join(name), format!("{line}\n").as_bytes())
    }

    /// Reads such a line.
    pub fn read_line(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.path.join(name)).ok().map(|s| s.trim_end().to_owned())
    }

    /// The segments it holds, by number; what is neither a closed nor an open segment is passed over.
    pub fn segments(&self) -> io::Result<Vec<SegmentFile>> {
        list_segments(&self.path)
    }

    /// Removes the folder with all that is in it: every sink has everything.
    pub fn remove_files(&self) -> io::Result<()> {
        std::fs::remove_dir_all(&self.path)
    }
}

/// The segments of a session's folder, by number.
pub fn list_segments(dir: &Path) -> io::Result<Vec<SegmentFile>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|n| n.to_str()) else { continue };
        let (form, number) = match SegmentName::parse(name) {
            Some(SegmentName::Journal(number)) => (Form::Journal, number),
            Some(SegmentName::Closed(number, _)) => (Form::Closed, number),
            None => continue,
        };
        found.push(SegmentFile { number, form, path });
    }
    found.sort();
    Ok(found)
}

/// Whether what stands in any session's folder says that it has ended, or is about to be said so, without its lock.
pub fn is_over(dir: &Path) -> bool {
    dir.join(OUTCOME).exists()
}

/// `head` of any session's folder, without its lock.
pub fn read_head(dir: &Path) -> Option<(u32, Digest)> {
    let text = std::fs::read_to_string(dir.join("head")).ok()?;
    let (number, digest) = text.trim_end().split_once(' ')?;
    Some((number.parse().ok()?, digest.parse().ok()?))
}
