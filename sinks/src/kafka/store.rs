//! Reading recordings and events back from topics.
//!
//! A part's key is `partition/offset`, for a log may hold a name many times, and the reader is shown every copy. Values
//! are read when they are asked for.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use hansard_schemas::limits;
use hansard_schemas::names::{ChainName, EventName, ProbeName, SegmentName};

use super::index::{Entry, Index, Reader};
use super::place::Place;
use crate::{Address, ChainPart, EventPart, Foreign, Part, Result, SessionRef, SinkError, Store, TimeRange};

/// Topics that recordings are read from.
pub struct KafkaStore {
    place: Place,
    recordings: Mutex<Topic>,
    events: Mutex<Topic>,
}

#[derive(Default)]
struct Topic {
    reader: Option<Reader>,
    index: Index,
}

impl Topic {
    fn reader(&mut self, place: &Place, topic: &str) -> Result<(&Reader, &mut Index)> {
        let reader = match self.reader.take() {
            Some(reader) => reader,
            None => Reader::connect(place, topic)?,
        };
        Ok((self.reader.insert(reader), &mut self.index))
    }
}

fn key(place: &(i32, i64)) -> String {
    format!("{}/{}", place.0, place.1)
}

impl KafkaStore {
    /// A store over the topics that an address names. Nothing is connected yet.
    pub fn open(address: &Address) -> Result<Self> {
        let place = Place::open(address)?;
        Ok(Self { place, recordings: Mutex::default(), events: Mutex::default() })
    }

    fn topic(&self, events: bool) -> (&Mutex<Topic>, &str) {
        if events { (&self.events, &self.place.events) } else { (&self.recordings, &self.place.recordings) }
    }

    /// What `take` makes of each record that is there now.
    fn list<T>(&self, events: bool, take: impl FnMut((&(i32, i64), &Entry)) -> Option<T>) -> Result<Vec<T>> {
        let (topic, name) = self.topic(events);
        let mut topic = topic.lock().unwrap_or_else(PoisonError::into_inner);
        let (reader, index) = topic.reader(&self.place, name)?;
        index.follow(reader)?;
        Ok(index.entries.iter().filter_map(take).collect())
    }

    fn value(&self, events: bool, key: &str, path: &str, range: Option<Range<u64>>, limit: u64) -> Result<Vec<u8>> {
        let gone = || SinkError::NotThere { name: format!("{path} at {key}") };
        let place = key.split_once('/').and_then(|(p, o)| Some((p.parse().ok()?, o.parse().ok()?)));
        let (partition, offset) = place.ok_or_else(gone)?;
        let (topic, name) = self.topic(events);
        let mut topic = topic.lock().unwrap_or_else(PoisonError::into_inner);
        let (reader, _) = topic.reader(&self.place, name)?;
        let (_, mut value) = reader.read(partition, offset)?.filter(|(name, _)| name == path).ok_or_else(gone)?;
        let length = value.len() as u64;
        let (start, end) = range.map_or((0, length), |r| (r.start.min(length), r.end.min(length)));
        if end.saturating_sub(start) > limit {
            return Err(SinkError::TooLarge { name: path.into(), bytes: end - start, limit });
        }
        let index = |at: u64| usize::try_from(at).unwrap_or(value.len());
        let (start, end) = (index(start), index(end.max(start)));
        value.truncate(end);
        value.drain(..start);
        Ok(value)
    }
}

impl Store for KafkaStore {
    fn address(&self) -> &str {
        &self.place.address
    }

    fn sessions(&self, range: &TimeRange) -> Result<Vec<SessionRef>> {
        let mut found = self.list(false, |(_, entry)| {
            let name = SegmentName::parse(&entry.name).ok().filter(|name| range.contains(name.session))?;
            Some(SessionRef { session: name.session, chain16: name.chain16 })
        })?;
        found.sort();
        found.dedup();
        Ok(found)
    }

    fn parts(&self, session: &SessionRef) -> Result<Vec<Part>> {
        let mut found = self.list(false, |(at, entry)| {
            let name = SegmentName::parse(&entry.name).ok()?;
            let ours = name.session == session.session && name.chain16 == session.chain16;
            ours.then(|| Part { name, key: key(at), version: None, bytes: entry.bytes })
        })?;
        // Stable: copies stay in the order of the log.
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    fn parts_of_all(&self, range: &TimeRange) -> Result<Vec<(SessionRef, Vec<Part>)>> {
        let found = self.list(false, |(at, entry)| {
            let name = SegmentName::parse(&entry.name).ok().filter(|name| range.contains(name.session))?;
            Some(Part { name, key: key(at), version: None, bytes: entry.bytes })
        })?;
        let mut sessions: BTreeMap<SessionRef, Vec<Part>> = BTreeMap::new();
        for part in found {
            let session = SessionRef { session: part.name.session, chain16: part.name.chain16.clone() };
            sessions.entry(session).or_default().push(part);
        }
        sessions.values_mut().for_each(|parts| parts.sort_by(|a, b| a.name.cmp(&b.name)));
        Ok(sessions.into_iter().collect())
    }

    fn read(&self, part: &Part, range: Option<Range<u64>>) -> Result<Vec<u8>> {
        self.value(false, &part.key, &part.name.path(), range, limits::SEGMENT_STORED)
    }

    fn chains(&self) -> Result<Vec<ChainPart>> {
        let mut found = self.list(false, |(at, entry)| {
            let name = ChainName::parse(&entry.name).ok()?;
            Some(ChainPart { name, key: key(at), version: None, bytes: entry.bytes })
        })?;
        found.sort_by_key(|part| (part.name.chain, part.name.first, part.name.last));
        Ok(found)
    }

    fn read_chain(&self, part: &ChainPart) -> Result<Vec<u8>> {
        self.value(false, &part.key, &part.name.path(), None, limits::CHAIN_OBJECT as u64)
    }

    fn events(&self, range: &TimeRange) -> Result<Vec<EventPart>> {
        let mut found = self.list(true, |(at, entry)| {
            let name = EventName::parse(&entry.name).ok().filter(|name| range.contains_event(name))?;
            Some(EventPart { name, key: key(at), bytes: entry.bytes })
        })?;
        found.sort_by_cached_key(|part| part.name.path());
        Ok(found)
    }

    fn read_event(&self, part: &EventPart) -> Result<Vec<u8>> {
        self.value(true, &part.key, &part.name.path(), None, limits::EVENT_DOCUMENT as u64)
    }

    fn foreign(&self) -> Result<Vec<Foreign>> {
        let mut found = Vec::new();
        for events in [false, true] {
            let topic = self.topic(events).1;
            found.extend(self.list(events, |(at, Entry { name, .. })| {
                let ours = match events {
                    true => EventName::parse(name).is_ok(),
                    false => SegmentName::parse(name).is_ok() || ChainName::parse(name).is_ok(),
                };
                if ours || ProbeName::parse(name).is_ok() {
                    return None;
                }
                let at = key(at);
                Some(if name.is_empty() {
                    Foreign { key: at, why: format!("a record of {topic} without a header that names an object") }
                } else {
                    Foreign { key: name.clone(), why: format!("no name that belongs into {topic}, at {at}") }
                })
            })?);
        }
        found.sort();
        Ok(found)
    }
}
