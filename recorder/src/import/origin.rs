//! What a recording of another tool is, and how it is opened: by what is asked, or by how it begins.
//!
//! Not for how it is read: each format has its own file.

use std::fs::File;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::source::{Source, Tally};
use super::{Fault, Take, Told, asciicast, asciicast1, script, sudo, tlog, ttyrec};

/// A format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// asciicast version 1.
    Asciicast1,
    /// asciicast version 2.
    Asciicast2,
    /// asciicast version 3.
    Asciicast3,
    /// util-linux script, with timing.
    Script,
    /// ttyrec.
    Ttyrec,
    /// tlog's JSON messages.
    Tlog,
    /// sudo's I/O log.
    Sudo,
}

impl Format {
    /// Its word, in labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Asciicast1 => "asciicast-1",
            Self::Asciicast2 => "asciicast-2",
            Self::Asciicast3 => "asciicast-3",
            Self::Script => "script",
            Self::Ttyrec => "ttyrec",
            Self::Tlog => "tlog",
            Self::Sudo => "sudo",
        }
    }

    /// By how a file begins.
    pub fn of(head: &[u8]) -> Option<Self> {
        if head.starts_with(b"Script started on ") {
            return Some(Self::Script);
        }
        if head.trim_ascii_start().starts_with(b"{") {
            return Some(Self::of_json(head));
        }
        // Of another tool in some billion: a length that is no length of a read, or microseconds that are none.
        let (_, micros, length) = ttyrec::header(head)?;
        (micros < 1_000_000 && (1..=1 << 20).contains(&length)).then_some(Self::Ttyrec)
    }

    /// Version 1 of asciicast is the one that is no lines.
    fn of_json(head: &[u8]) -> Self {
        let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let text = String::from_utf8_lossy(line);
        let Ok(first) = serde_json::from_slice::<Value>(line) else {
            // A first line that is longer than what was looked at.
            return if text.contains("\"rec\"") && text.contains("\"timing\"") { Self::Tlog } else { Self::Asciicast1 };
        };
        match first.get("version").and_then(Value::as_u64) {
            Some(1) => Self::Asciicast1,
            Some(3) => Self::Asciicast3,
            None if first.get("rec").is_some() => Self::Tlog,
            // What is neither is refused with the place and the reason.
            _ => Self::Asciicast2,
        }
    }
}

/// A recording of another tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// What it is.
    pub format: Format,
    /// The file that was named, or the folder.
    pub path: PathBuf,
    /// For script: its timing.
    pub timing: Option<PathBuf>,
    /// For script: what was typed, where it is a file of its own.
    pub typed: Option<PathBuf>,
}

impl Origin {
    /// The files it consists of; the one that was named is the first.
    pub fn files(&self) -> Vec<PathBuf> {
        match self.format {
            Format::Sudo => {
                let names = ["timing", "log.json", "log"].into_iter().chain(sudo::STREAMS);
                names.map(|name| self.path.join(name)).filter(|path| path.exists()).collect()
            }
            _ => [Some(&self.path), self.timing.as_ref(), self.typed.as_ref()].into_iter().flatten().cloned().collect(),
        }
    }

    /// Reads it from the beginning. What it says of itself is in `told` as far as it was read.
    pub fn read(&self, tally: &Tally, told: &mut Told, take: &mut Take<'_>) -> Result<(), Fault> {
        let open = |path: &Path| Source::open(path, tally);
        let named = |path: &Option<PathBuf>| path.as_deref().map(open).transpose();
        match self.format {
            Format::Asciicast1 => asciicast1::read(open(&self.path)?, told, take),
            Format::Asciicast2 | Format::Asciicast3 => asciicast::read(open(&self.path)?, told, take),
            Format::Ttyrec => ttyrec::read(open(&self.path)?, told, take),
            Format::Tlog => tlog::read(open(&self.path)?, told, take),
            Format::Script => {
                let timing = self.timing.as_deref().unwrap_or(Path::new(""));
                let files =
                    script::Files { output: open(&self.path)?, timing: open(timing)?, input: named(&self.typed)? };
                script::read(files, told, take)
            }
            Format::Sudo => {
                let there = |name: &str| {
                    let path = self.path.join(name);
                    if path.exists() { open(&path).map(Some) } else { Ok(None) }
                };
                let [stdin, stdout, stderr, ttyin, ttyout] = sudo::STREAMS;
                let files = sudo::Files {
                    timing: open(&self.path.join("timing"))?,
                    json: there("log.json")?,
                    log: there("log")?,
                    streams: [there(stdin)?, there(stdout)?, there(stderr)?, there(ttyin)?, there(ttyout)?],
                };
                sudo::read(files, told, take)
            }
        }
    }
}

/// The first bytes of a file, as it holds them.
pub fn head(path: &Path) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    // Enough for the first line of an asciicast that holds a whole environment.
    Source::open(path, &Tally::default())?.bytes(64 << 10, &mut bytes)?;
    Ok(bytes)
}

/// SHA-256 of a file, as it lies on the disk, and its length in bytes.
pub fn digest(path: &Path) -> Result<([u8; 32], u64), Fault> {
    let unreadable = |error| Fault::Unreadable { file: path.display().to_string(), error };
    let mut sha = Sha256::new();
    let mut file = File::open(path).map_err(unreadable)?;
    let length = std::io::copy(&mut file, &mut sha).map_err(unreadable)?;
    Ok((sha.finalize().into(), length))
}
