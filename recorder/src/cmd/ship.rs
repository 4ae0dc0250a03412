//! `ship`: delivers what a spool still holds, and closes what was interrupted as recovered.
//!
//! Works on sessions that nobody runs; those that run deliver for themselves.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use hansard_schemas::SessionId;
use hansard_sinks::address::redacted;
use hansard_sinks::{Address, Class, Sink, SinkError, open_notify, open_sink};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::capture::who::Host;
use crate::cli::ShipArgs;
use crate::config::Config;
use crate::destinations;
use crate::host_chain::HostChain;
use crate::journal::recovery::{Found, recover};
use crate::journal::session_dir::SessionDir;
use crate::journal::spool::Spool;
use crate::memory;
use crate::report::{EXIT_FINDINGS, Failure, io};
use crate::ship::announce::deliver_events;
use crate::ship::deliver::{Delivery, deliver, deliver_chain, release_all};

/// How often a sink that refuses is tried in one call, and the pause between; who calls `ship` can call it again.
const TRIES: (u32, Duration) = (3, Duration::from_millis(500));

#[derive(Debug, Serialize)]
struct SinkReport {
    sink: String,
    required: bool,
    segments: u64,
    bytes: u64,
    error: Option<String>,
}

#[derive(Debug, Serialize)]
struct SessionReport {
    session: SessionId,
    /// `running`, `ended`, `recovered`, `never-started`, `failed`.
    state: &'static str,
    recovered_at: Option<u32>,
    blocks_kept: Option<u64>,
    error: Option<String>,
    sinks: Vec<SinkReport>,
    /// The spool no longer holds it.
    released: bool,
}

/// Runs the command.
pub fn run(args: &ShipArgs) -> Result<i32, Failure> {
    let (config, _) = Config::load(&args.place)?;
    let spool = Spool::open(&config.spool_dir()?)?;
    memory::keep()?;
    let host = Host::this()?;
    let chains = HostChain::all(&spool, &host)?;
    let ids = spool.session_ids().map_err(io("list", &spool.sessions()))?;
    let bar = bar(ids.len() as u64, args.json || args.quiet);
    let mut reports = Vec::new();
    for id in ids {
        bar.set_message(id.to_string());
        reports.push(session(&spool, &chains, id));
        bar.inc(1);
    }
    bar.finish_and_clear();
    let chain_errors = rest_of_chains(&chains, &config);
    let left = reports.iter().any(SessionReport::is_left) || !chain_errors.is_empty();
    print(args, &reports, &chain_errors).map_err(Failure::new)?;
    Ok(if left { EXIT_FINDINGS } else { 0 })
}

fn bar(len: u64, hidden: bool) -> ProgressBar {
    // indicatif draws nothing where standard error is no terminal.
    let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(len), target);
    if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} sessions {msg}") {
        bar.set_style(style);
    }
    bar
}

impl SessionReport {
    fn new(session: SessionId, state: &'static str) -> Self {
        Self { session, state, recovered_at: None, blocks_kept: None, error: None, sinks: Vec::new(), released: false }
    }

    fn failed(session: SessionId, error: String) -> Self {
        Self { error: Some(error), ..Self::new(session, "failed") }
    }

    fn is_left(&self) -> bool {
        self.error.is_some() || self.sinks.iter().any(|s| s.required && s.error.is_some())
    }
}

fn session(spool: &Spool, chains: &[HostChain], id: SessionId) -> SessionReport {
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
    let mut report = match recover(&dir, chain, "its recorder was gone") {
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
    for address in &about.sinks {
        report.sinks.push(one_sink(address, &dir, chain, &mut required));
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
fn patiently<T>(mut step: impl FnMut() -> Result<T, SinkError>) -> Result<T, SinkError> {
    for _ in 1..TRIES.0 {
        match step() {
            Err(e) if e.class() != Class::Never => std::thread::sleep(TRIES.1),
            other => return other,
        }
    }
    step()
}

fn open(address: &str) -> Result<(Address, Arc<dyn Sink>), SinkError> {
    let address = Address::parse(address)?;
    open_sink(&address).map(|sink| (address, sink))
}

fn one_sink(text: &str, dir: &SessionDir, chain: &HostChain, places: &mut Vec<String>) -> SinkReport {
    let report = SinkReport { sink: text.to_owned(), required: true, segments: 0, bytes: 0, error: None };
    let (address, sink) = match open(text) {
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

/// Entries of chains without a session in the spool: the last `end`, a genesis. To every sink that has had some.
fn rest_of_chains(chains: &[HostChain], config: &Config) -> Vec<String> {
    let mut errors = Vec::new();
    let configured: Vec<String> = match destinations::addresses(config) {
        Ok(addresses) => addresses.iter().map(ToString::to_string).collect(),
        Err(e) => return vec![e.to_string()],
    };
    for chain in chains {
        for address in chain.known_sinks().into_iter().chain(configured.iter().cloned()) {
            let sent = open(&address).and_then(|(_, sink)| {
                patiently(|| deliver_chain(sink.as_ref(), chain.dir(), &chain.log(), chain.id()))
            });
            if let Err(e) = sent {
                errors.push(format!("chain {}: {address}: {}", chain.id().short(), e.with_hint()));
            }
        }
    }
    errors
}

fn print(args: &ShipArgs, reports: &[SessionReport], chain_errors: &[String]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let result = if args.json {
        let document = serde_json::json!({ "sessions": reports, "chain_errors": chain_errors });
        writeln!(out, "{document:#}")
    } else if args.quiet {
        Ok(())
    } else {
        reports.iter().try_for_each(|r| writeln!(out, "{}", line(r)))
    };
    for report in reports.iter().filter(|_| !args.json) {
        let of_sinks = report.sinks.iter().filter_map(|s| Some(format!("{}: {}", s.sink, s.error.as_ref()?)));
        let why = report.error.iter().cloned().chain(of_sinks);
        for why in why {
            eprint!("{}", Failure::new(format_args!("session {}: {why}", report.session)).render());
        }
    }
    for why in chain_errors.iter().filter(|_| !args.json) {
        eprint!("{}", Failure::new(why).render());
    }
    match result {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn line(report: &SessionReport) -> String {
    let mut text = format!("{} {}", report.session, report.state);
    if let (Some(segment), Some(blocks)) = (report.recovered_at, report.blocks_kept) {
        text.push_str(&format!(" at segment {segment}, {blocks} blocks kept"));
    }
    let segments: u64 = report.sinks.iter().map(|s| s.segments).sum();
    if !report.sinks.is_empty() {
        text.push_str(&format!(", {segments} segments delivered to {} sinks", report.sinks.len()));
    }
    if report.released {
        text.push_str(", released");
    }
    text
}
