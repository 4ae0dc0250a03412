//! Where the program under test is. Whoever shares `store` has a module of this name, and says it as it is there.

use std::path::PathBuf;

/// `hansard-replay`.
pub fn replay() -> PathBuf {
    env!("CARGO_BIN_EXE_hansard-replay").into()
}
