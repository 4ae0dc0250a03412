//! What an `s3://` address says.

use std::path::PathBuf;

use aws_sdk_s3::types::{ObjectLockMode, ServerSideEncryption};

use crate::address::percent_decode;
use crate::{Address, Result};

const KNOWN: [&str; 10] =
    ["region", "endpoint", "path_style", "checksum", "profile", "sse", "kms_key", "lock_mode", "lock_days", "ca"];

/// An `s3://` address, taken apart.
#[derive(Debug, Clone)]
pub(super) struct Options {
    /// The whole address.
    pub address: String,
    /// The bucket.
    pub bucket: String,
    /// Empty, or ending in a slash.
    pub prefix: String,
    /// `region`; else the environment's, the profile's, the machine's, and behind an own endpoint `us-east-1`.
    pub region: Option<String>,
    /// `endpoint`: another server than AWS.
    pub endpoint: Option<String>,
    /// `path_style`: the bucket in the path and not in the host name. By default only with an own endpoint.
    pub path_style: bool,
    /// `checksum=when_supported`; by default `when_required`, which older servers need.
    pub checksums: bool,
    /// `profile` of the shared configuration files.
    pub profile: Option<String>,
    /// `sse`: encryption by the store, `AES256` or `aws:kms`.
    pub sse: Option<ServerSideEncryption>,
    /// `kms_key` for it.
    pub kms_key: Option<String>,
    /// `lock_mode` and `lock_days`: Object Lock of every object.
    pub lock: Option<(ObjectLockMode, u32)>,
    /// `ca`: a file of more certificate authorities, PEM.
    pub ca: Option<PathBuf>,
}

impl Options {
    pub fn of(address: &Address) -> Result<Self> {
        let given = address.options(&KNOWN)?;
        let body = percent_decode(address.body().as_bytes()).and_then(|bytes| String::from_utf8(bytes).ok());
        let body = body.ok_or_else(|| address.bad("bucket and prefix are not percent-encoded UTF-8"))?;
        let (bucket, prefix) = body.split_once('/').unwrap_or((&body, ""));
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        if bucket.is_empty() || bucket.len() > 255 || !bucket.bytes().all(plain) {
            return Err(address.bad("the name of a bucket is letters, digits, dots and hyphens: s3://bucket/prefix"));
        }
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        if !prefix.is_empty() {
            crate::file::components(prefix).map_err(|e| address.bad(format!("the prefix: {e}")))?;
        }
        // Room for the longest name of a recording.
        if prefix.len() > 512 {
            return Err(address.bad("the prefix is over 512 bytes"));
        }
        let text = |name: &str| given.get(name).filter(|value| !value.is_empty()).cloned();
        let switch = |name: &str, default: bool| match given.get(name).map(String::as_str) {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(other) => Err(address.bad(format!("{name}={other}: it is true or false"))),
        };
        let endpoint = text("endpoint");
        if endpoint.as_ref().is_some_and(|url| !url.starts_with("http://") && !url.starts_with("https://")) {
            return Err(address.bad("an endpoint begins with https:// or http://"));
        }
        if endpoint.as_ref().is_some_and(|url| url.contains('@')) {
            return Err(address.bad("credentials do not belong in an address: the environment or a file gives them"));
        }
        let checksums = match given.get("checksum").map(String::as_str) {
            None | Some("when_required") => false,
            Some("when_supported") => true,
            Some(other) => {
                return Err(address.bad(format!("checksum={other}: it is when_required or when_supported")));
            }
        };
        let sse = match given.get("sse").map(String::as_str) {
            None => None,
            Some("AES256") => Some(ServerSideEncryption::Aes256),
            Some("aws:kms") => Some(ServerSideEncryption::AwsKms),
            Some(other) => return Err(address.bad(format!("sse={other}: it is AES256 or aws:kms"))),
        };
        let kms_key = text("kms_key");
        if kms_key.is_some() && sse != Some(ServerSideEncryption::AwsKms) {
            return Err(address.bad("kms_key goes with sse=aws:kms"));
        }
        Ok(Self {
            address: address.to_string(),
            bucket: bucket.into(),
            prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}/") },
            region: text("region"),
            path_style: switch("path_style", endpoint.is_some())?,
            endpoint,
            checksums,
            profile: text("profile"),
            sse,
            kms_key,
            lock: lock(address, text("lock_mode"), text("lock_days"))?,
            ca: text("ca").map(PathBuf::from),
        })
    }

    /// The same for every address of this bucket and prefix on this server.
    pub fn place(&self) -> String {
        let whole = format!("s3://{}/{}", self.bucket, self.prefix);
        let place = whole.trim_end_matches('/');
        match &self.endpoint {
            None => place.into(),
            Some(endpoint) => format!("{place}?endpoint={}", endpoint.trim_end_matches('/').to_ascii_lowercase()),
        }
    }
}

fn lock(address: &Address, mode: Option<String>, days: Option<String>) -> Result<Option<(ObjectLockMode, u32)>> {
    let mode = match mode.as_deref() {
        None if days.is_none() => return Ok(None),
        None => return Err(address.bad("lock_days goes with lock_mode=COMPLIANCE or lock_mode=GOVERNANCE")),
        Some(mode) if mode.eq_ignore_ascii_case("compliance") => ObjectLockMode::Compliance,
        Some(mode) if mode.eq_ignore_ascii_case("governance") => ObjectLockMode::Governance,
        Some(other) => return Err(address.bad(format!("lock_mode={other}: it is COMPLIANCE or GOVERNANCE"))),
    };
    let days = days.ok_or_else(|| address.bad("lock_mode goes with lock_days=N: how long nothing can be deleted"))?;
    // A hundred years, as S3 itself has it.
    match days.parse() {
        Ok(days) if (1..=36_500).contains(&days) => Ok(Some((mode, days))),
        _ => Err(address.bad(format!("lock_days={days}: a number of days from 1 to 36500"))),
    }
}

#[cfg(test)]
mod tests {
    use super::Options;
    use crate::Address;

    fn options(address: &str) -> crate::Result<Options> {
        Options::of(&Address::parse(address)?)
    }

    #[test]
    fn addresses_of_one_place_are_the_same_place() {
        let place = |address: &str| options(address).unwrap().place();
        assert_eq!(place("s3://bkt/a/b?region=x"), place("s3://bkt/a/b/?profile=y"));
        assert_eq!(place("s3://bkt"), place("s3://bkt/"));
        assert_ne!(place("s3://bkt/a"), place("s3://bkt/b"));
        let own = options("s3://bkt/a?endpoint=http://h:1/").unwrap();
        assert_eq!(own.place(), place("s3://bkt/a?endpoint=http://H:1"));
        assert_ne!(own.place(), place("s3://bkt/a"));
        assert!(own.path_style && !options("s3://bkt").unwrap().path_style);
        assert_eq!(own.prefix, "a/");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (address, want) in [
            ("s3://", "the name of a bucket"),
            ("s3://a%20b", "the name of a bucket"),
            ("s3://bkt//a", "the prefix"),
            ("s3://bkt/a/../b", "the prefix"),
            ("s3://bkt?regoin=x", "the nearest known one is region"),
            ("s3://bkt?endpoint=host:1", "begins with https://"),
            ("s3://bkt?endpoint=http://k:secret@h", "credentials do not belong"),
            ("s3://bkt?checksum=never", "when_required or when_supported"),
            ("s3://bkt?sse=rot13", "AES256 or aws:kms"),
            ("s3://bkt?kms_key=x", "goes with sse=aws:kms"),
            ("s3://bkt?lock_mode=compliance", "lock_days=N"),
            ("s3://bkt?lock_days=3", "goes with lock_mode"),
            ("s3://bkt?lock_mode=compliance&lock_days=0", "from 1 to 36500"),
            ("s3://bkt?lock_mode=soft&lock_days=1", "COMPLIANCE or GOVERNANCE"),
            ("s3://bkt?path_style=perhaps", "true or false"),
        ] {
            let error = options(address).unwrap_err();
            assert!(error.to_string().contains(want), "{address}: {error}");
            assert_eq!(error.class(), crate::Class::Never);
        }
    }
}
