//! The trailer line and its signature (FORMAT.md, section 4.5).

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use crate::error::{Error, Result};
use crate::ids::{Digest, PublicKey};
use crate::seal::SigningKey;
use crate::{json, limits};

const MEMBERS: [&str; 5] = ["blocks", "lines", "prev", "next", "last"];
const CONTEXT: &[u8] = b"hansard/1 segment\0";
const SIG: &[u8] = b"\"sig\":\"";
const SIG_END: &[u8] = b"\"}\n";
/// Bytes of `"sig":"<128 hex>"}` and line feed (TRL-1).
const TAIL: usize = SIG.len() + 128 + SIG_END.len();

/// What the signer says of a closed segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Trailer {
    /// Number of blocks, the footer among them.
    pub blocks: u64,
    /// Event lines.
    pub lines: u64,
    /// Digest of the segment before.
    pub prev: Option<Digest>,
    /// The next segment's signer.
    pub next: Option<PublicKey>,
    /// Whether it is the session's last segment.
    pub last: bool,
}

impl Trailer {
    /// The line up to the signature: what is signed, after header, blocks and end.
    fn unsigned(&self) -> Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self).map_err(|e| Error::Unwritable(e.to_string()))?;
        // The closing brace gives way to the signature.
        line.pop();
        line.push(b',');
        Ok(line)
    }

    /// The whole line, signed; `hash` has taken header, blocks and end marker.
    pub(super) fn sign(&self, hash: &sha2::Sha256, key: &SigningKey) -> Result<Vec<u8>> {
        let mut line = self.unsigned()?;
        let signature = key.sign(&message(hash, &line));
        line.extend_from_slice(SIG);
        line.extend_from_slice(hex::encode(signature).as_bytes());
        line.extend_from_slice(SIG_END);
        Ok(line)
    }

    /// Parses a line with its line feed; says where the signature begins, and the signature.
    pub(super) fn parse(line: &[u8]) -> Result<(Self, usize, [u8; 64])> {
        let bad = |why: &str| Error::BadTrailer(why.into());
        if line.len() > limits::META_LINE {
            return Err(too_long());
        }
        let at = line.len().checked_sub(TAIL).ok_or_else(|| bad("no signature at its end"))?;
        let digits = line[at..].strip_prefix(SIG).and_then(|rest| rest.strip_suffix(SIG_END));
        let digits = digits.ok_or_else(|| bad("no signature at its end"))?;
        let mut signature = [0; 64];
        if digits.iter().any(u8::is_ascii_uppercase) || hex::decode_to_slice(digits, &mut signature).is_err() {
            return Err(bad("the signature is not lower-case hex"));
        }
        let document = &line[..line.len() - 1];
        let trailer: Self = json::parse(document).map_err(Error::BadTrailer)?;
        let members = json::members(document).map_err(Error::BadTrailer)?;
        if !members.iter().map(String::as_str).take(MEMBERS.len()).eq(MEMBERS) {
            return Err(bad("members missing or in another order"));
        }
        Ok((trailer, at, signature))
    }

    /// Reads and checks the trailer of segment `number` that holds `blocks` blocks.
    pub(super) fn check(
        line: &[u8],
        hash: &sha2::Sha256,
        blocks: u64,
        number: u32,
        signer: &PublicKey,
    ) -> Result<Self> {
        let (trailer, at, signature) = Self::parse(line)?;
        trailer.rules(blocks, number)?;
        if !signer.verify(&message(hash, &line[..at]), &signature) {
            return Err(Error::BadSignature(format!("trailer of segment {number}")));
        }
        Ok(trailer)
    }

    /// What must agree, for readers and writers.
    pub(super) fn rules(&self, blocks: u64, number: u32) -> Result<()> {
        let bad = |why: String| Err(Error::BadTrailer(why));
        if self.blocks != blocks || blocks == 0 {
            return bad(format!("it counts {} blocks, there are {blocks}", self.blocks));
        }
        if self.prev.is_some() != (number > 0) {
            return bad(format!("segment {number} {} a digest before it", if number > 0 { "lacks" } else { "has" }));
        }
        if self.next.is_some() == self.last {
            return bad("next is given in the last segment, or missing in another".into());
        }
        Ok(())
    }
}

pub(super) fn too_long() -> Error {
    Error::Limit { what: "trailer line", limit: limits::META_LINE as u64 }
}

/// What is signed.
fn message(hash: &sha2::Sha256, unsigned: &[u8]) -> Vec<u8> {
    let digest = hash.clone().chain_update(unsigned).finalize();
    [CONTEXT, &digest].concat()
}
