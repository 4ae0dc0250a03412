//! Where exports go: private files and folders that were not there before.
//!
//! Content of a recording is for those who could open it: nobody else may read what is written here.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::report::{Failure, Outcome};

/// Bytes that are kept back before they are written.
const BUFFER_BYTES: usize = 256 << 10;

/// A new file, or standard output.
pub struct Target {
    out: BufWriter<Box<dyn Write>>,
    file: Option<File>,
}

impl Target {
    /// A new private file, or standard output where no path is given.
    pub fn open(path: Option<&Path>) -> Outcome<Self> {
        let Some(path) = path else {
            return Ok(Self { out: BufWriter::with_capacity(BUFFER_BYTES, Box::new(io::stdout())), file: None });
        };
        let name = path.display();
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = file.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => exists(path),
            _ => Failure::usage(format!("{name}: cannot create the file: {error}")),
        })?;
        let copy = file.try_clone()?;
        Ok(Self { out: BufWriter::with_capacity(BUFFER_BYTES, Box::new(copy)), file: Some(file) })
    }

    /// Writes what is kept back; a file is durable then.
    pub fn finish(mut self) -> io::Result<()> {
        self.out.flush()?;
        if let Some(file) = self.file {
            file.sync_all()?;
        }
        Ok(())
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Fails when something lies there: asked before long work whose result would have no place.
pub fn require_free(path: &Path) -> Outcome<()> {
    if path.symlink_metadata().is_ok() { Err(exists(path)) } else { Ok(()) }
}

/// Makes a new private folder.
pub fn folder(path: &Path) -> Outcome<()> {
    DirBuilder::new().mode(0o700).create(path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists(path),
        _ => Failure::usage(format!("{}: cannot create the folder: {error}", path.display())),
    })
}

/// Makes the private folders above a path below `root`, as far as they are missing.
pub fn folders_above(root: &Path, name: &str) -> io::Result<()> {
    match Path::new(name).parent() {
        Some(parent) => DirBuilder::new().mode(0o700).recursive(true).create(root.join(parent)),
        None => Ok(()),
    }
}

fn exists(path: &Path) -> Failure {
    Failure::usage(format!("{} exists already", path.display())).hint("choose another name: exports never overwrite")
}
