//! Reads what an audit needs from a store: listings, chains and the documents of events. Content is not read.

use std::collections::BTreeMap;
use std::sync::Arc;

use hansard_schemas::Timestamp;
use hansard_schemas::event::Event;
use hansard_schemas::names::EventName;
use hansard_sinks::{Foreign, Part, SessionRef, SinkError, Store, TimeRange};

use crate::cli::Filter;
use crate::context::Seen;
use crate::evidence::Chains;
use crate::parallel::{REQUESTS, each};

/// An event as a store has it.
#[derive(Debug)]
pub struct Told {
    /// Its name: a claim.
    pub name: EventName,
    /// The document, or what is wrong with it.
    pub event: Result<Event, String>,
}

/// What is compared.
pub struct Facts {
    /// The chains of the store.
    pub chains: Chains,
    /// What is thought of them.
    pub seen: Seen,
    /// The segments of every session that has some, in the stretch of time.
    pub stored: BTreeMap<SessionRef, Vec<Part>>,
    /// The events of that time.
    pub events: Vec<Told>,
    /// What lies there and is none of these.
    pub foreign: Vec<Foreign>,
    /// The stretch of time.
    pub range: TimeRange,
    /// Which hosts, by name.
    pub filter: Filter,
    /// The auditor's clock.
    pub now: Timestamp,
}

impl Facts {
    /// Whether a host of this name is audited.
    pub fn wants(&self, host: Option<&str>) -> bool {
        // What says nothing of its host is everybody's business.
        host.is_none_or(|host| self.filter.takes(host, "", ""))
    }
}

/// Reads a store, and events from another one where they are kept apart. `progress` is told how many of how many requests
/// were answered.
pub fn gather(
    store: &Arc<dyn Store>,
    events_from: Option<&Arc<dyn Store>>,
    (chains, seen): (Chains, Seen),
    filter: &Filter,
    now: Timestamp,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Facts, SinkError> {
    let range = crate::desk::range(filter);
    let sessions = store.sessions(&range)?;
    let witness = events_from.unwrap_or(store);
    let names = witness.events(&range)?;
    progress(0, (sessions.len() + names.len()) as u64);
    let counted = |result| {
        progress(1, 0);
        result
    };
    let parts = each(&sessions, REQUESTS, |session| counted(Ok(())).and_then(|()| store.parts(session)))?;
    let events = each(&names, REQUESTS, |part| {
        let read = counted(Ok(())).and_then(|()| witness.read_event(part));
        let event = read.map_err(|e| e.to_string()).and_then(|bytes| Event::parse(&bytes));
        Ok::<_, SinkError>(Told { name: part.name.clone(), event })
    })?;
    let foreign = store.foreign()?;
    let stored = sessions.into_iter().zip(parts).collect();
    Ok(Facts { chains, seen, stored, events, foreign, range, filter: filter.clone(), now })
}
