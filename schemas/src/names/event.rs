//! Names of lifecycle events in stores (FORMAT.md, NAME-4): what `ls` filters on, without opening anything.
//!
//! A name is a claim of whoever wrote it; the signed chain line inside the event is the evidence.

use chrono::{DateTime, NaiveDateTime, Utc};

use super::{decode, encode, is_hex16, refused};
use crate::{ChainId, Result, SessionId, Timestamp};

/// `20261122T093000.123Z`: sorts as time does.
const TIME: &str = "%Y%m%dT%H%M%S%.3fZ";
/// Length over which the word of an event is none.
const WORD_MAX: usize = 32;

/// Name of a lifecycle event in a store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventName {
    /// When it happened, to the millisecond.
    pub time: DateTime<Utc>,
    /// First 16 hex digits of the chain id.
    pub chain16: String,
    /// How the session is captured, `host` for an event of no session; encoded (NAME-1).
    pub kind: String,
    /// The host, encoded.
    pub host: String,
    /// The user, encoded.
    pub user: String,
    /// The session, or none for an event of the host.
    pub session: Option<SessionId>,
    /// What happened: the last word of the event's type, such as `started`.
    pub event: String,
}

impl EventName {
    /// The name of an event. `kind`, `host` and `user` are as they are, not encoded.
    pub fn new(
        chain: &ChainId,
        session: Option<SessionId>,
        time: Timestamp,
        kind: &str,
        host: &str,
        user: &str,
        event: &str,
    ) -> Self {
        Self::of(&chain.short(), session, time, kind, host, user, event)
    }

    /// The same, where only the first 16 hex digits of the chain id are known.
    pub fn of(
        chain16: &str,
        session: Option<SessionId>,
        time: Timestamp,
        kind: &str,
        host: &str,
        user: &str,
        event: &str,
    ) -> Self {
        let time = DateTime::from_timestamp_millis(time.unix_ms()).unwrap_or_default();
        let [kind, host, user] = [kind, host, user].map(|text| encode(text.as_bytes()));
        Self { time, chain16: chain16.into(), kind, host, user, session, event: event.into() }
    }

    /// Where it lies, without the store's prefix:
    /// `events/2026/11/22/<chain16>/<time>_<kind>_<host>_<user>_<session>.<event>.json`. The date is that of the session,
    /// as for all of its objects; without one it is the event's, and `-` stands for the session.
    pub fn path(&self) -> String {
        let Self { chain16, kind, host, user, event, .. } = self;
        let (day, session) = match self.session {
            Some(session) => (session.time(), session.to_string()),
            None => (self.time, "-".into()),
        };
        let (day, time) = (day.format("%Y/%m/%d"), self.time.format(TIME));
        format!("events/{day}/{chain16}/{time}_{kind}_{host}_{user}_{session}.{event}.json")
    }

    /// Reads a path without the store's prefix.
    pub fn parse(path: &str) -> Result<Self> {
        let read = || {
            let (folder, file) = path.strip_prefix("events/")?.rsplit_once('/')?;
            let chain16 = folder.rsplit_once('/')?.1;
            let mut parts = file.strip_suffix(".json")?.splitn(5, '_');
            let time = NaiveDateTime::parse_from_str(parts.next()?, TIME).ok()?.and_utc();
            let [kind, host, user] = [parts.next()?, parts.next()?, parts.next()?];
            [kind, host, user].iter().all(|part| decode(part).is_ok()).then_some(())?;
            let (session, event) = parts.next()?.split_once('.')?;
            let session = if session == "-" { None } else { Some(session.parse().ok()?) };
            let word = event.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
            (is_hex16(chain16) && word && (1..=WORD_MAX).contains(&event.len())).then_some(())?;
            let [chain16, kind, host, user, event] = [chain16, kind, host, user, event].map(str::to_owned);
            Some(Self { time, chain16, kind, host, user, session, event })
        };
        read().filter(|name| name.path() == path).ok_or_else(|| refused(path))
    }

    /// A component as it was before it was encoded; of one that was cut, what is left of it. Not safe for a terminal.
    pub fn plain(component: &str) -> String {
        match decode(component) {
            Ok(Some(raw)) => String::from_utf8_lossy(&raw).into_owned(),
            _ => component.into(),
        }
    }
}
