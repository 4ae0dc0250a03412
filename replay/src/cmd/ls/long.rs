//! Rows with what chains and first lines say: states by chain, segments and their sizes, commands.
//!
//! Every session costs a listing and the beginning of a segment, so several are asked for at a time.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use hansard_schemas::chain::{Chain, Kind};
use hansard_schemas::keys::{Identities, SecretCache};
use hansard_schemas::verdict::RUNNING_MS;
use hansard_schemas::{SessionId, Timestamp};
use hansard_sinks::{Part, Store};
use indicatif::{ProgressBar, ProgressStyle};

use super::{Row, command};
use crate::catalog::{Catalog, Listed};
use crate::cli::Filter;
use crate::context::{Context, Seen};
use crate::desk;
use crate::evidence::Chains;
use crate::recording::peek;
use crate::report::{Failure, Outcome};

/// Sessions asked for at a time. What is waited for is the store; more would not fit through one connection.
const THREADS: usize = 8;

struct Asked<'a> {
    store: &'a dyn Store,
    chains: &'a Chains,
    seen: &'a Seen,
    identities: &'a Identities,
    now: Timestamp,
}

/// The rows of a stretch of time, ordered by id; `named` are those that names alone gave.
pub(super) fn rows(
    context: &Context,
    store: &dyn Store,
    filter: &Filter,
    identities: &Identities,
    named: Vec<Row>,
) -> Outcome<Vec<Row>> {
    let chains = Chains::load(store)?;
    let seen = context.standings(store, &chains)?;
    seen.tell();
    let catalog = Catalog::load(store, &chains, &desk::range(filter))?;
    let name_of = |listed: &Listed| {
        named.binary_search_by_key(&(listed.session.session, &*listed.session.chain16), |row| {
            (row.session, &row.chain16)
        })
    };
    // What its name excludes is not opened.
    let all: Vec<(&Listed, Option<&Row>)> = catalog
        .iter()
        .map(|listed| (listed, name_of(listed).ok().and_then(|at| named.get(at)).filter(|row| row.host.is_some())))
        .filter(|(_, row)| {
            row.is_none_or(|row| {
                filter.takes(
                    row.host.as_deref().unwrap_or_default(),
                    row.user.as_deref().unwrap_or_default(),
                    row.kind.as_deref().unwrap_or_default(),
                )
            })
        })
        .collect();
    let asked = Asked { store, chains: &chains, seen: &seen, identities, now: context.now() };
    let bar = bar(all.len());
    let next = AtomicUsize::new(0);
    let work = || {
        let (mut found, mut cache) = (Vec::new(), SecretCache::default());
        while let Some((listed, row)) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
            found.push(asked.row(listed, *row, &mut cache)?);
            bar.inc(1);
        }
        Ok::<_, Failure>(found)
    };
    let mut rows = Vec::with_capacity(all.len());
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS.min(all.len())).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            rows.extend(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok::<_, Failure>(())
    })?;
    bar.finish_and_clear();
    rows.sort_by(|a, b| (a.session, &a.chain16).cmp(&(b.session, &b.chain16)));
    Ok(rows)
}

/// Seen where standard error is a terminal.
fn bar(sessions: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(sessions as u64);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} sessions") {
        bar.set_style(style);
    }
    bar
}

impl Asked<'_> {
    fn row(&self, listed: &Listed, named: Option<&Row>, cache: &mut SecretCache) -> Outcome<Row> {
        let session = listed.session.session;
        let parts = self.store.parts(&listed.session)?;
        let chain = listed.witness.and_then(|id| self.chains.get(id));
        let start = chain.and_then(|chain| self.chains.start_of(chain.id, session));
        let first = parts.first().filter(|part| part.name.number == 0 && !self.identities.is_empty());
        let header = first
            .and_then(|part| peek(self.store, part, start.map(|(_, identity)| identity), self.identities, cache).ok());
        let (state, end) = state(chain, session, &parts, self.now);
        let started = start.map_or(session.time(), |(time, _)| time.time());
        let who = header.as_ref().map(|header| &header.hansard);
        let host = who.map(|who| who.host.clone()).or_else(|| chain?.host().map(|(host, _)| host.to_owned()));
        let user = who.map(|who| who.kernel.user.clone().unwrap_or_else(|| who.kernel.uid.to_string()));
        Ok(Row {
            session,
            started,
            host: host.or_else(|| named?.host.clone()),
            chain16: listed.session.chain16.clone(),
            user: user.or_else(|| named?.user.clone()),
            command: header.as_ref().map(command),
            kind: who.map(|who| who.kind.as_str().to_owned()).or_else(|| named?.kind.clone()),
            state: Some(state),
            duration_ms: end.map(|end| (end.time() - started).num_milliseconds().max(0)),
            bytes: Some(parts.iter().fold(0, |sum, part| sum.saturating_add(part.bytes))),
            segments: Some(parts.len()),
            standing: listed.witness.and_then(|chain| self.seen.standings.get(&chain).cloned()),
        })
    }
}

/// What names and chain say of a session, and when it ended.
fn state(
    chain: Option<&Chain>,
    wanted: SessionId,
    parts: &[Part],
    now: Timestamp,
) -> (&'static str, Option<Timestamp>) {
    let Some(chain) = chain else { return ("unwitnessed", None) };
    let mut newest = None;
    let mut listed = false;
    let mut recovered = None;
    for entry in &chain.entries {
        match &entry.kind {
            Kind::Start { session, .. } if *session == wanted => (newest, listed) = (Some(entry.time), true),
            kind @ Kind::Checkpoint { .. } if newest.is_some() => {
                let Some(head) = kind.lists(wanted) else { continue };
                listed = head.is_some();
                newest = if listed { Some(entry.time) } else { newest };
            }
            Kind::Recovered { session, .. } if *session == wanted => recovered = Some(entry.time),
            Kind::End { session, segment, digest, .. } if *session == wanted => {
                let last = parts.iter().any(|p| p.name.number == *segment && p.name.digest16 == digest.short());
                let whole = last && (0..*segment).all(|n| parts.iter().any(|part| part.name.number == n));
                let state = match (whole, recovered) {
                    (false, _) => "incomplete",
                    (true, Some(_)) => "recovered",
                    (true, None) => "ended",
                };
                return (state, Some(entry.time));
            }
            _ => {}
        }
    }
    if parts.is_empty() {
        return ("missing", None);
    }
    if recovered.is_some() {
        return ("recovered", recovered);
    }
    let fresh = newest.is_some_and(|time| now.unix_ms() <= time.unix_ms().saturating_add_unsigned(RUNNING_MS));
    (if listed && fresh { "running" } else { "silent" }, None)
}
