//! Chain entries, chain objects and the state file. Real keys. Test names bear the ids of FORMAT.md.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "tests")]

mod entries;
mod objects;
mod state;
mod vectors;

use hansard_schemas::chain::{Entry, Kind, append, genesis};
use hansard_schemas::ids::BootId;
use hansard_schemas::seal::SigningKey;
use hansard_schemas::{SessionId, Timestamp};

pub fn time() -> Timestamp {
    "2026-11-22T09:30:00.125Z".parse().unwrap()
}

pub fn boot() -> BootId {
    "6a1d6e3c-7d2f-4c3b-9d52-0c4b7f0f6a11".parse().unwrap()
}

pub fn session() -> SessionId {
    SessionId::new(1_795_338_600_125, &[7; 10])
}

/// A chain of this many entries, and the key of the next.
pub fn chain(entries: usize) -> (Vec<Entry>, SigningKey) {
    let (first, mut key) = genesis("host", None, 1000, time(), boot(), SigningKey::generate()).unwrap();
    let mut chain = vec![first];
    while chain.len() < entries {
        let (entry, next) = append(chain.last().unwrap(), key, Kind::Close, time(), boot()).unwrap();
        chain.push(entry);
        key = next;
    }
    (chain, key)
}

pub fn lines(entries: &[Entry]) -> Vec<u8> {
    entries.iter().flat_map(|entry| entry.line.clone()).collect()
}
