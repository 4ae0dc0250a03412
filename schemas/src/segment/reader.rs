//! The second pass over a segment: blocks opened with its secret, in order (BLK-1 to BLK-5).
//!
//! Works on the whole bytes of a segment (at most LIM-12), or on a journal's that is still without end or trailer; of
//! the text one block is held. No byte is given out before its tag was checked.

use zeroize::Zeroizing;

use super::block::{self, KIND_FOOTER, KIND_LINES, Next};
use super::header::{self, Header};
use super::inflate::Inflate;
use crate::error::{Error, Result};
use crate::ids::Digest;
use crate::keys::SegmentSecret;
use crate::limits;
use crate::seal::Opener;
use crate::session::Footer;

/// The text of one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Number of the session's last message that is in the blocks up to this one.
    pub position: u64,
    /// Event lines, each with its line feed.
    pub lines: Vec<u8>,
}

/// What the trailer lets a reader expect.
enum Form {
    /// No trailer of the signer: cut anywhere at a block's end.
    Open,
    Closed {
        lines: u64,
        last: bool,
    },
}

/// Opens the blocks of one segment.
pub struct Reader<'a> {
    header: Header,
    rest: &'a [u8],
    opener: Opener,
    inflate: Inflate,
    form: Form,
    /// A block, opened where it lies; wiped in the end, because a recorder joins segments with this too.
    sealed: Zeroizing<Vec<u8>>,
    block: u64,
    position: u64,
    lines: u64,
    footer: Option<Footer>,
    ended: bool,
}

impl<'a> Reader<'a> {
    /// At the first block. `bytes` begin with the header line and have passed the [`super::Checker`], or come from a
    /// journal; commitment and CRCs are checked here again.
    pub fn new(bytes: &'a [u8], secret: &SegmentSecret) -> Result<Self> {
        let (line, rest) = split_line(bytes, limits::META_LINE).ok_or_else(|| missing("header"))?;
        let header = Header::parse(line)?;
        if secret.commit() != header.commit {
            return Err(Error::Commit);
        }
        let (_, rest) = split_line(rest, limits::KEYS_LINE).ok_or_else(|| missing("keys line"))?;
        let form = form(rest)?;
        let opener = secret.opener(Digest::of(line));
        let (block, position, lines) = (0, 0, 0);
        let inflate = Inflate::new()?;
        let sealed = Zeroizing::default();
        Ok(Self { header, rest, opener, inflate, form, sealed, block, position, lines, footer: None, ended: false })
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The footer, after the last block; a segment without a trailer may lack it.
    pub fn footer(&self) -> Option<&Footer> {
        self.footer.as_ref()
    }

    /// Lines given out so far.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// The next block of event lines; `None` at the end.
    pub fn next_block(&mut self) -> Result<Option<Block>> {
        let mut lines = Vec::new();
        Ok(self.read_block(&mut lines)?.map(|position| Block { position, lines }))
    }

    /// As [`Reader::next_block`], into `lines`, in place of what they were; gives the block's position.
    pub fn read_block(&mut self, lines: &mut Vec<u8>) -> Result<Option<u64>> {
        if self.ended {
            return Ok(None);
        }
        let frame = match block::next(self.rest, self.block)? {
            Next::Block(frame) => frame,
            Next::End | Next::Short => {
                self.ended = true;
                return self.at_end().map(|()| None);
            }
        };
        self.rest = &self.rest[frame.len..];
        self.position = block::rising(self.position, frame.position, self.block)?;
        self.sealed.clear();
        self.sealed.extend_from_slice(frame.sealed);
        // Where the signer gave no trailer, the last block that is left may or may not be the footer.
        let allowed: &[bool] = match (&self.form, block::is_end(self.rest)) {
            (Form::Closed { .. }, true) => &[true],
            (Form::Open, true) => &[false, true],
            (_, false) => &[false],
        };
        let (plain, last) = self.opener.open(&mut self.sealed, frame.position, allowed)?;
        let bad = |why: String| Error::BadBlock { block: self.block, why };
        let (kind, data) = plain.split_first().ok_or_else(|| bad("it is empty".into()))?;
        // BLK-3: the footer and nothing else has the last-block byte.
        match *kind {
            KIND_LINES if !last => {
                self.inflate.block(data, self.block, lines)?;
                self.lines += memchr::memchr_iter(b'\n', lines).count() as u64;
                self.block += 1;
                Ok(Some(frame.position))
            }
            KIND_FOOTER if last => {
                self.footer = Some(Footer::parse(data)?);
                self.block += 1;
                self.read_block(lines)
            }
            KIND_LINES => Err(bad("the last block holds no footer".into())),
            KIND_FOOTER => Err(bad("a footer before the last block".into())),
            other => Err(bad(format!("its kind is {other}"))),
        }
    }

    /// What must agree when all blocks were read.
    fn at_end(&self) -> Result<()> {
        let bad_footer = |why: &str| Err(Error::BadFooter(why.into()));
        if let Some(footer) = &self.footer {
            if footer.lines != self.lines {
                return bad_footer(&format!("it counts {} lines, there are {}", footer.lines, self.lines));
            }
            if !self.inflate.ended() {
                let why = "the zstd frame does not end before the footer".into();
                return Err(Error::BadBlock { block: self.block.saturating_sub(2), why });
            }
        }
        match (&self.form, &self.footer) {
            (Form::Open, _) => Ok(()),
            (Form::Closed { .. }, None) => bad_footer("there is none"),
            (Form::Closed { lines, last }, Some(footer)) => {
                if *lines != self.lines {
                    let why = format!("it counts {lines} lines, there are {}", self.lines);
                    return Err(Error::BadTrailer(why));
                }
                if footer.stop.is_some() != *last {
                    return bad_footer("how the session stopped is said in its last segment, and only there");
                }
                Ok(())
            }
        }
    }
}

fn missing(what: &str) -> Error {
    Error::Truncated(format!("the bytes end in the {what}"))
}

/// The first line with its line feed, and the rest.
pub(super) fn split_line(bytes: &[u8], limit: usize) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b'\n', &bytes[..bytes.len().min(limit)])?;
    Some(bytes.split_at(at + 1))
}

/// Walks the frames to see what stands behind them.
fn form(mut rest: &[u8]) -> Result<Form> {
    for number in 0.. {
        match block::next(rest, number)? {
            Next::Block(frame) => rest = &rest[frame.len..],
            Next::Short => break,
            Next::End => {
                let Some((line, _)) = split_line(&rest[4..], limits::META_LINE) else { break };
                if line.starts_with(header::PREFIX) {
                    break;
                }
                let (trailer, ..) = super::trailer::Trailer::parse(line)?;
                return Ok(Form::Closed { lines: trailer.lines, last: trailer.last });
            }
        }
    }
    Ok(Form::Open)
}
