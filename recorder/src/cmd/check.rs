//! `check`: the effective configuration, and whether its parts hold.
//!
//! Tries what a session would need, on this host, now. Not a proof: what it tried is what it says.

use std::io::Write as _;

use hansard_sinks::address::{Scheme, redacted};
use hansard_sinks::webhook::{SECRET, SECRET_FILE, Secret};
use hansard_sinks::{Finding, Level, Probe};

use super::run::or_first_use_store;
use crate::agent;
use crate::capture::who::Host;
use crate::cli::CheckArgs;
use crate::config::Config;
use crate::destinations::{self, Destination, Notify};
use crate::first_use::{self, OWN_PAST, Source};
use crate::host_chain::HostChain;
use crate::journal::spool::Spool;
use crate::memory::{self, Kept};
use crate::policy::Policy;
use crate::report::{EXIT_FINDINGS, Failure};

/// Runs the command.
pub fn run(args: &CheckArgs) -> Result<i32, Failure> {
    let (mut config, file) = Config::load(&args.place)?;
    or_first_use_store(&mut config)?;
    config.spool.dir = Some(config.spool_dir()?);
    let mut findings = Vec::new();
    let source = file.map_or_else(|| "none; these are the defaults".into(), |path| path.display().to_string());
    findings.push(Finding { part: "configuration".into(), level: Level::Ok, what: source });
    spool(&config, &mut findings);
    recipients(&config, &mut findings);
    keys_in_memory(&mut findings);
    policy(&config, &mut findings);
    shell_marks(&config, &mut findings);
    let stores = sinks(&config, &mut findings);
    notifies(&config, &stores, &mut findings);
    findings.push(Finding {
        part: "witness".into(),
        level: Level::Warning,
        what: "no agent runs this recorder: recordings are attested by the recorded user himself".into(),
    });
    // A webhook's address is often its secret.
    config.notify = config.notify.iter().map(|address| redacted(address)).collect();
    print(args, &config, &findings)?;
    Ok(if findings.iter().any(|f| f.level == Level::Failed) { EXIT_FINDINGS } else { 0 })
}

/// How many rules there are, and what about them is hardly meant.
fn policy(config: &Config, findings: &mut Vec<Finding>) {
    if config.rule.is_empty() {
        return;
    }
    match Policy::new(config) {
        Ok(policy) => {
            let what = format!("{} rules; they hold where an agent records, not for `run`", policy.len());
            findings.push(Finding::new("policy", Level::Ok, what));
            findings.extend(policy.remarks().into_iter().map(|what| Finding::new("policy", Level::Warning, what)));
        }
        Err(what) => findings.push(Finding::new("policy", Level::Failed, what)),
    }
}

/// Whether shells that are to mark their commands can.
fn shell_marks(config: &Config, findings: &mut Vec<Finding>) {
    // What cannot be is told of the policy.
    if !Policy::new(config).is_ok_and(|policy| policy.marks_shells()) {
        return;
    }
    let dir = &config.interactive.shell_marks_dir;
    let (level, what) = match agent::marks_usable(dir) {
        Ok(()) => (Level::Ok, format!("bash, zsh and fish can be started with those in {}", dir.display())),
        Err(why) => (Level::Warning, format!("an agent starts shells without them: {why}")),
    };
    findings.push(Finding::new("shell marks", level, what));
}

/// Opens every sink and has it try itself.
fn sinks(config: &Config, findings: &mut Vec<Finding>) -> Vec<Destination> {
    let destinations = match destinations::open(config) {
        Ok(destinations) => destinations,
        Err(failure) => {
            findings.push(Finding::new("sink", Level::Failed, failure.what));
            return Vec::new();
        }
    };
    let probe = Probe { chain16: chain16(config), max_segment: config.journal.max_segment };
    for one in &destinations {
        let kind = if one.address.required() { "required" } else { "best effort" };
        findings.push(Finding::new("sink", Level::Ok, format!("can be opened ({kind}): {}", one.address)));
        findings.extend(one.sink.probe(&probe));
    }
    if destinations.iter().all(|one| one.address.scheme() == Scheme::File) {
        let what = "every sink is a directory of this host: a recording leaves the machine with none of them";
        findings.push(Finding::new("off the host", Level::Warning, what));
    }
    destinations
}

/// Whether every event sink can be opened, and its events be told from forged ones.
fn notifies(config: &Config, stores: &[Destination], findings: &mut Vec<Finding>) {
    let opened = match destinations::open_notifies(config, stores) {
        Ok(opened) => opened,
        Err(failure) => return findings.push(Finding::new("events", Level::Failed, failure.what)),
    };
    findings.push(beyond_reach(stores, &opened));
    for one in opened {
        let webhook = matches!(one.address.scheme(), Scheme::Http | Scheme::Https);
        let (level, what) = match (webhook, Secret::of_environment()) {
            (true, Ok(None)) => (
                Level::Warning,
                format!("{} takes events that are not signed: set {SECRET} or {SECRET_FILE}", one.address),
            ),
            _ => (Level::Ok, format!("can be opened: {}", one.address)),
        };
        findings.push(Finding::new("events", level, what));
    }
}

/// Whether somebody who has the credentials of the stores could take away every trace of a session: the signed lines of
/// the host chain are in the events, too.
fn beyond_reach(stores: &[Destination], notifies: &[Notify]) -> Finding {
    let is_beyond = |one: &&Notify| match one.address.scheme() {
        Scheme::File => false,
        Scheme::Http | Scheme::Https => true,
        // The same kind of place is reached with the same credentials.
        other => stores.iter().all(|store| store.address.scheme() != other),
    };
    let (level, what) = match notifies.iter().find(is_beyond) {
        Some(one) => (
            Level::Ok,
            format!("{} is told of every session, beyond the reach of the stores' credentials", one.address),
        ),
        None => (
            Level::Warning,
            "no event sink is beyond the reach of the stores' credentials: who has those could take a session away \
             without a trace; add a webhook to notify, or a sink of another kind"
                .into(),
        ),
    };
    Finding::new("event witness", level, what)
}

/// The chain that this spool has; zeros before its first session.
fn chain16(config: &Config) -> String {
    let chain = config.spool_dir().and_then(|dir| {
        let begun = dir.join("chain").exists();
        begun.then(|| HostChain::open(&Spool::open(&dir)?, &Host::this()?)).transpose()
    });
    chain.ok().flatten().map_or_else(|| "0".repeat(16), |chain| chain.id().short())
}

fn spool(config: &Config, findings: &mut Vec<Finding>) {
    let tried = config.spool_dir().and_then(|dir| Spool::open(&dir)).and_then(|spool| {
        spool.admit(config.spool.quota, config.spool.reserve)?;
        Ok(spool)
    });
    let (level, what) = match tried {
        Ok(spool) => (
            Level::Ok,
            format!(
                "{} locks, syncs and has space; {} of {} bytes are used",
                spool.root().display(),
                spool.used(),
                config.spool.quota
            ),
        ),
        Err(failure) => (Level::Failed, failure.what),
    };
    findings.push(Finding { part: "spool".into(), level, what });
}

fn recipients(config: &Config, findings: &mut Vec<Finding>) {
    let (level, what) = match first_use::recipients(config, false) {
        Ok((recipients, Source::Configured)) => (Level::Ok, format!("sealed to {}", recipients.ids().join(", "))),
        Ok((_, Source::OwnIdentity { path, .. })) => {
            (Level::Warning, format!("sealed to the identity in {}: {OWN_PAST}", path.display()))
        }
        Err(_) => (Level::Warning, format!("none; the first session makes an identity, and {OWN_PAST}")),
    };
    findings.push(Finding { part: "recipients".into(), level, what });
}

fn keys_in_memory(findings: &mut Vec<Finding>) {
    let (level, what) = match memory::keep() {
        Ok(Kept::All) => (Level::Ok, "all of it is locked and kept out of core dumps".into()),
        Ok(Kept::Keys) => {
            (Level::Ok, "the pages that hold keys are locked, all of it is kept out of core dumps".into())
        }
        Ok(Kept::Nothing { limit }) => (
            Level::Warning,
            format!(
                "keys of running sessions may be written to swap: the limit of locked memory (ulimit -l) is {limit} bytes"
            ),
        ),
        Err(failure) => (Level::Failed, failure.what),
    };
    findings.push(Finding { part: "memory".into(), level, what });
}

fn print(args: &CheckArgs, config: &Config, findings: &[Finding]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let result = if args.json {
        let document = serde_json::json!({ "configuration": config, "findings": findings });
        writeln!(out, "{document:#}")
    } else {
        let text = toml::to_string(config).map_err(Failure::new)?;
        writeln!(out, "{text}").and_then(|()| {
            findings.iter().try_for_each(|f| {
                let level = match f.level {
                    Level::Ok => "ok",
                    Level::Warning => "warning",
                    Level::Failed => "FAILED",
                };
                writeln!(out, "{level:8} {:14} {}", f.part, hansard_schemas::names::safe(&f.what))
            })
        })
    };
    match result {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::new(e)),
        _ => Ok(()),
    }
}
