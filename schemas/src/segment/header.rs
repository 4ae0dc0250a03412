//! The header line (FORMAT.md, section 4.1).

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::ids::{Digest, PublicKey, SessionId, Timestamp};
use crate::{json, limits};

/// The one suite of version 1.
pub const SUITE: &str = "zstd+A256GCM";
/// How every header line and chain entry begins (JSON-5).
pub(super) const PREFIX: &[u8] = b"{\"hansard\":";

const MEMBERS: [&str; 11] =
    ["hansard", "session", "segment", "start", "offset_ms", "suite", "epoch", "index", "commit", "keys", "signer"];

/// What a segment says of itself in the clear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Header {
    /// Version of the format: 1.
    pub hansard: u32,
    /// The session.
    pub session: SessionId,
    /// Number of the segment, from 0.
    pub segment: u32,
    /// Wall-clock time of its first line.
    pub start: Timestamp,
    /// Sum of all intervals before it.
    pub offset_ms: u64,
    /// Compression and cipher.
    pub suite: String,
    /// Number of the epoch in the session.
    pub epoch: u32,
    /// Place of the segment secret in the epoch.
    pub index: u32,
    /// Key commitment.
    pub commit: Digest,
    /// Digest of the keys line.
    pub keys: Digest,
    /// The key that signs this segment.
    pub signer: PublicKey,
    /// In segment 0: the `start` entry line of the host chain, without its line feed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
}

/// What the writer of a segment decides; the rest of the header follows from keys and secret.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "as in Header")]
pub struct HeaderSpec {
    pub session: SessionId,
    pub segment: u32,
    pub start: Timestamp,
    pub offset_ms: u64,
    pub epoch: u32,
    pub index: u32,
    pub signer: PublicKey,
    pub entry: Option<String>,
}

impl HeaderSpec {
    pub(super) fn with(self, commit: Digest, keys: Digest) -> Header {
        let Self { session, segment, start, offset_ms, epoch, index, signer, entry } = self;
        let suite = SUITE.into();
        Header { hansard: 1, session, segment, start, offset_ms, suite, epoch, index, commit, keys, signer, entry }
    }
}

/// What has to be known before the rest can be read: another suite may have other members.
#[derive(Deserialize)]
struct Preamble {
    suite: String,
}

impl Header {
    /// The line with its line feed, after the rules that a reader applies.
    pub fn to_line(&self) -> Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self).map_err(|e| Error::Unwritable(e.to_string()))?;
        line.push(b'\n');
        Self::parse(&line)?;
        Ok(line)
    }

    /// Parses a line with its line feed.
    pub fn parse(line: &[u8]) -> Result<Self> {
        if line.len() > limits::META_LINE {
            return Err(too_long());
        }
        version(line)?;
        let document = line.strip_suffix(b"\n").ok_or_else(|| Error::BadHeader("no line feed at its end".into()))?;
        let preamble = json::parse::<Preamble>(document).map_err(Error::BadHeader)?;
        if preamble.suite != SUITE {
            return Err(Error::UnsupportedVersion(format!("suite {:?}", preamble.suite)));
        }
        limited(document)?;
        let header: Self = serde_json::from_slice(document).map_err(|e| Error::BadHeader(e.to_string()))?;
        // SEG-1
        let members = json::members(document).map_err(Error::BadHeader)?;
        if !members.iter().map(String::as_str).take(MEMBERS.len()).eq(MEMBERS) {
            return Err(Error::BadHeader("members missing or in another order".into()));
        }
        if header.segment == 0 && header.offset_ms > 0 {
            return Err(Error::BadHeader("intervals before segment 0".into()));
        }
        match (header.segment, members.get(MEMBERS.len()).is_some_and(|name| name == "entry"), &header.entry) {
            (0, true, Some(_)) | (1.., false, None) => Ok(header),
            (0, ..) => Err(Error::BadHeader("segment 0 without its start entry".into())),
            _ => Err(Error::BadHeader("a start entry in a later segment".into())),
        }
    }
}

/// Numbers that are JSON's but beyond the limits; looked at before the typed parse would call them malformed.
fn limited(document: &[u8]) -> Result<()> {
    #[derive(Deserialize)]
    struct Numbers {
        segment: u64,
        epoch: u64,
        index: u64,
    }
    let numbers: Numbers = serde_json::from_slice(document).map_err(|e| Error::BadHeader(e.to_string()))?;
    for (value, what, limit) in [
        (numbers.segment, "number of a segment", limits::SEGMENT_NUMBER),
        (numbers.epoch, "number of an epoch", limits::SEGMENT_NUMBER),
        (numbers.index, "index of a segment in its epoch", limits::EPOCH_INDEX),
    ] {
        if value > u64::from(limit) {
            return Err(Error::Limit { what, limit: limit.into() });
        }
    }
    Ok(())
}

pub(super) fn too_long() -> Error {
    Error::Limit { what: "header line", limit: limits::META_LINE as u64 }
}

/// Whether bytes can be the beginning of a header line; a picture or a text is told at its first byte.
pub(super) fn begins(bytes: &[u8]) -> bool {
    let n = bytes.len().min(PREFIX.len());
    bytes[..n] == PREFIX[..n]
}

/// JSON-5: the version, before anything else of the line is believed. Looks at the bytes only, because a newer
/// version may have other rules of JSON.
pub(super) fn version(line: &[u8]) -> Result<()> {
    let not = || Error::BadHeader("not a Hansard segment".into());
    let rest = line.strip_prefix(PREFIX).ok_or_else(not)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = &rest[..digits];
    match (number, rest.get(digits)) {
        (b"1", Some(b',' | b'}')) => Ok(()),
        ([b'1'..=b'9', ..], Some(b',' | b'}')) if digits <= 16 => {
            Err(Error::UnsupportedVersion(format!("version {}", String::from_utf8_lossy(number))))
        }
        _ => Err(not()),
    }
}
