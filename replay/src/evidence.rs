//! What a store holds of a session, checked from end to end without a key, and the judgement on it.
//!
//! Segments are streamed through the checker a piece at a time, so a huge object costs no memory. Not for opening:
//! `recording`.

use std::collections::{BTreeSet, HashMap};

use hansard_schemas::chain::{Chain, Kind};
use hansard_schemas::names::ChainName;
use hansard_schemas::segment::{Checked, Checker, TrailerKind};
use hansard_schemas::verdict::{Judgement, SegmentFact, Summary, judge};
use hansard_schemas::{ChainId, Digest, Error, SessionId, Timestamp};
use hansard_sinks::parallel::{REQUESTS, stream};
use hansard_sinks::{ChainPart, Part, SessionRef, SinkError, Store};

/// How much of a segment is in memory while it is checked.
const PIECE: u64 = 1 << 20;

/// The host chains of a store, as far as they can be believed.
#[derive(Debug, Default)]
pub struct Chains {
    chains: Vec<Chain>,
    /// What they say of the starts of sessions: a day has thousands, and each is asked for.
    starts: Starts,
}

/// When a session started by its chain's word, and the digest of its identity object.
type Starts = HashMap<(ChainId, SessionId), (Timestamp, Digest)>;

impl Chains {
    /// Reads and verifies all of them.
    pub fn load(store: &dyn Store) -> Result<Self, SinkError> {
        let read = |part: &ChainPart| Ok(read_chain(store, part));
        Self::read(&store.chains()?, read)
    }

    /// Verifies those whose objects `read` gives, several asked for at a time; `parts` are ordered by chain.
    pub fn read(
        parts: &[ChainPart],
        read: impl Fn(&ChainPart) -> Result<Vec<u8>, SinkError> + Sync,
    ) -> Result<Self, SinkError> {
        let (mut chains, mut objects) = (Vec::new(), Vec::new());
        let mut left = parts.iter().peekable();
        stream(parts, REQUESTS, read, |bytes| {
            let bytes = bytes?;
            let Some(ChainPart { name, .. }) = left.next() else { return Ok(()) };
            objects.push((Some(name.clone()), bytes));
            // Of one chain at a time everything is in memory.
            if left.peek().is_none_or(|next| next.name.chain != name.chain) {
                chains.push(Chain::from_objects(name.chain, std::mem::take(&mut objects)));
            }
            Ok::<_, SinkError>(())
        })?;
        Ok(Self::new(chains))
    }

    /// Of chains that were read.
    pub fn new(chains: Vec<Chain>) -> Self {
        let mut starts = HashMap::new();
        chains.iter().for_each(|chain| note_starts(&mut starts, chain, 0));
        Self { chains, starts }
    }

    /// Takes in one more object that only goes on from the newest entry of its chain; see [`Chain::extend`].
    pub fn extend(&mut self, name: &ChainName, bytes: &[u8]) -> bool {
        let Some(chain) = self.chains.iter_mut().find(|chain| chain.id == name.chain) else { return false };
        let before = chain.entries.len();
        let whole = chain.extend(name, bytes);
        note_starts(&mut self.starts, chain, before);
        whole
    }

    /// What a chain says of a session's start: the time, and the digest of its identity object.
    pub fn start_of(&self, chain: ChainId, session: SessionId) -> Option<(Timestamp, Digest)> {
        self.starts.get(&(chain, session)).copied()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Chain> {
        self.chains.iter()
    }

    /// The chain of this id.
    pub fn get(&self, id: ChainId) -> Option<&Chain> {
        self.chains.iter().find(|chain| chain.id == id)
    }

    /// The chain of a session. Names carry half of a chain's id: of several that fit, the one that saw it start.
    pub fn of(&self, session: &SessionRef) -> Option<&Chain> {
        let mut fit: Vec<&Chain> = self.chains.iter().filter(|chain| chain.id.short() == session.chain16).collect();
        fit.sort_by_key(|chain| (self.start_of(chain.id, session.session).is_none(), chain.entries.is_empty()));
        fit.first().copied()
    }
}

/// Takes in what the entries from this one on say of starts; the first statement counts.
fn note_starts(starts: &mut Starts, chain: &Chain, from: usize) {
    for entry in chain.entries.iter().skip(from) {
        if let Kind::Start { session, identity, .. } = entry.kind {
            starts.entry((chain.id, session)).or_insert((entry.time, identity));
        }
    }
}

/// An object that cannot be read is as good as empty: the chain breaks there, and says so.
fn read_chain(store: &dyn Store, part: &ChainPart) -> Vec<u8> {
    store.read_chain(part).unwrap_or_default()
}

/// A segment that was checked and found whole; that it belongs to the session is for the judgement to say.
#[derive(Debug, Clone)]
pub struct Segment {
    /// Wall-clock time of its first line.
    pub start: Timestamp,
    /// Event time of its first line.
    pub offset_ms: u64,
    /// Length as stored.
    pub bytes: u64,
    /// Number of blocks.
    pub blocks: u64,
    /// Its digest.
    pub digest: Digest,
    /// Whether it was closed by recovery.
    pub recovered: bool,
}

/// What checking an object gave that was found whole.
#[derive(Debug, Clone)]
pub struct Fact {
    /// What the judgement goes by.
    pub summary: Summary,
    /// Length as stored.
    pub bytes: u64,
    /// Whom its keys line names.
    pub recipients: Vec<String>,
}

/// An object and what checking it gave.
#[derive(Debug, Clone)]
pub struct Object {
    /// Where it is.
    pub part: Part,
    /// What it is, if it is whole.
    pub segment: Option<Segment>,
    /// From what that follows.
    pub fact: Option<Fact>,
}

/// All that is known of a session without a key.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// Which session, of which chain.
    pub session: SessionRef,
    /// Everything that lies under its name. [`Judgement::parts`] says which of it counts.
    pub objects: Vec<Object>,
    /// The judgement.
    pub judgement: Judgement,
    /// The chain that witnesses it.
    pub chain: Option<ChainId>,
    /// Whom the keys lines name.
    pub recipients: BTreeSet<String>,
}

impl Evidence {
    /// The segments that count, in order.
    pub fn segments(&self) -> impl Iterator<Item = (&Part, &Segment)> {
        let parts = self.judgement.parts.iter().filter_map(|at| self.objects.get(*at));
        parts.filter_map(|object| Some((&object.part, object.segment.as_ref()?)))
    }

    /// Whether something says that bytes, or their order, are not what was recorded: content is then refused.
    pub fn is_refused(&self) -> bool {
        // Without a chain nothing contradicts what is there; the verdict says that it was not witnessed.
        self.judgement.faults.iter().any(|fault| fault.word() != "chain-missing")
    }
}

/// Checks everything that a store holds of a session.
pub fn examine(
    store: &dyn Store,
    session: &SessionRef,
    chains: &Chains,
    now: Timestamp,
    progress: &mut dyn FnMut(u64),
) -> Result<Evidence, SinkError> {
    examine_parts(store, session, store.parts(session)?, chains, now, &|_| None, progress)
}

/// Checks these parts of a session, and does not read those of which `known` says what was found when they were checked
/// before.
pub fn examine_parts(
    store: &dyn Store,
    session: &SessionRef,
    parts: Vec<Part>,
    chains: &Chains,
    now: Timestamp,
    known: &dyn Fn(&Part) -> Option<Fact>,
    progress: &mut dyn FnMut(u64),
) -> Result<Evidence, SinkError> {
    let mut objects = Vec::new();
    let mut facts = Vec::new();
    let mut recipients = BTreeSet::new();
    for part in parts {
        let found = match known(&part) {
            Some(fact) => Ok(fact),
            None => check(store, &part, progress)?.map(|checked| fact(&checked)),
        };
        if let Ok(fact) = &found {
            recipients.extend(fact.recipients.iter().cloned());
        }
        let fact = found.as_ref().ok().cloned();
        facts.push(SegmentFact::named(&part.name, found.map(|fact| fact.summary)));
        objects.push(Object { part, segment: fact.as_ref().map(segment_of), fact });
    }
    let chain = chains.of(session);
    let judgement = judge(session.session, &facts, chain, now);
    Ok(Evidence { session: session.clone(), objects, judgement, chain: chain.map(|chain| chain.id), recipients })
}

/// Checks one object. What is wrong with the store itself ends everything; what is wrong with the object is a fact.
fn check(store: &dyn Store, part: &Part, progress: &mut dyn FnMut(u64)) -> Result<Result<Checked, Error>, SinkError> {
    check_unless(store, part, progress, |error| is_of_store(store, error))
}

/// Checks one object; what cannot be read is a fact about the object, unless `passes` says that it is none.
pub fn check_unless(
    store: &dyn Store,
    part: &Part,
    progress: &mut dyn FnMut(u64),
    passes: impl Fn(&SinkError) -> bool,
) -> Result<Result<Checked, Error>, SinkError> {
    let mut checker = Checker::new();
    let mut at = 0;
    loop {
        let bytes = match store.read(part, Some(at..at + PIECE)) {
            Ok(bytes) => bytes,
            Err(error) if passes(&error) => return Err(error),
            Err(error) => return Ok(Err(Error::Truncated(format!("it cannot be read: {error}")))),
        };
        if bytes.is_empty() {
            return Ok(checker.finish());
        }
        at += bytes.len() as u64;
        progress(bytes.len() as u64);
        if let Err(error) = checker.push(&bytes) {
            return Ok(Err(error));
        }
    }
}

/// Whether the store as a whole has gone, or only this object.
fn is_of_store(store: &dyn Store, error: &SinkError) -> bool {
    !matches!(error, SinkError::NotAFile { .. } | SinkError::TooLarge { .. } | SinkError::BadName { .. })
        && store.chains().is_err()
}

fn fact(checked: &Checked) -> Fact {
    Fact { summary: checked.into(), bytes: checked.stored_bytes, recipients: checked.keys.recipients() }
}

/// What is kept of a checked segment.
pub fn segment(checked: &Checked) -> Segment {
    segment_of(&fact(checked))
}

fn segment_of(fact: &Fact) -> Segment {
    let Fact { summary, bytes, .. } = fact;
    Segment {
        start: summary.header.start,
        offset_ms: summary.header.offset_ms,
        bytes: *bytes,
        blocks: summary.blocks,
        digest: summary.digest,
        recovered: matches!(summary.trailer, TrailerKind::Recovered(_)),
    }
}
