//! One file of a recording: lines or records of bounded size, with its place for messages.
//!
//! What gzip has compressed is read as what it holds. Not for any format.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

use super::Fault;

/// Longest line and largest record. An event of a terminal has a few KiB; what claims more is not what it seems to be.
pub const MOST_BYTES: usize = 16 << 20;
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// How many bytes of a recording's files were read so far, as they lie on the disk.
#[derive(Debug, Clone, Default)]
pub struct Tally(Arc<AtomicU64>);

impl Tally {
    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counts what passes.
struct Tallied<R>(R, Tally);

impl<R: Read> Read for Tallied<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let n = self.0.read(into)?;
        self.1.0.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// A file that is being read.
pub struct Source {
    name: String,
    reader: BufReader<Box<dyn Read + Send>>,
    at: u64,
    line: u64,
    /// The last line began here.
    line_at: u64,
}

impl Source {
    /// Opens a file; one that gzip has compressed is read as what it holds.
    pub fn open(path: &Path, tally: &Tally) -> Result<Self, Fault> {
        let name = path.display().to_string();
        let unreadable = |error| Fault::Unreadable { file: path.display().to_string(), error };
        let file = File::open(path).map_err(unreadable)?;
        if !file.metadata().map_err(unreadable)?.is_file() {
            // It is read twice.
            return Err(unreadable(std::io::Error::other("it is no regular file")));
        }
        Self::over(name, file, tally)
    }

    /// Over anything that gives bytes.
    pub fn over(name: String, inner: impl Read + Send + 'static, tally: &Tally) -> Result<Self, Fault> {
        let mut raw = BufReader::with_capacity(64 << 10, Tallied(inner, tally.clone()));
        let packed = raw.fill_buf().map(|head| head.starts_with(&GZIP));
        let packed = packed.map_err(|error| Fault::Unreadable { file: name.clone(), error })?;
        let reader: Box<dyn Read + Send> = if packed { Box::new(MultiGzDecoder::new(raw)) } else { Box::new(raw) };
        Ok(Self { name, reader: BufReader::with_capacity(64 << 10, reader), at: 0, line: 0, line_at: 0 })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes read so far, as it holds them.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// The next bytes, without taking them; none at the end.
    pub fn peek(&mut self) -> Result<&[u8], Fault> {
        self.reader.fill_buf().map_err(|error| Fault::Unreadable { file: self.name.clone(), error })
    }

    /// The next line without its line feed, and whether it had one; none at the end.
    pub fn line(&mut self, into: &mut Vec<u8>) -> Result<Option<bool>, Fault> {
        into.clear();
        self.line_at = self.at;
        let most = MOST_BYTES as u64 + 1;
        let read = Read::by_ref(&mut self.reader).take(most).read_until(b'\n', into);
        let n = read.map_err(|error| self.unreadable(error))?;
        self.at += n as u64;
        if n == 0 {
            return Ok(None);
        }
        self.line += 1;
        let whole = into.pop_if(|byte| *byte == b'\n').is_some();
        if into.last() == Some(&b'\r') {
            into.pop();
        }
        if !whole && n > MOST_BYTES {
            return Err(self.bad_line(format!("a line of more than {} MiB", MOST_BYTES >> 20)));
        }
        Ok(Some(whole))
    }

    /// The next `count` bytes; fewer at the end.
    pub fn bytes(&mut self, count: usize, into: &mut Vec<u8>) -> Result<(), Fault> {
        into.clear();
        let read = Read::by_ref(&mut self.reader).take(count as u64).read_to_end(into);
        // What came before the fault is good, and counted.
        self.at += into.len() as u64;
        read.map(|_| ()).map_err(|error| self.unreadable(error))
    }

    /// A fault in the line that was read last.
    pub fn bad_line(&self, what: impl std::fmt::Display) -> Fault {
        let place = format!("line {} (byte {})", self.line.max(1), self.line_at);
        Fault::Bad { file: self.name.clone(), place, what: what.to_string() }
    }

    /// A fault at a byte.
    pub fn bad_at(&self, at: u64, what: impl std::fmt::Display) -> Fault {
        Fault::Bad { file: self.name.clone(), place: format!("byte {at}"), what: what.to_string() }
    }

    fn unreadable(&self, error: std::io::Error) -> Fault {
        use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        match error.kind() {
            // Only a decompressor says so.
            UnexpectedEof | InvalidData | InvalidInput => {
                self.bad_at(self.at, format!("what gzip made of it is damaged or cut off: {error}"))
            }
            _ => Fault::Unreadable { file: self.name.clone(), error },
        }
    }
}

impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let n = self.reader.read(into)?;
        self.at += n as u64;
        Ok(n)
    }
}
