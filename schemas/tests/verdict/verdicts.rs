//! Section 8: the verdicts of sessions that nobody tampered with, by what the reviewer's clock says.

use hansard_schemas::chain::{Kind, Part};
use hansard_schemas::verdict::Verdict;
use hansard_schemas::{SessionId, Timestamp};

use crate::scene::{Host, START_MS, Session, Store, at, scene};
use crate::words;

fn after(time: Timestamp, seconds: i64) -> Timestamp {
    at(time.unix_ms() + seconds * 1000)
}

#[test]
fn ver_complete_tells_what_the_chain_knows() {
    let scene = scene();
    let judgement = scene.store.judge(&scene.a);
    assert_eq!(judgement.verdict, Verdict::Complete);
    assert_eq!(judgement.verdict.word(), "complete");
    assert!(judgement.ok() && judgement.notes.is_empty());
    assert_eq!((judgement.last_segment, judgement.outcome.as_deref()), (Some(3), Some("exited")));
    assert_eq!((judgement.host.as_deref(), judgement.uid), (Some("host"), Some(1000)));
    assert_eq!((judgement.unwitnessed_from, judgement.identity), (None, Some(hansard_schemas::Digest([1; 32]))));
    assert_eq!(scene.store.chain().sessions(), [scene.a.id, scene.b.id]);
}

#[test]
fn ver_1_running_needs_a_fresh_checkpoint_that_lists_the_head() {
    let mut host = Host::new();
    let mut a = Session::start(&mut host, 1);
    a.segment(false);
    let checkpoint = host.checkpoint(&[&a]);
    a.segment(false);
    let mut store = Store::of(&host, &[&a]);
    for (seconds, expected, ok) in [
        (0, "running as of", true),
        (180, "running as of", true),
        (181, "silent since", false),
        (-180, "running as of", true),
        (-181, "silent since", false),
    ] {
        store.now = after(checkpoint.time, seconds);
        let judgement = store.judge(&a);
        assert_eq!((words(&judgement).as_str(), judgement.ok()), (expected, ok), "{seconds} s");
        if ok {
            assert_eq!(judgement.verdict, Verdict::RunningAsOf(checkpoint.time));
        }
    }
    // The head is not there.
    store.now = checkpoint.time;
    store.remove(&a, 0);
    assert_eq!(words(&store.judge(&a)), "silent since; missing 0".replace("silent since", "running as of"));
    store.remove(&a, 1);
    assert_eq!(words(&store.judge(&a)), "cut after nothing; session-missing");
}

#[test]
fn ver_1_a_session_just_started_runs_without_a_segment() {
    let mut host = Host::new();
    let a = Session::start(&mut host, 1);
    let mut store = Store::of(&host, &[&a]);
    store.now = after(a.start.time, 60);
    assert_eq!(store.judge(&a).verdict, Verdict::RunningAsOf(a.start.time));
    assert!(store.judge(&a).ok());
    store.now = after(a.start.time, 181);
    let judgement = store.judge(&a);
    assert_eq!((words(&judgement).as_str(), judgement.ok()), ("silent since; session-missing", false));
    // A checkpoint with it, and nothing closed yet.
    let checkpoint = host.checkpoint(&[&a]);
    store.chain = host.objects();
    store.now = checkpoint.time;
    assert_eq!((store.judge(&a).verdict, store.judge(&a).ok()), (Verdict::RunningAsOf(checkpoint.time), true));
}

#[test]
fn ver_interrupted_by_another_boot_or_a_checkpoint_that_omits_it() {
    for reboot in [true, false] {
        let mut host = Host::new();
        let mut a = Session::start(&mut host, 1);
        a.segment(false);
        let listed = host.checkpoint(&[&a]);
        if reboot {
            host.boot = 2;
            Session::start(&mut host, 2);
        } else {
            host.checkpoint(&[]);
        }
        let mut store = Store::of(&host, &[&a]);
        // Even at once: that it runs is not concluded against the chain.
        store.now = listed.time;
        let judgement = store.judge(&a);
        assert_eq!(judgement.verdict, Verdict::Interrupted { since: listed.time });
        assert_eq!((words(&judgement).as_str(), judgement.ok()), ("interrupted", false));
    }
}

#[test]
fn chain_8_a_checkpoint_of_a_part_speaks_of_no_other_session() {
    let mut host = Host::new();
    let mut a = Session::start(&mut host, 1);
    a.segment(false);
    let listed = host.checkpoint(&[&a]);
    let start = a.id.unix_ms();
    let part = |from, below| Kind::Checkpoint { open: vec![], part: Some(Part { from, below }) };
    let next = SessionId::new(start + 1, &[0; 10]);
    // About sessions before it, and after it: neither that it runs nor that it does not.
    for kind in [part(None, Some(a.id)), part(Some(next), None)] {
        host.add(kind);
        let mut store = Store::of(&host, &[&a]);
        store.now = after(listed.time, 170);
        assert_eq!(store.judge(&a).verdict, Verdict::RunningAsOf(listed.time));
        store.now = after(listed.time, 190);
        assert_eq!(words(&store.judge(&a)), "silent since");
    }
    // The first number of a part is in it.
    host.add(part(Some(a.id), None));
    let mut store = Store::of(&host, &[&a]);
    store.now = listed.time;
    assert_eq!(words(&store.judge(&a)), "interrupted");
}

#[test]
fn ver_2_a_hole_in_a_running_session_is_missing() {
    let mut host = Host::new();
    let mut a = Session::start(&mut host, 1);
    a.segment(false);
    host.checkpoint(&[&a]);
    a.segment(false);
    a.segment(false);
    let mut store = Store::of(&host, &[&a]);
    store.now = at(host.now_ms);
    assert!(store.judge(&a).ok());
    store.remove(&a, 1);
    let judgement = store.judge(&a);
    assert_eq!((words(&judgement).as_str(), judgement.ok()), ("running as of; missing 1", false));
}

#[test]
fn ver_silent_since_the_newest_entry_that_names_it() {
    let mut host = Host::new();
    let mut a = Session::start(&mut host, 1);
    a.segment(false);
    let listed = host.checkpoint(&[&a]);
    host.add(Kind::Close);
    let judgement = Store::of(&host, &[&a]).judge(&a);
    assert_eq!(judgement.verdict, Verdict::SilentSince(listed.time));
    assert!(!judgement.ok() && judgement.faults.is_empty());
    // Without a chain: what its own segments say.
    let mut store = Store::of(&host, &[&a]);
    store.chain.clear();
    assert_eq!(store.judge(&a).verdict, Verdict::SilentSince(at(START_MS)));
}

#[test]
fn ver_complete_end_not_witnessed_while_the_end_has_not_arrived() {
    let mut host = Host::new();
    let mut a = Session::start(&mut host, 1);
    a.segment(true);
    let judgement = Store::of(&host, &[&a]).judge(&a);
    assert_eq!((words(&judgement).as_str(), judgement.ok()), ("complete, end not witnessed", false));
}

#[test]
fn ver_words_are_those_of_the_format() {
    let time = at(START_MS);
    for (verdict, text, word) in [
        (Verdict::Complete, "complete", "complete"),
        (Verdict::CompleteEndNotWitnessed, "complete, end not witnessed", "complete-end-not-witnessed"),
        (Verdict::CutAfter(Some(4)), "cut after 4", "cut"),
        (Verdict::CutAfter(None), "cut after nothing", "cut"),
        (Verdict::RunningAsOf(time), "running as of 2026-11-22T09:10:00.125Z", "running"),
        (Verdict::Interrupted { since: time }, "interrupted", "interrupted"),
        (Verdict::RecoveredAt { segment: 2, unwitnessed_from: None }, "recovered at 2", "recovered"),
        (Verdict::NotWhole, "ended, not whole", "not-whole"),
        (Verdict::SilentSince(time), "silent since 2026-11-22T09:10:00.125Z", "silent"),
    ] {
        assert_eq!((verdict.to_string().as_str(), verdict.word()), (text, word));
    }
}
