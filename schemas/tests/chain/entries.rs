//! One entry: its text, its signature, and every text that is none.

use hansard_schemas::chain::{Entry, Head, Kind, Part, append, append_with, genesis};
use hansard_schemas::seal::SigningKey;
use hansard_schemas::{ChainId, Digest, Outcome};
use proptest::prelude::*;

use crate::{boot, chain, session, time};

fn kinds() -> Vec<Kind> {
    let (digest, key) = (Digest([3; 32]), SigningKey::generate().public());
    vec![
        Kind::Start { session: session(), signer: key, identity: digest },
        Kind::End { session: session(), segment: 4, digest, outcome: "exited".into() },
        Kind::Recovered {
            session: session(),
            segment: 2,
            blocks: 7,
            kept: Some(digest),
            head: None,
            reason: "a \"reason\" with \n, \"sig\":\" and é".into(),
            old_boot: boot(),
            continues: Some(key),
        },
        Kind::Checkpoint {
            open: vec![
                Head { session: session(), segment: Some(999_999), digest: Some(digest) },
                Head { session: session(), segment: None, digest: None },
            ],
            part: None,
        },
        Kind::Checkpoint { open: vec![], part: None },
        Kind::Checkpoint {
            open: vec![Head { session: session(), segment: None, digest: None }],
            part: Some(Part { from: Some(session()), below: None }),
        },
        Kind::Checkpoint { open: vec![], part: Some(Part { from: None, below: Some(session()) }) },
        Kind::Close,
    ]
}

fn parse(line: &str) -> Result<Entry, Outcome> {
    Entry::parse(line.as_bytes()).map_err(|error| error.outcome())
}

fn text(entry: &Entry) -> String {
    String::from_utf8(entry.line.clone()).unwrap()
}

#[test]
fn chain_entries_read_back_as_they_were_written() {
    let (first, mut key) = genesis("höst", Some(Digest([9; 32])), 0, time(), boot(), SigningKey::generate()).unwrap();
    let Kind::Genesis { key: named, .. } = first.kind else { panic!("not genesis") };
    assert!(first.signed_by(&named));
    assert_eq!(first.chain, ChainId::of(&named));
    let mut last = first;
    for kind in kinds() {
        let (entry, next) = append(&last, key, kind.clone(), time(), boot()).unwrap();
        assert_eq!((&entry.kind, entry.seq, entry.prev), (&kind, last.seq + 1, Some(last.digest)));
        assert!(entry.signed_by(&last.next) && !entry.signed_by(&entry.next));
        assert_eq!(entry.next, next.public());
        assert_eq!(Entry::parse(&entry.line).unwrap(), entry);
        assert_eq!(Entry::parse(&entry.line[..entry.line.len() - 1]).unwrap(), entry);
        assert_eq!(entry.digest, Digest::of(&entry.line));
        (last, key) = (entry, next);
    }
}

#[test]
fn chain_members_stand_in_the_order_of_the_format() {
    let (chain, key) = chain(1);
    let next = SigningKey::from_bytes(&[1; 32]).public();
    let kind = Kind::End { session: session(), segment: 4, digest: Digest([3; 32]), outcome: "exited".into() };
    let entry = append_with(&chain[0], &key, kind, time(), boot(), next).unwrap();
    let line = text(&entry);
    let (before, signature) = line.split_once("\"sig\":").unwrap();
    let expected = format!(
        "{{\"hansard\":1,\"kind\":\"end\",\"chain\":\"{}\",\"seq\":1,\"prev\":\"{}\",\"time\":\"2026-11-22T09:30:00.125Z\",\
         \"boot\":\"{}\",\"next\":\"{next}\",\"session\":\"{}\",\"segment\":4,\"digest\":\"{}\",\"outcome\":\"exited\",",
        entry.chain,
        chain[0].digest,
        boot(),
        session(),
        Digest([3; 32]),
    );
    assert_eq!(before, expected);
    assert_eq!((signature.len(), signature.ends_with("\"}\n")), (128 + 4, true));
}

#[test]
fn chain_a_key_that_was_not_named_signs_nothing() {
    let (chain, _) = chain(2);
    assert!(append(&chain[1], SigningKey::generate(), Kind::Close, time(), boot()).is_err());
}

#[test]
fn chain_what_cannot_be_read_is_not_written() {
    let digest = Digest([3; 32]);
    for kind in [
        Kind::Unknown("later".into()),
        Kind::Genesis { key: SigningKey::generate().public(), host: "x".into(), machine: None, uid: 0 },
        Kind::End { session: session(), segment: 1_000_000, digest, outcome: "exited".into() },
        Kind::End { session: session(), segment: 1, digest, outcome: "x".repeat(70_000) },
        Kind::Checkpoint { open: vec![Head { session: session(), segment: Some(1), digest: None }], part: None },
        Kind::Checkpoint { open: vec![], part: Some(Part { from: None, below: None }) },
        Kind::Checkpoint { open: vec![], part: Some(Part { from: Some(session()), below: Some(session()) }) },
        Kind::Checkpoint {
            open: vec![Head { session: session(), segment: None, digest: None }],
            part: Some(Part { from: None, below: Some(session()) }),
        },
    ] {
        let (chain, key) = chain(1);
        assert!(append(&chain[0], key, kind.clone(), time(), boot()).is_err(), "{kind:?}");
    }
}

#[test]
fn json_5_another_version_is_told_apart_from_damage() {
    let (chain, _) = chain(2);
    let line = text(&chain[1]);
    for (version, expected) in [
        ("2", Outcome::UnsupportedVersion),
        ("10", Outcome::UnsupportedVersion),
        ("99999999999999999999", Outcome::UnsupportedVersion),
        ("01", Outcome::ChainBroken),
        ("1.0", Outcome::ChainBroken),
        ("-1", Outcome::ChainBroken),
        ("\"1\"", Outcome::ChainBroken),
        ("null", Outcome::ChainBroken),
    ] {
        let other = line.replacen("\"hansard\":1", &format!("\"hansard\":{version}"), 1);
        assert_eq!(parse(&other), Err(expected), "{version}");
    }
    // A later version may be anything behind its number.
    assert_eq!(parse("{\"hansard\":2,\"what\":1.5}"), Err(Outcome::UnsupportedVersion));
    assert_eq!(parse("{\"kind\":\"close\",\"hansard\":2}"), Err(Outcome::ChainBroken));
    assert_eq!(parse(&line.replacen("{\"hansard\":1,", "{ \"hansard\":1,", 1)), Err(Outcome::ChainBroken));
}

#[test]
fn chain_6_an_unknown_kind_is_an_entry_with_members_of_its_own() {
    let (chain, key) = chain(1);
    let signed = rewrite(&text(&append_with_close(&chain[0], &key)), &key, |line| {
        line.replacen("\"kind\":\"close\"", "\"kind\":\"later\"", 1).replacen(
            "\"sig\"",
            "\"x\":{\"y\":[null]},\"sig\"",
            1,
        )
    });
    let entry = parse(&signed).unwrap();
    assert_eq!(entry.kind, Kind::Unknown("later".into()));
    assert!(entry.signed_by(&chain[0].next));
}

#[test]
fn json_4_unknown_members_are_ignored_and_signed() {
    let (chain, key) = chain(1);
    let signed = rewrite(&text(&append_with_close(&chain[0], &key)), &key, |line| {
        line.replacen("\"sig\"", "\"later\":7,\"sig\"", 1)
    });
    let entry = parse(&signed).unwrap();
    assert_eq!(entry.kind, Kind::Close);
    assert!(entry.signed_by(&chain[0].next));
    assert!(!parse(&signed.replace("\"later\":7", "\"later\":8")).unwrap().signed_by(&chain[0].next));
}

fn append_with_close(prev: &Entry, key: &SigningKey) -> Entry {
    append_with(prev, key, Kind::Close, time(), boot(), SigningKey::generate().public()).unwrap()
}

/// Changes a line and signs it again, as a writer of another version would.
fn rewrite(line: &str, key: &SigningKey, change: impl Fn(&str) -> String) -> String {
    let line = change(line);
    let before = &line[..line.rfind("\"sig\"").unwrap()];
    let message = [b"hansard/1 chain\0".as_slice(), &Digest::of(before.as_bytes()).0].concat();
    format!("{before}\"sig\":\"{}\"}}\n", hex::encode(key.sign(&message)))
}

#[test]
fn chain_5_malformed_entries_are_refused() {
    let (chain, key) = chain(2);
    let digest = Digest([3; 32]);
    let end = Kind::End { session: session(), segment: 4, digest, outcome: "exited".into() };
    let end = text(&append_with(&chain[1], &key, end, time(), boot(), key.public()).unwrap());
    let change = |from: &str, to: &str| {
        assert!(end.contains(from), "{from}");
        end.replacen(from, to, 1)
    };
    let prev = format!("\"prev\":\"{}\"", chain[1].digest);
    for bad in [
        String::new(),
        "{}".into(),
        "{\"hansard\":1}".into(),
        "null".into(),
        end.to_uppercase(),
        // Order, absence, duplicates, types, ranges.
        change("\"segment\":4,\"digest\":", "\"digest\":").replacen("\"outcome\"", "\"segment\":4,\"outcome\"", 1),
        change("\"segment\":4,", ""),
        change(&format!("{prev},"), ""),
        change(&prev, "\"prev\":null"),
        change("\"segment\":4", "\"segment\":4,\"segment\":4"),
        change("\"segment\":4", "\"segment\":4.0"),
        change("\"segment\":4", "\"segment\":-4"),
        change("\"segment\":4", "\"segment\":\"4\""),
        change("\"seq\":2", "\"seq\":9007199254740992"),
        change("\"seq\":2", "\"seq\":0"),
        change("T09:30:00.125Z", "T09:30:00.12Z"),
        change("T09:30:00.125Z", "T09:30:00.125+00:00"),
        change("\"boot\":\"6a", "\"boot\":\"6A"),
        // The signature and its place.
        change("\"sig\":\"", "\"sig\": \""),
        change("\"sig\":\"", "\"sig\":\"0"),
        change("\"sig\"", "\"sih\""),
        change("\"}\n", "\" }\n"),
        change("\"}\n", "\"} \n"),
        change("\"}\n", "\",\"after\":1}\n"),
        change("\"}\n", "\"}\n\n"),
        change("\"}\n", "\"}\r\n"),
        change("\"}\n", "\"}{}\n"),
        format!(" {end}"),
        format!("\u{feff}{end}"),
    ] {
        assert_eq!(parse(&bad), Err(Outcome::ChainBroken), "{bad}");
    }
    for segment in ["1000000", "4294967296"] {
        let other = change("\"segment\":4", &format!("\"segment\":{segment}"));
        assert_eq!(parse(&other), Err(Outcome::Limit), "LIM-11");
    }
    let upper = end.rfind("\"sig\":\"").unwrap() + 7;
    let upper = format!("{}{}", &end[..upper], end[upper..].to_uppercase());
    assert!(upper == end || parse(&upper).is_err());
}

#[test]
fn lim_5_a_line_over_64_kib_is_limit() {
    let long = format!("{{\"hansard\":1,\"kind\":\"{}", "x".repeat(64 << 10));
    assert_eq!(parse(&long), Err(Outcome::Limit));
    let (chain, key) = chain(1);
    let entry = text(&append_with_close(&chain[0], &key));
    let fill = |length: usize| {
        let empty = entry.replacen("\"sig\"", "\"fill\":\"\",\"sig\"", 1);
        empty.replacen("\"fill\":\"\"", &format!("\"fill\":\"{}\"", "x".repeat(length - empty.len())), 1)
    };
    assert_eq!(fill(64 << 10).len(), 64 << 10);
    assert!(parse(&fill(64 << 10)).is_ok());
    assert_eq!(parse(&fill((64 << 10) + 1)), Err(Outcome::Limit));
}

proptest! {
    #[test]
    fn chain_reading_never_panics_and_what_it_takes_is_the_line(
        at in any::<prop::sample::Index>(), to in any::<u8>(), cut in any::<prop::sample::Index>(),
    ) {
        let (chain, _) = chain(2);
        let mut line = chain[1].line.clone();
        let at = at.index(line.len());
        line[at] = to;
        if let Ok(entry) = Entry::parse(&line) {
            let same = line == chain[1].line;
            prop_assert!(entry.line == line || [line, b"\n".to_vec()].concat() == entry.line);
            prop_assert_eq!(entry.signed_by(&chain[0].next), same || to == b'\n' && entry.line == chain[1].line);
        }
        let part = &chain[1].line[..cut.index(chain[1].line.len())];
        prop_assert_eq!(Entry::parse(part).is_ok(), part.len() == chain[1].line.len() - 1);
    }
}
