//! `verify`: says of every session whether it is whole, with nothing but public things.
//!
//! One line a session on standard output, what is wrong with it below, a summary at the end. The words are those of
//! FORMAT.md, section 8.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufWriter, Write};

use chrono::Utc;
use hansard_schemas::ChainId;
use hansard_schemas::keys::Identities;
use hansard_schemas::names::safe;
use hansard_schemas::verdict::{Judgement, Verdict};
use hansard_sinks::{SessionRef, SinkError, Store, TimeRange};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::show::first_line;
use super::verify_file;
use crate::catalog::Catalog;
use crate::cli::{KeyArgs, Verify};
use crate::context::{Context, Seen};
use crate::evidence::{Chains, Evidence, examine};
use crate::known::{Rollback, Standing};
use crate::parallel;
use crate::report::{self, Exit, Failure, Outcome, json_line, note};

/// One session as it is reported.
pub(super) struct Verified {
    /// The file, for one that was named.
    pub file: Option<String>,
    /// Something follows its last segment (TRL-4).
    pub trailing: bool,
    pub judgement: Judgement,
    pub chain: Option<ChainId>,
    pub bytes: u64,
    /// That another tool made the recording, where an identity at hand opens it and says so.
    pub imported: Option<String>,
}

/// What is counted for the summary.
#[derive(Default)]
struct Counts {
    words: BTreeMap<&'static str, u64>,
    failed: u64,
    all: u64,
}

/// What everything is reported with.
struct Reporter<'a> {
    standings: BTreeMap<ChainId, Standing>,
    json: bool,
    strict: bool,
    counts: Counts,
    out: BufWriter<io::StdoutLock<'a>>,
}

/// Verifies what is named, or everything.
pub fn run(context: &Context, args: &Verify) -> Outcome {
    let (files, ids): (Vec<&String>, Vec<&String>) = args.what.iter().partition(|what| verify_file::is_file(what));
    let store = context.store(&args.store)?;
    let chains = match Chains::load(&*store) {
        Ok(chains) => chains,
        // Files can be checked without a store, unless one was asked for.
        Err(_) if ids.is_empty() && !files.is_empty() && args.store.from.is_none() => Chains::default(),
        Err(error) => return Err(error.into()),
    };
    let Seen { standings, rollbacks } = match chains.iter().next() {
        // Files without a store: nothing can be said of it.
        None if ids.is_empty() && !files.is_empty() => Seen { standings: BTreeMap::new(), rollbacks: Vec::new() },
        _ => context.standings(&*store, &chains)?,
    };
    let mut reporter = Reporter {
        standings,
        json: args.json,
        strict: args.strict.or(context.defaults().verify.strict).unwrap_or(false),
        counts: Counts::default(),
        out: BufWriter::new(io::stdout().lock()),
    };
    let mut unread = None;
    let (found, failures) = verify_file::files(&files, &chains, context.now());
    for failure in failures {
        // One file that is none does not keep the others from being verified.
        unread = unread.max(Some(failure.exit));
        report::print(&failure);
    }
    for verified in found {
        reporter.session(&verified)?;
    }
    if files.is_empty() || !ids.is_empty() {
        sessions(context, &*store, &chains, &ids, &mut reporter)?;
    }
    let everything = args.what.is_empty();
    let mut failed = reporter.counts.failed > 0;
    if everything {
        failed |= reporter.chains(&chains)?;
        failed |= !rollbacks.is_empty();
        for foreign in store.foreign()? {
            reporter.foreign(&foreign)?;
        }
    }
    for rollback in &rollbacks {
        reporter.rollback(rollback)?;
    }
    if let Some(exit) = unread {
        reporter.out.flush()?;
        return Ok(if failed { Exit::Failed } else { exit });
    }
    if reporter.counts.all == 0 && !failed {
        reporter.out.flush()?;
        return Err(Failure::failed(format!("{}: nothing to verify", store.address()))
            .hint("`hansard-record run` records a session; --from names another store"));
    }
    reporter.summary()?;
    if !failed {
        return Ok(Exit::Fine);
    }
    // For whoever keeps standard output and reads only this.
    let Counts { failed, all, .. } = reporter.counts;
    let what = match failed {
        0 => "of what was recorded not all is there".to_owned(),
        _ => format!("{failed} of {all} sessions"),
    };
    Err(Failure::failed(format!("verification failed: {what}")))
}

/// Verifies the sessions named, or all that the store or a chain knows.
fn sessions(
    context: &Context,
    store: &dyn Store,
    chains: &Chains,
    ids: &[&String],
    reporter: &mut Reporter<'_>,
) -> Outcome<()> {
    let catalog = Catalog::load(store, chains, &TimeRange::default())?;
    let mut wanted: BTreeSet<SessionRef> = BTreeSet::new();
    for id in ids {
        wanted.insert(catalog.find(id, Utc::now())?.session.clone());
    }
    if ids.is_empty() {
        wanted.extend(catalog.iter().map(|one| one.session.clone()));
    }
    // Hidden by itself where standard error is no terminal.
    let bar = ProgressBar::new(0).with_style(
        ProgressStyle::with_template("verifying {bar:30} {bytes}/{total_bytes} {binary_bytes_per_sec}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let wanted: Vec<SessionRef> = wanted.into_iter().collect();
    if !bar.is_hidden() {
        let bytes = parallel::each(&wanted, parallel::REQUESTS, |session| {
            Ok::<_, SinkError>(store.parts(session)?.iter().fold(0_u64, |sum, part| sum.saturating_add(part.bytes)))
        })?;
        bar.set_length(bytes.iter().fold(0, |sum, bytes| sum.saturating_add(*bytes)));
    }
    let now = context.now();
    let identities = own_identities(context);
    let examined = |session: &SessionRef| {
        let evidence = examine(store, session, chains, now, &mut |n| bar.inc(n))?;
        let header = (!identities.is_empty()).then(|| first_line(store, &evidence, &identities).ok()).flatten();
        Ok::<_, SinkError>((evidence, header.and_then(|header| header.hansard.claimed.imported())))
    };
    // A store on this machine keeps every processor busy; one that is far keeps them waiting.
    parallel::stream(&wanted, parallel::readers(), examined, |examined| {
        let (evidence, imported) = examined?;
        let verified = verified(&evidence, imported);
        bar.suspend(|| reporter.session(&verified))
    })?;
    bar.finish_and_clear();
    Ok(())
}

/// What opens recordings here. Verifying needs none of it: it only lets more be said.
fn own_identities(context: &Context) -> Identities {
    context.identities(&KeyArgs::default()).unwrap_or_else(|failure| {
        note(&format!("{}; whether recordings were imported is not told", failure.message));
        Identities::new()
    })
}

fn verified(evidence: &Evidence, imported: Option<String>) -> Verified {
    let bytes = evidence.segments().map(|(_, segment)| segment.bytes).sum();
    let (judgement, chain) = (evidence.judgement.clone(), evidence.chain);
    Verified { file: None, trailing: false, judgement, chain, bytes, imported }
}

impl Reporter<'_> {
    fn session(&mut self, verified: &Verified) -> Outcome<()> {
        let Verified { judgement, chain, .. } = verified;
        let standing = chain.and_then(|chain| self.standings.get(&chain));
        let complete = judgement.verdict == Verdict::Complete;
        let ok = is_ok(verified, standing) && (complete || !self.strict);
        self.counts.all += 1;
        if ok {
            *self.counts.words.entry(judgement.verdict.word()).or_default() += 1;
        } else {
            self.counts.failed += 1;
        }
        if self.json {
            writeln!(self.out, "{}", json_line(&document(verified, standing, ok)))?;
        } else {
            text(&mut self.out, verified, standing)?;
        }
        self.out.flush()?;
        Ok(())
    }

    /// Chains that cannot be followed to their end. One that nobody knows and of which nothing verifies is only
    /// noise: anyone who can write to the store can put it there.
    fn chains(&mut self, chains: &Chains) -> Outcome<bool> {
        let mut failed = false;
        for chain in chains.iter() {
            let known = !chain.entries.is_empty();
            failed |= known && !chain.problems.is_empty();
            let problems = chain.problems.iter().map(|e| (if known { "fault" } else { "note" }, e.to_string()));
            let notes = chain.notes.iter().map(|note| ("note", note.clone()));
            for (kind, what) in problems.chain(notes) {
                if self.json {
                    writeln!(self.out, "{}", json_line(&json!({"chain": chain.id, kind: what})))?;
                } else {
                    writeln!(self.out, "chain {}  {kind}: {}", chain.id.short(), safe(&what))?;
                }
            }
        }
        Ok(failed)
    }

    fn rollback(&mut self, rollback: &Rollback) -> Outcome<()> {
        if self.json {
            let Rollback { chain, host, seq } = rollback;
            let line =
                json!({"chain": chain, "host": host, "fault": "rolled-back", "seq": seq, "text": rollback.to_string()});
            writeln!(self.out, "{}", json_line(&line))?;
        } else {
            writeln!(self.out, "{}", safe(&rollback.to_string()))?;
        }
        Ok(())
    }

    fn foreign(&mut self, foreign: &hansard_sinks::Foreign) -> Outcome<()> {
        if self.json {
            writeln!(self.out, "{}", json_line(&json!({"foreign": foreign.key, "why": foreign.why})))?;
        } else {
            writeln!(self.out, "not part of any recording: {}: {}", safe(&foreign.key), safe(&foreign.why))?;
        }
        Ok(())
    }

    fn summary(&mut self) -> Outcome<()> {
        let Counts { words, failed, all } = &self.counts;
        if self.json {
            writeln!(
                self.out,
                "{}",
                json_line(&json!({"summary": {"sessions": all, "fine": words, "failed": failed}}))
            )?;
        } else {
            let mut parts: Vec<String> = words.iter().map(|(word, n)| format!("{n} {word}")).collect();
            if *failed > 0 {
                parts.push(format!("{failed} FAILED"));
            }
            let noun = if *all == 1 { "session" } else { "sessions" };
            let sum = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) };
            writeln!(self.out, "{all} {noun}{sum}")?;
        }
        self.out.flush()?;
        Ok(())
    }
}

fn is_ok(verified: &Verified, standing: Option<&Standing>) -> bool {
    let second = matches!(standing, Some(Standing::Second { .. }));
    verified.judgement.ok() && !second && !verified.trailing
}

/// The document that `--json` prints of a session, as a line.
pub(super) fn report(evidence: &Evidence, standing: Option<&Standing>, imported: Option<String>) -> String {
    let verified = verified(evidence, imported);
    format!("{}\n", json_line(&document(&verified, standing, is_ok(&verified, standing))))
}

const TRAILING: &str = "trailing data: something follows the last segment";

fn text(out: &mut impl Write, verified: &Verified, standing: Option<&Standing>) -> io::Result<()> {
    let Verified { file, judgement, chain, .. } = verified;
    let file = file.as_ref().map(|file| format!("{}  ", safe(file))).unwrap_or_default();
    write!(out, "{file}{}  {}", judgement.session, safe(&judgement.verdict.to_string()))?;
    if let Some(chain) = chain {
        write!(out, "  chain {}", chain.short())?;
    }
    if let Some(host) = &judgement.host {
        write!(out, "  host {}", safe(host))?;
    }
    if let Some(uid) = judgement.uid {
        write!(out, "  self-attested by uid {uid}")?;
    }
    match standing.map_or("", Standing::mark) {
        "" => writeln!(out)?,
        mark => writeln!(out, "  {mark}")?,
    }
    if let Some(time) = judgement.unwitnessed_from {
        writeln!(out, "    unwitnessed from {time}")?;
    }
    if let Some(Standing::Second { host, other }) = standing {
        writeln!(out, "    second chain: {} is known with chain {other}; see `keys trust`", safe(host))?;
    }
    if verified.trailing {
        writeln!(out, "    {TRAILING}")?;
    }
    for fault in &judgement.faults {
        writeln!(out, "    {}", safe(&fault.to_string()))?;
    }
    for fault in &judgement.chain_faults {
        writeln!(out, "    after its end: {}", safe(&fault.to_string()))?;
    }
    for note in judgement.notes.iter().chain(&verified.imported) {
        writeln!(out, "    note: {}", safe(note))?;
    }
    Ok(())
}

fn document(verified: &Verified, standing: Option<&Standing>, ok: bool) -> serde_json::Value {
    let Verified { file, judgement, chain, bytes, trailing, imported } = verified;
    let faults = |faults: &[hansard_schemas::verdict::Fault]| -> Vec<serde_json::Value> {
        faults.iter().map(|fault| json!({"fault": fault.word(), "text": fault.to_string()})).collect()
    };
    json!({
        "session": judgement.session,
        "file": file,
        "ok": ok,
        "verdict": judgement.verdict.word(),
        "text": judgement.verdict.to_string(),
        "faults": faults(&judgement.faults),
        "trailing_data": trailing,
        "chain_faults": faults(&judgement.chain_faults),
        "notes": judgement.notes,
        "imported": imported,
        "settled": judgement.settled,
        "unwitnessed_from": judgement.unwitnessed_from,
        "outcome": judgement.outcome,
        "last_segment": judgement.last_segment,
        "bytes": bytes,
        "chain": chain,
        "standing": standing.map(Standing::word),
        "host": judgement.host,
        "uid": judgement.uid,
    })
}
