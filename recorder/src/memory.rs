//! What this process holds in memory stays there: out of core dumps, and out of swap as far as the system allows.
//!
//! Locks everything where it may. Where the limit of locked memory is in the way, which it is for a user without
//! privileges, the pages that hold keys: those are few. The limit itself is left alone, because the recorded program is to
//! find it as it was. Not for wiping, which is done where the keys are.

use std::sync::atomic::{AtomicBool, Ordering};

use hansard_schemas::held::keep_secrets_with;
use hansard_tee::{lock_all_memory, lock_memory};
use rustix::process::{DumpableBehavior, Resource, getrlimit, set_dumpable_behavior};

use crate::report::Failure;

/// What of the memory never reaches the swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// All of it.
    All,
    /// The pages that hold keys.
    Keys,
    /// Nothing can be relied on.
    Nothing {
        /// The limit of locked memory, in bytes.
        limit: u64,
    },
}

/// A place with a key could not be locked.
static MISSED: AtomicBool = AtomicBool::new(false);

fn keep_place(address: usize, bytes: usize) {
    if !lock_memory(address, bytes) {
        MISSED.store(true, Ordering::Release);
    }
}

/// From now on no core of this process is written, no debugger of the same user attaches, and what can be locked is. To be
/// called before there is a key, after the last fork that should have it too.
pub fn keep() -> Result<Kept, Failure> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(Failure::new)?;
    if lock_all_memory() {
        return Ok(Kept::All);
    }
    keep_secrets_with(keep_place);
    let tried = Box::new([0_u8; 32]);
    keep_place(tried.as_ptr().addr(), tried.len());
    Ok(if MISSED.load(Ordering::Acquire) {
        Kept::Nothing { limit: getrlimit(Resource::Memlock).current.unwrap_or(u64::MAX) }
    } else {
        Kept::Keys
    })
}
