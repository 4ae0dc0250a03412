//! Closing what a recorder left behind: interrupted sessions become `recovered` (FORMAT.md, section 7).
//!
//! Every step can be interrupted and repeated: what the chain already says of a segment is used, never said twice.
//! Not for sessions that run, whose folder is locked, nor for decrypting: nothing here could.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use hansard_schemas::chain::{Entry, Kind};
use hansard_schemas::segment::{self, Checked, Checker, TrailerKind};
use hansard_schemas::{Digest, PublicKey, SessionId};

use super::file::{replace, sync_dir};
use super::outbox;
use super::session_dir::{About, Form, OUTCOME, SegmentFile, SessionDir};
use crate::host_chain::HostChain;
use crate::report::{Failure, io as io_failure};

/// What became of a session's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It had ended orderly; nothing was to be done.
    Ended,
    /// It was closed as recovered, from this segment on.
    Recovered {
        /// The first segment without a trailer of its own.
        segment: u32,
        /// Whole blocks kept in it.
        blocks: u64,
    },
    /// Its recorder died before the session was announced: there is no session.
    NeverStarted,
}

const END: &[u8] = &u32::MAX.to_le_bytes();

/// Closes the session of this folder, which the caller has locked.
pub fn recover(dir: &SessionDir, chain: &HostChain, reason: &str) -> Result<Found, Failure> {
    let Some(about) = dir.read_about().map_err(io_failure("read what is known of the session in", dir.path()))? else {
        return Ok(Found::NeverStarted);
    };
    let said = said_of(dir.session(), chain, &about)?;
    if !said.iter().any(|e| matches!(e.kind, Kind::Start { .. })) {
        return Ok(Found::NeverStarted);
    }
    let found = if said.iter().any(|e| matches!(e.kind, Kind::End { .. })) {
        Found::Ended
    } else {
        let work = Work { dir, chain, about: &about, said: &said, reason };
        work.run().map_err(io_failure("close the interrupted session in", dir.path()))?
    };
    outbox::settle(dir, chain, &about).map_err(io_failure("write the events of the session in", dir.path()))?;
    Ok(found)
}

/// What the chain says of a session itself.
pub(super) fn said_of(session: SessionId, chain: &HostChain, about: &About) -> Result<Vec<Entry>, Failure> {
    let entries = chain.entries_from(about.start_seq)?;
    Ok(entries.into_iter().filter(|e| names(&e.kind, session)).collect())
}

/// Whether an entry is about this session itself; checkpoints only mention it.
fn names(kind: &Kind, wanted: SessionId) -> bool {
    match kind {
        Kind::Start { session, .. } | Kind::End { session, .. } | Kind::Recovered { session, .. } => *session == wanted,
        _ => false,
    }
}

/// The work on one session's folder.
pub(super) struct Work<'a> {
    pub(super) dir: &'a SessionDir,
    pub(super) chain: &'a HostChain,
    pub(super) about: &'a About,
    pub(super) said: &'a [Entry],
    pub(super) reason: &'a str,
}

/// Checks a segment from end to end.
pub(super) fn check(path: &Path) -> io::Result<Checked> {
    let mut checker = Checker::new();
    checker.push(&std::fs::read(path)?).and_then(|()| checker.finish()).map_err(io::Error::other)
}

/// Who signs an open segment, as far as its header is whole.
pub(super) fn signer_of(segment: &SegmentFile) -> io::Result<Option<PublicKey>> {
    Ok(segment::scan_open(&std::fs::read(&segment.path)?).header.map(|h| h.signer))
}

/// Who signs what comes next: of a torn header between whole ones nothing is kept, so nobody's signature is asked there.
fn next_signer(followers: &[&SegmentFile]) -> io::Result<Option<PublicKey>> {
    for file in followers {
        if let Some(signer) = signer_of(file)? {
            return Ok(Some(signer));
        }
    }
    Ok(None)
}

impl Work<'_> {
    fn run(&self) -> io::Result<Found> {
        self.remove_copies()?;
        let segments = self.dir.segments()?;
        let closed = segments.iter().rev().find(|s| s.form == Form::Closed);
        let mut prev = None;
        let mut next_number = 0;
        if let Some(highest) = closed {
            let checked = check(&highest.path)?;
            match &checked.trailer {
                TrailerKind::Signed(trailer) if trailer.last => return self.end(highest.number, checked.digest),
                // The last segment was recovered by a run that was interrupted after it.
                TrailerKind::Recovered(entry) if self.is_last_recovered(entry) => {
                    return Ok(self.found(highest.number, 0));
                }
                _ => {}
            }
            prev = Some(checked.digest);
            next_number = highest.number + 1;
        }
        let mut open: Vec<&SegmentFile> =
            segments.iter().filter(|s| s.form == Form::Journal && s.number >= next_number).collect();
        self.drop_torn(&mut open)?;
        if open.is_empty() {
            // Not even a file of the next segment: said without one.
            self.say(next_number, 0, None, prev, None)?;
            return Ok(self.found(next_number, 0));
        }
        let mut first = None;
        if open[0].number > next_number {
            // Whoever went on here knew that the one between was lost, and was interrupted before it was said, or after.
            first = Some(next_number);
            self.say(next_number, 0, None, prev, signer_of(open[0])?)?;
            prev = None;
        }
        let mut kept_blocks = 0;
        for (place, segment) in open.iter().enumerate() {
            let rest = &open[place + 1..];
            let followed = rest.first().is_some_and(|f| f.number == segment.number + 1);
            if let Some(checked) = self.finish_signed(segment)? {
                match &checked.trailer {
                    TrailerKind::Signed(trailer) if trailer.last => return Ok(Found::Ended),
                    TrailerKind::Recovered(entry) if self.is_last_recovered(entry) => {
                        return Ok(self.found(first.unwrap_or(segment.number), kept_blocks));
                    }
                    _ => prev = Some(checked.digest),
                }
                if !followed {
                    // It announced the next one, of which not even a file is there.
                    let lost = segment.number + 1;
                    self.say(lost, 0, None, prev, next_signer(rest)?)?;
                    first.get_or_insert(lost);
                    prev = None;
                }
                continue;
            }
            let continues = if followed { next_signer(rest)? } else { None };
            let (digest, blocks) = self.recover_one(segment, continues, prev)?;
            prev = digest;
            kept_blocks += blocks;
            first.get_or_insert(segment.number);
            if !followed {
                break;
            }
        }
        Ok(self.found(first.unwrap_or(next_number), kept_blocks))
    }

    /// A last file whose header was not whole holds nothing, and no entry has named its signer: the session ends before it.
    /// Else the entry of the segment before it would end the session, and one for this file would contradict it.
    fn drop_torn(&self, open: &mut Vec<&SegmentFile>) -> io::Result<()> {
        while let Some(last) = open.last() {
            if signer_of(last)?.is_some() || self.goes_on_to(last.number) {
                break;
            }
            std::fs::remove_file(&last.path)?;
            open.pop();
        }
        Ok(())
    }

    /// Whether an entry says that the session went on with this segment.
    fn goes_on_to(&self, number: u32) -> bool {
        self.said.iter().any(|e| match e.kind {
            Kind::Recovered { segment, continues: Some(_), .. } => segment + 1 == number,
            _ => false,
        })
    }

    /// A copy that was not renamed is no part of the session.
    pub(super) fn remove_copies(&self) -> io::Result<()> {
        for entry in std::fs::read_dir(self.dir.path())?.flatten() {
            if entry.path().extension().is_some_and(|e| e == "joined" || e == "new") {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn found(&self, segment: u32, blocks: u64) -> Found {
        let said = self.said.iter().filter_map(|e| match e.kind {
            Kind::Recovered { segment, blocks, .. } => Some((segment, blocks)),
            _ => None,
        });
        // What the chain says is what counts; this round may have come after the work was done.
        let (segment, blocks) = said.min().filter(|said| said.0 <= segment).unwrap_or((segment, blocks));
        Found::Recovered { segment, blocks }
    }

    fn is_last_recovered(&self, entry: &Entry) -> bool {
        matches!(entry.kind, Kind::Recovered { continues: None, .. })
    }

    /// A segment that was signed but not renamed: it only needs its name.
    pub(super) fn finish_signed(&self, segment: &SegmentFile) -> io::Result<Option<Checked>> {
        let Ok(checked) = check(&segment.path) else { return Ok(None) };
        rustix::fs::fdatasync(File::open(&segment.path)?)?;
        self.name(segment, &checked.digest)?;
        if let TrailerKind::Signed(trailer) = &checked.trailer
            && trailer.last
        {
            self.end(segment.number, checked.digest)?;
        }
        Ok(Some(checked))
    }

    /// The orderly end that only the chain lacks.
    pub(super) fn end(&self, segment: u32, digest: Digest) -> io::Result<Found> {
        let outcome = outbox::kept_outcome(self.dir).map_or_else(|| "recorder-failed".into(), |kept| kept.0);
        let kind = Kind::End { session: self.dir.session(), segment, digest, outcome };
        self.chain.append(kind).map_err(|f| io::Error::other(f.what))?;
        Ok(Found::Ended)
    }

    /// Closes a segment as recovered. Gives its digest, none where nothing of it could be kept, and how many blocks were.
    pub(super) fn recover_one(
        &self,
        segment: &SegmentFile,
        continues: Option<PublicKey>,
        prev: Option<Digest>,
    ) -> io::Result<(Option<Digest>, u64)> {
        let bytes = std::fs::read(&segment.path)?;
        let scan = segment::scan_open(&bytes);
        if scan.kept_len == 0 {
            self.say(segment.number, 0, None, prev, continues)?;
            std::fs::remove_file(&segment.path)?;
            return Ok((None, 0));
        }
        let entry = self.say(segment.number, scan.blocks, scan.kept, prev, continues)?;
        // The kept bytes end where the first cut of this recovery put it: what stood behind is gone after this.
        let file = OpenOptions::new().write(true).open(&segment.path)?;
        let end = scan.kept_len as u64;
        file.set_len(end)?;
        file.write_all_at(END, end)?;
        file.write_all_at(&entry.line, end + END.len() as u64)?;
        rustix::fs::fdatasync(&file)?;
        let checked = check(&segment.path)?;
        self.name(segment, &checked.digest)?;
        Ok((Some(checked.digest), scan.blocks))
    }

    fn name(&self, segment: &SegmentFile, digest: &Digest) -> io::Result<()> {
        std::fs::rename(&segment.path, self.dir.closed_path(segment.number, digest))?;
        replace(&self.dir.path().join("head"), format!("{} {digest}\n", segment.number).as_bytes())?;
        sync_dir(self.dir.path())
    }

    /// The `recovered` entry of a segment: the one that the chain has, or a new one.
    pub(super) fn say(
        &self,
        segment: u32,
        blocks: u64,
        kept: Option<Digest>,
        head: Option<Digest>,
        continues: Option<PublicKey>,
    ) -> io::Result<Entry> {
        let earlier = self.said.iter().find(|e| matches!(e.kind, Kind::Recovered { segment: s, .. } if s == segment));
        if let Some(entry) = earlier {
            return Ok(entry.clone());
        }
        if continues.is_none() {
            // No checkpoint of another recorder lists it as open after this.
            self.dir.write_line(OUTCOME, "recovered")?;
        }
        let kind = Kind::Recovered {
            session: self.dir.session(),
            segment,
            blocks,
            kept,
            head,
            reason: self.reason.to_owned(),
            old_boot: self.about.boot,
            continues,
        };
        self.chain.append(kind).map_err(|f| io::Error::other(f.what))
    }
}
