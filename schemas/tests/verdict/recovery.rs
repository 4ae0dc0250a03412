//! Section 7: what a crash leaves, what makes its recovery valid, and who tries to use it.

use hansard_schemas::chain::Kind;
use hansard_schemas::verdict::Verdict;

use crate::scene::{END_MARKER, Host, Object, Open, START_MS, Session, Store, at, scene};
use crate::words;

/// A session of which segments 0 and 1 are closed and segment 2 is left open, its host having started again.
fn crashed() -> (Host, Session, Open) {
    let mut host = Host::new();
    let mut a = Session::start(&mut host, 1);
    a.segment(false);
    host.checkpoint(&[&a]);
    a.segment(false);
    let open = a.crash();
    host.boot = 2;
    (host, a, open)
}

fn recover(host: &mut Host, a: &mut Session, open: &Open) -> Object {
    let entry = host.add(a.recovery(open, None));
    let object = Session::recovered(open, &entry);
    a.closed.push(object.clone());
    object
}

#[test]
fn rec_1_a_recovered_segment_is_valid_and_unwitnessed() {
    let (mut host, mut a, open) = crashed();
    recover(&mut host, &mut a, &open);
    let judgement = Store::of(&host, &[&a]).judge(&a);
    let from = at(START_MS + 10_000);
    assert_eq!(judgement.verdict, Verdict::RecoveredAt { segment: 2, unwitnessed_from: Some(from) });
    assert_eq!((judgement.unwitnessed_from, judgement.last_segment), (Some(from), Some(2)));
    assert!(judgement.ok(), "{judgement:#?}");
}

#[test]
fn rec_1_two_segments_left_open_are_recovered_in_order() {
    let mut host = Host::new();
    let mut a = Session::start(&mut host, 1);
    let first = a.crash();
    let signer = hansard_schemas::seal::SigningKey::generate();
    let entry = host.add(a.recovery(&first, Some(signer.public())));
    a.closed.push(Session::recovered(&first, &entry));
    a.signers.push(signer);
    let second = a.crash();
    let (rolled, begun) = (host.entries.len(), a.closed.len());
    recover(&mut host, &mut a, &second);
    let mut store = Store::of(&host, &[&a]);
    let judgement = store.judge(&a);
    assert!(matches!(judgement.verdict, Verdict::RecoveredAt { segment: 0, .. }));
    assert!(judgement.ok(), "{judgement:#?}");
    // Without the second, nothing says how the session ended, although no fault is to be named.
    store.roll_back(&host, rolled);
    store.remove(&a, u32::try_from(begun).unwrap());
    let judgement = store.judge(&a);
    assert_eq!((words(&judgement).as_str(), judgement.ok()), ("recovered at 0", false));
    assert!(!judgement.settled);
}

#[test]
fn rec_1_nothing_kept_needs_no_segment() {
    let mut host = Host::new();
    let a = Session::start(&mut host, 1);
    let open = Open { number: 0, journal: b"{\"hansard\":1,\"sess".to_vec() };
    host.add(a.recovery(&open, None));
    let judgement = Store::of(&host, &[&a]).judge(&a);
    assert_eq!(judgement.verdict, Verdict::RecoveredAt { segment: 0, unwitnessed_from: None });
    assert!(judgement.ok(), "{judgement:#?}");
}

#[test]
fn rec_1_a_recovered_segment_that_is_gone_is_a_cut() {
    let (mut host, mut a, open) = crashed();
    recover(&mut host, &mut a, &open);
    let mut store = Store::of(&host, &[&a]);
    store.remove(&a, 2);
    assert_eq!(words(&store.judge(&a)), "cut after 1; missing 2");
    store.remove(&a, 1);
    assert_eq!(words(&store.judge(&a)), "cut after 0; missing 1; missing 2");
}

#[test]
fn rec_1_without_the_chain_a_recovery_proves_nothing() {
    let (mut host, mut a, open) = crashed();
    let before = host.entries.len();
    recover(&mut host, &mut a, &open);
    let mut store = Store::of(&host, &[&a]);
    store.roll_back(&host, before);
    assert_eq!(words(&store.judge(&a)), format!("silent since; chain-broken {before}"));
    store.chain.clear();
    assert_eq!(words(&store.judge(&a)), "silent since; chain-missing");
}

#[test]
fn rec_1_fewer_blocks_than_the_entry_names_are_altered() {
    let (mut host, mut a, open) = crashed();
    recover(&mut host, &mut a, &open);
    // The same entry behind one block less.
    let line = &host.entries.last().unwrap().line;
    let object = [&cut_to_one_block(&open.journal)[..], &END_MARKER, line].concat();
    let mut store = Store::of(&host, &[&a]);
    *store.bytes(&a, 2) = object;
    assert_eq!(words(&store.judge(&a)), "cut after 1; altered 2");
}

/// Someone who has the chain's newest key closes `number` once more, keeping less of it, and puts that in its place.
fn close_again(host: &mut Host, a: &Session, store: &mut Store, number: u32, replace: bool) -> u64 {
    let whole = &a.closed[number as usize].bytes;
    let open = Open { number, journal: cut_to_one_block(whole) };
    let entry = host.add(a.recovery(&open, None));
    if replace {
        store.remove(a, number);
    }
    store.add(a, &Session::recovered(&open, &entry));
    store.chain = host.objects();
    entry.seq
}

/// Header, keys line and first block of a segment.
fn cut_to_one_block(whole: &[u8]) -> Vec<u8> {
    let line = |from: usize| from + whole[from..].iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let blocks = line(line(0));
    let length = u32::from_le_bytes(whole[blocks..blocks + 4].try_into().unwrap()) as usize;
    whole[..blocks + 12 + length + 4].to_vec()
}

#[test]
fn rec_1_a_finished_session_closed_again_is_altered() {
    for (number, expected) in [(3, "cut after 2; altered 3"), (1, "ended, not whole; altered 1")] {
        let mut scene = scene();
        let seq = close_again(&mut scene.host, &scene.a, &mut scene.store, number, true);
        let judgement = scene.store.judge(&scene.a);
        assert_eq!(words(&judgement), format!("{expected}; (false-statement {seq})"));
        assert!(!judgement.ok());
        // And the whole tail taken away behind it.
        (number + 1..4).for_each(|later| scene.store.remove(&scene.a, later));
        assert!(!scene.store.judge(&scene.a).ok());
    }
}

#[test]
fn rec_1_a_false_recovery_beside_the_true_segment_changes_no_verdict() {
    let mut scene = scene();
    let seq = close_again(&mut scene.host, &scene.a, &mut scene.store, 3, false);
    let judgement = scene.store.judge(&scene.a);
    assert_eq!(words(&judgement), format!("complete; (false-statement {seq})"));
    assert_eq!((judgement.notes.len(), judgement.ok()), (1, false));
}

#[test]
fn rec_1_what_a_checkpoint_has_closed_cannot_be_recovered() {
    // No end is in the chain; the checkpoint has segment 0 closed.
    let (mut host, mut a, _) = crashed();
    a.closed.truncate(1);
    let mut store = Store::of(&host, &[&a]);
    let seq = close_again(&mut host, &a, &mut store, 0, true);
    let judgement = store.judge(&a);
    assert_eq!(words(&judgement), format!("cut after nothing; altered 0; (false-statement {seq})"));
}

#[test]
fn rec_1_two_recoveries_of_one_segment_are_both_refused() {
    let (mut host, mut a, open) = crashed();
    recover(&mut host, &mut a, &open);
    let mut store = Store::of(&host, &[&a]);
    let first = host.entries.len() as u64 - 1;
    let shorter = Open { number: 2, journal: cut_to_one_block(&open.journal) };
    a.closed.pop();
    host.add(a.recovery(&shorter, None));
    store.chain = host.objects();
    let judgement = store.judge(&a);
    assert_eq!(
        words(&judgement),
        format!("interrupted; altered 2; (false-statement {first}); (false-statement {})", first + 1)
    );
    assert!(!judgement.ok());
}

#[test]
fn rec_1_a_signer_that_nobody_announced_is_altered() {
    let (mut host, mut a, _) = crashed();
    *a.signers.last_mut().unwrap() = hansard_schemas::seal::SigningKey::generate();
    let open = a.crash();
    recover(&mut host, &mut a, &open);
    let judgement = Store::of(&host, &[&a]).judge(&a);
    assert_eq!(words(&judgement), "cut after 1; altered 2");
}

#[test]
fn rec_1_an_entry_that_is_not_in_the_chain_recovers_nothing() {
    let (mut host, mut a, open) = crashed();
    let mut forger = host.branch(2);
    forger.add(Kind::Close);
    let entry = forger.add(a.recovery(&open, None));
    host.add(Kind::Close);
    host.add(Kind::Close);
    a.closed.push(Session::recovered(&open, &entry));
    let judgement = Store::of(&host, &[&a]).judge(&a);
    assert_eq!((words(&judgement).as_str(), judgement.ok()), ("interrupted; altered 2", false));
}

#[test]
fn rec_1_a_recovery_after_the_session_was_recovered_to_its_end_is_false() {
    let (mut host, mut a, open) = crashed();
    recover(&mut host, &mut a, &open);
    let store = Store::of(&host, &[&a]);
    let head = a.closed[2].digest;
    for kind in [
        Kind::End { session: a.id, segment: 5, digest: head, outcome: "exited".into() },
        a.recovery(&Open { number: 3, journal: b"{".to_vec() }, None),
        Kind::Checkpoint {
            open: vec![hansard_schemas::chain::Head { session: a.id, segment: Some(4), digest: Some(head) }],
            part: None,
        },
    ] {
        let mut liar = host.branch(host.entries.len() - 1);
        let entry = liar.add(kind);
        let mut store = store.clone();
        store.chain = liar.objects();
        let judgement = store.judge(&a);
        assert_eq!(words(&judgement), format!("recovered at 2; (false-statement {})", entry.seq));
        assert!(!judgement.ok());
    }
}

#[test]
fn rec_2_a_session_with_a_recovered_segment_is_never_complete() {
    // The recovered segment announces another, which is closed and ended as it should be.
    let mut host = Host::new();
    let mut a = Session::start(&mut host, 1);
    let open = a.crash();
    let signer = hansard_schemas::seal::SigningKey::generate();
    let entry = host.add(a.recovery(&open, Some(signer.public())));
    a.closed.push(Session::recovered(&open, &entry));
    a.signers.push(signer);
    a.segment(true);
    host.end(&a);
    let judgement = Store::of(&host, &[&a]).judge(&a);
    assert!(matches!(judgement.verdict, Verdict::RecoveredAt { segment: 0, .. }), "{judgement:#?}");
    assert!(judgement.ok() && judgement.outcome.is_some());
}

/// The recorder is killed while segments are written, and another takes the session up.
fn killed_and_resumed(host: &mut Host, a: &mut Session) {
    let open = a.crash();
    let kind = a.recovery(&open, None);
    let continues = Some(a.go_on());
    let Kind::Recovered { session, segment, blocks, kept, head, reason, old_boot, .. } = kind else { unreachable!() };
    let entry = host.add(Kind::Recovered { session, segment, blocks, kept, head, reason, old_boot, continues });
    a.closed.push(Session::recovered(&open, &entry));
}

/// The same between two segments: the next one was announced, and nothing of it is there.
fn killed_between_and_resumed(host: &mut Host, a: &mut Session) {
    let nothing = Open { number: a.number(), journal: Vec::new() };
    let kind = a.recovery(&nothing, None);
    let continues = Some(a.go_on());
    let Kind::Recovered { session, segment, blocks, kept, head, reason, old_boot, .. } = kind else { unreachable!() };
    host.add(Kind::Recovered { session, segment, blocks, kept, head, reason, old_boot, continues });
    a.lost += 1;
}

#[test]
fn rec_4_a_session_that_went_on_several_times_is_one_whole() {
    let mut host = Host::new();
    let mut a = Session::start(&mut host, 1);
    a.segment(false);
    killed_and_resumed(&mut host, &mut a);
    host.checkpoint(&[&a]);
    // At once again.
    killed_and_resumed(&mut host, &mut a);
    a.segment(false);
    killed_between_and_resumed(&mut host, &mut a);
    a.segment(false);
    host.checkpoint(&[&a]);
    // As far as anybody can tell it is open.
    let mut running = Store::of(&host, &[&a]);
    running.now = at(host.now_ms + 1_000);
    let judgement = running.judge(&a);
    assert_eq!((words(&judgement).as_str(), judgement.ok()), ("recovered at 1", true), "{judgement:#?}");
    // Later nothing says how it ended.
    running.now = at(host.now_ms + 3_600_000);
    assert!(!running.judge(&a).ok());
    a.segment(true);
    host.end(&a);
    let store = Store::of(&host, &[&a]);
    let judgement = store.judge(&a);
    assert_eq!((words(&judgement).as_str(), judgement.ok()), ("recovered at 1", true), "{judgement:#?}");
    assert_eq!((judgement.notes.len(), judgement.last_segment), (0, Some(6)));
    // Each of them is missed.
    for object in &a.closed {
        let mut store = store.clone();
        store.remove(&a, object.number);
        assert!(!store.judge(&a).ok(), "without segment {}", object.number);
    }
}

#[test]
fn trl_5_after_a_lost_segment_the_highest_stored_one_is_named() {
    let mut host = Host::new();
    let mut a = Session::start(&mut host, 1);
    a.segment(false);
    a.segment(false);
    killed_between_and_resumed(&mut host, &mut a);
    let honest = a.closed.clone();
    // It names the one before.
    a.closed.remove(1);
    a.lost += 1;
    let other = a.other(true);
    (a.closed, a.lost) = (honest, 1);
    a.segment(true);
    host.end(&a);
    let mut store = Store::of(&host, &[&a]);
    assert!(store.judge(&a).ok());
    store.remove(&a, 3);
    store.add(&a, &other);
    assert!(!store.judge(&a).ok());
    assert!(words(&store.judge(&a)).contains("altered 3"), "{}", words(&store.judge(&a)));
}

#[test]
fn rec_3_what_was_recovered_is_unwitnessed_whatever_the_verdict() {
    let (mut host, mut a, open) = crashed();
    recover(&mut host, &mut a, &open);
    let mut store = Store::of(&host, &[&a]);
    store.remove(&a, 0);
    let judgement = store.judge(&a);
    assert_eq!(judgement.unwitnessed_from, Some(at(START_MS + 10_000)));
    assert_eq!((words(&judgement).as_str(), judgement.ok()), ("recovered at 2; missing 0", false));
}
