//! One entry: its members, its exact line, its signature.
//!
//! An entry is made by [`genesis`] or [`append`] and read by [`Entry::parse`]. Reading checks all that the line
//! alone can show; whose signature it must bear is known to whoever has the entry before.

use serde::{Deserialize, Serialize};

use crate::ids::BootId;
use crate::seal::SigningKey;
use crate::{ChainId, Digest, Error, PublicKey, Result, SessionId, Timestamp, json, limits};

/// What is signed begins with this, so that no signature fits two purposes.
const CONTEXT: &[u8] = b"hansard/1 chain\0";
/// First bytes of every version.
const OPENING: &[u8] = b"{\"hansard\":";
/// `"sig":"`, 128 digits, `"}`.
const SIG_LENGTH: usize = 7 + 128 + 2;
const COMMON: [&str; 8] = ["hansard", "kind", "chain", "seq", "prev", "time", "boot", "next"];

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
    signed: Digest,
    signature: [u8; 64],
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
        /// Every session open then.
        open: Vec<Head>,
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
}

/// An open session in a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Head {
    /// The session.
    pub session: SessionId,
    /// Its highest closed segment, if any is.
    pub segment: Option<u32>,
    /// The digest of that.
    pub digest: Option<Digest>,
}

/// The members of every entry, in their order.
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
pub(super) struct Common {
    hansard: u64,
    kind: String,
    chain: ChainId,
    seq: u64,
    prev: Option<Digest>,
    time: Timestamp,
    boot: BootId,
    next: PublicKey,
}

/// The members by kind, in their order.
#[derive(Serialize, Deserialize)]
struct GenesisMembers {
    key: PublicKey,
    host: String,
    machine: Option<Digest>,
    uid: u32,
}

#[derive(Serialize, Deserialize)]
struct StartMembers {
    session: SessionId,
    signer: PublicKey,
    identity: Digest,
}

#[derive(Serialize, Deserialize)]
struct EndMembers {
    session: SessionId,
    segment: u32,
    digest: Digest,
    outcome: String,
}

#[derive(Serialize, Deserialize)]
struct RecoveredMembers {
    session: SessionId,
    segment: u32,
    blocks: u64,
    kept: Option<Digest>,
    head: Option<Digest>,
    reason: String,
    old_boot: BootId,
    continues: Option<PublicKey>,
}

#[derive(Serialize, Deserialize)]
struct CheckpointMembers {
    open: Vec<Head>,
}

/// Names of the members by kind; none for an unknown one.
fn member_names(kind: &str) -> &'static [&'static str] {
    match kind {
        "genesis" => &["key", "host", "machine", "uid"],
        "start" => &["session", "signer", "identity"],
        "end" => &["session", "segment", "digest", "outcome"],
        "recovered" => &["session", "segment", "blocks", "kept", "head", "reason", "old_boot", "continues"],
        "checkpoint" => &["open"],
        _ => &[],
    }
}

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
        Kind::Checkpoint { open } => object(&CheckpointMembers { open })?,
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

fn message(signed: &Digest) -> Vec<u8> {
    [CONTEXT, &signed.0].concat()
}

impl Entry {
    /// Reads a line, with or without its line feed. The signature is not checked: see [`Entry::signed_by`].
    pub fn parse(line: &[u8]) -> Result<Self> {
        Self::parse_at(line, 0)
    }

    /// Reads a line that stands where entry `seq` belongs, which only error messages need.
    pub(super) fn parse_at(line: &[u8], seq: u64) -> Result<Self> {
        let body = line.strip_suffix(b"\n").unwrap_or(line);
        if body.len() >= limits::META_LINE {
            return Err(Error::Limit { what: "chain entry line", limit: limits::META_LINE as u64 });
        }
        check_version(body, seq)?;
        parse_body(body).map_err(|why| Error::ChainBroken { seq, why })
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

/// JSON-5: the version is told before anything else is judged.
fn check_version(body: &[u8], seq: u64) -> Result<()> {
    let Some(rest) = body.strip_prefix(OPENING) else {
        return Err(Error::ChainBroken { seq, why: "not an entry: it does not begin with \"hansard\"".into() });
    };
    let none = || Error::ChainBroken { seq, why: "not an entry: no version number".into() };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match (&rest[..digits], rest.get(digits)) {
        (b"1", _) => Ok(()),
        (b"" | [b'0', _, ..], _) => Err(none()),
        (version, Some(b',' | b'}')) => {
            let version = String::from_utf8_lossy(&version[..version.len().min(20)]).into_owned();
            Err(Error::UnsupportedVersion(format!("chain entry of version {version}")))
        }
        _ => Err(none()),
    }
}

fn parse_body(body: &[u8]) -> Result<Entry, String> {
    json::check(body)?;
    let names = json::members(body)?;
    let common: Common = from_slice(body)?;
    let expected: Vec<&str> = COMMON.iter().chain(member_names(&common.kind)).copied().collect();
    if names.len() <= expected.len() || names[..expected.len()] != expected[..] {
        return Err(format!("the members of {:?} are not in their order", common.kind));
    }
    // The last member is `sig`, and the text says so at its one place: what is signed is what comes before it.
    if names.last().is_none_or(|name| name != "sig") {
        return Err("the last member is not \"sig\"".into());
    }
    let (before, signature) = split_signature(body).ok_or("the signature is not at its place")?;
    let kind = parse_kind(body, &common.kind)?;
    let Common { chain, seq, prev, time, boot, next, .. } = common;
    match &kind {
        Kind::Genesis { key, .. } if seq != 0 || prev.is_some() || ChainId::of(key) != chain => {
            return Err("a genesis entry that is not the first of its chain".into());
        }
        Kind::Genesis { .. } => {}
        _ if seq == 0 || prev.is_none() => return Err("the first entry is not genesis".into()),
        _ => {}
    }
    let mut line = body.to_vec();
    line.push(b'\n');
    let digest = Digest::of(&line);
    Ok(Entry { chain, seq, prev, time, boot, next, kind, line, digest, signed: Digest::of(before), signature })
}

/// The bytes before `"sig"`, and the signature.
fn split_signature(body: &[u8]) -> Option<(&[u8], [u8; 64])> {
    let (before, tail) = body.split_at_checked(body.len().checked_sub(SIG_LENGTH)?)?;
    let digits = tail.strip_prefix(b"\"sig\":\"")?.strip_suffix(b"\"}")?;
    if !before.ends_with(b",") || digits.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    let mut signature = [0; 64];
    hex::decode_to_slice(digits, &mut signature).ok()?;
    Some((before, signature))
}

fn parse_kind(body: &[u8], word: &str) -> Result<Kind, String> {
    Ok(match word {
        "genesis" => {
            let GenesisMembers { key, host, machine, uid } = from_slice(body)?;
            Kind::Genesis { key, host, machine, uid }
        }
        "start" => {
            let StartMembers { session, signer, identity } = from_slice(body)?;
            Kind::Start { session, signer, identity }
        }
        "end" => {
            let EndMembers { session, segment, digest, outcome } = from_slice(body)?;
            number(segment)?;
            Kind::End { session, segment, digest, outcome }
        }
        "recovered" => {
            let RecoveredMembers { session, segment, blocks, kept, head, reason, old_boot, continues } =
                from_slice(body)?;
            number(segment)?;
            if kept.is_none() && blocks != 0 {
                return Err("blocks kept, but no digest of them".into());
            }
            if segment == 0 && head.is_some() {
                return Err("a head before segment 0".into());
            }
            Kind::Recovered { session, segment, blocks, kept, head, reason, old_boot, continues }
        }
        "checkpoint" => {
            let CheckpointMembers { open } = from_slice(body)?;
            for head in &open {
                head.segment.map_or(Ok(()), number)?;
                if head.segment.is_some() != head.digest.is_some() {
                    return Err("a head of which either number or digest is null".into());
                }
            }
            Kind::Checkpoint { open }
        }
        "close" => Kind::Close,
        _ => Kind::Unknown(word.to_owned()),
    })
}

/// LIM-11.
fn number(segment: u32) -> Result<(), String> {
    if segment > limits::SEGMENT_NUMBER { Err(format!("segment number {segment} is too large")) } else { Ok(()) }
}

fn from_slice<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|e| e.to_string())
}
