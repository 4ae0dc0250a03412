//! The harness of the end-to-end suites: homes to record in, terminals to record on, streams to record.
//!
//! It drives the built programs from outside, through their command lines and a terminal of its own, and knows
//! none of their insides. The tests are in `hermetic/` (needs Rust and a POSIX system), `real/` (needs the
//! programs of the outside) and `stores/` (needs its servers, which are in `servers`). Nothing here sleeps for a fixed time to let something happen: every wait is for a
//! condition, with a deadline that fails the test.

// A harness that cannot go on has one thing to do: fail the test that called it, at once and loudly.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod call;
pub mod clock;
pub mod home;
pub mod lines;
pub mod namespace;
pub mod process;
pub mod programs;
pub mod servers;
pub mod sshd;
pub mod stream;
pub mod terminal;

use std::time::{Duration, Instant};

/// How long anything may take that should happen at once. Generous: a loaded two-core machine, a debug build.
pub const SOON: Duration = Duration::from_secs(30);
/// How long a stream of tens of MiB may take through a debug build.
pub const LONG: Duration = Duration::from_secs(240);

/// The number that a test's long form gives in the environment, or that of its short form.
pub fn form(variable: &str, short: u64) -> u64 {
    std::env::var(variable).map_or(short, |text| text.parse().expect("a number"))
}

/// Waits until `holds` gives something, and fails naming `what` when `limit` has passed.
pub fn wait_until<T>(what: &str, limit: Duration, mut holds: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = holds() {
            return value;
        }
        assert!(started.elapsed() < limit, "not within {limit:?}: {what}");
        // The interval of a poll, not a guess at how long something takes.
        std::thread::sleep(Duration::from_millis(2));
    }
}
