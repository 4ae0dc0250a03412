//! Recordings made to hurt who reads them: small files that claim, or unpack to, a great deal.
//!
//! Each reading command says what is wrong, with its documented code, in bounded memory. What is not even sealed properly
//! lies in the place of a real segment; a bomb that is sealed and signed as it should be comes from a host of its own,
//! whose statements are all true, so that nothing but its content can be found fault with.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use hansard_schemas::chain::{self, Entry, Kind};
use hansard_schemas::names::{ChainName, SegmentName};
use hansard_schemas::seal::SigningKey;
use hansard_schemas::segment::Checker;
use hansard_tests::call::{Call, said};
use hansard_tests::home::Home;
use hansard_tests::terminal::Terminal;
use hansard_tests::{SOON, process, wait_until};

/// The most that a reader may hold. Limits of the format that can meet in one reader: 128 MiB of a stored segment, 64 MiB
/// of lines, and their events.
const MEMORY: u64 = 300 << 20;

/// How a call ended: its code, what it said, what it gave on standard output.
struct Ended {
    code: i32,
    said: String,
    given: usize,
}

/// Runs a reader, and fails when it takes long or much memory.
fn in_bounds(call: &Call) -> Ended {
    let files = [call.dir.join("out"), call.dir.join("err")];
    let [out, err] = files.each_ref().map(|path| fs::File::create(path).expect("a file"));
    let mut child = call.command().stdout(out).stderr(err).spawn().expect("it runs");
    let mut peak = 0;
    let status = wait_until("the reader ends", SOON, || {
        peak = peak.max(process::peak_memory(child.id()).unwrap_or(0));
        process::ended_within(&mut child, Duration::from_millis(2))
    });
    assert!(peak < MEMORY, "{call:?} held {} MiB", peak >> 20);
    let [out, err] = files.map(|path| fs::read(path).expect("what it said"));
    let said = format!("{}{}", String::from_utf8_lossy(&out), String::from_utf8_lossy(&err));
    assert!(!said.contains("panicked"), "{said}");
    Ended { code: status.code().expect("an exit code"), said, given: out.len() }
}

/// Plays it on a terminal: refused in bounded memory, and the terminal is as it was.
fn play_is_refused(home: &Home, id: &str, words: &[&str]) {
    let mut terminal = Terminal::open();
    let before = format!("{:?}", terminal.modes());
    terminal.run(&home.replay(["play", id, "--quit-at-end"]));
    let pid = terminal.pid();
    let mut peak = 0;
    wait_until("the player ends", SOON, || {
        let state = process::status_field(pid, "State");
        peak = peak.max(process::peak_memory(pid).unwrap_or(0));
        state.is_none_or(|state| state.starts_with('Z')).then_some(())
    });
    let code = terminal.status(SOON);
    let after = format!("{:?}", terminal.modes());
    let text = String::from_utf8_lossy(&terminal.drained()).into_owned();
    assert_eq!(code, 1, "{text}");
    assert!(words.iter().any(|word| text.contains(word)), "none of {words:?} is in:\n{text}");
    assert!(!text.contains("panicked"), "{text}");
    assert!(peak < MEMORY, "the player held {} MiB", peak >> 20);
    assert_eq!(after, before, "the terminal after playing");
}

/// Every command that opens a recording refuses this one, with one of these words and at most so much on standard output.
fn content_is_refused(home: &Home, id: &str, words: &[&str], given: usize) {
    for form in ["raw", "cast", "txt"] {
        let ended = in_bounds(&home.replay(["export", id, "--as", form]));
        assert_eq!(ended.code, 1, "{form}: {}", ended.said);
        assert!(words.iter().any(|word| ended.said.contains(word)), "{form}: none of {words:?} is in:\n{}", ended.said);
        assert!(ended.said.contains("hansard-replay: error: "), "{form}: {}", ended.said);
        assert!(ended.given <= given, "{form}: {} bytes of what is refused were let out", ended.given);
    }
    play_is_refused(home, id, words);
}

/// A home with one small recording, and its only segment in the store.
fn one_segment() -> (Home, PathBuf) {
    let home = Home::new();
    home.record_sh("echo one segment").ok();
    let mut segments = home.segments();
    assert_eq!(segments.len(), 1, "{segments:?}");
    let segment = segments.remove(0);
    (home, segment)
}

/// Verification finds it as well, by its name in the store and as a file, and listing goes on without it.
fn not_even_verified(home: &Home, segment: &Path, words: &[&str]) {
    for call in [home.replay(["verify"]), home.replay(["verify", "latest"]), home.replay(["verify"]).arg(segment)] {
        let ended = in_bounds(&call);
        assert_eq!(ended.code, 1, "{call:?}: {}", ended.said);
        assert!(words.iter().any(|word| ended.said.contains(word)), "none of {words:?} is in:\n{}", ended.said);
    }
    let ended = in_bounds(&home.replay(["ls", "--long"]));
    assert!(ended.code < 2, "{}", ended.said);
    content_is_refused(home, "latest", words, 0);
}

#[test]
fn a_picture_as_a_segment() {
    let (home, segment) = one_segment();
    let mut picture = b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0".to_vec();
    picture.extend(hansard_tests::stream::random(1, 5_000_000));
    fs::write(&segment, &picture).expect("written");
    not_even_verified(&home, &segment, &["header"]);
}

#[test]
fn a_header_line_of_a_gigabyte() {
    for begin in [&b"{\"hansard\":1,\"session\":\""[..], b"{", b""] {
        let (home, segment) = one_segment();
        let mut file = OpenOptions::new().write(true).truncate(true).open(&segment).expect("a file");
        file.write_all(begin).expect("written");
        file.set_len(1 << 30).expect("a sparse file");
        not_even_verified(&home, &segment, &["limit", "over", "header", "larger"]);
    }
}

#[test]
fn a_keys_line_and_a_trailer_of_a_gigabyte() {
    let (home, segment) = one_segment();
    let whole = fs::read(&segment).expect("a segment");
    let header = whole.iter().position(|b| *b == b'\n').expect("a header line") + 1;
    let trailer = whole.windows(10).rposition(|w| w == b"{\"blocks\":").expect("a trailer");
    for cut in [header + 10, trailer + 10] {
        let mut file = OpenOptions::new().write(true).truncate(true).open(&segment).expect("a file");
        file.write_all(&whole[..cut]).expect("written");
        file.set_len(1 << 30).expect("a sparse file");
        not_even_verified(&home, &segment, &["limit", "over", "larger"]);
    }
}

#[test]
fn a_block_length_of_four_gigabytes() {
    for length in [0xffff_fffe_u32, 0x8000_0000, (4 << 20) + 1, 16, 0] {
        let (home, segment) = one_segment();
        let whole = fs::read(&segment).expect("a segment");
        let mut ends = whole.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1);
        let lines = ends.nth(1).expect("two lines");
        let bytes = [&whole[..lines], &length.to_le_bytes(), &whole[lines + 4..]].concat();
        fs::write(&segment, &bytes).expect("written");
        not_even_verified(&home, &segment, &["limit", "over", "block"]);
    }
}

/// The signing keys, identity and statements of the vectors' host (`schemas/vectors`).
mod host {
    use super::{Kind, SigningKey, chain};
    use hansard_schemas::chain::Entry;

    pub fn key(number: u8) -> SigningKey {
        SigningKey::from_bytes(&[number; 32])
    }

    /// Its genesis, for the `start` entry that a vector's segment carries.
    pub fn genesis(start: &Entry) -> Entry {
        chain::genesis_with("vector", None, 1000, start.time, start.boot, &key(90), key(91).public()).expect("genesis")
    }

    /// What it says when the session has ended.
    pub fn end(start: &Entry, kind: Kind) -> Entry {
        chain::append_with(start, &key(92), kind, start.time, start.boot, key(93).public()).expect("an end")
    }
}

/// A home whose store holds what one vector is, as its host would have shipped it: a session that started and ended.
fn shipped(vector: &str) -> Home {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/vectors").join(vector);
    let text = fs::read_to_string(&path).expect("a vector");
    let (head, body) = text.split_once("\n\n").expect("a head and a body");
    let identity = head.lines().find_map(|line| line.strip_prefix("identity: ")).expect("an identity");
    let bytes = base64::engine::general_purpose::STANDARD.decode(body.replace('\n', "")).expect("base64");
    let mut checker = Checker::new();
    checker
        .push(&bytes)
        .and_then(|()| checker.finish())
        .map(|checked| {
            let header = checked.header;
            let start = header.entry.as_ref().expect("segment 0 carries its start entry");
            let start = Entry::parse(format!("{start}\n").as_bytes()).expect("a start entry");
            let outcome = "exited".to_owned();
            let kind = Kind::End { session: header.session, segment: 0, digest: checked.digest, outcome };
            let end = host::end(&start, kind);
            let home = Home::empty();
            home.write_private(".config/hansard/identity.txt", &format!("{identity}\n"));
            let put = |name: String, bytes: &[u8]| {
                let path = home.store().join(name);
                fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
                fs::write(path, bytes).expect("written");
            };
            put(SegmentName::new(&start.chain, header.session, 0, &checked.digest).path(), &bytes);
            let lines = [host::genesis(&start).line, start.line, end.line].concat();
            put(ChainName { chain: start.chain, first: 0, last: 2 }.path(), &lines);
            home
        })
        .expect("a segment whose fault is inside")
}

#[test]
fn a_zstd_bomb_that_is_sealed_and_signed_as_it_should_be() {
    for (vector, words) in [
        ("limit-block-lines.vector", &["limit", "over"]),
        ("limit-segment-lines.vector", &["limit", "over"]),
        ("limit-window.vector", &["limit", "window"]),
    ] {
        let home = shipped(vector);
        // Nothing that can be seen without a key is wrong with it.
        let ended = in_bounds(&home.replay(["verify", "--strict"]));
        assert_eq!(ended.code, 0, "{vector}: {}", ended.said);
        assert!(ended.said.contains("1 complete"), "{vector}: {}", ended.said);
        let id = home.sessions().remove(0);
        let show = in_bounds(&home.replay(["show", &id]));
        assert!(show.code <= 1, "{vector}: {}", show.said);
        // What comes before the fault is sealed by the host and within every limit: it may be shown.
        content_is_refused(&home, &id, words, 64 << 20);
    }
}

#[test]
fn the_host_of_the_vectors_is_one_whose_recordings_open() {
    // The control of the test above: made the same way, a recording without a fault is played.
    let home = shipped("ok-single.vector");
    let ids = home.sessions();
    let output = home.replay(["export", &ids[0], "--as", "raw"]).output();
    assert!(output.status.success(), "{}", said(&output));
    let verified = in_bounds(&home.replay(["verify", "--strict"]));
    assert_eq!(verified.code, 0, "{}", verified.said);
}
