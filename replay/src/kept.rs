//! A store that keeps what was read of one session's segments.
//!
//! A session is checked as a whole before any of it is read, so that everything would be asked for twice, and the beginning
//! three times: with a store behind a network that is most of the time that a search takes. Not a cache between
//! sessions: it is made for one, and goes with it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use hansard_sinks::{ChainPart, EventPart, Foreign, Growing, Part, Result, SessionRef, Store, TimeRange};

/// Most bytes of segments that are kept; what is more is asked for again.
const MOST: u64 = 16 << 20;

/// The store.
pub struct Kept {
    store: Arc<dyn Store>,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    parts: BTreeMap<(String, Option<String>), Arc<[u8]>>,
    bytes: u64,
}

impl Kept {
    /// In front of another one.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, held: Mutex::default() }
    }

    /// The bytes of a segment that are kept: whoever has read any of it has read these.
    pub fn held(&self, part: &Part) -> Option<Arc<[u8]>> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.parts.get(&(part.key.clone(), part.version.clone())).cloned()
    }

    /// The bytes of a segment: those that are kept, else as many as the store has, which are kept. `None` when they are too
    /// many.
    fn whole(&self, part: &Part) -> Result<Option<Arc<[u8]>>> {
        let name = (part.key.clone(), part.version.clone());
        let lock = || self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, used) = {
            let held = lock();
            (held.parts.get(&name).cloned(), held.bytes)
        };
        if known.is_some() || used.saturating_add(part.bytes) > MOST {
            return Ok(known);
        }
        let bytes: Arc<[u8]> = self.store.read(part, None)?.into();
        let mut held = lock();
        held.bytes += bytes.len() as u64;
        held.parts.insert(name, Arc::clone(&bytes));
        Ok(Some(bytes))
    }
}

impl Store for Kept {
    fn address(&self) -> &str {
        self.store.address()
    }

    fn sessions(&self, range: &TimeRange) -> Result<Vec<SessionRef>> {
        self.store.sessions(range)
    }

    fn parts(&self, session: &SessionRef) -> Result<Vec<Part>> {
        self.store.parts(session)
    }

    fn parts_of_all(&self, range: &TimeRange) -> Result<Vec<(SessionRef, Vec<Part>)>> {
        self.store.parts_of_all(range)
    }

    fn read(&self, part: &Part, range: Option<Range<u64>>) -> Result<Vec<u8>> {
        let Some(bytes) = self.whole(part)? else { return self.store.read(part, range) };
        let Some(range) = range else { return Ok(bytes.to_vec()) };
        let at = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
        Ok(bytes.get(at(range.start)..at(range.end)).unwrap_or_default().to_vec())
    }

    fn chains(&self) -> Result<Vec<ChainPart>> {
        self.store.chains()
    }

    fn chains_of(&self, chain16: &str) -> Result<Vec<ChainPart>> {
        self.store.chains_of(chain16)
    }

    fn read_chain(&self, part: &ChainPart) -> Result<Vec<u8>> {
        self.store.read_chain(part)
    }

    fn events(&self, range: &TimeRange) -> Result<Vec<EventPart>> {
        self.store.events(range)
    }

    fn read_event(&self, part: &EventPart) -> Result<Vec<u8>> {
        self.store.read_event(part)
    }

    fn foreign(&self) -> Result<Vec<Foreign>> {
        self.store.foreign()
    }

    fn is_passage(&self) -> bool {
        self.store.is_passage()
    }

    fn growing(&self, session: &SessionRef, number: u32) -> Result<Option<Growing>> {
        self.store.growing(session, number)
    }
}
