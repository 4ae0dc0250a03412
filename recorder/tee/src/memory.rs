//! Keeping memory out of swap, for whoever has secrets beside a relay.
//!
//! The limits of this process stay what they are: the program that is run is to find them so.

use crate::sys;

/// Locks all memory that this process has and will have; false where it may not.
pub fn lock_all_memory() -> bool {
    sys::lock_all().is_ok()
}

/// Locks the pages of the `bytes` at `address`; false where the limit of locked memory does not allow it.
pub fn lock_memory(address: usize, bytes: usize) -> bool {
    sys::lock(address, bytes).is_ok()
}
