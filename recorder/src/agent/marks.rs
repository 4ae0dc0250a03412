//! Whether the shell of a session is to mark its commands, and by what.
//!
//! What is in the folder is run by every user's shell: it must be root's own, and so must everything on the way to it. Not
//! for how a shell reads it: `hansard_tee::put_marks`.

use std::path::Path;

use hansard_schemas::session::Kind;
use hansard_tee::MARK_FILES;

use crate::config::Interactive;
use crate::policy::{Decision, transfer};

/// The folder, as a tee is told of it. One that cannot be used is said, and the shell is started without: marks are a
/// convenience.
pub fn folder(config: &Interactive, decision: &Decision, kind: Kind) -> Option<Vec<u8>> {
    if !decision.shell_marks || kind != Kind::Interactive {
        return None;
    }
    match usable(&config.shell_marks_dir) {
        Ok(()) => Some(config.shell_marks_dir.as_os_str().as_encoded_bytes().to_vec()),
        Err(why) => {
            tracing::warn!("a shell is started that does not mark its commands: {why}");
            None
        }
    }
}

/// Fails unless all files are there, and root's own.
pub fn usable(folder: &Path) -> Result<(), String> {
    MARK_FILES.iter().try_for_each(|name| {
        let path = folder.join(name);
        transfer::is_roots(&path).map_err(|e| match e.kind() {
            std::io::ErrorKind::PermissionDenied => e.to_string(),
            _ => format!("{}: {e}", path.display()),
        })
    })
}
