//! Reads what an audit needs from a store: listings, chains and the documents of events. Content is not read.

use std::collections::BTreeMap;
use std::sync::Arc;

use hansard_schemas::Timestamp;
use hansard_schemas::event::Event;
use hansard_schemas::names::EventName;
use hansard_sinks::{Foreign, Part, SessionRef, SinkError, Store, TimeRange};

use crate::cli::Scope;
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
    /// As it was asked for, with the hosts.
    pub scope: Scope,
    /// The auditor's clock.
    pub now: Timestamp,
}

impl Facts {
    /// Whether a host of this name is audited.
    pub fn wants(&self, host: Option<&str>) -> bool {
        // What says nothing of its host is everybody's business.
        host.is_none_or(|host| self.scope.takes(host))
    }
}

/// Reads a store, and events from another one where they are kept apart. `progress` is told how many events were read, and
/// how many more there are.
pub fn gather(
    store: &Arc<dyn Store>,
    events_from: Option<&Arc<dyn Store>>,
    (chains, seen): (Chains, Seen),
    scope: &Scope,
    now: Timestamp,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Facts, SinkError> {
    let range = scope.range();
    let stored = store.parts_of_all(&range)?.into_iter().collect();
    let witness = events_from.unwrap_or(store);
    let names = witness.events(&range)?;
    progress(0, names.len() as u64);
    let events = each(&names, REQUESTS, |part| {
        let event = witness.read_event(part).map_err(|e| e.to_string()).and_then(|bytes| Event::parse(&bytes));
        progress(1, 0);
        Ok::<_, SinkError>(Told { name: part.name.clone(), event })
    })?;
    let foreign = store.foreign()?;
    Ok(Facts { chains, seen, stored, events, foreign, range, scope: scope.clone(), now })
}
