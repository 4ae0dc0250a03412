//! What an attacker with the store, or with the host of an hour later, can do; each is found and named.

use std::fs;

use hansard_replay::evidence::{Chains, examine};
use hansard_schemas::chain::{Entry, Kind, append_with};
use hansard_schemas::keys::{EpochSecret, Recipients, generate_identity};
use hansard_schemas::names::SegmentName;
use hansard_schemas::seal::SigningKey;
use hansard_schemas::segment::scan_open;
use hansard_schemas::{Digest, limits};
use hansard_sinks::{Class, SessionRef};

use crate::store::{Host, Session, World, boot, put, time};

/// A complete session of four segments, saved, with its host.
fn recorded() -> (World, Host, Session) {
    let world = World::new();
    let mut host = Host::new("web1");
    let session = host.session(&world, 4);
    session.save(&world);
    host.checkpoint(&[]);
    host.save(&world);
    world.run(&["verify"]).expect(0, &["complete"]);
    (world, host, session)
}

/// Opening is refused as well, whatever is wrong with the bytes.
fn refused(world: &World, words: &[&str]) {
    world.run(&["verify"]).expect(1, words);
    world.run(&["export", "latest", "--as", "raw"]).expect(1, &["refused"]);
}

#[test]
fn a_segment_removed_at_the_start_in_the_middle_at_the_end() {
    for (number, verdict) in [(0, "missing: segment 0"), (2, "missing: segment 2"), (3, "cut after 2")] {
        let (world, _, session) = recorded();
        fs::remove_file(session.path(&world, number)).unwrap();
        refused(&world, &[verdict, &format!("missing: segment {number}")]);
    }
}

#[test]
fn the_tail_removed_with_its_end_entry() {
    let (world, host, session) = recorded();
    for number in [2, 3] {
        fs::remove_file(session.path(&world, number)).unwrap();
    }
    for file in world.files("hchain") {
        fs::remove_file(file).unwrap();
    }
    // Up to `start`: the store is taken back to when the session ran.
    host.save_entries(&world, &host.entries[..2]);
    let said = world.run(&["verify"]);
    said.expect(1, &["silent since"]);
}

#[test]
fn the_end_entry_removed_from_the_middle_of_the_chain() {
    let (world, host, _) = recorded();
    for file in world.files("hchain") {
        fs::remove_file(file).unwrap();
    }
    host.save_entries(&world, &host.entries[..2]);
    host.save_entries(&world, &host.entries[3..]);
    world.run(&["verify"]).expect(1, &["chain broken: at entry 2"]);
}

#[test]
fn two_segments_swapped() {
    let (world, _, session) = recorded();
    fs::write(session.path(&world, 1), &session.segments[2].bytes).unwrap();
    fs::write(session.path(&world, 2), &session.segments[1].bytes).unwrap();
    refused(&world, &["out of order: segment 1", "out of order: segment 2"]);
}

#[test]
fn a_segment_of_another_session() {
    let (world, mut host, session) = recorded();
    let other = host.session(&world, 4);
    fs::write(session.path(&world, 1), &other.segments[1].bytes).unwrap();
    refused(&world, &["altered: segment 1", "FAILED"]);
}

#[test]
fn a_trailer_removed_and_a_file_truncated() {
    let (world, _, session) = recorded();
    let whole = &session.segments[3].bytes;
    let trailer = whole.iter().rev().skip(1).position(|b| *b == b'\n').unwrap();
    for length in [whole.len() - trailer, whole.len() - 1, whole.len() / 2, 100, 1, 0] {
        fs::write(session.path(&world, 3), &whole[..length]).unwrap();
        refused(&world, &["altered: segment 3", "truncated"]);
    }
}

#[test]
fn a_session_removed() {
    let (world, _, session) = recorded();
    let folder = session.path(&world, 0).parent().unwrap().to_owned();
    fs::remove_dir_all(folder).unwrap();
    let said = world.run(&["verify"]);
    said.expect(1, &["session missing", &session.id.to_string()]);
}

#[test]
fn a_chain_entry_removed_forked_replayed() {
    let (world, _, _) = recorded();
    let saved = world.files("hchain");
    let first = fs::read(&saved[0]).unwrap();
    // Removed: the object no longer holds what its name says.
    let lines: Vec<&[u8]> = first.split_inclusive(|b| *b == b'\n').collect();
    fs::write(&saved[0], [lines[0], lines[2]].concat()).unwrap();
    world.run(&["verify"]).expect(1, &["chain broken: at entry 1"]);
    // Replayed: an old entry at the place of a later one.
    fs::write(&saved[0], [lines[0], lines[1], lines[1]].concat()).unwrap();
    world.run(&["verify"]).expect(1, &["chain broken: at entry 2"]);
    fs::write(&saved[0], &first).unwrap();
    world.run(&["verify"]).expect(0, &["complete"]);

    // Forked: somebody kept the key of an entry and signs another in its place, before the session's end is told.
    let world = World::new();
    let mut forked = Host::new("web2");
    let session = forked.session(&world, 1);
    let key = SigningKey::from_bytes(&forked.key.to_bytes());
    let prev = forked.last().clone();
    let other = append_with(&prev, &key, Kind::Close, time(forked.clock_ms), boot(1), key.public()).unwrap();
    forked.checkpoint(&[]);
    session.save(&world);
    forked.save(&world);
    let objects: Vec<Entry> = vec![prev, other];
    forked.save_entries(&world, &objects);
    world.run(&["verify"]).expect(1, &["fork: two different chain entries 3"]);
}

#[test]
fn any_byte_of_the_chain_changed() {
    let (world, _, _) = recorded();
    for file in world.files("hchain") {
        let whole = fs::read(&file).unwrap();
        for at in (0..whole.len()).step_by(97) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            fs::write(&file, &bytes).unwrap();
            let said = world.run(&["verify"]);
            assert_eq!(said.code, 1, "byte {at} of {}: {said:#?}", file.display());
            assert!(said.out.contains("chain broken"), "byte {at}: {said:#?}");
        }
        fs::write(&file, &whole).unwrap();
    }
}

/// Sampled all over segments, keys lines and chain objects, in memory: what changes a bit changes the judgement.
#[test]
fn any_bit_of_anything_changed() {
    let (world, host, session) = recorded();
    let memory = hansard_sinks::memory::Memory::new();
    for file in world.files("hseg").into_iter().chain(world.files("hchain")) {
        let name = file.strip_prefix(world.store()).unwrap().to_str().unwrap().to_owned();
        memory.insert(&name, fs::read(file).unwrap());
    }
    let now = time(host.clock_ms);
    let judged = || {
        let chains = Chains::load(&memory).unwrap();
        let session = SessionRef { session: session.id, chain16: session.chain.short() };
        examine(&memory, &session, &chains, now, &mut |_| {}).unwrap().judgement
    };
    assert!(judged().ok());
    let names = memory.names();
    // A fixed sequence, so that a failure can be looked at: Knuth's multiplier.
    let mut state: u64 = 0x5eed;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    for _ in 0..5000 {
        let name = &names[random(names.len())];
        let whole = memory.remove(name).unwrap();
        let (at, bit) = (random(whole.len()), random(8));
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << bit;
        memory.insert(name, bytes);
        let judgement = judged();
        assert!(!judgement.ok(), "bit {bit} of byte {at} of {name}: {judgement:?}");
        let faults = judgement.faults.len() + judgement.chain_faults.len();
        assert!(faults > 0, "bit {bit} of byte {at} of {name}: {judgement:?}");
        memory.insert(name, whole);
    }
    assert!(judged().ok());
}

/// An object that the store cannot give is a fault of that object; the others are still judged.
#[test]
fn an_object_that_cannot_be_read() {
    let (world, host, session) = recorded();
    let key = session.name(1);
    let store = hansard_sinks::file::FileStore::new(world.store());
    let store = hansard_sinks::fault::FaultyStore::new(store, move |read| (read == key).then_some(Class::Retry));
    let chains = Chains::load(&store).unwrap();
    let one = SessionRef { session: session.id, chain16: session.chain.short() };
    let judgement = examine(&store, &one, &chains, time(host.clock_ms), &mut |_| {}).unwrap().judgement;
    let faults: Vec<String> = judgement.faults.iter().map(ToString::to_string).collect();
    assert!(faults.iter().any(|fault| fault.contains("segment 1") && fault.contains("cannot be read")), "{faults:?}");
    assert!(!judgement.ok());
}

#[test]
fn any_byte_of_a_segment_changed() {
    let (world, _, session) = recorded();
    for number in 0..4 {
        let path = session.path(&world, number);
        let whole = &session.segments[number].bytes;
        for at in (0..whole.len()).step_by(89).chain([whole.len() - 1, whole.len() - 2]) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            fs::write(&path, &bytes).unwrap();
            let said = world.run(&["verify"]);
            assert_eq!(said.code, 1, "byte {at} of segment {number}: {said:#?}");
            let found =
                ["altered", "erased", "out of order", "newer format"].iter().any(|word| said.out.contains(word));
            assert!(found, "byte {at} of segment {number}: {said:#?}");
        }
        fs::write(&path, whole).unwrap();
    }
    world.run(&["verify"]).expect(0, &["complete"]);
}

#[test]
fn other_bytes_under_a_right_name() {
    let (world, _, session) = recorded();
    let jpeg = [&[0xff, 0xd8, 0xff, 0xe0][..], &[0; 4096]].concat();
    fs::write(session.path(&world, 2), &jpeg).unwrap();
    refused(&world, &["altered: segment 2", "not a Hansard segment"]);
    fs::write(world.root.join("photo.hseg"), &jpeg).unwrap();
    world.run(&["verify", "photo.hseg"]).expect(1, &["bad header", "photo.hseg"]);
}

#[test]
fn the_keys_line_erased_and_exchanged() {
    let (world, _, session) = recorded();
    let whole = &session.segments[1].bytes;
    let mut lines = whole.splitn(3, |b| *b == b'\n');
    let (header, rest) = (lines.next().unwrap(), lines.nth(1).unwrap());
    let with = |keys: &[u8]| [header, b"\n", keys, b"\n", rest].concat();
    fs::write(session.path(&world, 1), with(b"{}")).unwrap();
    refused(&world, &["erased: the keys of segment 1, by nobody known"]);
    let (_, stranger) = generate_identity();
    let keys = EpochSecret::generate().wrap(&Recipients::parse_line(&stranger).unwrap()).unwrap();
    fs::write(session.path(&world, 1), with(keys.bytes().trim_ascii_end())).unwrap();
    refused(&world, &["altered: segment 1", "keys line"]);
}

/// Someone has the host's whole disk of an hour later: the chain's key of now, and nothing from before.
#[test]
fn a_finished_session_signed_again_by_a_later_owner() {
    let (world, host, session) = recorded();
    // His own session has the same shape, under the host's chain, but its segments are signed by keys that the
    // start of the true one does not name.
    let mut thief =
        Host { name: host.name, entries: host.entries, key: host.key, clock_ms: host.clock_ms, boot: boot(1) };
    let forged = thief.session(&world, 4);
    let path = session.path(&world, 1);
    fs::remove_file(&path).unwrap();
    let name = SegmentName::new(&session.chain, session.id, 1, &forged.segments[1].digest);
    put(&world, &name.path(), &forged.segments[1].bytes);
    refused(&world, &["altered: segment 1", "FAILED"]);
}

#[test]
fn a_finished_session_closed_again_as_recovered() {
    let (world, mut host, session) = recorded();
    let whole = &session.segments[3].bytes;
    // The blocks up to the footer are kept by their CRC; a thief cuts one off and signs a `recovered` entry.
    let scan = scan_open(whole);
    let kept_len = scan.kept_len;
    let header = whole.iter().position(|b| *b == b'\n').unwrap() + 1;
    let keys = header + whole[header..].iter().position(|b| *b == b'\n').unwrap() + 1;
    let kept = Digest::of(&[&whole[..header], &whole[keys..kept_len]].concat());
    let entry = host.append(Kind::Recovered {
        session: session.id,
        segment: 3,
        blocks: scan.blocks,
        kept: Some(kept),
        head: Some(session.segments[2].digest),
        reason: "found without a trailer".into(),
        old_boot: boot(1),
        continues: None,
    });
    let bytes = [&whole[..kept_len], &u32::MAX.to_le_bytes(), &entry.line].concat();
    let mut hashed = bytes.clone();
    hashed.drain(header..keys);
    fs::remove_file(session.path(&world, 3)).unwrap();
    let name = SegmentName::new(&session.chain, session.id, 3, &Digest::of(&hashed));
    put(&world, &name.path(), &bytes);
    host.save(&world);
    world.run(&["verify"]).expect(1, &["altered: segment 3", "false statement"]);
    // Beside the true one it is a stranger's object, but the lie in the chain is not passed over.
    put(&world, &session.name(3), whole);
    world.run(&["verify"]).expect(1, &["complete", "false statement"]);
}

#[test]
fn a_huge_object_costs_no_memory_and_is_a_fault() {
    let (world, _, session) = recorded();
    let path = session.path(&world, 1);
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(limits::SEGMENT_STORED * 4).unwrap();
    world.run(&["verify"]).expect(1, &["altered: segment 1"]);
    // A header line without end.
    fs::write(&path, b"{\"hansard\":1,").unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(1 << 30).unwrap();
    world.run(&["verify"]).expect(1, &["altered: segment 1"]);
}

#[test]
fn a_link_a_pipe_and_a_folder_instead_of_a_segment() {
    let (world, _, session) = recorded();
    let path = session.path(&world, 1);
    let kept = world.root.join("kept");
    fs::rename(&path, &kept).unwrap();
    std::os::unix::fs::symlink(&kept, &path).unwrap();
    world.run(&["verify"]).expect(1, &["missing: segment 1", "a symbolic link, not a file"]);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    world.run(&["verify"]).expect(1, &["missing: segment 1", "a directory, not a file"]);
    fs::remove_dir(&path).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap();
    world.run(&["verify"]).expect(1, &["missing: segment 1", "a named pipe, not a file"]);
}
