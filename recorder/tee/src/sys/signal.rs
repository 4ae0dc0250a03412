//! Signals: which are blocked, reading them as messages, sending them, stopping or dying by one.
//!
//! Not for what a signal means: that is `signals`.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd as _, FromRawFd, OwnedFd};

fn set_of(signals: &[i32]) -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: sigemptyset initialises the set, sigaddset changes an initialised one (unknown numbers are refused).
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        set.assume_init()
    }
}

/// Blocks the signals in this thread and all that it will start.
pub(crate) fn block(signals: &[i32]) {
    change(libc::SIG_BLOCK, signals);
}

/// Lets them through again in this thread.
pub(crate) fn unblock(signals: &[i32]) {
    change(libc::SIG_UNBLOCK, signals);
}

fn change(how: i32, signals: &[i32]) {
    let set = set_of(signals);
    // SAFETY: reads a valid set; the old one is not asked for. Fails only for an unknown `how`.
    unsafe { libc::pthread_sigmask(how, &set, std::ptr::null_mut()) };
}

fn dispose(signal: i32, handler: usize) {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: zeroes are a valid sigaction (no flags, empty mask); the handler is SIG_DFL or SIG_IGN, so that no code of
    // ours runs in a signal handler.
    unsafe {
        (*action.as_mut_ptr()).sa_sigaction = handler;
        libc::sigaction(signal, action.as_ptr(), std::ptr::null_mut());
    }
}

/// Sets the default disposition.
pub(crate) fn set_default(signal: i32) {
    dispose(signal, libc::SIG_DFL);
}

/// Ignores the signal.
pub(crate) fn set_ignored(signal: i32) {
    dispose(signal, libc::SIG_IGN);
}

/// A descriptor that is readable while one of its (blocked) signals is pending. Close-on-exec and non-blocking.
pub(crate) struct SignalFd(pub(crate) OwnedFd);

impl SignalFd {
    pub(crate) fn new(signals: &[i32]) -> io::Result<Self> {
        let set = set_of(signals);
        // SAFETY: reads a valid set and makes a new descriptor, which nothing else owns.
        let fd = unsafe { libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just made, valid, and owned by nobody else.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }
}

/// Sends a signal; a negative id means a process group. Failures (gone, not allowed) are the caller's to ignore or read.
pub(crate) fn kill(pid: i32, signal: i32) -> io::Result<()> {
    // Never "every process", which is what -1 means, nor our own group by accident.
    if pid == -1 || pid == 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: takes two numbers and touches no memory.
    if unsafe { libc::kill(pid, signal) } < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Our process group; 0 where it was made outside of our process namespace.
pub(crate) fn own_group() -> i32 {
    // SAFETY: takes nothing and gives a number.
    unsafe { libc::getpgrp() }
}

/// Whether this is the terminal of our session, wherever that was made.
pub(crate) fn is_controlling(terminal: impl AsFd) -> bool {
    // SAFETY: a descriptor that is open for the call; numbers otherwise.
    let (of_terminal, own) = unsafe { (libc::tcgetsid(terminal.as_fd().as_raw_fd()), libc::getsid(0)) };
    of_terminal >= 0 && of_terminal == own
}

/// Stops this process (or, with `group`, the whole process group) by the stop signal, as its default disposition does.
/// Returns when it was continued, or at once where the kernel refuses to stop an orphaned group.
pub(crate) fn pause_by(signal: i32, group: bool) {
    if signal != libc::SIGSTOP {
        set_default(signal);
        unblock(&[signal]);
    }
    // SAFETY: getpid and kill take and give numbers only; 0 is our own group.
    unsafe { libc::kill(if group { 0 } else { libc::getpid() }, signal) };
    if signal != libc::SIGSTOP {
        block(&[signal]);
    }
}

/// Ends this process by the signal, without a core: for callers that look at how their child died.
pub(crate) fn die_by(signal: i32) {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: reads a valid rlimit; lowering limits cannot break memory safety.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &none) };
    set_default(signal);
    unblock(&[signal]);
    // SAFETY: getpid and kill take and give numbers only.
    unsafe { libc::kill(libc::getpid(), signal) };
}

/// How many bytes wait in a pipe, seen from either end.
pub(crate) fn queue_of(pipe: impl std::os::fd::AsFd) -> u64 {
    rustix::io::ioctl_fionread(pipe).unwrap_or(0)
}
