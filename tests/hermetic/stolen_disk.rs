//! Somebody has the host's whole disk of an hour later, chain state and its next key included, and rewrites the past.
//!
//! What was closed, ended and shipped before stays provable: everything he can make shows as what it is.

use std::fs;
use std::path::{Path, PathBuf};

use hansard_schemas::chain::{self, Entry, Kind};
use hansard_schemas::chain_state::State;
use hansard_schemas::ids::BootId;
use hansard_schemas::names::{ChainName, SegmentName};
use hansard_schemas::seal::SigningKey;
use hansard_schemas::segment::{Checked, Checker};
use hansard_schemas::{Digest, Timestamp};
use hansard_tests::home::Home;
use hansard_tests::programs;
use sha2::Digest as _;

const END: [u8; 4] = [0xff; 4];

/// What the thief has: a copy of everything, and the key that the host would sign its next entry with.
struct Thief {
    home: Home,
    entry: Entry,
    key: SigningKey,
}

impl Thief {
    /// Of a host that recorded a session of several segments, and a short one.
    fn new() -> Self {
        let home = Home::small_segments();
        let emit = programs::own("emit");
        home.record([emit.to_str().expect("a path"), "random", "1", "1500000", "65536"]).ok();
        home.record_sh("echo another session").ok();
        home.assert_complete();
        let state = fs::read(home.spool().join("chain/state")).expect("the chain's state");
        let State { entry, key, .. } = State::read(&state).expect("a state").expect("a chain");
        Self { home, entry, key }
    }

    fn key(&self) -> SigningKey {
        SigningKey::from_bytes(&self.key.to_bytes())
    }

    fn boot(&self) -> BootId {
        self.entry.boot
    }

    /// Stores an entry as the host would.
    fn publish(&self, entry: &Entry) {
        let name = ChainName { chain: entry.chain, first: entry.seq, last: entry.seq };
        let path = self.home.store().join(name.path());
        fs::write(path, &entry.line).expect("written");
    }

    /// The segments of the long session.
    fn parts(&self) -> Vec<PathBuf> {
        let id = self.home.sessions().remove(0);
        self.home.segments().into_iter().filter(|file| file.to_string_lossy().contains(&id)).collect()
    }

    /// Puts other bytes in place of a segment, under the name that they should have.
    fn replace(&self, old: &Path, bytes: &[u8]) {
        let checked = check(&fs::read(old).expect("a segment")).expect("it was whole");
        // The digest that the name carries is over all but the keys line; for bytes that do not check, any will do.
        let digest = check(bytes).map_or_else(|| Digest::of(bytes), |c| c.digest);
        let name = SegmentName::new(&self.entry.chain, checked.header.session, checked.header.segment, &digest);
        fs::remove_file(old).expect("removed");
        fs::write(self.home.store().join(name.path()), bytes).expect("written");
    }
}

fn check(bytes: &[u8]) -> Option<Checked> {
    let mut checker = Checker::new();
    checker.push(bytes).ok()?;
    checker.finish().ok()
}

/// Header line, keys line, blocks, trailer line.
fn split(bytes: &[u8]) -> (&[u8], &[u8], &[u8], &[u8]) {
    let header = bytes.iter().position(|b| *b == b'\n').expect("a header") + 1;
    let keys = header + bytes[header..].iter().position(|b| *b == b'\n').expect("a keys line") + 1;
    let mut at = keys;
    while bytes[at..at + 4] != END {
        let length = u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        at += 12 + length as usize + 4;
    }
    (&bytes[..header], &bytes[header..keys], &bytes[keys..at], &bytes[at + 4..])
}

/// A segment of these parts, its trailer signed by whatever key.
fn signed(header: &[u8], keys: &[u8], blocks: &[u8], trailer: &[u8], key: &SigningKey) -> Vec<u8> {
    let text = String::from_utf8_lossy(trailer);
    let unsigned = text.split_once("\"sig\"").expect("a signature").0.as_bytes().to_vec();
    let hash = sha2::Sha256::digest([header, blocks, &END, &unsigned].concat());
    let signature = key.sign(&[&b"hansard/1 segment\0"[..], &hash].concat());
    let sig = format!("\"sig\":\"{}\"}}\n", hex::encode(signature));
    [header, keys, blocks, &END, &unsigned, sig.as_bytes()].concat()
}

#[test]
fn a_segment_signed_anew_is_altered() {
    let thief = Thief::new();
    let parts = thief.parts();
    for place in [0, 1, parts.len() - 1] {
        let Thief { home, .. } = &thief;
        let copy = Thief { home: home.copy(), entry: thief.entry.clone(), key: thief.key() };
        let victim = &copy.parts()[place];
        let bytes = fs::read(victim).expect("a segment");
        let (header, keys, blocks, trailer) = split(&bytes);
        let own = SigningKey::generate();
        let old: serde_json::Value = serde_json::from_slice(header).expect("a header");
        let old = old["signer"].as_str().expect("a signer").to_owned();
        // Under the old name of the signer, and under his own.
        for signer in [old.clone(), own.public().to_string()] {
            let header = String::from_utf8_lossy(header).replace(&old, &signer);
            let forged = signed(header.as_bytes(), keys, blocks, trailer, &own);
            let copy = Thief { home: copy.home.copy(), entry: thief.entry.clone(), key: thief.key() };
            copy.replace(&copy.parts()[place], &forged);
            copy.home.verify::<&str>([]).assert_found("altered");
        }
    }
}

#[test]
fn a_session_that_ended_cannot_be_closed_as_recovered() {
    let thief = Thief::new();
    let victim = thief.parts().pop().expect("segments");
    let bytes = fs::read(&victim).expect("a segment");
    let (header, keys, blocks, _) = split(&bytes);
    let checked = check(&bytes).expect("it was whole");
    let head: serde_json::Value = serde_json::from_slice(split(&bytes).3).expect("a trailer");
    // Only the first block stays.
    let first = 16 + u32::from_le_bytes(blocks[..4].try_into().expect("four bytes")) as usize;
    let kept = Digest::of(&[header, &blocks[..first]].concat());
    let kind = Kind::Recovered {
        session: checked.header.session,
        segment: checked.header.segment,
        blocks: 1,
        kept: Some(kept),
        head: Some(head["prev"].as_str().expect("a digest").parse().expect("a digest")),
        reason: "power failure".into(),
        old_boot: thief.boot(),
        continues: None,
    };
    let time = Timestamp::new(thief.entry.time.time() + std::time::Duration::from_secs(3600));
    let (entry, _) = chain::append(&thief.entry, thief.key(), kind, time, thief.boot()).expect("an entry");
    let forged = [header, keys, &blocks[..first], &END, &entry.line].concat();

    // The entry alone, while the segment is whole: it changes nothing that was witnessed.
    thief.publish(&entry);
    let verified = thief.home.verify([checked.header.session.to_string().as_str()]);
    assert!(!verified.said.contains("recovered at"), "{}", verified.said);

    thief.replace(&victim, &forged);
    let verified = thief.home.verify::<&str>([]);
    verified.assert_found("altered");
    assert!(!verified.said.contains("recovered at"), "{}", verified.said);
}

#[test]
fn two_entries_of_one_number_are_a_fork() {
    let thief = Thief::new();
    let time = Timestamp::new(thief.entry.time.time() + std::time::Duration::from_secs(60));
    let later = Timestamp::new(thief.entry.time.time() + std::time::Duration::from_secs(61));
    let (one, _) = chain::append(&thief.entry, thief.key(), Kind::Close, time, thief.boot()).expect("an entry");
    let (other, key) = chain::append(&thief.entry, thief.key(), Kind::Close, later, thief.boot()).expect("an entry");
    let (after, _) = chain::append(&other, key, Kind::Close, later, thief.boot()).expect("an entry");
    thief.publish(&one);
    let name = ChainName { chain: other.chain, first: other.seq, last: after.seq };
    fs::write(thief.home.store().join(name.path()), [other.line, after.line].concat()).expect("written");
    thief.home.verify::<&str>([]).assert_found("fork");
}

#[test]
fn an_end_rewritten_by_another_key_breaks_the_chain() {
    let thief = Thief::new();
    // He takes the last entry away and writes another in its place with the only key that he has.
    let chains = thief.home.chains();
    let last = chains.last().expect("a chain");
    let whole = fs::read(last).expect("a chain object");
    let entry = Entry::parse(whole.split_inclusive(|b| *b == b'\n').next_back().expect("an entry")).expect("an entry");
    let text = String::from_utf8_lossy(&entry.line).into_owned();
    let unsigned = text.split_once("\"sig\"").expect("a signature").0.replace("exited", "terminated");
    assert!(unsigned.contains("terminated"), "the last entry is no end: {text}");
    let hash = sha2::Sha256::digest(unsigned.as_bytes());
    let signature = thief.key().sign(&[&b"hansard/1 chain\0"[..], &hash].concat());
    let forged = format!("{unsigned}\"sig\":\"{}\"}}\n", hex::encode(signature));
    let kept = &whole[..whole.len() - entry.line.len()];
    fs::write(last, [kept, forged.as_bytes()].concat()).expect("written");
    thief.home.verify::<&str>([]).assert_found("chain broken");
}

#[test]
fn the_state_holds_no_key_of_the_past() {
    // Neither slot, nor anything else on the disk, holds a key that an entry or segment already used.
    let thief = Thief::new();
    let mut used: Vec<String> = Vec::new();
    for file in thief.home.chains() {
        for line in fs::read_to_string(file).expect("a chain object").lines() {
            let entry: serde_json::Value = serde_json::from_str(line).expect("an entry");
            used.extend(["next", "key", "signer"].iter().filter_map(|m| entry[m].as_str().map(str::to_owned)));
        }
    }
    let next = thief.key.public().to_string();
    assert!(used.contains(&next), "the state's key is not the one that the last entry announced");
    let mut control = 0;
    for file in hansard_tests::process::files_below(&thief.home.spool()) {
        let bytes = fs::read(&file).expect("a file");
        let mut windows: Vec<&[u8]> = bytes.windows(32).filter(|w| w.iter().filter(|b| **b == 0).count() < 8).collect();
        windows.dedup();
        // A text of hex has no secret in it; what is left are the state's slots.
        windows.retain(|w| !w.iter().all(|b| b.is_ascii_graphic() || *b == b'\n'));
        for window in windows {
            let public = SigningKey::from_bytes(window.try_into().expect("32 bytes")).public().to_string();
            if public == next {
                control += 1;
            } else {
                assert!(!used.contains(&public), "{} holds a key that was used", file.display());
            }
        }
    }
    assert_eq!(control, 1, "the next key should be there once");
}
