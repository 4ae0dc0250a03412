//! What is kept of recordings that were gone through, on the reviewer's side: sealed files, one of each kind a session.
//!
//! Keyframes, so that a long recording is on screen at any position at once when it is opened again; and sieves, so that
//! the next search leaves out the recordings that cannot have what it looks for (`searched`). What a file is worth: it is
//! never evidence. Whoever cannot open the recording cannot open the file (`seal`), and who can could make one; so it
//! is believed as far as the folder of the reviewer is, and no further: every segment that is read is checked against
//! the digest that was judged, whatever is in here. Those that are not read are checked beside playing (`beside`), which
//! ends with a refusal as soon as one is not what it was; of those that a search leaves out it says that they were not
//! read. A file that is damaged, of other bytes, or made by another version is as good as none; it is no error. Names and
//! texts are inside the seal only: outside are a length and random bytes. Not for reading recordings: `recording`.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

pub mod beside;
mod document;
mod seal;
mod sealed;
pub mod searched;
pub mod warm;

/// After this a file that was being written when its writer died is swept away.
const LEFT_OVER: Duration = Duration::from_secs(3600);

/// What files hold.
#[derive(Debug, Clone, Copy)]
struct Kind {
    /// Their first line.
    magic: seal::Magic,
    /// How they end.
    extension: &'static str,
    /// Largest file, in bytes.
    file_max: u64,
    /// All files together, in bytes; over that the ones that were not used for longest go.
    all_max: u64,
}

impl Kind {
    /// The index of an ordinary 8 hours takes two or three MiB.
    const KEYFRAMES: Self =
        Self { magic: b"hansard keyframes 1\n", extension: "keyframes", file_max: 32 << 20, all_max: 256 << 20 };
    /// A MiB of text takes some ten KiB.
    const SEARCHED: Self =
        Self { magic: b"hansard searched 1\n", extension: "searched", file_max: 32 << 20, all_max: 256 << 20 };
}

/// The folder of the files, for one kind of them.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
    kind: Kind,
}

impl Cache {
    /// Of screens to go on from, in this folder, which need not be there.
    pub fn of_keyframes(folder: &Path) -> Self {
        Self::new(folder, Kind::KEYFRAMES)
    }

    /// Of what searches found out.
    pub fn of_searches(folder: &Path) -> Self {
        Self::new(folder, Kind::SEARCHED)
    }

    fn new(folder: &Path, kind: Kind) -> Self {
        Self { folder: folder.to_owned(), kind }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name).with_extension(self.kind.extension)
    }

    /// The bytes of a file, if there is one that can be.
    fn read(&self, name: &str) -> Option<Vec<u8>> {
        let path = self.path(name);
        let file = File::open(path).ok()?;
        let about = file.metadata().ok()?;
        if !about.is_file() || about.len() > self.kind.file_max {
            return None;
        }
        let mut bytes = Vec::new();
        // One byte more than was promised is one that grows: not ours.
        (&file).take(self.kind.file_max + 1).read_to_end(&mut bytes).ok()?;
        // When it was last used, for sweeping; that it cannot be noted changes nothing.
        let _ = file.set_modified(SystemTime::now());
        (bytes.len() as u64 <= self.kind.file_max).then_some(bytes)
    }

    /// Writes a file, as a whole or not at all; whoever has written is to sweep. A cache that cannot be written is none.
    fn write(&self, name: &str, bytes: &[u8]) -> std::io::Result<()> {
        if bytes.len() as u64 > self.kind.file_max {
            return Ok(());
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let path = self.path(name);
        let new = self.folder.join(format!(".{name}.{}", std::process::id()));
        // One of a process that died with the same number.
        let _ = fs::remove_file(&new);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        let written = file.write_all(bytes).and_then(|()| fs::rename(&new, &path));
        if written.is_err() {
            let _ = fs::remove_file(&new);
        }
        written
    }

    /// Drops what is over the bound, the longest unused first, and what dead writers left.
    pub fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let now = SystemTime::now();
        let mut files = Vec::new();
        for entry in entries.flatten() {
            let (Ok(about), path) = (entry.metadata(), entry.path()) else { continue };
            let (true, Ok(modified)) = (about.is_file(), about.modified()) else { continue };
            let left_over = entry.file_name().as_encoded_bytes().starts_with(b".")
                && now.duration_since(modified).is_ok_and(|age| age > LEFT_OVER);
            if left_over {
                let _ = fs::remove_file(&path);
            } else if path.extension().is_some_and(|extension| extension == self.kind.extension) {
                files.push((modified, about.len(), path));
            }
        }
        files.sort();
        let mut all: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, bytes, path) in files {
            if all <= self.kind.all_max {
                break;
            }
            let _ = fs::remove_file(path);
            all -= bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn files_are_the_readers_own_and_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let kind = Kind { file_max: 100, all_max: 250, ..Kind::KEYFRAMES };
        let cache = Cache::new(&folder.path().join("new"), kind);
        let write = |name: &str, bytes: &[u8]| {
            cache.write(name, bytes).unwrap();
            cache.sweep();
        };
        for (n, name) in ["a", "b", "c"].into_iter().enumerate() {
            write(name, &[0; 100]);
            let age = Duration::from_secs(100 - n as u64);
            if let Ok(file) = File::options().write(true).open(cache.path(name)) {
                file.set_modified(SystemTime::now() - age).unwrap();
            }
        }
        assert_eq!(cache.read("a"), None, "the oldest went");
        assert_eq!(cache.read("c"), Some(vec![0; 100]));
        assert_eq!(fs::metadata(cache.path("c")).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&cache.folder).unwrap().permissions().mode() & 0o777, 0o700);
        write("d", &[0; 101]);
        assert_eq!(cache.read("d"), None, "too large");
        // Used last is kept longest: `b` is older than `c`, and was read since.
        File::options().write(true).open(cache.path("c")).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        assert!(cache.read("b").is_some());
        write("e", &[1; 100]);
        assert_eq!((cache.read("c"), cache.read("b").is_some()), (None, true));
        // What a dead writer left goes, what another one is writing stays.
        let (old, new) = (cache.folder.join(".x.1"), cache.folder.join(".y.2"));
        fs::write(&old, "").unwrap();
        fs::write(&new, "").unwrap();
        File::options().write(true).open(&old).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        write("e", &[1; 100]);
        assert_eq!((old.exists(), new.exists()), (false, true));
        // Those of another kind are not counted.
        let other = Cache::new(&folder.path().join("new"), Kind { all_max: 0, ..Kind::SEARCHED });
        other.sweep();
        assert!(cache.read("e").is_some() && other.read("e").is_none());
        fs::create_dir(cache.path("folder")).unwrap();
        assert_eq!(cache.read("folder"), None);
    }
}
