//! VER-2 and VER-3: one table of attacks on two finished sessions, and what is said of the first.

use hansard_schemas::chain::{Entry, Kind};
use hansard_schemas::verdict::{SegmentFact, Verdict, judge};

use crate::scene::{Host, Scene, Session, Store, scene, summary};
use crate::words;

struct Attack {
    name: &'static str,
    act: fn(&mut Scene),
    words: &'static str,
}

const ATTACKS: &[Attack] = &[
    Attack { name: "nothing", act: |_| {}, words: "complete" },
    Attack { name: "first segment removed", act: |s| s.store.remove(&s.a, 0), words: "ended, not whole; missing 0" },
    Attack { name: "middle segment removed", act: |s| s.store.remove(&s.a, 1), words: "ended, not whole; missing 1" },
    Attack { name: "last segment removed", act: |s| s.store.remove(&s.a, 3), words: "cut after 2; missing 3" },
    Attack {
        name: "tail removed",
        act: |s| [1, 2, 3].into_iter().for_each(|number| s.store.remove(&s.a, number)),
        words: "cut after 0; missing 1; missing 2; missing 3",
    },
    Attack {
        name: "first and last removed",
        act: |s| [0, 3].into_iter().for_each(|number| s.store.remove(&s.a, number)),
        words: "cut after 2; missing 0; missing 3",
    },
    Attack {
        name: "tail removed with the end entry and all after it, a checkpoint left",
        act: |s| {
            [1, 2, 3].into_iter().for_each(|number| s.store.remove(&s.a, number));
            s.store.roll_back(&s.host, 4);
        },
        words: "cut after 0; missing 1",
    },
    Attack {
        name: "tail removed with the end entry and all that names it",
        act: |s| {
            [2, 3].into_iter().for_each(|number| s.store.remove(&s.a, number));
            s.store.roll_back(&s.host, 4);
        },
        words: "silent since",
    },
    Attack {
        name: "tail removed, end entry cut out",
        act: |s| {
            [2, 3].into_iter().for_each(|number| s.store.remove(&s.a, number));
            s.store.chain = vec![s.host.object(0, 3), s.host.object(5, 7)];
        },
        words: "silent since; chain-broken 4",
    },
    Attack {
        name: "the chain rolled back to before the session",
        act: |s| s.store.roll_back(&s.host, 1),
        words: "complete, end not witnessed; chain-broken 1",
    },
    Attack {
        name: "the chain removed",
        act: |s| s.store.chain.clear(),
        words: "complete, end not witnessed; chain-missing",
    },
    Attack {
        name: "the chain and the last segment removed",
        act: |s| {
            s.store.chain.clear();
            s.store.remove(&s.a, 3);
        },
        words: "silent since; chain-missing",
    },
    Attack {
        name: "two segments swapped",
        act: |s| {
            let one = s.store.bytes(&s.a, 1).clone();
            let two = std::mem::replace(s.store.bytes(&s.a, 2), one);
            *s.store.bytes(&s.a, 1) = two;
        },
        words: "ended, not whole; out-of-order 1; out-of-order 2",
    },
    Attack {
        name: "a segment of another session in its place",
        act: |s| *s.store.bytes(&s.a, 1) = s.b.closed[0].bytes.clone(),
        words: "ended, not whole; altered 1",
    },
    Attack {
        name: "a segment of another session as its first",
        act: |s| *s.store.bytes(&s.a, 0) = s.b.closed[0].bytes.clone(),
        words: "ended, not whole; altered 0",
    },
    Attack {
        name: "a trailer removed",
        act: |s| without_trailer(s.store.bytes(&s.a, 1)),
        words: "ended, not whole; altered 1",
    },
    Attack {
        name: "the last trailer removed",
        act: |s| without_trailer(s.store.bytes(&s.a, 3)),
        words: "cut after 2; altered 3",
    },
    Attack {
        name: "a truncated file",
        act: |s| s.store.bytes(&s.a, 2).truncate(700),
        words: "ended, not whole; altered 2",
    },
    Attack {
        name: "the session removed",
        act: |s| (0..4).for_each(|number| s.store.remove(&s.a, number)),
        words: "cut after nothing; session-missing",
    },
    Attack {
        name: "the session removed, and the chain after its start",
        act: |s| {
            (0..4).for_each(|number| s.store.remove(&s.a, number));
            s.store.roll_back(&s.host, 2);
        },
        words: "silent since; session-missing",
    },
    Attack {
        name: "keys erased",
        act: |s| keys_line(s.store.bytes(&s.a, 1), b"{}\n"),
        words: "ended, not whole; erased 1",
    },
    Attack {
        name: "keys of another session",
        act: |s| {
            let keys = s.b.keys.bytes().to_vec();
            keys_line(s.store.bytes(&s.a, 1), &keys);
        },
        words: "ended, not whole; altered 1",
    },
    Attack {
        name: "bytes after the last segment",
        act: |s| s.store.bytes(&s.a, 3).push(b'x'),
        words: "cut after 2; altered 3",
    },
    Attack {
        name: "a segment that is a picture",
        act: |s| *s.store.bytes(&s.a, 0) = b"\xff\xd8\xff\xe0\0\x10JFIF".to_vec(),
        words: "ended, not whole; altered 0",
    },
    Attack {
        name: "a session's bytes under another chain's name",
        act: |s| {
            for (name, _) in &mut s.store.segments {
                name.chain16 = "0123456789abcdef".into();
            }
        },
        words: "ended, not whole; altered 0",
    },
];

fn without_trailer(bytes: &mut Vec<u8>) {
    let end = bytes[..bytes.len() - 1].iter().rposition(|byte| *byte == 0xff).unwrap();
    bytes.truncate(end + 1);
}

/// Puts another line in the place of the second.
fn keys_line(bytes: &mut Vec<u8>, line: &[u8]) {
    let from = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let to = from + bytes[from..].iter().position(|byte| *byte == b'\n').unwrap() + 1;
    bytes.splice(from..to, line.iter().copied());
}

#[test]
fn ver_2_each_attack_is_named() {
    let mut wrong = String::new();
    for Attack { name, act, words: expected } in ATTACKS {
        let mut scene = scene();
        act(&mut scene);
        let judgement = scene.store.judge(&scene.a);
        let found = words(&judgement);
        if found != *expected || judgement.ok() != (*expected == "complete") {
            wrong += &format!("{name}:\n  expected {expected}\n  found    {found}\n{judgement:#?}\n");
        }
        // What happens to one session touches the other only through the chain.
        let other = scene.store.judge(&scene.b);
        let chained = name.contains("chain") || name.contains("entry");
        assert!(chained || other.ok(), "{name}: {}", words(&other));
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn ver_2_a_swap_in_a_recording_file_is_out_of_order() {
    let Scene { a, store, .. } = scene();
    let facts: Vec<_> = [0, 2, 1, 3]
        .into_iter()
        .enumerate()
        .map(|(place, number)| {
            let place = u32::try_from(place).unwrap();
            SegmentFact::placed("a.hrec", place, summary(&a.closed[number].bytes))
        })
        .collect();
    let judgement = judge(a.id, &facts, Some(&store.chain()), store.now);
    assert_eq!(words(&judgement), "ended, not whole; out-of-order 1; out-of-order 2");
}

#[test]
fn ver_2_two_valid_segments_of_one_number_are_equivocation() {
    let mut host = Host::new();
    let mut a = Session::start(&mut host, 1);
    a.segment(false);
    let other = a.other(true);
    a.segment(true);
    let mut store = Store::of(&host, &[&a]);
    // Whichever is taken, both are announced: only who kept a signer's key can do that.
    a.signers.pop();
    store.add(&a, &other);
    let judgement = store.judge(&a);
    assert!(words(&judgement).contains("equivocation 1"), "{}", words(&judgement));
    assert!(!judgement.ok());
    // With the end witnessed, the other one is no longer valid: it is only mentioned.
    host.end(&a);
    store.chain = host.objects();
    let judgement = store.judge(&a);
    assert_eq!((words(&judgement).as_str(), judgement.ok()), ("complete", true));
    assert_eq!(judgement.notes.len(), 1, "{:?}", judgement.notes);
}

#[test]
fn ver_3_who_can_only_add_objects_changes_no_verdict() {
    let Scene { host, a, mut store, .. } = scene();
    let before = store.judge(&a);
    let mut forger = Session::start(&mut Host::new(), 9);
    forger.id = a.id;
    // Segments of the session's id under his own keys, at numbers that exist and at numbers that do not.
    for last in [false, false, false, false, false, true] {
        let object = forger.segment(last);
        store.segments.push((a.name(&object), object.bytes));
    }
    // A damaged copy, other bytes under a right name, and a picture.
    let mut damaged = a.closed[2].bytes.clone();
    damaged[900] ^= 1;
    store.segments.push((a.name(&a.closed[2]), damaged));
    store.segments.push((a.name(&a.closed[1]), a.closed[3].bytes.clone()));
    store.segments.push((a.name(&a.closed[0]), b"GIF89a".to_vec()));
    // Copies of chain entries that do not verify, where the true ones are.
    let (name, mut bytes) = host.object(2, 4);
    bytes[100] ^= 1;
    store.chain.push((name, bytes));
    let judgement = store.judge(&a);
    assert_eq!(judgement.verdict, Verdict::Complete);
    assert!(judgement.ok(), "{judgement:#?}");
    assert_eq!(judgement.notes.len(), 9, "{:#?}", judgement.notes);
    assert_eq!(store.chain().notes.len(), 1);
    let digests = |store: &Store, parts: &[usize]| -> Vec<_> {
        parts.iter().map(|part| store.segments[*part].0.digest16.clone()).collect()
    };
    assert_eq!(digests(&store, &judgement.parts), digests(&store, &before.parts));
}

#[test]
fn ver_3_objects_after_a_missing_end_do_not_hide_the_cut() {
    let Scene { a, mut store, .. } = scene();
    store.remove(&a, 3);
    let mut forger = Session::start(&mut Host::new(), 9);
    forger.id = a.id;
    for last in [false, false, false, false, true] {
        let object = forger.segment(last);
        store.segments.push((a.name(&object), object.bytes));
    }
    let judgement = store.judge(&a);
    assert_eq!((words(&judgement).as_str(), judgement.last_segment), ("cut after 2; altered 3", Some(2)));
}

#[test]
fn ver_3_a_later_key_of_the_chain_ends_nothing_again() {
    // Whoever has the whole disk an hour later has the chain's newest key, and no signer's.
    for lie in [
        |a: &Session| Kind::End { session: a.id, segment: 1, digest: a.closed[1].digest, outcome: "exited".into() },
        |a: &Session| Kind::Start { session: a.id, signer: a.signers[0].public(), identity: a.closed[0].digest },
        |a: &Session| Kind::Checkpoint {
            open: vec![hansard_schemas::chain::Head {
                session: a.id,
                segment: Some(9),
                digest: Some(a.closed[1].digest),
            }],
            part: None,
        },
    ] {
        let Scene { mut host, a, mut store, .. } = scene();
        let entry: Entry = host.add(lie(&a));
        store.chain = host.objects();
        let judgement = store.judge(&a);
        assert_eq!(words(&judgement), format!("complete; (false-statement {})", entry.seq));
        assert!(!judgement.ok());
        assert_eq!(judgement.outcome.as_deref(), Some("exited"));
    }
}

#[test]
fn ver_3_a_session_signed_anew_is_altered() {
    // He makes the session again, with signers of his own, and starts it in the chain once more.
    let Scene { mut host, a, mut store, .. } = scene();
    let mut again = Session::start(&mut host, 1);
    again.id = a.id;
    let (first, last) = (again.segment(false), again.segment(true));
    host.add(Kind::Start { session: a.id, signer: again.signers[0].public(), identity: again.closed[0].digest });
    host.end_at(&a, 1, last.digest);
    store.chain = host.objects();
    (0..4).for_each(|number| store.remove(&a, number));
    store.add(&a, &first);
    store.add(&a, &last);
    let judgement = store.judge(&a);
    assert!(!judgement.ok());
    assert!(words(&judgement).contains("altered 0") && words(&judgement).contains("false-statement"));
    assert_eq!(judgement.last_segment, None);
}

#[test]
fn ver_3_an_end_before_the_last_segment_is_not_complete() {
    let mut host = Host::new();
    let mut a = Session::start(&mut host, 1);
    a.segment(false);
    host.end(&a);
    let judgement = Store::of(&host, &[&a]).judge(&a);
    assert_eq!(words(&judgement), "ended, not whole; altered 0");
}

#[test]
fn lim_11_a_million_missing_segments_are_counted_and_not_all_named() {
    let mut host = Host::new();
    let mut a = Session::start(&mut host, 1);
    let first = a.segment(false);
    host.end_at(&a, 999_999, first.digest);
    let judgement = Store::of(&host, &[&a]).judge(&a);
    assert_eq!((judgement.verdict, judgement.faults.len()), (Verdict::CutAfter(Some(0)), 1000));
    assert_eq!(judgement.notes, ["998999 more segments are missing"]);
}

#[test]
fn seg_4_a_secret_used_again_is_altered() {
    let mut host = Host::new();
    let mut a = Session::start(&mut host, 1);
    a.segment(false);
    a.rewind();
    a.segment(true);
    host.end(&a);
    let judgement = Store::of(&host, &[&a]).judge(&a);
    assert_eq!(words(&judgement), "cut after 0; altered 1");
}
