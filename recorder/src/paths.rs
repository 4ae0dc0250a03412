//! Where things lie when nothing is configured: the XDG base directories.
//!
//! Not for names inside the spool (`journal::spool`) or a store (`hansard_schemas::names`).

use std::path::PathBuf;

use crate::report::Failure;

/// The system-wide configuration.
pub const SYSTEM_CONFIG: &str = "/etc/hansard/record.toml";

fn base(variable: &str, below_home: &str) -> Result<PathBuf, Failure> {
    // The specification has relative values ignored.
    if let Some(dir) = std::env::var_os(variable).map(PathBuf::from).filter(|p| p.is_absolute()) {
        return Ok(dir.join("hansard"));
    }
    std::env::var_os("HOME")
        .map(PathBuf::from)
        .filter(|p| p.is_absolute())
        .map(|home| home.join(below_home).join("hansard"))
        .ok_or_else(|| {
            Failure::new(format_args!("neither HOME nor {variable} names a directory"))
                .hint("set HOME, or give --spool, --to and --recipient")
        })
}

/// `~/.config/hansard`.
pub fn config_dir() -> Result<PathBuf, Failure> {
    base("XDG_CONFIG_HOME", ".config")
}

/// `~/.local/share/hansard`: the store of a first use.
pub fn store_dir() -> Result<PathBuf, Failure> {
    base("XDG_DATA_HOME", ".local/share")
}

/// `~/.local/state/hansard/spool`.
pub fn spool_dir() -> Result<PathBuf, Failure> {
    Ok(base("XDG_STATE_HOME", ".local/state")?.join("spool"))
}

/// The identity made at first use.
pub fn identity_file() -> Result<PathBuf, Failure> {
    Ok(config_dir()?.join("identity.txt"))
}
