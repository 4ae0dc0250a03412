//! A bucket of an S3-compatible store as sink and store.
//!
//! `s3://bucket/prefix?region=…&endpoint=…`; the options are in `options`. Credentials come from the SDK's whole
//! default chain, never from the address. The sink needs the right to put and no other. What the store says of an
//! object is a claim, as everywhere: only names are read here.

mod client;
mod errors;
mod list;
mod options;
mod probe;
mod sink;
mod store;

use crate::{Result, SinkError};

pub use sink::S3Sink;
pub use store::S3Store;

/// Longest key that S3 takes, in bytes.
const KEY_MAX: usize = 1024;

/// The key of `name` below `prefix` (empty, or ending in a slash).
fn key(prefix: &str, name: &str) -> Result<String> {
    crate::file::components(name)?;
    let key = format!("{prefix}{name}");
    if key.len() > KEY_MAX {
        return Err(SinkError::BadName { name: name.into(), why: "with the prefix, over the 1,024 bytes of a key" });
    }
    Ok(key)
}
