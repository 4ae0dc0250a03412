//! Who is enrolled, and whether it holds.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::accounts::{self, Account};
use super::shells::{Shells, usable};
use crate::paths::LOGIN_SHELL;
use crate::report::Failure;

/// Whether a user is recorded at login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Yes.
    Enrolled,
    /// No: the login shell is another one.
    NotInEffect,
    /// The login shell is the recorded one, and nothing says which is to be run.
    NoShellKept,
    /// The shell that is to be run cannot be.
    ShellUnusable,
    /// There is a line, and no such user.
    NoSuchUser,
}

impl State {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Enrolled => "enrolled",
            Self::NotInEffect => "not in effect: the login shell is another one",
            Self::NoShellKept => "no shell kept: enroll it again with --shell",
            Self::ShellUnusable => "the kept shell cannot be run",
            Self::NoSuchUser => "no such user",
        }
    }
}

/// One user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The name.
    pub user: String,
    /// The shell that is kept.
    pub shell: Option<PathBuf>,
    /// The login shell now.
    pub login_shell: Option<PathBuf>,
    /// Whether `/etc/passwd` has this user.
    pub local: bool,
    /// What that means.
    pub state: State,
}

/// Everybody who has a line, or the login shell in `/etc/passwd`, by name. Needs no rights.
pub fn rows() -> Result<Vec<Row>, Failure> {
    let shells = Shells::read()?;
    let local = accounts::local_users()?;
    let by_passwd = local.iter().filter(|(_, shell)| shell == Path::new(LOGIN_SHELL)).map(|(name, _)| name.as_str());
    let names: std::collections::BTreeSet<&str> = by_passwd.chain(shells.users().map(|(name, _)| name)).collect();
    names.into_iter().map(|name| Ok(row(name, shells.get(name), Account::find(name)?))).collect()
}

fn row(name: &str, shell: Option<&Path>, account: Option<Account>) -> Row {
    let state = match (&account, shell) {
        (None, _) => State::NoSuchUser,
        (Some(account), _) if account.shell != Path::new(LOGIN_SHELL) => State::NotInEffect,
        (Some(_), None) => State::NoShellKept,
        (Some(_), Some(shell)) if usable(shell).is_err() => State::ShellUnusable,
        (Some(_), Some(_)) => State::Enrolled,
    };
    Row {
        user: name.into(),
        shell: shell.map(Path::to_owned),
        local: account.as_ref().is_some_and(|account| account.local),
        login_shell: account.map(|account| account.shell),
        state,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_has_its_cause() {
        let account = |shell: &str| Account { name: "a".into(), uid: 7, shell: shell.into(), local: true };
        for (shell, account, state) in [
            (Some("/bin/sh"), Some(account(LOGIN_SHELL)), State::Enrolled),
            (Some("/no/sh"), Some(account(LOGIN_SHELL)), State::ShellUnusable),
            (None, Some(account(LOGIN_SHELL)), State::NoShellKept),
            (Some("/bin/sh"), Some(account("/bin/sh")), State::NotInEffect),
            (Some("/bin/sh"), None, State::NoSuchUser),
        ] {
            assert_eq!(row("a", shell.map(Path::new), account).state, state);
        }
    }
}
