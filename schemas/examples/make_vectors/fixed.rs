//! What all vectors share: keys, identities, keys lines. Kept in `vectors/fixed`, made where missing.

use std::io::Write as _;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hansard_schemas::ids::BootId;
use hansard_schemas::keys::{EpochSecret, Recipients, generate_identity};
use hansard_schemas::seal::SigningKey;
use hansard_schemas::{SessionId, Timestamp};

use super::folder;

pub struct Fixed {
    /// Opens everything but what is sealed to the SSH key alone.
    pub identity: String,
    /// Opens nothing.
    pub stranger: String,
    /// An OpenSSH private key, a file.
    pub ssh_identity: String,
    /// Epochs 0 and 1 for `identity`.
    pub keys: [Vec<u8>; 2],
    /// Epoch 0 for `identity` and the SSH key.
    pub keys_both: Vec<u8>,
    /// 16 bytes wrapped where 32 belong.
    pub keys_short: Vec<u8>,
}

/// E_0 of epoch `n`.
pub fn epoch(n: u8) -> [u8; 32] {
    std::array::from_fn(|i| (0xe0 + n) ^ i as u8)
}

/// A signing key.
pub fn signer(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

pub fn session() -> SessionId {
    SessionId::new(1_795_339_800_125, &[0x5e; 10])
}

pub fn time(n: u32) -> Timestamp {
    format!("2026-11-22T09:30:{n:02}.125Z").parse().unwrap()
}

pub fn boot() -> BootId {
    "6a1d6e3c-7d2f-4c3b-9d52-0c4b7f0f6a11".parse().unwrap()
}

fn kept(name: &str, make: impl FnOnce() -> Vec<u8>) -> Vec<u8> {
    let path = folder().join("fixed").join(name);
    if !path.exists() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, make()).unwrap();
    }
    std::fs::read(path).unwrap()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

fn new_identity() -> Vec<u8> {
    format!("{}\n", *generate_identity().0).into_bytes()
}

fn public(identity: &str) -> Recipients {
    hansard_schemas::keys::Identities::parse(identity).unwrap().recipients().unwrap()
}

impl Fixed {
    pub fn load() -> Self {
        let identity = text(kept("identity.txt", new_identity)).trim().to_owned();
        let stranger = text(kept("stranger.txt", new_identity)).trim().to_owned();
        let ssh_identity = text(kept("id_ed25519", || {
            let path = folder().join("fixed/id_ed25519");
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "vectors", "-f"]).arg(&path);
            assert!(keygen.status().unwrap().success());
            std::fs::remove_file(path.with_extension("pub")).unwrap();
            std::fs::read(path).unwrap()
        }));
        let one = public(&identity);
        let mut both = one.clone();
        both.extend(public(&ssh_identity));
        let wrap = |n, to: &Recipients| EpochSecret::from_bytes(&epoch(n)).wrap(to).unwrap().bytes().to_vec();
        Self {
            keys: [kept("keys-0.line", || wrap(0, &one)), kept("keys-1.line", || wrap(1, &one))],
            keys_both: kept("keys-both.line", || wrap(0, &both)),
            keys_short: kept("keys-short.line", || short(&identity)),
            identity,
            stranger,
            ssh_identity,
        }
    }
}

fn short(identity: &str) -> Vec<u8> {
    let recipient = identity.parse::<age::x25519::Identity>().unwrap().to_public();
    let encryptor = age::Encryptor::with_recipients(std::iter::once(&recipient as _)).unwrap();
    let mut file = Vec::new();
    let mut writer = encryptor.wrap_output(&mut file).unwrap();
    writer.write_all(&epoch(0)[..16]).unwrap();
    writer.finish().unwrap();
    keys_line(&[("age", &BASE64.encode(file))])
}

/// A keys line of the given wraps.
pub fn keys_line(wraps: &[(&str, &str)]) -> Vec<u8> {
    let wraps: Vec<String> = wraps
        .iter()
        .map(|(kind, wrapped)| format!(r#"{{"type":"{kind}","recipients":["somebody"],"wrapped":"{wrapped}"}}"#))
        .collect();
    format!("{{\"wraps\":[{}]}}\n", wraps.join(",")).into_bytes()
}
