//! A webhook: each event is a POST, signed as Standard Webhooks has it.
//!
//! A webhook's address is often its secret, so messages show scheme and host only, and its place is a
//! digest. Redirects are not followed: an event would go to whoever can answer one. Not for when to try again.

mod signature;
#[cfg(feature = "remote")]
mod sink;

pub use self::signature::{SECRET, SECRET_FILE, Secret};
#[cfg(feature = "remote")]
pub use self::sink::WebhookSink;
