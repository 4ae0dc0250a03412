//! Every test vector of a recording (`schemas/vectors/README.md`) against this crate's reader.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "tests")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hansard_schemas::cast::{Code, EventData};
use hansard_schemas::keys::{Identities, SecretCache};
use hansard_schemas::segment::{EventReader, Reader, TrailerKind, check_recording, secret};
use hansard_schemas::{Digest, Error};

struct Vector {
    name: String,
    head: Vec<(String, String)>,
    bytes: Vec<u8>,
}

impl Vector {
    fn get(&self, key: &str) -> Option<&str> {
        self.head.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    fn identities(&self) -> Identities {
        let mut all = Identities::new();
        for (key, value) in &self.head {
            match key.as_str() {
                "identity" => all.extend(Identities::parse(value).unwrap()),
                "ssh-identity" => {
                    let file = String::from_utf8(BASE64.decode(value).unwrap()).unwrap();
                    all.extend(Identities::parse(&file).unwrap());
                }
                _ => {}
            }
        }
        all
    }
}

fn vectors() -> Vec<Vector> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let mut all = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "vector") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let (head, body) = text.split_once("\n\n").unwrap();
        let head: Vec<(String, String)> = head
            .lines()
            .map(|line| line.split_once(": ").unwrap())
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        let mut bytes = BASE64.decode(body.replace('\n', "")).unwrap();
        if head.iter().any(|(key, value)| key == "compressed" && value == "zstd") {
            bytes = zstd::decode_all(bytes.as_slice()).unwrap();
        }
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        all.push(Vector { name, head, bytes });
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// What a recording gave.
#[derive(Default)]
struct Read {
    segments: usize,
    recovered: bool,
    lines: Vec<u8>,
    output: Vec<u8>,
}

fn recording(bytes: &[u8], identities: &Identities) -> Result<Read, Error> {
    let parts = check_recording(bytes)?;
    let mut read = Read { segments: parts.len(), ..Read::default() };
    let mut cache = SecretCache::default();
    for part in parts {
        let bytes = &bytes[part.bytes];
        let checked = part.checked;
        read.recovered |= matches!(checked.trailer, TrailerKind::Recovered(_));
        let secret = secret(&checked.header, &checked.keys, identities, &mut cache)?;
        let mut events = EventReader::new(bytes, &secret)?;
        while let Some(batch) = events.next_batch()? {
            for event in batch.events {
                if let (Code::Output, EventData::Bytes(raw)) = (event.code, event.data) {
                    read.output.extend(raw);
                }
            }
        }
        let mut reader = Reader::new(bytes, &secret)?;
        while let Some(block) = reader.next_block()? {
            read.lines.extend(block.lines);
        }
    }
    Ok(read)
}

fn run(vector: &Vector) -> Result<(), String> {
    let wanted = vector.get("outcome").unwrap();
    let agree = |key: &str, got: String| match vector.get(key) {
        Some(value) if value != got => Err(format!("{key}: {got}, not {value}")),
        _ => Ok(()),
    };
    let got = match recording(&vector.bytes, &vector.identities()) {
        Ok(read) => {
            agree("segments", read.segments.to_string())?;
            agree("lines", Digest::of(&read.lines).to_string())?;
            agree("output", Digest::of(&read.output).to_string())?;
            if read.recovered { "recovered" } else { "ok" }
        }
        Err(error) => error.outcome().as_str(),
    };
    if got == wanted { Ok(()) } else { Err(format!("{got}, not {wanted}")) }
}

#[test]
fn order_vectors_every_recording_gives_its_outcome() {
    // Those of chains run in `chain/vectors.rs`.
    let vectors: Vec<Vector> = vectors().into_iter().filter(|v| v.get("kind") == Some("recording")).collect();
    assert!(vectors.len() > 160, "{} vectors", vectors.len());
    let wrong: Vec<String> =
        vectors.iter().filter_map(|vector| run(vector).err().map(|why| format!("{}: {why}", vector.name))).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn vectors_every_outcome_of_section_13_has_one() {
    let mut counts = BTreeMap::new();
    for vector in vectors() {
        *counts.entry(vector.get("outcome").unwrap().to_owned()).or_insert(0) += 1;
    }
    let format = include_str!("../FORMAT.md");
    let section = format.split_once("\n## 13. ").unwrap().1.split("\n\n").nth(1).unwrap();
    for outcome in section.split('`').skip(1).step_by(2) {
        assert!(counts.contains_key(outcome), "no vector gives {outcome}");
    }
}
