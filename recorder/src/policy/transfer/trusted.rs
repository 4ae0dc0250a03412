//! Whether a program is what its path says: nobody but root can have put or changed it, or anything on the way to it.
//!
//! The path is walked part by part, links and all, so that no link on the way lies where others can change it. Between
//! this look and the start of the program only root could have changed something.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

/// As many links as the kernel follows.
const LINKS_MAX: u32 = 40;

/// Fails unless the file is a program of root's: a regular file that can be executed, and like each directory and link on
/// the way to it owned by root and writable by nobody else. The error says what is not.
pub fn is_trusted(path: &Path) -> Result<()> {
    match walk(path, 0, Path::new("/"))? {
        (at, mode) if mode & 0o111 == 0 => Err(refused(&at, "cannot be executed")),
        _ => Ok(()),
    }
}

/// The same of a file that is read and not run.
pub fn is_roots(path: &Path) -> Result<()> {
    walk(path, 0, Path::new("/")).map(drop)
}

/// The same for any owner (the tests' too), looking only at what lies below a directory; gives the file, links resolved, and
/// its mode.
fn walk(path: &Path, owner: u32, below: &Path) -> Result<(PathBuf, u32)> {
    if !path.is_absolute() {
        return Err(refused(path, "is no absolute path"));
    }
    let mut left: VecDeque<OsString> = parts(path);
    let mut at = PathBuf::from("/");
    let mut links = 0;
    if at.starts_with(below) {
        owned(&at, owner)?;
    }
    while let Some(part) = left.pop_front() {
        if part == ".." {
            at.pop();
            continue;
        }
        at.push(&part);
        let meta = std::fs::symlink_metadata(&at)?;
        if at.starts_with(below) {
            owned(&at, owner)?;
        }
        if meta.is_symlink() {
            links += 1;
            if links > LINKS_MAX {
                return Err(refused(path, "has too many links on the way"));
            }
            let target = std::fs::read_link(&at)?;
            at.pop();
            if target.is_absolute() {
                at = PathBuf::from("/");
            }
            for part in parts(&target).into_iter().rev() {
                left.push_front(part);
            }
        } else if left.is_empty() {
            return if meta.is_file() { Ok((at, meta.mode())) } else { Err(refused(&at, "is no regular file")) };
        } else if !meta.is_dir() {
            return Err(refused(&at, "is no directory"));
        }
    }
    Err(refused(&at, "is a directory"))
}

fn parts(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            _ => None,
        })
        .collect()
}

fn owned(path: &Path, owner: u32) -> Result<()> {
    let meta = std::fs::symlink_metadata(path)?;
    if meta.uid() != owner {
        return Err(refused(path, &format!("belongs to uid {}", meta.uid())));
    }
    // A link has no mode of its own. The group's bit also stands for whoever an access control list lets write.
    if !meta.is_symlink() && meta.mode() & 0o022 != 0 {
        return Err(refused(path, &format!("can be written by others (mode {:o})", meta.mode() & 0o7777)));
    }
    Ok(())
}

fn refused(path: &Path, why: &str) -> Error {
    Error::new(ErrorKind::PermissionDenied, format!("{} {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    /// `a/b/program`, all of it in order.
    fn tree() -> (tempfile::TempDir, PathBuf, u32) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/b/program"), "").unwrap();
        for (path, bits) in [("a", 0o755), ("a/b", 0o755), ("a/b/program", 0o755)] {
            mode(&root.join(path), bits);
        }
        let owner = fs::metadata(&root).unwrap().uid();
        (dir, root, owner)
    }

    fn said(path: &Path, owner: u32, below: &Path) -> String {
        walk(path, owner, below).map_or_else(|e| e.to_string(), |_| "trusted".into())
    }

    #[test]
    fn the_shell_of_the_system_is_trusted() {
        // Links are on the way in most systems: /bin is usr/bin, sh is dash or bash.
        is_trusted(Path::new("/bin/sh")).unwrap();
        assert!(is_trusted(Path::new("bin/sh")).is_err());
        assert!(is_trusted(Path::new("/bin")).is_err());
        assert!(is_trusted(Path::new("/")).is_err());
        assert!(is_trusted(Path::new("/dev/null")).is_err());
        let read = Path::new("/etc/passwd");
        assert!(is_trusted(read).unwrap_err().to_string().contains("cannot be executed"));
        is_roots(read).unwrap();
        assert_eq!(is_trusted(Path::new("/nowhere/sh")).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn what_others_can_write_is_not() {
        let (_dir, root, owner) = tree();
        let program = root.join("a/b/program");
        assert_eq!(said(&program, owner, &root), "trusted");
        assert!(said(&program, owner + 1, &root).contains("belongs to uid"));
        for (path, bad, good, words) in [
            ("a", 0o775, 0o755, "can be written by others (mode 775)"),
            ("a", 0o1777, 0o755, "can be written by others (mode 1777)"),
            ("a/b", 0o757, 0o755, "can be written by others (mode 757)"),
            ("a/b/program", 0o775, 0o755, "can be written by others (mode 775)"),
            ("a/b/program", 0o757, 0o755, "can be written by others (mode 757)"),
        ] {
            mode(&root.join(path), bad);
            assert!(said(&program, owner, &root).contains(words), "{path}: {}", said(&program, owner, &root));
            mode(&root.join(path), good);
        }
        // The directory for temporary files is everybody's.
        assert!(is_trusted(&program).is_err());
    }

    #[test]
    fn links_are_followed_and_judged() {
        let (_dir, root, owner) = tree();
        fs::create_dir(root.join("open")).unwrap();
        symlink("../a/b", root.join("open/link")).unwrap();
        symlink("a/../a/b", root.join("good")).unwrap();
        symlink(root.join("open/link"), root.join("through")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        assert_eq!(said(&root.join("good/program"), owner, &root), "trusted");
        assert_eq!(said(&root.join("through/program"), owner, &root), "trusted");
        mode(&root.join("open"), 0o777);
        assert!(said(&root.join("open/link/program"), owner, &root).contains("open can be written"));
        assert!(said(&root.join("through/program"), owner, &root).contains("open can be written"));
        assert!(said(&root.join("loop/program"), owner, &root).contains("too many links"));
    }
}
