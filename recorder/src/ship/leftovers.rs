//! What sessions that nobody runs left in the spool: closed as recovered where they were interrupted, and delivered.
//!
//! By `ship`, and by the next session beside its own work. Not for what is said of it: `cmd::ship`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hansard_schemas::SessionId;
use hansard_sinks::address::redacted;
use hansard_sinks::{Address, Class, Sink, SinkError, open_notify, open_sink};
use serde::Serialize;

use super::Shipping;
use super::announce::deliver_events;
use super::deliver::{Delivery, deliver, release_all};
use crate::host_chain::HostChain;
use crate::journal::recovery::{Found, recover};
use crate::journal::session_dir::SessionDir;
use crate::journal::spool::Spool;

/// How often a sink that refuses is tried in one call, and the pause between; who calls `ship` can call it again.
const TRIES: (u32, Duration) = (3, Duration::from_millis(500));

/// A try that took longer is the last one: what does not answer was waited for long enough.
const LONG_TRY: Duration = Duration::from_secs(5);

/// What one place got of a session.
#[derive(Debug, Serialize)]
pub struct SinkReport {
    /// Its address, without secrets.
    pub sink: String,
    /// Whether the spool keeps what it lacks.
    pub required: bool,
    /// Segments that it took.
    pub segments: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Why it does not have everything.
    pub error: Option<String>,
}

/// What became of a session.
#[derive(Debug, Serialize)]
pub struct SessionReport {
    /// Its id.
    pub session: SessionId,
    /// `running`, `ended`, `recovered`, `never-started`, `failed`; `notice` where there was an event and no session.
    pub state: &'static str,
    /// The segment that had no end, where it was closed as recovered.
    pub recovered_at: Option<u32>,
    /// How many blocks of it are good.
    pub blocks_kept: Option<u64>,
    /// Why nothing could be done.
    pub error: Option<String>,
    /// By place.
    pub sinks: Vec<SinkReport>,
    /// The spool no longer holds it.
    pub released: bool,
}

impl SessionReport {
    fn new(session: SessionId, state: &'static str) -> Self {
        Self { session, state, recovered_at: None, blocks_kept: None, error: None, sinks: Vec::new(), released: false }
    }

    fn failed(session: SessionId, error: String) -> Self {
        Self { error: Some(error), ..Self::new(session, "failed") }
    }

    /// Whether the spool holds something that a required place lacks.
    pub fn is_left(&self) -> bool {
        self.error.is_some() || self.sinks.iter().any(|s| s.required && s.error.is_some())
    }
}

/// What a session's folder may ask for.
#[derive(Debug, Clone, Copy)]
pub enum Trust<'t> {
    /// This process, or another of this user, wrote it.
    Own(Option<&'t Shipping>),
    /// Somebody else did: only these places are opened, as others would be shown this process's credentials.
    Only(&'t [String]),
}

/// Closes and delivers one session, unless somebody runs it. Places that are open already are used, and not asked while they
/// are away.
pub fn session(spool: &Spool, chains: &[HostChain], id: SessionId, trust: Trust<'_>) -> SessionReport {
    let dir = match SessionDir::take(&spool.sessions(), id) {
        Ok(Some(dir)) => dir,
        Ok(None) => return SessionReport::new(id, "running"),
        Err(e) => return SessionReport::failed(id, format!("its folder cannot be locked: {e}")),
    };
    let about = match dir.read_about() {
        Ok(about) => about,
        Err(e) => return SessionReport::failed(id, format!("about.json cannot be read: {e}")),
    };
    let Some(about) = about else { return never_started(&dir) };
    let Some(chain) = chains.iter().find(|c| c.id() == about.chain) else {
        return SessionReport::failed(id, format!("its host chain {} is not in this spool", about.chain));
    };
    let found = if about.notice { Ok(Found::Ended) } else { recover(&dir, chain, "its recorder was gone") };
    let mut report = match found {
        _ if about.notice => SessionReport::new(id, "notice"),
        Ok(Found::NeverStarted) => return never_started(&dir),
        Ok(Found::Ended) => SessionReport::new(id, "ended"),
        Ok(Found::Recovered { segment, blocks }) => SessionReport {
            recovered_at: Some(segment),
            blocks_kept: Some(blocks),
            ..SessionReport::new(id, "recovered")
        },
        Err(failure) => return SessionReport::failed(id, failure.what),
    };
    let mut required = Vec::new();
    let known = match trust {
        Trust::Own(known) => known,
        Trust::Only(places) => {
            let strange = about.sinks.iter().chain(&about.notify).find(|address| !places.contains(address));
            if let Some(strange) = strange {
                let why = "its folder, which another user wrote, names a place that the configuration does not";
                return SessionReport::failed(id, format!("{why}: {}", redacted(strange)));
            }
            None
        }
    };
    for address in &about.sinks {
        report.sinks.push(one_sink(address, &dir, chain, known, &mut required));
    }
    let mut events = Vec::new();
    for address in &about.notify {
        report.sinks.push(one_notify(address, &dir, &mut events));
    }
    if !report.is_left() {
        match release_all(&dir, &required, &events) {
            Ok(released) => report.released = released,
            Err(e) => report.error = Some(format!("its folder cannot be removed: {e}")),
        }
    }
    report
}

fn never_started(dir: &SessionDir) -> SessionReport {
    let mut report = SessionReport::new(dir.session(), "never-started");
    match dir.remove_files() {
        Ok(()) => report.released = true,
        Err(e) => report.error = Some(format!("its folder cannot be removed: {e}")),
    }
    report
}

/// Tries a few times what a moment may mend.
pub(crate) fn patiently<T>(mut step: impl FnMut() -> Result<T, SinkError>) -> Result<T, SinkError> {
    for _ in 1..TRIES.0 {
        let begun = Instant::now();
        match step() {
            Err(e) if e.class() != Class::Never && begun.elapsed() < LONG_TRY => std::thread::sleep(TRIES.1),
            other => return other,
        }
    }
    step()
}

/// Opens a place that takes recordings.
pub(crate) fn open(address: &str) -> Result<(Address, Arc<dyn Sink>), SinkError> {
    let address = Address::parse(address)?;
    open_sink(&address).map(|sink| (address, sink))
}

fn one_sink(
    text: &str,
    dir: &SessionDir,
    chain: &HostChain,
    known: Option<&Shipping>,
    places: &mut Vec<String>,
) -> SinkReport {
    let report = SinkReport { sink: text.to_owned(), required: true, segments: 0, bytes: 0, error: None };
    if known.is_some_and(|known| known.is_away(text)) {
        return SinkReport { error: Some("it is away at the moment".into()), ..report };
    }
    let opened = match known.and_then(|known| known.sink(text)) {
        Some(sink) => Address::parse(text).map(|address| (address, sink)),
        None => open(text),
    };
    let (address, sink) = match opened {
        Ok(opened) => opened,
        Err(e) => return SinkReport { error: Some(e.with_hint()), ..report },
    };
    let report = SinkReport { required: address.required(), ..report };
    places.extend(report.required.then(|| sink.place().to_owned()));
    match patiently(|| deliver(sink.as_ref(), dir, chain)) {
        Ok(Delivery { segments, bytes, conflict }) => SinkReport { segments, bytes, error: conflict, ..report },
        Err(e) => SinkReport { error: Some(e.with_hint()), ..report },
    }
}

/// Delivers the events to a place that takes only those.
fn one_notify(text: &str, dir: &SessionDir, places: &mut Vec<String>) -> SinkReport {
    let shown = redacted(text);
    let sent = Address::parse(text).and_then(|address| open_notify(&address)).and_then(|sink| {
        places.push(sink.place().to_owned());
        patiently(|| deliver_events(sink.as_ref(), dir))
    });
    SinkReport { sink: shown, required: true, segments: 0, bytes: 0, error: sent.err().map(|e| e.with_hint()) }
}
