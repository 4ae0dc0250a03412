//! The host chain on disk: one per spool, appended by every recorder that uses it, under its lock.
//!
//! The signing key of the next entry is in the state file and nowhere else; it is overwritten before the entry that it
//! signed is used. Entries that come at once from several threads are written together, since each write costs three syncs
//! (`turns`). What the entries mean is `hansard_schemas::chain`; how the state's bytes lie is `chain_state`.

mod log;
mod state_file;
mod turns;

use std::collections::HashSet;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use hansard_schemas::chain::{self, Entry, Head, Kind, Part};
use hansard_schemas::chain_state::{self, State};
use hansard_schemas::ids::BootId;
use hansard_schemas::seal::SigningKey;
use hansard_schemas::spool::{CHAIN, CHAIN_ASIDE};
use hansard_schemas::{ChainId, SessionId, Timestamp, limits};
use rustix::process::getuid;

pub use log::Log;
use state_file::StateFile;
use turns::Turns;

use crate::capture::who::Host;
use crate::journal::cursor;
use crate::journal::session_dir::{SessionDir, is_over, read_head};
use crate::journal::spool::Spool;
use crate::report::{Failure, io};

/// The chain of this spool.
#[derive(Debug)]
pub struct HostChain {
    dir: PathBuf,
    id: ChainId,
    boot: BootId,
    log: Log,
    turns: Turns,
    /// Number behind the newest entry that this process has seen.
    end: AtomicU64,
}

fn now() -> Timestamp {
    Timestamp::new(chrono::Utc::now())
}

impl HostChain {
    /// Opens the chain, or begins one. A changed machine id begins a new one; the old is kept beside, to be delivered.
    pub fn open(spool: &Spool, host: &Host) -> Result<Self, Failure> {
        let dir = spool.root().join(CHAIN);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(io("make", &dir))?;
        let state = StateFile::lock(&dir)?;
        let log = Log::new(&dir);
        if let Some(last) = state.read()? {
            log.append(last.entries()).map_err(io("bring the log of the host chain up to date in", &dir))?;
            let entry = last.entry;
            let genesis = log.entries_from(0).map_err(io("read the host chain in", &dir))?.into_iter().next();
            match genesis.map(|entry| entry.kind) {
                Some(Kind::Genesis { machine, .. }) if machine == host.machine => {}
                Some(_) => {
                    let aside = spool.root().join(format!("{CHAIN_ASIDE}{}", entry.chain.short()));
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
            return Ok(Self::at(dir, log, &entry, host));
        }
        let key = SigningKey::generate();
        let (entry, next) =
            chain::genesis(&host.name, host.machine, getuid().as_raw(), now(), host.boot, key).map_err(Failure::new)?;
        let first = State::first(entry, next);
        state.write(&first)?;
        log.append(first.entries()).map_err(io("write the host chain in", &dir))?;
        Ok(Self::at(dir, log, &first.entry, host))
    }

    fn at(dir: PathBuf, log: Log, newest: &Entry, host: &Host) -> Self {
        let end = AtomicU64::new(newest.seq + 1);
        Self { dir, id: newest.chain, boot: host.boot, log, turns: Turns::default(), end }
    }

    /// The chain of this spool and those put aside, to close and deliver what belongs to them.
    pub fn all(spool: &Spool, host: &Host) -> Result<Vec<Self>, Failure> {
        let mut chains = vec![Self::open(spool, host)?];
        let root = spool.root();
        for entry in std::fs::read_dir(root).map_err(io("list", root))?.flatten() {
            if entry.file_name().to_str().is_some_and(|name| name.starts_with(CHAIN_ASIDE)) {
                let dir = entry.path();
                let state = StateFile::lock(&dir)?;
                if let Some(last) = state.read()? {
                    chains.push(Self::at(dir.clone(), Log::new(&dir), &last.entry, host));
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
            .filter_map(|f| cursor::address(&f.path()))
            .collect()
    }

    /// What people pin as the host's identity.
    pub fn id(&self) -> ChainId {
        self.id
    }

    /// The present boot.
    pub fn boot(&self) -> BootId {
        self.boot
    }

    /// Where it lies.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its entries on disk.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Number behind the newest entry that this process has seen; entries that come are not below it.
    pub fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    /// Every entry from `seq` on, those among them that a crash has left in the state only.
    pub fn entries_from(&self, seq: u64) -> Result<Vec<Entry>, Failure> {
        self.write(|_| Vec::new())?;
        self.log.entries_from(seq).map_err(io("read the host chain in", &self.dir))
    }

    /// Appends an entry; durable, and its key gone, when this returns (CHAIN-1). Several that come at once are one write.
    pub fn append(&self, kind: Kind) -> Result<Entry, Failure> {
        self.turns.take(kind, |kinds| self.write(|room| turns::fitting(kinds, room)))
    }

    /// The same, where what to say is decided under the chain's lock.
    pub fn append_if(&self, decide: impl FnOnce() -> Option<Kind>) -> Result<Option<Entry>, Failure> {
        let written = self.turns.alone(|| self.write(|_| decide().into_iter().collect()))?;
        Ok(written.into_iter().next())
    }

    /// Writes what `decide` gives under the lock, which lines of at most so many bytes hold.
    fn write(&self, decide: impl FnOnce(usize) -> Vec<Kind>) -> Result<Vec<Entry>, Failure> {
        let doing = "write the host chain in";
        let state = StateFile::lock(&self.dir)?;
        let Some(last) = state.read()? else {
            return Err(Failure::new(format_args!("the host chain in {} has lost its state", self.dir.display())));
        };
        self.log.append(last.entries()).map_err(io(doing, &self.dir))?;
        self.end.store(last.entry.seq + 1, Ordering::Release);
        let kinds = decide(chain_state::LINES);
        let mut entries: Vec<Entry> = Vec::with_capacity(kinds.len());
        let mut key = None;
        for kind in kinds {
            let next = SigningKey::generate();
            let before = entries.last().unwrap_or(&last.entry);
            let signer = key.as_ref().unwrap_or(&last.key);
            entries
                .push(chain::append_with(before, signer, kind, now(), self.boot, next.public()).map_err(Failure::new)?);
            key = Some(next);
        }
        let (Some(newest), Some(key)) = (entries.last().cloned(), key) else { return Ok(entries) };
        let before = entries[..entries.len() - 1].to_vec();
        let next = last.next_after(before, newest, key);
        state.write(&next)?;
        self.log.append(next.entries()).map_err(io(doing, &self.dir))?;
        self.end.store(next.entry.seq + 1, Ordering::Release);
        Ok(entries)
    }

    /// Appends a checkpoint of every session that is open on this spool now (CHAIN-3): those of `ours`, and those that
    /// other recorders run. Of several hundred it takes more than one entry (CHAIN-8).
    pub fn checkpoint(&self, spool: &Spool, ours: impl Fn() -> Vec<Head>) -> Result<Vec<Entry>, Failure> {
        let mut entries = Vec::new();
        let mut from = None;
        loop {
            // Under the chain's lock: a session that ends meanwhile writes its `end` after this checkpoint, not before.
            let decide = || {
                let mut open = ours();
                let known: HashSet<SessionId> = open.iter().map(|head| head.session).collect();
                open.extend(open_elsewhere(spool, &known));
                Some(part_of(open, from))
            };
            let Some(entry) = self.append_if(decide)? else { return Err(Failure::new("nothing to append")) };
            from = match &entry.kind {
                Kind::Checkpoint { part: Some(part), .. } => part.below,
                _ => None,
            };
            entries.push(entry);
            if from.is_none() {
                return Ok(entries);
            }
        }
    }
}

/// As much of the list, from this session on, as an entry surely holds.
fn part_of(mut open: Vec<Head>, from: Option<SessionId>) -> Kind {
    const MOST: usize = (limits::META_LINE - turns::LINE) / turns::HEAD;
    open.retain(|head| from.is_none_or(|from| from <= head.session));
    open.sort_by_key(|head| head.session);
    let below = open.get(MOST).map(|head| head.session);
    open.truncate(MOST);
    let part = Part { from, below };
    Kind::Checkpoint { open, part: (part.from.is_some() || part.below.is_some()).then_some(part) }
}

/// What a checkpoint says of an open session, by its folder.
pub fn head_in(session: SessionId, dir: &Path) -> Head {
    let head = read_head(dir);
    Head { session, segment: head.map(|h| h.0), digest: head.map(|h| h.1) }
}

/// Sessions whose folder is locked by another recorder, with their heads.
fn open_elsewhere(spool: &Spool, known: &HashSet<SessionId>) -> Vec<Head> {
    let ids = spool.session_ids().unwrap_or_default();
    ids.into_iter()
        .map(|session| (session, spool.sessions().join(session.to_string())))
        .filter(|(session, dir)| {
            let is_locked = || matches!(SessionDir::take(&spool.sessions(), *session), Ok(None));
            !known.contains(session) && !is_over(dir) && is_locked()
        })
        .map(|(session, dir)| head_in(session, &dir))
        .collect()
}
