//! The entries of a chain on disk: append-only files of lines, for delivery and recovery.
//!
//! Each file holds up to [`PER_FILE`] entries and is named by the first. The state file is ahead of the log by at most
//! one entry; a torn last line is cut off and written again from there. Not for keys: only the state has one.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use hansard_schemas::chain::Entry;

/// Entries in one file. Some MiB: small enough to read whole.
const PER_FILE: u64 = 4_096;

/// The log of one chain.
#[derive(Debug)]
pub struct Log {
    dir: PathBuf,
}

impl Log {
    /// The log in this directory.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn file(&self, seq: u64) -> PathBuf {
        self.dir.join(format!("{:012}.log", seq - seq % PER_FILE))
    }

    /// Number of the entry that is to come next, after cutting off a torn line.
    pub fn next_seq(&self) -> io::Result<u64> {
        let mut firsts: Vec<u64> = std::fs::read_dir(&self.dir)?
            .flatten()
            .filter_map(|e| e.file_name().to_str()?.strip_suffix(".log")?.parse().ok())
            .collect();
        firsts.sort_unstable();
        let Some(&first) = firsts.last() else { return Ok(0) };
        let mut file = File::options().read(true).write(true).open(self.file(first))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let whole = text.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        if whole < text.len() {
            file.set_len(whole as u64)?;
            file.seek(SeekFrom::End(0))?;
        }
        Ok(first + text[..whole].iter().filter(|b| **b == b'\n').count() as u64)
    }

    /// Appends an entry durably; one that is there already is left.
    pub fn append(&self, entry: &Entry) -> io::Result<()> {
        let next = self.next_seq()?;
        if entry.seq < next {
            return Ok(());
        }
        if entry.seq > next {
            return Err(io::Error::other(format!(
                "the chain's log ends at entry {next}, its state is at {}",
                entry.seq
            )));
        }
        let path = self.file(entry.seq);
        let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
        file.write_all(&entry.line)?;
        rustix::fs::fdatasync(&file)?;
        if entry.seq.is_multiple_of(PER_FILE) {
            crate::journal::file::sync_dir(&self.dir)?;
        }
        Ok(())
    }

    /// Lines from entry `seq` on, each with its line feed; at most to the end of one file.
    pub fn lines_from(&self, seq: u64) -> io::Result<Vec<Vec<u8>>> {
        let text = match std::fs::read(self.file(seq)) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(e),
        };
        let skip = usize::try_from(seq % PER_FILE).unwrap_or(usize::MAX);
        Ok(text
            .split_inclusive(|b| *b == b'\n')
            .filter(|l| l.ends_with(b"\n"))
            .skip(skip)
            .map(<[u8]>::to_vec)
            .collect())
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
