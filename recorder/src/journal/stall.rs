//! Tells the user when a write to the journal does not return, and serves him where the relay waits for it.
//!
//! The thread that has the session is then inside `write(2)` and can do neither; this thread can. Not for errors, which
//! return.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use hansard_tee::StandIn;

use crate::capture::clock::boottime_us;

/// Set around each write of one session.
#[derive(Debug)]
pub struct Flag {
    /// Microseconds of `CLOCK_BOOTTIME` at which the write began; 0 while there is none.
    since_us: AtomicU64,
    limit_us: u64,
    /// This process's terminal is the session's.
    on_terminal: bool,
    shown: AtomicBool,
    stand_in: OnceLock<StandIn>,
}

impl Flag {
    /// A write begins.
    pub fn begin(&self) {
        self.since_us.store(now_us(), Ordering::Release);
    }

    /// It has returned.
    pub fn end(&self) {
        self.since_us.store(0, Ordering::Release);
    }

    /// What serves the user. The first one stays.
    pub fn lend(&self, stand_in: StandIn) {
        let _ = self.stand_in.set(stand_in);
    }

    /// Whether a write takes longer than the limit now.
    pub fn is_stalled(&self) -> bool {
        let since = self.since_us.load(Ordering::Acquire);
        since != 0 && now_us().saturating_sub(since) > self.limit_us
    }

    /// Whether a stall was met since the last call; the recording must say so.
    pub fn take_shown(&self) -> bool {
        self.shown.swap(false, Ordering::AcqRel)
    }

    fn look(&self) {
        let since = self.since_us.load(Ordering::Acquire);
        if !self.is_stalled() {
            return;
        }
        if !self.shown.swap(true, Ordering::AcqRel) && self.on_terminal {
            show();
        }
        if let Some(stand_in) = self.stand_in.get() {
            stand_in.serve(|| self.since_us.load(Ordering::Acquire) == since);
        }
    }
}

fn now_us() -> u64 {
    u64::try_from(boottime_us()).unwrap_or(1)
}

/// Every session that is watched, and whether the watch is over.
#[derive(Debug, Default)]
struct Watched {
    flags: Mutex<Vec<Weak<Flag>>>,
    over: AtomicBool,
}

/// The watching thread: one for all sessions of the process.
#[derive(Debug)]
pub struct StallWatch {
    watched: Arc<Watched>,
    limit: Duration,
}

impl StallWatch {
    /// Starts watching for writes that take longer than `limit`.
    pub fn start(limit: Duration) -> std::io::Result<Self> {
        let watched = Arc::new(Watched::default());
        let shared = Arc::clone(&watched);
        let step = (limit / 4).max(Duration::from_millis(50));
        std::thread::Builder::new().name("stall".into()).spawn(move || {
            while !shared.over.load(Ordering::Acquire) {
                std::thread::sleep(step);
                let mut flags = shared.flags.lock().unwrap_or_else(PoisonError::into_inner);
                flags.retain(|flag| flag.strong_count() > 0);
                let flags: Vec<_> = flags.iter().filter_map(Weak::upgrade).collect();
                flags.iter().for_each(|flag| flag.look());
            }
        })?;
        Ok(Self { watched, limit })
    }

    /// For one more session. Where it is `on_terminal` of this process, a stall is shown there.
    pub fn flag(&self, on_terminal: bool) -> Arc<Flag> {
        let flag = Arc::new(Flag {
            since_us: AtomicU64::new(0),
            limit_us: u64::try_from(self.limit.as_micros()).unwrap_or(u64::MAX),
            on_terminal,
            shown: AtomicBool::new(false),
            stand_in: OnceLock::new(),
        });
        let mut flags = self.watched.flags.lock().unwrap_or_else(PoisonError::into_inner);
        flags.push(Arc::downgrade(&flag));
        flag
    }
}

impl Drop for StallWatch {
    fn drop(&mut self) {
        self.watched.over.store(true, Ordering::Release);
    }
}

/// The text shown; the recording names it in a marker.
pub const TEXT: &str = "hansard-record: output is held: the disk of the spool does not answer";

fn show() {
    // Without a terminal there is nobody to tell; the marker in the recording remains.
    let tty = OpenOptions::new().write(true).custom_flags(libc_nonblock()).open("/dev/tty");
    if let Ok(mut tty) = tty {
        let _ = write!(tty, "\r\n{TEXT}\r\n");
    }
}

fn libc_nonblock() -> i32 {
    i32::try_from((rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY).bits()).unwrap_or(0)
}
