//! Enrolling and unenrolling one user: the order of the two files, what is refused, and how a failed change is taken back.
//!
//! Not for messages about several users: `cmd`.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use super::accounts::{self, Account, NOBODY};
use super::shells::{Locked, closed, usable};
use crate::paths::{ALLOWED_SHELLS, LOGIN_SHELL, SHELLS, SOCKET};
use crate::report::{Failure, io};

/// What a user gets back whose shell is gone, the first that is there.
const FALLBACKS: [&str; 2] = ["/bin/bash", "/bin/sh"];

/// What became of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Whether anything was changed.
    pub changed: bool,
    /// For the user of the command.
    pub what: String,
    /// What he should know besides.
    pub warnings: Vec<String>,
}

impl Outcome {
    fn changed(what: impl Into<String>) -> Self {
        Self { changed: true, what: what.into(), warnings: Vec::new() }
    }

    fn unchanged(what: impl Into<String>) -> Self {
        Self { changed: false, what: what.into(), warnings: Vec::new() }
    }

    fn warn(mut self, warning: impl Into<String>) -> Self {
        self.warnings.push(warning.into());
        self
    }
}

/// Refuses anybody but root.
pub fn only_root(verb: &str) -> Result<(), Failure> {
    if geteuid().is_root() {
        return Ok(());
    }
    Err(Failure::new(format_args!("only root may {verb} users")).hint("run it with sudo"))
}

/// Whether this host can have enrolled users at all: nobody is given a login shell that does not run, or that he could
/// leave. Gives warnings.
pub fn ready() -> Result<Vec<String>, Failure> {
    only_root("enroll")?;
    let shell = Path::new(LOGIN_SHELL);
    usable(shell).map_err(|what| {
        Failure::new(format_args!("{what}: nobody could log in with it")).hint("install the package of hansard-record")
    })?;
    let found = std::fs::metadata(shell).map_err(io("look at", shell))?;
    if found.uid() != 0 || found.mode() & 0o022 != 0 {
        return Err(Failure::new(format_args!("others than root may write {LOGIN_SHELL}"))
            .hint(format_args!("install it again, then: chown root: {LOGIN_SHELL}; chmod go-w {LOGIN_SHELL}")));
    }
    let allowed = match std::fs::read(ALLOWED_SHELLS) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        read => read.map_err(io("read", Path::new(ALLOWED_SHELLS)))?,
    };
    if lists(&allowed, LOGIN_SHELL) {
        return Err(Failure::new(format_args!(
            "{LOGIN_SHELL} is listed in {ALLOWED_SHELLS}: with chsh, users could change to a shell that is not recorded"
        ))
        .hint("remove that line; logins need it nowhere"));
    }
    // Where systemd holds the socket, it is there while the agent is not.
    let warning = || format!("no agent listens at {SOCKET}: until one does, enrolled users cannot log in");
    Ok(UnixStream::connect(SOCKET).err().map(|_| warning()).into_iter().collect())
}

fn lists(text: &[u8], shell: &str) -> bool {
    String::from_utf8_lossy(text).lines().any(|line| line.trim() == shell)
}

fn known(name: &str) -> Result<Account, Failure> {
    Account::find(name)?.ok_or_else(|| Failure::new(NOBODY).hint("see `getent passwd`"))
}

/// Keeps the user's shell and makes the login shell the recorded one. `shell` is run for them in place of the present one.
pub fn enroll(file: &mut Locked, name: &str, shell: Option<&Path>) -> Result<Outcome, Failure> {
    let account = known(name)?;
    if !account.local {
        return Err(Failure::new("is no user of /etc/passwd: a directory (sssd, LDAP, ...) says what the login shell is")
            .hint(format_args!(
                "`hansard-record enroll --remember --shell {} {name}` on each host, then set the login shell in the directory to {LOGIN_SHELL}",
                shell.unwrap_or(&account.shell).display()
            )));
    }
    let in_effect = account.shell == Path::new(LOGIN_SHELL);
    let kept = file.shells().get(&account.name).map(Path::to_owned);
    let real = match (shell, &kept) {
        (Some(shell), _) => shell.to_owned(),
        (None, Some(kept)) if in_effect => kept.clone(),
        (None, None) if in_effect => {
            return Err(Failure::new(format_args!(
                "has {LOGIN_SHELL} already, and {SHELLS} does not say which shell it had before"
            ))
            .hint("name it with --shell"));
        }
        (None, _) => account.shell.clone(),
    };
    if shell.is_none() && closed(&real) {
        return Ok(Outcome::unchanged(format!("skipped: {} lets nobody in", real.display())));
    }
    is_shell(&real)?;
    if in_effect && kept.as_ref() == Some(&real) {
        return Ok(Outcome::unchanged(format!("already enrolled, with {}", real.display())));
    }
    let before = file.put(&account.name, Some(&real))?;
    if !in_effect && let Err(failure) = account.set_shell(Path::new(LOGIN_SHELL)) {
        return Err(taken_back(file, &account, before.as_deref(), failure));
    }
    let outcome = Outcome::changed(format!("enrolled, with {}", real.display()));
    Ok(if account.uid == 0 { outcome.warn(ROOT) } else { outcome })
}

const ROOT: &str = "this is root: without an agent not even root can log in, on the console neither. Keep a root shell open \
                    until a new login has worked, and name a group in break_glass_gid of /etc/hansard/shell.conf";

/// Refuses what could not be run for a user who logs in.
fn is_shell(real: &Path) -> Result<(), Failure> {
    let hint = "name a shell with --shell";
    if real == Path::new(LOGIN_SHELL) || closed(real) {
        return Err(Failure::new(format_args!("{} is no shell that could be run for them", real.display())).hint(hint));
    }
    usable(real).map_err(|what| Failure::new(what).hint(hint))
}

/// After a change of the login shell that did not take effect: both files as they were, as far as that can be.
fn taken_back(file: &mut Locked, account: &Account, before: Option<&Path>, failure: Failure) -> Failure {
    let restored = match Account::find(&account.name) {
        Ok(Some(now)) if now.shell == account.shell => Ok(()),
        _ => account.set_shell(&account.shell),
    };
    // The line stays while the login shell may need it.
    match restored.and_then(|()| file.put(&account.name, before)) {
        Ok(_) => failure,
        Err(second) => Failure {
            what: format!("{}; it could not be taken back: {}", failure.what, second.what),
            hint: Some(format!("usermod -s {} {}", account.shell.display(), account.name)),
            ..failure
        },
    }
}

/// Keeps the shell of a user whose login shell is set in a directory.
pub fn remember(file: &mut Locked, name: &str, shell: &Path) -> Result<Outcome, Failure> {
    let account = known(name)?;
    is_shell(shell)?;
    let before = file.put(&account.name, Some(shell))?;
    let what = format!("{} is kept for them", shell.display());
    let outcome = if before.as_deref() == Some(shell) { Outcome::unchanged(what) } else { Outcome::changed(what) };
    if account.shell == Path::new(LOGIN_SHELL) {
        return Ok(outcome);
    }
    let now = account.shell.display();
    Ok(outcome.warn(format!("the login shell of {name} is {now}: not recorded until the directory says {LOGIN_SHELL}")))
}

/// Gives a user the own shell back, and then forgets it.
pub fn unenroll(file: &mut Locked, name: &str) -> Result<Outcome, Failure> {
    let Some(account) = Account::find(name)? else {
        let kept = file.put(name, None)?;
        return kept
            .map(|_| Outcome::changed("no longer exists; its line is removed"))
            .ok_or_else(|| Failure::new(NOBODY));
    };
    let kept = file.shells().get(&account.name).map(Path::to_owned);
    if account.shell != Path::new(LOGIN_SHELL) {
        let shell = account.shell.display();
        return Ok(match file.put(&account.name, None)? {
            Some(_) => Outcome::changed(format!("unenrolled; the login shell was {shell} already")),
            None => Outcome::unchanged(format!("not enrolled; the login shell is {shell}")),
        });
    }
    let (shell, warning) = own_shell(kept.as_deref())?;
    if !account.local {
        return Err(Failure::new(format_args!("is no user of /etc/passwd: the directory still says {LOGIN_SHELL}"))
            .hint(format_args!("set the login shell there to {}, then run this again", shell.display())));
    }
    account.set_shell(&shell)?;
    file.put(&account.name, None)?;
    let outcome = Outcome::changed(format!("unenrolled, the login shell is {}", shell.display()));
    Ok(match warning {
        Some(warning) => outcome.warn(format!("{name}: {warning}")),
        None => outcome,
    })
}

/// The shell that was kept, or one that is there, and what is wrong with the kept one.
fn own_shell(kept: Option<&Path>) -> Result<(PathBuf, Option<String>), Failure> {
    let wrong = match kept.map(|shell| (shell, usable(shell))) {
        Some((shell, Ok(()))) => return Ok((shell.to_owned(), None)),
        Some((_, Err(what))) => what,
        None => format!("{SHELLS} does not say which shell it had"),
    };
    let instead = FALLBACKS.iter().map(PathBuf::from).find(|shell| usable(shell).is_ok()).ok_or_else(|| {
        Failure::new(format_args!("{wrong}, and there is neither {}", FALLBACKS.join(" nor "))).hint("install a shell")
    })?;
    let warning = format!("{wrong}; it has {} now", instead.display());
    Ok((instead, Some(warning)))
}

/// Everybody who has a line, or the login shell.
pub fn everybody(file: &Locked) -> Result<BTreeSet<String>, Failure> {
    let by_passwd = accounts::local_users()?.into_iter().filter(|(_, shell)| shell == Path::new(LOGIN_SHELL));
    let by_line = file.shells().users().map(|(name, _)| name.to_owned());
    Ok(by_passwd.map(|(name, _)| name).chain(by_line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listed_login_shell_is_found() {
        assert!(lists(b"# x\n/bin/sh\n /usr/bin/hansard-shell \n", LOGIN_SHELL));
        assert!(!lists(b"/bin/sh\n# /usr/bin/hansard-shell\n/usr/bin/hansard-shell-not\n", LOGIN_SHELL));
    }

    #[test]
    fn a_shell_that_is_gone_is_replaced_with_a_warning() {
        assert_eq!(own_shell(Some(Path::new("/bin/sh"))).unwrap(), (PathBuf::from("/bin/sh"), None));
        let (shell, warning) = own_shell(Some(Path::new("/no/zsh"))).unwrap();
        assert!(FALLBACKS.contains(&shell.to_str().unwrap()));
        assert!(warning.unwrap().starts_with("/no/zsh: No such file"));
        assert!(own_shell(None).unwrap().1.unwrap().contains("does not say"));
    }

    #[test]
    fn what_cannot_be_run_is_no_shell() {
        assert!(is_shell(Path::new("/bin/sh")).is_ok());
        for bad in [LOGIN_SHELL, "/usr/sbin/nologin", "/bin/false", "bash", "/etc/passwd"] {
            assert!(is_shell(Path::new(bad)).is_err(), "{bad}");
        }
    }
}
