//! A sink and store in memory, for tests of everything above.
//!
//! Clones share their content. [`Memory::insert`] and [`Memory::remove`] play whoever else can write to a store.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hansard_schemas::limits;
use hansard_schemas::names::{ChainName, EventName, SegmentName, foreign};

use crate::file::components;
use crate::{
    ChainPart, EventPart, Finding, Foreign, Limits, Part, Probe, Put, Result, SessionRef, Sink, SinkError, Store,
    TimeRange,
};

/// Objects by name.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    objects: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    limits: Limits,
}

impl Memory {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty one that refuses objects over `max_object` bytes.
    pub fn with_limit(max_object: u64) -> Self {
        Self { limits: Limits { max_object: Some(max_object), ..Limits::default() }, ..Self::default() }
    }

    /// Puts bytes under a name whatever is there.
    pub fn insert(&self, name: &str, bytes: Vec<u8>) {
        self.lock().insert(name.into(), bytes);
    }

    /// Takes an object away.
    pub fn remove(&self, name: &str) -> Option<Vec<u8>> {
        self.lock().remove(name)
    }

    /// All names.
    pub fn names(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// Every operation leaves the map whole, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, key: &str, range: Option<Range<u64>>, limit: u64) -> Result<Vec<u8>> {
        let objects = self.lock();
        let bytes = objects.get(key).ok_or_else(|| SinkError::NotThere { name: key.into() })?;
        let length = bytes.len() as u64;
        let (start, end) = range.map_or((0, length), |r| (r.start.min(length), r.end.min(length)));
        if end.saturating_sub(start) > limit {
            return Err(SinkError::TooLarge { name: key.into(), bytes: end - start, limit });
        }
        let index = |at: u64| usize::try_from(at).unwrap_or(bytes.len());
        Ok(bytes.get(index(start)..index(end)).unwrap_or_default().to_vec())
    }
}

impl Sink for Memory {
    fn put_once(&self, name: &str, bytes: &[u8]) -> Result<Put> {
        components(name)?;
        let limit = self.limits.max_object.unwrap_or(limits::SEGMENT_STORED);
        if bytes.len() as u64 > limit {
            return Err(SinkError::TooLarge { name: name.into(), bytes: bytes.len() as u64, limit });
        }
        let mut objects = self.lock();
        match objects.get(name) {
            Some(there) if there == bytes => Ok(Put::Already),
            Some(_) => Ok(Put::Conflict),
            None => {
                objects.insert(name.into(), bytes.to_vec());
                Ok(Put::Stored)
            }
        }
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    fn address(&self) -> &str {
        "memory:"
    }

    fn place(&self) -> &str {
        "memory:"
    }

    fn probe(&self, _: &Probe) -> Vec<Finding> {
        Vec::new()
    }
}

impl Store for Memory {
    fn address(&self) -> &str {
        "memory:"
    }

    fn sessions(&self, range: &TimeRange) -> Result<Vec<SessionRef>> {
        let names = self.names();
        let names = names.iter().filter_map(|name| SegmentName::parse(name).ok());
        let mut found: Vec<_> = names
            .filter(|name| range.contains(name.session))
            .map(|name| SessionRef { session: name.session, chain16: name.chain16 })
            .collect();
        found.sort();
        found.dedup();
        Ok(found)
    }

    fn parts(&self, session: &SessionRef) -> Result<Vec<Part>> {
        let objects = self.lock();
        let mut parts: Vec<_> = objects
            .iter()
            .filter_map(|(key, bytes)| {
                let name = SegmentName::parse(key).ok()?;
                let ours = name.session == session.session && name.chain16 == session.chain16;
                ours.then(|| Part { name, key: key.clone(), version: None, bytes: bytes.len() as u64 })
            })
            .collect();
        parts.sort_by(|a, b| (a.name.number, &a.key).cmp(&(b.name.number, &b.key)));
        Ok(parts)
    }

    fn read(&self, part: &Part, range: Option<Range<u64>>) -> Result<Vec<u8>> {
        self.get(&part.key, range, limits::SEGMENT_STORED)
    }

    fn chains(&self) -> Result<Vec<ChainPart>> {
        let objects = self.lock();
        let mut found: Vec<_> = objects
            .iter()
            .filter_map(|(key, bytes)| {
                let name = ChainName::parse(key).ok()?;
                Some(ChainPart { name, key: key.clone(), version: None, bytes: bytes.len() as u64 })
            })
            .collect();
        found.sort_by_key(|part| (part.name.chain, part.name.first, part.name.last));
        Ok(found)
    }

    fn read_chain(&self, part: &ChainPart) -> Result<Vec<u8>> {
        self.get(&part.key, None, limits::CHAIN_OBJECT as u64)
    }

    fn events(&self, range: &TimeRange) -> Result<Vec<EventPart>> {
        let objects = self.lock();
        let events = objects.iter().filter_map(|(key, bytes)| {
            let name = EventName::parse(key).ok().filter(|name| range.contains_event(name))?;
            Some(EventPart { name, key: key.clone(), bytes: bytes.len() as u64 })
        });
        Ok(events.collect())
    }

    fn read_event(&self, part: &EventPart) -> Result<Vec<u8>> {
        self.get(&part.key, None, limits::EVENT_DOCUMENT as u64)
    }

    fn foreign(&self) -> Result<Vec<Foreign>> {
        let names = self.names().into_iter();
        Ok(names.filter_map(|key| Some(Foreign { why: foreign(&key)?.into(), key })).collect())
    }
}
