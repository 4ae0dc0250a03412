//! Which sessions there are, by the names in a store and by its chains, and how a reviewer names one.
//!
//! A catalogue is a convenience: what it lists is claimed, and checked when it is used.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use hansard_schemas::ChainId;
use hansard_sinks::{SessionRef, SinkError, Store, TimeRange};

use crate::evidence::Chains;
use crate::report::Failure;

/// A session that is there, or should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// Which one.
    pub session: SessionRef,
    /// Whether the store has something under its name; otherwise only a chain speaks of it.
    pub stored: bool,
    /// The chain that saw it start.
    pub witness: Option<ChainId>,
}

/// All sessions of a store, ordered by id.
#[derive(Debug, Default)]
pub struct Catalog {
    sessions: Vec<Listed>,
}

impl Catalog {
    /// Puts names and chains together.
    pub fn load(store: &dyn Store, chains: &Chains, range: &TimeRange) -> Result<Self, SinkError> {
        Ok(Self::of(store.sessions(range)?.into_iter().collect(), chains, range))
    }

    /// The same, of the sessions that a store was seen to have.
    pub fn of(stored: BTreeSet<SessionRef>, chains: &Chains, range: &TimeRange) -> Self {
        let started = chains.iter().flat_map(|chain| {
            chain.sessions().into_iter().map(|session| SessionRef { session, chain16: chain.id.short() })
        });
        let mut all: BTreeSet<SessionRef> = started.filter(|one| range.contains(one.session)).collect();
        all.extend(stored.iter().cloned());
        let sessions = all.into_iter().map(|session| {
            let witness = chains.of(&session).filter(|chain| chains.start_of(chain.id, session.session).is_some());
            Listed { stored: stored.contains(&session), witness: witness.map(|chain| chain.id), session }
        });
        Self { sessions: sessions.collect() }
    }

    /// All of them.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Listed> {
        self.sessions.iter()
    }

    /// The one that `id` names: in full, by its beginning or end, with or without hyphens, or `latest`.
    pub fn find(&self, id: &str, now: DateTime<Utc>) -> Result<&Listed, Failure> {
        if id == "latest" {
            // An id in the future is a wrong clock, or someone who wants to be the latest for good.
            let past = self.iter().rev().filter(|one| one.stored && one.session.session.time() <= now);
            let latest: Vec<&Listed> = past.collect();
            let first = latest.first().ok_or_else(|| {
                Failure::failed("the store holds no session")
                    .hint("`hansard-record run` records one; --from names another store")
            })?;
            return the_witnessed(latest.iter().filter(|one| one.session.session == first.session.session).copied())
                .ok_or_else(|| ambiguous(id, &latest));
        }
        let wanted = id.to_ascii_lowercase();
        if wanted.is_empty() || !wanted.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-') {
            return Err(Failure::usage(format!("`{id}` is not the id of a session, nor a part of one"))
                .hint("give the beginning or the end of an id that `ls` shows, or `latest`"));
        }
        let plain = wanted.replace('-', "");
        let fits = |one: &&Listed| {
            let full = one.session.session.to_string();
            let short = full.replace('-', "");
            full.starts_with(&wanted)
                || full.ends_with(&wanted)
                || (!plain.is_empty()
                    && !wanted.contains('-')
                    && (short.starts_with(&plain) || short.ends_with(&plain)))
        };
        let found: Vec<&Listed> = self.iter().filter(fits).collect();
        if found.is_empty() {
            return Err(Failure::failed(format!("no session matches `{id}`")).hint("`hansard-replay ls` lists them"));
        }
        the_witnessed(found.iter().copied()).ok_or_else(|| ambiguous(id, &found))
    }
}

/// The only one; or, when one id stands under several chains, the only one that its chain saw start.
fn the_witnessed<'a>(candidates: impl Iterator<Item = &'a Listed>) -> Option<&'a Listed> {
    let all: Vec<&Listed> = candidates.collect();
    let first = *all.first()?;
    if all.len() == 1 {
        return Some(first);
    }
    if all.iter().any(|one| one.session.session != first.session.session) {
        return None;
    }
    let mut witnessed = all.into_iter().filter(|one| one.witness.is_some());
    witnessed.next().filter(|_| witnessed.next().is_none())
}

/// Candidates that are listed in a message.
const SHOWN: usize = 8;

fn ambiguous(id: &str, found: &[&Listed]) -> Failure {
    let mut names: Vec<String> = found.iter().take(SHOWN).map(|one| one.session.session.to_string()).collect();
    if found.len() > SHOWN {
        names.push(format!("and {} more", found.len() - SHOWN));
    }
    Failure::usage(format!("`{id}` matches {} sessions: {}", found.len(), names.join(", ")))
        .hint("give more of the id; the last digits differ most")
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use hansard_schemas::{ChainId, Digest, SessionId};
    use hansard_sinks::SessionRef;

    use super::{Catalog, Listed};
    use crate::report::Exit;

    fn listed(ms: u64, end: u8, chain: &str, witness: bool) -> Listed {
        let session = SessionId::new(ms, &[0, 0, 0, 0, 0, 0, 0, 0, 0, end]);
        let witness = witness.then_some(ChainId(Digest([0; 32])));
        Listed { session: SessionRef { session, chain16: chain.into() }, stored: true, witness }
    }

    #[test]
    fn ids_are_found_by_prefix_suffix_and_latest() {
        let now = DateTime::from_timestamp_millis(2000).unwrap();
        let catalog = Catalog {
            sessions: vec![listed(1000, 0xa1, "a", true), listed(1001, 0xb2, "a", true), listed(9000, 0xc3, "a", true)],
        };
        let id = |n: usize| catalog.sessions[n].session.session;
        let found = |text: &str| catalog.find(text, now).map(|one| one.session.session).map_err(|e| e.exit);
        assert_eq!(found("latest"), Ok(id(1)), "an id in the future is not the latest");
        assert_eq!(found("b2"), Ok(id(1)));
        assert_eq!(found("B2"), Ok(id(1)));
        assert_eq!(found(&id(2).to_string()), Ok(id(2)));
        assert_eq!(found(&id(0).to_string().replace('-', "")), Ok(id(0)));
        assert_eq!(found("00000000-03e8"), Ok(id(0)));
        assert_eq!(found("ffff"), Err(Exit::Failed));
        assert_eq!(found("../x"), Err(Exit::Usage));
        assert_eq!(found(""), Err(Exit::Usage));
        let error = catalog.find("0000", now).unwrap_err();
        assert_eq!(error.exit, Exit::Usage);
        assert!(error.message.contains(&id(0).to_string()) && error.message.contains("3 sessions"), "{error:?}");
    }

    #[test]
    fn a_copy_under_another_chain_does_not_hide_the_witnessed_one() {
        let now = DateTime::from_timestamp_millis(2000).unwrap();
        let catalog = Catalog { sessions: vec![listed(1000, 1, "a", false), listed(1000, 1, "b", true)] };
        for id in ["latest", "01"] {
            assert_eq!(catalog.find(id, now).unwrap().session.chain16, "b");
        }
        let catalog = Catalog { sessions: vec![listed(1000, 1, "a", false), listed(1000, 1, "b", false)] };
        assert_eq!(catalog.find("latest", now).unwrap_err().exit, Exit::Usage);
    }
}
