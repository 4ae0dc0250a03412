//! `ls`: the sessions of a store.
//!
//! A convenience and no evidence. From names alone (`names`), which costs listings only, so that a day of ten thousand
//! sessions is one screenful away; or with what chains and first lines say (`long`). Nothing is read to the end.

mod long;
mod names;

use std::io::{self, BufWriter, Write};

use chrono::{DateTime, Utc};
use hansard_schemas::cast::CastHeader;
use hansard_schemas::names::safe;
use hansard_schemas::{SessionId, Timestamp};
use serde_json::json;

use crate::cli::Ls;
use crate::context::Context;
use crate::known::Standing;
use crate::report::{Exit, Outcome, json_line, note};

/// Longest command that a table shows.
const COMMAND: usize = 48;

/// A row.
#[derive(Debug, Clone)]
struct Row {
    session: SessionId,
    started: DateTime<Utc>,
    host: Option<String>,
    chain16: String,
    user: Option<String>,
    command: Option<String>,
    kind: Option<String>,
    state: Option<&'static str>,
    duration_ms: Option<i64>,
    bytes: Option<u64>,
    segments: Option<usize>,
    standing: Option<Standing>,
}

impl Row {
    /// Whether what is known of it fits; what is not known fits nothing that is asked for.
    fn fits(&self, args: &Ls) -> bool {
        let [host, user, kind] = [&self.host, &self.user, &self.kind].map(|text| text.as_deref().unwrap_or_default());
        (!args.filter.is_by_name() || args.filter.takes(host, user, kind))
            && (!args.running || self.state == Some("running"))
    }
}

/// Lists the sessions.
pub fn run(context: &Context, args: &Ls) -> Outcome {
    // Also where none is needed: that a named file is missing is said now and not with the next --long.
    let identities = context.identities(&args.keys)?;
    let store = context.store(&args.store)?;
    let mut rows = names::rows(context, &*store, &args.filter)?;
    if args.long.or(context.defaults().ls.long).unwrap_or(false) {
        rows = long::rows(context, &*store, &args.filter, &identities, rows)?;
    }
    rows.retain(|row| row.fits(args));
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

/// The command as one line.
pub(super) fn command(header: &CastHeader) -> String {
    let words = &header.hansard.claimed.command;
    if words.is_empty() { header.command.clone().unwrap_or_default() } else { words.join(" ") }
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
            row.state.unwrap_or("-").into(),
            row.duration_ms.map_or_else(|| "-".into(), duration),
            row.bytes.map_or_else(|| "-".into(), |bytes| bytes.to_string()),
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
