//! Which signals the tee takes as messages, and what each asks of it.
//!
//! Not for the child's: it starts with those of its parent.

use crate::error::{Attempt as _, TeeError};
use crate::sys;

/// Blocked in every thread and read from a descriptor: all that would end or stop the recorder before its session.
const TAKEN: [i32; 13] = [
    libc::SIGCHLD,
    libc::SIGWINCH,
    libc::SIGCONT,
    libc::SIGTSTP,
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGALRM,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGVTALRM,
    libc::SIGPROF,
];

/// A signal that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signal {
    pub(crate) number: i32,
    /// The process that sent it; `None` from the kernel, which tells the whole group, the child included.
    pub(crate) sender: Option<i32>,
}

/// Makes this process ready for a session: signals become messages. To be called before any thread is started, or
/// that thread may be killed by a signal meant for the session; sessions call it again themselves.
pub fn prepare() {
    // An ignored SIGCHLD would reap the child behind our back; SIGPIPE is an error of a write, not an end.
    sys::set_default(libc::SIGCHLD);
    sys::set_ignored(libc::SIGPIPE);
    sys::block(&TAKEN);
}

/// Undoes [`prepare`] for this thread, once what must not be interrupted is done: signals that came meanwhile act now.
pub fn release() {
    sys::unblock(&TAKEN);
}

/// Ends this process by `signal`, as the child ended, for a parent that looks at more than the status (a shell ends
/// its script when a command died by Ctrl-C). Returns if that signal does not end processes.
pub fn end_by(signal: i32) {
    sys::die_by(signal);
}

/// The signals that wait.
pub(crate) struct Signals {
    pub(crate) fd: sys::SignalFd,
}

impl Signals {
    pub(crate) fn new() -> Result<Self, TeeError> {
        prepare();
        Ok(Self { fd: sys::SignalFd::new(&TAKEN).attempt("receive signals")? })
    }

    /// The next one, if any waits.
    pub(crate) fn next(&self) -> Option<Signal> {
        // struct signalfd_siginfo, in the machine's byte order: ssi_signo at 0, ssi_code at 8, ssi_pid at 12.
        let mut info = [0u8; 128];
        if rustix::io::read(&self.fd.0, &mut info).ok()? != info.len() {
            return None;
        }
        let field = |at: usize| info.get(at..at + 4)?.try_into().ok().map(i32::from_ne_bytes);
        let (number, code, pid) = (field(0)?, field(8)?, field(12)?);
        // SI_USER, SI_QUEUE, SI_TKILL and other codes up to 0 are of processes.
        Some(Signal { number, sender: (code <= 0).then_some(pid) })
    }
}
