//! The suite against programs of the outside: shells, editors, sudo, ssh, databases, strace, other players.
//!
//! `cargo test -p hansard-tests --features real --test real`, as root on Linux. A program that is missing fails the
//! test that needs it: nothing is skipped. `hermetic/` is the suite for every machine.

// Tests fail by panicking, their shared functions too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod disk;
mod enrolled;
mod failing_disk;
mod guests;
mod inside;
mod kept_order;
mod masked_input;
mod masked_inside;
mod other_players;
mod power_loss;
mod secrets_gone;
mod shell_marks;
mod sick_disk;
mod surroundings;
mod time;
mod trace;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Held by tests that measure times or read much memory: they would measure each other.
fn heavy() -> MutexGuard<'static, ()> {
    static HEAVY: Mutex<()> = Mutex::new(());
    HEAVY.lock().unwrap_or_else(PoisonError::into_inner)
}
