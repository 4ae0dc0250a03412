//! The signature of Standard Webhooks: HMAC-SHA256 over id, time and body, with a secret that both ends know.
//!
//! Not for requests.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// The variable that holds the secret.
pub const SECRET: &str = "HANSARD_WEBHOOK_SECRET";
/// The variable that names the file that holds it, where that one is not set.
pub const SECRET_FILE: &str = "HANSARD_WEBHOOK_SECRET_FILE";

/// Bytes of a secret, as Standard Webhooks bounds them.
const LENGTH: std::ops::RangeInclusive<usize> = 24..=64;

/// What requests are signed with.
pub struct Secret(Hmac<Sha256>);

impl Secret {
    /// Reads `whsec_` and base64. `Err` says what is wrong, and nothing of the secret.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bytes = text
            .trim()
            .strip_prefix("whsec_")
            .and_then(|rest| STANDARD.decode(rest).ok())
            .ok_or("the webhook secret is not whsec_ and base64")?;
        if !LENGTH.contains(&bytes.len()) {
            return Err(format!("the webhook secret has {} bytes: it must have 24 to 64", bytes.len()));
        }
        let mac = Hmac::new_from_slice(&bytes).map_err(|_| "the webhook secret cannot be used")?;
        Ok(Self(mac))
    }

    /// The secret of the environment; none where there is none.
    pub fn of_environment() -> Result<Option<Self>, String> {
        let text = match (std::env::var(SECRET), std::env::var_os(SECRET_FILE)) {
            (Ok(text), _) if !text.is_empty() => text,
            (_, Some(path)) if !path.is_empty() => std::fs::read_to_string(&path)
                .map_err(|e| format!("the webhook secret cannot be read from {}: {e}", path.to_string_lossy()))?,
            _ => return Ok(None),
        };
        Self::parse(&text).map(Some)
    }

    /// The value of `webhook-signature`. `time` is in seconds since 1970.
    pub fn sign(&self, id: &str, time: i64, body: &[u8]) -> String {
        let mut mac = self.0.clone();
        mac.update(format!("{id}.{time}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    /// The example of the Standard Webhooks libraries.
    #[test]
    fn a_known_signature() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn bad_secrets_are_refused_without_being_shown() {
        for bad in ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_%%", "whsec_c2hvcnQ="] {
            let error = Secret::parse(bad).err().unwrap();
            assert!(!error.contains("c2hvcnQ"), "{error}");
        }
    }
}
