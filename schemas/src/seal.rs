//! Sealing of blocks and signing: the AEAD with its counter, the Ed25519 keys, and the wiping of what they leave.
//!
//! A nonce is never chosen by a caller: sealer and opener own the counter (FORMAT.md, section 4.4, the STREAM
//! construction). Secrets live on the heap, behind one pointer, so that moving them leaves no copies behind. Not for
//! the key schedule: `keys`.

use aes_gcm::aead::{AeadInPlace, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use ed25519_dalek::Signer as _;
use rand::rngs::OsRng;
use zeroize::{Zeroize, Zeroizing};

use crate::error::{Error, Result};
use crate::held::Held;
use crate::ids::{Digest, PublicKey};

/// Bytes of an authentication tag.
pub const TAG: usize = 16;

/// Overwrites the stack below the caller, where calls that handled keys have left their frames.
///
/// 16 KiB covers the deepest of them (the AES key schedule, a SHA-512 and the curve arithmetic of one signature).
#[inline(never)]
pub fn wipe_stack() {
    let mut frame = [0u64; 2048];
    frame.zeroize();
    std::hint::black_box(&frame);
}

/// Cipher, counter and associated data of one segment; shared by both directions.
struct Stream {
    cipher: Held<Aes256Gcm>,
    /// Number of the next block. The nonce has room for 2^88; a segment ends long before 2^64.
    counter: u64,
    header: Digest,
    /// The block with the last flag has been made or met; nothing can follow.
    ended: bool,
}

impl Stream {
    #[inline(never)]
    fn new(key: &[u8; 32], header: Digest) -> Self {
        let cipher = Held::new(Aes256Gcm::new(key.into()));
        Self { cipher, counter: 0, header, ended: false }
    }

    fn nonce(&self, last: bool) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce[3..11].copy_from_slice(&self.counter.to_be_bytes());
        nonce[11] = u8::from(last);
        nonce
    }

    fn associated(&self, position: u64) -> [u8; 40] {
        let mut data = [0; 40];
        data[..32].copy_from_slice(&self.header.0);
        data[32..].copy_from_slice(&position.to_le_bytes());
        data
    }
}

/// Seals the blocks of one segment, in order.
pub struct Sealer(Stream);

impl Sealer {
    /// A sealer for the segment whose header line hashes to `header`.
    pub fn new(key: &[u8; 32], header: Digest) -> Self {
        let stream = Stream::new(key, header);
        wipe_stack();
        Self(stream)
    }

    /// Encrypts `plain` in place and gives the tag. A counter is used once (BLK-4), whatever becomes of the bytes.
    pub fn seal(&mut self, plain: &mut [u8], position: u64, last: bool) -> Result<[u8; TAG]> {
        let stream = &mut self.0;
        if stream.ended {
            return Err(Error::Unwritable("a block after the last".into()));
        }
        let nonce = stream.nonce(last);
        let tag = stream
            .cipher
            .encrypt_in_place_detached(Nonce::from_slice(&nonce), &stream.associated(position), plain)
            .map_err(|_| Error::Unwritable("a block longer than the cipher takes".into()))?;
        stream.counter += 1;
        stream.ended = last;
        Ok(tag.into())
    }
}

/// Opens the blocks of one segment, in order.
pub struct Opener(Stream);

impl Opener {
    /// An opener for the segment whose header line hashes to `header`.
    pub fn new(key: &[u8; 32], header: Digest) -> Self {
        let stream = Stream::new(key, header);
        wipe_stack();
        Self(stream)
    }

    /// Decrypts `sealed` (text and tag) in place; gives the text, and which of the `allowed` last flags it bears. The
    /// bytes are untouched when no tag holds.
    pub fn open<'a>(&mut self, sealed: &'a mut [u8], position: u64, allowed: &[bool]) -> Result<(&'a [u8], bool)> {
        let stream = &mut self.0;
        let refused = Error::BlockAuth(stream.counter);
        if stream.ended || sealed.len() < TAG {
            return Err(refused);
        }
        let associated = stream.associated(position);
        let (text, tag) = sealed.split_at_mut(sealed.len() - TAG);
        let tag = Tag::from_slice(tag);
        for last in allowed.iter().copied() {
            let nonce = stream.nonce(last);
            if stream.cipher.decrypt_in_place_detached(Nonce::from_slice(&nonce), &associated, text, tag).is_ok() {
                stream.counter += 1;
                stream.ended = last;
                return Ok((text, last));
            }
        }
        Err(refused)
    }
}

/// An Ed25519 private key, wiped when dropped. There is no `Clone`: what signs once is consumed by signing.
pub struct SigningKey(Held<ed25519_dalek::SigningKey>);

impl SigningKey {
    /// A new key from the system's generator.
    pub fn generate() -> Self {
        let key = Self(Held::new(ed25519_dalek::SigningKey::generate(&mut OsRng)));
        wipe_stack();
        key
    }

    /// From the 32 bytes that [`SigningKey::to_bytes`] gave.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        let key = Self(Held::new(ed25519_dalek::SigningKey::from_bytes(bytes)));
        wipe_stack();
        key
    }

    /// The seed, for the chain's state file.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// What others verify with.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// The signature of `message`.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature = self.0.sign(message).to_bytes();
        wipe_stack();
        signature
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey(REDACTED, public {})", self.public())
    }
}
