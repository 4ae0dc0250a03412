//! The documents: members in the order of FORMAT.md, section 5, as they are written and read.

use serde::{Deserialize, Serialize};

use super::{Head, Part};
use crate::ids::BootId;
use crate::{ChainId, Digest, PublicKey, SessionId, Timestamp};

/// Names of the members of every entry.
pub(super) const COMMON: [&str; 8] = ["hansard", "kind", "chain", "seq", "prev", "time", "boot", "next"];
/// Names of the members of a checkpoint's head.
pub(super) const HEAD: [&str; 3] = ["session", "segment", "digest"];

/// Names of the members of a checkpoint's part.
pub(super) const PART: [&str; 2] = ["from", "below"];

/// The members of every entry, in their order.
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
pub(super) struct Common {
    pub hansard: u64,
    pub kind: String,
    pub chain: ChainId,
    pub seq: u64,
    pub prev: Option<Digest>,
    pub time: Timestamp,
    pub boot: BootId,
    pub next: PublicKey,
}

/// The members by kind, in their order.
#[derive(Serialize, Deserialize)]
pub(super) struct GenesisMembers {
    pub key: PublicKey,
    pub host: String,
    pub machine: Option<Digest>,
    pub uid: u32,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StartMembers {
    pub session: SessionId,
    pub signer: PublicKey,
    pub identity: Digest,
}

#[derive(Serialize, Deserialize)]
pub(super) struct EndMembers {
    pub session: SessionId,
    pub segment: u32,
    pub digest: Digest,
    pub outcome: String,
}

#[derive(Serialize, Deserialize)]
pub(super) struct RecoveredMembers {
    pub session: SessionId,
    pub segment: u32,
    pub blocks: u64,
    pub kept: Option<Digest>,
    pub head: Option<Digest>,
    pub reason: String,
    pub old_boot: BootId,
    pub continues: Option<PublicKey>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct CheckpointMembers {
    pub open: Vec<Head>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
}

/// Names of the members by kind; none for an unknown one.
pub(super) fn names(kind: &str) -> &'static [&'static str] {
    match kind {
        "genesis" => &["key", "host", "machine", "uid"],
        "start" => &["session", "signer", "identity"],
        "end" => &["session", "segment", "digest", "outcome"],
        "recovered" => &["session", "segment", "blocks", "kept", "head", "reason", "old_boot", "continues"],
        "checkpoint" => &["open"],
        _ => &[],
    }
}
