//! Somebody else writes to the store: names taken in advance, objects written over, another's recordings beside ours.
//! No verdict changes for it, and all of it is reported.

use hansard_tests::call::{code, said};
use hansard_tests::servers::bucket::Bucket;
use hansard_tests::servers::kafka::Kafka;
use hansard_tests::servers::seaweed::{Identity, Seaweed};
use hansard_tests::{LONG, wait_until};

use crate::names::named;
use crate::shipped::{Shipped, Typist, each_once, in_bucket, segments, wait_first_segment};

/// A bucket, and the one who writes into it beside the recorder.
fn scene(name: &str, versions: bool) -> (Bucket, Bucket, String, Shipped) {
    let bucket = Seaweed::shared().bucket(name);
    if versions {
        bucket.keep_versions();
    }
    let s3 = bucket.url("p");
    let shipped = Shipped::to(&[&s3], "");
    let intruder = bucket.seen_by(Identity::Writer);
    (bucket, intruder, s3, shipped)
}

/// Chain and folder of the session that the bucket holds.
fn folder(bucket: &Bucket) -> String {
    let keys = bucket.keys("p/segments/").unwrap();
    keys.last().unwrap().rsplit_once('/').unwrap().0.to_owned()
}

fn squatted(name: &str, versions: bool) {
    let (bucket, squatter, s3, shipped) = scene(name, versions);
    // One session, so that the chain is known.
    let mut first = Typist::at(&shipped);
    first.line();
    first.leave();
    shipped.assert_complete(&s3);
    let chains = bucket.keys("p/chains/").unwrap();
    let (chain, last) = chains.last().unwrap().rsplit_once('/').unwrap();
    let next: u64 = last.split(['-', '.']).nth(1).unwrap().parse::<u64>().unwrap() + 1;
    // Every name that the next entries could have, and segments of the next numbers.
    let mut taken = 0;
    for from in next..next + 4 {
        for to in from..from + 4 {
            squatter.put(&format!("{chain}/{from:012}-{to:012}.hchain"), b"{\"taken\":true}\n").unwrap();
            taken += 1;
        }
    }
    let mut second = Typist::at(&shipped);
    wait_until("the second session has a segment", LONG, || (each_sessions(&bucket) == 2).then_some(()));
    let session = folder(&bucket);
    for number in 1..6 {
        squatter.put(&format!("{session}/{number:06}-0123456789abcdef.hseg"), b"not a segment").unwrap();
        taken += 1;
    }
    second.line();
    let shown = second.leave();
    shipped.ship();

    let verified = shipped.replay(&s3, &["verify"]).output();
    let (_, sessions) = shipped.verified(&s3);
    assert_eq!(sessions.len(), 2);
    for (id, session) in &sessions {
        assert_eq!(session["verdict"], "complete", "{id}: {}", said(&verified));
    }
    assert_eq!(shipped.raw(&s3, "latest"), shown);
    println!("{taken} names were taken; verify says:\n{}", said(&verified));
    for name in ["0123456789abcdef", ".hchain"] {
        assert!(said(&verified).contains(name), "{name} is not reported:\n{}", said(&verified));
    }
}

fn each_sessions(bucket: &Bucket) -> usize {
    let keys = bucket.keys("p/segments/").unwrap();
    let mut folders: Vec<_> = keys.iter().map(|k| k.rsplit_once('/').unwrap().0).collect();
    folders.dedup();
    folders.len()
}

#[test]
fn names_taken_in_advance_change_no_verdict() {
    squatted("recordings-squatted", false);
}

#[test]
fn names_taken_in_advance_change_no_verdict_where_versions_are_kept() {
    squatted("recordings-squatted-versions", true);
}

/// A session of several segments and a store that is then written over: one segment and one chain object.
fn overwritten(name: &str, versions: bool) -> (Shipped, String, Vec<u8>) {
    let (bucket, intruder, s3, shipped) = scene(name, versions);
    let mut typist = Typist::at(&shipped);
    while each_once(&in_bucket(&bucket, "p")).values().next().map_or(0, Vec::len) < 3 {
        typist.line();
    }
    let shown = typist.leave();
    shipped.assert_complete(&s3);
    let names: Vec<String> = segments(&in_bucket(&bucket, "p")).into_keys().collect();
    let chain = bucket.keys("p/chains/").unwrap().remove(0);
    intruder.put(&format!("p/{}", names[1]), b"written over").unwrap();
    intruder.put(&chain, b"written over").unwrap();
    (shipped, s3, shown)
}

#[test]
fn what_is_written_over_is_read_from_the_version_that_verifies() {
    let (shipped, s3, shown) = overwritten("recordings-over-versions", true);
    let verified = shipped.replay(&s3, &["verify"]).output();
    println!("{}", said(&verified));
    let (_, sessions) = shipped.verified(&s3);
    assert!(sessions.values().all(|s| s["verdict"] == "complete"), "{}", said(&verified));
    assert_eq!(shipped.raw(&s3, "latest"), shown);
    for name in ["000001-", ".hchain"] {
        assert!(said(&verified).contains(name), "{name} is not reported:\n{}", said(&verified));
    }
}

#[test]
fn what_is_written_over_for_good_is_found() {
    let (shipped, s3, shown) = overwritten("recordings-over", false);
    let verified = shipped.replay(&s3, &["verify"]).output();
    println!("{}", said(&verified));
    assert_eq!(code(&verified), 1, "{}", said(&verified));
    assert!(said(&verified).contains("000001-"), "{}", said(&verified));
    let (_, sessions) = shipped.verified(&s3);
    assert!(sessions.values().all(|s| s["verdict"] != "complete"), "{}", said(&verified));
    // Nothing is shown that the terminal did not show.
    let export = shipped.replay(&s3, &["export", "latest", "--as", "raw"]).output();
    assert!(shown.starts_with(&export.stdout), "{}", said(&export));
    assert_ne!(code(&export), 0);
}

#[test]
fn strangers_in_a_topic_change_no_verdict() {
    let broker = Kafka::shared();
    let kafka = broker.place("intruded", 1);
    let shipped = Shipped::to(&[&kafka], "");
    broker.produce("intruded.recordings", "somebody", &[], b"not a segment");
    let mut typist = Typist::at(&shipped);
    typist.line();
    wait_until("a record arrives", LONG, || (broker.records("intruded.recordings").len() > 2).then_some(()));
    // The key of the session, and another's bytes: a segment's own words with a bit turned.
    let records = broker.records("intruded.recordings");
    let ours = records.iter().rfind(|r| r.value.starts_with(b"{\"hansard\":1,\"session\"")).unwrap();
    let key = String::from_utf8(ours.key.clone().unwrap()).unwrap();
    let headers: Vec<(&str, String)> =
        ours.headers.iter().map(|(n, v)| (n.as_str(), String::from_utf8_lossy(v).into())).collect();
    let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let mut bytes = ours.value.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    broker.produce("intruded.recordings", &key, &headers, &bytes);
    broker.produce("intruded.recordings", &key, &headers, b"short");
    let shown = typist.leave();
    assert_eq!(shipped.raw(&kafka, "latest"), shown);
    let verified = shipped.replay(&kafka, &["verify"]).output();
    println!("{}", said(&verified));
    let (_, sessions) = shipped.verified(&kafka);
    assert_eq!(sessions.len(), 1);
    assert!(sessions.values().all(|s| s["verdict"] == "complete"), "{}", said(&verified));
    assert!(said(&verified).lines().count() > 2, "nothing is reported:\n{}", said(&verified));
}

#[test]
fn somebody_elses_recordings_are_theirs() {
    let bucket = Seaweed::shared().bucket("recordings-two-hosts");
    let s3 = bucket.url("p");
    let (ours, theirs) = (Shipped::to(&[&s3], ""), Shipped::to(&[&s3], ""));
    let mut shown = Vec::new();
    for (shipped, host) in [(&theirs, b"theirs"), (&ours, b"ours..")] {
        let session = shipped.run(&["/bin/sh", "-c", "echo ready; exec cat"]);
        let mut typist = Typist::before(&named(shipped, session, b"somebody", host));
        wait_first_segment(&bucket, "p");
        typist.line();
        shown.push(typist.leave());
    }
    ours.assert_complete(&s3);
    let (_, sessions) = ours.verified(&s3);
    let chains: Vec<_> = sessions.values().map(|s| s["chain"].clone()).collect();
    assert_eq!(chains.len(), 2);
    assert_ne!(chains[0], chains[1]);
    for (id, shown) in sessions.keys().zip(shown) {
        assert_eq!(ours.raw(&s3, id), shown);
    }
    // A recorder's check of such a place says that it is not alone there, or nothing; but it works.
    let check = ours.recorder(&["check"]).output();
    assert_ne!(code(&check), 125, "{}", said(&check));
}
