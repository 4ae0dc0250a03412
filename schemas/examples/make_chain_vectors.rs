//! Makes the chain vectors that are missing (`schemas/vectors/README.md`); one that is there is never touched.
//!
//! The true entries are the library's own, with fixed keys; the wrong ones are bent as text and, where they are to be
//! wrong in one thing only, signed again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "a program for tests")]

use std::path::Path;

use base64::Engine as _;
use hansard_schemas::chain::{Entry, Head, Kind, Part, append_with, genesis_with};
use hansard_schemas::seal::SigningKey;
use hansard_schemas::{Digest, PublicKey, SessionId, limits};

/// A vector: name, what is particular, entries that are believed, and the bytes.
struct Case(&'static str, &'static str, usize, Vec<u8>);

/// The key of entry `n`.
fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n + 1; 32])
}

fn session() -> SessionId {
    SessionId::new(1_795_338_600_125, &[7; 10])
}

/// One entry of each kind, in the order in which a host writes them.
fn kinds() -> Vec<Kind> {
    let (session, digest, boot) = (session(), Digest([3; 32]), "6a1d6e3c-7d2f-4c3b-9d52-0c4b7f0f6a11".parse().unwrap());
    let head = |segment: Option<u32>| Head { session, segment, digest: segment.map(|_| digest) };
    let second = SessionId::new(1_795_338_700_000, &[8; 10]);
    let start = |session| Kind::Start { session, signer: key(100).public(), identity: Digest([4; 32]) };
    vec![
        start(session),
        Kind::Checkpoint { open: vec![head(None)], part: None },
        start(second),
        Kind::Checkpoint {
            open: vec![head(Some(4)), Head { session: second, segment: None, digest: None }],
            part: None,
        },
        Kind::End { session, segment: 5, digest, outcome: "exited".into() },
        Kind::Recovered {
            session: second,
            segment: 0,
            blocks: 0,
            kept: None,
            head: None,
            reason: "\"no\" recorder, nothing but \"sig\":\" and é".into(),
            old_boot: boot,
            continues: None,
        },
        Kind::Checkpoint { open: vec![], part: None },
        Kind::Close,
    ]
}

/// Entry `n` is signed by key `n`.
fn chain() -> Vec<Entry> {
    let time = "2026-11-22T09:30:00.125Z".parse().unwrap();
    let boot = "6a1d6e3c-7d2f-4c3b-9d52-0c4b7f0f6a11".parse().unwrap();
    let first = genesis_with("höst", Some(Digest([9; 32])), 1000, time, boot, &key(0), key(1).public()).unwrap();
    let mut entries = vec![first];
    for (n, kind) in (1..).zip(kinds()) {
        let entry = append_with(entries.last().unwrap(), &key(n), kind, time, boot, key(n + 1).public());
        entries.push(entry.unwrap());
    }
    entries
}

fn text(entry: &Entry) -> String {
    String::from_utf8(entry.line.clone()).unwrap()
}

/// Puts another signature, by this key, to a line that was bent.
fn signed(line: &str, by: &SigningKey) -> Vec<u8> {
    let before = &line[..line.rfind("\"sig\"").unwrap()];
    let message = [b"hansard/1 chain\0".as_slice(), &Digest::of(before.as_bytes()).0].concat();
    with_signature(before, &by.sign(&message))
}

fn with_signature(before: &str, signature: &[u8; 64]) -> Vec<u8> {
    format!("{before}\"sig\":\"{}\"}}\n", hex::encode(signature)).into_bytes()
}

/// `line` bent once; it is an error in this program if it does not change.
fn bend(line: &str, from: &str, to: &str) -> String {
    assert!(line.contains(from), "{from}");
    line.replacen(from, to, 1)
}

/// s + L, the order of the group: the same number, another encoding.
fn not_canonical(signature: &[u8; 64]) -> [u8; 64] {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut out = *signature;
    let mut carry = 0;
    for (byte, order) in out[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
    out
}

fn signature_of(entry: &Entry) -> [u8; 64] {
    let line = text(entry);
    let digits = &line[line.len() - 131..line.len() - 3];
    hex::decode(digits).unwrap().try_into().unwrap()
}

fn good(entries: &[Entry]) -> Vec<Case> {
    let lines = |numbers: &[usize]| -> Vec<u8> { numbers.iter().flat_map(|n| entries[*n].line.clone()).collect() };
    let all: Vec<usize> = (0..entries.len()).collect();
    let later = bend(&text(&entries[8]), "\"kind\":\"close\"", "\"kind\":\"later\"");
    let later = signed(&bend(&later, "\"sig\"", "\"more\":{\"x\":[null,true]},\"sig\""), &key(8));
    let other = signed(&text(&entries[3]), &key(99));
    vec![
        Case("ok-chain-every-kind", "one entry of each kind", all.len(), lines(&all)),
        Case("ok-chain-genesis", "a chain that has just begun", 1, lines(&[0])),
        Case("ok-chain-again", "entries repeated and in any order", 5, lines(&[3, 0, 4, 2, 1, 0, 4, 3])),
        Case(
            "ok-chain-checkpoint-parts",
            "CHAIN-8: two parts of a list",
            7,
            [lines(&all[..5]), parts(entries)].concat(),
        ),
        Case("ok-chain-unknown-kind", "CHAIN-6, JSON-4", 9, [lines(&all[..8]), later].concat()),
        Case(
            "ok-chain-unsigned-copy",
            "beside entry 3 a copy of it that a stranger signed; it changes nothing",
            5,
            [lines(&all[..4]), other, lines(&[4])].concat(),
        ),
    ]
}

/// Two checkpoints in the places of entries 5 and 6: one below the second session, one from there on.
fn parts(entries: &[Entry]) -> Vec<u8> {
    let second = SessionId::new(1_795_338_700_000, &[8; 10]);
    let head = |session| vec![Head { session, segment: None, digest: None }];
    let part = |from, below| Some(Part { from, below });
    let kind = Kind::Checkpoint { open: head(session()), part: part(None, Some(second)) };
    let (time, boot) = (entries[4].time, entries[4].boot);
    let one = append_with(&entries[4], &key(5), kind, time, boot, key(6).public()).unwrap();
    let kind = Kind::Checkpoint { open: head(second), part: part(Some(second), None) };
    let other = append_with(&one, &key(6), kind, time, boot, key(7).public()).unwrap();
    [one.line, other.line].concat()
}

/// What is wrong with the last line, after the entries 0 to 4.
fn bent(entries: &[Entry]) -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let end = text(&entries[5]);
    let by = key(5);
    let resigned = |from: &str, to: &str| signed(&bend(&end, from, to), &by);
    let raw = |from: &str, to: &str| bend(&end, from, to).into_bytes();
    let before = &end[..end.rfind("\"sig\"").unwrap()];
    let prev = format!("\"prev\":\"{}\"", entries[4].digest);
    let (digest, id) = (Digest([3; 32]).to_string(), session().to_string());
    let long = bend(&end, "\"sig\"", &format!("\"fill\":\"{}\",\"sig\"", "x".repeat(limits::META_LINE)));
    let mut short = end.clone().into_bytes();
    short.pop();
    vec![
        ("chain-broken-signature", "another outcome under the signature", raw("exited", "gone")),
        ("chain-broken-signer", "signed by a key that entry 4 did not name", signed(&end, &key(6))),
        (
            "chain-broken-prev",
            "prev is the digest of entry 3",
            resigned(&prev, &format!("\"prev\":\"{}\"", entries[3].digest)),
        ),
        ("chain-broken-prev-null", "prev is null", resigned(&prev, "\"prev\":null")),
        ("chain-broken-number", "entry 5 calls itself 6", resigned("\"seq\":5", "\"seq\":6")),
        (
            "chain-broken-other-chain",
            "the id of another chain",
            resigned(&entries[0].chain.to_string(), &Digest([5; 32]).to_string()),
        ),
        (
            "chain-broken-order",
            "time after boot",
            resigned(
                "\"time\":\"2026-11-22T09:30:00.125Z\",\"boot\":\"6a1d6e3c-7d2f-4c3b-9d52-0c4b7f0f6a11\"",
                "\"boot\":\"6a1d6e3c-7d2f-4c3b-9d52-0c4b7f0f6a11\",\"time\":\"2026-11-22T09:30:00.125Z\"",
            ),
        ),
        ("chain-broken-member-missing", "no outcome", resigned(",\"outcome\":\"exited\"", "")),
        ("chain-broken-member-twice", "JSON-3", resigned("\"segment\":5", "\"segment\":5,\"segment\":5")),
        ("chain-broken-member-twice-deep", "JSON-3", resigned("\"sig\"", "\"x\":[{\"a\":1,\"\\u0061\":1}],\"sig\"")),
        (
            "chain-broken-deep",
            "an unknown member whose arrays are the 33rd level (JSON-7)",
            resigned("\"sig\"", &format!("\"x\":{}{},\"sig\"", "[".repeat(32), "]".repeat(32))),
        ),
        ("chain-broken-fraction", "JSON-3", resigned("\"segment\":5", "\"segment\":5.0")),
        ("chain-broken-integer", "JSON-3", resigned("\"sig\"", "\"x\":9007199254740992,\"sig\"")),
        ("limit-chain-segment-number", "LIM-11", resigned("\"segment\":5", "\"segment\":1000000")),
        ("chain-broken-upper-case-hex", "JSON-6", resigned("\"digest\":\"03", "\"digest\":\"0A")),
        ("chain-broken-time", "JSON-6", resigned("00.125Z", "00.12Z")),
        ("chain-broken-session", "a session id of version 4", resigned(&id, &id.replacen("-7", "-4", 1))),
        ("chain-broken-carriage-return", "JSON-2", raw("\"}\n", "\"}\r\n")),
        ("chain-broken-sig-not-last", "a member after sig", raw("\"}\n", "\",\"more\":1}\n")),
        ("chain-broken-sig-space", "sig is the last member, not the last bytes", raw("\"}\n", "\" }\n")),
        (
            "chain-broken-second-genesis",
            "genesis with the number 5",
            resigned("\"kind\":\"end\"", "\"kind\":\"genesis\""),
        ),
        ("chain-broken-cut-line", "the last line without its line feed", short),
        (
            "chain-broken-first-member",
            "JSON-5: hansard is not the first member",
            resigned("\"hansard\":1,\"kind\":\"end\"", "\"kind\":\"end\",\"hansard\":1"),
        ),
        ("chain-broken-not-utf-8", "JSON-2", {
            let mut line = end.clone().into_bytes();
            let at = end.find("exited").unwrap();
            line[at] = 0xff;
            line
        }),
        (
            "chain-broken-signature-not-canonical",
            "s + L for s",
            with_signature(before, &not_canonical(&signature_of(&entries[5]))),
        ),
        ("chain-broken-digest-short", "JSON-6", resigned(&digest, &digest[2..])),
        ("unsupported-version-chain-entry", "JSON-5", resigned("\"hansard\":1", "\"hansard\":2")),
        ("limit-chain-entry", "LIM-5", signed(&long, &by)),
    ]
}

/// A checkpoint in the place of entry 5, its head bent.
fn heads(entries: &[Entry]) -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let time = entries[4].time;
    let digest = Digest([3; 32]);
    let kind = Kind::Checkpoint {
        open: vec![Head { session: session(), segment: Some(4), digest: Some(digest) }],
        part: None,
    };
    let line = text(&append_with(&entries[4], &key(5), kind, time, entries[4].boot, key(6).public()).unwrap());
    let bent = |from: &str, to: &str| signed(&bend(&line, from, to), &key(5));
    let part =
        |from: &str, below: &str| bent("],\"sig", &format!("],\"part\":{{\"from\":{from},\"below\":{below}}},\"sig"));
    let quoted = |id: &str| format!("\"{id}\"");
    let (id, later) = (session().to_string(), SessionId::new(1_795_338_700_000, &[8; 10]).to_string());
    vec![
        ("chain-broken-head-order", "digest before segment", {
            let (from, to) =
                (format!("\"segment\":4,\"digest\":\"{digest}\""), format!("\"digest\":\"{digest}\",\"segment\":4"));
            bent(&from, &to)
        }),
        (
            "chain-broken-head-member-missing",
            "no segment and no digest",
            bent(&format!(",\"segment\":4,\"digest\":\"{digest}\""), ""),
        ),
        ("chain-broken-part-empty", "a part without a bound", part("null", "null")),
        ("chain-broken-part-null", "a part that is null", bent("],\"sig", "],\"part\":null,\"sig")),
        ("chain-broken-part-outside", "an open session that is not in the part", part(&quoted(&later), "null")),
        ("chain-broken-part-reversed", "a part that ends where it begins", part(&quoted(&id), &quoted(&id))),
        (
            "chain-broken-part-order",
            "below before from",
            bent("],\"sig", "],\"part\":{\"below\":null,\"from\":null},\"sig"),
        ),
        ("chain-broken-head-half-null", "a segment without a digest", bent(&format!("\"{digest}\""), "null")),
        ("limit-chain-head-segment-number", "LIM-11", bent("\"segment\":4", "\"segment\":1000000")),
    ]
}

fn broken(entries: &[Entry]) -> Vec<Case> {
    let lines = |numbers: &[usize]| -> Vec<u8> { numbers.iter().flat_map(|n| entries[*n].line.clone()).collect() };
    let before = lines(&[0, 1, 2, 3, 4]);
    let mut cases: Vec<Case> = bent(entries)
        .into_iter()
        .chain(heads(entries))
        .map(|(name, note, line)| Case(name, note, 5, [before.clone(), line].concat()))
        .collect();
    let first = text(&entries[0]);
    let mut forger = signed(&bend(&first, "\"uid\":1000", "\"uid\":1001"), &key(77));
    forger.extend(&entries[1].line);
    // A neutral element signs everything for a reader that takes it as a key.
    let neutral: [u8; 32] = std::array::from_fn(|n| u8::from(n == 0));
    let named = bend(&text(&entries[1]), &entries[1].next.to_string(), &PublicKey(neutral).to_string());
    let named = signed(&named, &key(1));
    let follows = bend(&text(&entries[2]), &entries[1].digest.to_string(), &Digest::of(&named).to_string());
    let mut nothing = [0; 64];
    nothing[0] = 1;
    let follows = with_signature(&follows[..follows.rfind("\"sig\"").unwrap()], &nothing);
    let other = |line: &Entry, n| signed(&bend(&text(line), "00.125Z", "00.126Z"), &key(n));
    cases.extend([
        Case("chain-broken-missing", "entry 3 is not there", 3, lines(&[0, 1, 2, 4, 5])),
        Case("chain-broken-no-genesis", "entry 0 is not there", 0, lines(&[1, 2, 3])),
        Case("chain-broken-genesis-signature", "genesis signed by another key than its own", 0, forger),
        Case(
            "chain-broken-small-order-key",
            "a key of small order signs entry 2",
            2,
            [lines(&[0]), named, follows].concat(),
        ),
        Case(
            "fork-chain",
            "two entries 4, both signed",
            4,
            [lines(&[0, 1, 2, 3, 4, 5]), other(&entries[4], 4)].concat(),
        ),
        Case(
            "fork-chain-genesis",
            "two genesis entries of one key",
            0,
            [lines(&[0, 1]), other(&entries[0], 0)].concat(),
        ),
    ]);
    cases
}

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let entries = chain();
    for Case(name, note, believed, bytes) in good(&entries).into_iter().chain(broken(&entries)) {
        let path = folder.join(format!("{name}.vector"));
        if path.exists() {
            continue;
        }
        let outcomes = ["ok", "chain-broken", "fork", "limit", "unsupported-version"];
        let outcome =
            outcomes.iter().find(|outcome| name.starts_with(*outcome)).expect("a name that begins with its outcome");
        let mut out = format!(
            "kind: chain\nnote: {note}\noutcome: {outcome}\nchain: {}\nentries: {believed}\n\n",
            entries[0].chain
        );
        for line in base64::engine::general_purpose::STANDARD.encode(bytes).as_bytes().chunks(76) {
            out.push_str(std::str::from_utf8(line).unwrap());
            out.push('\n');
        }
        std::fs::write(&path, out).unwrap();
        println!("{}", path.display());
    }
}
