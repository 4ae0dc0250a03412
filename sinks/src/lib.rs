//! Where recordings go and where they come back from.
//!
//! A [`Sink`] takes whole objects under names that say what is in them (FORMAT.md, section 10), so sending one
//! twice is harmless. A [`Store`] gives sessions and their parts back. Neither is a key-value interface: the same
//! traits fit a directory, a bucket and a topic. Nothing here seals, opens or judges; names are all that is read.

pub mod conformance;
mod error;
pub mod fault;
pub mod file;
pub mod memory;
mod url;

use std::ops::Range;

use chrono::{DateTime, NaiveTime, Utc};
use hansard_schemas::SessionId;
use hansard_schemas::names::{ChainName, SegmentName};

pub use error::{Class, SinkError};
pub use url::{open_sink, open_store};

/// Result of this crate.
pub type Result<T, E = SinkError> = std::result::Result<T, E>;

/// What became of an object that was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is there now, and durable.
    Stored,
    /// The same bytes were there before; durable as well.
    Already,
    /// Other bytes lie under this name. They were left as they are; the caller keeps its own and reports.
    Conflict,
}

/// What a sink can take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// The largest object in bytes; `None` when only the format's own limits apply.
    pub max_object: Option<u64>,
}

/// Where objects go. What a sink needs to know of an object (session, number, digest) is in its name.
pub trait Sink: Send {
    /// Stores `bytes` under `name` unless something is there already. Returns when the object is durable.
    fn put_once(&mut self, name: &str, bytes: &[u8]) -> Result<Put>;

    /// What this sink can take.
    fn limits(&self) -> Limits;

    /// The address for messages, credentials removed.
    fn address(&self) -> &str;
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

/// One segment in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What its name says.
    pub name: SegmentName,
    /// Its name below the store's prefix.
    pub key: String,
    /// How long it is.
    pub bytes: u64,
}

/// One object of a host chain in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainPart {
    /// What its name says.
    pub name: ChainName,
    /// Its name below the store's prefix.
    pub key: String,
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
pub trait Store {
    /// The address for messages, credentials removed.
    fn address(&self) -> &str;

    /// The sessions of a stretch of time, ordered by id.
    fn sessions(&self, range: &TimeRange) -> Result<Vec<SessionRef>>;

    /// The segments of one session, ordered by number. Two may have one number; an empty list is no error.
    fn parts(&self, session: &SessionRef) -> Result<Vec<Part>>;

    /// The bytes of a segment, or of a range of it, cut at its end. Without a range at most
    /// [`hansard_schemas::limits::SEGMENT_STORED`] bytes are taken into memory; a longer one is an error.
    fn read(&self, part: &Part, range: Option<Range<u64>>) -> Result<Vec<u8>>;

    /// All chain objects, ordered by chain and first entry.
    fn chains(&self) -> Result<Vec<ChainPart>>;

    /// The bytes of a chain object; one longer than [`hansard_schemas::limits::CHAIN_OBJECT`] is an error.
    fn read_chain(&self, part: &ChainPart) -> Result<Vec<u8>>;

    /// What lies in the store and is neither segment nor chain object: names that do not parse, links,
    /// directories where files belong, what cannot be listed.
    fn foreign(&self) -> Result<Vec<Foreign>>;
}
