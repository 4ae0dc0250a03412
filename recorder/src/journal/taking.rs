//! A spool that its user filled becomes root's, before root reads or writes anything in it.
//!
//! What a break-glass entry left belongs to whoever entered, who can put links there: a recovery by root would follow them
//! to any file of the host. So the folder gets a name that the user cannot change, and everything in it, by descriptors
//! that follow no link, an owner who is not the user. Not for deciding whose spools these are: `cmd::ship`.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rand::RngCore as _;
use rustix::fs::{
    AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags, Stat, fchmod, fchown, flock, fstat, openat, statat,
};
use rustix::process::{Gid, Uid};

/// How deep a spool is, with room: more is none.
const DEPTH: u32 = 8;

/// Takes the spool of this user away, which lies in a folder of root's. Gives where it lies now.
pub fn take(spool: &Path, owner: u32) -> io::Result<PathBuf> {
    let folder = openat(CWD, spool, OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    if let Some(session) = running(&folder)? {
        return Err(io::Error::other(format!("session {session} still runs in it")));
    }
    let name = spool.file_name().unwrap_or_default().to_string_lossy();
    let taken = spool.with_file_name(format!("{name}.taken-{:016x}", rand::rngs::OsRng.next_u64()));
    std::fs::rename(spool, &taken)?;
    own(&folder, owner, DEPTH).map_err(|e| io::Error::new(e.kind(), format!("{} (in {})", e, taken.display())))?;
    Ok(taken)
}

/// A session whose recorder holds its lock.
fn running(spool: &OwnedFd) -> io::Result<Option<String>> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(sessions) = openat(spool, "sessions", flags | OFlags::DIRECTORY, Mode::empty()) else { return Ok(None) };
    for entry in Dir::read_from(&sessions)? {
        let entry = entry?;
        let Ok(session) = openat(&sessions, entry.file_name(), flags | OFlags::DIRECTORY, Mode::empty()) else {
            continue;
        };
        let Ok(lock) = openat(&session, "lock", flags | OFlags::RDWR, Mode::empty()) else { continue };
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(Some(entry.file_name().to_string_lossy().into_owned()));
        }
    }
    Ok(None)
}

/// Makes a folder and all in it root's. The folder first: from then on the user puts nothing more into it.
fn own(folder: &OwnedFd, owner: u32, depth: u32) -> io::Result<()> {
    let found = fstat(folder)?;
    belongs(&found, owner, "a folder")?;
    hand_over(folder, Mode::RWXU)?;
    if depth == 0 {
        return Err(io::Error::other("folders in folders: this is no spool"));
    }
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if [c".", c".."].contains(&name) {
            continue;
        }
        let shown = name.to_string_lossy();
        let kind = FileType::from_raw_mode(statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode);
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match kind {
            FileType::Directory => {
                own(&openat(folder, name, flags | OFlags::DIRECTORY, Mode::empty())?, owner, depth - 1)?;
            }
            FileType::RegularFile => {
                let file = openat(folder, name, flags, Mode::empty())?;
                let found = fstat(&file)?;
                belongs(&found, owner, &shown)?;
                if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile || found.st_nlink != 1 {
                    return Err(io::Error::other(format!("{shown} is not a file of this spool alone")));
                }
                hand_over(&file, Mode::RUSR | Mode::WUSR)?;
            }
            _ => {
                return Err(io::Error::other(format!(
                    "{shown} is neither a file nor a folder: a recorder makes none such"
                )));
            }
        }
    }
    Ok(())
}

fn belongs(found: &Stat, owner: u32, what: &str) -> io::Result<()> {
    match found.st_uid {
        uid if uid == owner || uid == 0 => Ok(()),
        other => Err(io::Error::other(format!("{what} belongs to uid {other}, and the spool to uid {owner}"))),
    }
}

fn hand_over(file: impl AsFd, mode: Mode) -> io::Result<()> {
    fchown(file.as_fd(), Some(Uid::ROOT), Some(Gid::ROOT))?;
    Ok(fchmod(file, mode)?)
}
