//! Identifiers and counters that stand in documents: session ids, digests, keys, times.
//!
//! Each has one textual form (FORMAT.md, JSON-6) and refuses every other. Not for names in stores: `names`.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDateTime, SubsecRound, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::Digest as _;
use uuid::Uuid;

/// A session's id: a UUIDv7 (RFC 9562), lower case with hyphens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(Uuid);

impl SessionId {
    /// A new id of the given time and 10 random bytes from the caller's generator.
    pub fn new(unix_ms: u64, random: &[u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(unix_ms, random).into_uuid())
    }

    /// Milliseconds since 1970 that the id carries.
    pub fn unix_ms(self) -> u64 {
        let b = self.0.as_bytes();
        b[..6].iter().fold(0, |ms, byte| ms << 8 | u64::from(*byte))
    }

    /// Its time; the largest the calendar can express when the id lies beyond it.
    pub fn time(self) -> DateTime<Utc> {
        i64::try_from(self.unix_ms()).ok().and_then(DateTime::from_timestamp_millis).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

impl FromStr for SessionId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let id = Uuid::try_parse(text).map_err(|e| format!("not a session id: {e}"))?;
        if id.get_version_num() != 7 || id.hyphenated().to_string() != text {
            return Err("not a session id: not a lower-case UUIDv7".into());
        }
        Ok(Self(id))
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.hyphenated())
    }
}

/// A boot id as the kernel gives it (any UUID, lower case).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BootId(Uuid);

impl FromStr for BootId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let id = Uuid::try_parse(text).map_err(|e| format!("not a boot id: {e}"))?;
        if id.hyphenated().to_string() != text {
            return Err("not a boot id: not a lower-case UUID".into());
        }
        Ok(Self(id))
    }
}

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.hyphenated())
    }
}

fn hex32(text: &str, what: &str) -> Result<[u8; 32], String> {
    let mut out = [0; 32];
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(format!("not {what}: upper-case hex"));
    }
    hex::decode_to_slice(text, &mut out).map_err(|e| format!("not {what}: {e}"))?;
    Ok(out)
}

/// A SHA-256 digest, or another 32-byte value of a document; 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// SHA-256 of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The first 16 hex digits, as names carry them.
    pub fn short(&self) -> String {
        hex::encode(&self.0[..8])
    }
}

impl FromStr for Digest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        hex32(text, "a digest").map(Self)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// An Ed25519 public key as bytes; whether it is a usable point is checked when it verifies.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey(pub [u8; 32]);

impl PublicKey {
    /// Strict verification (RFC 8032, no small-order keys) of a 64-byte signature.
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        ed25519_dalek::VerifyingKey::from_bytes(&self.0).is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
    }
}

impl FromStr for PublicKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        hex32(text, "a public key").map(Self)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// A host's identity: SHA-256 of its chain's genesis key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainId(pub Digest);

impl ChainId {
    /// The chain that begins with this genesis key.
    pub fn of(genesis: &PublicKey) -> Self {
        Self(Digest::of(&genesis.0))
    }

    /// The first 16 hex digits, as names carry them.
    pub fn short(&self) -> String {
        self.0.short()
    }
}

impl FromStr for ChainId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        hex32(text, "a chain id").map(|b| Self(Digest(b)))
    }
}

impl fmt::Display for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A wall-clock time of a document: UTC, milliseconds, exactly 24 characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime<Utc>);

const TIME_FORM: &str = "%Y-%m-%dT%H:%M:%S%.3fZ";

impl Timestamp {
    /// Truncated to the millisecond.
    pub fn new(time: DateTime<Utc>) -> Self {
        Self(time.trunc_subsecs(3))
    }

    /// As a date and time.
    pub fn time(self) -> DateTime<Utc> {
        self.0
    }

    /// Milliseconds since 1970.
    pub fn unix_ms(self) -> i64 {
        self.0.timestamp_millis()
    }
}

impl FromStr for Timestamp {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let time = NaiveDateTime::parse_from_str(text, TIME_FORM).map_err(|e| format!("not a time: {e}"))?.and_utc();
        let parsed = Self(time);
        // Round trip: leap seconds, missing digits and signs have another form.
        if text.len() != 24 || parsed.to_string() != text {
            return Err("not a time: the form is 2026-11-22T09:30:00.125Z".into());
        }
        Ok(parsed)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format(TIME_FORM))
    }
}

/// Serde and schema as the textual form.
macro_rules! textual {
    ($($name:ident $pattern:literal),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "string", "pattern": $pattern})
            }
        }
    )*};
}

textual! {
    SessionId "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
    BootId "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
    Digest "^[0-9a-f]{64}$",
    PublicKey "^[0-9a-f]{64}$",
    ChainId "^[0-9a-f]{64}$",
    Timestamp "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$"
}
