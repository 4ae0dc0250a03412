//! Variables of the environment, set and removed where nobody can be reading it.

use std::ffi::OsStr;

/// Sets it; refused while there are other threads.
pub(crate) fn set_variable(name: &OsStr, value: &OsStr) -> bool {
    let alone = is_alone();
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

/// Adds those that are not there; refused while there are other threads.
pub(crate) fn add_variables<'v>(all: impl Iterator<Item = (&'v OsStr, &'v OsStr)>) -> bool {
    let alone = is_alone();
    if alone {
        for (name, value) in all.filter(|(name, _)| std::env::var_os(name).is_none()) {
            // SAFETY: with one thread nobody else reads or writes the environment meanwhile.
            unsafe { std::env::set_var(name, value) };
        }
    }
    alone
}

/// Removes all that are not to be kept; refused while there are other threads.
pub(crate) fn keep_variables(keep: impl Fn(&OsStr) -> bool) -> bool {
    let alone = is_alone();
    if alone {
        let others: Vec<_> = std::env::vars_os().map(|(name, _)| name).filter(|name| !keep(name)).collect();
        for name in others {
            // SAFETY: with one thread nobody else reads or writes the environment meanwhile; the list of names is a copy.
            unsafe { std::env::remove_var(name) };
        }
    }
    alone
}

fn is_alone() -> bool {
    std::fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() == 1)
}
