//! Addresses of sinks and stores: one form everywhere.
//!
//! `file:///absolute/path` (percent-decoded) or a plain absolute path. Names from a configuration are resolved
//! before they come here.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use crate::{Result, Sink, SinkError, Store, file};

/// Opens the place that takes recordings. Nothing is created before the first object.
pub fn open_sink(address: &str) -> Result<Box<dyn Sink>> {
    Ok(Box::new(file::FileSink::new(directory(address)?)))
}

/// Opens a place to read from. Whether it is there shows at the first use.
pub fn open_store(address: &str) -> Result<Box<dyn Store>> {
    Ok(Box::new(file::FileStore::new(directory(address)?)))
}

fn directory(address: &str) -> Result<PathBuf> {
    let bad = |why| SinkError::BadAddress { address: redacted(address), why };
    if address.starts_with('/') {
        return Ok(PathBuf::from(address));
    }
    let (scheme, rest) = address.split_once(':').ok_or_else(|| bad("not an address: write file:///absolute/path"))?;
    match scheme {
        "file" => {}
        "s3" => return Err(SinkError::Unsupported { address: redacted(address), scheme: "s3" }),
        "kafka" => return Err(SinkError::Unsupported { address: redacted(address), scheme: "kafka" }),
        _ => return Err(bad("unknown kind of address: file:, s3: and kafka: are the kinds there are")),
    }
    let path = rest
        .strip_prefix("//localhost")
        .or_else(|| rest.strip_prefix("//"))
        .ok_or_else(|| bad("a file address has three slashes: file:///absolute/path"))?;
    if !path.starts_with('/') {
        return Err(bad("a file address has an absolute path and no host: file:///absolute/path"));
    }
    if path.contains(['?', '#']) {
        return Err(bad("a file address has no query and no fragment: write %3F for ? and %23 for #"));
    }
    let bytes = percent_decode(path.as_bytes()).ok_or_else(|| bad("a % without two hex digits"))?;
    if bytes.contains(&0) {
        return Err(bad("a path cannot hold a NUL"));
    }
    Ok(PathBuf::from(OsString::from_vec(bytes)))
}

fn percent_decode(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'%' {
            out.push(first);
            continue;
        }
        let (high, low) = (*rest.first()?, *rest.get(1)?);
        let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
        out.push(digit(high)? << 4 | digit(low)?);
        rest = &rest[2..];
    }
    Some(out)
}

/// The address with what stands before an `@` in its host part taken out.
fn redacted(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.into() };
    let host_end = rest.find('/').unwrap_or(rest.len());
    match rest[..host_end].rfind('@') {
        Some(at) => format!("{scheme}://REDACTED@{}", &rest[at + 1..]),
        None => address.into(),
    }
}

/// A path as an address, for messages.
pub(crate) fn of_path(path: &std::path::Path) -> String {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt;
    let mut address = String::from("file://");
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~+=,@:".contains(&byte) {
            address.push(byte.into());
        } else {
            let _ = write!(address, "%{byte:02X}");
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{directory, of_path};

    #[test]
    fn file_addresses_are_absolute_and_percent_decoded() {
        for (address, path) in [
            ("/var/lib/x", "/var/lib/x"),
            ("file:///var/lib/x", "/var/lib/x"),
            ("file://localhost/var", "/var"),
            ("file:///a%20b%2Fc", "/a b/c"),
            ("file:///a+b", "/a+b"),
        ] {
            assert_eq!(directory(address).unwrap(), Path::new(path), "{address}");
        }
        assert_eq!(of_path(Path::new("/a b%/ü")), "file:///a%20b%25/%C3%BC");
        assert_eq!(directory(&of_path(Path::new("/a b%/ü"))).unwrap(), Path::new("/a b%/ü"));
    }

    #[test]
    fn other_addresses_are_refused_with_the_reason() {
        for (address, want) in [
            ("", "not an address"),
            ("relative/path", "not an address"),
            ("file:relative", "three slashes"),
            ("file://host/path", "no host"),
            ("file:///a%2", "two hex digits"),
            ("file:///a%zz", "two hex digits"),
            ("file:///a%00", "NUL"),
            ("file:///a?b", "no query"),
            ("ftp://x/y", "unknown kind of address"),
            ("s3://bucket/prefix", "this build has no s3 sink yet"),
            ("kafka://h:9092/t", "this build has no kafka sink yet"),
        ] {
            let error = directory(address).unwrap_err().to_string();
            assert!(error.contains(want), "{address}: {error}");
        }
        let error = directory("s3://key:secret@host/bucket").unwrap_err().to_string();
        assert!(error.contains("REDACTED@host/bucket") && !error.contains("secret"), "{error}");
    }
}
