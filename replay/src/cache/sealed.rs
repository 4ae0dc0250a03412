//! The file of a session: opened beside what the store holds now, and written.
//!
//! Opening one lists the session's objects and reads the beginnings of one segment per epoch. The objects that have the
//! names, places, versions and lengths of those that were checked before are not read: what was found of them then goes
//! into the judgement, which is made anew, with the chain as it is now. That their bytes are still the same is for the
//! caller to ask, or to say that it was not asked. Not for what the second part holds.

use std::collections::BTreeSet;

use hansard_schemas::keys::{Identities, SecretCache, SegmentSecret};
use hansard_schemas::segment::Header;
use hansard_sinks::{SessionRef, Store};

use super::Cache;
use super::document::Facts;
use super::seal::{Sealed, Secret, seal};
use crate::desk::Desk;
use crate::evidence::{Evidence, examine_parts};

/// The judgement, and the second part of the file. `None` whenever anything is not as it was, or is refused: then all is
/// done as if nothing had been kept. So also where segments came since, unless they may: then those are read.
pub fn open(desk: &Desk, session: &SessionRef, cache: &Cache, may_grow: bool) -> Option<(Evidence, Vec<u8>)> {
    let store = &*desk.store;
    let parts = desk.parts(session).ok()?;
    let first = parts.first().filter(|part| part.name.number == 0)?;
    let mut secrets = SecretCache::default();
    let known = crate::recording::secret_of(store, first, desk.identities(), &mut secrets).ok()?;
    (known.0.session == session.session).then_some(())?;
    let secret = Secret::of(&known.1);
    let bytes = cache.read(&secret.name())?;
    let sealed = Sealed::parse(cache.kind.magic, &bytes)?;
    let document = sealed.first(session.session, &secret)?;
    let facts = Facts::parse(&document)?;
    (may_grow || parts.iter().all(|part| facts.of_part(part).is_some())).then_some(())?;
    let fact = |part: &_| facts.of_part(part);
    let evidence = examine_parts(store, session, parts, &desk.chains, desk.now(), &fact, &mut |_| {}).ok()?;
    (!evidence.is_refused()).then_some(())?;
    let (_, all) = keys(store, &evidence, desk.identities(), Some(known))?;
    let second = sealed.second(session.session, &document, &all)?;
    Some((evidence, second))
}

/// Writes the file of a session, if it is one that can be kept. `second` is asked again for less as long as a file would
/// be too large and it has less to give.
pub fn keep(
    cache: &Cache,
    store: &dyn Store,
    identities: &Identities,
    evidence: &Evidence,
    mut second: impl FnMut() -> Option<Vec<u8>>,
) -> Option<()> {
    let facts = Facts::of(evidence)?.to_bytes()?;
    let (first, all) = keys(store, evidence, identities, None)?;
    loop {
        let bytes = seal(cache.kind.magic, evidence.session.session, (&facts, &first), (&second()?, &all))?;
        if bytes.len() as u64 <= cache.kind.file_max {
            return cache.write(&first.name(), &bytes).ok();
        }
    }
}

/// The secret of segment 0, and that of all epochs. What is read for it must be what was examined; `known` was read already.
fn keys(
    store: &dyn Store,
    evidence: &Evidence,
    identities: &Identities,
    mut known: Option<(Header, SegmentSecret)>,
) -> Option<(Secret, Secret)> {
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
        let (read, secret) = match known.take() {
            Some(known) => known,
            None => crate::recording::secret_of(store, &object.part, identities, &mut cache).ok()?,
        };
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
