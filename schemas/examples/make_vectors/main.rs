//! Makes the test vectors that are missing (`schemas/vectors/README.md`); one that is there is never touched.
//!
//! Segments are put together by `raw`, from the format's text and not by the library's writer, so that they can be wrong in
//! any place; a few are the library's own. Keys are fixed; what is random (age files) is made once and kept.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "a program for tests")]

mod content;
mod fixed;
mod good;
mod opened;
mod raw;
mod structure;

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

pub use fixed::Fixed;

/// One vector before it is written.
pub struct Case {
    name: &'static str,
    note: &'static str,
    outcome: &'static str,
    head: Vec<(&'static str, String)>,
    bytes: Vec<u8>,
}

pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

/// A recording that must give `outcome`.
pub fn case(name: &'static str, outcome: &'static str, note: &'static str, bytes: Vec<u8>) -> Case {
    assert!(name.starts_with(outcome), "{name} is to begin with {outcome}");
    Case { name, note, outcome, head: Vec::new(), bytes }
}

impl Case {
    pub fn with(mut self, key: &'static str, value: impl ToString) -> Self {
        self.head.push((key, value.to_string()));
        self
    }

    fn write(self, fixed: &Fixed) {
        let path = folder().join(format!("{}.vector", self.name));
        if path.exists() {
            return;
        }
        let mut text = format!("kind: recording\nnote: {}\noutcome: {}\n", self.note, self.outcome);
        if !self.head.iter().any(|(key, _)| key.contains("identity")) {
            text += &format!("identity: {}\n", fixed.identity);
        }
        for (key, value) in &self.head {
            text += &format!("{key}: {value}\n");
        }
        let mut body = self.bytes;
        if body.len() > 64 << 10 {
            text += "compressed: zstd\n";
            body = zstd::bulk::compress(&body, 19).unwrap();
        }
        text.push('\n');
        for line in BASE64.encode(body).as_bytes().chunks(76) {
            text.push_str(std::str::from_utf8(line).unwrap());
            text.push('\n');
        }
        std::fs::write(&path, text).unwrap();
        println!("{}", path.display());
    }
}

fn main() {
    let fixed = Fixed::load();
    let all = [good::cases, structure::cases, opened::cases, content::cases];
    for case in all.iter().flat_map(|cases| cases(&fixed)) {
        case.write(&fixed);
    }
}
