//! Rows from names alone: the folders of sessions, and the names of lifecycle events.
//!
//! Two listings, whatever the number of sessions; no object is read. The names say who, where, how and when a session
//! started and whether its end was announced. That one runs is concluded from its host: one whose recorder writes a
//! checkpoint every minute lives, and a session that ends there would have said so. Claims all of them; `long` asks
//! the chains.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use chrono::{DateTime, Utc};
use hansard_schemas::names::EventName;
use hansard_schemas::verdict::RUNNING_MS;
use hansard_sinks::{SessionRef, Store, TimeRange};

use super::Row;
use crate::cli::Filter;
use crate::context::Context;
use crate::report::Outcome;

/// What the names of its events say of a session.
#[derive(Default)]
struct Told {
    host: Option<String>,
    user: Option<String>,
    kind: Option<String>,
    started: Option<DateTime<Utc>>,
    stopped: Option<DateTime<Utc>>,
    stored: bool,
}

/// The rows of a stretch of time, ordered by id.
pub(super) fn rows(context: &Context, store: &dyn Store, filter: &Filter) -> Outcome<Vec<Row>> {
    let range = filter.scope.range();
    let now = context.now().time();
    let mut sessions: BTreeMap<SessionRef, Told> = BTreeMap::new();
    // Neither listing waits for the other.
    let (stored, events) = thread::scope(|scope| {
        let stored = scope.spawn(|| store.sessions(&range));
        let events = store.events(&range);
        (stored.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), events)
    });
    for session in stored? {
        sessions.entry(session).or_default().stored = true;
    }
    // The newest time at which each chain was heard of.
    let mut heard: BTreeMap<String, DateTime<Utc>> = BTreeMap::new();
    let mut hear = |name: &EventName| {
        let newest = heard.entry(name.chain16.clone()).or_insert(name.time);
        *newest = name.time.max(*newest);
    };
    for part in events? {
        let name = part.name;
        hear(&name);
        let Some(session) = name.session else { continue };
        let known = SessionRef { session, chain16: name.chain16.clone() };
        take(sessions.entry(known).or_default(), &name);
    }
    let open = sessions.values().any(|told| told.stopped.is_none());
    if open && let Some(until) = filter.scope.until.filter(|until| *until <= now) {
        // Hosts are heard of after the stretch that was asked for, too.
        let from = (now - Duration::from_millis(RUNNING_MS)).max(until);
        for part in store.events(&TimeRange { from: Some(from), until: None })? {
            hear(&part.name);
        }
    }
    let hosts = sessions.iter().filter_map(|(of, told)| Some((of.chain16.clone(), told.host.clone()?))).collect();
    let known = context.known()?;
    let standings = known.glance(&hosts);
    let rows = sessions.into_iter().map(|(of, told)| {
        let fresh =
            heard.get(&of.chain16).is_some_and(|time| (now - *time).num_milliseconds().unsigned_abs() <= RUNNING_MS);
        let started = told.started.unwrap_or_else(|| of.session.time());
        Row {
            session: of.session,
            started,
            standing: standings.get(&of.chain16).map(|standing| (*standing).clone()),
            state: state(&told, fresh),
            host: told.host,
            chain16: of.chain16,
            user: told.user,
            command: None,
            kind: told.kind,
            duration_ms: told.stopped.map(|stopped| (stopped - started).num_milliseconds().max(0)),
            bytes: None,
            segments: None,
        }
    });
    Ok(rows.collect())
}

fn take(told: &mut Told, name: &EventName) {
    let [host, user, kind] = [&name.host, &name.user, &name.kind].map(|part| EventName::plain(part));
    match &*name.event {
        "started" => told.started = Some(name.time),
        "stopped" => told.stopped = Some(name.time),
        // A denied session never was one.
        _ => {}
    }
    (told.host, told.user, told.kind) = (Some(host), Some(user), Some(kind));
}

fn state(told: &Told, fresh: bool) -> Option<&'static str> {
    match (told.started, told.stopped, told.stored) {
        (None, None, _) => None,
        (_, Some(_), true) => Some("ended"),
        (_, Some(_), false) => Some("missing"),
        (_, None, _) if fresh => Some("running"),
        (_, None, true) => Some("silent"),
        (_, None, false) => Some("missing"),
    }
}
