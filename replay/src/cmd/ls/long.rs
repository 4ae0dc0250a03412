//! Rows with what chains and first lines say: states by chain, segments and their sizes, commands.
//!
//! Every session costs the beginning of a segment, so several are asked for at a time; what segments there are is listed of
//! all sessions at once, and of each by itself only where names leave few of them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::IsTerminal;

use hansard_schemas::chain::{Chain, Kind};
use hansard_schemas::keys::{Identities, SecretCache};
use hansard_schemas::verdict::RUNNING_MS;
use hansard_schemas::{SessionId, Timestamp};
use hansard_sinks::{Part, SessionRef, SinkError, Store};
use indicatif::{ProgressBar, ProgressStyle};

use super::{Row, command};
use crate::catalog::{Catalog, Listed};
use crate::cli::Filter;
use crate::context::{Context, Seen};
use crate::evidence::Chains;
use crate::parallel::{REQUESTS, each};
use crate::recording::peek;
use crate::report::Outcome;

struct Asked<'a> {
    store: &'a dyn Store,
    /// Of the sessions that were listed together.
    parts: BTreeMap<SessionRef, Vec<Part>>,
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
    let range = filter.scope.range();
    let mut parts: BTreeMap<SessionRef, Vec<Part>> = BTreeMap::new();
    let catalog = if filter.is_by_name() {
        Catalog::load(store, &chains, &range)?
    } else {
        parts.extend(store.parts_of_all(&range)?);
        Catalog::of(parts.keys().cloned().collect(), &chains, &range)
    };
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
    let asked = Asked { store, parts, chains: &chains, seen: &seen, identities, now: context.now() };
    let bar = bar(all.len());
    let rows = each(&all, REQUESTS, |(listed, row)| {
        let row = asked.row(listed, *row);
        bar.inc(1);
        row
    })?;
    bar.finish_and_clear();
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
    fn row(&self, listed: &Listed, named: Option<&Row>) -> Result<Row, SinkError> {
        let session = listed.session.session;
        let parts = match self.parts.get(&listed.session) {
            Some(parts) => Cow::Borrowed(&parts[..]),
            None => Cow::Owned(self.store.parts(&listed.session)?),
        };
        let chain = listed.witness.and_then(|id| self.chains.get(id));
        let start = chain.and_then(|chain| self.chains.start_of(chain.id, session));
        let first = parts.first().filter(|part| part.name.number == 0 && !self.identities.is_empty());
        let header = first.and_then(|part| {
            peek(self.store, part, start.map(|(_, identity)| identity), self.identities, &mut SecretCache::default())
                .ok()
        });
        let (state, end) = state(chain, session, &parts, self.now);
        let started = start.map_or(session.time(), |(time, _)| time.time());
        let who = header.as_ref().map(|header| &header.hansard);
        let host = who.map(|who| who.host.clone()).or_else(|| chain?.host().map(|(host, _)| host.to_owned()));
        let user = who.map(|who| who.kernel.user_or_uid());
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
