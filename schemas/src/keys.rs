//! Who can read: recipients and identities, the keys line, and the schedule from epoch to segment to cipher key.
//!
//! FORMAT.md, sections 4.2 and 4.3. Files of keys are parsed from text that the caller has read. Secrets sit behind
//! one heap pointer and are wiped when dropped. Not for sealing itself: `seal`.

use std::collections::HashMap;
use std::fmt;
use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::Mac as _;
use rand::RngCore as _;
use rand::rngs::OsRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::held::Held;
use crate::ids::Digest;
use crate::segment::Header;
use crate::{json, limits, names, seal};

mod text;

pub use text::{Identities, Recipients, generate_identity};

/// 32 secret bytes behind a pointer: moving it copies no secret, dropping it wipes.
struct Secret(Held<Zeroizing<[u8; 32]>>);

impl Secret {
    /// HMAC-SHA256 of `label` under this secret.
    #[inline(never)]
    fn derive(&self, label: &str) -> Self {
        let mut derived = Self(Held::default());
        derived.0.copy_from_slice(self.mac(label).as_slice());
        seal::wipe_stack();
        derived
    }

    #[inline(never)]
    fn mac(&self, label: &str) -> Zeroizing<[u8; 32]> {
        // A key of 32 bytes is always taken; the error of the general constructor cannot occur.
        let mut mac = <hmac::Hmac<sha2::Sha256> as hmac::Mac>::new(&block(&self.0).into());
        mac.update(label.as_bytes());
        Zeroizing::new(mac.finalize().into_bytes().into())
    }
}

/// HMAC pads a short key with zeros to the hash's block length.
fn block(key: &[u8; 32]) -> [u8; 64] {
    let mut padded = [0; 64];
    padded[..32].copy_from_slice(key);
    padded
}

/// E_i: what a keys line wraps (E_0), and from which a writer goes on.
pub struct EpochSecret(Secret);

impl EpochSecret {
    /// E_0 of a new epoch.
    pub fn generate() -> Self {
        let mut secret = Secret(Held::default());
        OsRng.fill_bytes(secret.0.as_mut_slice());
        Self(secret)
    }

    /// A given E_0; for test vectors.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        let mut secret = Secret(Held::default());
        secret.0.copy_from_slice(bytes);
        Self(secret)
    }

    /// The keys line of this secret for `recipients`.
    pub fn wrap(&self, recipients: &Recipients) -> Result<KeysLine> {
        let wrapped = self.encrypt(recipients)?;
        seal::wipe_stack();
        let wrap = Wrap { kind: AGE.into(), recipients: recipients.ids(), wrapped: BASE64.encode(wrapped) };
        let mut bytes = serde_json::to_vec(&Wraps { wraps: vec![wrap] }).map_err(|e| Error::BadKeys(e.to_string()))?;
        bytes.push(b'\n');
        KeysLine::parse(&bytes)
    }

    #[inline(never)]
    fn encrypt(&self, recipients: &Recipients) -> Result<Vec<u8>> {
        let failed = |e: &dyn fmt::Display| Error::BadKeys(format!("cannot wrap: {e}"));
        let encryptor = age::Encryptor::with_recipients(recipients.as_age()).map_err(|e| failed(&e))?;
        let mut file = Vec::new();
        let mut writer = encryptor.wrap_output(&mut file).map_err(|e| failed(&e))?;
        writer.write_all(self.0.0.as_slice()).and_then(|()| writer.finish()).map_err(|e| failed(&e))?;
        Ok(file)
    }

    /// S_i and E_(i+1); E_i is wiped (KEY-1).
    pub fn advance(self) -> (SegmentSecret, Self) {
        (SegmentSecret(self.0.derive("hansard/1 segment")), Self(self.0.derive("hansard/1 next")))
    }
}

/// S_i: what the key and the commitment of one segment come from.
pub struct SegmentSecret(Secret);

impl SegmentSecret {
    /// The secret of place `index` in the epoch of `first` (E_0).
    pub fn derive(first: &EpochSecret, index: u32) -> Result<Self> {
        if index > limits::EPOCH_INDEX {
            return Err(Error::Limit { what: "index of a segment in its epoch", limit: limits::EPOCH_INDEX.into() });
        }
        let mut epoch = EpochSecret::from_bytes(&first.0.0);
        for _ in 0..index {
            epoch = EpochSecret(epoch.0.derive("hansard/1 next"));
        }
        Ok(Self(epoch.0.derive("hansard/1 segment")))
    }

    /// The commitment that stands in the header.
    pub fn commit(&self) -> Digest {
        let commit = Digest(*self.0.mac("hansard/1 commit"));
        seal::wipe_stack();
        commit
    }

    /// A key for what a reader keeps beside the recording for itself. Whoever opens the segment can derive it again;
    /// it says nothing of the keys that the format uses, whose labels differ.
    pub fn reader_key(&self, label: &str) -> Zeroizing<[u8; 32]> {
        let key = self.0.mac(&format!("hansard/1 reader {label}"));
        seal::wipe_stack();
        key
    }

    pub(crate) fn sealer(&self, header: Digest) -> seal::Sealer {
        seal::Sealer::new(&self.0.derive("hansard/1 aes256gcm").0, header)
    }

    pub(crate) fn opener(&self, header: Digest) -> seal::Opener {
        seal::Opener::new(&self.0.derive("hansard/1 aes256gcm").0, header)
    }
}

impl fmt::Debug for EpochSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EpochSecret(REDACTED)")
    }
}

impl fmt::Debug for SegmentSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SegmentSecret(REDACTED)")
    }
}

const AGE: &str = "age";

/// The document of a keys line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Wraps {
    /// One entry for each way to unwrap; readers try them in order.
    pub wraps: Vec<Wrap>,
}

/// One way to unwrap the epoch secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Wrap {
    /// `age`; readers skip others.
    #[serde(rename = "type")]
    pub kind: String,
    /// Who can unwrap, for messages only.
    pub recipients: Vec<String>,
    /// The wrapped secret, in base64.
    pub wrapped: String,
}

/// The second line of a segment, as its exact bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysLine {
    bytes: Vec<u8>,
    wraps: Vec<Wrap>,
}

/// What a keys line is after its secrets were deleted.
pub const ERASED: &[u8] = b"{}\n";

impl KeysLine {
    /// Parses a line with its line feed. The line `{}` is taken: it is *erased*.
    pub fn parse(line: &[u8]) -> Result<Self> {
        if line.len() > limits::KEYS_LINE {
            return Err(Error::Limit { what: "keys line", limit: limits::KEYS_LINE as u64 });
        }
        let document = line.strip_suffix(b"\n").ok_or_else(|| Error::BadKeys("no line feed at its end".into()))?;
        if line == ERASED {
            return Ok(Self::opaque(line));
        }
        let wraps = json::parse::<Wraps>(document).map_err(Error::BadKeys)?.wraps;
        // KEYS-1
        if wraps.first().is_none_or(|wrap| wrap.kind != AGE) {
            return Err(Error::BadKeys("the first entry is not of type age".into()));
        }
        for wrap in wraps.iter().filter(|wrap| wrap.kind == AGE) {
            BASE64.decode(&wrap.wrapped).map_err(|e| Error::BadKeys(format!("not base64: {e}")))?;
        }
        Ok(Self { bytes: line.to_vec(), wraps })
    }

    /// A line that is kept as bytes only, because it is not the one that the header names.
    pub(crate) fn opaque(line: &[u8]) -> Self {
        Self { bytes: line.to_vec(), wraps: Vec::new() }
    }

    /// The exact bytes, with the line feed.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What the header's `keys` must be.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }

    /// Whether the secrets were deleted (KEYS-2).
    pub fn is_erased(&self) -> bool {
        self.bytes == ERASED
    }

    /// Who can unwrap, as the line says; nobody has signed that, so escape it before printing.
    pub fn recipients(&self) -> Vec<String> {
        self.wraps.iter().flat_map(|wrap| wrap.recipients.iter().cloned()).collect()
    }

    /// E_0, with the first wrap that any of the identities opens.
    pub fn unwrap(&self, identities: &Identities) -> Result<EpochSecret> {
        if self.is_erased() {
            return Err(Error::Erased);
        }
        for wrap in self.wraps.iter().filter(|wrap| wrap.kind == AGE) {
            let opened = open(wrap, identities);
            seal::wipe_stack();
            if let Some(secret) = opened.map_err(Error::BadKeys)? {
                return Ok(secret);
            }
        }
        let recipients = self.recipients().iter().map(|id| names::safe(id)).collect();
        Err(Error::NoRecipient { recipients })
    }
}

/// Opens one age file; `None` when no identity fits.
#[inline(never)]
fn open(wrap: &Wrap, identities: &Identities) -> Result<Option<EpochSecret>, String> {
    let file = BASE64.decode(&wrap.wrapped).map_err(|e| format!("not base64: {e}"))?;
    let decryptor = age::Decryptor::new_buffered(file.as_slice()).map_err(|e| e.to_string())?;
    let reader = match decryptor.decrypt(identities.as_age()) {
        Ok(reader) => reader,
        Err(age::DecryptError::NoMatchingKeys) => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let mut plain = Zeroizing::new(Vec::with_capacity(64));
    reader.take(33).read_to_end(&mut plain).map_err(|e| e.to_string())?;
    let bytes = plain.as_slice().try_into().map_err(|_| format!("{} wrapped bytes, not 32", plain.len()))?;
    Ok(Some(EpochSecret::from_bytes(bytes)))
}

/// Epoch secrets already unwrapped, by the digest of their keys line; one session has few, and many segments.
#[derive(Debug, Default)]
pub struct SecretCache(HashMap<Digest, EpochSecret>);

impl SecretCache {
    /// The secret of a segment: unwrapped, brought to its index, and compared with the commitment (KEY-2).
    pub fn secret(&mut self, header: &Header, keys: &KeysLine, identities: &Identities) -> Result<SegmentSecret> {
        let digest = keys.digest();
        if digest != header.keys {
            // KEYS-2: version 1 knows no tombstones, so who erased it is not known either.
            return Err(if keys.is_erased() { Error::Erased } else { Error::Altered("keys line".into()) });
        }
        let first = match self.0.entry(digest) {
            std::collections::hash_map::Entry::Occupied(held) => held.into_mut(),
            std::collections::hash_map::Entry::Vacant(free) => free.insert(keys.unwrap(identities)?),
        };
        let secret = SegmentSecret::derive(first, header.index)?;
        if secret.commit() != header.commit {
            return Err(Error::Commit);
        }
        Ok(secret)
    }
}
