//! Writing entries. Each takes the key that the entry before names, and brings the key of the next.

use serde::Serialize;

use super::entry::message;
use super::members::{CheckpointMembers, Common, EndMembers, GenesisMembers, RecoveredMembers, StartMembers};
use super::{Entry, Kind};
use crate::ids::BootId;
use crate::seal::SigningKey;
use crate::{ChainId, Digest, Error, PublicKey, Result, Timestamp};

/// Begins a chain. Returns its first entry and the key that signs the second.
pub fn genesis(
    host: &str,
    machine: Option<Digest>,
    uid: u32,
    time: Timestamp,
    boot: BootId,
    key: SigningKey,
) -> Result<(Entry, SigningKey)> {
    let next = SigningKey::generate();
    let entry = genesis_with(host, machine, uid, time, boot, &key, next.public())?;
    Ok((entry, next))
}

/// Begins a chain with a given next key: for what must be made the same twice.
pub fn genesis_with(
    host: &str,
    machine: Option<Digest>,
    uid: u32,
    time: Timestamp,
    boot: BootId,
    key: &SigningKey,
    next: PublicKey,
) -> Result<Entry> {
    let kind = Kind::Genesis { key: key.public(), host: host.to_owned(), machine, uid };
    write(ChainId::of(&key.public()), 0, None, time, boot, next, &kind, key)
}

/// Writes the entry after `prev` with a fresh next key. `key` is the one that `prev` names; it is wiped here.
pub fn append(prev: &Entry, key: SigningKey, kind: Kind, time: Timestamp, boot: BootId) -> Result<(Entry, SigningKey)> {
    let next = SigningKey::generate();
    let entry = append_with(prev, &key, kind, time, boot, next.public())?;
    Ok((entry, next))
}

/// Writes the entry after `prev` with a given next key: for what must be made the same twice.
pub fn append_with(
    prev: &Entry,
    key: &SigningKey,
    kind: Kind,
    time: Timestamp,
    boot: BootId,
    next: PublicKey,
) -> Result<Entry> {
    if key.public() != prev.next {
        return Err(Error::Unwritable("the chain's key is not the one that its last entry names".into()));
    }
    if matches!(kind, Kind::Genesis { .. }) {
        return Err(Error::Unwritable("a second genesis in one chain".into()));
    }
    write(prev.chain, prev.seq + 1, Some(prev.digest), time, boot, next, &kind, key)
}

#[allow(clippy::too_many_arguments, reason = "one value for each member of the entry")]
fn write(
    chain: ChainId,
    seq: u64,
    prev: Option<Digest>,
    time: Timestamp,
    boot: BootId,
    next: PublicKey,
    kind: &Kind,
    key: &SigningKey,
) -> Result<Entry> {
    let common = Common { hansard: 1, kind: kind.as_str().to_owned(), chain, seq, prev, time, boot, next };
    let mut line = object(&common)?;
    let members = match kind.clone() {
        Kind::Genesis { key, host, machine, uid } => object(&GenesisMembers { key, host, machine, uid })?,
        Kind::Start { session, signer, identity } => object(&StartMembers { session, signer, identity })?,
        Kind::End { session, segment, digest, outcome } => object(&EndMembers { session, segment, digest, outcome })?,
        Kind::Recovered { session, segment, blocks, kept, head, reason, old_boot, continues } => {
            object(&RecoveredMembers { session, segment, blocks, kept, head, reason, old_boot, continues })?
        }
        Kind::Checkpoint { open, part } => object(&CheckpointMembers { open, part })?,
        Kind::Close => Vec::new(),
        Kind::Unknown(word) => return Err(Error::Unwritable(format!("an entry of unknown kind {word:?}"))),
    };
    // `{a}` and `{b}` become `{a,b,`.
    line.pop();
    line.push(b',');
    if !members.is_empty() {
        line.extend_from_slice(&members[1..members.len() - 1]);
        line.push(b',');
    }
    let signature = key.sign(&message(&Digest::of(&line)));
    line.extend_from_slice(format!("\"sig\":\"{}\"}}\n", hex::encode(signature)).as_bytes());
    // What is written is read back: a writer cannot make what a reader would refuse.
    Entry::parse(&line)
}

fn object<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|e| Error::Unwritable(format!("chain entry: {e}")))
}
