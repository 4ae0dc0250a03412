//! Who opened the session, on what, and what they claim (FORMAT.md, section 9).
//!
//! `kernel` holds what the kernel or the user database says, `claimed` what the user could have set. Without an agent
//! both are collected by the user's own process; the chain says so by its uid. Not for policy.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use hansard_schemas::ids::BootId;
use hansard_schemas::session::{Claimed, Identity, Kernel, Kind};
use hansard_schemas::{Digest, SessionId, Timestamp};
use hmac::{Hmac, Mac as _};
use rustix::process::{getgid, getgroups, getppid, getuid};
use rustix::termios::{isatty, ttyname};

use crate::report::{Failure, io};

/// The host as the kernel describes it.
#[derive(Debug, Clone)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Its machine id, hashed so that the id itself stays on the host.
    pub machine: Option<Digest>,
    /// The present boot.
    pub boot: BootId,
}

impl Host {
    /// This host, now.
    pub fn this() -> Result<Self, Failure> {
        let path = Path::new("/proc/sys/kernel/random/boot_id");
        let text = std::fs::read_to_string(path).map_err(io("read the boot id from", path))?;
        let boot = text.trim_end().parse().map_err(Failure::new)?;
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Ok(Self { name, machine: machine_id().as_deref().and_then(hash_machine), boot })
    }
}

fn machine_id() -> Option<String> {
    ["/etc/machine-id", "/var/lib/dbus/machine-id"]
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok())
        .map(|text| text.trim_end().to_owned())
        .filter(|text| !text.is_empty())
}

fn hash_machine(id: &str) -> Option<Digest> {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(id.as_bytes()).ok()?;
    mac.update(b"hansard/1 machine");
    Some(Digest(mac.finalize().into_bytes().into()))
}

/// What must be looked at before this process forks: afterwards parent and standard input are others.
#[derive(Debug, Clone)]
pub struct Surroundings {
    ppid: u32,
    parent: Option<String>,
    tty: Option<String>,
}

impl Surroundings {
    /// Those of this process.
    pub fn look() -> Self {
        let stdin = std::io::stdin();
        let parent = getppid();
        Self {
            ppid: parent.map_or(0, |p| u32::try_from(p.as_raw_nonzero().get()).unwrap_or(0)),
            parent: parent
                .and_then(|p| std::fs::read_link(format!("/proc/{}/exe", p.as_raw_nonzero())).ok())
                .map(|path| path.to_string_lossy().into_owned()),
            tty: isatty(&stdin)
                .then(|| ttyname(&stdin, Vec::new()).ok())
                .flatten()
                .map(|name| name.to_string_lossy().into_owned()),
        }
    }
}

/// What the command line and the configuration add.
#[derive(Debug, Clone, Default)]
pub struct Stated {
    /// The command, empty for the user's shell.
    pub command: Vec<OsString>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Why.
    pub reason: Option<String>,
    /// Names of environment variables to record.
    pub env: Vec<String>,
}

/// The identity object of a session that begins now.
pub fn identify(
    session: SessionId,
    started: Timestamp,
    host: &Host,
    interactive: bool,
    stated: &Stated,
    around: &Surroundings,
) -> Identity {
    let uid = getuid().as_raw();
    let env = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    Identity {
        session,
        started,
        host: host.name.clone(),
        kind: if interactive { Kind::Interactive } else { Kind::Exec },
        kernel: Kernel {
            uid,
            gid: getgid().as_raw(),
            groups: getgroups().unwrap_or_default().into_iter().map(|g| g.as_raw()).collect(),
            login_uid: login_uid(),
            ppid: around.ppid,
            parent: around.parent.clone(),
            tty: around.tty.clone(),
            hostname: host.name.clone(),
            machine: host.machine,
            boot: host.boot,
            user: uzers::get_user_by_uid(uid).map(|user| user.name().to_string_lossy().into_owned()),
            origin: None,
        },
        claimed: Claimed {
            command: stated.command.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
            cwd: std::env::current_dir().map(|dir| dir.to_string_lossy().into_owned()).unwrap_or_default(),
            env: stated.env.iter().filter_map(|name| env(name).map(|value| (name.clone(), value))).collect(),
            labels: stated.labels.clone(),
            reason: stated.reason.clone(),
            ssh_connection: env("SSH_CONNECTION"),
            ssh_user_auth: user_auth(),
            ssh_key: None,
        },
    }
}

/// The audit login uid; the kernel's "unset" is none.
fn login_uid() -> Option<u32> {
    let text = std::fs::read_to_string("/proc/self/loginuid").ok()?;
    text.trim_end().parse().ok().filter(|uid| *uid != u32::MAX)
}

/// What authenticated an SSH session: on shared accounts the key is the person.
fn user_auth() -> Option<String> {
    hansard_tee::ssh_user_auth().map(|text| String::from_utf8_lossy(&text).trim_end().to_owned())
}
