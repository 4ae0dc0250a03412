//! What can be believed of a chain: the objects of a store put together, from genesis to the first doubt.
//!
//! A store may hold an entry many times, damaged copies of it, and what strangers put there. An entry counts when
//! the key that the entry before names has signed it; whatever does not count changes nothing where the true entry
//! is at hand, and breaks the chain where it is not (CHAIN-5).

use std::collections::{BTreeMap, HashSet};

use super::{Entry, Kind, parse};
use crate::names::ChainName;
use crate::{ChainId, Digest, Error, SessionId, limits};

/// A verified host chain.
#[derive(Debug)]
pub struct Chain {
    /// Its id.
    pub id: ChainId,
    /// The entries that are believed: verified and without a gap from genesis.
    pub entries: Vec<Entry>,
    /// Why there are no more of them: broken, forked, or an object that claims entries which are not to be had.
    pub problems: Vec<Error>,
    /// Objects that do not verify but claim nothing that is not there otherwise.
    pub notes: Vec<String>,
}

/// A place in an object at which no entry stands.
struct Unread {
    seq: u64,
    object: String,
    error: Error,
}

impl Chain {
    /// Reads the objects of the chain `id`, in any order; a name is given where the object has one.
    pub fn from_objects<B: AsRef<[u8]>>(
        id: ChainId,
        objects: impl IntoIterator<Item = (Option<ChainName>, B)>,
    ) -> Self {
        let mut candidates = BTreeMap::new();
        let mut unread = Vec::new();
        for (name, bytes) in objects {
            gather(id, name.as_ref(), bytes.as_ref(), &mut candidates, &mut unread);
        }
        let mut chain = Self { id, entries: Vec::new(), problems: Vec::new(), notes: Vec::new() };
        let stopped = chain.walk(&candidates);
        chain.sort_out(stopped, &candidates, unread);
        chain
    }

    /// Takes in one more object, of entries that follow the newest exactly. False, and nothing is changed, where it is
    /// anything else: then all objects must be put together anew, which tells what is wrong from what only lies about.
    pub fn extend(&mut self, name: &ChainName, bytes: &[u8]) -> bool {
        let before = self.entries.len();
        if !self.problems.is_empty() || name.first != before as u64 {
            return false;
        }
        let (mut candidates, mut unread) = (BTreeMap::new(), Vec::new());
        gather(self.id, Some(name), bytes, &mut candidates, &mut unread);
        let forked = self.walk(&candidates).is_some();
        let whole = unread.is_empty() && !forked && self.entries.len() as u64 == name.last + 1;
        if !whole {
            self.entries.truncate(before);
        }
        whole
    }

    /// Number of the first entry that is not believed, when there is reason to think that there was one.
    pub fn broken_at(&self) -> Option<u64> {
        (!self.problems.is_empty()).then_some(self.entries.len() as u64)
    }

    /// The believed entry of this number.
    pub fn get(&self, seq: u64) -> Option<&Entry> {
        self.entries.get(usize::try_from(seq).ok()?)
    }

    /// Digest of the newest believed entry, for a caller that wants to see a rollback.
    pub fn tip(&self) -> Option<Digest> {
        self.entries.last().map(|entry| entry.digest)
    }

    /// Name of the host and owner of the spool, as genesis claims them.
    pub fn host(&self) -> Option<(&str, u32)> {
        match &self.entries.first()?.kind {
            Kind::Genesis { host, uid, .. } => Some((host, *uid)),
            _ => None,
        }
    }

    /// Every session that the chain saw start, in that order, once each.
    pub fn sessions(&self) -> Vec<SessionId> {
        let mut seen = HashSet::new();
        let started = self.entries.iter().filter_map(|entry| match entry.kind {
            Kind::Start { session, .. } => Some(session),
            _ => None,
        });
        started.filter(|session| seen.insert(*session)).collect()
    }

    /// Follows the signatures. `Some` if two entries vie for one place.
    fn walk(&mut self, candidates: &BTreeMap<u64, Vec<Entry>>) -> Option<Error> {
        loop {
            let seq = self.entries.len() as u64;
            let last = self.entries.last();
            let mut valid = candidates.get(&seq).into_iter().flatten().filter(|entry| {
                let key = last.map_or_else(|| entry.genesis_key(), |last| Some(&last.next));
                entry.prev == last.map(|last| last.digest) && key.is_some_and(|key| entry.signed_by(key))
            });
            match (valid.next(), valid.next()) {
                (Some(_), Some(_)) => return Some(Error::Fork(seq)),
                (Some(entry), None) => self.entries.push(entry.clone()),
                (None, _) => return None,
            }
        }
    }

    /// Tells what hides something from what only lies about.
    fn sort_out(&mut self, stopped: Option<Error>, candidates: &BTreeMap<u64, Vec<Entry>>, unread: Vec<Unread>) {
        let end = self.entries.len() as u64;
        let forked = stopped.is_some();
        self.problems.extend(stopped);
        for (seq, entries) in candidates.range(..end) {
            let believed = self.get(*seq).map(|entry| entry.digest);
            let others = entries.iter().filter(|entry| Some(entry.digest) != believed).count();
            if others > 0 {
                self.notes.push(format!("{others} other entries with number {seq} do not verify"));
            }
        }
        let later = candidates.range(end..).next().map(|(seq, _)| *seq);
        if let (Some(later), false) = (later, forked) {
            let why = match (later == end, end) {
                (false, _) => format!("it is missing, and entry {later} is there"),
                (true, 0) => "genesis is not signed by its own key".into(),
                (true, _) => "it does not follow from the entry before, or its signature does not hold".into(),
            };
            self.problems.push(Error::ChainBroken { seq: end, why });
        }
        for Unread { seq, object, error } in unread {
            if seq < end {
                self.notes.push(format!("{object}: {error}"));
            } else if self.problems.is_empty() || !matches!(error, Error::ChainBroken { .. }) {
                self.problems.push(error);
            }
        }
    }
}

/// Reads one object into `candidates`.
fn gather(
    id: ChainId,
    name: Option<&ChainName>,
    bytes: &[u8],
    candidates: &mut BTreeMap<u64, Vec<Entry>>,
    unread: &mut Vec<Unread>,
) {
    let object = name.map_or_else(|| "chain object".into(), ChainName::path);
    let mut fail = |seq: u64, error: Error| unread.push(Unread { seq, object: object.clone(), error });
    let last = name.map(|name| name.last);
    if name.is_some_and(|name| name.chain != id) {
        return fail(0, Error::ChainBroken { seq: 0, why: format!("{object} is of another chain") });
    }
    if bytes.len() > limits::CHAIN_OBJECT {
        let seq = last.unwrap_or(u64::MAX);
        return fail(seq, Error::Limit { what: "chain object", limit: limits::CHAIN_OBJECT as u64 });
    }
    let mut expected = name.map(|name| name.first);
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    while let Some(line) = lines.next() {
        let entry = match read_line(id, line, expected) {
            Ok(entry) => entry,
            // What follows in this object has no place of its own (CHAIN-4); the true entries may be elsewhere. Of a
            // line without any place nobody can know what it stands for: it counts as one that is missed.
            Err(error) => {
                let claimed = match (last, expected) {
                    (Some(last), place) => last.max(place.unwrap_or(0)),
                    (None, Some(place)) => place.saturating_add(lines.count() as u64),
                    (None, None) => u64::MAX,
                };
                return fail(claimed, error);
            }
        };
        expected = Some(entry.seq + 1);
        let same = candidates.entry(entry.seq).or_default();
        if same.iter().all(|other: &Entry| other.digest != entry.digest) {
            same.push(entry);
        }
    }
    match (last, expected) {
        (_, None) => fail(last.unwrap_or(0), Error::ChainBroken { seq: 0, why: format!("{object} is empty") }),
        (Some(last), Some(next)) if next != last + 1 => {
            let why = format!("{object} ends before entry {last}, or after it");
            fail(last.max(next.saturating_sub(1)), Error::ChainBroken { seq: next.min(last), why });
        }
        _ => {}
    }
}

fn read_line(id: ChainId, line: &[u8], expected: Option<u64>) -> Result<Entry, Error> {
    let place = expected.unwrap_or(0);
    let broken = |why: String| Error::ChainBroken { seq: place, why };
    if !line.ends_with(b"\n") {
        return Err(broken("its line is cut short".into()));
    }
    let entry = parse::entry(line, place)?;
    if entry.chain != id {
        return Err(broken("it is of another chain".into()));
    }
    match expected {
        Some(seq) if seq != entry.seq => Err(broken(format!("entry {} stands in its place", entry.seq))),
        _ => Ok(entry),
    }
}
