//! Opening with what was kept, and keeping it.
//!
//! A warm opening lists the session's objects, reads the beginnings of one segment per epoch, and opens the file. The
//! objects that have the names, places, versions and lengths of those that were checked before are not read: what was
//! found of them then goes into the judgement, which is made anew, with the chain as it is now. That their bytes are
//! still the same is not known yet. So it is asked of each segment when it is read, before anything of it is shown
//! (`recording`), and of all others beside playing (`beside`).

use std::collections::BTreeSet;

use hansard_schemas::Digest;
use hansard_schemas::keys::{Identities, SecretCache};
use hansard_sinks::{SessionRef, Store};

use super::Cache;
use super::document::{Facts, Saved};
use super::seal::{Sealed, Secret, seal};
use crate::desk::Desk;
use crate::evidence::{Evidence, examine, examine_but};
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
    let store = &*desk.store;
    let parts = store.parts(session).ok()?;
    let first = parts.first().filter(|part| part.name.number == 0)?;
    let mut secrets = SecretCache::default();
    let (header, secret) = crate::recording::secret_of(store, first, desk.identities(), &mut secrets).ok()?;
    (header.session == session.session).then_some(())?;
    let secret = Secret::of(&secret);
    let bytes = cache.read(&secret.name())?;
    let sealed = Sealed::parse(&bytes)?;
    let document = sealed.first(session.session, &secret)?;
    let facts = Facts::parse(&document)?;
    let evidence =
        examine_but(store, session, &desk.chains, desk.now(), &|part| facts.of_part(part), &mut |_| {}).ok()?;
    if evidence.is_refused() {
        return None;
    }
    let (_, all) = keys(store, &evidence, desk.identities())?;
    let saved = Saved::parse(&sealed.second(session.session, &document, &all)?)?;
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
    let session = evidence.session.session;
    let facts = Facts::of(evidence)?.to_bytes()?;
    let (first, all) = keys(store, evidence, identities)?;
    let mut saved = Saved { index, segments: digests(evidence), end_ms };
    let bytes = loop {
        let bytes = seal(session, (&facts, &first), (&saved.to_bytes()?, &all))?;
        if bytes.len() as u64 <= cache.file_max || saved.index.keyframes.len() < 2 {
            break bytes;
        }
        saved.index.thin();
    };
    cache.write(&first.name(), &bytes).ok()
}

/// The secret of segment 0, and that of all epochs. What is read for it must be what was examined.
fn keys(store: &dyn Store, evidence: &Evidence, identities: &Identities) -> Option<(Secret, Secret)> {
    let mut cache = SecretCache::default();
    let mut first: Option<Secret> = None;
    let mut all: Option<Secret> = None;
    let mut seen = BTreeSet::new();
    for at in &evidence.judgement.parts {
        let object = evidence.objects.get(*at)?;
        let header = &object.fact.as_ref()?.summary.header;
        if !seen.insert(header.keys) {
            continue;
        }
        let (read, secret) = crate::recording::secret_of(store, &object.part, identities, &mut cache).ok()?;
        (read == *header).then_some(())?;
        match &all {
            None if header.segment == 0 => {
                first = Some(Secret::of(&secret));
                all = Some(Secret::of(&secret));
            }
            None => return None,
            Some(before) => all = Some(before.and(&secret)),
        }
    }
    first.zip(all)
}
