//! Reading a bucket that anyone may have written to: every version of a segment, so that nothing is hidden by what was
//! put over it or marked as deleted. The names are claims.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::AtomicBool;

use aws_sdk_s3::error::SdkError;
use chrono::{Months, NaiveDate, NaiveTime};
use hansard_schemas::names::{ChainName, EventName, SegmentName, foreign};
use hansard_schemas::{SessionId, limits};

use super::client::Connection;
use super::errors::{failed, status};
use super::key;
use super::list::{Item, Lister, Of, is_digit, last};
use super::options::Options;
use crate::parallel::{REQUESTS, each};
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

    /// The dated folders below `top` that can hold something of the range.
    fn days(&self, top: &str, range: &TimeRange) -> Result<Vec<String>> {
        let mut folders = vec![format!("{top}/")];
        for digits in [4, 2, 2] {
            folders = numbered(self.lister().folders(&folders)?, digits).filter(|one| may_hold(one, range)).collect();
        }
        Ok(folders)
    }

    /// Everything that is there now, some of it twice: dated folders and chains in parts side by side.
    fn everything(&self) -> Result<Vec<Item>> {
        let lister = self.lister();
        let (mut found, mut flat, mut by_chain) = (Vec::new(), Vec::new(), Vec::new());
        let mut level = vec![String::new()];
        for depth in 0..=3 {
            let mut next = Vec::new();
            for listing in each(&level, REQUESTS, |under| lister.now(under, true))? {
                found.extend(listing.items);
                for folder in listing.folders {
                    match depth {
                        0 if folder == "chains/" => by_chain.push(folder),
                        0 if matches!(&*folder, "segments/" | "events/") => next.push(folder),
                        1 if is_number(last(&folder), 4) => next.push(folder),
                        2 if is_number(last(&folder), 2) => next.push(folder),
                        3 if is_number(last(&folder), 2) => by_chain.push(folder),
                        _ => flat.push(folder),
                    }
                }
            }
            level = next;
        }
        found.extend(lister.all_of_chains(&by_chain, Of::Now)?);
        // What lies beside the chains, and begins with none of their digits.
        let beside = each(&by_chain, REQUESTS, |under| lister.now(under, true))?;
        for (under, listing) in by_chain.iter().zip(beside) {
            let is_listed = |folder: &str| folder.strip_prefix(under).is_some_and(|name| name.starts_with(is_digit));
            found.extend(listing.items);
            flat.extend(listing.folders.into_iter().filter(|folder| !is_listed(folder)));
        }
        each(&flat, REQUESTS, |under| lister.all(under, Of::Now))?.into_iter().for_each(|items| found.extend(items));
        Ok(found)
    }

    /// The chain objects whose names begin so.
    fn chains_under(&self, under: &str) -> Result<Vec<ChainPart>> {
        let items = self.lister().all_of_chains(&[under.to_owned()], Of::Versions)?;
        let mut parts: Vec<ChainPart> = items
            .into_iter()
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
        let header = range.as_ref().map(|range| format!("bytes={}-{}", range.start, range.end - 1));
        let wanted = end.saturating_sub(start).min(limit);
        let version = version.map(str::to_owned);
        let broke_off = |body: &Body| matches!(body, Body::BrokeOff);
        let answer = self.connection.ask(name, "read", wanted, broke_off, |client, options| {
            let request = client.get_object().bucket(options.bucket).key(&key).set_version_id(version.clone());
            let request = request.set_range(header.clone());
            async move {
                let object = request.send().await?;
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
            }
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

/// Whether a dated folder, of a year, a month or a day, can hold something of the range.
fn may_hold(folder: &str, range: &TimeRange) -> bool {
    let mut numbers = folder.split('/').skip(1).map_while(|number| number.parse::<u32>().ok());
    let year = numbers.next().and_then(|year| i32::try_from(year).ok());
    let (month, day) = (numbers.next(), numbers.next());
    let first = year.and_then(|year| NaiveDate::from_ymd_opt(year, month.unwrap_or(1), day.unwrap_or(1)));
    let Some(first) = first else { return false };
    let length = match (month, day) {
        (None, _) => Months::new(12),
        (_, None) => Months::new(1),
        _ => return range.touches(first),
    };
    let midnight = |date: NaiveDate| date.and_time(NaiveTime::MIN).and_utc();
    let ends_before = |from| first.checked_add_months(length).is_some_and(|end| midnight(end) <= from);
    !range.from.is_some_and(ends_before) && range.until.is_none_or(|until| midnight(first) < until)
}

/// The session that a key below `segments/` is of, if it lies under that session's day and belongs to the range.
fn session_of(key: &str, range: &TimeRange) -> Option<SessionRef> {
    let mut parts = key.split('/').skip(4);
    let (chain16, session) = (parts.next()?, parts.next()?.parse::<SessionId>().ok()?);
    let found = SessionRef { session, chain16: chain16.to_owned() };
    // Something is in its folder.
    parts.next()?;
    let folder = found.folder()?;
    (key.starts_with(&folder) && range.contains(session)).then_some(found)
}

/// The segment that an object is, by its name.
fn part(item: Item) -> Option<Part> {
    let name = SegmentName::parse(&item.key).ok()?;
    Some(Part { name, key: item.key, version: item.version, bytes: item.bytes })
}

/// The segments of a session.
fn ordered(parts: impl IntoIterator<Item = Part>) -> Vec<Part> {
    let mut parts: Vec<Part> = parts.into_iter().collect();
    parts.sort_by(|a, b| (a.name.number, &a.key, &a.version).cmp(&(b.name.number, &b.key, &b.version)));
    parts
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
        let lister = self.lister();
        let days = self.days("segments", range)?;
        let (mut found, mut longer) = (Vec::new(), Vec::new());
        for (day, page) in days.iter().zip(lister.pages(&days, Of::Now)?) {
            match page {
                Some(items) => found.extend(items.iter().filter_map(|item| session_of(&item.key, range))),
                None => longer.push(day.clone()),
            }
        }
        // Where there is more than a page, folders: a session has one, whatever the number of its segments.
        let chains = lister.folders(&longer)?.into_iter().filter(|chain| is_short_chain(last(chain)));
        let sessions = lister.folders(&chains.collect::<Vec<_>>())?;
        found.extend(sessions.iter().filter_map(|folder| session_of(folder, range)));
        found.sort();
        found.dedup();
        Ok(found)
    }

    fn parts(&self, session: &SessionRef) -> Result<Vec<Part>> {
        let Some(folder) = session.folder() else { return Ok(Vec::new()) };
        let items = self.lister().all(&format!("{folder}/"), Of::Versions)?;
        Ok(ordered(items.into_iter().filter_map(part)))
    }

    fn parts_of_all(&self, range: &TimeRange) -> Result<Vec<(SessionRef, Vec<Part>)>> {
        // With each session whether something of it is there now: what is only remembered is listed nowhere else either.
        let mut sessions: BTreeMap<SessionRef, (bool, Vec<Part>)> = BTreeMap::new();
        for item in self.lister().all_of_chains(&self.days("segments", range)?, Of::Versions)? {
            let Some(session) = session_of(&item.key, range) else { continue };
            let (is_there, parts) = sessions.entry(session).or_default();
            *is_there |= item.latest;
            parts.extend(part(item));
        }
        let there = sessions.into_iter().filter(|(_, (is_there, _))| *is_there);
        Ok(there.map(|(session, (_, parts))| (session, ordered(parts))).collect())
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
        let items = self.lister().all_of_chains(&self.days("events", range)?, Of::Now)?.into_iter();
        let events = items.filter_map(|item| {
            let name = EventName::parse(&item.key).ok().filter(|name| range.contains_event(name))?;
            Some(EventPart { name, key: item.key, bytes: item.bytes })
        });
        let mut found: Vec<EventPart> = events.collect();
        found.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(found)
    }

    fn read_event(&self, part: &EventPart) -> Result<Vec<u8>> {
        self.get(&part.key, None, None, limits::EVENT_DOCUMENT as u64)
    }

    fn foreign(&self) -> Result<Vec<Foreign>> {
        let items = self.everything()?.into_iter();
        let mut found: Vec<Foreign> =
            items.filter_map(|item| Some(Foreign { why: foreign(&item.key)?.into(), key: item.key })).collect();
        found.sort();
        found.dedup();
        Ok(found)
    }
}
