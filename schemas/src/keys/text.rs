//! Keys as people write them: lists of recipients, files of identities.
//!
//! Messages name the line and never repeat it: what stands there may be a private key in the wrong file.

use base64::Engine as _;
use sha2::Digest as _;
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// Public keys that recordings are sealed to.
#[derive(Clone, Default)]
pub struct Recipients(Vec<Recipient>);

#[derive(Clone)]
enum Recipient {
    X25519(age::x25519::Recipient),
    Ssh(age::ssh::Recipient),
}

impl Recipient {
    fn id(&self) -> String {
        match self {
            Self::X25519(key) => key.to_string(),
            Self::Ssh(age::ssh::Recipient::SshRsa(blob, _) | age::ssh::Recipient::SshEd25519(blob, _)) => {
                let digest = sha2::Sha256::digest(blob);
                format!("SHA256:{}", base64::engine::general_purpose::STANDARD_NO_PAD.encode(digest))
            }
        }
    }
}

impl Recipients {
    /// No recipients yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One public key: `age1…`, `ssh-ed25519 …` or `ssh-rsa …`.
    pub fn parse_line(line: &str) -> Result<Self> {
        parse_recipient(line.trim()).map(|key| Self(vec![key])).map_err(Error::UnusableKey)
    }

    /// A file with one public key a line; empty lines and lines that begin with `#` are skipped.
    pub fn parse_file(text: &str) -> Result<Self> {
        let mut all = Self::new();
        for (number, line) in content_lines(text) {
            let key = parse_recipient(line).map_err(|why| Error::UnusableKey(format!("line {number}: {why}")))?;
            all.push(key);
        }
        if all.0.is_empty() {
            return Err(Error::UnusableKey("no public key in it".into()));
        }
        Ok(all)
    }

    /// Adds the keys of another list; a key that is there already is not added again.
    pub fn extend(&mut self, others: Self) {
        for key in others.0 {
            self.push(key);
        }
    }

    fn push(&mut self, key: Recipient) {
        if self.0.iter().all(|held| held.id() != key.id()) {
            self.0.push(key);
        }
    }

    /// Names of the keys: `age1…`, or the OpenSSH fingerprint.
    pub fn ids(&self) -> Vec<String> {
        self.0.iter().map(Recipient::id).collect()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn as_age(&self) -> impl Iterator<Item = &dyn age::Recipient> {
        self.0.iter().map(|key| match key {
            Recipient::X25519(key) => key as &dyn age::Recipient,
            Recipient::Ssh(key) => key,
        })
    }
}

impl std::fmt::Debug for Recipients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Recipients").field(&self.ids()).finish()
    }
}

fn content_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line.trim()));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

fn parse_recipient(line: &str) -> Result<Recipient, String> {
    use age::ssh::ParseRecipientKeyError as Ssh;
    if line.starts_with("age1") {
        return line.parse().map(Recipient::X25519).map_err(|e| format!("not an age public key: {e}"));
    }
    if line.starts_with(SECRET_PREFIX) || line.starts_with(PEM_PREFIX) {
        return Err("this is a private key; give the public one".into());
    }
    match line.parse() {
        Ok(key) => Ok(Recipient::Ssh(key)),
        Err(Ssh::RsaModulusTooSmall) => Err("an RSA key under 2048 bits".into()),
        Err(Ssh::RsaModulusTooLarge) => Err("an RSA key over 4096 bits".into()),
        Err(Ssh::Unsupported(_) | Ssh::Ignore) => {
            Err("this type of SSH key cannot decrypt; use ssh-ed25519, ssh-rsa or an age key".into())
        }
        Err(Ssh::Invalid(_)) => Err("not an age1…, ssh-ed25519 or ssh-rsa public key".into()),
    }
}

const SECRET_PREFIX: &str = "AGE-SECRET-KEY-1";
const PLUGIN_PREFIX: &str = "AGE-PLUGIN-";
const PEM_PREFIX: &str = "-----BEGIN ";
const AGE_FILE_PREFIXES: [&str; 2] = ["age-encryption.org/", "-----BEGIN AGE ENCRYPTED FILE"];

/// Private keys of a reviewer.
#[derive(Default)]
pub struct Identities(Vec<Identity>);

enum Identity {
    X25519(age::x25519::Identity),
    Ssh(age::ssh::Identity),
}

impl Identities {
    /// No identities: everything is checked, nothing opens.
    pub fn new() -> Self {
        Self::default()
    }

    /// One file: age identities (`AGE-SECRET-KEY-1…`, a line each, with comments), or one SSH private key.
    pub fn parse(text: &str) -> Result<Self> {
        let failed = |why: &str| Err(Error::UnusableKey(why.into()));
        let text = text.trim_start();
        if AGE_FILE_PREFIXES.iter().any(|prefix| text.starts_with(prefix)) {
            return failed("an encrypted identity file; decrypt it with age first");
        }
        if text.starts_with(PEM_PREFIX) {
            return match age::ssh::Identity::from_buffer(text.as_bytes(), None) {
                Ok(key @ age::ssh::Identity::Unencrypted(_)) => Ok(Self(vec![Identity::Ssh(key)])),
                Ok(age::ssh::Identity::Encrypted(_)) => {
                    failed("an SSH key with a passphrase; remove it from a copy with ssh-keygen -p, or use an age key")
                }
                Ok(age::ssh::Identity::Unsupported(_)) => {
                    failed("this type of SSH key cannot decrypt; use ssh-ed25519, ssh-rsa or an age key")
                }
                Err(_) => failed("not an SSH private key"),
            };
        }
        let mut all = Vec::new();
        for (number, line) in content_lines(text) {
            let refuse = |why: &str| Err(Error::UnusableKey(format!("line {number}: {why}")));
            if line.starts_with(PLUGIN_PREFIX) {
                return refuse("identities of age plugins are not supported");
            }
            if line.starts_with("age1") || line.starts_with("ssh-") {
                return refuse("this is a public key; give the private one");
            }
            match line.parse() {
                Ok(key) => all.push(Identity::X25519(key)),
                Err(_) => return refuse("not an age identity"),
            }
        }
        if all.is_empty() {
            return failed("no private key in it");
        }
        Ok(Self(all))
    }

    /// Adds the keys of another file.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The public halves.
    pub fn recipients(&self) -> Result<Recipients> {
        let mut all = Recipients::new();
        for identity in &self.0 {
            all.push(match identity {
                Identity::X25519(key) => Recipient::X25519(key.to_public()),
                Identity::Ssh(key) => Recipient::Ssh(
                    age::ssh::Recipient::try_from(key.clone())
                        .map_err(|_| Error::UnusableKey("an SSH key without a usable public half".into()))?,
                ),
            });
        }
        Ok(all)
    }

    pub(super) fn as_age(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.0.iter().map(|key| match key {
            Identity::X25519(key) => key as &dyn age::Identity,
            Identity::Ssh(key) => key,
        })
    }
}

impl std::fmt::Debug for Identities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identities({}, REDACTED)", self.0.len())
    }
}

/// A new X25519 identity as its text, and the recipient of it.
pub fn generate_identity() -> (Zeroizing<String>, String) {
    use age::secrecy::ExposeSecret as _;
    let identity = age::x25519::Identity::generate();
    let text = Zeroizing::new(identity.to_string().expose_secret().to_owned());
    (text, identity.to_public().to_string())
}
