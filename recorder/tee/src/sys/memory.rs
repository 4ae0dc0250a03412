//! Memory that stays out of swap.

use std::io;

/// Locks all memory of this process, each page once it is touched, and what it will have later as well. Refused without the
/// privilege where the process is larger than its limit of locked memory.
pub(crate) fn lock_all() -> io::Result<()> {
    // SAFETY: takes a number; what it changes is where pages may be, not what is in them.
    let result = unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE | libc::MCL_ONFAULT) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Locks the pages that hold these bytes, for as long as they are mapped.
pub(crate) fn lock(address: usize, bytes: usize) -> io::Result<()> {
    // SAFETY: reads and writes nothing there; an address where nothing is mapped is refused with an error.
    let result = unsafe { libc::mlock(std::ptr::without_provenance(address), bytes) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
