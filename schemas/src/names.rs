//! Names in stores (FORMAT.md, section 10), and how any string from outside is printed.
//!
//! A name is data from whoever writes to the store: what does not encode back to itself is refused, and no local
//! path is ever built from a decoded one.

mod event;

use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar as _;

pub use event::EventName;

use crate::{ChainId, Digest, Error, Result, SessionId, limits};

/// Length over which an encoded component is cut.
const COMPONENT_MAX: usize = 64;
/// What is kept of one that is cut.
const COMPONENT_KEPT: usize = 40;
/// Largest sequence number that twelve digits hold.
const SEQ_MAX: u64 = 999_999_999_999;

/// Encodes a component that comes from outside (NAME-1).
pub fn encode(raw: &[u8]) -> String {
    if raw.is_empty() {
        return "~~".into();
    }
    let mut name = String::with_capacity(raw.len());
    let mut kept = 0;
    for (at, byte) in raw.iter().enumerate() {
        let inner = at != 0 && at + 1 != raw.len();
        if byte.is_ascii_alphanumeric() || *byte == b'-' || (*byte == b'.' && inner) {
            name.push(char::from(*byte));
        } else {
            let _ = write!(name, "~{byte:02x}");
        }
        if name.len() <= COMPONENT_KEPT {
            kept = name.len();
        }
    }
    if name.len() > COMPONENT_MAX {
        name.truncate(kept);
        name.push_str("~~");
        name.push_str(&Digest::of(raw).short());
    }
    name
}

/// The bytes that a component stands for; `None` for the cut form, whose bytes are not in it (NAME-2).
pub fn decode(name: &str) -> Result<Option<Vec<u8>>> {
    if let Some((kept, digest)) = name.split_once("~~").filter(|(kept, _)| !kept.is_empty()) {
        // What is kept must itself be written as an encoder would, with something after it (a last dot is an inner
        // one). Characters take 1 or 3 places, so the last that fits ends at 38, 39 or 40.
        let written = unescape(kept).is_some_and(|mut raw| {
            raw.push(b'-');
            encode(&raw).strip_suffix('-') == Some(kept)
        });
        if written && (COMPONENT_KEPT - 2..=COMPONENT_KEPT).contains(&kept.len()) && is_hex16(digest) {
            return Ok(None);
        }
        return Err(refused(name));
    }
    let raw = if name == "~~" { Vec::new() } else { unescape(name).ok_or_else(|| refused(name))? };
    if encode(&raw) != name {
        return Err(refused(name));
    }
    Ok(Some(raw))
}

/// Undoes the escapes. Lenient: the caller encodes again and compares.
fn unescape(name: &str) -> Option<Vec<u8>> {
    let mut raw = Vec::with_capacity(name.len());
    let mut bytes = name.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'~' => {
                let pair = [bytes.next()?, bytes.next()?];
                let mut value = [0];
                hex::decode_to_slice(pair, &mut value).ok()?;
                raw.push(value[0]);
            }
            _ => raw.push(byte),
        }
    }
    Some(raw)
}

fn is_hex16(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn refused(name: &str) -> Error {
    Error::BadName(safe(name))
}

/// Decimal digits only, exactly `digits` of them.
fn number(text: &str, digits: usize) -> Option<u64> {
    if text.len() != digits || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Name of a segment in a store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentName {
    /// First 16 hex digits of the chain id.
    pub chain16: String,
    /// The session.
    pub session: SessionId,
    /// Segment number.
    pub number: u32,
    /// First 16 hex digits of the segment's digest.
    pub digest16: String,
}

impl SegmentName {
    /// The name of a segment.
    pub fn new(chain: &ChainId, session: SessionId, number: u32, digest: &Digest) -> Self {
        Self { chain16: chain.short(), session, number, digest16: digest.short() }
    }

    /// Where it lies, without the store's prefix: `segments/2026/11/22/<chain16>/<session>/000005-<digest16>.hseg`.
    pub fn path(&self) -> String {
        let day = self.session.time().format("%Y/%m/%d");
        let Self { chain16, session, number, digest16 } = self;
        format!("segments/{day}/{chain16}/{session}/{number:06}-{digest16}.hseg")
    }

    /// Reads a path without the store's prefix.
    pub fn parse(path: &str) -> Result<Self> {
        let read = || {
            let mut parts = path.split('/');
            if parts.next()? != "segments" {
                return None;
            }
            for digits in [4, 2, 2] {
                number(parts.next()?, digits)?;
            }
            let chain16 = parts.next().filter(|text| is_hex16(text))?.to_owned();
            let session = parts.next()?.parse().ok()?;
            let (digits, digest16) = parts.next()?.strip_suffix(".hseg")?.split_once('-')?;
            let number = u32::try_from(number(digits, 6)?).ok().filter(|n| *n <= limits::SEGMENT_NUMBER)?;
            let digest16 = Some(digest16).filter(|text| is_hex16(text))?.to_owned();
            Some(Self { chain16, session, number, digest16 })
        };
        // The date follows from the session: only the one right form encodes back.
        read().filter(|name| name.path() == path).ok_or_else(|| refused(path))
    }
}

/// Name of a piece of a host chain in a store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainName {
    /// The chain.
    pub chain: ChainId,
    /// Number of its first entry.
    pub first: u64,
    /// Number of its last entry.
    pub last: u64,
}

impl ChainName {
    /// Where it lies, without the store's prefix: `chains/<chain>/<12 digits>-<12 digits>.hchain`.
    pub fn path(&self) -> String {
        format!("chains/{}/{:012}-{:012}.hchain", self.chain, self.first, self.last)
    }

    /// Reads a path without the store's prefix.
    pub fn parse(path: &str) -> Result<Self> {
        let read = || {
            let (chain, file) = path.strip_prefix("chains/")?.split_once('/')?;
            let (first, last) = file.strip_suffix(".hchain")?.split_once('-')?;
            Some(Self { chain: chain.parse().ok()?, first: number(first, 12)?, last: number(last, 12)? })
        };
        read()
            .filter(|name| name.first <= name.last && name.last <= SEQ_MAX && name.path() == path)
            .ok_or_else(|| refused(path))
    }
}

/// Name of an object that a recorder's `check` puts to try a place: `probes/<chain16>/<word>`. It holds nothing of a
/// session, and readers pass it over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeName {
    /// First 16 hex digits of the chain id, so that a policy which confines a host lets it through.
    pub chain16: String,
    /// What is tried: lower-case letters, digits and hyphens.
    pub word: String,
}

impl ProbeName {
    /// Where it lies, without the store's prefix.
    pub fn path(&self) -> String {
        format!("probes/{}/{}", self.chain16, self.word)
    }

    /// Reads a path without the store's prefix.
    pub fn parse(path: &str) -> Result<Self> {
        let read = || {
            let (chain16, word) = path.strip_prefix("probes/")?.split_once('/')?;
            let plain = word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            (is_hex16(chain16) && plain && (1..=COMPONENT_MAX).contains(&word.len())).then_some(())?;
            Some(Self { chain16: chain16.into(), word: word.into() })
        };
        read().ok_or_else(|| refused(path))
    }
}

/// Why the name of an object in a store is not one of ours; `None` for the names of this section.
pub fn foreign(path: &str) -> Option<&'static str> {
    let ours = match path.split_once('/').map(|(root, _)| root) {
        Some("segments") => SegmentName::parse(path).is_ok(),
        Some("chains") => ChainName::parse(path).is_ok(),
        Some("events") => EventName::parse(path).is_ok(),
        Some("probes") => ProbeName::parse(path).is_ok(),
        _ => false,
    };
    (!ours).then_some("not the name of a segment, of a chain object or of an event")
}

/// Marks on one character that are printed. Real writing has up to four; hundreds cover the lines above.
const MARKS: usize = 4;

/// Which characters of a text may be printed as they are, asked one after the other.
#[derive(Debug, Default)]
pub struct Printable {
    marks: usize,
}

impl Printable {
    /// Whether this one may, after those before: it acts on no terminal, reorders, hides and covers nothing.
    pub fn takes(&mut self, character: char) -> bool {
        self.marks = if character.width() == Some(0) { self.marks + 1 } else { 0 };
        self.marks <= MARKS && !is_hidden(character)
    }
}

/// `text` fit for a terminal: every character that could act on it, reorder it, hide in it or cover it is escaped.
///
/// For every string from a recording, an event or a store. A backslash of the text itself stays as it is: this is
/// for people; `--json` is exact.
pub fn safe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut printable = Printable::default();
    for character in text.chars() {
        if printable.takes(character) {
            out.push(character);
        } else if character.is_ascii() {
            let _ = write!(out, "\\x{:02x}", u32::from(character));
        } else {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
        }
    }
    out
}

/// Controls, format characters (general category Cf of Unicode 16), line and paragraph separator, noncharacters, and
/// all that is default-ignorable: variation selectors, fillers, tags.
fn is_hidden(character: char) -> bool {
    matches!(
        u32::from(character),
        0x00..=0x1f
            | 0x7f..=0x9f
            | 0xad
            | 0x34f
            | 0x600..=0x605
            | 0x61c
            | 0x6dd
            | 0x70f
            | 0x890..=0x891
            | 0x8e2
            | 0x115f..=0x1160
            | 0x17b4..=0x17b5
            | 0x180b..=0x180f
            | 0x200b..=0x200f
            | 0x2028..=0x202e
            | 0x2060..=0x206f
            | 0x3164
            | 0xfdd0..=0xfdef
            | 0xfe00..=0xfe0f
            | 0xfeff
            | 0xffa0
            | 0xfff0..=0xfffb
            | 0x110bd
            | 0x110cd
            | 0x13430..=0x1343f
            | 0x1bca0..=0x1bca3
            | 0x1d173..=0x1d17a
            | 0xe0000..=0xe0fff
    ) || u32::from(character) & 0xfffe == 0xfffe
}
