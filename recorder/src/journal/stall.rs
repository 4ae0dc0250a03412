//! Tells the user when a write to the journal does not return, and serves him where the relay waits for it.
//!
//! The thread that has the session is then inside `write(2)` and can do neither; this thread can. Not for errors, which
//! return.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hansard_tee::StandIn;

use crate::capture::clock::boottime_us;

/// Set around each write.
#[derive(Debug, Default)]
pub struct Flag {
    /// Microseconds of `CLOCK_BOOTTIME` at which the write began; 0 while there is none.
    since_us: AtomicU64,
    shown: AtomicBool,
    over: AtomicBool,
    stand_in: OnceLock<StandIn>,
}

impl Flag {
    /// A write begins.
    pub fn begin(&self) {
        self.since_us.store(u64::try_from(boottime_us()).unwrap_or(1), Ordering::Release);
    }

    /// It has returned.
    pub fn end(&self) {
        self.since_us.store(0, Ordering::Release);
    }
}

/// The watching thread.
#[derive(Debug)]
pub struct StallWatch {
    flag: Arc<Flag>,
}

impl StallWatch {
    /// Starts watching for writes that take longer than `limit`.
    pub fn start(limit: Duration) -> std::io::Result<Self> {
        let flag = Arc::new(Flag::default());
        let shared = Arc::clone(&flag);
        let step = (limit / 4).max(Duration::from_millis(50));
        std::thread::Builder::new().name("stall".into()).spawn(move || {
            while !shared.over.load(Ordering::Acquire) {
                std::thread::sleep(step);
                let since = shared.since_us.load(Ordering::Acquire);
                let now = u64::try_from(boottime_us()).unwrap_or(0);
                let stalled =
                    since != 0 && now.saturating_sub(since) > u64::try_from(limit.as_micros()).unwrap_or(u64::MAX);
                if stalled && !shared.shown.swap(true, Ordering::AcqRel) {
                    show();
                }
                if let (true, Some(stand_in)) = (stalled, shared.stand_in.get()) {
                    stand_in.serve(|| shared.since_us.load(Ordering::Acquire) == since);
                }
            }
        })?;
        Ok(Self { flag })
    }

    /// What serves the user. The first one stays.
    pub fn lend(&self, stand_in: StandIn) {
        let _ = self.flag.stand_in.set(stand_in);
    }

    /// For the writer.
    pub fn flag(&self) -> Arc<Flag> {
        Arc::clone(&self.flag)
    }

    /// Whether a stall was shown since the last call; the recording must say so.
    pub fn take_shown(&self) -> bool {
        self.flag.shown.swap(false, Ordering::AcqRel)
    }
}

impl Drop for StallWatch {
    fn drop(&mut self) {
        self.flag.over.store(true, Ordering::Release);
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
