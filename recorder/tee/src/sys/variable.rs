//! One variable of the environment, set where nobody can be reading it.

use std::ffi::OsStr;

/// Sets it; refused while there are other threads.
pub(crate) fn set_variable(name: &OsStr, value: &OsStr) -> bool {
    let alone = std::fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() == 1);
    if alone {
        // Removed first, because it may be there more than once (sudo does that), and setting changes only the first.
        // SAFETY: with one thread nobody else reads or writes the environment meanwhile.
        unsafe {
            std::env::remove_var(name);
            std::env::set_var(name, value);
        }
    }
    alone
}
