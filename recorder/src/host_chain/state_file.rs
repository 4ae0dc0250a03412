//! The state file: the last entry and the key of the next one, under a lock, in two slots written in place.
//!
//! Overwriting in place, and not a new file, so that the old key's bytes are gone and not merely unlinked. How the
//! bytes lie, and what a torn slot means, is `hansard_schemas::chain_state`.

use std::fs::File;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use hansard_schemas::chain_state::{FILE, State, Step};
use rustix::fs::{FlockOperation, flock};
use zeroize::Zeroizing;

use crate::journal::file::sync_dir;
use crate::report::{Failure, io};

/// The state file of one chain, locked for as long as this value lives.
#[derive(Debug)]
pub struct StateFile {
    file: File,
    path: PathBuf,
}

impl StateFile {
    /// Opens and locks it; waits for whoever has the lock, who holds it for milliseconds.
    pub fn lock(dir: &Path) -> Result<Self, Failure> {
        let path = dir.join("state");
        let file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(io("open the host chain", &path))?;
        flock(&file, FlockOperation::LockExclusive).map_err(|e| io("lock the host chain", &path)(e.into()))?;
        Ok(Self { file, path })
    }

    /// The newest entry and the key that signs the next; `None` where no chain was begun.
    pub fn read(&self) -> Result<Option<State>, Failure> {
        let length = self.file.metadata().map_err(io("read the host chain", &self.path))?.len();
        if length == 0 {
            return Ok(None);
        }
        let mut bytes = Zeroizing::new(vec![0; FILE]);
        let doing = "read the host chain";
        let read = self.file.read_at(&mut bytes, 0).map_err(io(doing, &self.path))?;
        let state = State::read(&bytes[..read]).map_err(|e| {
            Failure::new(format_args!("{}: {e}", self.path.display()))
                .hint("move the spool's chain directory aside; the next session begins a new chain, which reviewers must trust")
        })?;
        if let Some(state) = state.as_ref().filter(|state| state.stale) {
            self.perform(state.wipe())?;
        }
        Ok(state)
    }

    /// Writes a state; when this returns it is durable, and the key before is gone.
    pub fn write(&self, state: &State) -> Result<(), Failure> {
        if self.file.metadata().map_err(io("write the host chain", &self.path))?.len() == 0 {
            self.allocate().map_err(io("make the host chain", &self.path))?;
        }
        self.perform(state.steps())
    }

    /// All of its space before the first write: overwriting needs none, so a full disk cannot stop an `end`.
    fn allocate(&self) -> std::io::Result<()> {
        self.file.write_all_at(&vec![0; FILE], 0)?;
        self.file.sync_all()?;
        self.path.parent().map_or(Ok(()), sync_dir)
    }

    fn perform(&self, steps: Vec<Step>) -> Result<(), Failure> {
        for step in steps {
            let done = match step {
                Step::Write { offset, bytes } => self.file.write_all_at(&bytes, offset),
                Step::Sync => rustix::fs::fdatasync(&self.file).map_err(Into::into),
            };
            done.map_err(io("write the host chain", &self.path))?;
        }
        Ok(())
    }
}
