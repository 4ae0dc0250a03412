//! One round of delivery to one sink: chain, segments from the cursor on, chain again.
//!
//! The chain goes first so that a store never shows segments of a session that nobody has announced, and last so that
//! what the round's segments completed is witnessed with them. Not for when rounds happen.

use std::io;
use std::path::{Path, PathBuf};

use hansard_schemas::ChainId;
use hansard_schemas::Digest;
use hansard_schemas::names::{ChainName, SegmentName};
use hansard_sinks::events::AsObjects;
use hansard_sinks::{Put, Sink, SinkError};

use super::announce::{all_delivered, deliver_events};
use crate::host_chain::{HostChain, Log};
use crate::journal::cursor;
use crate::journal::session_dir::{Form, SessionDir};

/// Entries in one chain object.
const CHAIN_ENTRIES: usize = 512;

/// How many names of one range are tried when others have taken them.
const SQUATTED_MAX: u64 = 16;

/// What a round came to.
#[derive(Debug, Default)]
pub struct Delivery {
    /// Segments that the sink took.
    pub segments: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Set when other bytes lie under every name that ours could have had; ours is kept.
    pub conflict: Option<String>,
}

/// First 16 hex digits of the SHA-256 of a sink's place: its name in the spool, whatever the address's options are.
pub fn sink_id(place: &str) -> String {
    Digest::of(place.as_bytes()).short()
}

/// Where it stands how much of a session, or of the chain, a place has.
fn cursor_path(dir: &Path, place: &str) -> PathBuf {
    dir.join(format!("cursor-{}", sink_id(place)))
}

fn local(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> SinkError {
    let name = path.display().to_string();
    move |source| SinkError::Io { name, action, source }
}

/// Delivers all that is closed. Every step is idempotent: a cursor that was lost only costs work.
pub fn deliver(sink: &dyn Sink, dir: &SessionDir, chain: &HostChain) -> Result<Delivery, SinkError> {
    deliver_with(sink, dir, chain.id(), || deliver_chain(sink, chain.dir(), chain.log(), chain.id()))
}

/// The same, where `bring` delivers what the sink lacks of the chain.
pub fn deliver_with(
    sink: &dyn Sink,
    dir: &SessionDir,
    chain: ChainId,
    bring: impl Fn() -> Result<Option<String>, SinkError>,
) -> Result<Delivery, SinkError> {
    bring()?;
    deliver_events(&AsObjects(sink), dir)?;
    let mut delivery = deliver_segments(sink, dir, chain)?;
    let conflict = bring()?;
    delivery.conflict = delivery.conflict.or(conflict);
    // What the segments' end made meanwhile, and what of the end came since the first time.
    deliver_events(&AsObjects(sink), dir)?;
    Ok(delivery)
}

/// The segments of one session.
pub fn deliver_segments(sink: &dyn Sink, dir: &SessionDir, chain: ChainId) -> Result<Delivery, SinkError> {
    let cursor_path = cursor_path(dir.path(), sink.place());
    let cursor = cursor::read(&cursor_path).unwrap_or(0);
    let mut delivery = Delivery::default();
    for segment in dir.segments().map_err(local(dir.path(), "list"))? {
        if segment.form != Form::Closed {
            break;
        }
        if u64::from(segment.number) < cursor {
            continue;
        }
        let Some(digest16) = segment.path.file_stem().and_then(|s| s.to_str()).and_then(|s| s.split_once('-')) else {
            continue;
        };
        let name = SegmentName {
            chain16: chain.short(),
            session: dir.session(),
            number: segment.number,
            digest16: digest16.1.to_owned(),
        };
        let bytes = std::fs::read(&segment.path).map_err(local(&segment.path, "read"))?;
        // One that is taken and may not be read has our digest in its name: whoever reads it finds out.
        if sink.put_once(&name.path(), &bytes)? == Put::Conflict {
            // Kept in the spool: the cursor stays, and the reviewer is told by `verify` of the other one.
            return Ok(Delivery {
                conflict: Some(format!("{}: other bytes lie under the name of this segment", name.path())),
                ..delivery
            });
        }
        delivery.segments += 1;
        delivery.bytes += bytes.len() as u64;
        cursor::write(&cursor_path, u64::from(segment.number) + 1, "")
            .map_err(local(dir.path(), "write the cursor in"))?;
    }
    Ok(delivery)
}

/// The entries of a chain that the sink lacks. Gives what stands in the way, where somebody has taken every name.
pub fn deliver_chain(sink: &dyn Sink, dir: &Path, log: &Log, chain: ChainId) -> Result<Option<String>, SinkError> {
    let cursor_path = cursor_path(dir, sink.place());
    let mut cursor = cursor::read(&cursor_path).unwrap_or(0);
    loop {
        let mut lines = log.lines_from(cursor).map_err(local(dir, "read the chain in"))?;
        lines.truncate(CHAIN_ENTRIES);
        if lines.is_empty() {
            return Ok(None);
        }
        let last = cursor + lines.len() as u64 - 1;
        if !put_range(sink, log, chain, cursor, last)? {
            // They stay in the spool, and go with the next entries, whose object has another name.
            let name = ChainName { chain, first: cursor, last }.path();
            return Ok(Some(format!("{name}: others have taken the names of these entries of the host chain")));
        }
        cursor = last + 1;
        // With the address, so that `ship` knows where the chain goes when no session is left to say it.
        cursor::write(&cursor_path, cursor, sink.address()).map_err(local(dir, "write the cursor in"))?;
    }
}

/// Puts entries `first` to `last`, and says whether they are there. The name of a chain object does not hold its digest,
/// so somebody may have put other bytes under it: objects may overlap (CHAIN-4), and one that begins earlier has another
/// name. A name that is taken by what may not be read counts as somebody else's: where it was ours, from a request whose
/// answer was lost, this costs a second copy.
fn put_range(sink: &dyn Sink, log: &Log, chain: ChainId, first: u64, last: u64) -> Result<bool, SinkError> {
    for first in (first.saturating_sub(SQUATTED_MAX)..=first).rev() {
        let mut lines = log.lines_from(first).map_err(local(log.dir(), "read the chain in"))?;
        lines.truncate(usize::try_from(last + 1 - first).unwrap_or(usize::MAX));
        match sink.put_once(&ChainName { chain, first, last }.path(), &lines.concat())? {
            Put::Stored | Put::Already => return Ok(true),
            Put::Taken | Put::Conflict => {}
        }
    }
    Ok(false)
}

/// Removes segments that every sink has, but the highest: the next one's `prev` is read from it after a crash.
pub fn release(dir: &SessionDir, places: &[String]) -> io::Result<()> {
    let delivered = |place: &String| cursor::read(&cursor_path(dir.path(), place)).unwrap_or(0);
    let everywhere = places.iter().map(delivered).min().unwrap_or(0);
    let closed: Vec<_> = dir.segments()?.into_iter().filter(|s| s.form == Form::Closed).collect();
    let highest = closed.last().map_or(0, |s| s.number);
    for segment in closed.iter().filter(|s| u64::from(s.number) < everywhere && s.number < highest) {
        match std::fs::remove_file(&segment.path) {
            // Another sink's thread was faster.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
    }
    Ok(())
}

/// Removes a session's folder when it is closed, every sink has all of it and every place for events has those; true when
/// it is gone.
pub fn release_all(dir: &SessionDir, places: &[String], events: &[String]) -> io::Result<bool> {
    let highest = dir.segments()?.last().map(|s| (s.form, s.number));
    let has_all = |place: &String| {
        let cursor = cursor::read(&cursor_path(dir.path(), place));
        highest.is_none_or(|(form, number)| form == Form::Closed && cursor.is_some_and(|c| c > u64::from(number)))
    };
    if places.is_empty() || !places.iter().all(has_all) {
        return Ok(false);
    }
    if !all_delivered(dir, places)? || !all_delivered(dir, events)? {
        return Ok(false);
    }
    dir.remove_files().map(|()| true)
}
