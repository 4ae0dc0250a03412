//! A directory as sink and store.
//!
//! The sink never replaces: a temporary file is written, synced and linked to its name, which fails where
//! something is already. The store trusts nothing it finds: links are not followed, pipes are not waited for,
//! names that do not parse are reported.

pub(crate) mod beneath;
mod sink;
mod store;

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Component, Path, PathBuf};

use crate::address::{percent_decode, percent_encode};
use crate::{Address, Result};

pub(crate) use beneath::components;
pub use sink::FileSink;
pub use store::FileStore;

/// How the sink's unfinished files begin. A name that no segment or chain object has.
const UNFINISHED: &str = ".put-";

/// The path that an address names.
pub(crate) fn path_of(address: &Address) -> Result<PathBuf> {
    address.options(&[])?;
    let body = address.body().strip_prefix("localhost").unwrap_or(address.body());
    if !body.starts_with('/') {
        return Err(address.bad(format!(
            "such an address has an absolute path and no host: {}:///absolute/path",
            address.scheme().as_str()
        )));
    }
    let bytes = percent_decode(body.as_bytes()).ok_or_else(|| address.bad("a % without two hex digits"))?;
    if bytes.contains(&0) {
        return Err(address.bad("a path cannot hold a NUL"));
    }
    Ok(PathBuf::from(OsString::from_vec(bytes)))
}

/// A path as an address, for messages.
fn of_path(path: &Path) -> String {
    format!("file://{}", percent_encode(path.as_os_str().as_bytes()))
}

/// The same for every way of writing a path.
pub(crate) fn place_of(path: &Path) -> String {
    of_path(&plain(path))
}

/// The path without what changes nothing: `.` and doubled slashes. Links are not followed: the place may not exist yet.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{of_path, path_of};
    use crate::Address;

    fn directory(address: &str) -> crate::Result<std::path::PathBuf> {
        path_of(&Address::parse(address)?)
    }

    #[test]
    fn file_addresses_are_absolute_and_percent_decoded() {
        for (address, path) in [
            ("/var/lib/x", "/var/lib/x"),
            ("/var/100%", "/var/100%"),
            ("file:///var/lib/x", "/var/lib/x"),
            ("file:///var/lib/x?required=false", "/var/lib/x"),
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
    fn other_file_addresses_are_refused_with_the_reason() {
        for (address, want) in [
            ("file://host/path", "no host"),
            ("file:///a%2", "two hex digits"),
            ("file:///a%zz", "two hex digits"),
            ("file:///a%00", "NUL"),
            ("file:///a?b=c", "no option b"),
        ] {
            let error = directory(address).unwrap_err().to_string();
            assert!(error.contains(want), "{address}: {error}");
        }
    }
}
