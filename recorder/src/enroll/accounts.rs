//! The user database: read through the name service, changed with `usermod`, which takes its locks.
//!
//! Only users of `/etc/passwd` can be changed; those of a directory are told apart. Not for what is kept beside it:
//! `shells`.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use uzers::os::unix::UserExt as _;

use crate::paths::PASSWD;
use crate::report::{Failure, io};

/// Shadow's tool, where systems have it.
const USERMOD: [&str; 2] = ["/usr/sbin/usermod", "/sbin/usermod"];
/// The shell of an account that names none.
const UNNAMED_SHELL: &str = "/bin/sh";
/// What is said where the name service has no such user.
pub const NOBODY: &str = "no user of that name is known on this host";

/// One user, as the name service says now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The name that the database has.
    pub name: String,
    /// The user id.
    pub uid: u32,
    /// The login shell.
    pub shell: PathBuf,
    /// Whether `/etc/passwd` has this user.
    pub local: bool,
}

impl Account {
    /// Looks a user up; `None` where the name service has none of that name.
    pub fn find(name: &str) -> Result<Option<Self>, Failure> {
        let Some(user) = uzers::get_user_by_name(name) else { return Ok(None) };
        let Some(name) = user.name().to_str().map(str::to_owned) else { return Ok(None) };
        let shell = match user.shell() {
            none if none.as_os_str().is_empty() => PathBuf::from(UNNAMED_SHELL),
            shell => shell.to_owned(),
        };
        let local = local_users()?.iter().any(|(local, _)| *local == name);
        Ok(Some(Self { name, uid: user.uid(), shell, local }))
    }

    /// Makes `shell` the login shell, and looks whether it is. `Err` says what the user has now.
    pub fn set_shell(&self, shell: &Path) -> Result<(), Failure> {
        let program = USERMOD.iter().find(|path| Path::new(path).exists()).ok_or_else(|| {
            Failure::new("usermod is not installed")
                .hint("install shadow's tools: the package is named passwd, shadow or shadow-utils")
        })?;
        let tried = Command::new(program)
            .arg("-s")
            .arg(shell)
            .args(["--", &self.name])
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .output()
            .map_err(io("run", Path::new(program)))?;
        let now = Self::find(&self.name)?.map_or_else(PathBuf::new, |account| account.shell);
        if tried.status.success() && now == shell {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&tried.stderr);
        let why = match said.trim() {
            "" if tried.status.success() => {
                "usermod said nothing, and the name service still has the other shell".into()
            }
            "" => format!("usermod ended with {}", tried.status),
            said => said.to_owned(),
        };
        Err(Failure::new(format_args!("the login shell of {} is {} and not {}: {why}", self.name, now.display(), shell.display()))
            .hint("see that /etc/passwd can be written and no /etc/passwd.lock was left behind, and what nsswitch.conf asks first"))
    }
}

/// Names and login shells of `/etc/passwd`.
pub fn local_users() -> Result<Vec<(String, PathBuf)>, Failure> {
    let path = Path::new(PASSWD);
    let bytes = std::fs::read(path).map_err(io("read", path))?;
    Ok(parse_passwd(&bytes))
}

fn parse_passwd(bytes: &[u8]) -> Vec<(String, PathBuf)> {
    let line = |line: &[u8]| {
        let mut fields = line.split(|byte| *byte == b':');
        let name = std::str::from_utf8(fields.next()?).ok()?.to_owned();
        let shell = fields.nth(5)?;
        Some((name, PathBuf::from(std::ffi::OsStr::from_bytes(shell))))
    };
    bytes.split(|byte| *byte == b'\n').filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwd_is_read_by_its_fields() {
        let text = b"root:x:0:0:root:/root:/bin/bash\n+::::::\nbroken:x:1\nl\xe9on:x:7:7::/:/bin/sh\nana:x:8:8:A,B:/home/ana:\n";
        let users = parse_passwd(text);
        let expected = [("root", "/bin/bash"), ("+", ""), ("ana", "")];
        assert_eq!(users, expected.map(|(name, shell)| (name.to_owned(), PathBuf::from(shell))));
    }

    #[test]
    fn root_is_a_local_user() {
        let root = Account::find("root").unwrap().unwrap();
        assert!(root.local && root.uid == 0, "{root:?}");
        assert_eq!(Account::find("no such:user").unwrap(), None);
    }
}
