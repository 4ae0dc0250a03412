//! Secrets, keys and documents that never change, so that an input means the same in every run.

use std::sync::LazyLock;

use chrono::{TimeZone, Utc};
use hansard_schemas::chain::{self, Entry, Kind};
use hansard_schemas::ids::BootId;
use hansard_schemas::keys::{EpochSecret, Identities, KeysLine, SegmentSecret};
use hansard_schemas::seal::SigningKey;
use hansard_schemas::segment::HeaderSpec;
use hansard_schemas::{Digest, SessionId, Timestamp};
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// The epoch secret E_0 of everything sealed here.
pub const EPOCH: [u8; 32] = [0x45; 32];
/// The identity object of the recording whose lines the `sealed` target makes.
pub const IDENTITY: &str = include_str!("../seeds/identity.json");

/// A signing key by number.
pub fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

pub fn session(number: u8) -> SessionId {
    SessionId::new(1_700_000_000_000, &[number; 10])
}

pub fn time(seconds: i64) -> Timestamp {
    Timestamp::new(Utc.timestamp_opt(1_700_000_000 + seconds, 0).single().expect("a time"))
}

pub fn boot(number: u8) -> BootId {
    format!("00000000-0000-4000-8000-0000000000{number:02x}").parse().expect("a boot id")
}

/// Genesis, and the `start` entry of session 0 whose segment 0 `key(1)` signs.
pub static START: LazyLock<(Entry, Entry)> = LazyLock::new(|| {
    let (genesis, next) = chain::genesis("host", None, 1000, time(0), boot(0), key(0)).expect("genesis");
    let identity = Digest::of(IDENTITY.trim_end().as_bytes());
    let kind = Kind::Start { session: session(0), signer: key(1).public(), identity };
    let entry = chain::append_with(&genesis, &next, kind, time(1), boot(0), key(9).public()).expect("start");
    (genesis, entry)
});

/// A keys line that nobody can unwrap: here the secret is known.
pub static KEYS: LazyLock<KeysLine> = LazyLock::new(|| {
    let line = b"{\"wraps\":[{\"type\":\"age\",\"recipients\":[],\"wrapped\":\"AAAA\"}]}\n";
    KeysLine::parse(line).expect("keys line")
});

pub fn secret(index: u32) -> SegmentSecret {
    SegmentSecret::derive(&EpochSecret::from_bytes(&EPOCH), index).expect("secret")
}

/// The AES key of `secret(0)`: the key schedule done a second time, because the crate rightly keeps it to itself.
pub fn block_key() -> [u8; 32] {
    let mac = |key: &[u8; 32], label: &str| -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length is a key");
        mac.update(label.as_bytes());
        mac.finalize().into_bytes().into()
    };
    mac(&mac(&EPOCH, "hansard/1 segment"), "hansard/1 aes256gcm")
}

/// The header of segment 0 or 1 of session 0.
pub fn header(first: bool) -> HeaderSpec {
    HeaderSpec {
        session: session(0),
        segment: u32::from(!first),
        start: time(1),
        offset_ms: if first { 0 } else { 1500 },
        epoch: 0,
        index: 0,
        signer: key(1).public(),
        entry: first.then(|| String::from_utf8_lossy(&START.1.line).trim_end().to_owned()),
    }
}

/// `prev` of the trailer of that segment.
pub fn prev(first: bool) -> Option<Digest> {
    (!first).then(|| Digest([7; 32]))
}

/// Identities that fit nothing but make every kind of stanza be tried.
pub static IDENTITIES: LazyLock<Identities> =
    LazyLock::new(|| Identities::parse(include_str!("../seeds/identity.txt")).expect("an identity"));
