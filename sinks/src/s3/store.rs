//! Reading a bucket that anyone may have written to: every version of a segment, so that nothing is hidden by what was
//! put over it or marked as deleted. The names are claims.

use std::ops::Range;
use std::sync::atomic::AtomicBool;

use aws_sdk_s3::error::SdkError;
use chrono::NaiveDate;
use hansard_schemas::names::{ChainName, EventName, SegmentName, foreign};
use hansard_schemas::{SessionId, limits};

use super::client::Connection;
use super::errors::{failed, status};
use super::key;
use super::list::{Lister, last};
use super::options::Options;
use crate::{
    Address, ChainPart, Class, EventPart, Foreign, Part, Result, SessionRef, SinkError, Store, TimeRange, is_number,
    is_short_chain,
};

/// A bucket that is read.
pub struct S3Store {
    connection: Connection,
    unversioned: AtomicBool,
}

/// What reading an object gave.
enum Body {
    Whole(Vec<u8>),
    TooLong(u64),
    BrokeOff,
}

impl S3Store {
    /// A store for an address. Nothing is connected yet.
    pub fn open(address: &Address) -> Result<Self> {
        Ok(Self { connection: Connection::new(Options::of(address)?), unversioned: AtomicBool::new(false) })
    }

    fn lister(&self) -> Lister<'_> {
        Lister { connection: &self.connection, unversioned: &self.unversioned }
    }

    fn folders(&self, under: &str) -> Result<Vec<String>> {
        Ok(self.lister().now(under, true)?.folders)
    }

    /// The dated folders below `top` that can hold something of the range.
    fn days(&self, top: &str, range: &TimeRange) -> Result<Vec<(String, NaiveDate)>> {
        let mut found = Vec::new();
        for year in numbered(self.folders(&format!("{top}/"))?, 4) {
            for month in numbered(self.folders(&year)?, 2) {
                for day in numbered(self.folders(&month)?, 2) {
                    let text = day.trim_end_matches('/').strip_prefix(top).unwrap_or_default();
                    let date = NaiveDate::parse_from_str(text, "/%Y/%m/%d").ok();
                    found.extend(date.filter(|date| range.touches(*date)).map(|date| (day, date)));
                }
            }
        }
        Ok(found)
    }

    /// The chain objects whose names begin so.
    fn chains_under(&self, under: &str) -> Result<Vec<ChainPart>> {
        let items = self.lister().versions(under)?.into_iter();
        let mut parts: Vec<ChainPart> = items
            .filter_map(|item| {
                let name = ChainName::parse(&item.key).ok()?;
                Some(ChainPart { name, key: item.key, version: item.version, bytes: item.bytes })
            })
            .collect();
        parts.sort_by(|a, b| {
            let of = |part: &ChainPart| (part.name.chain, part.name.first, part.name.last);
            of(a).cmp(&of(b)).then_with(|| a.version.cmp(&b.version))
        });
        Ok(parts)
    }

    fn get(&self, name: &str, version: Option<&str>, range: Option<Range<u64>>, limit: u64) -> Result<Vec<u8>> {
        let key = key(&self.connection.options.prefix, name)?;
        let range = match range {
            Some(range) if range.start >= range.end => return Ok(Vec::new()),
            other => other,
        };
        let (start, end) = range.as_ref().map_or((0, u64::MAX), |range| (range.start, range.end));
        let header = range.map(|range| format!("bytes={}-{}", range.start, range.end - 1));
        let wanted = end.saturating_sub(start).min(limit);
        let version = version.map(str::to_owned);
        let answer = self.connection.answer(name, "read", wanted, |client, options| async move {
            let request = client.get_object().bucket(options.bucket).key(key).set_version_id(version);
            let object = request.set_range(header).send().await?;
            // A server may not know ranges.
            let mut skip = if object.content_range().is_none() { start } else { 0 };
            let length = object.content_length().and_then(|length| u64::try_from(length).ok()).unwrap_or(0);
            let expected = length.saturating_sub(skip).min(end.saturating_sub(start));
            if expected > limit {
                return Ok(Body::TooLong(expected));
            }
            let (mut body, mut bytes) = (object.body, Vec::new());
            while let Some(piece) = body.next().await {
                let Ok(piece) = piece else { return Ok(Body::BrokeOff) };
                let cut = usize::try_from(skip).map_or(piece.len(), |skip| skip.min(piece.len()));
                skip -= cut as u64;
                bytes.extend_from_slice(&piece[cut..]);
                if bytes.len() as u64 >= expected {
                    break;
                }
            }
            if (bytes.len() as u64) < expected {
                return Ok(Body::BrokeOff);
            }
            bytes.truncate(usize::try_from(expected).unwrap_or(usize::MAX));
            Ok::<_, SdkError<_>>(Body::Whole(bytes))
        })?;
        match answer {
            Ok(Body::Whole(bytes)) => Ok(bytes),
            Ok(Body::TooLong(bytes)) => Err(SinkError::TooLarge { name: name.into(), bytes, limit }),
            Ok(Body::BrokeOff) => Err(SinkError::Remote {
                name: name.into(),
                action: "read",
                why: "the answer broke off".into(),
                class: Class::Retry,
                hint: None,
                retry_after: None,
            }),
            // The range begins behind the end.
            Err(error) if status(&error) == 416 => Ok(Vec::new()),
            Err(error) => Err(failed(name, "read", &error)),
        }
    }
}

/// Folders whose last component is `digits` decimal digits.
fn numbered(folders: Vec<String>, digits: usize) -> impl Iterator<Item = String> {
    folders.into_iter().filter(move |folder| is_number(last(folder), digits))
}

impl Store for S3Store {
    fn address(&self) -> &str {
        &self.connection.options.address
    }

    fn sessions(&self, range: &TimeRange) -> Result<Vec<SessionRef>> {
        let mut found = Vec::new();
        for (day, date) in self.days("segments", range)? {
            for chain in self.folders(&day)? {
                let chain16 = last(&chain).to_owned();
                if !is_short_chain(&chain16) {
                    continue;
                }
                for folder in self.folders(&chain)? {
                    let Ok(session) = last(&folder).parse::<SessionId>() else { continue };
                    if session.time().date_naive() == date && range.contains(session) {
                        found.push(SessionRef { session, chain16: chain16.clone() });
                    }
                }
            }
        }
        found.sort();
        Ok(found)
    }

    fn parts(&self, session: &SessionRef) -> Result<Vec<Part>> {
        let Some(folder) = session.folder() else { return Ok(Vec::new()) };
        let items = self.lister().versions(&format!("{folder}/"))?.into_iter();
        let mut parts: Vec<Part> = items
            .filter_map(|item| {
                let name = SegmentName::parse(&item.key).ok()?;
                Some(Part { name, key: item.key, version: item.version, bytes: item.bytes })
            })
            .collect();
        parts.sort_by(|a, b| (a.name.number, &a.key, &a.version).cmp(&(b.name.number, &b.key, &b.version)));
        Ok(parts)
    }

    fn read(&self, part: &Part, range: Option<Range<u64>>) -> Result<Vec<u8>> {
        self.get(&part.key, part.version.as_deref(), range, limits::SEGMENT_STORED)
    }

    fn chains(&self) -> Result<Vec<ChainPart>> {
        self.chains_under("chains/")
    }

    fn chains_of(&self, chain16: &str) -> Result<Vec<ChainPart>> {
        if is_short_chain(chain16) { self.chains_under(&format!("chains/{chain16}")) } else { Ok(Vec::new()) }
    }

    fn read_chain(&self, part: &ChainPart) -> Result<Vec<u8>> {
        self.get(&part.key, part.version.as_deref(), None, limits::CHAIN_OBJECT as u64)
    }

    fn events(&self, range: &TimeRange) -> Result<Vec<EventPart>> {
        let mut found = Vec::new();
        for (day, _) in self.days("events", range)? {
            for item in self.lister().now(&day, false)?.items {
                let Ok(name) = EventName::parse(&item.key) else { continue };
                if range.contains_event(&name) {
                    found.push(EventPart { name, key: item.key, bytes: item.bytes });
                }
            }
        }
        found.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(found)
    }

    fn read_event(&self, part: &EventPart) -> Result<Vec<u8>> {
        self.get(&part.key, None, None, limits::EVENT_DOCUMENT as u64)
    }

    fn foreign(&self) -> Result<Vec<Foreign>> {
        let items = self.lister().now("", false)?.items.into_iter();
        let mut found: Vec<Foreign> =
            items.filter_map(|item| Some(Foreign { why: foreign(&item.key)?.into(), key: item.key })).collect();
        found.sort();
        Ok(found)
    }
}
