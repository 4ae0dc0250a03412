//! What a search found out about a session: its sieve, so that the next search leaves it out where nothing can match.
//!
//! A session that is left out is judged and told of as one that is searched, but its segments are not read: that they
//! are still what they were is not asked. Whoever leaves it out has to say so.

use hansard_schemas::Digest;
use hansard_schemas::cast::CastHeader;
use hansard_sinks::SessionRef;
use serde::{Deserialize, Serialize};

use super::{Cache, sealed, warm};
use crate::desk::Desk;
use crate::evidence::Evidence;
use crate::recording::Recording;
use crate::search::sieve::Sieve;

/// Lines are made by this program's terminal, and others by the next one's.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What is known of a session that was searched before, and has not changed since by the names and lengths of its objects.
pub struct Searched {
    /// The judgement on it, of now.
    pub evidence: Evidence,
    /// The first line of the recording.
    pub header: CastHeader,
    /// Which pieces its lines have.
    pub sieve: Sieve,
    /// Gaps in what was shown.
    pub gaps: u64,
    /// Bytes that were shown.
    pub bytes: u64,
}

#[derive(Serialize, Deserialize)]
struct Document {
    version: String,
    /// Digests of the segments that count, in order.
    segments: Vec<Digest>,
    header: String,
    gaps: u64,
    bytes: u64,
}

/// What was kept of a session. `None` when nothing was, or anything is not as it was.
pub fn find(desk: &Desk, session: &SessionRef, cache: &Cache) -> Option<Searched> {
    let (evidence, second) = sealed::open(desk, session, cache, false)?;
    let (length, rest) = second.split_first_chunk::<4>()?;
    let (document, sieve) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    let Document { version, segments, header, gaps, bytes } = serde_json::from_slice(document).ok()?;
    (version == VERSION && segments == warm::digests(&evidence)).then_some(())?;
    let (header, identity) = CastHeader::parse_line(header.as_bytes()).ok()?;
    // The chain may have come since, and contradict what there was.
    evidence.judgement.identity.is_none_or(|named| named == identity).then_some(())?;
    Some(Searched { evidence, header, sieve: Sieve::parse(sieve)?, gaps, bytes })
}

/// Keeps what was found out about a recording that was gone through, if it is one that can be kept.
pub fn keep(cache: &Cache, desk: &Desk, recording: &Recording, sieve: &Sieve, (gaps, bytes): (u64, u64)) -> Option<()> {
    let evidence = recording.evidence();
    let (header, _) = recording.header()?.to_line().ok()?;
    let header = String::from_utf8(header).ok()?;
    let segments = warm::digests(evidence);
    let document = serde_json::to_vec(&Document { version: VERSION.into(), segments, header, gaps, bytes }).ok()?;
    let length = u32::try_from(document.len()).ok()?.to_le_bytes();
    let mut second = Some([&length, document.as_slice(), &sieve.to_bytes()].concat());
    sealed::keep(cache, recording.store(), desk.identities(), evidence, || second.take())
}
