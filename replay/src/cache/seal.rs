//! The seal of a cache file: who can open the recording can open it, and nobody else.
//!
//! ```text
//! magic   a line that says what it holds
//! salt    32 random bytes
//! n       u32 LE, length of the first part
//! first   sealed: what was found of the segments, which anybody with the store can find
//! second  sealed: what was found in them, as the screens
//! ```
//! Both parts are AES-256-GCM under keys that are used once (HMAC-SHA256 of the salt), so the nonce is zero. The first
//! part's key comes from the secret of segment 0; the second part's from a secret of every epoch, because recipients
//! can change from one to the next, and a screen holds what was shown in all of them. Associated with both are magic,
//! session and salt, and with the second the digest of the first: parts of two files never make one.

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use hansard_schemas::keys::SegmentSecret;
use hansard_schemas::{Digest, SessionId};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// What a file holds, in its first line: changes with every change of what is inside.
pub type Magic = &'static [u8];
const SALT: usize = 32;
const LENGTH: usize = 4;
const LABEL: &str = "keyframes";

/// A secret of 32 bytes, from which keys and names are made.
pub struct Secret(Zeroizing<[u8; 32]>);

impl Secret {
    /// Of a segment.
    pub fn of(segment: &SegmentSecret) -> Self {
        Self(segment.reader_key(LABEL))
    }

    /// Of this and another one: who has only one of both has nothing.
    pub fn and(&self, segment: &SegmentSecret) -> Self {
        Self(mac(&self.0, &*segment.reader_key(LABEL)))
    }

    /// The name of the file.
    pub fn name(&self) -> String {
        Digest(*mac(&self.0, b"name")).to_string()
    }

    fn cipher(&self, part: &[u8], salt: &[u8]) -> Aes256Gcm {
        let key = mac(&self.0, &[part, salt].concat());
        Aes256Gcm::new((&*key).into())
    }
}

fn mac(key: &[u8; 32], message: &[u8]) -> Zeroizing<[u8; 32]> {
    // HMAC pads a short key with zeros; a key of a whole block is always taken.
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(key);
    let mut mac = <Hmac<Sha256> as hmac::Mac>::new((&*block).into());
    mac.update(message);
    Zeroizing::new(mac.finalize().into_bytes().into())
}

/// A file, taken apart.
pub struct Sealed<'a> {
    magic: Magic,
    salt: &'a [u8],
    first: &'a [u8],
    second: &'a [u8],
}

impl<'a> Sealed<'a> {
    /// Of the bytes of a file; `None` when it is not one of this kind and version.
    pub fn parse(magic: Magic, bytes: &'a [u8]) -> Option<Self> {
        let (salt, rest) = bytes.strip_prefix(magic)?.split_at_checked(SALT)?;
        let (first, second) = split(rest)?;
        Some(Self { magic, salt, first, second })
    }

    /// The first part.
    pub fn first(&self, session: SessionId, secret: &Secret) -> Option<Vec<u8>> {
        let payload = Payload { msg: self.first, aad: &bound(self.magic, session, self.salt, None) };
        secret.cipher(b"first", self.salt).decrypt(&Nonce::default(), payload).ok()
    }

    /// The second part, beside the first as it was opened.
    pub fn second(&self, session: SessionId, first: &[u8], secret: &Secret) -> Option<Vec<u8>> {
        let payload = Payload { msg: self.second, aad: &bound(self.magic, session, self.salt, Some(first)) };
        secret.cipher(b"second", self.salt).decrypt(&Nonce::default(), payload).ok()
    }
}

/// The bytes of a file. `None` where the system gives no random bytes, or a part is too long.
pub fn seal(magic: Magic, session: SessionId, first: (&[u8], &Secret), second: (&[u8], &Secret)) -> Option<Vec<u8>> {
    let mut salt = [0; SALT];
    let got = rustix::rand::getrandom(&mut salt, rustix::rand::GetRandomFlags::empty()).ok()?;
    (got == SALT).then_some(())?;
    let one = Payload { msg: first.0, aad: &bound(magic, session, &salt, None) };
    let one = first.1.cipher(b"first", &salt).encrypt(&Nonce::default(), one).ok()?;
    let two = Payload { msg: second.0, aad: &bound(magic, session, &salt, Some(first.0)) };
    let two = second.1.cipher(b"second", &salt).encrypt(&Nonce::default(), two).ok()?;
    Some([magic, &salt, &join(&one, &two)?].concat())
}

/// Two parts as one: the length of the first (u32 LE), and both. `None` where it is too long for that.
pub fn join(first: &[u8], second: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(first.len()).ok()?.to_le_bytes();
    Some([&length, first, second].concat())
}

/// The two parts again.
pub fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH>()?;
    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
}

fn bound(magic: Magic, session: SessionId, salt: &[u8], first: Option<&[u8]>) -> Vec<u8> {
    let first = first.map(|first| Digest::of(first).0);
    [magic, session.to_string().as_bytes(), salt, first.as_ref().map_or(&[], |digest| &digest[..])].concat()
}

#[cfg(test)]
mod tests {
    use hansard_schemas::keys::EpochSecret;

    use super::*;

    const MAGIC: Magic = b"a kind of file 1\n";

    fn session(n: u64) -> SessionId {
        SessionId::new(n, &[7; 10])
    }

    fn secrets(epoch: u8) -> SegmentSecret {
        SegmentSecret::derive(&EpochSecret::from_bytes(&[epoch; 32]), 0).unwrap()
    }

    #[test]
    fn only_all_secrets_open_all_of_it() {
        let one = Secret::of(&secrets(1));
        let both = one.and(&secrets(2));
        let file = seal(MAGIC, session(1), (b"facts", &one), (b"screens", &both)).unwrap();
        assert!(![&b"facts"[..], b"screens"].iter().any(|text| file.windows(text.len()).any(|at| at == *text)));
        let sealed = Sealed::parse(MAGIC, &file).unwrap();
        assert_eq!(sealed.first(session(1), &one).unwrap(), b"facts");
        assert_eq!(sealed.second(session(1), b"facts", &both).unwrap(), b"screens");
        // Another session, another first part, an epoch that one cannot open.
        assert_eq!(sealed.first(session(2), &one), None);
        assert_eq!(sealed.second(session(1), b"fakes", &both), None);
        assert_eq!(sealed.second(session(1), b"facts", &one), None);
        assert_eq!(sealed.second(session(1), b"facts", &one.and(&secrets(3))), None);
        assert_eq!(sealed.first(session(1), &Secret::of(&secrets(2))), None);
        // Nor is one kind taken for another.
        let magic: Magic = b"a kind of file 2\n";
        let renamed = [magic, &file[magic.len()..]].concat();
        assert!(Sealed::parse(MAGIC, &renamed).is_none());
        assert_eq!(Sealed::parse(magic, &renamed).unwrap().first(session(1), &one), None);
        // Two files of one session do not mix, and names differ by secret.
        let other = seal(MAGIC, session(1), (b"facts", &one), (b"screens", &both)).unwrap();
        assert_ne!(file, other);
        assert_ne!(one.name(), both.name());
    }

    #[test]
    fn a_damaged_file_opens_nowhere_and_breaks_nothing() {
        let one = Secret::of(&secrets(1));
        let file = seal(MAGIC, session(1), (b"facts", &one), (b"screens", &one)).unwrap();
        for at in 0..file.len() {
            let mut bad = file.clone();
            bad[at] ^= 1;
            let opened = Sealed::parse(MAGIC, &bad).and_then(|sealed| {
                let first = sealed.first(session(1), &one)?;
                sealed.second(session(1), &first, &one)
            });
            assert_eq!(opened, None, "byte {at}");
            assert!(
                Sealed::parse(MAGIC, &file[..at])
                    .and_then(|sealed| sealed.second(session(1), &sealed.first(session(1), &one)?, &one))
                    .is_none()
            );
        }
    }
}
