//! `break-glass`: what `hansard-shell` runs for a member of the break-glass group when no agent answers.
//!
//! The entry is said by every channel that a user's process has, then recorded as `run` records: sealed, into a spool of its
//! own, which root delivers later (`ship --spool`). Not for deciding who may: the shell has, by the kernel's word.

use std::ffi::OsString;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use hansard_schemas::names::safe;
use rand::RngCore as _;
use rand::rngs::OsRng;
use rustix::process::getuid;

use crate::cli::{BreakGlassArgs, PlaceArgs, RunArgs};
use crate::paths::{BREAK_GLASS_SPOOLS, SHELLS};
use crate::report::{Failure, io};

/// Where the recording goes and who may read it; readable by everybody, unlike the agent's.
const CONFIG: &str = "/etc/hansard/break-glass.toml";
const SYSLOG: &str = "/dev/log";
const CONSOLE: &str = "/dev/console";
/// Facility authpriv, severity alert (RFC 5424, 6.2.1).
const PRIORITY: u8 = 10 * 8 + 1;

/// Records a session without an agent.
pub fn run(args: BreakGlassArgs) -> Result<i32, Failure> {
    let uid = getuid().as_raw();
    let user = uzers::get_user_by_uid(uid).map(|user| user.name().to_string_lossy().into_owned());
    let user = user.unwrap_or_else(|| uid.to_string());
    let from = std::env::var("SSH_CONNECTION").unwrap_or_else(|_| "no ssh".into());
    let words: Vec<_> = args.command.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let text = format!(
        "break-glass entry without the recording agent: user {} (uid {uid}), from {}, command {:?}, because {}",
        safe(&user),
        safe(&from),
        words.join(" "),
        safe(&args.why),
    );
    let told = tell(&text);
    let _ = writeln!(
        std::io::stderr(),
        "hansard: no agent answers; you are in the break-glass group. This entry was reported ({}), and is recorded.",
        if told.is_empty() { "nobody could be reached".into() } else { told.join(", ") },
    );
    let spool = spool(uid)?;
    let shell = crate::agent::shell_of(Path::new(SHELLS), &user);
    // Whatever starts $SHELL is to find the shell that it would have found without us. There is one thread yet.
    hansard_tee::set_shell_variable(shell.as_os_str());
    let login = args.login.then(|| OsString::from("-l"));
    crate::cmd::run::run(RunArgs {
        place: PlaceArgs { spool: Some(spool), config: Some(PathBuf::from(CONFIG)) },
        reason: Some(format!("break-glass: {}", args.why)),
        unrecorded: Some(format!("break-glass, without the agent: {}", args.why)),
        label: vec!["break-glass=true".into()],
        command: std::iter::once(shell.into_os_string()).chain(login).chain(args.command).collect(),
        ..RunArgs::default()
    })
}

/// The user's own spool. A folder that has its name and is not his alone is another's trap, or obstacle: he gets one beside
/// it.
fn spool(uid: u32) -> Result<PathBuf, Failure> {
    let folder = Path::new(BREAK_GLASS_SPOOLS);
    let own = folder.join(uid.to_string());
    let another = folder.join(format!("{uid}.{:016x}", OsRng.next_u64()));
    for spool in [own, another] {
        match std::fs::DirBuilder::new().mode(0o700).create(&spool) {
            Ok(()) => return Ok(spool),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                let found = std::fs::symlink_metadata(&spool).map_err(io("look at the spool", &spool))?;
                if found.is_dir() && found.uid() == uid && found.mode() & 0o077 == 0 {
                    return Ok(spool);
                }
            }
            Err(e) => {
                return Err(io("make the spool", &spool)(e).hint(format_args!(
                    "as root, `hansard-record enroll` makes its folder; or: install -d -g GROUP -m 1730 {}",
                    folder.display()
                )));
            }
        }
    }
    Err(Failure::new(format_args!("there is no spool for uid {uid} in {}", folder.display())))
}

/// Says it wherever it can be said; gives the names of those places.
fn tell(text: &str) -> Vec<&'static str> {
    let mut told = Vec::new();
    let line = format!("<{PRIORITY}>hansard-record[{}]: {text}", std::process::id());
    if UnixDatagram::unbound().and_then(|socket| socket.send_to(line.as_bytes(), SYSLOG)).is_ok() {
        told.push("syslog");
    }
    let console = std::fs::OpenOptions::new().write(true).open(CONSOLE);
    if console.and_then(|mut console| writeln!(console, "\r\nhansard: {text}\r")).is_ok() {
        told.push("console");
    }
    told
}
