//! `ls`: the sessions of a store, by names and chains; who and what where an identity opens the first line.
//!
//! A convenience and no evidence: the states are what names and chain say, nothing is read to the end.

use std::io::{self, BufWriter, Write};

use chrono::{DateTime, Utc};
use hansard_schemas::cast::CastHeader;
use hansard_schemas::chain::{Chain, Kind};
use hansard_schemas::keys::{Identities, SecretCache};
use hansard_schemas::names::safe;
use hansard_schemas::{SessionId, Timestamp};
use hansard_sinks::{Part, Store, TimeRange};
use serde_json::json;

use crate::catalog::{Catalog, Listed};
use crate::cli::Ls;
use crate::context::Context;
use crate::evidence::{Chains, start_of};
use crate::known::Standing;
use crate::recording::peek;
use crate::report::{Exit, Outcome, json_line, note};

/// FORMAT.md, section 8: the newest statement that a session runs counts for this long.
const RUNNING_MS: i64 = 180_000;
/// Longest command that a table shows.
const COMMAND: usize = 48;

/// A row.
struct Row {
    session: SessionId,
    started: DateTime<Utc>,
    host: Option<String>,
    chain16: String,
    user: Option<String>,
    command: Option<String>,
    kind: Option<&'static str>,
    state: &'static str,
    duration_ms: Option<i64>,
    bytes: u64,
    segments: usize,
    standing: Option<Standing>,
}

/// Lists the sessions.
pub fn run(context: &Context, args: &Ls) -> Outcome {
    let identities = context.identities(&args.keys)?;
    let store = context.store(&args.store)?;
    let chains = Chains::load(&*store)?;
    let seen = context.standings(&*store, &chains)?;
    seen.tell();
    let range = TimeRange { from: args.since, until: args.until };
    let catalog = Catalog::load(&*store, &chains, &range)?;
    let mut cache = SecretCache::default();
    let mut rows = Vec::new();
    for listed in catalog.iter() {
        let mut row = row(&*store, &chains, listed, context.now(), &identities, &mut cache)?;
        row.standing = listed.witness.and_then(|chain| seen.standings.get(&chain).cloned());
        rows.push(row);
    }
    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        for row in &rows {
            writeln!(out, "{}", json_line(&document(row)))?;
        }
    } else {
        table(&mut out, &rows)?;
    }
    out.flush()?;
    if rows.is_empty() {
        note(&format!("{}: no sessions", store.address()));
    }
    Ok(Exit::Fine)
}

fn row(
    store: &dyn Store,
    chains: &Chains,
    listed: &Listed,
    now: Timestamp,
    identities: &Identities,
    cache: &mut SecretCache,
) -> Outcome<Row> {
    let session = listed.session.session;
    let parts = store.parts(&listed.session)?;
    let chain = listed.witness.and_then(|id| chains.get(id));
    let header = parts.first().filter(|part| part.name.number == 0 && !identities.is_empty()).and_then(|part| {
        let named = chain.and_then(|chain| start_of(chain, session)).map(|(_, identity)| identity);
        peek(store, part, named, identities, cache).ok()
    });
    let (state, end) = state(chain, session, &parts, now);
    let started = chain.and_then(|chain| start_of(chain, session)).map_or(session.time(), |(time, _)| time.time());
    let who = header.as_ref().map(|header| &header.hansard);
    Ok(Row {
        session,
        started,
        host: who.map(|who| who.host.clone()).or_else(|| chain?.host().map(|(host, _)| host.to_owned())),
        chain16: listed.session.chain16.clone(),
        user: who.map(|who| who.kernel.user.clone().unwrap_or_else(|| who.kernel.uid.to_string())),
        command: header.as_ref().map(command),
        kind: who.map(|who| who.kind.as_str()),
        state,
        duration_ms: end.map(|end| (end.time() - started).num_milliseconds().max(0)),
        bytes: parts.iter().fold(0, |sum, part| sum.saturating_add(part.bytes)),
        segments: parts.len(),
        standing: None,
    })
}

/// The command as one line.
pub(super) fn command(header: &CastHeader) -> String {
    let words = &header.hansard.claimed.command;
    if words.is_empty() { header.command.clone().unwrap_or_default() } else { words.join(" ") }
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
    let fresh = newest.is_some_and(|time| now.unix_ms().saturating_sub(time.unix_ms()) <= RUNNING_MS);
    (if listed && fresh { "running" } else { "silent" }, None)
}

fn document(row: &Row) -> serde_json::Value {
    json!({
        "session": row.session,
        "started": Timestamp::new(row.started),
        "host": row.host,
        "chain16": row.chain16,
        "standing": row.standing.as_ref().map(Standing::word),
        "user": row.user,
        "kind": row.kind,
        "command": row.command,
        "state": row.state,
        "duration_ms": row.duration_ms,
        "bytes": row.bytes,
        "segments": row.segments,
    })
}

fn table(out: &mut impl Write, rows: &[Row]) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let head = ["ID", "STARTED", "HOST", "USER", "STATE", "DURATION", "BYTES", "COMMAND"].map(str::to_owned);
    let cells = rows.iter().map(|row| {
        let shown = |text: &Option<String>| text.as_ref().map_or_else(|| "-".into(), |text| shorten(&safe(text)));
        let mark = row.standing.as_ref().map_or("", Standing::mark);
        let host = shown(&row.host);
        [
            row.session.to_string(),
            row.started.format("%Y-%m-%d %H:%M:%S").to_string(),
            if mark.is_empty() { host } else { format!("{host} {mark}") },
            shown(&row.user),
            row.state.into(),
            row.duration_ms.map_or_else(|| "-".into(), duration),
            row.bytes.to_string(),
            shown(&row.command),
        ]
    });
    let lines: Vec<[String; 8]> = std::iter::once(head).chain(cells).collect();
    let width = |column: usize| lines.iter().map(|line| unicode_width::UnicodeWidthStr::width(&*line[column])).max();
    let widths: Vec<usize> = (0..8).map(|column| width(column).unwrap_or(0)).collect();
    for line in &lines {
        let mut text = String::new();
        for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let pad = " ".repeat(width - unicode_width::UnicodeWidthStr::width(&**cell));
            // Numbers stand to the right.
            let numeric = matches!(column, 5 | 6);
            text.push_str(&if numeric { format!("{pad}{cell}  ") } else { format!("{cell}{pad}  ") });
        }
        writeln!(out, "{}", text.trim_end())?;
    }
    Ok(())
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= COMMAND {
        return text.into();
    }
    text.chars().take(COMMAND - 1).chain(std::iter::once('…')).collect()
}

/// `H:MM:SS`.
pub(super) fn duration(ms: i64) -> String {
    let seconds = ms / 1000;
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
