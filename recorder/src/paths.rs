//! Where things lie when nothing is configured: the XDG base directories for a user, fixed places for a host with an agent.
//!
//! Not for names inside the spool (`journal::spool`) or a store (`hansard_schemas::names`).

use std::path::PathBuf;

use crate::report::Failure;

/// The system-wide configuration.
pub const SYSTEM_CONFIG: &str = "/etc/hansard/record.toml";
/// What root says about this host; everybody may read it.
pub const ETC: &str = "/etc/hansard";
/// The real shells of enrolled users, `user:/bin/bash` a line.
pub const SHELLS: &str = "/etc/hansard/shells";
/// Held while [`SHELLS`] is changed; for root alone, so that nobody else can hold it.
pub const SHELLS_LOCK: &str = "/etc/hansard/shells.lock";
/// What the login shell reads: where the agent is, how long to wait for it.
pub const SHELL_CONF: &str = "/etc/hansard/shell.conf";
/// The login shell of enrolled users.
pub const LOGIN_SHELL: &str = "/usr/bin/hansard-shell";
/// Where the agent listens.
pub const SOCKET: &str = "/run/hansard/agent.sock";
/// What makes shells mark their commands.
pub const SHELL_MARKS: &str = "/usr/share/hansard/shell";
/// What the recorders of this host keep.
pub const STATE: &str = "/var/lib/hansard";
/// Where each member of the break-glass group has a spool of his own.
pub const BREAK_GLASS_SPOOLS: &str = "/var/lib/hansard/break-glass";
/// The agent's spool.
pub const AGENT_SPOOL: &str = "/var/lib/hansard/spool";
/// The local user database.
pub const PASSWD: &str = "/etc/passwd";
/// The shells that users may choose from; the login shell must not be among them.
pub const ALLOWED_SHELLS: &str = "/etc/shells";

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
