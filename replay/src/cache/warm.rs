//! Opening with what was kept, and keeping it.
//!
//! A warm opening does not read the objects that were checked before (`sealed`). That their bytes are still the same is
//! asked of each segment when it is read, before anything of it is shown (`recording`), and of all others beside playing
//! (`beside`).

use hansard_schemas::Digest;
use hansard_schemas::keys::Identities;
use hansard_sinks::{SessionRef, Store};

use super::Cache;
use super::document::Saved;
use super::sealed;
use crate::desk::Desk;
use crate::evidence::{Evidence, examine};
use crate::index::Index;
use crate::report::Outcome;

/// What a session is opened with.
pub struct Start {
    /// What is known of the session.
    pub evidence: Evidence,
    /// Keyframes and moments of the part that was gone through before, and where the recording ends, if that is known.
    pub known: Option<(Index, Option<u64>)>,
    /// Whether bytes are taken for unchanged that have not been read again yet.
    pub unread: bool,
}

/// Examines a session, with what was kept of it if there is something.
pub fn start(desk: &Desk, session: &SessionRef, cache: Option<&Cache>) -> Outcome<Start> {
    if let Some(start) = cache.and_then(|cache| warm(desk, session, cache)) {
        return Ok(start);
    }
    let evidence = examine(&*desk.store, session, &desk.chains, desk.now(), &mut |_| {})?;
    Ok(Start { evidence, known: None, unread: false })
}

/// `None` whenever anything is not as it was: then all is done as if nothing had been kept.
fn warm(desk: &Desk, session: &SessionRef, cache: &Cache) -> Option<Start> {
    let (evidence, second) = sealed::open(desk, session, cache, true)?;
    let saved = Saved::parse(&second)?;
    let digests = digests(&evidence);
    // Segments that came since are no harm; those that were there must be the same.
    digests.starts_with(&saved.segments).then_some(())?;
    let places = saved.index.keyframes.iter().all(|kept| kept.place.segment < saved.segments.len().max(1));
    places.then_some(())?;
    let same = digests.len() == saved.segments.len();
    let mut index = saved.index;
    index.complete &= same;
    Some(Start { evidence, known: Some((index, same.then_some(saved.end_ms))), unread: true })
}

/// The digests of the segments that count, in order.
pub fn digests(evidence: &Evidence) -> Vec<Digest> {
    evidence.segments().map(|(_, segment)| segment.digest).collect()
}

/// Keeps what is known of a session, if it is one that can be kept.
pub fn keep(
    cache: &Cache,
    store: &dyn Store,
    identities: &Identities,
    evidence: &Evidence,
    index: Index,
    end_ms: u64,
) -> Option<()> {
    let mut saved = Saved { index, segments: digests(evidence), end_ms };
    let mut again = false;
    sealed::keep(cache, store, identities, evidence, || {
        if std::mem::replace(&mut again, true) {
            (saved.index.keyframes.len() > 1).then_some(())?;
            saved.index.thin();
        }
        saved.to_bytes()
    })?;
    cache.sweep();
    Some(())
}
