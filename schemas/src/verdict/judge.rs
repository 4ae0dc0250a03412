//! The verdict: what the segments show, held against what the chain says.

use std::collections::BTreeSet;

use super::evidence::Evidence;
use super::line::Line;
use super::report::{Fault, Judgement, Verdict};
use super::{SegmentFact, embedded, still_counts};
use crate::chain::Chain;
use crate::segment::TrailerKind;
use crate::{SessionId, Timestamp};

/// How many missing segments are named one by one.
const MISSING_NAMED: usize = 1000;

/// Judges one session by its objects and its host's chain (FORMAT.md, section 8). `now` is the reviewer's clock.
pub fn judge(session: SessionId, facts: &[SegmentFact], chain: Option<&Chain>, now: Timestamp) -> Judgement {
    // A chain of which nothing is there is no chain.
    let chain = chain.filter(|chain| !chain.entries.is_empty() || !chain.problems.is_empty());
    let evidence = chain.map(|chain| Evidence::gather(chain, session));
    let line = Line::follow(session, facts, evidence.as_ref());
    let case = Case { session, facts, evidence: evidence.as_ref(), line: &line, now };
    case.judge()
}

struct Case<'a> {
    session: SessionId,
    facts: &'a [SegmentFact],
    evidence: Option<&'a Evidence<'a>>,
    line: &'a Line<'a>,
    now: Timestamp,
}

impl Case<'_> {
    fn judge(&self) -> Judgement {
        let mut faults = self.line.faults.clone();
        let mut notes = self.line.notes.clone();
        self.judge_bad(&mut faults, &mut notes);
        self.judge_missing(&mut faults, &mut notes);
        self.judge_end(&mut faults);
        let chain_faults = self.judge_chain(&mut faults);
        let verdict = self.verdict(&faults);
        let settled = match verdict {
            Verdict::RecoveredAt { .. } if !self.evidence.is_some_and(Evidence::decided) => {
                let open = self.open_as_of();
                notes.push(match open {
                    Some(time) => format!("the session went on after the recovered segment, and was open as of {time}"),
                    None => "the session went on after the recovered segment, and nothing says how it ended".into(),
                });
                open.is_some()
            }
            _ => true,
        };
        let recovered = |summary: &&super::Summary| matches!(summary.trailer, TrailerKind::Recovered(_));
        let unwitnessed = self.line.good.values().map(|(_, summary)| *summary).find(recovered);
        let start = self.evidence.and_then(|evidence| evidence.start);
        let host = self.evidence.and_then(|evidence| evidence.chain.host());
        Judgement {
            session: self.session,
            verdict,
            faults,
            chain_faults,
            notes,
            parts: self.line.good.values().map(|(at, _)| *at).collect(),
            last_segment: self.highest(),
            unwitnessed_from: unwitnessed.map(|summary| summary.header.start),
            outcome: self.evidence.and_then(|evidence| evidence.end).map(|end| end.outcome.to_owned()),
            identity: start.map(|start| start.identity),
            host: host.map(|(host, _)| host.to_owned()),
            uid: host.map(|(_, uid)| uid),
            settled,
        }
    }

    /// The highest segment that is there.
    fn highest(&self) -> Option<u32> {
        self.line.good.keys().next_back().copied()
    }

    /// The number after which the session has no segment, where that is known.
    fn last(&self) -> Option<u32> {
        let end = self.evidence.and_then(|evidence| evidence.end).map(|end| end.segment);
        let recovered = self.evidence.and_then(Evidence::last_recovered).map(|closing| closing.segment);
        let signed =
            self.line.good.iter().filter_map(|(number, (_, summary))| is_last(summary).then_some(*number)).min();
        [end, recovered, signed].into_iter().flatten().max()
    }

    /// Objects that are not the segment they claim to be; after the end of a session they are a stranger's.
    fn judge_bad(&self, faults: &mut Vec<Fault>, notes: &mut Vec<String>) {
        let last = self.last();
        for (number, fault) in &self.line.bad {
            match last {
                Some(last) if *number > last => notes.push(format!("after the last segment {last}: {fault}")),
                _ => faults.push(fault.clone()),
            }
        }
    }

    fn judge_missing(&self, faults: &mut Vec<Fault>, notes: &mut Vec<String>) {
        if self.facts.is_empty() {
            if !self.nothing_is_due() {
                faults.push(Fault::SessionMissing);
            }
            return;
        }
        let named = self.evidence.and_then(Evidence::named);
        let Some(highest) = named.max(self.highest()) else { return };
        let claimed: BTreeSet<u32> = self.facts.iter().map(|fact| fact.number).collect();
        let unstored = |number: &u32| {
            self.evidence.and_then(|evidence| evidence.recovered.get(number)).is_some_and(|closing| !closing.stored)
        };
        let is_there = |n: &u32| self.line.good.contains_key(n) || claimed.contains(n) || unstored(n);
        let mut missing = (0..=highest).filter(|number| !is_there(number));
        faults.extend(missing.by_ref().take(MISSING_NAMED).map(Fault::Missing));
        let more = missing.count();
        if more > 0 {
            notes.push(format!("{more} more segments are missing"));
        }
    }

    /// Whether a session may well have no segment in the store.
    fn nothing_is_due(&self) -> bool {
        let Some(evidence) = self.evidence else { return false };
        evidence.named().is_none() && (self.running().is_some() || evidence.recovered.contains_key(&0))
    }

    /// The segment that `end` names must say that it is the last.
    fn judge_end(&self, faults: &mut Vec<Fault>) {
        let Some(end) = self.evidence.and_then(|evidence| evidence.end) else { return };
        if let Some((at, summary)) = self.line.good.get(&end.segment)
            && !is_last(summary)
        {
            let why = format!("chain entry {} ends the session with it, and it is not the last", end.seq);
            let object = self.facts[*at].object.clone();
            faults.push(Fault::Altered { segment: Some(end.segment), object, why });
        }
    }

    /// Faults of the chain: with those of the session where they may hide something of it, else apart.
    fn judge_chain(&self, faults: &mut Vec<Fault>) -> Vec<Fault> {
        let Some(evidence) = self.evidence else {
            faults.push(Fault::ChainMissing);
            return Vec::new();
        };
        let end = evidence.chain.entries.len() as u64;
        let mut broken: Vec<Fault> = evidence.chain.problems.iter().map(|error| Fault::of_chain(error, end)).collect();
        if let (Some(seq), true) = (self.line.beyond_chain, broken.is_empty()) {
            let why = format!("a segment carries entry {seq}, and the chain ends before it");
            broken.push(Fault::ChainBroken { seq: end, why });
        }
        if evidence.start.is_none() && broken.is_empty() {
            broken.push(Fault::ChainBroken { seq: end, why: "the chain does not know the session".into() });
        }
        let mut apart = evidence.lies.clone();
        if evidence.decided() {
            apart.extend(broken);
        } else {
            faults.extend(broken);
        }
        apart
    }

    fn verdict(&self, faults: &[Fault]) -> Verdict {
        let highest = self.highest();
        let whole = self.line.good.len() as u64 == highest.map_or(0, |last| u64::from(last) + 1)
            && self.line.good.values().next_back().is_some_and(|(_, summary)| is_last(summary))
            && self.line.good.values().all(|(_, summary)| matches!(summary.trailer, TrailerKind::Signed(_)));
        let end = self.evidence.and_then(|evidence| evidence.end);
        if whole && let Some(end) = end {
            // That its digest is the one of the entry was a condition of its being chosen.
            if Some(end.segment) == highest && faults.is_empty() {
                return Verdict::Complete;
            }
        }
        if whole && end.is_none() && faults.iter().all(Fault::is_of_chain) {
            return Verdict::CompleteEndNotWitnessed;
        }
        let named = self.evidence.and_then(Evidence::named);
        if named > highest {
            return Verdict::CutAfter(highest);
        }
        let since = self.newest();
        let signed_last = self.line.good.values().next_back().is_some_and(|(_, summary)| is_last(summary));
        let otherwise = if end.is_some() || signed_last { Verdict::NotWhole } else { Verdict::SilentSince(since) };
        let Some(evidence) = self.evidence else { return otherwise };
        if let Some(time) = self.running() {
            return Verdict::RunningAsOf(time);
        }
        if let Some((segment, _)) = evidence.recovered.first_key_value() {
            let unwitnessed_from = self.line.good.get(segment).map(|(_, summary)| summary.header.start);
            return Verdict::RecoveredAt { segment: *segment, unwitnessed_from };
        }
        if end.is_none() && evidence.left {
            return Verdict::Interrupted { since };
        }
        otherwise
    }

    /// When the chain last saw it open, if that is not long ago and nothing came between (VER-1).
    fn running(&self) -> Option<Timestamp> {
        self.evidence.is_some_and(|evidence| evidence.recovered.is_empty()).then(|| self.open_as_of())?
    }

    /// The same, of a session that may have gone on after a recovered segment too (VER-7).
    fn open_as_of(&self) -> Option<Timestamp> {
        let evidence = self.evidence?;
        let start = evidence.start?;
        if evidence.decided() || evidence.left {
            return None;
        }
        let listed = match evidence.checkpoint {
            Some((time, true)) => time,
            Some((_, false)) => return None,
            None => start.entry.time,
        };
        let went_on = evidence.recovered.values().filter(|closing| closing.continues.is_some());
        let seen = went_on.map(|closing| closing.entry.time).max().map_or(listed, |time| listed.max(time));
        still_counts(seen, self.now).then_some(seen)
    }

    /// Time of the newest entry that names the session; without a chain, of what comes nearest to one.
    fn newest(&self) -> Timestamp {
        let chain = self.evidence.and_then(|evidence| evidence.newest);
        let segment = || {
            let newest = self.line.good.values().next_back().map(|(_, summary)| summary.header.start);
            let start = self.line.good.get(&0).and_then(|(_, summary)| embedded(summary)).map(|entry| entry.time);
            newest.max(start)
        };
        chain.or_else(segment).unwrap_or_else(|| Timestamp::new(self.session.time()))
    }
}

fn is_last(summary: &super::Summary) -> bool {
    matches!(&summary.trailer, TrailerKind::Signed(trailer) if trailer.last)
}
