//! What the host chain says of one session.
//!
//! The first statement of a kind counts. One that comes later and contradicts it was signed by somebody who had the
//! chain's later keys and not the earlier ones; it is a fault of the chain, and changes nothing.

use std::collections::BTreeMap;

use super::report::Fault;
use crate::chain::{Chain, Entry, Kind};
use crate::{Digest, PublicKey, SessionId, Timestamp};

/// The entries that matter for one session, in the order of the chain.
#[derive(Debug)]
pub(super) struct Evidence<'c> {
    pub chain: &'c Chain,
    pub start: Option<Start<'c>>,
    pub end: Option<End<'c>>,
    /// Entries `recovered` that REC-1 admits as far as the chain goes, by segment.
    pub recovered: BTreeMap<u32, Recovered<'c>>,
    /// Those that it does not admit, and why.
    pub refused: Vec<(Recovered<'c>, String)>,
    /// Digests that signed entries give for a segment.
    pub witnessed: BTreeMap<u32, (u64, Digest)>,
    /// Statements that contradict earlier ones.
    pub lies: Vec<Fault>,
    /// The newest checkpoint after the start, and whether the session is in it.
    pub checkpoint: Option<(Timestamp, bool)>,
    /// Whether the host went on without the session: another boot, or a checkpoint that omits it.
    pub left: bool,
    /// Time of the newest entry that names the session.
    pub newest: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Start<'c> {
    pub entry: &'c Entry,
    pub identity: Digest,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct End<'c> {
    pub seq: u64,
    pub segment: u32,
    pub outcome: &'c str,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Recovered<'c> {
    pub entry: &'c Entry,
    pub segment: u32,
    /// Whether a segment was kept at all.
    pub stored: bool,
    pub head: Option<Digest>,
    pub continues: Option<PublicKey>,
}

impl<'c> Evidence<'c> {
    pub fn gather(chain: &'c Chain, session: SessionId) -> Self {
        let mut evidence = Self {
            chain,
            start: None,
            end: None,
            recovered: BTreeMap::new(),
            refused: Vec::new(),
            witnessed: BTreeMap::new(),
            lies: Vec::new(),
            checkpoint: None,
            left: false,
            newest: None,
        };
        let mut closings: Vec<Recovered<'_>> = Vec::new();
        let mut ends = Vec::new();
        let mut heads = Vec::new();
        // The first entry that leaves no room for a later segment.
        let mut closed: Option<&Entry> = None;
        for entry in &chain.entries {
            if evidence.start.is_some_and(|start| start.entry.boot != entry.boot) {
                evidence.left = true;
            }
            let named = match &entry.kind {
                Kind::Start { session: of, identity, .. } if *of == session => evidence.starts(entry, *identity),
                Kind::End { session: of, segment, digest, outcome } if *of == session => {
                    ends.push((entry.seq, *segment));
                    let after =
                        closings.iter().find(|closing| closing.continues.is_none() && closing.segment < *segment);
                    closed = closed.or(Some(entry));
                    evidence.ends(entry, *segment, *digest, outcome, after)
                }
                Kind::Recovered { session: of, segment, kept, head, continues, .. } if *of == session => {
                    let (stored, head, continues) = (kept.is_some(), *head, *continues);
                    closed = closed.or(continues.is_none().then_some(entry));
                    closings.push(Recovered { entry, segment: *segment, stored, head, continues });
                    true
                }
                Kind::Checkpoint { .. } if evidence.start.is_some() => {
                    // One that is about other sessions says nothing of this one (CHAIN-8).
                    let Some(head) = entry.kind.lists(session) else { continue };
                    if let (Some(closed), Some(_)) = (closed, head) {
                        let why = format!("a session is listed as open that entry {} had closed", closed.seq);
                        evidence.lies.push(Fault::FalseStatement { seq: entry.seq, why });
                        continue;
                    }
                    evidence.checkpoint = Some((entry.time, head.is_some()));
                    match head.map(|head| (head.segment, head.digest)) {
                        // An end makes it leave the list; whether there is one is asked by whoever reads `left`.
                        None => evidence.left = true,
                        Some((Some(segment), Some(digest))) => {
                            heads.push((entry.seq, segment));
                            evidence.witness(entry, segment, digest);
                        }
                        Some(_) => {}
                    }
                    head.is_some()
                }
                _ => false,
            };
            if named {
                evidence.newest = Some(entry.time);
            }
        }
        evidence.admit(closings, &ends, &heads);
        evidence
    }

    fn starts(&mut self, entry: &'c Entry, identity: Digest) -> bool {
        if let Some(start) = self.start {
            let why = format!("the session had started at entry {}", start.entry.seq);
            self.lies.push(Fault::FalseStatement { seq: entry.seq, why });
            return false;
        }
        self.start = Some(Start { entry, identity });
        true
    }

    fn ends(
        &mut self,
        entry: &'c Entry,
        segment: u32,
        digest: Digest,
        outcome: &'c str,
        after: Option<&Recovered<'c>>,
    ) -> bool {
        let why = match (self.start, self.end, after) {
            (None, ..) => "it ends a session that had not started".into(),
            (_, Some(end), _) => format!("the session had ended at entry {}", end.seq),
            (.., Some(closing)) => {
                format!("the session was recovered at entry {}, and did not go on", closing.entry.seq)
            }
            _ => {
                self.end = Some(End { seq: entry.seq, segment, outcome });
                self.witness(entry, segment, digest);
                return true;
            }
        };
        self.lies.push(Fault::FalseStatement { seq: entry.seq, why });
        false
    }

    fn witness(&mut self, entry: &Entry, segment: u32, digest: Digest) {
        let (seq, first) = *self.witnessed.entry(segment).or_insert((entry.seq, digest));
        if first != digest {
            let why = format!("segment {segment} is another one at entry {seq}");
            self.lies.push(Fault::FalseStatement { seq: entry.seq, why });
        }
    }

    /// REC-1, as far as the chain alone decides it.
    fn admit(&mut self, closings: Vec<Recovered<'c>>, ends: &[(u64, u32)], heads: &[(u64, u32)]) {
        for closing in &closings {
            let (seq, number) = (closing.entry.seq, closing.segment);
            // An end with a higher number that comes later is the end of a session that went on.
            let end = ends.iter().find(|(at, segment)| *segment <= number || *at < seq);
            // So is a later checkpoint with a higher head.
            let head = heads.iter().find(|(at, segment)| *at < seq && *segment >= number);
            let other = closings.iter().find(|other| other.segment == number && other.entry.seq != seq);
            // Several are recovered in order, and none after the last.
            let after = closings.iter().find(|other| {
                other.entry.seq < seq
                    && (other.segment > number || (other.segment < number && other.continues.is_none()))
            });
            let why = if self.start.is_none_or(|start| start.entry.seq > seq) {
                "it recovers a session that had not started".to_owned()
            } else if let Some((at, _)) = end {
                format!("segment {number} recovered, but entry {at} ends the session")
            } else if let Some((at, segment)) = head {
                format!("segment {number} recovered, but entry {at} has segment {segment} closed")
            } else if let Some(other) = other {
                format!("segment {number} recovered, and again at entry {}", other.entry.seq)
            } else if let Some(other) = after {
                format!("segment {number} recovered, but entry {} recovers the session to its end", other.entry.seq)
            } else {
                self.recovered.insert(number, *closing);
                continue;
            };
            self.lies.push(Fault::FalseStatement { seq, why: why.clone() });
            self.refused.push((*closing, why));
        }
        // The digest of segment - 1 that an admitted entry gives.
        let witnessed: Vec<_> =
            self.recovered.values().filter_map(|r| Some((r.entry, r.segment.checked_sub(1)?, r.head?))).collect();
        for (entry, segment, head) in witnessed {
            self.witness(entry, segment, head);
        }
    }

    /// The highest segment that a signed statement says must be stored.
    pub fn named(&self) -> Option<u32> {
        let recovered = self.recovered.values().filter_map(|closing| match closing.stored {
            true => Some(closing.segment),
            false => closing.segment.checked_sub(1),
        });
        self.witnessed.keys().copied().chain(recovered).chain(self.end.map(|end| end.segment)).max()
    }

    /// The recovered segment after which nothing can come: the highest one, if the session did not go on.
    pub fn last_recovered(&self) -> Option<&Recovered<'c>> {
        self.recovered.values().next_back().filter(|closing| closing.continues.is_none())
    }

    /// Whether the chain says how the session ended, so that what comes later in the chain cannot change it.
    pub fn decided(&self) -> bool {
        self.end.is_some() || self.last_recovered().is_some()
    }

    /// Why a `recovered` entry closes nothing.
    pub fn why_refused(&self, entry: &Entry) -> Option<&str> {
        self.refused.iter().find(|(closing, _)| closing.entry.digest == entry.digest).map(|(_, why)| why.as_str())
    }
}
