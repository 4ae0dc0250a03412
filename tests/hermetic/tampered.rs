//! Tampering and omission show, with the right words and the exit code of a failed verification.
//!
//! Everything here is done to a real store by somebody who holds it; the verifier has the chain and no key.
//! `HANSARD_FLIPS` sets how many single bits are flipped (300 by default).

use std::fs;
use std::path::{Path, PathBuf};

use hansard_tests::home::Home;
use hansard_tests::stream::Numbers;
use hansard_tests::{process, programs};

use crate::heavy;

/// A home with a session of several segments and a short one after it.
fn recorded() -> Home {
    let home = Home::small_segments();
    let emit = programs::own("emit");
    home.record([emit.to_str().expect("a path"), "random", "1", "2000000", "65536"]).ok();
    home.record_sh("echo another session").ok();
    home.assert_complete();
    let long = parts(&home, 0);
    assert!(long.len() >= 4, "{long:?}");
    home
}

/// The segments of the nth session, in order.
fn parts(home: &Home, session: usize) -> Vec<PathBuf> {
    let id = &home.sessions()[session];
    home.segments().into_iter().filter(|file| file.to_string_lossy().contains(id)).collect()
}

/// Verification fails with these words; the sessions that nobody touched still verify.
fn found(home: &Home, words: &str) {
    home.verify::<&str>([]).assert_found(words);
}

fn swap(one: &Path, other: &Path) {
    let (a, b) = (fs::read(one).expect("a file"), fs::read(other).expect("a file"));
    fs::write(one, b).expect("written");
    fs::write(other, a).expect("written");
}

#[test]
fn a_segment_removed_shows() {
    let home = recorded();
    let count = parts(&home, 0).len();
    for place in [0, count / 2, count - 1] {
        let copy = home.copy();
        fs::remove_file(&parts(&copy, 0)[place]).expect("removed");
        found(&copy, if place == count - 1 { "cut after" } else { "missing" });
        if place == count - 1 {
            found(&copy, &format!("cut after {}", count - 2));
        }
        let verified = copy.verify([home.sessions()[1].as_str()]);
        assert_eq!(verified.code, 0, "the other session: {}", verified.said);
    }
}

#[test]
fn a_tail_removed_shows() {
    let home = recorded();
    let long = parts(&home, 0);
    long[2..].iter().for_each(|file| fs::remove_file(file).expect("removed"));
    found(&home, "cut after 1");
}

#[test]
fn a_tail_removed_with_the_end_entry_is_never_complete() {
    // Everything that says that there was more is gone. What is left says only what it can: up to when it was seen.
    let home = Home::small_segments();
    let emit = programs::own("emit");
    home.record([emit.to_str().expect("a path"), "random", "1", "2000000", "65536"]).ok();
    parts(&home, 0)[2..].iter().for_each(|file| fs::remove_file(file).expect("removed"));
    for chain in home.chains() {
        let whole = fs::read_to_string(&chain).expect("a chain object");
        let kept: String = whole.split_inclusive('\n').take_while(|line| !line.contains("\"kind\":\"end\"")).collect();
        if kept.is_empty() {
            fs::remove_file(&chain).expect("removed");
        } else if kept != whole {
            let entries = kept.lines().count() as u64;
            let name = chain.file_name().expect("a name").to_string_lossy().into_owned();
            let first: u64 = name[..12].parse().expect("a number");
            fs::write(chain.with_file_name(format!("{first:012}-{:012}.hchain", first + entries - 1)), kept)
                .expect("written");
            fs::remove_file(&chain).expect("removed");
        }
    }
    let verified = home.verify::<&str>([]);
    assert!(!verified.said.contains("complete"), "{}", verified.said);
    assert!(
        ["running as of", "silent since", "cut after"].iter().any(|w| verified.said.contains(w)),
        "{}",
        verified.said
    );
    let strict = home.verify(["--strict"]);
    assert_eq!(strict.code, 1, "{}", strict.said);
}

#[test]
fn a_session_removed_shows() {
    let home = recorded();
    let id = home.sessions().remove(1);
    fs::remove_dir_all(parts(&home, 1)[0].parent().expect("a folder")).expect("removed");
    found(&home, "session missing");
    found(&home, &id);
}

#[test]
fn all_sessions_removed_shows() {
    let home = recorded();
    fs::remove_dir_all(home.store().join("segments")).expect("removed");
    found(&home, "session missing");
}

#[test]
fn two_segments_swapped_show() {
    let home = recorded();
    let long = parts(&home, 0);
    swap(&long[1], &long[2]);
    let verified = home.verify::<&str>([]);
    assert_eq!(verified.code, 1, "{}", verified.said);
    assert!(["altered", "out of order", "missing"].iter().any(|w| verified.said.contains(w)), "{}", verified.said);
}

#[test]
fn two_segments_that_swap_their_numbers_show() {
    // The names' digests stay with their bytes; only the numbers change.
    let home = recorded();
    let long = parts(&home, 0);
    let (one, two) = (
        long[1].file_name().expect("a name").to_string_lossy(),
        long[2].file_name().expect("a name").to_string_lossy(),
    );
    fs::rename(&long[1], long[1].with_file_name(format!("000002{}", &one[6..]))).expect("renamed");
    fs::rename(&long[2], long[2].with_file_name(format!("000001{}", &two[6..]))).expect("renamed");
    let verified = home.verify::<&str>([]);
    assert_eq!(verified.code, 1, "{}", verified.said);
    assert!(["altered", "out of order"].iter().any(|w| verified.said.contains(w)), "{}", verified.said);
}

#[test]
fn a_segment_of_another_session_shows() {
    let home = recorded();
    let (long, short) = (parts(&home, 0), parts(&home, 1));
    // Its bytes under the name of the right one, then under its own name in the wrong folder.
    let copy = home.copy();
    fs::copy(&parts(&copy, 1)[0], &parts(&copy, 0)[1]).expect("copied");
    found(&copy, "altered");
    // The latter changes no verdict, since anybody may add objects; it is reported.
    fs::copy(&short[0], long[1].with_file_name(short[0].file_name().expect("a name"))).expect("copied");
    let verified = home.verify::<&str>([]);
    assert_eq!(verified.code, 0, "{}", verified.said);
    assert!(verified.said.contains("note:") && verified.said.contains(&home.sessions()[1]), "{}", verified.said);
}

#[test]
fn other_bytes_under_a_right_name_show() {
    let home = recorded();
    let victim = &parts(&home, 0)[1];
    for bytes in [b"other bytes".to_vec(), Vec::new()] {
        fs::write(victim, bytes).expect("written");
        found(&home, "altered");
    }
    fs::copy(&parts(&home, 0)[3], victim).expect("copied");
    found(&home, "out of order");
}

#[test]
fn a_truncated_segment_shows() {
    let home = recorded();
    let victim = &parts(&home, 0)[2];
    let whole = fs::read(victim).expect("a file");
    let mut numbers = Numbers::new(5);
    for _ in 0..30 {
        let length = numbers.below(whole.len() as u64) as usize;
        fs::write(victim, &whole[..length]).expect("written");
        found(&home, "altered");
    }
    for extra in [&b"\n"[..], b"\0", b"{}\n"] {
        fs::write(victim, [&whole[..], extra].concat()).expect("written");
        found(&home, "altered");
    }
}

#[test]
fn a_trailer_removed_shows() {
    let home = recorded();
    for place in [1, parts(&home, 0).len() - 1] {
        let copy = home.copy();
        let victim = &parts(&copy, 0)[place];
        let whole = fs::read(victim).expect("a file");
        let trailer = whole[..whole.len() - 1].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        // The end marker is four bytes and may hold a line feed nowhere: the trailer begins after it.
        let begin = whole.windows(10).rposition(|w| w == b"{\"blocks\":").unwrap_or(trailer);
        fs::write(victim, &whole[..begin]).expect("written");
        found(&copy, "altered");
    }
}

#[test]
fn a_chain_entry_removed_shows() {
    let home = recorded();
    let mut removed = 0;
    for chain in home.chains() {
        let whole = fs::read_to_string(&chain).expect("a chain object");
        let lines: Vec<&str> = whole.split_inclusive('\n').collect();
        for place in 0..lines.len() {
            let mut fewer = lines.clone();
            fewer.remove(place);
            fs::write(&chain, fewer.concat()).expect("written");
            let verified = home.verify::<&str>([]);
            assert_eq!(verified.code, 1, "entry {place} of {}: {}", chain.display(), verified.said);
            assert!(verified.said.contains("chain"), "{}", verified.said);
            removed += 1;
        }
        fs::write(&chain, &whole).expect("written");
    }
    assert!(removed >= 4, "two sessions have at least a genesis, two starts and two ends");
    home.assert_complete();
}

#[test]
fn a_chain_removed_shows() {
    let home = recorded();
    fs::remove_dir_all(home.store().join("chains")).expect("removed");
    let verified = home.verify::<&str>([]);
    assert!(
        verified.said.contains("end not witnessed") || verified.said.contains("chain missing"),
        "{}",
        verified.said
    );
    assert!(verified.code == 1 || verified.said.contains("end not witnessed"), "{}", verified.said);
}

#[test]
fn a_chain_entry_replayed_shows() {
    let home = recorded();
    let chain = home.chains().pop().expect("a chain object");
    let whole = fs::read_to_string(&chain).expect("a chain object");
    let last = whole.split_inclusive('\n').next_back().expect("an entry");
    fs::write(&chain, format!("{whole}{last}")).expect("written");
    found(&home, "chain");
}

#[test]
fn any_bit_of_any_byte_shows() {
    let _heavy = heavy();
    let flips = std::env::var("HANSARD_FLIPS").ok().and_then(|n| n.parse().ok()).unwrap_or(300);
    let home = Home::new();
    home.record_sh("echo a short session; echo and its error >&2").ok();
    home.record_sh("echo another").ok();
    home.assert_complete();
    // Segments with their keys lines, and chain objects: the evidence. The documents of events are claims (section 14 of
    // the format), which `verify` does not look at.
    let evidence = ["segments", "chains"].map(|root| process::files_below(&home.store().join(root)));
    let files: Vec<(PathBuf, Vec<u8>)> =
        evidence.into_iter().flatten().map(|f| (f.clone(), fs::read(f).expect("a file"))).collect();
    let mut numbers = Numbers::new(std::process::id().into());
    let mut tally = std::collections::BTreeMap::new();
    for number in 0..flips {
        // In turn through the files, so that small ones are not missed; anywhere in each.
        let (file, whole) = &files[number % files.len()];
        let (byte, bit) = (numbers.below(whole.len() as u64) as usize, numbers.below(8));
        let mut bytes = whole.clone();
        bytes[byte] ^= 1 << bit;
        fs::write(file, &bytes).expect("written");
        let verified = home.verify::<&str>([]);
        let place = format!("bit {bit} of byte {byte} of {}", file.display());
        assert_eq!(verified.code, 1, "{place}: {}", verified.said);
        let words = ["altered", "chain broken", "newer format", "fork", "erased"];
        let word = words.iter().find(|word| verified.said.contains(**word));
        *tally
            .entry(*word.unwrap_or_else(|| panic!("{place}: none of {words:?} in:\n{}", verified.said)))
            .or_insert(0) += 1;
        assert!(!verified.said.contains("panicked"), "{place}: {}", verified.said);
        fs::write(file, whole).expect("written");
    }
    println!("{flips} single bits flipped in {} files, all found: {tally:?}", files.len());
    home.assert_complete();
}

#[test]
fn content_that_was_altered_is_not_shown() {
    let home = recorded();
    let victim = &parts(&home, 0)[1];
    let mut bytes = fs::read(victim).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(victim, bytes).expect("written");
    let id = home.sessions().remove(0);
    let output = home.replay(["export", &id, "--as", "raw"]).output();
    assert_eq!(hansard_tests::call::code(&output), 1, "{}", hansard_tests::call::said(&output));
    let whole = hansard_tests::stream::random(1, 2_000_000);
    assert!(whole.starts_with(&output.stdout), "bytes that were never shown were exported");
}
