//! What there is of a segment that may not be whole: its beginning, and what a crash left of a journal segment
//! (FORMAT.md, section 7), the longest prefix of whole blocks.

use sha2::{Digest as _, Sha256};

use super::block::{self, Next};
use super::header::Header;
use super::reader::split_line;
use crate::error::{Error, Result};
use crate::ids::Digest;
use crate::keys::KeysLine;
use crate::limits;

/// What follows the blocks that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// Nothing, or bytes that are no whole block: torn, zeroed or damaged.
    Torn,
    /// The end marker, and no whole line behind it.
    End,
    /// The end marker and a line; the [`super::Checker`] says whether it closes the segment.
    Trailer,
}

/// What can be kept of a segment without trailer.
#[derive(Debug, Clone)]
pub struct OpenScan {
    /// The header, if whole.
    pub header: Option<Header>,
    /// The keys line, if whole and the one that the header names.
    pub keys: Option<KeysLine>,
    /// Bytes to keep: header, keys line and whole blocks. 0 when not even the first two are whole.
    pub kept_len: usize,
    /// Whole blocks.
    pub blocks: u64,
    /// Position of the last of them.
    pub last_position: u64,
    /// SHA-256 of header line and whole blocks, as the `recovered` entry says it.
    pub kept: Option<Digest>,
    /// What follows them.
    pub tail: Tail,
}

/// Header and keys of the bytes that a segment begins with; no more of them is looked at.
///
/// Truncated where a line is not whole, erased or altered where the keys are not those that the header names.
pub fn head(bytes: &[u8]) -> Result<(Header, KeysLine)> {
    let missing = |what: &str| Error::Truncated(format!("no whole {what} line"));
    let (line, rest) = split_line(bytes, limits::META_LINE).ok_or_else(|| missing("header"))?;
    let header = Header::parse(line)?;
    let (line, _) = split_line(rest, limits::KEYS_LINE).ok_or_else(|| missing("keys"))?;
    match KeysLine::parse(line) {
        Ok(keys) if keys.digest() == header.keys => Ok((header, keys)),
        Ok(keys) if keys.is_erased() => Err(Error::Erased),
        _ => Err(Error::Altered("keys line".into())),
    }
}

/// Looks through the bytes of a journal segment; never fails, because anything can be left after a crash.
pub fn scan_open(bytes: &[u8]) -> OpenScan {
    let nothing = |header| OpenScan {
        header,
        keys: None,
        kept_len: 0,
        blocks: 0,
        last_position: 0,
        kept: None,
        tail: Tail::Torn,
    };
    let Some((line, after)) = split_line(bytes, limits::META_LINE) else { return nothing(None) };
    let Ok(header) = Header::parse(line) else { return nothing(None) };
    let keys = split_line(after, limits::KEYS_LINE)
        .and_then(|(line, rest)| KeysLine::parse(line).ok().map(|keys| (keys, rest)))
        .filter(|(keys, _)| keys.digest() == header.keys);
    let Some((keys, mut rest)) = keys else { return nothing(Some(header)) };

    let mut hash = Sha256::new_with_prefix(line);
    let (mut blocks, mut last_position, mut tail) = (0, 0, Tail::Torn);
    loop {
        match block::next(rest, blocks) {
            Ok(Next::Block(frame)) if frame.position >= last_position => {
                hash.update(&rest[..frame.len]);
                rest = &rest[frame.len..];
                last_position = frame.position;
                blocks += 1;
            }
            Ok(Next::End) => {
                tail = if split_line(&rest[4..], limits::META_LINE).is_some() { Tail::Trailer } else { Tail::End };
                break;
            }
            Ok(Next::Block(_) | Next::Short) | Err(_) => break,
        }
    }
    let kept = Some(Digest(hash.finalize().into()));
    OpenScan {
        header: Some(header),
        keys: Some(keys),
        kept_len: bytes.len() - rest.len(),
        blocks,
        last_position,
        kept,
        tail,
    }
}
