//! What a program file that is setgid brings along: a group that is not its user's, and fewer variables than he has set.
//!
//! The group is for reaching the agent, and for nobody to trace us; what is run has it no more. Not for other privileges:
//! there are none.

/// Makes the real group the effective and the saved one; false where that is refused, which no kernel does.
///
/// Async-signal-safe.
pub(crate) fn drop_group() -> bool {
    // SAFETY: two calls that take and give numbers.
    unsafe {
        let gid = libc::getgid();
        libc::setresgid(gid, gid, gid) == 0
    }
}

/// Whether the kernel ran us with a group or user that our parent did not have.
pub(crate) fn is_setgid() -> bool {
    // SAFETY: takes and gives a number.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}
