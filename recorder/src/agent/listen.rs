//! The agent's socket: the one that systemd holds, or one of its own; and the word to systemd that the agent is ready.
//!
//! Not for who may connect: everybody may, and the kernel says who it is.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use sd_notify::NotifyState;

use crate::report::{Failure, io};

/// The socket to serve, and whether systemd holds it.
pub fn listener(path: &Path) -> Result<(UnixListener, bool), Failure> {
    let passed = listenfd::ListenFd::from_env().take_unix_listener(0);
    match passed.map_err(|e| Failure::new(format_args!("the socket that systemd passed on cannot be used: {e}")))? {
        Some(listener) => Ok((listener, true)),
        None => own(path).map(|listener| (listener, false)),
    }
}

fn own(path: &Path) -> Result<UnixListener, Failure> {
    if UnixStream::connect(path).is_ok() {
        return Err(Failure::new(format_args!("another agent serves {}", path.display()))
            .hint("stop it first, or give this one another socket with agent.socket"));
    }
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(io("remove the old socket", path)(e)),
        _ => {}
    }
    let listener = UnixListener::bind(path)
        .map_err(|e| io("make the socket", path)(e).hint("its folder must exist and be writable by the agent only"))?;
    // Who connects is known by the kernel's word, and everybody's session is to be recorded.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666)).map_err(io("open up the socket", path))?;
    Ok(listener)
}

/// Tells systemd that sessions can start.
pub fn ready() {
    // Where nobody listens there is nobody to tell.
    let _ = sd_notify::notify(false, &[NotifyState::Ready]);
}

/// Tells systemd that the configuration is being read again, or that this is done.
pub fn reloading(done: bool) {
    let state = if done { NotifyState::Ready } else { NotifyState::Reloading };
    let _ = sd_notify::notify(false, &[state]);
}

/// Tells systemd that the agent ends.
pub fn stopping() {
    let _ = sd_notify::notify(false, &[NotifyState::Stopping]);
}

/// How often systemd wants to hear that the agent works, if it does.
pub fn watchdog() -> Option<Duration> {
    let mut micros = 0;
    sd_notify::watchdog_enabled(false, &mut micros).then(|| Duration::from_micros(micros / 2))
}

/// Says that it works.
pub fn alive() {
    let _ = sd_notify::notify(false, &[NotifyState::Watchdog]);
}
