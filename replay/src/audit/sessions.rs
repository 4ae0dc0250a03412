//! Sessions: what the chains say of each, and what the store holds of it.

use std::collections::{BTreeMap, BTreeSet};

use hansard_schemas::chain::{Chain, Head, Kind};
use hansard_schemas::verdict::RUNNING_MS;
use hansard_schemas::{Digest, SessionId, Timestamp};
use hansard_sinks::{Part, SessionRef};

use super::{About, Facts, Finding, shown};

/// Between the time in a session's id and that of its `start` entry.
const START_MS: i64 = 60_000;

/// What a chain says of one session.
#[derive(Debug, Default)]
pub(super) struct Said {
    start: Option<Timestamp>,
    /// The newest entry that says that it is open.
    newest: Option<Timestamp>,
    /// A checkpoint after it left it out, or the host had another boot.
    dropped: bool,
    end: Option<(u32, Digest, Timestamp)>,
    recovered: Vec<(u32, u64)>,
    /// The last `recovered` entry lets nothing follow.
    over: Option<Timestamp>,
    /// Digests of closed segments that were signed in passing.
    heads: BTreeMap<u32, Digest>,
}

impl Said {
    /// When it was over, by the chain's word.
    pub(super) fn ended(&self) -> Option<Timestamp> {
        self.end.map(|(_, _, time)| time).or(self.over)
    }

    /// Whether the chain saw it start.
    pub(super) fn started(&self) -> bool {
        self.start.is_some()
    }
}

/// What a chain says of its sessions.
pub(super) type Sessions = BTreeMap<SessionId, Said>;

/// Goes through a chain once.
pub(super) fn said(chain: &Chain) -> Sessions {
    let mut all = Sessions::new();
    let mut open: BTreeSet<SessionId> = BTreeSet::new();
    let mut boot = None;
    for entry in &chain.entries {
        if boot.replace(entry.boot).is_some_and(|before| before != entry.boot) {
            open.iter().for_each(|session| all.entry(*session).or_default().dropped = true);
        }
        match &entry.kind {
            Kind::Start { session, .. } => {
                let said = all.entry(*session).or_default();
                (said.start, said.newest) = (Some(entry.time), Some(entry.time));
                open.insert(*session);
            }
            Kind::End { session, segment, digest, .. } => {
                all.entry(*session).or_default().end = Some((*segment, *digest, entry.time));
                open.remove(session);
            }
            Kind::Recovered { session, segment, blocks, continues, .. } => {
                let said = all.entry(*session).or_default();
                said.recovered.push((*segment, *blocks));
                match continues {
                    Some(_) => (said.newest, said.dropped) = (Some(entry.time), false),
                    None => {
                        said.over = Some(entry.time);
                        open.remove(session);
                    }
                }
            }
            Kind::Checkpoint { open: heads, part } => {
                let heads: BTreeMap<SessionId, &Head> = heads.iter().map(|head| (head.session, head)).collect();
                for session in open.iter().filter(|session| part.as_ref().is_none_or(|part| part.covers(**session))) {
                    let said = all.entry(*session).or_default();
                    let Some(head) = heads.get(session) else {
                        said.dropped = true;
                        continue;
                    };
                    (said.newest, said.dropped) = (Some(entry.time), false);
                    if let (Some(segment), Some(digest)) = (head.segment, head.digest) {
                        said.heads.insert(segment, digest);
                    }
                }
            }
            _ => {}
        }
    }
    all
}

pub(super) fn reconcile(facts: &Facts, chains: &[(&Chain, Sessions)], found: &mut Vec<Finding>) {
    let mut seen: BTreeSet<SessionRef> = BTreeSet::new();
    for (chain, sessions) in chains {
        let host = chain.host().map(|(host, _)| host);
        for (&session, said) in sessions {
            let name = SessionRef { session, chain16: chain.id.short() };
            seen.insert(name.clone());
            if facts.wants(host) && facts.range.contains(session) && said.started() {
                let parts = facts.stored.get(&name).map(Vec::as_slice).unwrap_or_default();
                one(facts, session, said, parts, &mut About::new(found, host, shown(chain.id)));
            }
        }
    }
    for (name, parts) in &facts.stored {
        if seen.contains(name) || parts.is_empty() {
            continue;
        }
        let chain = facts.chains.of(name);
        let host = chain.and_then(|chain| chain.host()).map(|(host, _)| host);
        if facts.wants(host) {
            let id = chain.map_or_else(|| name.chain16.clone(), |chain| chain.id.to_string());
            let mut about = About::new(found, host, Some(id));
            let count = parts.len();
            match chain.filter(|chain| !chain.entries.is_empty()) {
                Some(_) => about.defect(
                    "unwitnessed",
                    Some(name.session),
                    format!("{count} segments are stored, and its chain never saw it start"),
                ),
                None => about.defect(
                    "no-chain",
                    Some(name.session),
                    format!("{count} segments are stored, and of its chain nothing is there"),
                ),
            }
        }
    }
}

fn one(facts: &Facts, session: SessionId, said: &Said, parts: &[Part], about: &mut About<'_>) {
    let id = Some(session);
    if let Some(start) = said.start {
        let apart_ms = start.unix_ms() - session.time().timestamp_millis();
        if apart_ms.abs() > START_MS {
            about.defect(
                "clock-step",
                id,
                format!("its id says that it began at {}, its chain at {start}", Timestamp::new(session.time())),
            );
        }
    }
    let kept_nothing = said.recovered.iter().any(|(segment, blocks)| *segment == 0 && *blocks == 0);
    let expected = said.end.map(|(segment, ..)| segment).or_else(|| said.heads.keys().next_back().copied());
    if parts.is_empty() {
        match expected {
            _ if kept_nothing && said.end.is_none() => {}
            // It may have begun a moment ago.
            None if is_running(facts, said) => {}
            None => about.defect("session-missing", id, "its chain saw it start, and nothing of it is stored"),
            Some(last) => about.defect(
                "session-missing",
                id,
                format!("its chain names segments up to {last}, and nothing of it is stored"),
            ),
        }
    } else {
        segments(said, expected, parts, id, about);
    }
    if let Some((segment, blocks)) = said.recovered.first() {
        let kept = if *blocks == 1 { "1 block" } else { &*format!("{blocks} blocks") };
        about.notice(
            "recovered",
            id,
            format!("its recorder was gone in segment {segment}, of which {kept} could be kept"),
        );
    } else if said.ended().is_none() && !is_running(facts, said) {
        let since = said.newest.map_or_else(String::new, |time| format!("; its chain named it last at {time}"));
        match said.dropped {
            true => about.defect("interrupted", id, format!("it did not end, and its host went on without it{since}")),
            false => about.defect("silent", id, format!("it did not end, and its host says nothing{since}")),
        }
    }
}

fn is_running(facts: &Facts, said: &Said) -> bool {
    let fresh =
        said.newest.is_some_and(|time| facts.now.unix_ms() <= time.unix_ms().saturating_add_unsigned(RUNNING_MS));
    said.ended().is_none() && !said.dropped && fresh
}

fn segments(said: &Said, last: Option<u32>, parts: &[Part], id: Option<SessionId>, about: &mut About<'_>) {
    let mut by_number: BTreeMap<u32, Vec<&Part>> = BTreeMap::new();
    parts.iter().for_each(|part| by_number.entry(part.name.number).or_default().push(part));
    let highest = by_number.keys().next_back().copied();
    let lost = |number: &u32| said.recovered.iter().any(|(segment, blocks)| segment == number && *blocks == 0);
    let missing: Vec<u32> = (0..=last.or(highest).unwrap_or(0).max(highest.unwrap_or(0)))
        .filter(|number| !by_number.contains_key(number) && !lost(number))
        .collect();
    if !missing.is_empty() {
        let which = ranges(&missing);
        about.defect("segment-missing", id, format!("segment {which} is not stored"));
    }
    let mut signed = said.heads.clone();
    signed.extend(said.end.map(|(segment, digest, _)| (segment, digest)));
    for (number, digest) in &signed {
        let other = by_number.get(number).filter(|parts| parts.iter().all(|part| part.name.digest16 != digest.short()));
        if other.is_some() {
            about.defect("segment-other", id, format!("segment {number} is not the one that its chain names"));
        }
    }
    for (number, parts) in &by_number {
        let digests: BTreeSet<&str> = parts.iter().map(|part| part.name.digest16.as_str()).collect();
        if digests.len() > 1 {
            about.defect("segment-twice", id, format!("segment {number} is stored with {} contents", digests.len()));
        }
        if parts.iter().any(|part| part.bytes == 0) {
            about.defect("segment-empty", id, format!("segment {number} is an empty object"));
        }
        if said.end.is_some_and(|(end, ..)| *number > end) {
            about.defect(
                "segment-after-end",
                id,
                format!("segment {number} is stored, and its chain says that it ended before"),
            );
        }
    }
}

/// `0, 3 to 7`.
fn ranges(numbers: &[u32]) -> String {
    let runs = numbers.chunk_by(|a, b| a + 1 == *b);
    let words = runs.map(|run| match run {
        [first, .., last] => format!("{first} to {last}"),
        [one] => one.to_string(),
        [] => String::new(),
    });
    words.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::ranges;

    #[test]
    fn runs_of_numbers_are_joined() {
        assert_eq!(ranges(&[0, 3, 4, 5, 9]), "0, 3 to 5, 9");
    }
}
