//! The terminal of a recorded session, taken from its user for as long as the session lasts.
//!
//! Its owner could open it from a second login and write to, or read from, what the tee shows. Who may change owners
//! (CAP_CHOWN) takes it; who may not says so once. Not for the inner terminal, which is the child's own.

use std::os::fd::OwnedFd;

use rustix::fs::{Gid, Mode, Uid, fchmod, fchown, fstat};
use rustix::termios::isatty;

/// A terminal with an owner that it will be given back to.
#[derive(Debug)]
pub struct Taken {
    terminal: OwnedFd,
    uid: u32,
    gid: u32,
    mode: u32,
}

impl Taken {
    /// Takes the terminal, if it is one and is this user's; gives it back when dropped. `None` where there is nobody to take
    /// it from: root's terminals are open to root only, whom nothing keeps out.
    pub fn take(terminal: OwnedFd, user: u32) -> Result<Option<Self>, String> {
        if !isatty(&terminal) {
            return Err("what the session passed on is no terminal".into());
        }
        let found = fstat(&terminal).map_err(|e| e.to_string())?;
        if found.st_uid == 0 && user != 0 {
            return Ok(None);
        }
        if found.st_uid != user {
            return Err(format!("it belongs to the user {}", found.st_uid));
        }
        let taken = Self { terminal, uid: found.st_uid, gid: found.st_gid, mode: found.st_mode & 0o777 };
        let own = rustix::process::geteuid();
        fchown(&taken.terminal, Some(own), None).map_err(|e| format!("it cannot be taken: {e}"))?;
        // The group keeps what it had: `write` and `wall` work by it.
        fchmod(&taken.terminal, Mode::from_raw_mode(taken.mode & 0o660)).map_err(|e| e.to_string())?;
        Ok(Some(taken))
    }

    /// Takes up a terminal that the last agent took from this user, whose mode was this.
    pub fn again(terminal: OwnedFd, user: u32, mode: u32) -> Option<Self> {
        let found = fstat(&terminal).ok()?;
        let own = rustix::process::geteuid().as_raw();
        let is_ours = isatty(&terminal) && (found.st_uid == own || found.st_uid == user);
        is_ours.then_some(Self { terminal, uid: user, gid: found.st_gid, mode: mode & 0o777 })
    }

    /// Its mode before it was taken.
    pub fn mode(&self) -> u32 {
        self.mode
    }

    /// Leaves it as it is: the next agent takes the session up, and gives it back.
    pub fn forget(self) {
        std::mem::forget(self);
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        // A terminal that is gone needs no owner.
        let _ = fchown(&self.terminal, Some(Uid::from_raw(self.uid)), Some(Gid::from_raw(self.gid)));
        let _ = fchmod(&self.terminal, Mode::from_raw_mode(self.mode));
    }
}
