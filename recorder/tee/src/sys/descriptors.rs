//! The descriptors above 2 that our parent passed on: the child gets them and nothing else, and we let them go.
//!
//! Remembered before anything of ours is opened, because a missing close-on-exec flag proves nothing later: libraries
//! open pipes without it. Not for 0, 1 and 2: `original` and `spawn`.

use std::sync::{Mutex, PoisonError};

static PASSED_ON: Mutex<Option<Vec<i32>>> = Mutex::new(None);

/// Remembers what is open now and not ours. To be called once, before other libraries open anything; where it was not,
/// the first use remembers what there is then.
pub(crate) fn remember() {
    with(|_| ());
}

/// What was passed on and is not closed yet.
pub(super) fn passed_on() -> Vec<i32> {
    with(|fds| fds.clone())
}

/// Closes what only the child is to hold: as long as we held it, whoever waits for its end would wait for us.
pub(crate) fn close_passed_on() {
    for fd in with(std::mem::take) {
        // SAFETY: the number was open, without close-on-exec, before this process opened anything, and has not been
        // closed since: the list is taken once. So it is our parent's, and no owner in this process holds it.
        unsafe { libc::close(fd) };
    }
}

fn with<T>(work: impl FnOnce(&mut Vec<i32>) -> T) -> T {
    let mut passed_on = PASSED_ON.lock().unwrap_or_else(PoisonError::into_inner);
    work(passed_on.get_or_insert_with(look))
}

fn look() -> Vec<i32> {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return Vec::new() };
    let numbers: Vec<i32> = entries.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect();
    let is_passed_on = |fd: &i32| {
        // SAFETY: F_GETFD takes any number and changes nothing.
        let flags = unsafe { libc::fcntl(*fd, libc::F_GETFD) };
        *fd > 2 && flags >= 0 && flags & libc::FD_CLOEXEC == 0
    };
    numbers.into_iter().filter(is_passed_on).collect()
}

/// Where `close_range` is missing (before Linux 5.11), descriptors below this are looked at one by one.
const ONE_BY_ONE: i32 = 65_536;

/// Leaves an exec nothing but 0, 1, 2 and these.
///
/// # Safety
/// Only in the child of a fork, which is about to exec: descriptors of others in this process lose nothing but their way
/// through the exec. Makes async-signal-safe calls only.
pub(super) unsafe fn pass_on_only(passed_on: &[i32]) {
    // SAFETY: the calls take any numbers and change flags of descriptors only.
    unsafe {
        if libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) != 0 {
            for fd in 3..ONE_BY_ONE {
                libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
            }
        }
        for fd in passed_on {
            libc::fcntl(*fd, libc::F_SETFD, 0);
        }
    }
}
