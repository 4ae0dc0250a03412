//! The entries of a chain on disk: append-only files of lines, for delivery and recovery.
//!
//! Each file holds up to [`PER_FILE`] entries and is named by the first. The state file is ahead of the log by what it
//! holds at most; a torn last line is cut off and written again from there. Where the log ends is remembered, because it
//! is asked for each entry and a file has megabytes. Not for keys: only the state has one.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use hansard_schemas::chain::Entry;
use hansard_schemas::spool::{LOG_ENTRIES as PER_FILE, log_first, log_name};

/// How the last file was found.
#[derive(Debug, Clone, Copy)]
struct Tail {
    /// Number of its first entry.
    first: u64,
    /// Its length, all of it whole lines.
    bytes: u64,
    /// Number of the entry behind it.
    next: u64,
}

/// Read backwards at first for each line that is wanted: most entries are shorter.
const LINE_GUESS: u64 = 1 << 10;

/// The log of one chain.
#[derive(Debug, Clone)]
pub struct Log {
    dir: PathBuf,
    tail: Arc<Mutex<Option<Tail>>>,
}

impl Log {
    /// The log in this directory.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), tail: Arc::default() }
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn file(&self, seq: u64) -> PathBuf {
        self.dir.join(log_name(seq))
    }

    fn tail(&self) -> Option<Tail> {
        *self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of the entry that is to come next, after cutting off a torn line. Only under the chain's lock.
    pub fn next_seq(&self) -> io::Result<u64> {
        let known = self.tail();
        let tail = match known {
            // Others append too; most of what is there was counted before.
            Some(tail) if !self.file(tail.first + PER_FILE).exists() => self.count(tail)?,
            _ => match self.last_file()? {
                Some(first) => self.count(Tail { first, bytes: 0, next: first })?,
                None => return Ok(0),
            },
        };
        *self.tail.lock().unwrap_or_else(PoisonError::into_inner) = Some(tail);
        Ok(tail.next)
    }

    fn last_file(&self) -> io::Result<Option<u64>> {
        let names = std::fs::read_dir(&self.dir)?.flatten();
        Ok(names.filter_map(|e| log_first(e.file_name().to_str()?)).max())
    }

    /// Counts what was appended behind `known`, and cuts a torn line off.
    fn count(&self, known: Tail) -> io::Result<Tail> {
        let mut file = File::options().read(true).write(true).open(self.file(known.first))?;
        let length = file.metadata()?.len();
        if length == known.bytes {
            return Ok(known);
        }
        let known = if length < known.bytes { Tail { bytes: 0, next: known.first, ..known } } else { known };
        let mut text = Vec::new();
        file.seek(SeekFrom::Start(known.bytes))?;
        file.read_to_end(&mut text)?;
        let whole = text.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let bytes = known.bytes + whole as u64;
        if whole < text.len() {
            file.set_len(bytes)?;
        }
        let lines = text[..whole].iter().filter(|b| **b == b'\n').count();
        Ok(Tail { bytes, next: known.next + lines as u64, ..known })
    }

    /// Appends entries durably, in their order; those that are there already are left. Only under the chain's lock.
    pub fn append<'a>(&self, entries: impl IntoIterator<Item = &'a Entry>) -> io::Result<()> {
        let begin = self.next_seq()?;
        let mut next = begin;
        let mut entries = entries.into_iter().filter(|entry| entry.seq >= begin).peekable();
        while let Some(first) = entries.peek().map(|entry| entry.seq) {
            if first != next {
                let why = format!("the chain's log ends at entry {next}, its state is at {first}");
                return Err(io::Error::other(why));
            }
            // As much as goes into one file.
            let end = first - first % PER_FILE + PER_FILE;
            let mut text = Vec::new();
            while let Some(entry) = entries.next_if(|entry| entry.seq == next && next < end) {
                text.extend_from_slice(&entry.line);
                next += 1;
            }
            let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(self.file(first))?;
            file.write_all(&text)?;
            rustix::fs::fdatasync(&file)?;
            if first.is_multiple_of(PER_FILE) {
                crate::journal::file::sync_dir(&self.dir)?;
            }
        }
        Ok(())
    }

    /// Lines from entry `seq` on, each with its line feed; at most to the end of one file.
    pub fn lines_from(&self, seq: u64) -> io::Result<Vec<Vec<u8>>> {
        let first = seq - seq % PER_FILE;
        let near_end = self.tail().filter(|tail| tail.first == first && tail.next >= seq);
        let text = match near_end {
            Some(tail) => self.text_behind(tail, seq)?,
            None => None,
        };
        let (text, skip) = match text {
            Some(text) => (text, 0),
            None => match std::fs::read(self.file(seq)) {
                Ok(text) => (text, usize::try_from(seq % PER_FILE).unwrap_or(usize::MAX)),
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(e) => return Err(e),
            },
        };
        let lines = text.split_inclusive(|b| *b == b'\n').filter(|l| l.ends_with(b"\n"));
        Ok(lines.skip(skip).map(<[u8]>::to_vec).collect())
    }

    /// The text from entry `seq` on, read from the end of the last file backwards; `None` where the file is another than
    /// it was.
    fn text_behind(&self, tail: Tail, seq: u64) -> io::Result<Option<Vec<u8>>> {
        let wanted = tail.next - seq;
        let mut file = File::open(self.file(seq))?;
        let mut back = wanted * LINE_GUESS;
        loop {
            let begin = tail.bytes.saturating_sub(back);
            let mut text = Vec::new();
            file.seek(SeekFrom::Start(begin))?;
            file.read_to_end(&mut text)?;
            let Some(counted) = usize::try_from(tail.bytes - begin).ok().and_then(|length| text.get(..length)) else {
                return Ok(None);
            };
            // What ends before the first wanted line, if that is here whole.
            let before = if wanted == 0 {
                Some(counted.len())
            } else {
                let mut ends = counted.iter().enumerate().rev().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1);
                ends.nth(usize::try_from(wanted).unwrap_or(usize::MAX))
            };
            match before {
                Some(at) => return Ok(Some(text.split_off(at))),
                None if begin == 0 => return Ok(None),
                None => back *= 4,
            }
        }
    }

    /// Every entry from `seq` on that parses. For recovery, which looks for what was said of a session.
    pub fn entries_from(&self, mut seq: u64) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        loop {
            let lines = self.lines_from(seq)?;
            if lines.is_empty() {
                return Ok(entries);
            }
            seq += lines.len() as u64;
            for line in lines {
                entries.push(Entry::parse(&line).map_err(io::Error::other)?);
            }
        }
    }
}
