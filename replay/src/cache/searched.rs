//! What a search found out about a session: its sieve, so that the next search leaves it out where nothing can match.
//!
//! A session that is left out is judged and told of as one that is searched, but its segments are not read: that they
//! are still what they were is not asked. Whoever leaves it out has to say so.

use hansard_schemas::Digest;
use hansard_schemas::cast::CastHeader;
use hansard_schemas::keys::Identities;
use hansard_sinks::SessionRef;
use serde::{Deserialize, Serialize};

use super::seal::{join, split};
use super::{Cache, sealed, warm};
use crate::desk::Desk;
use crate::evidence::Evidence;
use crate::recording::Recording;
use crate::search::session::Found;
use crate::search::sieve::Sieve;

/// Lines are made by this program's terminal, and others by the next one's.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What is known of a session that was searched before, and has not changed since by the names and lengths of its objects.
pub struct Known {
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
pub fn find(desk: &Desk, session: &SessionRef, cache: &Cache) -> Option<Known> {
    let (evidence, second) = sealed::open(desk, session, cache, false)?;
    let (document, sieve) = split(&second)?;
    let Document { version, segments, header, gaps, bytes } = serde_json::from_slice(document).ok()?;
    (version == VERSION && segments == warm::digests(&evidence)).then_some(())?;
    let (header, identity) = CastHeader::parse_line(header.as_bytes()).ok()?;
    // The chain may have come since, and contradict what there was.
    evidence.judgement.identity.is_none_or(|named| named == identity).then_some(())?;
    Some(Known { evidence, header, sieve: Sieve::parse(sieve)?, gaps, bytes })
}

/// Keeps what was found out about a recording that was gone through, if it is one that can be kept, and a sieve was made.
pub fn keep(cache: &Cache, identities: &Identities, recording: &Recording, found: &Found) -> Option<()> {
    let Found { sieve, gaps, bytes, .. } = found;
    let sieve = sieve.as_ref()?.to_bytes();
    let evidence = recording.evidence();
    let (header, _) = recording.header()?.to_line().ok()?;
    let header = String::from_utf8(header).ok()?;
    let (version, segments) = (VERSION.into(), warm::digests(evidence));
    let document = Document { version, segments, header, gaps: *gaps, bytes: *bytes };
    let mut second = Some(join(&serde_json::to_vec(&document).ok()?, &sieve)?);
    sealed::keep(cache, recording.store(), identities, evidence, || second.take())
}
