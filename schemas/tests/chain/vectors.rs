//! The chain vectors of `schemas/vectors`, each against its outcome.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hansard_schemas::chain::Chain;

#[test]
fn order_9_vectors_every_chain_gives_its_outcome() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let mut read = 0;
    let mut wrong = Vec::new();
    for file in fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "vector") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let (head, body) = text.split_once("\n\n").unwrap();
        let value = |key: &str| head.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
        if value("kind") != Some("chain") {
            continue;
        }
        read += 1;
        let bytes = BASE64.decode(body.replace('\n', "")).unwrap();
        let objects = bytes.split_inclusive(|byte| *byte == b'\n').map(|line| (None, line));
        let chain = Chain::from_objects(value("chain").unwrap().parse().unwrap(), objects);
        let outcome = chain.problems.first().map_or("ok", |error| error.outcome().as_str());
        let (found, entries) = (Some(outcome), chain.entries.len().to_string());
        if found != value("outcome") || Some(entries.as_str()) != value("entries") {
            wrong.push(format!("{}: {outcome}, {entries} entries: {:?}", path.display(), chain.problems));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(read >= 35, "{read} chain vectors");
}
