//! `audit`: what was found when chains, events and objects were held against each other: a table, JSON, a signed report.
//!
//! What is a finding is decided in `crate::audit`.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use hansard_schemas::names::safe;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::audit::{Facts, Finding, Level, gather, reconcile};
use crate::cli::{Audit, StoreArgs};
use crate::context::Context;
use crate::evidence::Chains;
use crate::known::Standing;
use crate::report::{Exit, Failure, Outcome, json_line, note};

/// What a signature is for (`ssh-keygen -Y`): one of this name is good for nothing else.
const NAMESPACE: &str = "hansard-audit";

/// Audits a store.
pub fn run(context: &Context, args: &Audit) -> Outcome {
    if let Some(path) = args.report.as_ref().filter(|path| path.exists()) {
        return Err(
            Failure::usage(format!("{}: it exists already", path.display())).hint("name a new file for the report")
        );
    }
    let store = context.store(&args.store)?;
    let events_from = match &args.events_from {
        Some(from) => Some(context.store(&StoreArgs { from: Some(from.clone()) })?),
        None => None,
    };
    let chains = Chains::load(&*store)?;
    let seen = context.standings(&*store, &chains)?;
    // Hidden by itself where standard error is no terminal.
    let bar = ProgressBar::new(0).with_style(
        ProgressStyle::with_template("auditing {bar:30} {pos}/{len} events")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let progress = |done, more| {
        bar.inc_length(more);
        bar.inc(done);
    };
    let facts = gather(&store, events_from.as_ref(), (chains, seen), &args.scope, context.now(), &progress)?;
    bar.finish_and_clear();
    let findings = reconcile(&facts);
    let report = document(&facts, store.address(), &findings);
    if let Some(path) = &args.report {
        write(path, &report)?;
        if let Some(key) = &args.sign {
            sign(path, key)?;
        }
    }
    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        for finding in &findings {
            writeln!(out, "{}", json_line(&serde_json::to_value(finding).unwrap_or_default()))?;
        }
        writeln!(out, "{}", json_line(&json!({"summary": report["summary"]})))?;
    } else {
        table(&mut out, &findings)?;
        summary(&mut out, &report["summary"])?;
    }
    out.flush()?;
    match findings.iter().filter(|finding| finding.level == Level::Defect).count() {
        0 => Ok(Exit::Fine),
        1 => Err(Failure::failed("the audit found 1 defect")),
        count => Err(Failure::failed(format!("the audit found {count} defects"))),
    }
}

/// All of it, as a report has it.
fn document(facts: &Facts, store: &str, findings: &[Finding]) -> Value {
    let wanted = |chain: &&hansard_schemas::chain::Chain| facts.wants(chain.host().map(|(host, _)| host));
    let chains: Vec<Value> = facts
        .chains
        .iter()
        .filter(wanted)
        .map(|chain| {
            let last = chain.entries.last();
            json!({
                "chain": chain.id,
                "host": chain.host().map(|(host, _)| host),
                "standing": facts.seen.standings.get(&chain.id).map(Standing::word),
                "entries": chain.entries.len(),
                "last": last.map(|entry| json!({"seq": entry.seq, "digest": entry.digest, "time": entry.time})),
            })
        })
        .collect();
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let parts = || facts.stored.values().flatten();
    json!({
        "hansard_audit": 1,
        "program": concat!("hansard-replay ", env!("CARGO_PKG_VERSION")),
        "at": facts.now,
        "store": store,
        "since": facts.scope.since.map(hansard_schemas::Timestamp::new),
        "until": facts.scope.until.map(hansard_schemas::Timestamp::new),
        "host": facts.scope.host,
        "chains": chains,
        "summary": {
            "chains": chains.len(),
            "sessions": facts.stored.len(),
            "segments": parts().count(),
            "bytes": parts().fold(0_u64, |sum, part| sum.saturating_add(part.bytes)),
            "events": facts.events.len(),
            "defects": count(Level::Defect),
            "notices": count(Level::Notice),
        },
        "findings": findings,
    })
}

fn table(out: &mut impl Write, findings: &[Finding]) -> io::Result<()> {
    for finding in findings {
        let Finding { level, finding, host, chain, session, text } = finding;
        let host = host.as_deref().map_or_else(|| "-".into(), safe);
        // Of a session the id says enough; of a chain the beginning is how it is listed elsewhere.
        let what = match (session, chain) {
            (Some(session), _) => session.to_string(),
            (None, Some(chain)) => format!("chain {}", chain.get(..16).unwrap_or(chain)),
            (None, None) => "-".into(),
        };
        writeln!(out, "{:6}  {finding:21}  {host:12}  {what:36}  {}", level.word(), safe(text))?;
    }
    Ok(())
}

fn summary(out: &mut impl Write, summary: &Value) -> io::Result<()> {
    let count = |name: &str| summary[name].as_u64().unwrap_or(0);
    let words = |name: &str| {
        let n = count(name);
        if n == 1 { format!("1 {}", name.trim_end_matches('s')) } else { format!("{n} {name}") }
    };
    let [chains, sessions, segments, events] = ["chains", "sessions", "segments", "events"].map(words);
    let [defects, notices] = ["defects", "notices"].map(words);
    writeln!(out, "{sessions} of {chains}: {segments}, {events}: {defects}, {notices}")
}

fn write(path: &Path, report: &Value) -> Outcome<()> {
    let text =
        serde_json::to_string_pretty(report).map_err(|e| Failure::failed(format!("cannot write the report: {e}")))?;
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()
    })
    .map_err(|e| Failure::usage(format!("{}: cannot write the report: {e}", path.display())))
}

/// By OpenSSH's own program: its signatures (PROTOCOL.sshsig) can be checked wherever there is one, and its agents and
/// hardware keys are those that an auditor has.
fn sign(path: &Path, key: &Path) -> Outcome<()> {
    let mut command = Command::new("ssh-keygen");
    command.args(["-Y", "sign", "-n", NAMESPACE, "-f"]).arg(key).arg(path).stdout(Stdio::null()).stderr(Stdio::piped());
    let failed = |why: String| {
        Failure::usage(format!("{}: the report is written and not signed: {why}", path.display()))
            .hint(format!("sign it with: ssh-keygen -Y sign -n {NAMESPACE} -f KEY FILE"))
    };
    let output = command.output().map_err(|e| failed(format!("ssh-keygen cannot be run: {e}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().replace(['\r', '\n'], " ");
        return Err(failed(said));
    }
    note(&format!("signed: {}.sig", path.display()));
    Ok(())
}
