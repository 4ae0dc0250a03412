//! Reading a directory that anyone may have written to.
//!
//! Listing walks the dated directories of FORMAT.md, section 10, and takes only names that parse; the rest is for
//! [`Store::foreign`]. Not for judging content: the names here are claims.

use std::ops::Range;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use chrono::NaiveDate;
use hansard_schemas::names::{ChainName, EventName, SegmentName, foreign};
use hansard_schemas::{SessionId, limits};
use rustix::fs::FileType;

use super::beneath::{self, Item};
use super::{UNFINISHED, of_path};
use crate::{
    Address, ChainPart, EventPart, Foreign, Part, Result, SessionRef, SinkError, Store, TimeRange, is_number,
    is_short_chain,
};

/// Below the root: the deepest object lies seven levels down. Deeper is foreign, and not walked.
const DEPTH: usize = 7;

/// The directories of the root.
const ROOTS: [&str; 4] = ["segments", "chains", "events", "probes"];

/// A directory that is read.
pub struct FileStore {
    root: PathBuf,
    address: String,
}

impl FileStore {
    /// A store over `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self { address: of_path(&root), root }
    }

    /// The same, from an address.
    pub fn open(address: &Address) -> Result<Self> {
        Ok(Self { address: address.to_string(), root: super::path_of(address)? })
    }

    fn opened(&self) -> Result<OwnedFd> {
        beneath::root(&self.root, &self.address)
    }

    fn read(&self, key: &str, range: Option<Range<u64>>, limit: u64) -> Result<Vec<u8>> {
        beneath::read(&self.opened()?, key, range, limit)
    }

    /// The objects of the chains whose ids begin so.
    fn chains_like(&self, beginning: &str) -> Result<Vec<ChainPart>> {
        let root = self.opened()?;
        let mut found = Vec::new();
        for chain in directories(list(&root, "chains")?).filter(|chain| chain.starts_with(beginning)) {
            let directory = format!("chains/{chain}");
            let items = list(&root, &directory)?;
            let Ok(folder) = beneath::directory(&root, &directory) else { continue };
            for item in items {
                let Ok(text) = String::from_utf8(item.name) else { continue };
                let key = format!("{directory}/{text}");
                let (Ok(name), FileType::RegularFile) = (ChainName::parse(&key), item.kind) else { continue };
                let bytes = beneath::length(&folder, &text);
                found.push(ChainPart { name, key, version: None, bytes });
            }
        }
        found.sort_by_key(|part| (part.name.chain, part.name.first, part.name.last));
        Ok(found)
    }

    fn walk(root: &OwnedFd, name: &str, depth: usize, found: &mut Vec<Foreign>) {
        let items = match beneath::directory(root, name).and_then(|d| beneath::list(&d, name)) {
            Ok(items) => items,
            Err(e) => return found.push(Foreign { key: name.into(), why: e.to_string() }),
        };
        for item in items {
            // A name that is not UTF-8 is printed with U+FFFD and never opened.
            let text = String::from_utf8_lossy(&item.name);
            let key = if name.is_empty() { text.to_string() } else { format!("{name}/{text}") };
            if std::str::from_utf8(&item.name).is_err() {
                found.push(Foreign { key, why: "a name that is not UTF-8".into() });
            } else if item.kind == FileType::Directory {
                if depth == 0 || (name.is_empty() && !ROOTS.contains(&key.as_str())) {
                    found.push(Foreign { key, why: "a directory that does not belong here".into() });
                } else if foreign(&key).is_none() {
                    found.push(Foreign { key, why: "a directory, not a file".into() });
                } else {
                    Self::walk(root, &key, depth - 1, found);
                }
            } else if item.kind != FileType::RegularFile {
                found.push(Foreign { key, why: format!("{}, not a file", beneath::what(item.kind)) });
            } else if item.name.starts_with(UNFINISHED.as_bytes()) {
                found.push(Foreign { key, why: "left by a write that was not finished".into() });
            } else if let Some(why) = foreign(&key) {
                found.push(Foreign { key, why: why.into() });
            }
        }
    }
}

/// The directories among `items` whose names are `digits` decimal digits.
fn numbers(items: Vec<Item>, digits: usize) -> impl Iterator<Item = (String, u32)> {
    directories(items)
        .filter_map(move |name| is_number(&name, digits).then(|| name.parse().ok().map(|n| (name, n))).flatten())
}

/// The dated directories below `top` that can hold something of the range.
fn days(root: &OwnedFd, top: &str, range: &TimeRange) -> Result<Vec<(String, NaiveDate)>> {
    let mut found = Vec::new();
    for (year, y) in numbers(list(root, top)?, 4) {
        let year = format!("{top}/{year}");
        for (month, m) in numbers(list(root, &year)?, 2) {
            let month = format!("{year}/{month}");
            for (day, d) in numbers(list(root, &month)?, 2) {
                let date = i32::try_from(y).ok().and_then(|y| NaiveDate::from_ymd_opt(y, m, d));
                found.extend(date.filter(|date| range.touches(*date)).map(|date| (format!("{month}/{day}"), date)));
            }
        }
    }
    Ok(found)
}

fn directories(items: Vec<Item>) -> impl Iterator<Item = String> {
    let items = items.into_iter().filter(|i| i.kind == FileType::Directory);
    items.filter_map(|i| String::from_utf8(i.name).ok())
}

/// Lists a directory; one that is missing or is something else is empty, and [`Store::foreign`] says why.
fn list(root: &OwnedFd, name: &str) -> Result<Vec<Item>> {
    match beneath::directory(root, name).and_then(|d| beneath::list(&d, name)) {
        Err(e) if matches!(&e, SinkError::Io { source, .. } if transient(source)) => Err(e),
        Err(_) => Ok(Vec::new()),
        items => items,
    }
}

/// What may go away: then a short list would be a lie. A directory that is closed to us is reported as foreign.
fn transient(error: &std::io::Error) -> bool {
    !matches!(error.kind(), std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::NotADirectory)
}

/// The last component of a key.
fn last(key: &str) -> &str {
    key.rsplit_once('/').map_or(key, |(_, last)| last)
}

/// The segment that an item of a session's directory is, by its name.
fn segment(directory: &str, item: Item) -> Option<(SegmentName, String)> {
    let key = format!("{directory}/{}", String::from_utf8(item.name).ok()?);
    let name = SegmentName::parse(&key).ok().filter(|_| item.kind == FileType::RegularFile)?;
    Some((name, key))
}

impl Store for FileStore {
    fn address(&self) -> &str {
        &self.address
    }

    fn sessions(&self, range: &TimeRange) -> Result<Vec<SessionRef>> {
        let root = self.opened()?;
        let mut found = Vec::new();
        for (day, date) in days(&root, "segments", range)? {
            for chain16 in directories(list(&root, &day)?).filter(|n| is_short_chain(n)) {
                for name in directories(list(&root, &format!("{day}/{chain16}"))?) {
                    let Ok(session) = name.parse::<SessionId>() else { continue };
                    if session.time().date_naive() != date || !range.contains(session) {
                        continue;
                    }
                    // A folder without a segment is what a writer leaves that dies before its first one.
                    let folder = format!("{day}/{chain16}/{name}");
                    if list(&root, &folder)?.into_iter().any(|item| segment(&folder, item).is_some()) {
                        found.push(SessionRef { session, chain16: chain16.clone() });
                    }
                }
            }
        }
        found.sort();
        Ok(found)
    }

    fn parts(&self, session: &SessionRef) -> Result<Vec<Part>> {
        let Some(directory) = session.folder() else { return Ok(Vec::new()) };
        let root = self.opened()?;
        let items = list(&root, &directory)?;
        let Ok(folder) = beneath::directory(&root, &directory) else { return Ok(Vec::new()) };
        let segments = items.into_iter().filter_map(|item| segment(&directory, item));
        let mut parts: Vec<Part> = segments
            .map(|(name, key)| Part { bytes: beneath::length(&folder, last(&key)), name, key, version: None })
            .collect();
        parts.sort_by(|a, b| (a.name.number, &a.key).cmp(&(b.name.number, &b.key)));
        Ok(parts)
    }

    fn read(&self, part: &Part, range: Option<Range<u64>>) -> Result<Vec<u8>> {
        self.read(&part.key, range, limits::SEGMENT_STORED)
    }

    fn chains(&self) -> Result<Vec<ChainPart>> {
        self.chains_like("")
    }

    fn chains_of(&self, chain16: &str) -> Result<Vec<ChainPart>> {
        if is_short_chain(chain16) { self.chains_like(chain16) } else { Ok(Vec::new()) }
    }

    fn read_chain(&self, part: &ChainPart) -> Result<Vec<u8>> {
        self.read(&part.key, None, limits::CHAIN_OBJECT as u64)
    }

    fn events(&self, range: &TimeRange) -> Result<Vec<EventPart>> {
        let root = self.opened()?;
        let mut found = Vec::new();
        for (day, _) in days(&root, "events", range)? {
            for chain16 in directories(list(&root, &day)?).filter(|n| is_short_chain(n)) {
                let directory = format!("{day}/{chain16}");
                let items = list(&root, &directory)?;
                let Ok(folder) = beneath::directory(&root, &directory) else { continue };
                for item in items.into_iter().filter(|item| item.kind == FileType::RegularFile) {
                    let Ok(text) = String::from_utf8(item.name) else { continue };
                    let key = format!("{directory}/{text}");
                    let Ok(name) = EventName::parse(&key) else { continue };
                    if range.contains_event(&name) {
                        found.push(EventPart { name, bytes: beneath::length(&folder, &text), key });
                    }
                }
            }
        }
        found.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(found)
    }

    fn read_event(&self, part: &EventPart) -> Result<Vec<u8>> {
        self.read(&part.key, None, limits::EVENT_DOCUMENT as u64)
    }

    fn foreign(&self) -> Result<Vec<Foreign>> {
        let mut found = Vec::new();
        Self::walk(&self.opened()?, "", DEPTH, &mut found);
        found.sort();
        Ok(found)
    }
}
