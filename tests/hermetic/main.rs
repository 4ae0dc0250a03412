//! The hermetic suite: the built recorder and player under terminals, pipes, kills and tampering of the test's own.
//!
//! It needs Rust and a POSIX system with `/bin/sh` and `/proc`, and runs with `cargo test --workspace`. What needs other
//! programs (editors, sudo, ssh, strace, databases) is in `real/`. One module per behaviour.

// Tests fail by panicking, their shared functions too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bad_input;
mod bombs;
mod byte_exact;
mod delivery;
mod events;
mod exec;
mod first_use;
mod import;
mod no_identity;
mod player;
mod policy;
mod stolen_disk;
mod surroundings;
mod survives_kill;
mod tampered;
mod terminal;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Held by tests that move tens of MiB or kill at random instants: they would measure each other.
fn heavy() -> MutexGuard<'static, ()> {
    static HEAVY: Mutex<()> = Mutex::new(());
    HEAVY.lock().unwrap_or_else(PoisonError::into_inner)
}
