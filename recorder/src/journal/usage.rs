//! How much the spool holds, measured once for all sessions: looking at every file takes long where there are thousands.
//!
//! Not for what that means: `capture::quota`.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::spool::Spool;

/// How old a measurement may be, and how often one is made while somebody asks.
pub const MEASURE: Duration = Duration::from_secs(5);
/// A measurement may take this part of the time: one of a second is made every twenty.
pub const SHARE: u32 = 20;

/// The measurements of one spool.
#[derive(Debug)]
pub struct Usage {
    spool: Spool,
    bytes: AtomicU64,
    /// How many there were.
    count: AtomicU64,
    asked: AtomicBool,
    /// When the last one was.
    at: Mutex<Option<Instant>>,
}

impl Usage {
    /// Not measured yet.
    pub fn new(spool: Spool) -> Self {
        let (bytes, count) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { spool, bytes, count, asked: AtomicBool::new(false), at: Mutex::new(None) }
    }

    /// What was measured last, in bytes, and how many measurements there were. Waits for nothing; there will be another
    /// soon.
    pub fn last(&self) -> (u64, u64) {
        self.asked.store(true, Ordering::Relaxed);
        (self.bytes.load(Ordering::Acquire), self.count.load(Ordering::Acquire))
    }

    /// What is used now or was a moment ago, in bytes. Measures, if need be.
    pub fn now(&self) -> u64 {
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        if at.is_none_or(|at| at.elapsed() >= MEASURE) {
            self.measure();
            *at = Some(Instant::now());
        }
        self.bytes.load(Ordering::Acquire)
    }

    /// Measures, if somebody has asked since the last time. Gives back how long that took.
    pub fn measure_if_asked(&self) -> Duration {
        if self.asked.swap(false, Ordering::Relaxed) { self.measure_now() } else { Duration::ZERO }
    }

    /// Measures, for whoever writes more than there should be between two measurements. Gives back how long that took.
    pub fn measure_now(&self) -> Duration {
        let begun = Instant::now();
        self.measure();
        *self.at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        begun.elapsed()
    }

    fn measure(&self) {
        self.bytes.store(self.spool.used(), Ordering::Release);
        self.count.fetch_add(1, Ordering::AcqRel);
    }

    /// The spool.
    pub fn spool(&self) -> &Spool {
        &self.spool
    }
}
