//! The log of the host chain, cut into pieces as a store would have them.
//!
//! A log grows at its end. What came since the last look is a piece of its own, so that whoever follows the chain reads and
//! checks each entry once; where the cuts are is remembered here, and no two programs have the same. A line that is not
//! whole yet is left for the next look. Not for reading entries: only the first is looked at, for the chain's id.

use std::collections::HashMap;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;

use hansard_schemas::chain::Entry;
use hansard_schemas::names::ChainName;
use hansard_schemas::spool::{CHAIN, CHAIN_ASIDE, log_first};
use hansard_schemas::{ChainId, limits};
use rustix::fs::FileType;

use super::{list, regular};
use crate::file::beneath;
use crate::{ChainPart, Result, SinkError};

/// Entries in one piece at most, as the recorder ships them.
const ENTRIES: u64 = 512;
/// Bytes in one piece at most: an entry more, and it is still far below what a chain object may have.
const BYTES: u64 = (limits::CHAIN_OBJECT / 2) as u64;

/// The pieces of all logs that were met.
#[derive(Default)]
pub(super) struct Logs(HashMap<String, Log>);

/// One file.
struct Log {
    inode: u64,
    chain: ChainId,
    /// Where each piece begins and ends, and its first and last entry.
    pieces: Vec<(Range<u64>, u64, u64)>,
}

impl Log {
    fn end(&self) -> u64 {
        self.pieces.last().map_or(0, |(range, ..)| range.end)
    }
}

impl Logs {
    /// The pieces of the chains whose ids begin so, as they are now.
    pub fn parts(&mut self, root: &OwnedFd, beginning: &str) -> Result<Vec<ChainPart>> {
        let mut found = Vec::new();
        let items = list(root, "")?.into_iter().filter(|item| item.kind == FileType::Directory);
        let folders = items.filter_map(|item| String::from_utf8(item.name).ok());
        for folder in folders.filter(|name| name == CHAIN || name.starts_with(CHAIN_ASIDE)) {
            let mut chain = None;
            let mut files: Vec<(u64, String)> =
                regular(list(root, &folder)?).filter_map(|name| Some((log_first(&name)?, name))).collect();
            files.sort();
            for (first, name) in files {
                let key = format!("{folder}/{name}");
                match self.look(root, &key, first) {
                    Ok(()) => {}
                    // The folder was put aside meanwhile: it is met under its new name.
                    Err(SinkError::NotThere { .. }) => break,
                    Err(error) => return Err(error),
                }
                let Some(log) = self.0.get(&key) else { break };
                if *chain.get_or_insert(log.chain) != log.chain || !log.chain.short().starts_with(beginning) {
                    break;
                }
                found.extend(log.pieces.iter().map(|(range, first, last)| ChainPart {
                    name: ChainName { chain: log.chain, first: *first, last: *last },
                    key: format!("{key}@{}-{}", range.start, range.end),
                    version: None,
                    bytes: range.end - range.start,
                }));
            }
        }
        found.sort_by_key(|part| (part.name.chain, part.name.first, part.name.last));
        Ok(found)
    }

    /// Takes in what one file has more than before.
    fn look(&mut self, root: &OwnedFd, key: &str, first: u64) -> Result<()> {
        let (mut file, length) = beneath::file(root, key)?;
        let io = |source| SinkError::Io { name: key.into(), action: "read", source };
        let inode = file.metadata().map_err(io)?.ino();
        if self.0.get(key).is_some_and(|log| log.inode != inode || log.end() > length) {
            self.0.remove(key);
        }
        let from = self.0.get(key).map_or(0, Log::end);
        if from == length {
            return Ok(());
        }
        file.seek(SeekFrom::Start(from)).map_err(io)?;
        let mut bytes = Vec::new();
        file.take(length - from).read_to_end(&mut bytes).map_err(io)?;
        let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")).peekable();
        let Some(line) = lines.peek() else { return Ok(()) };
        if !self.0.contains_key(key) {
            let entry = Entry::parse(line).map_err(|error| SinkError::Io {
                name: key.into(),
                action: "read the host chain in",
                source: std::io::Error::other(error),
            })?;
            self.0.insert(key.to_owned(), Log { inode, chain: entry.chain, pieces: Vec::new() });
        }
        let Some(log) = self.0.get_mut(key) else { return Ok(()) };
        let (mut begin, mut seq) = (from, log.pieces.last().map_or(first, |(.., last)| last + 1));
        let (mut end, mut last) = (begin, seq);
        while let Some(line) = lines.next() {
            end += line.len() as u64;
            if last + 1 - seq >= ENTRIES || end - begin >= BYTES || lines.peek().is_none() {
                log.pieces.push((begin..end, seq, last));
                (begin, seq) = (end, last + 1);
            }
            last += 1;
        }
        Ok(())
    }
}

/// The file and the stretch of it that a key names.
pub(super) fn place(key: &str) -> Result<(&str, Range<u64>)> {
    let parsed = || {
        let (file, range) = key.rsplit_once('@')?;
        let (start, end) = range.split_once('-')?;
        Some((file, start.parse().ok()?..end.parse().ok()?))
    };
    parsed().ok_or_else(|| SinkError::BadName { name: key.into(), why: "no piece of a chain's log" })
}
