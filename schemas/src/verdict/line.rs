//! How the segments of a session hang together: each is signed by the key that the one before announced, and names
//! the digest of the one before.
//!
//! For every number at most one object is chosen. What does not fit is bad; where another object of that number
//! fits, it is only mentioned, so that whoever can merely add objects to a store changes nothing.

use std::collections::BTreeMap;

use super::evidence::{Evidence, Recovered};
use super::report::Fault;
use super::{SegmentFact, Summary, embedded};
use crate::chain::Kind;
use crate::segment::{KeysState, TrailerKind};
use crate::{Digest, PublicKey, SessionId};

/// The segments that were chosen, and what was wrong with the others.
#[derive(Debug, Default)]
pub(super) struct Line<'f> {
    /// By number: place in the list of facts, and what it says.
    pub good: BTreeMap<u32, (usize, &'f Summary)>,
    /// Faults of objects, by the number that they claim; there is no good one of that number.
    pub bad: Vec<(u32, Fault)>,
    /// Faults of good ones.
    pub faults: Vec<Fault>,
    /// Bad objects beside a good one.
    pub notes: Vec<String>,
    /// The chain, as far as it is there, ends before an entry that a good segment carries.
    pub beyond_chain: Option<u64>,
}

/// What is known of the segment before.
enum Before {
    /// Nothing is before segment 0.
    Nothing,
    /// It is there, or the chain says what it would have been.
    Known(Known),
    /// It is not there.
    Unknown,
    /// The session ended with an earlier one.
    Ended(u32),
}

/// What the segment before says of this one.
struct Known {
    number: u32,
    next: PublicKey,
    /// Its digest; none where nothing of it could be kept.
    digest: Option<Digest>,
    /// The digest of the highest segment that is stored, this one or one before it.
    stored: Option<Digest>,
    /// The place of that in the key schedule.
    place: Option<Place>,
}

impl Before {
    /// After a segment that is there.
    fn after(summary: &Summary, next: Option<PublicKey>) -> Self {
        let (number, digest) = (summary.header.segment, Some(summary.digest));
        let place = Some(Place::of(summary));
        next.map_or(Self::Ended(number), |next| Self::Known(Known { number, next, digest, stored: digest, place }))
    }

    /// After a segment of which nothing could be kept: it still announces the next one.
    fn after_nothing(self, closing: &Recovered<'_>) -> Self {
        let number = closing.segment;
        let Some(next) = closing.continues else { return Self::Ended(number) };
        let known = |stored, place| Self::Known(Known { number, next, digest: None, stored, place });
        match self {
            Self::Nothing => known(None, None),
            Self::Known(Known { stored, place, .. }) => known(stored, place),
            // The entry witnesses what is not there.
            Self::Unknown if closing.head.is_some() => known(closing.head, None),
            other => other,
        }
    }

    /// What is before `number`, of which the one before was met last if `adjacent`.
    fn of(self, number: u32, adjacent: bool, evidence: Option<&Evidence<'_>>) -> Self {
        let end = evidence.and_then(|evidence| evidence.end).map(|end| end.segment);
        match (self, end) {
            (Self::Ended(last), _) => Self::Ended(last),
            (_, Some(end)) if end < number => Self::Ended(end),
            (before, _) if adjacent => before,
            _ => Self::Unknown,
        }
    }
}

/// Place in the key schedule.
#[derive(Clone, Copy)]
struct Place {
    epoch: u32,
    index: u32,
    keys: Digest,
}

impl Place {
    fn of(summary: &Summary) -> Self {
        let header = &summary.header;
        Self { epoch: header.epoch, index: header.index, keys: header.keys }
    }
}

impl<'f> Line<'f> {
    pub fn follow(session: SessionId, facts: &'f [SegmentFact], evidence: Option<&Evidence<'_>>) -> Self {
        let mut line = Self::default();
        let mut objects: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (at, fact) in facts.iter().enumerate() {
            objects.entry(fact.number).or_default().push(at);
        }
        // Numbers at which something is, or would be: between them nothing changes but that a gap is met.
        let unstored = evidence.into_iter().flat_map(|evidence| evidence.recovered.keys().copied());
        let mut numbers: Vec<u32> = objects.keys().copied().chain(unstored).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let mut before = Before::Nothing;
        let mut due = 0;
        for number in numbers {
            before = before.of(number, number == due, evidence);
            due = number.saturating_add(1);
            let (good, bad): (Vec<_>, Vec<_>) = objects
                .get(&number)
                .into_iter()
                .flatten()
                .map(|at| (*at, line.examine(session, number, &facts[*at], &before, evidence)))
                .partition(|(_, result)| result.is_ok());
            let good = good.into_iter().filter_map(|(at, result)| Some((at, result.ok()?))).collect();
            let bad = bad.into_iter().filter_map(|(_, result)| result.err()).collect();
            before = match line.choose(number, facts, good, bad) {
                Some(after) => after,
                None => match evidence.and_then(|evidence| evidence.recovered.get(&number)) {
                    _ if matches!(before, Before::Ended(_)) => before,
                    Some(closing) if !closing.stored => before.after_nothing(closing),
                    _ => Before::Unknown,
                },
            };
        }
        line
    }

    /// Chooses the segment of this number, and says what it announces.
    fn choose(
        &mut self,
        number: u32,
        facts: &[SegmentFact],
        mut good: Vec<(usize, &'f Summary)>,
        mut bad: Vec<Fault>,
    ) -> Option<Before> {
        // REC-1: a closed segment of that number exists.
        if good.iter().any(|(_, summary)| matches!(summary.trailer, TrailerKind::Signed(_))) {
            good.retain(|(at, summary)| {
                let signed = matches!(summary.trailer, TrailerKind::Signed(_));
                if !signed {
                    let why = "recovered, but a closed segment of this number exists";
                    bad.push(altered(number, &facts[*at].object, why));
                }
                signed
            });
        }
        // Of two copies, the one that can be opened.
        good.sort_by_key(|(at, summary)| (summary.digest, summary.keys_state != KeysState::Ok, *at));
        good.dedup_by_key(|(_, summary)| summary.digest);
        if good.len() > 1 {
            self.faults.push(Fault::Equivocation(number));
        }
        let Some((at, summary)) = good.first().copied() else {
            self.bad.extend(bad.into_iter().map(|fault| (number, fault)));
            return None;
        };
        self.notes.extend(bad.iter().map(|fault| format!("beside a valid segment {number}: {fault}")));
        if summary.keys_state == KeysState::Erased {
            self.faults.push(Fault::Erased(number));
        }
        self.good.insert(number, (at, summary));
        let next = match &summary.trailer {
            TrailerKind::Signed(trailer) => trailer.next,
            TrailerKind::Recovered(entry) => match &entry.kind {
                Kind::Recovered { continues, .. } => *continues,
                _ => None,
            },
        };
        Some(Before::after(summary, next))
    }

    /// Whether an object is the segment of this number.
    fn examine(
        &mut self,
        session: SessionId,
        number: u32,
        fact: &'f SegmentFact,
        before: &Before,
        evidence: Option<&Evidence<'_>>,
    ) -> Result<&'f Summary, Fault> {
        let altered = |why: &str| altered(number, &fact.object, why);
        let summary = fact.result.as_ref().map_err(|error| altered(&error.to_string()))?;
        let header = &summary.header;
        if header.session != session {
            return Err(altered(&format!("it is of session {}", header.session)));
        }
        if header.segment != number {
            return Err(Fault::OutOfOrder(number));
        }
        if summary.keys_state == KeysState::Altered {
            return Err(altered("its keys line is not the one that its header names"));
        }
        if number == 0 {
            self.begins(summary, evidence).map_err(|why| altered(&why))?;
        }
        follows(summary, before).map_err(|why| altered(&why))?;
        if let Some((seq, digest)) = evidence.and_then(|evidence| evidence.witnessed.get(&number))
            && *digest != summary.digest
        {
            return Err(altered(&format!("it is not the segment that chain entry {seq} names")));
        }
        if matches!(summary.trailer, TrailerKind::Recovered(_)) {
            self.is_recovered(summary, evidence).map_err(|why| altered(&why))?;
        }
        Ok(summary)
    }

    /// SEG-3 for segment 0: the `start` entry in its header, and the one in the chain.
    fn begins(&mut self, summary: &Summary, evidence: Option<&Evidence<'_>>) -> Result<(), String> {
        let entry = embedded(summary).ok_or("its header carries no start entry")?;
        let Kind::Start { session, signer, .. } = &entry.kind else {
            return Err("the entry in its header is none of a start".into());
        };
        if *session != summary.header.session || *signer != summary.header.signer {
            return Err("its signer is not the one that its start entry announced".into());
        }
        let Some(evidence) = evidence else { return Ok(()) };
        if entry.chain != evidence.chain.id {
            return Err("its start entry is of another chain".into());
        }
        match evidence.start {
            Some(start) if start.entry.digest == entry.digest => Ok(()),
            Some(start) => Err(format!("its start entry is not entry {} of the chain", start.entry.seq)),
            None if evidence.chain.get(entry.seq).is_some() => Err("its start entry is not in the chain".into()),
            None => {
                self.beyond(entry.seq);
                Ok(())
            }
        }
    }

    /// REC-1: the entry that closes it must be one that the chain holds and admits.
    fn is_recovered(&mut self, summary: &Summary, evidence: Option<&Evidence<'_>>) -> Result<(), String> {
        let TrailerKind::Recovered(entry) = &summary.trailer else { return Ok(()) };
        let Kind::Recovered { session, segment, blocks, kept, .. } = &entry.kind else {
            return Err("the entry that closes it is none of a recovery".into());
        };
        let header = &summary.header;
        let agrees = (*session, *segment, *blocks, *kept)
            == (header.session, header.segment, summary.blocks, Some(summary.kept));
        if !agrees {
            return Err("the entry that recovers it names other bytes".into());
        }
        // Without a chain nothing proves the entry, and nothing refutes it: the chain is missing, and that is said.
        let Some(evidence) = evidence else { return Ok(()) };
        if let Some(why) = evidence.why_refused(entry) {
            return Err(why.to_owned());
        }
        match evidence.recovered.get(segment) {
            Some(closing) if closing.entry.digest == entry.digest => Ok(()),
            Some(closing) => Err(format!("the chain recovers it otherwise, at entry {}", closing.entry.seq)),
            None if entry.chain == evidence.chain.id && evidence.chain.get(entry.seq).is_none() => {
                self.beyond(entry.seq);
                Ok(())
            }
            None => Err("the entry that recovers it is not in the chain".into()),
        }
    }

    fn beyond(&mut self, seq: u64) {
        self.beyond_chain = Some(self.beyond_chain.map_or(seq, |known| known.min(seq)));
    }
}

/// SEG-3, SEG-4 and `prev`.
fn follows(summary: &Summary, before: &Before) -> Result<(), String> {
    let (named, signed, what) = match &summary.trailer {
        TrailerKind::Signed(trailer) => (trailer.prev, true, "the digest in its trailer"),
        TrailerKind::Recovered(entry) => match &entry.kind {
            Kind::Recovered { head, .. } => (*head, false, "the head in the entry that recovers it"),
            _ => (None, false, "the entry that closes it"),
        },
    };
    let Known { number, next, digest, stored, place } = match before {
        Before::Unknown => return Ok(()),
        Before::Ended(last) => return Err(format!("segment {last} is the last")),
        Before::Nothing if named.is_some() => return Err(format!("{what} names a segment before the first")),
        Before::Nothing => return Ok(()),
        Before::Known(known) => known,
    };
    if *next != summary.header.signer {
        return Err(format!("its signer is not the one that segment {number} announced"));
    }
    // TRL-5: a trailer names the highest segment that is stored, an entry only the one right before.
    if named != if signed { *stored } else { *digest } {
        return Err(format!("{what} is not that of segment {number}"));
    }
    let Some(place) = place else { return Ok(()) };
    let here = Place::of(summary);
    if here.epoch < place.epoch || (here.epoch == place.epoch && here.index <= place.index) {
        return Err(format!("its place in the key schedule does not follow that of segment {number}"));
    }
    if here.epoch > place.epoch && here.keys == place.keys {
        return Err(format!("its epoch is new, its keys line is that of segment {number}"));
    }
    Ok(())
}

fn altered(number: u32, object: &str, why: &str) -> Fault {
    Fault::Altered { segment: Some(number), object: object.to_owned(), why: why.to_owned() }
}
