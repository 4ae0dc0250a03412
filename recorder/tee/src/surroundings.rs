//! The one variable that a login shell's stand-in must correct.
//!
//! Whoever starts a login shell sets SHELL to it; the program that is run is to find the shell that it would have found
//! without us. Not for anything else in the environment, which is passed on as it came.

use std::ffi::OsStr;

use crate::sys;

/// Sets SHELL for what is started from now on. To be called while this process has one thread; false where it has more.
pub fn set_shell_variable(shell: &OsStr) -> bool {
    sys::set_variable(OsStr::new("SHELL"), shell)
}
