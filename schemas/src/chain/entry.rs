//! One entry: its members, its exact line, its signature.
//!
//! Entries are made in `write` and read in `parse`; their documents are in `members`.

use crate::ids::BootId;
use crate::{ChainId, Digest, PublicKey, Result, SessionId, Timestamp};

/// What is signed begins with this, so that no signature fits two purposes.
const CONTEXT: &[u8] = b"hansard/1 chain\0";

/// One entry of a host chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The chain it belongs to.
    pub chain: ChainId,
    /// Its number; 0 is genesis.
    pub seq: u64,
    /// Digest of the entry before.
    pub prev: Option<Digest>,
    /// Wall-clock time, as the host had it.
    pub time: Timestamp,
    /// Boot id of the kernel.
    pub boot: BootId,
    /// Signs the next entry.
    pub next: PublicKey,
    /// What it says.
    pub kind: Kind,
    /// The exact line, with its line feed.
    pub line: Vec<u8>,
    /// SHA-256 of [`Entry::line`].
    pub digest: Digest,
    /// Digest of what is signed.
    pub(super) signed: Digest,
    pub(super) signature: [u8; 64],
}

/// What an entry says.
// The schema alone is derived: the members are written by hand, in their order.
#[derive(Debug, Clone, PartialEq, Eq, schemars::JsonSchema)]
#[schemars(tag = "kind", rename_all = "lowercase")]
pub enum Kind {
    /// The chain begins.
    Genesis {
        /// Signs this entry; its SHA-256 is the chain id.
        key: PublicKey,
        /// Name of the host, a claim.
        host: String,
        /// HMAC of the machine id.
        machine: Option<Digest>,
        /// Who owns the spool.
        uid: u32,
    },
    /// A session begins.
    Start {
        /// The session.
        session: SessionId,
        /// Signs its segment 0.
        signer: PublicKey,
        /// SHA-256 of its identity object.
        identity: Digest,
    },
    /// A session has ended.
    End {
        /// The session.
        session: SessionId,
        /// Its last segment.
        segment: u32,
        /// The digest of that.
        digest: Digest,
        /// How it ended.
        outcome: String,
    },
    /// A segment was closed after its recorder had gone.
    Recovered {
        /// The session.
        session: SessionId,
        /// The segment.
        segment: u32,
        /// Blocks kept.
        blocks: u64,
        /// SHA-256 of the header line and the kept blocks; `None` when nothing could be kept.
        kept: Option<Digest>,
        /// Digest of the segment before.
        head: Option<Digest>,
        /// Why, in words.
        reason: String,
        /// Boot id of the kernel when the segment was begun.
        old_boot: BootId,
        /// Signs the next segment, if the session went on.
        continues: Option<PublicKey>,
    },
    /// What is open.
    Checkpoint {
        /// Every session open then, of those that it is about.
        open: Vec<Head>,
        /// Which it is about; `None`: all of them.
        #[schemars(skip_serializing_if = "Option::is_none")]
        part: Option<Part>,
    },
    /// Orderly stop of the writer.
    Close,
    /// A kind of a later version (CHAIN-6).
    #[schemars(skip)]
    Unknown(String),
}

impl Kind {
    /// The word of the document.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Genesis { .. } => "genesis",
            Self::Start { .. } => "start",
            Self::End { .. } => "end",
            Self::Recovered { .. } => "recovered",
            Self::Checkpoint { .. } => "checkpoint",
            Self::Close => "close",
            Self::Unknown(word) => word,
        }
    }

    /// What a checkpoint says of a session: `Some(None)` that it is not open, `None` nothing. Nothing is what other
    /// entries say, too.
    pub fn lists(&self, session: SessionId) -> Option<Option<&Head>> {
        match self {
            Self::Checkpoint { open, part } if part.as_ref().is_none_or(|part| part.covers(session)) => {
                Some(open.iter().find(|head| head.session == session))
            }
            _ => None,
        }
    }
}

/// The sessions that a checkpoint is about, where one entry cannot hold all (CHAIN-8).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Part {
    /// The lowest id; `None`: no bound.
    pub from: Option<SessionId>,
    /// The id above the highest; `None`: no bound.
    pub below: Option<SessionId>,
}

impl Part {
    /// Whether it is about this session.
    pub fn covers(&self, session: SessionId) -> bool {
        self.from.is_none_or(|from| from <= session) && self.below.is_none_or(|below| session < below)
    }
}

/// An open session in a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Head {
    /// The session.
    pub session: SessionId,
    /// Its highest closed segment, if any is.
    pub segment: Option<u32>,
    /// The digest of that.
    pub digest: Option<Digest>,
}

impl Entry {
    /// Reads a line, with or without its line feed, and checks all that it alone can show. Whose signature it must bear
    /// is known to whoever has the entry before: see [`Entry::signed_by`].
    pub fn parse(line: &[u8]) -> Result<Self> {
        super::parse::entry(line, 0)
    }

    /// Whether this key signed the entry.
    pub fn signed_by(&self, key: &PublicKey) -> bool {
        key.verify(&message(&self.signed), &self.signature)
    }

    /// The key that a genesis entry names for itself.
    pub(super) fn genesis_key(&self) -> Option<&PublicKey> {
        match &self.kind {
            Kind::Genesis { key, .. } => Some(key),
            _ => None,
        }
    }
}

/// What is signed, for the digest of the bytes before the signature.
pub(super) fn message(signed: &Digest) -> Vec<u8> {
    [CONTEXT, &signed.0].concat()
}
