//! The process's surroundings as its parent gave them, taken before Rust's runtime changes any.
//!
//! The runtime ignores SIGPIPE and opens /dev/null for closed standard descriptors before `main`; a constructor is the
//! only place that still sees the truth. Not for restoring them: `spawn` does that in the child.

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};

static TAKEN: AtomicBool = AtomicBool::new(false);
static IGNORED: AtomicU64 = AtomicU64::new(0);
static BLOCKED: AtomicU64 = AtomicU64::new(0);
static CLOSED: AtomicU8 = AtomicU8::new(0);

/// Linux has signals 1 to 64.
pub(super) const LAST_SIGNAL: i32 = 64;

/// The surroundings that a child gets back.
#[derive(Clone, Copy)]
pub(crate) struct Original {
    /// Bit n-1: signal n was ignored.
    pub(super) ignored: u64,
    /// Bit n-1: signal n was blocked.
    pub(super) blocked: u64,
    /// Bit n: descriptor n of 0 to 2 was closed.
    pub(super) closed: u8,
}

impl Original {
    /// As the constructor saw them; as they are now, should it not have run.
    pub(crate) fn get() -> Self {
        if !TAKEN.load(Relaxed) {
            capture();
            // By now the runtime has ignored it; nothing else is known to have.
            IGNORED.fetch_and(!bit(libc::SIGPIPE), Relaxed);
        }
        Self { ignored: IGNORED.load(Relaxed), blocked: BLOCKED.load(Relaxed), closed: CLOSED.load(Relaxed) }
    }

    /// Whether the parent ignored this signal.
    pub(crate) fn ignores(&self, signal: i32) -> bool {
        self.ignored & bit(signal) != 0
    }

    /// Whether the parent had blocked this signal.
    pub(crate) fn blocks(&self, signal: i32) -> bool {
        self.blocked & bit(signal) != 0
    }

    /// Whether descriptor 0, 1 or 2 was closed.
    pub(crate) fn was_closed(&self, descriptor: u8) -> bool {
        self.closed & (1 << descriptor) != 0
    }
}

pub(super) fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

extern "C" fn capture() {
    let (mut ignored, mut blocked, mut closed) = (0, 0, 0);
    for signal in 1..=LAST_SIGNAL {
        let mut action = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: a null new action only reads the old one into memory of the right type; zeroes are a valid
        // sigaction, so it may be read whether or not the call filled it (it refuses glibc's own two signals).
        let handler = unsafe {
            libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr());
            action.assume_init().sa_sigaction
        };
        if handler == libc::SIG_IGN {
            ignored |= bit(signal);
        }
    }
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: a null new set only reads the mask into `set`, which is zeroed and so a valid (empty) set in any case.
    let set = unsafe {
        libc::sigprocmask(libc::SIG_BLOCK, std::ptr::null(), set.as_mut_ptr());
        set.assume_init()
    };
    for signal in 1..=LAST_SIGNAL {
        // SAFETY: reads a set that the call above or zeroing has made.
        if unsafe { libc::sigismember(&set, signal) } == 1 {
            blocked |= bit(signal);
        }
    }
    for descriptor in 0..3 {
        // SAFETY: F_GETFD takes any number and changes nothing.
        if unsafe { libc::fcntl(descriptor, libc::F_GETFD) } == -1 {
            closed |= 1 << descriptor;
        }
    }
    IGNORED.store(ignored, Relaxed);
    BLOCKED.store(blocked, Relaxed);
    CLOSED.store(closed, Relaxed);
    TAKEN.store(true, Relaxed);
}

// SAFETY: functions in .init_array run once, before Rust's runtime, on the only thread, with libc ready; `capture` uses
// only libc calls and atomics and cannot panic.
#[used]
#[unsafe(link_section = ".init_array")]
static CAPTURE: extern "C" fn() = capture;
