//! Where recordings go and where they come back from.
//!
//! A [`Sink`] takes whole objects under names that say what is in them (FORMAT.md, section 10), so sending one
//! twice is harmless. A [`Store`] gives sessions and their parts back. Neither is a key-value interface: the same
//! traits fit a directory, a bucket and a topic. Nothing here seals, opens or judges; names are all that is read.

pub mod address;
#[cfg(feature = "remote")]
mod aws;
#[cfg(feature = "remote")]
pub mod cloudwatch;
pub mod conformance;
mod error;
pub mod events;
pub mod fault;
pub mod file;
#[cfg(feature = "remote")]
pub mod kafka;
pub mod memory;
mod ndjson;
mod open;
pub mod parallel;
pub mod probe;
#[cfg(feature = "remote")]
mod runtime;
#[cfg(feature = "remote")]
pub mod s3;
pub mod spool;
pub mod webhook;

use std::ops::Range;

use chrono::{DateTime, NaiveTime, Utc};
use hansard_schemas::SessionId;
use hansard_schemas::names::{ChainName, EventName, SegmentName};

pub use address::Address;
pub use error::{Class, SinkError};
pub use events::{AsObjects, EventObject, EventSink};
pub use open::{open_notify, open_sink, open_store};
pub use probe::{Finding, Level, Probe};

/// Result of this crate.
pub type Result<T, E = SinkError> = std::result::Result<T, E>;

/// What became of an object that was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is there now, and durable.
    Stored,
    /// The same bytes were there before; durable as well.
    Already,
    /// Something lies under this name, and may not be read to be compared. Where the name bears the bytes' digest it is
    /// as good as [`Put::Already`]; where it does not, as [`Put::Conflict`].
    Taken,
    /// Other bytes lie under this name. They were left as they are; the caller keeps its own and reports.
    Conflict,
}

/// What a sink can take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// The largest object in bytes, as far as it is known before the first one is sent; `None` when only the format's
    /// own limits apply.
    pub max_object: Option<u64>,
    /// Whether the place keeps every copy that is put, and never looks: a log, not a folder. Then `put_once` gives
    /// [`Put::Stored`] each time, and the reader sorts the copies out.
    pub appends: bool,
}

/// Where objects go. What a sink needs to know of an object (session, number, digest) is in its name.
///
/// Shared by the threads that ship: calls block, and may come side by side. Nothing is connected or spawned before the
/// first call, since the process may fork after the sink was opened.
pub trait Sink: Send + Sync {
    /// Stores `bytes` under `name` unless something is there already. Returns when the object is durable. A call ends
    /// within a minute or two, with an error if need be; whoever calls decides about trying again.
    fn put_once(&self, name: &str, bytes: &[u8]) -> Result<Put>;

    /// What this sink can take.
    fn limits(&self) -> Limits;

    /// The address: complete, so that the sink can be opened again from it, and without secrets.
    fn address(&self) -> &str;

    /// The same for every address of the same place, whatever its options.
    fn place(&self) -> &str;

    /// Tries the place, as an operator wants to know it before the first session: what is reachable, allowed, refused,
    /// ignored. May put an object under the name of a [`hansard_schemas::names::ProbeName`].
    fn probe(&self, probe: &Probe) -> Vec<Finding>;
}

/// A stretch of time for listing; the default is all of it. `from` is inside, `until` is not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimeRange {
    /// The earliest start of a session.
    pub from: Option<DateTime<Utc>>,
    /// The start of a session must be before this.
    pub until: Option<DateTime<Utc>>,
}

impl TimeRange {
    /// Whether a session of this id belongs to the range.
    pub fn contains(&self, session: SessionId) -> bool {
        let time = session.time();
        self.from.is_none_or(|from| time >= from) && self.until.is_none_or(|until| time < until)
    }

    /// Whether an event of this name belongs to the range: by its session's start, or by its own time.
    pub fn contains_event(&self, name: &EventName) -> bool {
        let time = name.session.map_or(name.time, SessionId::time);
        self.from.is_none_or(|from| time >= from) && self.until.is_none_or(|until| time < until)
    }

    /// Whether a session of this day can belong to the range: whole days can be skipped in a listing.
    pub fn touches(&self, day: chrono::NaiveDate) -> bool {
        let start = day.and_time(NaiveTime::MIN).and_utc();
        let end = start.checked_add_days(chrono::Days::new(1));
        self.from.is_none_or(|from| end.is_none_or(|end| from < end)) && self.until.is_none_or(|until| start < until)
    }
}

/// A session of which a store holds something, as the names say; whether that is true is for the reader to check.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionRef {
    /// Its id.
    pub session: SessionId,
    /// The first 16 hex digits of the chain it claims.
    pub chain16: String,
}

impl SessionRef {
    /// Where its segments lie, below the store's prefix; none for a chain that cannot be one.
    fn folder(&self) -> Option<String> {
        let day = self.session.time().format("%Y/%m/%d");
        is_short_chain(&self.chain16).then(|| format!("segments/{day}/{}/{}", self.chain16, self.session))
    }
}

/// Whether a component of a name can be the short form of a chain's id.
fn is_short_chain(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether a component of a name is `digits` decimal digits: a part of a date.
fn is_number(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| b.is_ascii_digit())
}

/// One segment in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What its name says.
    pub name: SegmentName,
    /// Where it is, in the store's own terms: the name below the prefix, or a place in a log.
    pub key: String,
    /// Which version of it, where the store keeps several under one name; `None` is the one that is there now.
    pub version: Option<String>,
    /// How long it is.
    pub bytes: u64,
}

/// A segment that is still being written: whole blocks, perhaps a part of one, perhaps what closes it.
#[derive(Debug, Clone)]
pub struct Growing {
    /// Its number.
    pub number: u32,
    /// What there is of it.
    pub bytes: Vec<u8>,
}

/// One lifecycle event in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPart {
    /// What its name says: claims, good for a listing.
    pub name: EventName,
    /// Where it is, in the store's own terms.
    pub key: String,
    /// How long it is.
    pub bytes: u64,
}

/// One object of a host chain in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainPart {
    /// What its name says.
    pub name: ChainName,
    /// Where it is, in the store's own terms.
    pub key: String,
    /// Which version of it; see [`Part::version`].
    pub version: Option<String>,
    /// How long it is.
    pub bytes: u64,
}

/// Something in a store that is no part of a recording. Reported, never followed or opened.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Foreign {
    /// Its name; not trusted, possibly not printable.
    pub key: String,
    /// Why it was not taken.
    pub why: String,
}

/// Where recordings are read from.
pub trait Store: Send + Sync {
    /// The address for messages, credentials removed.
    fn address(&self) -> &str;

    /// The sessions of a stretch of time, ordered by id.
    fn sessions(&self, range: &TimeRange) -> Result<Vec<SessionRef>>;

    /// The segments of one session, ordered by number. Two may have one number, or even one name, where the store keeps
    /// what was overwritten or sent twice; an empty list is no error.
    fn parts(&self, session: &SessionRef) -> Result<Vec<Part>>;

    /// The sessions of a stretch of time, ordered, each with its segments: what [`Store::sessions`] and [`Store::parts`]
    /// say, for whoever wants all of it. Where a listing shows the segments of many sessions, it is asked for once.
    fn parts_of_all(&self, range: &TimeRange) -> Result<Vec<(SessionRef, Vec<Part>)>> {
        let sessions = self.sessions(range)?;
        let parts = parallel::each(&sessions, parallel::REQUESTS, |session| self.parts(session))?;
        Ok(sessions.into_iter().zip(parts).collect())
    }

    /// The bytes of a segment, or of a range of it, cut at its end. Without a range at most
    /// [`hansard_schemas::limits::SEGMENT_STORED`] bytes are taken into memory; a longer one is an error.
    fn read(&self, part: &Part, range: Option<Range<u64>>) -> Result<Vec<u8>>;

    /// All chain objects, ordered by chain and first entry.
    fn chains(&self) -> Result<Vec<ChainPart>>;

    /// The objects of the chains whose ids begin with these 16 hex digits, in the order of [`Store::chains`]: what
    /// following one session asks for again and again.
    fn chains_of(&self, chain16: &str) -> Result<Vec<ChainPart>> {
        let mut found = self.chains()?;
        found.retain(|part| part.name.chain.short() == chain16);
        Ok(found)
    }

    /// The bytes of a chain object; one longer than [`hansard_schemas::limits::CHAIN_OBJECT`] is an error.
    fn read_chain(&self, part: &ChainPart) -> Result<Vec<u8>>;

    /// The lifecycle events of a stretch of time: those of its sessions, by the session's start, and those of hosts, by
    /// their own time. Ordered by name. Costs listings only.
    fn events(&self, range: &TimeRange) -> Result<Vec<EventPart>>;

    /// The bytes of an event; one longer than [`hansard_schemas::limits::EVENT_DOCUMENT`] is an error.
    fn read_event(&self, part: &EventPart) -> Result<Vec<u8>>;

    /// What lies in the store and is none of these: names that do not parse, links,
    /// directories where files belong, what cannot be listed.
    fn foreign(&self) -> Result<Vec<Foreign>>;

    /// Whether segments only pass through here on their way to where they are kept, as in a recorder's spool: those that
    /// come before the first one here are elsewhere then, and not missing.
    fn is_passage(&self) -> bool {
        false
    }

    /// A segment that is still being written, where it can be seen: in a passage. It is sealed as all are, and nobody has
    /// signed it yet.
    fn growing(&self, _session: &SessionRef, _number: u32) -> Result<Option<Growing>> {
        Ok(None)
    }
}
