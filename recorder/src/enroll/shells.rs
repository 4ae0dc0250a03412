//! `/etc/hansard/shells`: which shell an enrolled user really has, `user:/bin/bash` a line.
//!
//! Everybody may read it, root alone changes it, under a lock. Empty lines and lines that begin with `#` are kept as they
//! are. Not for the user database: `accounts`.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, FlockOperation, accessat, flock};

use crate::journal::file::replace_as;
use crate::paths::{ETC, SHELLS, SHELLS_LOCK};
use crate::report::{Failure, io};

/// Shells that let nobody in, by their names.
const CLOSED: [&str; 2] = ["nologin", "false"];

#[derive(Debug, Clone, PartialEq, Eq)]
enum Line {
    User { name: String, shell: PathBuf },
    Other(String),
}

/// The content of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shells {
    lines: Vec<Line>,
}

impl Shells {
    /// Reads the content from its text; `Err` says what is wrong, and on which line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut shells = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            if line.is_empty() || line.starts_with('#') {
                shells.lines.push(Line::Other(line.into()));
                continue;
            }
            let (name, shell) = user_line(line).map_err(|what| format!("line {number}: {what}"))?;
            if shells.get(name).is_some() {
                return Err(format!("line {number}: {name} has a line already"));
            }
            shells.lines.push(Line::User { name: name.into(), shell: shell.into() });
        }
        Ok(shells)
    }

    /// The text, each line with its line feed.
    pub fn render(&self) -> String {
        let line = |line: &Line| match line {
            Line::User { name, shell } => format!("{name}:{}\n", shell.display()),
            Line::Other(text) => format!("{text}\n"),
        };
        self.lines.iter().map(line).collect()
    }

    /// The real shell of a user.
    pub fn get(&self, user: &str) -> Option<&Path> {
        self.users().find(|(name, _)| *name == user).map(|(_, shell)| shell)
    }

    /// All users with their real shells, in the file's order.
    pub fn users(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.lines.iter().filter_map(|line| match line {
            Line::User { name, shell } => Some((name.as_str(), shell.as_path())),
            Line::Other(_) => None,
        })
    }

    /// Adds a user, or changes the shell of one; `Err` where the two cannot stand on a line.
    pub fn set(&mut self, user: &str, shell: &Path) -> Result<(), String> {
        let text = shell.to_str().ok_or_else(|| format!("the path {} is no text", shell.display()))?;
        user_line(&format!("{user}:{text}"))?;
        let present = self.lines.iter_mut().find_map(|line| match line {
            Line::User { name, shell } if name == user => Some(shell),
            _ => None,
        });
        match present {
            Some(present) => shell.clone_into(present),
            None => self.lines.push(Line::User { name: user.into(), shell: shell.into() }),
        }
        Ok(())
    }

    /// Removes a user.
    pub fn remove(&mut self, user: &str) {
        self.lines.retain(|line| !matches!(line, Line::User { name, .. } if name == user));
    }

    /// What the file of this host holds; nothing where there is none.
    pub fn read() -> Result<Self, Failure> {
        let path = Path::new(SHELLS);
        let text = match std::fs::read_to_string(path) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            read => read.map_err(io("read", path))?,
        };
        trusted(path)?;
        Self::parse(&text).map_err(|what| {
            Failure::new(format_args!("{SHELLS}, {what}")).hint("correct that line: user:/path/of/shell")
        })
    }
}

fn user_line(line: &str) -> Result<(&str, &str), String> {
    let (name, shell) = line.split_once(':').ok_or_else(|| format!("{line:?} is not user:/path/of/shell"))?;
    if name.is_empty() || name.starts_with(['#', '-']) || name.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(format!("{name:?} is no user name"));
    }
    // What passwd could not hold either.
    if !shell.starts_with('/') || shell.contains(|c: char| c == ':' || c.is_control()) {
        return Err(format!("{shell:?} is no absolute path of a shell"));
    }
    Ok((name, shell))
}

/// What root acts on must be root's alone to write.
fn trusted(path: &Path) -> Result<(), Failure> {
    let found = std::fs::symlink_metadata(path).map_err(io("look at", path))?;
    if found.file_type().is_symlink() || found.uid() != 0 || found.mode() & 0o022 != 0 {
        return Err(Failure::new(format_args!("{} is a link, or others than root may write it", path.display()))
            .hint(format_args!("see who changed it, then: chown root: {0}; chmod go-w {0}", path.display())));
    }
    Ok(())
}

/// The file while this process alone may change it.
#[derive(Debug)]
pub struct Locked {
    shells: Shells,
    _lock: File,
}

impl Locked {
    /// Takes the lock, making the folder where it is missing; waits for whoever has it, who holds it for seconds.
    pub fn open() -> Result<Self, Failure> {
        let (dir, lock) = (Path::new(ETC), Path::new(SHELLS_LOCK));
        match DirBuilder::new().mode(0o755).create(dir) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            made => made
                .and_then(|()| std::fs::set_permissions(dir, Permissions::from_mode(0o755)))
                .map_err(io("make", dir))?,
        }
        trusted(dir)?;
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(lock)
            .map_err(io("open", lock))?;
        flock(&file, FlockOperation::LockExclusive).map_err(|e| io("lock", lock)(e.into()))?;
        Ok(Self { shells: Shells::read()?, _lock: file })
    }

    /// What it holds.
    pub fn shells(&self) -> &Shells {
        &self.shells
    }

    /// Makes `user`'s line say `shell`, or removes it; durable when this returns. Gives the shell that it said before.
    pub fn put(&mut self, user: &str, shell: Option<&Path>) -> Result<Option<PathBuf>, Failure> {
        let before = self.shells.get(user).map(Path::to_owned);
        if before.as_deref() == shell {
            return Ok(before);
        }
        let mut next = self.shells.clone();
        match shell {
            Some(shell) => next.set(user, shell).map_err(Failure::new)?,
            None => next.remove(user),
        }
        let path = Path::new(SHELLS);
        replace_as(path, 0o644, next.render().as_bytes()).map_err(io("write", path))?;
        self.shells = next;
        Ok(before)
    }
}

/// Whether somebody can log in with it. `Err` says why not.
pub fn usable(shell: &Path) -> Result<(), String> {
    if !shell.is_absolute() {
        return Err(format!("{} is no absolute path", shell.display()));
    }
    match std::fs::metadata(shell) {
        Err(e) => Err(format!("{}: {e}", shell.display())),
        Ok(found) if !found.is_file() => Err(format!("{} is no file", shell.display())),
        Ok(_) if accessat(CWD, shell, Access::EXEC_OK, AtFlags::empty()).is_err() => {
            Err(format!("{} is not executable", shell.display()))
        }
        Ok(_) => Ok(()),
    }
}

/// Whether it is a shell that lets nobody in.
pub fn closed(shell: &Path) -> bool {
    shell.file_name().is_some_and(|name| CLOSED.iter().any(|closed| name == *closed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        let text = "# by hand\nalice:/bin/bash\n\nbob:/opt/my shell/zsh\n";
        let shells = Shells::parse(text).unwrap();
        assert_eq!(shells.render(), text);
        assert_eq!(shells.get("alice"), Some(Path::new("/bin/bash")));
        assert_eq!(shells.get("bob"), Some(Path::new("/opt/my shell/zsh")));
        assert_eq!(shells.get("# by hand"), None);
        assert_eq!(
            Shells::parse("alice:/bin/bash").unwrap().render(),
            "alice:/bin/bash\n",
            "a last line without its end"
        );
        assert_eq!(Shells::parse("").unwrap(), Shells::default());
    }

    #[test]
    fn one_user_changes_and_the_others_stay() {
        let mut shells = Shells::parse("# x\nalice:/bin/bash\nbob:/bin/sh\n").unwrap();
        shells.set("alice", Path::new("/bin/zsh")).unwrap();
        shells.set("carol", Path::new("/bin/dash")).unwrap();
        assert_eq!(shells.render(), "# x\nalice:/bin/zsh\nbob:/bin/sh\ncarol:/bin/dash\n");
        shells.remove("bob");
        shells.remove("nobody of that name");
        assert_eq!(shells.render(), "# x\nalice:/bin/zsh\ncarol:/bin/dash\n");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, said) in [
            ("alice", "line 1: \"alice\" is not user:/path/of/shell"),
            ("alice:/bin/sh\nalice:/bin/bash\n", "line 2: alice has a line already"),
            ("\nalice:bash\n", "line 2: \"bash\" is no absolute path of a shell"),
            ("alice:\n", "line 1: \"\" is no absolute path of a shell"),
            ("alice:/bin/sh:x\n", "line 1: \"/bin/sh:x\" is no absolute path of a shell"),
            ("alice:/bin/sh\r\n\r", "line 2: \"\\r\" is not user:/path/of/shell"),
            (":/bin/sh\n", "line 1: \"\" is no user name"),
            (" alice:/bin/sh\n", "line 1: \" alice\" is no user name"),
            ("-s:/bin/sh\n", "line 1: \"-s\" is no user name"),
        ] {
            assert_eq!(Shells::parse(text).unwrap_err(), said, "{text:?}");
        }
    }

    #[test]
    fn no_line_can_be_smuggled_in() {
        let mut shells = Shells::default();
        for (user, shell) in
            [("alice\nroot", "/bin/sh"), ("alice", "/bin/sh\nroot:/tmp/x"), ("#", "/bin/sh"), ("", "/bin/sh")]
        {
            assert!(shells.set(user, Path::new(shell)).is_err(), "{user:?} {shell:?}");
        }
        assert_eq!(shells, Shells::default());
    }

    #[test]
    fn shells_are_told_from_what_is_none() {
        assert_eq!(usable(Path::new("/bin/sh")), Ok(()));
        for (path, word) in
            [("sh", "absolute"), ("/bin", "no file"), ("/etc/passwd", "not executable"), ("/no/sh", "No such file")]
        {
            assert!(usable(Path::new(path)).unwrap_err().contains(word), "{path}");
        }
        assert!(
            closed(Path::new("/usr/sbin/nologin")) && closed(Path::new("/bin/false")) && !closed(Path::new("/bin/sh"))
        );
    }
}
