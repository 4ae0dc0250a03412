//! Writing a segment: lines in, frames out, then footer and trailer.
//!
//! Nothing is allocated for a block beyond the caller's buffer: text is compressed into it and sealed where it
//! lies. Nothing is written here: the caller appends what it is given to the journal, in order, or gives the segment
//! up (BLK-4).

use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize as _, Zeroizing};

use super::block::{self, CRC, HEAD, KIND_FOOTER, KIND_LINES};
use super::frame::{Compression, Frame};
use super::header::{Header, HeaderSpec};
use super::reader::{Reader, split_line};
use super::trailer::Trailer;
use crate::error::{Error, Result};
use crate::ids::{Digest, PublicKey};
use crate::keys::{KeysLine, SegmentSecret};
use crate::limits;
use crate::seal::{Sealer, SigningKey, TAG};
use crate::session::Footer;

/// Event lines that a joined block gathers (WRITE-1). More compresses hardly better; less makes more blocks.
const JOINED: usize = 512 << 10;

/// An open segment.
pub struct SegmentWriter {
    header: Header,
    sealer: Sealer,
    frame: Frame,
    hash: Sha256,
    position: u64,
    blocks: u64,
    lines: u64,
    line_bytes: u64,
    stored: u64,
}

impl SegmentWriter {
    /// Opens a segment; also gives its first bytes, header and keys line.
    pub fn new(
        spec: HeaderSpec,
        secret: &SegmentSecret,
        keys: &KeysLine,
        compression: impl Into<Compression>,
    ) -> Result<(Self, Vec<u8>)> {
        let header = spec.with(secret.commit(), keys.digest());
        Self::open(header, secret, keys, compression.into())
    }

    fn open(header: Header, secret: &SegmentSecret, keys: &KeysLine, how: Compression) -> Result<(Self, Vec<u8>)> {
        let line = header.to_line()?;
        let sealer = secret.sealer(Digest::of(&line));
        let hash = Sha256::new_with_prefix(&line);
        let begin = [&line, keys.bytes()].concat();
        let stored = begin.len() as u64;
        let frame = Frame::new(how);
        let (position, blocks, lines, line_bytes) = (0, 0, 0, 0);
        let writer = Self { header, sealer, frame, hash, position, blocks, lines, line_bytes, stored };
        Ok((writer, begin))
    }

    /// Seals whole event lines as one block and appends it to `out`, which the caller may reuse.
    ///
    /// On an error nothing was appended; the segment cannot go on.
    pub fn seal(&mut self, lines: &[u8], position: u64, out: &mut Vec<u8>) -> Result<()> {
        if lines.last().is_some_and(|byte| *byte != b'\n') {
            return Err(Error::Unwritable("a block that ends inside a line".into()));
        }
        if self.line_bytes + lines.len() as u64 > limits::SEGMENT_LINES {
            return Err(Error::Limit { what: "event lines of a segment", limit: limits::SEGMENT_LINES });
        }
        let bound = Frame::bound(lines.len());
        if lines.len() > limits::BLOCK_LINES || bound + 1 + TAG > limits::SEALED_MAX as usize {
            return Err(Error::Limit { what: "event lines of a block", limit: limits::BLOCK_LINES as u64 });
        }
        block::rising(self.position, position, self.blocks).map_err(|e| Error::Unwritable(e.to_string()))?;
        let begin = out.len();
        let result = self.lines_block(lines, position, out, bound);
        if result.is_err() {
            // It may be text that was not sealed yet.
            out[begin..].zeroize();
            out.truncate(begin);
        }
        result
    }

    fn lines_block(&mut self, lines: &[u8], position: u64, out: &mut Vec<u8>, bound: usize) -> Result<()> {
        let begin = self.begin_block(KIND_LINES, position, out, bound);
        self.frame.append(lines, out)?;
        self.end_block(begin, position, false, out)?;
        self.lines += memchr::memchr_iter(b'\n', lines).count() as u64;
        self.line_bytes += lines.len() as u64;
        Ok(())
    }

    /// Writes what stands before the sealed data, with room for `data` bytes more; says where the block begins.
    fn begin_block(&self, kind: u8, position: u64, out: &mut Vec<u8>, data: usize) -> usize {
        let begin = out.len();
        out.reserve(HEAD + 1 + data + TAG + CRC);
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&position.to_le_bytes());
        out.push(kind);
        begin
    }

    /// Seals what stands behind the head of the block at `begin`, and completes its frame.
    fn end_block(&mut self, begin: usize, position: u64, last: bool, out: &mut Vec<u8>) -> Result<()> {
        let tag = self.sealer.seal(&mut out[begin + HEAD..], position, last)?;
        out.extend_from_slice(&tag);
        let sealed = u32::try_from(out.len() - begin - HEAD).unwrap_or(u32::MAX);
        if sealed > limits::SEALED_MAX {
            return Err(Error::Limit { what: "sealed bytes of a block", limit: limits::SEALED_MAX.into() });
        }
        out[begin..begin + 4].copy_from_slice(&sealed.to_le_bytes());
        let crc = crc32c::crc32c(&out[begin..]);
        out.extend_from_slice(&crc.to_le_bytes());
        self.hash.update(&out[begin..]);
        self.stored += (out.len() - begin) as u64;
        self.position = position;
        self.blocks += 1;
        Ok(())
    }

    /// Ends the frame, in a block of its own, and appends footer and end marker.
    pub fn finish(mut self, footer: &Footer, out: &mut Vec<u8>) -> Result<Closed> {
        if footer.lines != self.lines {
            let why = format!("a footer that counts {} of {} lines", footer.lines, self.lines);
            return Err(Error::Unwritable(why));
        }
        let position = self.position;
        let begin = self.begin_block(KIND_LINES, position, out, Frame::bound(0));
        let frame = std::mem::replace(&mut self.frame, Frame::new(Compression::default()));
        frame.finish(out)?;
        self.end_block(begin, position, false, out)?;

        let document = footer.to_bytes()?;
        let begin = self.begin_block(KIND_FOOTER, position, out, document.len());
        out.extend_from_slice(&document);
        self.end_block(begin, position, true, out)?;
        let end = block::END.to_le_bytes();
        out.extend_from_slice(&end);
        self.hash.update(end);
        Ok(Closed { header: self.header, hash: self.hash, blocks: self.blocks, lines: self.lines })
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Lines sealed so far.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Bytes of the lines sealed so far; for LIM-1.
    pub fn line_bytes(&self) -> u64 {
        self.line_bytes
    }

    /// Bytes given out so far, header and keys line among them.
    pub fn stored(&self) -> u64 {
        self.stored
    }

    /// Blocks so far.
    pub fn blocks(&self) -> u64 {
        self.blocks
    }

    /// Position of the last block.
    pub fn position(&self) -> u64 {
        self.position
    }
}

/// A segment that has its end marker and waits for its trailer.
pub struct Closed {
    header: Header,
    hash: Sha256,
    blocks: u64,
    lines: u64,
}

impl Closed {
    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Number of blocks, the footer among them.
    pub fn blocks(&self) -> u64 {
        self.blocks
    }

    /// Number of event lines.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Signs the segment; the key is wiped (TRL-3). Gives the trailer line and the segment digest. Only for bytes
    /// that are synced (WRITE-2).
    pub fn sign(
        self,
        prev: Option<Digest>,
        next: Option<PublicKey>,
        last: bool,
        key: SigningKey,
    ) -> Result<(Vec<u8>, Digest)> {
        if key.public() != self.header.signer {
            return Err(Error::Unwritable("a signature by another key than the header's".into()));
        }
        let trailer = Trailer { blocks: self.blocks, lines: self.lines, prev, next, last };
        trailer.rules(self.blocks, self.header.segment).map_err(|e| Error::Unwritable(e.to_string()))?;
        let line = trailer.sign(&self.hash, &key)?;
        let digest = Digest(self.hash.chain_update(&line).finalize().into());
        Ok((line, digest))
    }
}

/// Joins the small blocks of a finished journal segment under a new secret (WRITE-1): its new bytes, up to the end marker.
///
/// `journal` is header to end marker, without trailer. `new` is the secret and its index in the same epoch.
pub fn reseal(journal: &[u8], old: &SegmentSecret, new: (&SegmentSecret, u32)) -> Result<(Vec<u8>, Closed)> {
    reseal_with(journal, old, new, Compression::default())
}

/// [`reseal`] with a stated compression.
pub fn reseal_with(
    journal: &[u8],
    old: &SegmentSecret,
    new: (&SegmentSecret, u32),
    compression: Compression,
) -> Result<(Vec<u8>, Closed)> {
    let mut reader = Reader::new(journal, old)?;
    let keys = split_line(journal, limits::META_LINE).and_then(|(_, rest)| split_line(rest, limits::KEYS_LINE));
    let keys = KeysLine::parse(keys.map_or(&[][..], |(line, _)| line))?;
    let mut header = reader.header().clone();
    if new.1 <= header.index {
        // KEY-3
        return Err(Error::Unwritable("joined under an index that does not rise".into()));
    }
    (header.index, header.commit) = (new.1, new.0.commit());
    let (mut writer, mut out) = SegmentWriter::open(header, new.0, &keys, compression)?;
    let mut gathered = Zeroizing::new(Vec::with_capacity(2 * JOINED));
    let mut position = 0;
    while let Some(block) = reader.next_block()? {
        let lines = Zeroizing::new(block.lines);
        if !gathered.is_empty() && gathered.len() + lines.len() > JOINED {
            writer.seal(&gathered, position, &mut out)?;
            gathered.clear();
        }
        gathered.extend_from_slice(&lines);
        position = block.position;
    }
    writer.seal(&gathered, position, &mut out)?;
    let footer =
        reader.footer().ok_or_else(|| Error::Unwritable("a segment without footer cannot be joined".into()))?;
    let closed = writer.finish(footer, &mut out)?;
    Ok((out, closed))
}
