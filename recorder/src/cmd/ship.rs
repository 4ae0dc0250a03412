//! `ship`: delivers what a spool still holds, and closes what was interrupted as recovered.
//!
//! Works on sessions that nobody runs; those that run deliver for themselves.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use hansard_schemas::SessionId;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustix::process::geteuid;

use crate::capture::who::Host;
use crate::cli::ShipArgs;
use crate::config::Config;
use crate::destinations;
use crate::host_chain::HostChain;
use crate::journal::spool::Spool;
use crate::journal::taking;
use crate::memory;
use crate::paths::BREAK_GLASS_SPOOLS;
use crate::report::{EXIT_FINDINGS, Failure, io};
use crate::ship::deliver::deliver_chain;
use crate::ship::leftovers::{SessionReport, Trust, open, patiently, session};

/// How many sessions are delivered side by side: a store that is far away answers slowly, and others can wait meanwhile.
const SIDE_BY_SIDE: usize = 4;

/// Runs the command.
pub fn run(args: &ShipArgs) -> Result<i32, Failure> {
    let (config, _) = Config::load(&args.place)?;
    memory::keep()?;
    let dir = config.spool_dir()?;
    // What a break-glass entry left was written by whoever entered.
    let foreign = geteuid().is_root() && dir.parent() == Some(Path::new(BREAK_GLASS_SPOOLS));
    if foreign && !dir.exists() {
        print(args, &[], &[]).map_err(Failure::new)?;
        return Ok(0);
    }
    let dir = take(dir, foreign)?;
    let places = places(&config)?;
    let trust = if foreign { Trust::Only(&places) } else { Trust::Own(None) };
    let spool = Spool::open(&dir)?;
    let host = Host::this()?;
    let chains = HostChain::all(&spool, &host)?;
    let ids = spool.session_ids().map_err(io("list", &spool.sessions()))?;
    let bar = bar(ids.len() as u64, args.json || args.quiet);
    let reports = sessions(&spool, &chains, ids, trust, &bar);
    bar.finish_and_clear();
    let chain_errors = rest_of_chains(&chains, &config, trust, &reports);
    let left = reports.iter().any(SessionReport::is_left) || !chain_errors.is_empty();
    print(args, &reports, &chain_errors).map_err(Failure::new)?;
    if foreign {
        settle(&dir, left);
    }
    Ok(if left { EXIT_FINDINGS } else { 0 })
}

/// A spool that is another user's becomes root's first, where it may. Gives where it lies then.
fn take(dir: PathBuf, may: bool) -> Result<PathBuf, Failure> {
    let Ok(found) = std::fs::symlink_metadata(&dir) else { return Ok(dir) };
    let owner = found.uid();
    if !geteuid().is_root() || owner == 0 {
        return Ok(dir);
    }
    if !may {
        let what = format_args!("the spool {} belongs to uid {owner}, who could lead root anywhere", dir.display());
        return Err(Failure::new(what).hint("deliver it as that user: runuser -u USER -- hansard-record ship"));
    }
    taking::take(&dir, owner).map_err(|e| {
        let what = format_args!("the spool {} of uid {owner} cannot be taken over: {e}", dir.display());
        Failure::new(what).hint("nothing of it was followed, read or delivered; look at what the user put there")
    })
}

/// The places that the configuration names.
fn places(config: &Config) -> Result<Vec<String>, Failure> {
    let sinks = destinations::addresses(config).map_err(Failure::new)?;
    Ok(sinks.iter().map(ToString::to_string).chain(config.notify.iter().cloned()).collect())
}

/// A spool that was taken over goes once all of it is delivered, its chain too: the user's next entry begins another.
fn settle(taken: &Path, left: bool) {
    let why = match left {
        true => "not all of it is delivered".to_owned(),
        false => match std::fs::remove_dir_all(taken) {
            Ok(()) => return,
            Err(e) => e.to_string(),
        },
    };
    let place = taken.display();
    let failure = Failure::new(format_args!("what was taken over stays in {place}: {why}"));
    eprint!("{}", failure.hint(format_args!("try again with --spool {place}")).render());
}

/// All of them, a few side by side; the reports are in the order of the sessions.
fn sessions(
    spool: &Spool,
    chains: &[HostChain],
    ids: Vec<SessionId>,
    trust: Trust<'_>,
    bar: &ProgressBar,
) -> Vec<SessionReport> {
    let (waiting, reports) = (Mutex::new(ids.into_iter()), Mutex::new(Vec::new()));
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        while let Some(id) = next() {
            bar.set_message(id.to_string());
            let report = session(spool, chains, id, trust);
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
fn rest_of_chains(chains: &[HostChain], config: &Config, trust: Trust<'_>, reports: &[SessionReport]) -> Vec<String> {
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
        let known = if matches!(trust, Trust::Own(_)) { chain.known_sinks() } else { Vec::new() };
        let known: BTreeSet<String> = known.into_iter().chain(configured.iter().cloned()).collect();
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
