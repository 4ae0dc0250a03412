//! One open segment file: appended by whoever has the session, synced by the group sync.
//!
//! The thread that appends only ever calls `write(2)` here. Not for sealing: it takes finished bytes.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What the appending thread and the group sync share of one file.
#[derive(Debug)]
pub struct Tracked {
    file: File,
    written: AtomicU64,
    synced: AtomicU64,
    damaged: AtomicBool,
}

impl Tracked {
    /// Makes what is written durable, if anything is not. A failure marks the file as damaged for good: after a failed
    /// sync the kernel may have dropped the pages and call them clean, so a second success would mean nothing.
    pub fn sync(&self) -> io::Result<()> {
        let written = self.written.load(Ordering::Acquire);
        if self.damaged() || written == self.synced.load(Ordering::Acquire) {
            return Ok(());
        }
        match rustix::fs::fdatasync(&self.file) {
            Ok(()) => {
                self.synced.store(written, Ordering::Release);
                Ok(())
            }
            Err(e) => {
                self.damaged.store(true, Ordering::Release);
                Err(e.into())
            }
        }
    }

    /// Something was written since the last sync.
    pub fn is_unsynced(&self) -> bool {
        !self.damaged() && self.written.load(Ordering::Acquire) != self.synced.load(Ordering::Acquire)
    }

    /// A write or a sync has failed: the file's content is not to be relied on.
    pub fn damaged(&self) -> bool {
        self.damaged.load(Ordering::Acquire)
    }
}

/// Why an append did not finish.
#[derive(Debug)]
pub struct AppendError {
    /// Bytes of this call that were written all the same.
    pub written: usize,
    /// What the system said.
    pub error: io::Error,
}

impl AppendError {
    /// The disk, or the user's share of it, is full: waiting can help.
    pub fn full(&self) -> bool {
        matches!(self.error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
    }
}

/// The writing end.
#[derive(Debug)]
pub struct JournalFile {
    shared: Arc<Tracked>,
    path: PathBuf,
}

impl JournalFile {
    /// Creates a file that must not exist, readable by the owner only.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let shared = Arc::new(Tracked {
            file,
            written: AtomicU64::new(0),
            synced: AtomicU64::new(0),
            damaged: AtomicBool::new(false),
        });
        Ok(Self { shared, path: path.to_owned() })
    }

    /// Appends with `write(2)`; a short write is continued, so that sealed bytes stay what they were (BLK-4).
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), AppendError> {
        let mut done = 0;
        let mut file = &self.shared.file;
        while done < bytes.len() {
            match file.write(&bytes[done..]) {
                Ok(0) => return Err(AppendError { written: done, error: ErrorKind::WriteZero.into() }),
                Ok(n) => {
                    done += n;
                    self.shared.written.fetch_add(n as u64, Ordering::AcqRel);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(AppendError { written: done, error }),
            }
        }
        Ok(())
    }

    /// For the group sync.
    pub fn shared(&self) -> &Arc<Tracked> {
        &self.shared
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// No more is to be expected of this file.
    pub fn mark_damaged(&self) {
        self.shared.damaged.store(true, Ordering::Release);
    }
}

/// Syncs a directory: a name in it is durable only then.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    rustix::fs::fsync(File::open(dir)?).map_err(Into::into)
}

/// Writes a small file for its owner alone, so that a reader finds the old or the new content, never a part; durable when
/// it returns.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    replace_data(path, content)?;
    path.parent().map_or(Ok(()), sync_dir)
}

/// The same with another mode.
pub fn replace_as(path: &Path, mode: u32, content: &[u8]) -> io::Result<()> {
    replace_with(path, content, true, mode)?;
    path.parent().map_or(Ok(()), sync_dir)
}

/// The same, but its name is durable only after the next [`sync_dir`] of its directory.
pub fn replace_data(path: &Path, content: &[u8]) -> io::Result<()> {
    replace_with(path, content, true, OWNERS)
}

/// The same for what may be lost with the power, and be older or empty then: it only saves work.
pub fn replace_loosely(path: &Path, content: &[u8]) -> io::Result<()> {
    replace_with(path, content, false, OWNERS)
}

/// For the owner alone.
const OWNERS: u32 = 0o600;

fn replace_with(path: &Path, content: &[u8], durable: bool, mode: u32) -> io::Result<()> {
    // With all of its name: two files that differ in what follows the last dot are not written over each other.
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&temporary)?;
    if mode != OWNERS {
        // Whatever the umask is.
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    file.write_all(content)?;
    if durable {
        rustix::fs::fdatasync(&file)?;
    }
    std::fs::rename(&temporary, path)
}
