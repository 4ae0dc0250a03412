//! A store as a reviewer works on it: its chains and what is thought of them, its sessions, and the one way to content.
//!
//! Whatever shows content opens recordings by [`Desk::open`], which verifies all of a session first and refuses what is
//! contradicted. Not for what is done with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::Utc;
use hansard_schemas::cast::CastHeader;
use hansard_schemas::keys::Identities;
use hansard_schemas::names::{EventName, safe};
use hansard_schemas::verdict::Verdict;
use hansard_schemas::{SessionId, Timestamp};
use hansard_sinks::{Part, SessionRef, SinkError, Store, TimeRange};

use crate::catalog::{Catalog, Listed};
use crate::cli::{Filter, Selection};
use crate::context::Seen;
use crate::evidence::{Chains, Evidence, examine_parts};
use crate::kept::Kept;
use crate::recording::{self, Recording, Source};
use crate::report::{Exit, Failure, Outcome, note};
use crate::viewing::Viewing;

/// A store, its chains and its sessions, read once.
pub struct Desk {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Its chains.
    pub chains: Chains,
    /// What is thought of them.
    pub seen: Seen,
    /// Its sessions in the stretch of time that was asked for.
    pub catalog: Catalog,
    /// The objects of sessions, of those that were listed together.
    parts: BTreeMap<SessionRef, Vec<Part>>,
    identities: Arc<Identities>,
    now: Timestamp,
    viewing: Viewing,
}

/// A recording that is open, and what has to be said of it.
pub struct Opened {
    /// The recording.
    pub recording: Recording,
    /// What is less than complete, or only thought.
    pub notes: Vec<String>,
}

impl Opened {
    /// Says the notes on standard error.
    pub fn tell(self) -> Recording {
        self.notes.iter().for_each(|text| note(text));
        self.recording
    }
}

impl Desk {
    /// Of a store that was opened, and what is thought of its chains.
    pub fn new(
        store: Arc<dyn Store>,
        chains: Chains,
        seen: Seen,
        range: &TimeRange,
        identities: Identities,
        now: Timestamp,
        viewing: Viewing,
    ) -> Result<Self, SinkError> {
        let catalog = Catalog::load(&*store, &chains, range)?;
        let parts = BTreeMap::new();
        Ok(Self { store, chains, seen, catalog, parts, identities: Arc::new(identities), now, viewing })
    }

    /// Lists the objects of all sessions of a stretch of time together, for whoever comes to most of them: then none is
    /// listed by itself, as it is otherwise when it is opened. Where that fails, each still is, and says what is wrong.
    pub fn list_parts(&mut self, range: &TimeRange) {
        self.parts = self.store.parts_of_all(range).unwrap_or_default().into_iter().collect();
    }

    /// The objects of a session.
    pub fn parts(&self, session: &SessionRef) -> Result<Vec<Part>, SinkError> {
        self.parts.get(session).map_or_else(|| self.store.parts(session), |parts| Ok(parts.clone()))
    }

    /// What can be opened with.
    pub fn identities(&self) -> &Identities {
        &self.identities
    }

    /// The reviewer's clock when the store was read.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The session that `id` names.
    pub fn find(&self, id: &str) -> Outcome<&Listed> {
        self.catalog.find(id, Utc::now())
    }

    /// The sessions that are asked for, ordered by id, each once.
    pub fn select(&self, selection: &Selection) -> Outcome<Vec<&Listed>> {
        let mut found = if selection.ids.is_empty() {
            self.catalog.iter().collect::<Vec<_>>()
        } else {
            selection.ids.iter().map(|id| self.find(id)).collect::<Outcome<Vec<_>>>()?
        };
        found.sort();
        found.dedup();
        let named = self.named(&selection.filter)?;
        found.retain(|one| named.as_ref().is_none_or(|named| named.contains_key(&one.session.session)));
        Ok(found)
    }

    /// The sessions whose events have names that fit; `None` where no name is asked for. A claim, as all names are.
    fn named(&self, filter: &Filter) -> Outcome<Option<BTreeMap<SessionId, EventName>>> {
        if !filter.is_by_name() {
            return Ok(None);
        }
        let events = self.store.events(&filter.scope.range())?.into_iter().map(|part| part.name);
        let fits = events.filter_map(|name| {
            let [host, user, kind] = [&name.host, &name.user, &name.kind].map(|part| EventName::plain(part));
            filter.takes(&host, &user, &kind).then_some(())?;
            Some((name.session?, name))
        });
        Ok(Some(fits.collect()))
    }

    /// Verifies all of a session and opens it; refused when something contradicts it, unless forced. To be called from any
    /// thread.
    pub fn open(&self, listed: &Listed, force: bool) -> Outcome<Opened> {
        let kept = Arc::new(Kept::new(Arc::clone(&self.store)));
        let (session, parts) = (&listed.session, self.parts(&listed.session)?);
        let evidence = examine_parts(&*kept, session, parts, &self.chains, self.now, &|_| None, &mut |_| {})?;
        self.open_from(Source::Kept(kept), evidence, force)
    }

    /// Opens once more what was opened by [`Desk::open_examined`]: for another thread, and no other viewing.
    pub fn open_again(&self, evidence: Evidence, force: bool) -> Outcome<Recording> {
        recording::open(self.source(), evidence, Arc::clone(&self.identities), force)
    }

    /// Opens what was examined.
    pub fn open_examined(&self, evidence: Evidence, force: bool) -> Outcome<Opened> {
        self.open_from(self.source(), evidence, force)
    }

    fn source(&self) -> Source {
        Source::Store(Arc::clone(&self.store))
    }

    /// What has to be said of a session before anything of it is told without opening it: all that opening it would say,
    /// to the reviewer and to those who are told what is looked at.
    pub fn admit(&self, evidence: &Evidence, header: &CastHeader) -> Outcome<Vec<String>> {
        let mut notes = self.judge(evidence, false)?;
        notes.extend(self.release(evidence, Some(header))?);
        Ok(notes)
    }

    fn open_from(&self, source: Source, evidence: Evidence, force: bool) -> Outcome<Opened> {
        let mut notes = self.judge(&evidence, force)?;
        let recording = recording::open(source, evidence, Arc::clone(&self.identities), force)?;
        notes.extend(self.release(recording.evidence(), recording.header())?);
        Ok(Opened { recording, notes })
    }

    /// What is thought of a session's host, and what is less than complete. Refuses what is contradicted.
    fn judge(&self, evidence: &Evidence, force: bool) -> Outcome<Vec<String>> {
        let session = evidence.session.session;
        let mut notes = Vec::new();
        if let Some((chain, standing)) =
            evidence.chain.and_then(|chain| Some((chain, self.seen.standings.get(&chain)?)))
        {
            let host = evidence.judgement.host.as_deref().unwrap_or_default();
            notes.extend(standing.admit(chain, host, force)?);
        }
        let faults: Vec<String> = evidence.judgement.faults.iter().map(ToString::to_string).collect();
        if evidence.is_refused() && !force {
            return Err(Failure::failed(format!("session {session} is refused: {}", faults.join("; ")))
                .hint("--force shows what can be opened of it, marked"));
        }
        if evidence.objects.is_empty() {
            return Err(Failure::new(Exit::Failed, format!("session {session} has no segment in the store")));
        }
        notes.extend(faults);
        if !matches!(evidence.judgement.verdict, Verdict::Complete) {
            notes.push(format!("session {session}: {}", safe(&evidence.judgement.verdict.to_string())));
        }
        Ok(notes)
    }

    /// Before anything of it is shown, and only of what could be shown.
    fn release(&self, evidence: &Evidence, header: Option<&CastHeader>) -> Outcome<Vec<String>> {
        let session = evidence.session.session;
        let imported = header.and_then(|header| header.hansard.claimed.imported());
        let mut notes: Vec<String> =
            imported.map(|imported| format!("session {session}: {imported}")).into_iter().collect();
        notes.extend(self.viewing.say(evidence, header, self.store.address())?);
        Ok(notes)
    }
}
