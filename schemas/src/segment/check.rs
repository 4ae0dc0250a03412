//! The first pass over a segment: everything that can be known without a key.
//!
//! A [`Checker`] takes bytes in pieces of any size and holds none of a block's: it hashes and counts. So a terabyte
//! that calls itself a segment costs no memory, and the first limit that it breaks ends it. What is met first when
//! reading from the first byte to the last is what is reported (FORMAT.md, section 13); a block is judged when its
//! CRC has been read, the trailer when its line feed has.

use sha2::{Digest as _, Sha256};

use super::block;
use super::header::{self, Header};
use super::trailer::{self, Trailer};
use crate::chain;
use crate::error::{Error, Result};
use crate::ids::Digest;
use crate::keys::{ERASED, KeysLine};
use crate::limits;

/// What the keys line is to its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeysState {
    /// The line that the header names.
    Ok,
    /// `{}` in its place (KEYS-2).
    Erased,
    /// Anything else in its place.
    Altered,
}

/// What closes a segment.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "one for each segment; a pointer saves nothing")]
pub enum TrailerKind {
    /// Its signer's trailer; the signature holds.
    Signed(Trailer),
    /// A `recovered` entry of the host chain, which alone can check its signature (REC-1). It agrees with the segment.
    Recovered(chain::Entry),
}

/// A segment without structural fault.
#[derive(Debug, Clone)]
pub struct Checked {
    /// Its header.
    pub header: Header,
    /// Its keys line; without wraps when altered.
    pub keys: KeysLine,
    /// Whether the keys line is the one that the header names.
    pub keys_state: KeysState,
    /// Number of blocks, a footer among them.
    pub blocks: u64,
    /// What closes it.
    pub trailer: TrailerKind,
    /// Segment digest (TRL-2).
    pub digest: Digest,
    /// SHA-256 of header line and blocks, as `recovered` entries name it.
    pub kept: Digest,
    /// Position of the last block; 0 when there is none.
    pub last_position: u64,
    /// Length of the whole segment.
    pub stored_bytes: u64,
}

impl Checked {
    /// Whether this is the last segment of its session, by its signer's word.
    pub fn is_last(&self) -> bool {
        matches!(&self.trailer, TrailerKind::Signed(trailer) if trailer.last)
    }

    /// KEYS-2 as an error: nothing in the segment can be opened with these keys.
    pub fn keys_fault(&self) -> Option<Error> {
        match self.keys_state {
            KeysState::Ok => None,
            KeysState::Erased => Some(Error::Erased),
            KeysState::Altered => Some(Error::Altered("keys line".into())),
        }
    }
}

/// Where the checker stands.
enum State {
    Header,
    Keys,
    Length,
    Block(Body),
    Trailer,
    Done(Box<Checked>),
    Failed,
}

/// A block being read, after its length.
struct Body {
    /// Bytes of position and sealed text still to come.
    left: usize,
    position: Vec<u8>,
    crc: u32,
}

/// Checks one segment as its bytes arrive.
pub struct Checker {
    state: State,
    /// A line, a length or a CRC that has arrived in part.
    partial: Vec<u8>,
    /// Over what TRL-2 names, as far as it was read.
    hash: Sha256,
    header: Option<Header>,
    keys: Option<(KeysLine, KeysState)>,
    blocks: u64,
    position: u64,
    kept: Option<Digest>,
    stored: u64,
    /// Bytes after the trailer.
    trailing: u64,
}

impl Default for Checker {
    fn default() -> Self {
        Self::new()
    }
}

impl Checker {
    /// At the first byte of a segment.
    pub fn new() -> Self {
        Self {
            state: State::Header,
            partial: Vec::new(),
            hash: Sha256::new(),
            header: None,
            keys: None,
            blocks: 0,
            position: 0,
            kept: None,
            stored: 0,
            trailing: 0,
        }
    }

    /// Takes the next bytes of a segment that stands alone: what follows the trailer is *trailing-data*.
    pub fn push(&mut self, bytes: &[u8]) -> Result<()> {
        let taken = self.feed(bytes)?;
        self.trailing = self.trailing.saturating_add((bytes.len() - taken) as u64);
        Ok(())
    }

    /// Takes bytes up to the end of the trailer and says how many; fewer than given only when the segment is complete.
    ///
    /// After an error the checker is spent: it takes and ends with errors only.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<usize> {
        let mut at = 0;
        while at < bytes.len() && !self.is_complete() {
            match self.step(&bytes[at..]) {
                Ok(taken) => at += taken,
                Err(error) => {
                    self.state = State::Failed;
                    self.partial = Vec::new();
                    return Err(error);
                }
            }
        }
        Ok(at)
    }

    /// Whether the trailer has been read.
    pub fn is_complete(&self) -> bool {
        matches!(self.state, State::Done(_))
    }

    /// The header, once it was read; known before the rest is, and even when the rest fails.
    pub fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    /// What the keys line is, once it was read.
    pub fn keys_state(&self) -> Option<KeysState> {
        self.keys.as_ref().map(|(_, state)| *state)
    }

    /// The result, after the last byte.
    pub fn finish(self) -> Result<Checked> {
        let truncated = |inside: &str| Err(Error::Truncated(format!("the bytes end in {inside}")));
        match self.state {
            State::Done(_) if self.trailing > 0 => Err(Error::TrailingData(self.trailing)),
            State::Done(checked) => Ok(*checked),
            State::Header => truncated("the header line"),
            State::Keys => truncated("the keys line"),
            State::Length | State::Block(_) => truncated(&format!("block {}", self.blocks)),
            State::Trailer => truncated("the trailer line"),
            State::Failed => truncated("a part that failed the check"),
        }
    }

    /// Takes some bytes, at least one.
    fn step(&mut self, bytes: &[u8]) -> Result<usize> {
        let taken = match &mut self.state {
            State::Header => {
                let taken = self.line(bytes, limits::META_LINE, header_too_long)?;
                if !header::begins(&self.partial) {
                    return Err(Error::BadHeader("not a Hansard segment".into()));
                }
                if self.partial.ends_with(b"\n") {
                    self.header_read()?;
                }
                taken
            }
            State::Keys => {
                let too_long = |_: &[u8]| Error::Limit { what: "keys line", limit: limits::KEYS_LINE as u64 };
                let taken = self.line(bytes, limits::KEYS_LINE, too_long)?;
                if self.partial.ends_with(b"\n") {
                    self.keys_read()?;
                }
                taken
            }
            State::Length => {
                let taken = self.gather(bytes, 4);
                if let Ok(length) = <[u8; 4]>::try_from(self.partial.as_slice()) {
                    self.length_read(length)?;
                }
                taken
            }
            State::Block(_) => self.body(bytes)?,
            State::Trailer => {
                let taken = self.line(bytes, limits::META_LINE, |_| trailer::too_long())?;
                if self.partial.ends_with(b"\n") {
                    self.trailer_read()?;
                }
                taken
            }
            State::Done(_) => 0,
            State::Failed => return Err(Error::Truncated("checked on after a failure".into())),
        };
        self.stored += taken as u64;
        if self.stored > limits::SEGMENT_STORED {
            return Err(Error::Limit { what: "stored bytes of a segment", limit: limits::SEGMENT_STORED });
        }
        if let State::Done(checked) = &mut self.state {
            checked.stored_bytes = self.stored;
        }
        Ok(taken)
    }

    /// Adds to the current line up to its line feed, never more than `limit` bytes.
    fn line(&mut self, bytes: &[u8], limit: usize, too_long: impl Fn(&[u8]) -> Error) -> Result<usize> {
        let room = &bytes[..bytes.len().min(limit - self.partial.len())];
        let taken = memchr::memchr(b'\n', room).map_or(room.len(), |at| at + 1);
        self.partial.extend_from_slice(&room[..taken]);
        if self.partial.len() == limit && !self.partial.ends_with(b"\n") {
            return Err(too_long(&self.partial));
        }
        Ok(taken)
    }

    /// Adds to the partial item until it has `len` bytes.
    fn gather(&mut self, bytes: &[u8], len: usize) -> usize {
        let taken = bytes.len().min(len - self.partial.len());
        self.partial.extend_from_slice(&bytes[..taken]);
        taken
    }

    fn header_read(&mut self) -> Result<()> {
        let header = Header::parse(&self.partial)?;
        if let Some(entry) = &header.entry {
            start_agrees(&header, entry)?;
        }
        self.header = Some(header);
        self.hash.update(&self.partial);
        self.partial.clear();
        self.state = State::Keys;
        Ok(())
    }

    fn keys_read(&mut self) -> Result<()> {
        let line = std::mem::take(&mut self.partial);
        let named = self.header.as_ref().map(|header| header.keys);
        self.keys = Some(match Some(Digest::of(&line)) == named {
            true if line == ERASED => return Err(Error::BadKeys("the header names a line without keys".into())),
            true => (KeysLine::parse(&line)?, KeysState::Ok),
            false if line == ERASED => (KeysLine::opaque(&line), KeysState::Erased),
            false => (KeysLine::opaque(&line), KeysState::Altered),
        });
        self.state = State::Length;
        Ok(())
    }

    fn length_read(&mut self, length: [u8; 4]) -> Result<()> {
        self.partial.clear();
        let n = u32::from_le_bytes(length);
        if n == block::END {
            self.kept = Some(Digest(self.hash.clone().finalize().into()));
            self.state = State::Trailer;
        } else {
            let sealed = block::sealed_len(n, self.blocks)?;
            let crc = crc32c::crc32c(&length);
            self.state = State::Block(Body { left: block::HEAD - 4 + sealed, position: Vec::with_capacity(8), crc });
        }
        self.hash.update(length);
        Ok(())
    }

    fn body(&mut self, bytes: &[u8]) -> Result<usize> {
        let State::Block(body) = &mut self.state else { return Ok(0) };
        if body.left > 0 {
            let part = &bytes[..bytes.len().min(body.left)];
            body.position.extend(part.iter().take(8 - body.position.len()));
            body.crc = crc32c::crc32c_append(body.crc, part);
            body.left -= part.len();
            self.hash.update(part);
            return Ok(part.len());
        }
        let taken = bytes.len().min(block::CRC - self.partial.len());
        self.partial.extend_from_slice(&bytes[..taken]);
        if self.partial.len() == block::CRC {
            if self.partial != body.crc.to_le_bytes() {
                return Err(Error::BlockCrc(self.blocks));
            }
            let position = body.position.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
            self.position = block::rising(self.position, position, self.blocks)?;
            self.hash.update(&self.partial);
            self.partial.clear();
            self.blocks += 1;
            self.state = State::Length;
        }
        Ok(taken)
    }

    fn trailer_read(&mut self) -> Result<()> {
        let line = std::mem::take(&mut self.partial);
        let (Some(header), Some((keys, keys_state)), Some(kept)) = (self.header.clone(), self.keys.clone(), self.kept)
        else {
            return Err(Error::BadTrailer("without a header".into()));
        };
        let trailer = if line.starts_with(header::PREFIX) {
            TrailerKind::Recovered(recovered(&line, &header, self.blocks, kept)?)
        } else {
            TrailerKind::Signed(Trailer::check(&line, &self.hash, self.blocks, header.segment, &header.signer)?)
        };
        self.hash.update(&line);
        let digest = Digest(self.hash.clone().finalize().into());
        let (blocks, last_position) = (self.blocks, self.position);
        let checked =
            Checked { header, keys, keys_state, blocks, trailer, digest, kept, last_position, stored_bytes: 0 };
        self.state = State::Done(Box::new(checked));
        Ok(())
    }
}

/// A header line that is too long may still be told apart: not ours at all, or of a newer version.
fn header_too_long(line: &[u8]) -> Error {
    header::version(line).err().unwrap_or_else(header::too_long)
}

/// SEG-3: the start entry that stands in the header names this session and this signer.
fn start_agrees(header: &Header, entry: &str) -> Result<()> {
    let bad = |why: &str| Error::BadHeader(format!("its start entry {why}"));
    let entry = chain::Entry::parse(entry.as_bytes()).map_err(|e| bad(&format!("is none: {e}")))?;
    match entry.kind {
        chain::Kind::Start { session, signer, .. } if session == header.session && signer == header.signer => Ok(()),
        chain::Kind::Start { .. } => Err(bad("names another session or signer")),
        _ => Err(bad("is of another kind")),
    }
}

/// TRL-6 and REC-1, as far as the segment itself goes.
fn recovered(line: &[u8], header: &Header, blocks: u64, kept: Digest) -> Result<chain::Entry> {
    let entry = chain::Entry::parse(line).map_err(|error| match error {
        Error::UnsupportedVersion(_) | Error::Limit { .. } => error,
        other => Error::BadTrailer(other.to_string()),
    })?;
    let chain::Kind::Recovered { session, segment, blocks: counted, kept: named, head, .. } = &entry.kind else {
        return Err(Error::BadTrailer("a chain entry of another kind than recovered".into()));
    };
    let agrees = *session == header.session
        && *segment == header.segment
        && *counted == blocks
        && *named == Some(kept)
        && (header.segment > 0 || head.is_none());
    if !agrees {
        return Err(Error::Altered("the recovered entry is not about these bytes".into()));
    }
    Ok(entry)
}
