//! Putting objects into a directory: whole, durable, never over another.
//!
//! The order is: temporary file (0600) in the final directory, write, `fdatasync`, `link` to the name (fails if
//! taken), `unlink` the temporary name, `fsync` the directory. New directories (0700) are synced into their
//! parents first. A crash leaves at worst an unfinished file, which the next sink removes.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hansard_schemas::limits;
use hansard_schemas::names::ProbeName;
use rustix::fs::{self, AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::beneath::{self, failed};
use super::{UNFINISHED, of_path, place_of};
use crate::{Address, Finding, Level, Limits, Probe, Put, Result, Sink, SinkError};

/// A directory that takes objects.
pub struct FileSink {
    root: PathBuf,
    address: String,
    place: String,
    /// The directory of the last object: a session's segments follow each other.
    last: Mutex<Option<(String, OwnedFd)>>,
}

impl FileSink {
    /// A sink over `root`, which is created (0700, with its parents) at the first put.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        let place = place_of(&root);
        Self { address: of_path(&root), place, root, last: Mutex::new(None) }
    }

    /// The same, from an address.
    pub fn open(address: &Address) -> Result<Self> {
        Ok(Self { address: address.to_string(), ..Self::new(super::path_of(address)?) })
    }

    /// The directory of the last object, taken out while it is used: another thread opens its own.
    fn last(&self) -> MutexGuard<'_, Option<(String, OwnedFd)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_root(&self) -> Result<OwnedFd> {
        match beneath::root(&self.root, &self.address) {
            Err(SinkError::NotThere { .. }) => {}
            other => return other,
        }
        let io = |action| move |source| SinkError::Io { name: of_path(&self.root), action, source };
        // From the deepest directory that is there: each new name must be synced into its parent.
        let missing: Vec<_> = self.root.ancestors().take_while(|p| !p.exists()).collect();
        for path in missing.into_iter().rev() {
            use std::os::unix::fs::DirBuilderExt;
            match std::fs::DirBuilder::new().mode(0o700).create(path) {
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
                other => other.map_err(io("create"))?,
            }
            if let Some(parent) = path.parent() {
                File::open(parent).and_then(|p| p.sync_all()).map_err(io("sync"))?;
            }
        }
        beneath::root(&self.root, &self.address)
    }

    /// Opens the directory of an object, creating what is missing.
    fn open_directory(&self, name: &str) -> Result<OwnedFd> {
        let mut at = self.open_root()?;
        if name.is_empty() {
            return Ok(at);
        }
        for part in beneath::components(name)? {
            match fs::mkdirat(&at, part, Mode::RWXU) {
                Ok(()) => fs::fsync(&at).map_err(|e| failed(name, "sync", e))?,
                Err(Errno::EXIST) => {}
                Err(e) => return Err(failed(name, "create", e)),
            }
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            at = fs::openat(&at, part, flags, Mode::empty()).map_err(|e| failed(name, "open", e))?;
        }
        remove_unfinished(&at);
        Ok(at)
    }
}

impl Sink for FileSink {
    fn put_once(&self, name: &str, bytes: &[u8]) -> Result<Put> {
        beneath::components(name)?;
        let (parent, last) = name.rsplit_once('/').unwrap_or(("", name));
        if last.starts_with(UNFINISHED) {
            return Err(SinkError::BadName { name: name.into(), why: "reserved for unfinished files" });
        }
        if bytes.len() as u64 > limits::SEGMENT_STORED {
            let (bytes, limit) = (bytes.len() as u64, limits::SEGMENT_STORED);
            return Err(SinkError::TooLarge { name: name.into(), bytes, limit });
        }
        let last_used = self.last().take();
        let directory = match last_used {
            // A directory that was removed meanwhile still opens by its descriptor; its link count says so.
            Some((of, fd)) if of == parent && fs::fstat(&fd).is_ok_and(|s| s.st_nlink > 0) => fd,
            _ => self.open_directory(parent)?,
        };
        let put = put(&directory, name, last, bytes)?;
        *self.last() = Some((parent.into(), directory));
        Ok(put)
    }

    fn limits(&self) -> Limits {
        Limits { max_object: Some(limits::SEGMENT_STORED), appends: false }
    }

    fn address(&self) -> &str {
        &self.address
    }

    fn place(&self) -> &str {
        &self.place
    }

    fn probe(&self, probe: &Probe) -> Vec<Finding> {
        let name = ProbeName { chain16: probe.chain16.clone(), word: "check".into() };
        let finding = match self.put_once(&name.path(), b"hansard check\n") {
            Ok(Put::Stored | Put::Already) => Finding::new("writable", Level::Ok, "it takes objects"),
            Ok(Put::Taken | Put::Conflict) => {
                let what = format!("other bytes lie under {}: someone else writes here", name.path());
                Finding::new("writable", Level::Warning, what)
            }
            Err(e) => Finding::new("writable", Level::Failed, e.to_string()),
        };
        vec![finding]
    }
}

fn put(directory: &OwnedFd, name: &str, last: &str, bytes: &[u8]) -> Result<Put> {
    match same(directory, name, last, bytes)? {
        Some(true) => {
            // Whoever put it may have died before the name was durable.
            fs::fsync(directory).map_err(|e| failed(name, "sync", e))?;
            return Ok(Put::Already);
        }
        Some(false) => return Ok(Put::Conflict),
        None => {}
    }
    let unfinished = Unfinished::create(directory, name)?;
    let io = |action| move |source| SinkError::Io { name: name.into(), action, source };
    (&unfinished.file).write_all(bytes).map_err(io("write"))?;
    unfinished.file.sync_data().map_err(io("sync"))?;
    match fs::linkat(directory, &*unfinished.name, directory, last, AtFlags::empty()) {
        Ok(()) => {}
        // Someone was faster.
        Err(Errno::EXIST) => {
            return match same(directory, name, last, bytes)? {
                Some(true) => {
                    fs::fsync(directory).map_err(|e| failed(name, "sync", e))?;
                    Ok(Put::Already)
                }
                _ => Ok(Put::Conflict),
            };
        }
        Err(e) => return Err(failed(name, "link", e)),
    }
    drop(unfinished);
    fs::fsync(directory).map_err(|e| failed(name, "sync", e))?;
    Ok(Put::Stored)
}

/// Whether `last` holds exactly `bytes`; `None` if nothing is there. Anything but a readable file is different.
fn same(directory: &OwnedFd, name: &str, last: &str, bytes: &[u8]) -> Result<Option<bool>> {
    let (mut file, length) = match beneath::file(directory, last) {
        Ok(found) => found,
        Err(SinkError::NotThere { .. }) => return Ok(None),
        Err(SinkError::NotAFile { .. }) => return Ok(Some(false)),
        Err(SinkError::Io { action, source, .. }) => return Err(SinkError::Io { name: name.into(), action, source }),
        Err(other) => return Err(other),
    };
    if length != bytes.len() as u64 {
        return Ok(Some(false));
    }
    let mut rest = bytes;
    let mut buffer = [0; 64 << 10];
    loop {
        let n = match file.read(&mut buffer) {
            Ok(n) => n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(SinkError::Io { name: name.into(), action: "read", source }),
        };
        if n == 0 {
            break;
        }
        match rest.strip_prefix(&buffer[..n]) {
            Some(tail) => rest = tail,
            None => return Ok(Some(false)),
        }
    }
    // The bytes may still be in the page cache of whoever wrote them.
    file.sync_data().map_err(|source| SinkError::Io { name: name.into(), action: "sync", source })?;
    Ok(Some(rest.is_empty()))
}

/// A temporary file, locked while its writer lives, unlinked when dropped.
struct Unfinished<'a> {
    directory: &'a OwnedFd,
    name: String,
    file: File,
}

static COUNTER: AtomicU64 = AtomicU64::new(0);

impl<'a> Unfinished<'a> {
    fn create(directory: &'a OwnedFd, object: &str) -> Result<Self> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        loop {
            let n = COUNTER.fetch_add(1, Ordering::Relaxed);
            let name = format!("{UNFINISHED}{}-{n}", std::process::id());
            match fs::openat(directory, &*name, flags, Mode::RUSR | Mode::WUSR) {
                Ok(fd) => {
                    // Not every file system locks; then the sweep leaves such files alone.
                    let _ = fs::flock(&fd, FlockOperation::NonBlockingLockExclusive);
                    return Ok(Self { directory, name, file: File::from(fd) });
                }
                // Left over from a process that had our number, in another namespace perhaps.
                Err(Errno::EXIST) => {}
                Err(e) => return Err(failed(object, "create", e)),
            }
        }
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        let _ = fs::unlinkat(self.directory, &*self.name, AtFlags::empty());
    }
}

/// Removes what a killed writer left. A file whose lock is held has a living writer. Between its creation and its
/// lock a file can be swept by mistake: then its writer's `link` fails and the put is tried again.
fn remove_unfinished(directory: &OwnedFd) {
    let Ok(items) = beneath::list(directory, "") else { return };
    for item in items.iter().filter(|i| i.name.starts_with(UNFINISHED.as_bytes())) {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let Ok(fd) = fs::openat(directory, &*item.name, flags, Mode::empty()) else { continue };
        if fs::flock(fd.as_fd(), FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = fs::unlinkat(directory, &*item.name, AtFlags::empty());
        }
    }
}
