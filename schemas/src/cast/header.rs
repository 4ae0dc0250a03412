//! The header line of a recording (CAST-1): asciicast v3 with the identity object as its last member.
//!
//! Not the header of a segment: `segment::header`.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::session::Identity;
use crate::{Digest, Error, Result, json, limits};

const VERSION: u32 = 3;

/// The first line of segment 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CastHeader {
    /// The terminal at the start.
    pub term: Term,
    /// Start of the session, seconds since 1970.
    pub timestamp: u64,
    /// The command as one string, for players that show it.
    pub command: Option<String>,
    /// Who and what the session is.
    pub hansard: Identity,
}

/// The terminal at the start of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    /// Columns.
    pub cols: u16,
    /// Rows.
    pub rows: u16,
    /// `TERM`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    term: &'a Term,
    timestamp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<&'a str>,
    // Last (CAST-1).
    hansard: &'a RawValue,
}

#[derive(Deserialize)]
struct Read<'a> {
    version: u64,
    term: Term,
    timestamp: u64,
    #[serde(default)]
    command: Option<String>,
    #[serde(borrow)]
    hansard: &'a RawValue,
}

impl CastHeader {
    /// The line with its line feed, and the digest of the identity object in it, for the `start` entry.
    pub fn to_line(&self) -> Result<(Vec<u8>, Digest)> {
        let unwritable = |e: serde_json::Error| Error::Unwritable(format!("header line: {e}"));
        let identity = serde_json::value::to_raw_value(&self.hansard).map_err(unwritable)?;
        let written = Written {
            version: VERSION,
            term: &self.term,
            timestamp: self.timestamp,
            command: self.command.as_deref(),
            hansard: &identity,
        };
        let mut line = serde_json::to_vec(&written).map_err(unwritable)?;
        line.push(b'\n');
        if line.len() > limits::EVENT_LINE {
            return Err(too_long());
        }
        Ok((line, Digest::of(identity.get().as_bytes())))
    }

    /// Reads the line, with or without its line feed; the digest is that of the identity object as it stands there.
    pub fn parse_line(line: &[u8]) -> Result<(Self, Digest)> {
        if line.len() > limits::EVENT_LINE {
            return Err(too_long());
        }
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        json::check(line).map_err(bad)?;
        let read: Read<'_> = serde_json::from_slice(line).map_err(|e| bad(e.to_string()))?;
        if read.version != u64::from(VERSION) {
            return Err(bad(format!("asciicast version {}", read.version)));
        }
        let identity = read.hansard.get().as_bytes();
        let last = line.strip_suffix(b"}").is_some_and(|rest| rest.ends_with(identity));
        if !last || !identity.starts_with(b"{") {
            return Err(bad("the identity object is not its last member".into()));
        }
        let hansard = serde_json::from_slice(identity).map_err(|e| bad(format!("identity: {e}")))?;
        let header = Self { term: read.term, timestamp: read.timestamp, command: read.command, hansard };
        Ok((header, Digest::of(identity)))
    }
}

fn bad(why: String) -> Error {
    Error::BadLine(format!("header line: {why}"))
}

fn too_long() -> Error {
    Error::Limit { what: "header line of the recording", limit: limits::EVENT_LINE as u64 }
}
