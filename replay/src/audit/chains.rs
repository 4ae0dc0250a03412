//! The chains by themselves: whole, known, and with a clock that goes one way.

use hansard_schemas::chain::{Chain, Kind};
use hansard_schemas::{Error, Outcome, Timestamp};

use super::{About, Facts, Finding, shown};
use crate::known::Standing;

/// A clock that goes back by less is being set right by its network, and says nothing wrong.
const STEP_MS: i64 = 2_000;

/// An entry so far ahead of the auditor's clock was not written when it says.
const AHEAD_MS: i64 = 300_000;

/// With a session open, a checkpoint comes every minute (CHAIN-3): after so long without one the recorder was not there.
const SILENT_MS: i64 = 600_000;

pub(super) fn reconcile(facts: &Facts, found: &mut Vec<Finding>) {
    for chain in facts.chains.iter() {
        let host = chain.host().map(|(host, _)| host);
        if facts.wants(host) {
            let mut about = About::new(found, host, shown(chain.id));
            whole(chain, &mut about);
            known(facts, chain, &mut about);
            clock(facts, chain, &mut about);
        }
    }
    for rollback in &facts.seen.rollbacks {
        if facts.wants(Some(&rollback.host)) {
            About::new(found, Some(&rollback.host), shown(rollback.chain)).defect(
                "rolled-back",
                None,
                rollback.to_string(),
            );
        }
    }
    for foreign in &facts.foreign {
        About::new(found, None, None).notice("foreign-object", None, format!("{}: {}", foreign.key, foreign.why));
    }
}

fn whole(chain: &Chain, about: &mut About<'_>) {
    for problem in &chain.problems {
        // Anybody who can write to a store can put a chain there of which nothing verifies.
        if chain.entries.is_empty() {
            about.notice("chain-unusable", None, problem.to_string());
            continue;
        }
        about.defect(word(problem), None, problem.to_string());
    }
    for note in &chain.notes {
        about.notice("chain-object-strange", None, note.clone());
    }
}

fn word(problem: &Error) -> &'static str {
    match problem.outcome() {
        Outcome::Fork => "chain-fork",
        Outcome::ChainBroken => "chain-broken",
        _ => "chain-damaged",
    }
}

fn known(facts: &Facts, chain: &Chain, about: &mut About<'_>) {
    if chain.entries.is_empty() {
        return;
    }
    match facts.seen.standings.get(&chain.id) {
        Some(Standing::Pinned) | None => {}
        Some(Standing::Unpinned { .. }) => {
            about.defect(
                "unknown-chain",
                None,
                "nobody has pinned this chain: compare it with the host's own, then `keys trust`",
            );
        }
        Some(Standing::Second { host, other }) => {
            about.defect("second-chain", None, format!("it claims to be host {host}, and so does chain {other}"));
        }
    }
}

fn clock(facts: &Facts, chain: &Chain, about: &mut About<'_>) {
    let (mut open, mut last): (usize, Option<Timestamp>) = (0, None);
    for entry in &chain.entries {
        let in_range = facts.range.from.is_none_or(|from| entry.time.time() >= from)
            && facts.range.until.is_none_or(|until| entry.time.time() < until);
        let since_ms = last.map_or(0, |last| entry.time.unix_ms() - last.unix_ms());
        if in_range && since_ms < -STEP_MS {
            let back = seconds(-since_ms);
            about.defect(
                "clock-step",
                None,
                format!("entry {} is {back} before the one before it: at {}", entry.seq, entry.time),
            );
        }
        let ahead_ms = entry.time.unix_ms() - facts.now.unix_ms();
        if ahead_ms > AHEAD_MS && last.is_none_or(|last| last.unix_ms() - facts.now.unix_ms() <= AHEAD_MS) {
            about.defect(
                "future",
                None,
                format!("entry {} is of {}, which is {} from now", entry.seq, entry.time, seconds(ahead_ms)),
            );
        }
        if in_range && open > 0 && since_ms > SILENT_MS {
            let text =
                format!("with {open} sessions open nothing was said for {}, until {}", seconds(since_ms), entry.time);
            about.notice("host-silent", None, text);
        }
        match &entry.kind {
            Kind::Start { .. } => open += 1,
            Kind::End { .. } | Kind::Recovered { continues: None, .. } => open = open.saturating_sub(1),
            Kind::Checkpoint { open: listed, part: None } => open = listed.len(),
            Kind::Close => open = 0,
            _ => {}
        }
        last = Some(entry.time);
    }
}

fn seconds(ms: i64) -> String {
    match ms / 1000 {
        s @ 0..120 => format!("{s} s"),
        s @ 120..7200 => format!("{} min", s / 60),
        s => format!("{} h", s / 3600),
    }
}
