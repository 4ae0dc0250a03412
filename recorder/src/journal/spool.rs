//! The spool directory: tried before it is trusted, measured while it is used.
//!
//! Not for what a session keeps in it (`session_dir`).

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use hansard_schemas::SessionId;
use hansard_schemas::spool::SESSIONS;
use rustix::fs::{FallocateFlags, FlockOperation, fallocate, flock};

use super::file::sync_dir;
use crate::report::{Failure, io};

/// Least free space to start a session with: some segments and the reserve.
const FREE_MIN: u64 = 4 << 20;

/// A spool that locks, syncs and has space.
#[derive(Debug, Clone)]
pub struct Spool {
    root: PathBuf,
}

impl Spool {
    /// Makes the directory where it is missing, and tries lock, write and sync in it.
    pub fn open(root: &Path) -> Result<Self, Failure> {
        let hint = "give another directory with --spool, on a local file system that you may write";
        let sessions = root.join(SESSIONS);
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&sessions)
            .map_err(|e| io("make", &sessions)(e).hint(hint))?;
        spread(&sessions);
        let probe = root.join("probe");
        Self::try_file(&probe, root).map_err(|(doing, e)| io(doing, root)(e).hint(hint))?;
        Ok(Self { root: root.to_owned() })
    }

    fn try_file(probe: &Path, root: &Path) -> Result<(), (&'static str, io::Error)> {
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(probe)
            .map_err(|e| ("write in", e))?;
        // Shared: recorders that start together must not refuse one another.
        flock(&file, FlockOperation::NonBlockingLockShared).map_err(|e| ("lock files in", e.into()))?;
        file.write_all(b"hansard spool 1\n").map_err(|e| ("write in", e))?;
        rustix::fs::fdatasync(&file).map_err(|e| ("sync files in", e.into()))?;
        sync_dir(root).map_err(|e| ("sync", e))
    }

    /// Refuses when there is too little space, or more than the quota, for one more session.
    pub fn admit(&self, quota: u64, reserve: u64) -> Result<(), Failure> {
        self.admit_with(self.used(), quota, reserve)
    }

    /// The same, where it is known how much is used.
    pub fn admit_with(&self, used: u64, quota: u64, reserve: u64) -> Result<(), Failure> {
        if used >= quota {
            return Err(Failure::new(format_args!(
                "the spool {} holds {used} bytes; its quota is {quota}, and the session is not started",
                self.root.display()
            ))
            .hint("run `hansard-record ship`, see that its sinks can be reached, or raise spool.quota"));
        }
        let free = self.free().map_err(io("measure the space of", &self.root))?;
        if free < FREE_MIN + reserve {
            return Err(Failure::new(format_args!(
                "only {free} bytes are free for the spool {}, and the session is not started",
                self.root.display()
            ))
            .hint("free space on that file system, or give another directory with --spool"));
        }
        Ok(())
    }

    /// Free bytes of its file system, for this user.
    pub fn free(&self) -> io::Result<u64> {
        let s = rustix::fs::statvfs(&self.root)?;
        Ok(s.f_bavail.saturating_mul(s.f_frsize))
    }

    /// Bytes that sessions occupy on disk. Files that vanish meanwhile count nothing.
    pub fn used(&self) -> u64 {
        let blocks = |dir: &Path| -> u64 {
            let files = std::fs::read_dir(dir).into_iter().flatten().flatten();
            files.filter_map(|f| f.metadata().ok()).filter(|m| m.is_file()).map(|m| m.blocks() * 512).sum()
        };
        let sessions = std::fs::read_dir(self.sessions()).into_iter().flatten().flatten();
        sessions.map(|session| blocks(&session.path())).sum()
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Folder of the sessions' folders.
    pub fn sessions(&self) -> PathBuf {
        self.root.join(SESSIONS)
    }

    /// Ids of all sessions that have a folder, oldest first.
    pub fn session_ids(&self) -> io::Result<Vec<SessionId>> {
        let mut ids: Vec<SessionId> = std::fs::read_dir(self.sessions())?
            .flatten()
            .filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok()))
            .collect();
        ids.sort();
        Ok(ids)
    }
}

/// Asks ext4 to put the folders in this one into different block groups, as it does with homes. It does not use an inode again
/// within minutes of its removal, and looks through all of those in the group for one that it may: sessions that last a
/// moment each would wait for it more than for anything else.
fn spread(dir: &Path) {
    use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};
    let Ok(file) = File::open(dir) else { return };
    // Others need no such hint, and say so.
    let _ = ioctl_getflags(&file).and_then(|flags| ioctl_setflags(&file, flags | IFlags::TOPDIR));
}

/// Occupies the reserve: space that only the end of a session may use.
pub fn occupy_reserve(dir: &Path, bytes: u64) -> io::Result<()> {
    let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(dir.join("reserve"))?;
    match fallocate(&file, FallocateFlags::empty(), 0, bytes) {
        // A file system without preallocation: zeros occupy space as well.
        Err(rustix::io::Errno::OPNOTSUPP) => {
            let zeros = [0; 4096];
            let mut file = file;
            (0..bytes.div_ceil(zeros.len() as u64)).try_for_each(|_| file.write_all(&zeros))
        }
        other => other.map_err(Into::into),
    }
}

/// Gives half of the reserve back to the file system: for what was still to be recorded, the rest is for the end itself.
pub fn halve_reserve(dir: &Path) {
    // One that cannot be halved is still there for the end.
    let _ = File::options().write(true).open(dir.join("reserve")).and_then(|f| f.set_len(f.metadata()?.len() / 2));
}

/// Gives the reserve back to the file system.
pub fn release_reserve(dir: &Path) {
    // Gone already is what is wanted.
    let _ = std::fs::remove_file(dir.join("reserve"));
}
