//! Lifecycle events that wait in a session's folder: part of the durable queue, beside its segments.
//!
//! `000003-stopped.event` holds two lines: the event's name in a store, and the document as it is sent. Each is written
//! once, durably, so that every try sends the same bytes. What is not there although the chain says it happened is made
//! by [`settle`]. Not for delivery (`ship::announce`), nor for what an event says (`hansard_schemas::event`).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use hansard_schemas::Digest;
use hansard_schemas::chain::{Entry, Kind};
use hansard_schemas::event::{self, Checkpoint, Event, Named, Started, Stopped, Summary, What, Who};
use hansard_schemas::names::EventName;
use hansard_schemas::spool::{STARTED, event_file, waiting_event};

use super::file::replace;
use super::session_dir::{About, OUTCOME, SessionDir, read_head};
use crate::host_chain::HostChain;

const STOPPED: &str = "stopped";

/// An event that waits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Waiting {
    /// Its place in the order of the session.
    pub number: u32,
    /// The last word of its type.
    pub word: String,
    /// Its file.
    pub path: PathBuf,
}

/// An event, as it is sent.
#[derive(Debug, Clone)]
pub struct Sendable {
    /// Its name in a store.
    pub name: EventName,
    /// Its id.
    pub id: String,
    /// The document.
    pub json: Vec<u8>,
}

/// The events of a session's folder, in their order.
pub fn list(dir: &Path) -> io::Result<Vec<Waiting>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let event = path.file_name().and_then(|name| event_file(name.to_str()?));
        let Some((number, word)) = event.map(|(number, word)| (number, word.to_owned())) else { continue };
        found.push(Waiting { number, word, path });
    }
    found.sort();
    Ok(found)
}

impl Waiting {
    /// Reads it.
    pub fn read(&self) -> io::Result<Sendable> {
        let text = std::fs::read(&self.path)?;
        let (name, json) = waiting_event(&text).map_err(io::Error::other)?;
        let event = Event::parse(json).map_err(io::Error::other)?;
        Ok(Sendable { name, id: event.id, json: json.to_vec() })
    }
}

/// Puts an event behind those that are there; durable when it returns.
pub fn put(dir: &SessionDir, named: &Named) -> io::Result<()> {
    let mut owed = dir.events().lock().unwrap_or_else(PoisonError::into_inner);
    write_owed(dir, &mut owed)?;
    write(dir, named)
}

/// Writes the event that is still owed, if there is one; durable when it returns.
pub fn pay(dir: &SessionDir) -> io::Result<()> {
    write_owed(dir, &mut dir.events().lock().unwrap_or_else(PoisonError::into_inner))
}

fn write_owed(dir: &SessionDir, owed: &mut Option<Named>) -> io::Result<()> {
    if let Some(named) = &*owed {
        write(dir, named)?;
        *owed = None;
    }
    Ok(())
}

fn write(dir: &SessionDir, named: &Named) -> io::Result<()> {
    let number = list(dir.path())?.last().map_or(0, |last| last.number + 1);
    let path = dir.path().join(format!("{number:06}-{}.event", named.event.what.word()));
    let json = named.event.to_bytes().map_err(io::Error::other)?;
    replace(&path, &[named.name.path().as_bytes(), b"\n", &json, b"\n"].concat())
}

/// Keeps how the session ended, for recovery and for [`settle`], should this process die before the event is written; and
/// for checkpoints of other recorders.
pub fn keep_outcome(dir: &SessionDir, outcome: &str, summary: Option<&Summary>) -> io::Result<()> {
    let summary = summary.map(serde_json::to_string).transpose().map_err(io::Error::other)?;
    dir.write_line(OUTCOME, &[outcome, &summary.unwrap_or_default()].join("\n"))
}

/// What [`keep_outcome`] has kept.
pub fn kept_outcome(dir: &SessionDir) -> Option<(String, Option<Summary>)> {
    let text = dir.read_line(OUTCOME).filter(|text| !text.is_empty())?;
    let (outcome, summary) = text.split_once('\n').unwrap_or((&text, ""));
    Some((outcome.to_owned(), serde_json::from_str(summary).ok()))
}

/// The session began: this `start` entry says so. Written with the next event, or when events are next delivered: the
/// user's program does not wait for it, and whoever goes on or closes the session makes it anew if this process dies before.
pub fn owe_started(dir: &SessionDir, about: &About, entry: &Entry) {
    let started = about.who.as_ref().map(|who| of_start(who, about, entry));
    *dir.events().lock().unwrap_or_else(PoisonError::into_inner) = started;
}

/// The same for a session that goes on, where its last recorder was killed before it had written it; `said` is what the
/// chain says of the session.
pub fn owe_started_again(dir: &SessionDir, about: &About, said: &[Entry]) -> io::Result<()> {
    // The first event of a session is removed with its folder only.
    let is_there = list(dir.path())?.iter().any(|waiting| waiting.word == STARTED);
    if let Some(entry) = said.iter().find(|entry| matches!(entry.kind, Kind::Start { .. })).filter(|_| !is_there) {
        owe_started(dir, about, entry);
    }
    Ok(())
}

fn of_start(who: &Who, about: &About, entry: &Entry) -> Named {
    let what = Started { who: who.clone(), places: about.sinks.clone(), entry: event::line_of(entry) };
    event::of_session(entry, who, What::Started(what))
}

/// The session has ended: this `end` or last `recovered` entry says so.
pub fn stopped(dir: &SessionDir, about: &About, entry: &Entry) -> io::Result<()> {
    let Some(who) = &about.who else { return Ok(()) };
    let what = What::Stopped(stop_of(dir, who, about, entry));
    put(dir, &event::of_session(entry, who, what))
}

fn stop_of(dir: &SessionDir, who: &Who, about: &About, entry: &Entry) -> Stopped {
    // Of an end that nobody saw there is no summary, and none that was left by an interrupted one counts.
    let (outcome, segments, digest, summary): (_, _, Option<Digest>, Option<Summary>) = match &entry.kind {
        Kind::End { segment, digest, outcome, .. } => {
            let summary = kept_outcome(dir).and_then(|kept| kept.1);
            (outcome.clone(), Some(segment + 1), Some(*digest), summary)
        }
        _ => {
            let head = read_head(dir.path());
            ("recovered".to_owned(), head.map(|(number, _)| number + 1), head.map(|(_, digest)| digest), None)
        }
    };
    Stopped {
        who: who.clone(),
        places: about.sinks.clone(),
        outcome,
        status: summary.as_ref().map(|s| s.stop.status),
        signal: summary.as_ref().and_then(|s| s.stop.signal),
        duration_ms: summary.as_ref().map(|s| s.duration_ms),
        bytes: summary.as_ref().and_then(|s| s.bytes),
        segments,
        digest,
        left_behind: summary.map(|s| s.stop.left_behind).unwrap_or_default(),
        entry: event::line_of(entry),
    }
}

/// The chain says what is open, by the recorder of this session.
pub fn checkpoint(dir: &SessionDir, about: &About, entry: &Entry) -> io::Result<()> {
    let (Some(who), Kind::Checkpoint { open, .. }) = (&about.who, &entry.kind) else { return Ok(()) };
    let what = Checkpoint {
        host: who.host.clone(),
        open: open.len() as u64,
        places: about.sinks.clone(),
        entry: event::line_of(entry),
    };
    put(dir, &event::of_checkpoint(entry, &who.user_or_uid(), what))
}

/// Writes the events that the chain speaks of and the folder lacks. For a session that nobody runs.
pub fn settle(dir: &SessionDir, chain: &HostChain, about: &About) -> io::Result<()> {
    let there = list(dir.path())?;
    let has = |word: &str| there.iter().any(|waiting| waiting.word == word);
    let Some(who) = about.who.as_ref().filter(|_| !has(STOPPED)) else { return Ok(()) };
    let session = dir.session();
    let entries = chain.entries_from(about.start_seq).map_err(|f| io::Error::other(f.what))?;
    // The first event of a session is removed with its folder only.
    if !has(STARTED)
        && let Some(entry) = entries.iter().find(|e| matches!(e.kind, Kind::Start { session: s, .. } if s == session))
    {
        put(dir, &of_start(who, about, entry))?;
    }
    let last = entries.iter().rev().find(|e| match e.kind {
        Kind::End { session: s, .. } => s == session,
        Kind::Recovered { session: s, continues: None, .. } => s == session,
        _ => false,
    });
    last.map_or(Ok(()), |entry| stopped(dir, about, entry))
}

/// Removes events that everybody has and nobody looks for any more, so all but those of start and end, and the highest
/// file: the next number is read from it.
pub fn release(dir: &SessionDir, everywhere: u32) -> io::Result<()> {
    let there = list(dir.path())?;
    let highest = there.last().map_or(0, |last| last.number);
    let passed =
        there.iter().filter(|w| w.number < everywhere && w.number < highest && ![STARTED, STOPPED].contains(&&*w.word));
    for waiting in passed {
        match std::fs::remove_file(&waiting.path) {
            // Another sink's thread was faster.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
    }
    Ok(())
}
