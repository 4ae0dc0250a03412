//! `ship`: delivers what a spool still holds, and closes what was interrupted as recovered.
//!
//! Works on sessions that nobody runs; those that run deliver for themselves.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};

use hansard_schemas::SessionId;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::capture::who::Host;
use crate::cli::ShipArgs;
use crate::config::Config;
use crate::destinations;
use crate::host_chain::HostChain;
use crate::journal::spool::Spool;
use crate::memory;
use crate::report::{EXIT_FINDINGS, Failure, io};
use crate::ship::deliver::deliver_chain;
use crate::ship::leftovers::{SessionReport, open, patiently, session};

/// How many sessions are delivered side by side: a store that is far away answers slowly, and others can wait meanwhile.
const SIDE_BY_SIDE: usize = 4;

/// Runs the command.
pub fn run(args: &ShipArgs) -> Result<i32, Failure> {
    let (config, _) = Config::load(&args.place)?;
    let spool = Spool::open(&config.spool_dir()?)?;
    memory::keep()?;
    let host = Host::this()?;
    let chains = HostChain::all(&spool, &host)?;
    let ids = spool.session_ids().map_err(io("list", &spool.sessions()))?;
    let bar = bar(ids.len() as u64, args.json || args.quiet);
    let reports = sessions(&spool, &chains, ids, &bar);
    bar.finish_and_clear();
    let chain_errors = rest_of_chains(&chains, &config, &reports);
    let left = reports.iter().any(SessionReport::is_left) || !chain_errors.is_empty();
    print(args, &reports, &chain_errors).map_err(Failure::new)?;
    Ok(if left { EXIT_FINDINGS } else { 0 })
}

/// All of them, a few side by side; the reports are in the order of the sessions.
fn sessions(spool: &Spool, chains: &[HostChain], ids: Vec<SessionId>, bar: &ProgressBar) -> Vec<SessionReport> {
    let (waiting, reports) = (Mutex::new(ids.into_iter()), Mutex::new(Vec::new()));
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        while let Some(id) = next() {
            bar.set_message(id.to_string());
            let report = session(spool, chains, id, None);
            reports.lock().unwrap_or_else(PoisonError::into_inner).push(report);
            bar.inc(1);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(work);
        }
    });
    let mut reports = reports.into_inner().unwrap_or_else(PoisonError::into_inner);
    reports.sort_by_key(|report| report.session);
    reports
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

/// Entries of chains without a session in the spool: the last `end`, a genesis. To every sink that has had some.
fn rest_of_chains(chains: &[HostChain], config: &Config, reports: &[SessionReport]) -> Vec<String> {
    let mut errors = Vec::new();
    let configured: Vec<String> = match destinations::addresses(config) {
        Ok(addresses) => addresses.iter().map(ToString::to_string).collect(),
        Err(e) => return vec![e.to_string()],
    };
    // A place that has just refused is not asked again: its sessions say why, and bring the chain along another time.
    let refuses = |address: &str| {
        reports.iter().flat_map(|report| &report.sinks).any(|sink| sink.sink == address && sink.error.is_some())
    };
    for chain in chains {
        let known: BTreeSet<String> = chain.known_sinks().into_iter().chain(configured.iter().cloned()).collect();
        for address in known.into_iter().filter(|address| !refuses(address)) {
            let sent = open(&address)
                .and_then(|(_, sink)| patiently(|| deliver_chain(sink.as_ref(), chain.dir(), chain.log(), chain.id())));
            let why = sent.unwrap_or_else(|e| Some(e.with_hint()));
            errors.extend(why.map(|why| format!("chain {}: {address}: {why}", chain.id().short())));
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
