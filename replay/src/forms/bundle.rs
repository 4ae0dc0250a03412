//! Evidence: a folder with one session as it is stored, laid out as a store, and beside it what was found, readable
//! copies, digests of it all, and a text that says how to check it.
//!
//! Bytes of segments and chain are copied as they are, under their names. When all is written the folder itself is
//! verified as any store, and must give the verdict that the store gave. Private, never over something that exists.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use hansard_schemas::Timestamp;
use hansard_schemas::verdict::Judgement;
use hansard_sinks::file::FileStore;
use hansard_sinks::{SessionRef, Store};
use sha2::{Digest, Sha256};

use super::target::{folder, folders_above};
use crate::evidence::{Chains, Evidence, examine};
use crate::report::{Failure, Outcome};

/// How much of an object is in memory while it is copied.
const PIECE: u64 = 1 << 20;

/// Name of the manifest.
pub const MANIFEST: &str = "MANIFEST.sha256";

/// A folder that is being made.
pub struct Bundle {
    root: PathBuf,
    /// Names of all that was written, below the root.
    names: Vec<String>,
}

/// What was copied.
#[derive(Debug, Default)]
pub struct Copied {
    /// Names of segments, in order.
    pub segments: Vec<String>,
    /// Number of chain objects.
    pub chain_objects: usize,
    /// What was left out.
    pub left_out: Vec<String>,
}

impl Bundle {
    /// Makes the folder, which must not exist yet.
    pub fn new(root: &Path) -> Outcome<Self> {
        folder(root)?;
        Ok(Self { root: root.to_owned(), names: Vec::new() })
    }

    /// A new private file in it. `name` is one of this program's, or one that a store's naming rules let through.
    pub fn file(&mut self, name: &str) -> Outcome<File> {
        let path = self.root.join(name);
        let wrong = |error: io::Error| Failure::usage(format!("{}: cannot create it: {error}", path.display()));
        folders_above(&self.root, name).map_err(wrong)?;
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(wrong)?;
        self.names.push(name.to_owned());
        Ok(file)
    }

    /// Writes a file of some bytes.
    pub fn put(&mut self, name: &str, bytes: &[u8]) -> Outcome<()> {
        let mut file = self.file(name)?;
        file.write_all(bytes)?;
        Ok(file.sync_all()?)
    }

    /// Copies all that lies under a session's name, and the chain that witnesses it, as they are.
    pub fn copy(&mut self, store: &dyn Store, evidence: &Evidence) -> Outcome<Copied> {
        let mut copied = Copied::default();
        let counted: Vec<usize> = evidence.judgement.parts.clone();
        let rest = (0..evidence.objects.len()).filter(|at| !counted.contains(at));
        // What counts comes first: of two objects of one name only one has a place.
        for at in counted.iter().copied().chain(rest) {
            let Some(object) = evidence.objects.get(at) else { continue };
            let name = object.part.name.path();
            if copied.segments.contains(&name) {
                copied.left_out.push(format!("another object of the name {name} was left out"));
                continue;
            }
            let mut file = self.file(&name)?;
            let mut from = 0;
            loop {
                let bytes = store.read(&object.part, Some(from..from + PIECE))?;
                if bytes.is_empty() {
                    break;
                }
                file.write_all(&bytes)?;
                from += bytes.len() as u64;
            }
            file.sync_all()?;
            copied.segments.push(name);
        }
        copied.segments.sort();
        if let Some(chain) = evidence.chain {
            for part in store.chains()?.iter().filter(|part| part.name.chain == chain) {
                let name = part.name.path();
                if self.names.contains(&name) {
                    copied.left_out.push(format!("another object of the name {name} was left out"));
                    continue;
                }
                self.put(&name, &store.read_chain(part)?)?;
                copied.chain_objects += 1;
            }
        }
        Ok(copied)
    }

    /// Verifies what lies in the folder, as anyone will.
    pub fn examine(&self, session: &SessionRef, now: Timestamp) -> Outcome<Evidence> {
        let root = fs::canonicalize(&self.root)?;
        let store = FileStore::new(root);
        let chains = Chains::load(&store)?;
        Ok(examine(&store, session, &chains, now, &mut |_| {})?)
    }

    /// Writes the manifest: SHA-256 of every file that was written, read back from the disk.
    pub fn seal(mut self) -> Outcome<()> {
        let mut names = std::mem::take(&mut self.names);
        names.sort();
        let mut manifest = String::new();
        for name in names {
            let digest = sha256(&self.root.join(&name))?;
            manifest.push_str(&format!("{digest}  {name}\n"));
        }
        self.put(MANIFEST, manifest.as_bytes())?;
        Ok(File::open(&self.root)?.sync_all()?)
    }
}

/// Whether two judgements say the same of a session. Notes are of what else lies in a store.
pub fn agree(one: &Judgement, two: &Judgement) -> bool {
    one.verdict == two.verdict
        && one.faults == two.faults
        && one.chain_faults == two.chain_faults
        && one.last_segment == two.last_segment
        && one.outcome == two.outcome
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut piece = vec![0; 256 << 10];
    loop {
        let length = file.read(&mut piece)?;
        let Some(read) = piece.get(..length).filter(|read| !read.is_empty()) else { break };
        hasher.update(read);
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
