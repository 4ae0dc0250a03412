//! A recorder's spool as a store: what of its sessions has not left the host, and what is being written this moment.
//!
//! `spool:///var/lib/hansard/spool`. For whoever may read the spool, which is its owner and root; a link that somebody put
//! into it is not followed. It is only looked at: no lock is taken, nothing is written, and the recorder does not notice.
//! Segments pass through here ([`Store::is_passage`]): what every sink has goes, and files come and go between two calls.
//! `chains` is the host's chain. How the files lie is `hansard_schemas::spool`; not for judging what is in them.

mod chains;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use hansard_schemas::names::SegmentName;
use hansard_schemas::spool::{ABOUT, About, SESSIONS, STARTED, SegmentFile, event_file, waiting_event};
use hansard_schemas::{SessionId, limits};
use rustix::fs::FileType;

use self::chains::Logs;
use crate::file::beneath::{self, Item};
use crate::{
    Address, ChainPart, EventPart, Foreign, Growing, Part, Result, SessionRef, SinkError, Store, TimeRange, file,
};

/// Longest `about.json` that is read.
const ABOUT_MAX: u64 = 1 << 20;

/// A spool that is read.
pub struct SpoolStore {
    root: PathBuf,
    address: String,
    /// The chains of the sessions that were there before: a folder's does not change, and a host has thousands.
    chains_of: Mutex<HashMap<SessionId, Option<String>>>,
    logs: Mutex<Logs>,
}

impl SpoolStore {
    /// From an address.
    pub fn open(address: &Address) -> Result<Self> {
        let root = file::path_of(address)?;
        Ok(Self { root, address: address.to_string(), chains_of: Mutex::default(), logs: Mutex::default() })
    }

    fn opened(&self) -> Result<OwnedFd> {
        beneath::root(&self.root, &self.address)
    }

    /// The folders of sessions, and of what is reported without one.
    fn folders(root: &OwnedFd) -> Result<Vec<SessionId>> {
        let items = list(root, SESSIONS)?.into_iter().filter(|item| item.kind == FileType::Directory);
        Ok(items.filter_map(|item| std::str::from_utf8(&item.name).ok()?.parse().ok()).collect())
    }

    /// The chain that a session's folder names; `None` where there is no session, or none yet.
    fn chain16(&self, root: &OwnedFd, session: SessionId) -> Result<Option<String>> {
        let known = || self.chains_of.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(chain16) = known().get(&session) {
            return Ok(chain16.clone());
        }
        let chain16 = match beneath::read(root, &format!("{SESSIONS}/{session}/{ABOUT}"), None, ABOUT_MAX) {
            Ok(bytes) => match About::parse(&bytes) {
                Ok(about) => (!about.notice).then(|| about.chain.short()),
                Err(_) => return Ok(None),
            },
            // It is written a moment after its folder, and goes with it.
            Err(SinkError::NotThere { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        known().insert(session, chain16.clone());
        Ok(chain16)
    }

    /// What lies in the folder of a session; nothing when it has gone, or is another's.
    fn files(&self, root: &OwnedFd, session: &SessionRef) -> Result<Vec<String>> {
        if self.chain16(root, session.session)?.as_deref() != Some(&session.chain16) {
            return Ok(Vec::new());
        }
        let items = list(root, &format!("{SESSIONS}/{}", session.session))?;
        Ok(regular(items).collect())
    }

    /// The events that wait in a session's folder: name in a store, key, length of the document.
    fn events_in(root: &OwnedFd, session: SessionId, range: &TimeRange, found: &mut Vec<EventPart>) -> Result<()> {
        let folder = format!("{SESSIONS}/{session}");
        let files: Vec<String> = regular(list(root, &folder)?).collect();
        let events = files.iter().filter_map(|name| Some((name, event_file(name)?.1)));
        // Its document is not there yet; that it has started is, for a listing.
        if events.clone().all(|(_, word)| word != STARTED) {
            let key = format!("{folder}/{ABOUT}");
            let about = beneath::read(root, &key, None, ABOUT_MAX).ok().and_then(|bytes| About::parse(&bytes).ok());
            let name = about.and_then(|about| about.started()).filter(|name| range.contains_event(name));
            found.extend(name.map(|name| EventPart { name, key, bytes: 0 }));
        }
        for (name, _) in events {
            let key = format!("{folder}/{name}");
            // One that everybody has by now has gone; one that does not parse is none.
            let Ok(bytes) = beneath::read(root, &key, None, EVENT_FILE) else { continue };
            let Ok((name, document)) = waiting_event(&bytes) else { continue };
            if range.contains_event(&name) {
                found.push(EventPart { name, key, bytes: document.len() as u64 });
            }
        }
        Ok(())
    }
}

/// Longest file of an event: its name stands before it.
const EVENT_FILE: u64 = limits::EVENT_DOCUMENT as u64 + (4 << 10);

/// A directory; empty when it has gone, or was never there.
fn list(root: &OwnedFd, name: &str) -> Result<Vec<Item>> {
    match beneath::directory(root, name).and_then(|directory| beneath::list(&directory, name)) {
        Err(SinkError::NotThere { .. }) => Ok(Vec::new()),
        other => other,
    }
}

/// The files among items.
fn regular(items: Vec<Item>) -> impl Iterator<Item = String> {
    let files = items.into_iter().filter(|item| item.kind == FileType::RegularFile);
    files.filter_map(|item| String::from_utf8(item.name).ok())
}

impl Store for SpoolStore {
    fn address(&self) -> &str {
        &self.address
    }

    fn sessions(&self, range: &TimeRange) -> Result<Vec<SessionRef>> {
        let root = self.opened()?;
        let mut found = Vec::new();
        let there = Self::folders(&root)?;
        for session in there.iter().copied().filter(|session| range.contains(*session)) {
            found.extend(self.chain16(&root, session)?.map(|chain16| SessionRef { session, chain16 }));
        }
        let mut known = self.chains_of.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() > there.len() {
            let there: HashSet<SessionId> = there.into_iter().collect();
            known.retain(|session, _| there.contains(session));
        }
        found.sort();
        Ok(found)
    }

    fn parts(&self, session: &SessionRef) -> Result<Vec<Part>> {
        let root = self.opened()?;
        let folder = format!("{SESSIONS}/{}", session.session);
        let mut parts = Vec::new();
        let files = self.files(&root, session)?;
        let Ok(directory) = beneath::directory(&root, &folder) else { return Ok(parts) };
        for file in files {
            let Some(SegmentFile::Closed(number, digest16)) = SegmentFile::parse(&file) else { continue };
            let name = SegmentName {
                chain16: session.chain16.clone(),
                session: session.session,
                number,
                digest16: digest16.to_owned(),
            };
            let bytes = beneath::length(&directory, &file);
            parts.push(Part { name, key: format!("{folder}/{file}"), version: None, bytes });
        }
        parts.sort_by(|a, b| (a.name.number, &a.key).cmp(&(b.name.number, &b.key)));
        Ok(parts)
    }

    fn read(&self, part: &Part, range: Option<Range<u64>>) -> Result<Vec<u8>> {
        beneath::read(&self.opened()?, &part.key, range, limits::SEGMENT_STORED)
    }

    fn chains(&self) -> Result<Vec<ChainPart>> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner).parts(&self.opened()?, "")
    }

    fn chains_of(&self, chain16: &str) -> Result<Vec<ChainPart>> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner).parts(&self.opened()?, chain16)
    }

    fn read_chain(&self, part: &ChainPart) -> Result<Vec<u8>> {
        let (key, range) = chains::place(&part.key)?;
        beneath::read(&self.opened()?, key, Some(range), limits::CHAIN_OBJECT as u64)
    }

    fn events(&self, range: &TimeRange) -> Result<Vec<EventPart>> {
        let root = self.opened()?;
        let mut found = Vec::new();
        for session in Self::folders(&root)? {
            Self::events_in(&root, session, range, &mut found)?;
        }
        found.sort_by_key(|part| part.name.path());
        Ok(found)
    }

    fn read_event(&self, part: &EventPart) -> Result<Vec<u8>> {
        let gone = || SinkError::NotThere { name: part.key.clone() };
        if part.key.ends_with(ABOUT) {
            return Err(gone());
        }
        let bytes = beneath::read(&self.opened()?, &part.key, None, EVENT_FILE)?;
        waiting_event(&bytes).map(|(_, document)| document.to_vec()).map_err(|_| gone())
    }

    /// What else lies in a spool is its recorder's business.
    fn foreign(&self) -> Result<Vec<Foreign>> {
        Ok(Vec::new())
    }

    fn is_passage(&self) -> bool {
        true
    }

    fn growing(&self, session: &SessionRef, number: u32) -> Result<Option<Growing>> {
        let root = self.opened()?;
        if self.chain16(&root, session.session)?.as_deref() != Some(&session.chain16) {
            return Ok(None);
        }
        let key = format!("{SESSIONS}/{}/{number:06}.journal", session.session);
        match beneath::read(&root, &key, None, limits::SEGMENT_STORED) {
            Ok(bytes) => Ok(Some(Growing { number, bytes })),
            Err(SinkError::NotThere { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
