//! The folder that members of the break-glass group record into while there is no agent: root makes it beforehand, each
//! member a spool of his own in it.
//!
//! Not for what happens there: `cmd::break_glass`.

use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;

use hansard_tee::settings::Settings;

use crate::paths::{BREAK_GLASS_SPOOLS, SHELL_CONF, STATE};
use crate::report::{Failure, io};

/// The group makes folders in it, and nobody lists it or removes another's.
const MODE: u32 = 0o1730;
/// Everybody may pass.
const STATE_MODE: u32 = 0o711;

/// Makes the folder where `shell.conf` names a group; gives a warning where that cannot be used.
pub fn prepare() -> Result<Option<String>, Failure> {
    let settings = Settings::load(Path::new(SHELL_CONF)).map_err(|what| {
        Failure::new(what).hint("correct it: login shells use the defaults instead, and have no break-glass group")
    })?;
    let Some(gid) = settings.break_glass_gid else { return Ok(None) };
    let (state, spools) = (Path::new(STATE), Path::new(BREAK_GLASS_SPOOLS));
    make(state, STATE_MODE)?;
    make(spools, MODE)?;
    chown(spools, Some(0), Some(gid)).map_err(io("give to the break-glass group", spools))?;
    std::fs::set_permissions(spools, std::fs::Permissions::from_mode(MODE)).map_err(io("set the mode of", spools))?;
    let passes = std::fs::metadata(state).map_err(io("look at", state))?.mode() & 0o001 != 0;
    let warning = || format!("users may not pass {STATE}, and so have no break-glass entry: chmod o+x {STATE}");
    Ok((!passes).then(warning))
}

fn make(folder: &Path, mode: u32) -> Result<(), Failure> {
    match std::fs::DirBuilder::new().mode(mode).create(folder) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => Err(io("make", folder)(e)),
        _ => Ok(()),
    }
}
