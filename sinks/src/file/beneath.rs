//! Opening names below a directory without ever leaving it.
//!
//! Each component is opened by itself with `O_NOFOLLOW`, so neither `..` nor a link that someone put into the
//! store leads outside. The directory itself may be reached over links: the user named it.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{self, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::{Result, SinkError};

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// `O_NONBLOCK`: a named pipe in the store would otherwise wait for a writer.
const REGULAR: OFlags =
    OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// One thing in a directory.
pub(crate) struct Item {
    /// Its name as bytes; any bytes but NUL and slash.
    pub name: Vec<u8>,
    /// What it is, links not followed.
    pub kind: FileType,
}

/// What the system said, with what was tried on what.
pub(crate) fn failed(name: &str, action: &'static str, errno: Errno) -> SinkError {
    match errno {
        Errno::NOENT => SinkError::NotThere { name: name.into() },
        Errno::LOOP => SinkError::NotAFile { name: name.into(), what: "a symbolic link" },
        _ => SinkError::Io { name: name.into(), action, source: errno.into() },
    }
}

/// Opens the root.
pub(crate) fn root(path: &Path, address: &str) -> Result<OwnedFd> {
    fs::open(path, DIRECTORY, Mode::empty()).map_err(|e| failed(address, "open", e))
}

/// The components of a name; an error for anything that is not a plain relative path.
pub(crate) fn components(name: &str) -> Result<Vec<&str>> {
    let bad = |why| SinkError::BadName { name: name.into(), why };
    let parts: Vec<&str> = name.split('/').collect();
    for part in &parts {
        match *part {
            "" => return Err(bad("an empty component")),
            "." | ".." => return Err(bad("a component that is not a name")),
            _ if part.contains('\0') => return Err(bad("a NUL")),
            _ => {}
        }
    }
    Ok(parts)
}

/// Opens the directory `name` below `root`; the empty name is the root itself.
pub(crate) fn directory(root: &OwnedFd, name: &str) -> Result<OwnedFd> {
    let mut at = root.try_clone().map_err(|source| SinkError::Io { name: name.into(), action: "open", source })?;
    if name.is_empty() {
        return Ok(at);
    }
    for part in components(name)? {
        at = fs::openat(&at, part, DIRECTORY | OFlags::NOFOLLOW, Mode::empty()).map_err(|e| failed(name, "open", e))?;
    }
    Ok(at)
}

/// Opens the regular file `name` below `root` and gives its length.
pub(crate) fn file(root: &OwnedFd, name: &str) -> Result<(File, u64)> {
    let parts = components(name)?;
    let parent = match name.rsplit_once('/') {
        Some((parent, _)) => directory(root, parent)?,
        None => directory(root, "")?,
    };
    let last = parts.last().copied().unwrap_or_default();
    let fd = fs::openat(&parent, last, REGULAR, Mode::empty()).map_err(|e| match e {
        // A socket.
        Errno::NXIO => SinkError::NotAFile { name: name.into(), what: "a socket or device" },
        e => failed(name, "open", e),
    })?;
    let stat = fs::fstat(&fd).map_err(|e| failed(name, "read", e))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok((File::from(fd), u64::try_from(stat.st_size).unwrap_or(0))),
        kind => Err(SinkError::NotAFile { name: name.into(), what: what(kind) }),
    }
}

/// The bytes of the file `name` below `root`, or of a range of it, cut at its end as it is now; more than `limit` bytes are an
/// error.
pub(crate) fn read(root: &OwnedFd, name: &str, range: Option<Range<u64>>, limit: u64) -> Result<Vec<u8>> {
    let (mut file, length) = file(root, name)?;
    let io = |source| SinkError::Io { name: name.into(), action: "read", source };
    let (start, end) = range.map_or((0, length), |range| (range.start.min(length), range.end.min(length)));
    let wanted = end.saturating_sub(start);
    if wanted > limit {
        return Err(SinkError::TooLarge { name: name.into(), bytes: wanted, limit });
    }
    file.seek(SeekFrom::Start(start)).map_err(io)?;
    let mut bytes = Vec::new();
    file.take(wanted).read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}

/// The length of a file in a directory; 0 of what cannot be asked: reading it gives the reason.
pub(crate) fn length(directory: &OwnedFd, name: &str) -> u64 {
    let stat = fs::statat(directory, name, fs::AtFlags::SYMLINK_NOFOLLOW);
    stat.ok().and_then(|stat| u64::try_from(stat.st_size).ok()).unwrap_or(0)
}

/// What something is, in words.
pub(crate) fn what(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "a file",
        FileType::Directory => "a directory",
        FileType::Symlink => "a symbolic link",
        FileType::Fifo => "a named pipe",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Unknown => "something unknown",
    }
}

/// What is in a directory, ordered by name.
pub(crate) fn list(directory: &OwnedFd, name: &str) -> Result<Vec<Item>> {
    let entries = fs::Dir::read_from(directory).map_err(|e| failed(name, "list", e))?;
    let mut items = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| failed(name, "list", e))?;
        let bytes = entry.file_name().to_bytes();
        if bytes == b"." || bytes == b".." {
            continue;
        }
        let kind = match entry.file_type() {
            // Some file systems do not say in the listing.
            FileType::Unknown => fs::statat(directory, entry.file_name(), fs::AtFlags::SYMLINK_NOFOLLOW)
                .map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode)),
            kind => kind,
        };
        items.push(Item { name: bytes.to_vec(), kind });
    }
    items.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(items)
}
