//! The environment: the variable that a login shell's stand-in must correct, the one that names a file, and those that a
//! server of transfers may have.
//!
//! Whoever starts a login shell sets SHELL to it; the program that is run is to find the shell that it would have found
//! without us. All else is passed on as it came.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags, open};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use crate::sys;

/// Sets SHELL for what is started from now on. To be called while this process has one thread; false where it has more.
pub fn set_shell_variable(shell: &OsStr) -> bool {
    sys::set_variable(OsStr::new("SHELL"), shell)
}

/// Gives the environment back what the dynamic linker takes out of that of a setgid program (TMPDIR, LD_LIBRARY_PATH and
/// others): what is run is to find it. To be called first of all; false where it cannot be done.
pub fn restore_variables() -> bool {
    if !sys::is_setgid() {
        return true;
    }
    // Only a process that may be looked at can look at itself there. Nobody else can, meanwhile: he is not of our group.
    let _ = set_dumpable_behavior(DumpableBehavior::Dumpable);
    let read = std::fs::read("/proc/self/environ");
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let Ok(text) = read else { return false };
    let entries = text.split(|byte| *byte == 0).filter_map(|entry| {
        let at = entry.iter().position(|byte| *byte == b'=').filter(|at| *at > 0)?;
        Some((OsStr::from_bytes(entry.get(..at)?), OsStr::from_bytes(entry.get(at + 1..)?)))
    });
    sys::add_variables(entries)
}

/// The group of the program's file is given up, where it is setgid: for a program that this process becomes by other means
/// than [`Command::replace`](crate::Command::replace).
pub fn drop_group() -> bool {
    sys::drop_group()
}

/// Whether a variable is on a list; an entry that ends in `*` stands for all that begin as it does.
pub fn passes(list: &[Vec<u8>], name: &[u8]) -> bool {
    list.iter().any(|entry| match entry.strip_suffix(b"*") {
        Some(beginning) => name.starts_with(beginning),
        None => entry == name,
    })
}

/// Takes all other variables out of the environment of what is started from now on. To be called while this process has one
/// thread; false where it has more.
pub fn keep_variables(list: &[Vec<u8>]) -> bool {
    sys::keep_variables(|name| passes(list, name.as_bytes()))
}

/// Most bytes read of the file that `SSH_USER_AUTH` names.
const USER_AUTH_MAX: u64 = 16 * 1024;

/// What sshd wrote of the authentication of this session, at most 16 KiB: on shared accounts the key is the person.
pub fn ssh_user_auth() -> Option<Vec<u8>> {
    let path = std::env::var_os("SSH_USER_AUTH")?;
    // The name comes from the environment: no links, no waiting on a pipe, no more than sshd writes.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::RDONLY;
    let file = File::from(open(Path::new(&path), flags, Mode::empty()).ok()?);
    file.metadata().ok().filter(Metadata::is_file)?;
    let mut text = Vec::new();
    file.take(USER_AUTH_MAX).read_to_end(&mut text).ok()?;
    Some(text)
}
