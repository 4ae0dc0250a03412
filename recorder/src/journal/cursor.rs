//! Cursors: the number of the next thing that a place lacks, in a small file that is written over.
//!
//! In place, because there is one for every thing that is delivered, and a file that is replaced each time is a file made and a
//! file removed, which costs a file system more than the delivery. One that was lost, or that is read while it is written,
//! counts as none: what it counted is delivered once more, which is harmless. Not for where a cursor lies.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::file::replace_loosely;

/// The number twice, at a fixed length: a reader that sees a part of it sees that.
fn head(number: u64) -> String {
    format!("{number:020} {number:020} ")
}

fn parse(text: &str) -> Option<(u64, &str)> {
    let (number, rest) = text.split_once(' ')?;
    let (again, address) = rest.split_once(' ')?;
    (number == again).then(|| Some((number.parse().ok()?, address.trim_end())))?
}

/// The number; `None` where nothing is known.
pub fn read(path: &Path) -> Option<u64> {
    parse(&fs::read_to_string(path).ok()?).map(|(number, _)| number)
}

/// The address that was written with it.
pub fn address(path: &Path) -> Option<String> {
    parse(&fs::read_to_string(path).ok()?).map(|(_, address)| address.to_owned())
}

/// Writes both; they may be lost with the power. By one thread at a time.
pub fn write(path: &Path, number: u64, address: &str) -> io::Result<()> {
    let head = head(number);
    let is_of_it = |text: String| parse(&text).is_some_and(|(_, before)| before == address);
    if fs::read_to_string(path).is_ok_and(is_of_it) {
        return File::options().write(true).open(path)?.write_all_at(head.as_bytes(), 0);
    }
    replace_loosely(path, format!("{head}{address}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_what_is_torn_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cursor");
        assert_eq!(read(&path), None);
        for (number, place) in [(7, "file:///a b"), (u64::MAX, "file:///a b"), (9, "file:///c"), (10, "")] {
            write(&path, number, place).unwrap();
            assert_eq!((read(&path), address(&path).as_deref()), (Some(number), Some(place)));
        }
        for torn in ["", "\0\0\0", "00000000000000000009 00000000000000000010 \n", "9", "9 9"] {
            fs::write(&path, torn).unwrap();
            assert_eq!(read(&path), None, "{torn:?}");
            write(&path, 11, "place").unwrap();
            assert_eq!((read(&path), address(&path).as_deref()), (Some(11), Some("place")), "{torn:?}");
        }
    }
}
