//! A file that takes events, one JSON document a line.
//!
//! Several recorders append to one file: each takes its lock, so that lines stay whole and a line that a crash tore is
//! ended before the next. A file that was renamed meanwhile is left alone and made anew. Not for reading it back.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};

use crate::{Address, EventObject, EventSink, Result, SinkError, file};

/// How often the file is opened anew when it is renamed between opening and locking it.
const RENAMED_MAX: u32 = 8;

/// A file of NDJSON.
#[derive(Debug)]
pub struct NdjsonSink {
    address: String,
    place: String,
    path: PathBuf,
}

impl NdjsonSink {
    /// The file of this address; it and the folder it is in are made at the first event.
    pub fn open(address: &Address) -> Result<Self> {
        if address.body().ends_with('/') {
            return Err(address.bad("events go into a file: give its path, such as file:///var/log/hansard.ndjson"));
        }
        let path = file::path_of(address)?;
        Ok(Self { address: address.to_string(), place: file::place_of(&path), path })
    }

    fn append(&self, line: &[u8]) -> io::Result<()> {
        for _ in 0..RENAMED_MAX {
            let mut file = open(&self.path)?;
            flock(&file, FlockOperation::LockExclusive)?;
            if !is_at(&file, &self.path) {
                continue;
            }
            let length = file.metadata()?.len();
            let mut out = Vec::with_capacity(line.len() + 2);
            if length > 0 {
                let mut last = [0];
                file.seek(SeekFrom::Start(length - 1))?;
                file.read_exact(&mut last)?;
                if last != *b"\n" {
                    // A writer died, or the disk was full, inside a line.
                    out.push(b'\n');
                }
            }
            out.extend_from_slice(line);
            out.push(b'\n');
            file.write_all(&out)?;
            rustix::fs::fsync(&file)?;
            if length == 0 {
                let folder = self.path.parent().unwrap_or(Path::new("/"));
                rustix::fs::fsync(File::open(folder)?)?;
            }
            return Ok(());
        }
        Err(io::Error::other("the file is renamed all the time"))
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    // No waiting for the reader of a pipe.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
    options.read(true).append(true).create(true).mode(0o600).custom_flags(flags);
    let file = match options.open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
            options.open(path)?
        }
        other => other?,
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
    }
    Ok(file)
}

/// Whether the file that is open is still the one that has the name.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(open), Ok(there)) => (open.dev(), open.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

impl EventSink for NdjsonSink {
    fn send(&self, event: &EventObject<'_>) -> Result<()> {
        if event.json.contains(&b'\n') {
            return Err(SinkError::BadName { name: event.id.into(), why: "the event has more than one line" });
        }
        self.append(event.json).map_err(|source| SinkError::Io {
            name: self.path.display().to_string(),
            action: "append an event",
            source,
        })
    }

    fn address(&self) -> &str {
        &self.address
    }

    fn place(&self) -> &str {
        &self.place
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hansard_schemas::names::EventName;

    use super::*;
    use crate::open_notify;

    fn name() -> EventName {
        let path = "events/2026/11/22/00112233aabbccdd/20261122T093000.125Z_host_h_u_-.checkpoint.json";
        EventName::parse(path).unwrap()
    }

    fn sink(path: &Path) -> Arc<dyn EventSink> {
        open_notify(&Address::parse(path.to_str().unwrap()).unwrap()).unwrap()
    }

    #[test]
    fn lines_of_many_writers_stay_whole_and_a_torn_one_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/events.ndjson");
        let long = "x".repeat(70_000);
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let (path, long) = (&path, &long);
                scope.spawn(move || {
                    let sink = sink(path);
                    for number in 0..20 {
                        let json = format!("{{\"writer\":{writer},\"number\":{number},\"long\":\"{long}\"}}");
                        sink.send(&EventObject { name: &name(), id: "1", json: json.as_bytes() }).unwrap();
                    }
                });
            }
        });
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 80);
        assert!(text.lines().all(|line| line.starts_with("{\"writer\"") && line.ends_with("\"}")));
        std::fs::write(&path, "{\"torn").unwrap();
        sink(&path).send(&EventObject { name: &name(), id: "2", json: b"{}" }).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"torn\n{}\n");
    }

    #[test]
    fn a_folder_and_a_pipe_are_refused_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let event = |path: &Path| sink(path).send(&EventObject { name: &name(), id: "1", json: b"{}" });
        assert!(event(folder.path()).is_err());
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        let error = event(&pipe).unwrap_err().to_string();
        assert!(error.contains("it is no file"), "{error}");
    }
}
