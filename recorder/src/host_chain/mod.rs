//! The host chain on disk: one per spool, appended by every recorder that uses it, under its lock.
//!
//! The signing key of the next entry is in the state file and nowhere else; it is overwritten before the entry that it
//! signed is used. What the entries mean is `hansard_schemas::chain`; how the state's bytes lie is `chain_state`.

mod log;
mod state_file;

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use hansard_schemas::chain::{self, Entry, Head, Kind};
use hansard_schemas::chain_state::State;
use hansard_schemas::seal::SigningKey;
use hansard_schemas::{ChainId, Timestamp};
use rustix::process::getuid;

pub use log::Log;
use state_file::StateFile;

use crate::capture::who::Host;
use crate::journal::session_dir::{SessionDir, read_head};
use crate::journal::spool::Spool;
use crate::report::{Failure, io};

/// The chain of this spool.
#[derive(Debug)]
pub struct HostChain {
    dir: PathBuf,
    id: ChainId,
    boot: hansard_schemas::ids::BootId,
}

fn now() -> Timestamp {
    Timestamp::new(chrono::Utc::now())
}

impl HostChain {
    /// Opens the chain, or begins one. A changed machine id begins a new one; the old is kept beside, to be delivered.
    pub fn open(spool: &Spool, host: &Host) -> Result<Self, Failure> {
        let dir = spool.root().join("chain");
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(io("make", &dir))?;
        let state = StateFile::lock(&dir)?;
        let log = Log::new(&dir);
        if let Some(State { entry, .. }) = state.read()? {
            log.append(&entry).map_err(io("bring the log of the host chain up to date in", &dir))?;
            let genesis = log.entries_from(0).map_err(io("read the host chain in", &dir))?.into_iter().next();
            match genesis.map(|entry| entry.kind) {
                Some(Kind::Genesis { machine, .. }) if machine == host.machine => {}
                Some(_) => {
                    let aside = spool.root().join(format!("chain.{}", entry.chain.short()));
                    std::fs::rename(&dir, &aside).map_err(io("put aside the chain of another machine in", &dir))?;
                    drop(state);
                    return Self::open(spool, host);
                }
                None => {
                    return Err(Failure::new(format_args!(
                        "the host chain in {} has lost its first entry",
                        dir.display()
                    )));
                }
            }
            return Ok(Self { dir, id: entry.chain, boot: host.boot });
        }
        let key = SigningKey::generate();
        let (entry, next) =
            chain::genesis(&host.name, host.machine, getuid().as_raw(), now(), host.boot, key).map_err(Failure::new)?;
        let first = State::first(entry, next);
        state.write(&first)?;
        let entry = first.entry;
        log.append(&entry).map_err(io("write the host chain in", &dir))?;
        Ok(Self { id: entry.chain, dir, boot: host.boot })
    }

    /// The chain of this spool and those put aside, to close and deliver what belongs to them.
    pub fn all(spool: &Spool, host: &Host) -> Result<Vec<Self>, Failure> {
        let mut chains = vec![Self::open(spool, host)?];
        let root = spool.root();
        for entry in std::fs::read_dir(root).map_err(io("list", root))?.flatten() {
            if entry.file_name().to_str().is_some_and(|name| name.starts_with("chain.")) {
                let dir = entry.path();
                let state = StateFile::lock(&dir)?;
                if let Some(last) = state.read()? {
                    chains.push(Self { id: last.entry.chain, dir, boot: host.boot });
                }
            }
        }
        Ok(chains)
    }

    /// Addresses of the sinks that have had entries of it.
    pub fn known_sinks(&self) -> Vec<String> {
        let files = std::fs::read_dir(&self.dir).into_iter().flatten().flatten();
        files
            .filter(|f| f.file_name().to_str().is_some_and(|name| name.starts_with("cursor-")))
            .filter_map(|f| std::fs::read_to_string(f.path()).ok())
            .filter_map(|text| text.trim_end().split_once(' ').map(|(_, address)| address.to_owned()))
            .collect()
    }

    /// What people pin as the host's identity.
    pub fn id(&self) -> ChainId {
        self.id
    }

    /// The present boot.
    pub fn boot(&self) -> hansard_schemas::ids::BootId {
        self.boot
    }

    /// Where it lies.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its entries.
    pub fn log(&self) -> Log {
        Log::new(&self.dir)
    }

    /// Appends an entry; durable, and its key gone, when this returns (CHAIN-1).
    pub fn append(&self, kind: Kind) -> Result<Entry, Failure> {
        self.append_if(|| Some(kind)).and_then(|e| e.ok_or_else(|| Failure::new("nothing to append")))
    }

    /// The same, where what to say is decided under the chain's lock.
    pub fn append_if(&self, decide: impl FnOnce() -> Option<Kind>) -> Result<Option<Entry>, Failure> {
        let state = StateFile::lock(&self.dir)?;
        let Some(last) = state.read()? else {
            return Err(Failure::new(format_args!("the host chain in {} has lost its state", self.dir.display())));
        };
        let log = self.log();
        log.append(&last.entry).map_err(io("write the host chain in", &self.dir))?;
        let Some(kind) = decide() else { return Ok(None) };
        let next_key = SigningKey::generate();
        let entry = chain::append_with(&last.entry, &last.key, kind, now(), self.boot, next_key.public())
            .map_err(Failure::new)?;
        let next = last.next(entry, next_key);
        state.write(&next)?;
        log.append(&next.entry).map_err(io("write the host chain in", &self.dir))?;
        Ok(Some(next.entry))
    }

    /// Appends a checkpoint of every session that some recorder runs on this spool now (CHAIN-3).
    pub fn checkpoint(&self, spool: &Spool) -> Result<Entry, Failure> {
        // Under the chain's lock: a session that ends meanwhile writes its `end` after this checkpoint, not before.
        let entry = self.append_if(|| Some(Kind::Checkpoint { open: open_sessions(spool) }))?;
        entry.ok_or_else(|| Failure::new("nothing to append"))
    }
}

/// Sessions whose folder is locked by whoever runs them, with their heads.
fn open_sessions(spool: &Spool) -> Vec<Head> {
    let ids = spool.session_ids().unwrap_or_default();
    ids.into_iter()
        .filter(|id| matches!(SessionDir::take(&spool.sessions(), *id), Ok(None)))
        .map(|session| {
            let head = read_head(&spool.sessions().join(session.to_string()));
            Head { session, segment: head.map(|h| h.0), digest: head.map(|h| h.1) }
        })
        .collect()
}
