//! A session whose recorder was killed goes on with another (FORMAT.md, section 7): what is in its folder, and how the
//! segments that were left open are closed.
//!
//! First it is looked up where the session stopped, then the caller opens the next segment, durably, and then the chain is
//! told: `recovered`, with the key of that segment. In this order, because a key that the chain has announced and nobody
//! holds any more would leave a hole in the numbers; that happens only where the recorder was killed between two segments.
//! Every step can be interrupted and begun again. Not for sessions that do not go on: `recovery`.

use std::io;

use hansard_schemas::chain::{Entry, Kind};
use hansard_schemas::segment::{Checked, OpenScan, scan_open};
use hansard_schemas::{Digest, PublicKey};

use super::outbox;
use super::recovery::{Work, check, said_of, signer_of};
use super::session_dir::{About, Form, SegmentFile, SessionDir};
use crate::host_chain::HostChain;
use crate::report::{Failure, io as io_failure};

/// What a folder holds of a session that is to go on.
pub enum Stopped {
    /// It can.
    Here(Box<Point>),
    /// It has ended, or was closed as recovered: nothing can follow.
    Over,
    /// It never came so far that anything was shown.
    NeverStarted,
}

/// A segment that is to be closed as recovered.
enum Left {
    /// So many bytes of it are there.
    Open(SegmentFile),
    /// It was announced, and nothing of it is there.
    Lost(u32),
}

/// Where a session stopped.
pub struct Point {
    /// What is known of it.
    pub about: About,
    /// Number of the segment in which it goes on.
    pub next: u32,
    /// The highest epoch so far.
    pub epoch: u32,
    /// The last message that is in the journal.
    pub position: u64,
    /// Event time before which it cannot go on: that of the beginning of the last segment.
    pub offset_ms: u64,
    said: Vec<Entry>,
    left: Vec<Left>,
    /// The highest closed segment.
    closed: Option<(u32, Digest)>,
}

/// Looks up where a session stopped. Its folder is locked by the caller.
pub fn look(dir: &SessionDir, chain: &HostChain) -> Result<Stopped, Failure> {
    let Some(about) = dir.read_about().map_err(io_failure("read what is known of the session in", dir.path()))? else {
        return Ok(Stopped::NeverStarted);
    };
    if about.chain != chain.id() {
        let what = format_args!("session {} belongs to the host chain {}", dir.session(), about.chain);
        return Err(Failure::new(what).hint("this host has begun another chain since; the session cannot go on"));
    }
    let said = said_of(dir.session(), chain, &about)?;
    let is_over = |e: &Entry| matches!(e.kind, Kind::End { .. } | Kind::Recovered { continues: None, .. });
    if said.iter().any(is_over) {
        return Ok(Stopped::Over);
    }
    if !said.iter().any(|e| matches!(e.kind, Kind::Start { .. })) {
        return Ok(Stopped::NeverStarted);
    }
    let work = Work { dir, chain, about: &about, said: &said, reason: "" };
    let seen = see(&work).map_err(io_failure("read the segments in", dir.path()))?;
    let Some(seen) = seen else {
        outbox::settle(dir, chain, &about).map_err(io_failure("write the events of the session in", dir.path()))?;
        return Ok(Stopped::Over);
    };
    let Seen { next, epoch, position, offset_ms, left, closed } = seen;
    if closed.is_none() && left.iter().all(|left| matches!(left, Left::Lost(_))) {
        return Ok(Stopped::NeverStarted);
    }
    Ok(Stopped::Here(Box::new(Point { about, next, epoch, position, offset_ms, said, left, closed })))
}

#[derive(Default)]
struct Seen {
    next: u32,
    epoch: u32,
    position: u64,
    offset_ms: u64,
    left: Vec<Left>,
    closed: Option<(u32, Digest)>,
}

impl Seen {
    fn closed(&mut self, number: u32, checked: &Checked) {
        self.closed = Some((number, checked.digest));
        self.next = number + 1;
        self.position = checked.last_position;
        self.offset_ms = checked.header.offset_ms;
        self.epoch = checked.header.epoch;
    }

    fn open(&mut self, file: &SegmentFile, scan: &OpenScan) {
        self.next = file.number + 1;
        if scan.blocks > 0 {
            self.position = self.position.max(scan.last_position);
        }
        if let Some(header) = &scan.header {
            (self.offset_ms, self.epoch) = (header.offset_ms, self.epoch.max(header.epoch));
        }
        self.left.push(Left::Open(file.clone()));
    }
}

/// What the segments show; `None` where the last one is closed, and only the chain lacks the end.
fn see(work: &Work<'_>) -> io::Result<Option<Seen>> {
    work.remove_copies()?;
    let segments = work.dir.segments()?;
    let mut seen = Seen::default();
    if let Some(highest) = segments.iter().rev().find(|s| s.form == Form::Closed) {
        let checked = check(&highest.path)?;
        if checked.is_last() {
            work.end(highest.number, checked.digest)?;
            return Ok(None);
        }
        seen.closed(highest.number, &checked);
    }
    let from = seen.next;
    for file in segments.iter().filter(|s| s.form == Form::Journal && s.number >= from) {
        if file.number > seen.next {
            if file.number != seen.next + 1 {
                return Err(io::Error::other(format!("segment {} is missing", seen.next)));
            }
            // Lost in a restart before this one, and said, or about to be.
            seen.left.push(Left::Lost(seen.next));
        }
        if seen.left.is_empty()
            && let Some(checked) = work.finish_signed(file)?
        {
            if checked.is_last() {
                return Ok(None);
            }
            seen.closed(file.number, &checked);
            continue;
        }
        seen.open(file, &scan_open(&std::fs::read(&file.path)?));
    }
    lose_torn(work, &mut seen)?;
    // What was closed has announced the next one, whose key was in the recorder's memory.
    if seen.left.is_empty() {
        seen.left.push(Left::Lost(seen.next));
        seen.next += 1;
    }
    Ok(Some(seen))
}

/// A last file without a whole header: its number is free, unless it was announced.
fn lose_torn(work: &Work<'_>, seen: &mut Seen) -> io::Result<()> {
    let Some(Left::Open(last)) = seen.left.last() else { return Ok(()) };
    if scan_open(&std::fs::read(&last.path)?).kept_len > 0 {
        return Ok(());
    }
    let (number, path) = (last.number, last.path.clone());
    seen.left.pop();
    std::fs::remove_file(path)?;
    seen.next = number;
    let before = number.checked_sub(1);
    let was_said =
        work.said.iter().any(|e| matches!(e.kind, Kind::Recovered { segment, .. } if Some(segment) == before));
    if was_said {
        seen.left.push(Left::Lost(number));
        seen.next = number + 1;
    }
    Ok(())
}

impl Point {
    /// Closes what was left open, now that the next segment is durable and `signer` is the key that it is signed with. Gives
    /// number and digest of the highest closed segment.
    pub fn close(
        &self,
        dir: &SessionDir,
        chain: &HostChain,
        signer: PublicKey,
        reason: &str,
    ) -> Result<Option<(u32, Digest)>, Failure> {
        outbox::owe_started_again(dir, &self.about, &self.said)
            .map_err(io_failure("list the events of the session in", dir.path()))?;
        let work = Work { dir, chain, about: &self.about, said: &self.said, reason };
        self.close_each(&work, signer).map_err(io_failure("close what the last recorder left open in", dir.path()))
    }

    fn close_each(&self, work: &Work<'_>, signer: PublicKey) -> io::Result<Option<(u32, Digest)>> {
        // Of the segment right before, for the entry; of the highest that is stored, for the trailer that follows.
        let mut stored = self.closed;
        let mut head = stored.map(|closed| closed.1);
        for (place, left) in self.left.iter().enumerate() {
            let continues = match self.left.get(place + 1) {
                None => Some(signer),
                // Of a torn header in the middle nothing is kept, and nobody's signature is asked there.
                Some(Left::Open(file)) => signer_of(file)?.or(Some(signer)),
                Some(Left::Lost(_)) => return Err(io::Error::other("two segments in a row are lost")),
            };
            match left {
                Left::Open(file) => {
                    head = work.recover_one(file, continues, head)?.0;
                    stored = head.map(|digest| (file.number, digest)).or(stored);
                }
                Left::Lost(number) => {
                    work.say(*number, 0, None, head, continues)?;
                    head = None;
                }
            }
        }
        Ok(stored)
    }
}

impl std::fmt::Debug for Point {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { next, epoch, position, offset_ms, .. } = self;
        f.debug_struct("Point")
            .field("next", next)
            .field("epoch", epoch)
            .field("position", position)
            .field("offset_ms", offset_ms)
            .finish_non_exhaustive()
    }
}
