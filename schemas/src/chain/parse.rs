//! Reading an entry: everything that the line alone can show to be wrong.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::members::{self, Common, EndMembers, GenesisMembers, RecoveredMembers, StartMembers};
use super::{Entry, Head, Kind, Part};
use crate::{ChainId, Digest, Error, Result, json, limits};

/// First bytes of every version.
const OPENING: &[u8] = b"{\"hansard\":";
/// `"sig":"`, 128 digits, `"}`.
const SIG_LENGTH: usize = 7 + 128 + 2;

/// What is wrong with a line, before it is known where it stands.
enum Wrong {
    Malformed(String),
    Segment,
}

impl From<&str> for Wrong {
    fn from(why: &str) -> Self {
        Self::Malformed(why.to_owned())
    }
}

impl From<String> for Wrong {
    fn from(why: String) -> Self {
        Self::Malformed(why)
    }
}

/// Open sessions of a checkpoint, each with its own text.
#[derive(Deserialize)]
struct Open<'a> {
    #[serde(borrow)]
    open: Vec<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "there")]
    part: Option<&'a RawValue>,
}

/// A member that is there, which null would be too.
fn there<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

/// Reads a line that stands where entry `seq` belongs, which only error messages need.
pub(super) fn entry(line: &[u8], seq: u64) -> Result<Entry> {
    let body = line.strip_suffix(b"\n").unwrap_or(line);
    if body.len() >= limits::META_LINE {
        return Err(Error::Limit { what: "chain entry line", limit: limits::META_LINE as u64 });
    }
    check_version(body, seq)?;
    parse_body(body).map_err(|wrong| match wrong {
        Wrong::Malformed(why) => Error::ChainBroken { seq, why },
        Wrong::Segment => Error::Limit { what: "number of a segment", limit: limits::SEGMENT_NUMBER.into() },
    })
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

fn parse_body(body: &[u8]) -> Result<Entry, Wrong> {
    json::check(body)?;
    let names = json::members(body)?;
    let common: Common = from_slice(body)?;
    let expected: Vec<&str> = members::COMMON.iter().chain(members::names(&common.kind)).copied().collect();
    if names.len() <= expected.len() || names[..expected.len()] != expected[..] {
        return Err(format!("the members of {:?} are not in their order", common.kind).into());
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

fn parse_kind(body: &[u8], word: &str) -> Result<Kind, Wrong> {
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
            limited(body)?;
            let EndMembers { session, segment, digest, outcome } = from_slice(body)?;
            Kind::End { session, segment, digest, outcome }
        }
        "recovered" => {
            limited(body)?;
            let RecoveredMembers { session, segment, blocks, kept, head, reason, old_boot, continues } =
                from_slice(body)?;
            Kind::Recovered { session, segment, blocks, kept, head, reason, old_boot, continues }
        }
        "checkpoint" => {
            let Open { open, part } = from_slice(body)?;
            let open = open.into_iter().map(parse_head).collect::<Result<Vec<_>, _>>()?;
            let part = part.map(parse_part).transpose()?;
            if part.as_ref().is_some_and(|part| open.iter().any(|head| !part.covers(head.session))) {
                return Err("an open session that is not in the checkpoint's part".into());
            }
            Kind::Checkpoint { open, part }
        }
        "close" => Kind::Close,
        _ => Kind::Unknown(word.to_owned()),
    })
}

fn parse_head(raw: &RawValue) -> Result<Head, Wrong> {
    let body = raw.get().as_bytes();
    let names = json::members(body)?;
    if !names.iter().map(String::as_str).take(members::HEAD.len()).eq(members::HEAD) {
        return Err("the members of an open session are not in their order".into());
    }
    limited(body)?;
    let head: Head = from_slice(body)?;
    if head.segment.is_some() != head.digest.is_some() {
        return Err("an open session of which either segment or digest is null".into());
    }
    Ok(head)
}

fn parse_part(raw: &RawValue) -> Result<Part, Wrong> {
    let body = raw.get().as_bytes();
    let names = json::members(body)?;
    if !names.iter().map(String::as_str).take(members::PART.len()).eq(members::PART) {
        return Err("the members of a checkpoint's part are not in their order".into());
    }
    let part: Part = from_slice(body)?;
    match (part.from, part.below) {
        (None, None) => Err("a checkpoint's part without a bound".into()),
        (Some(from), Some(below)) if from >= below => Err("a checkpoint's part that ends before it begins".into()),
        _ => Ok(part),
    }
}

/// LIM-11: looked at before the typed parse would call the number malformed.
fn limited(body: &[u8]) -> Result<(), Wrong> {
    #[derive(Deserialize)]
    struct Numbered {
        segment: Option<u64>,
    }
    let Numbered { segment } = from_slice(body)?;
    match segment {
        Some(number) if number > limits::SEGMENT_NUMBER.into() => Err(Wrong::Segment),
        _ => Ok(()),
    }
}

fn from_slice<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|e| e.to_string())
}
