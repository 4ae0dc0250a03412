//! Stores that answer, but badly: errors that pass, errors that say when to come back, slow bodies, answers that get lost,
//! a credential that has run out, a bucket that is full. A proxy before SeaweedFS makes them, or SeaweedFS itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hansard_tests::LONG;
use hansard_tests::servers::http::Message;
use hansard_tests::servers::proxy::{Fault, Proxy, Seen};
use hansard_tests::servers::seaweed::{Identity, Seaweed};
use hansard_tests::wait_until;

use crate::shipped::{
    INTERVAL, Shipped, Typist, each_once, in_bucket, in_directory, outage, wait_first_segment, wait_shown,
};

/// Types through a fault of the store; gives the proxy's log, and checks that both places hold the same in the end.
fn through(name: &str, fault: impl Fn(&Message) -> Fault + Send + Sync + 'static) -> Vec<Seen> {
    let server = Seaweed::shared();
    let proxy = Proxy::before(server.address());
    let bucket = server.bucket("recordings-sick");
    let s3 = bucket.url_by(&proxy.endpoint(), "p");
    let shipped = Shipped::to::<&str>(&[], "");
    let file = format!("file://{}", shipped.home.join("store").display());
    shipped.configure(&[&file, &s3], "");

    let mut typist = Typist::at(&shipped);
    wait_first_segment(&bucket, "p");
    proxy.script(fault);
    typist.lines_for(outage());
    proxy.always(Fault::Pass);
    let cured = Instant::now();
    let shown = typist.terminal.bytes();
    wait_shown(&shipped, &[&file, &bucket.url("p")], &shown);
    println!("{name}: all was there {:?} after it passed", cured.elapsed());
    typist.assert_never_waited(name);
    let shown = typist.leave();
    let direct = bucket.url("p");
    assert_eq!(shipped.raw(&direct, "latest"), shown);
    shipped.assert_complete(&direct);
    let stored = each_once(&in_directory(&shipped.home.join("store")));
    assert_eq!(each_once(&in_bucket(&bucket, "p")), stored);
    proxy.log()
}

/// The fault was met, as the proxy saw it.
fn in_vain(name: &str, log: &[Seen]) {
    let bad = log.iter().filter(|seen| !seen.done && seen.status != Some(412)).count();
    assert!(bad > 0, "nothing met the fault");
    println!("{name}: {} requests, {bad} of them in vain", log.len());
}

/// Only a put of a segment, so that each fault meets what it is about.
fn segments(fault: Fault) -> impl Fn(&Message) -> Fault + Send + Sync + 'static {
    move |request| {
        if request.method() == "PUT" && request.target().contains(".hseg") { fault.clone() } else { Fault::Pass }
    }
}

#[test]
fn it_hangs() {
    let log = through("hanging", |_| Fault::Hang);
    in_vain("hanging", &log);
}

/// The network swallows one request and is well again: nobody but the recorder can notice.
#[test]
fn one_request_hangs_for_ever() {
    let server = Seaweed::shared();
    let proxy = Proxy::before(server.address());
    let bucket = server.bucket("recordings-swallowed");
    let shipped = Shipped::to(&[bucket.url_by(&proxy.endpoint(), "p")], "");
    let mut typist = Typist::at(&shipped);
    wait_first_segment(&bucket, "p");
    let swallowed = AtomicBool::new(false);
    proxy.script(move |request| {
        let first = request.target().contains(".hseg") && !swallowed.swap(true, Ordering::Relaxed);
        if first { Fault::Hang } else { Fault::Pass }
    });
    typist.lines_for(INTERVAL * 2);
    let (shown, waits) = (typist.terminal.bytes(), Instant::now());
    let direct = bucket.url("p");
    wait_shown(&shipped, &[&direct], &shown);
    println!("a swallowed request was made again after at most {:?}", waits.elapsed());
    typist.assert_never_waited("a swallowed request");
    typist.leave();
    shipped.assert_complete(&direct);
}

#[test]
fn it_is_unavailable() {
    let log = through("503", |_| Fault::s3(503, "ServiceUnavailable"));
    in_vain("503", &log);
}

#[test]
fn it_says_when_to_come_back() {
    let log = through("429", segments(Fault::s3(429, "TooManyRequests").with("Retry-After", "2")));
    in_vain("429", &log);
    // For as long as it said, nobody asked again for the same object.
    let refused: Vec<&Seen> = log.iter().filter(|seen| seen.status == Some(429)).collect();
    for pair in refused.windows(2).filter(|pair| pair[0].target == pair[1].target) {
        let pause = pair[1].at.duration_since(pair[0].until);
        assert!(pause >= Duration::from_millis(1900), "asked again after {pause:?}: {}", pair[0].target);
    }
}

#[test]
fn it_is_slow() {
    // A segment of a few kilobytes takes seconds.
    let log = through("slow", |_| Fault::Slow(1500));
    let longest = log.iter().map(|seen| seen.until.duration_since(seen.at)).max().unwrap_or_default();
    assert!(longest > Duration::from_secs(1), "the longest request took {longest:?}");
}

#[test]
fn it_cuts_connections() {
    let log = through("cut", segments(Fault::CutAfter(100)));
    in_vain("cut", &log);
}

#[test]
fn its_answers_are_lost() {
    let log = through("unanswered", segments(Fault::Unanswered));
    // What had been stored was put again, and found to be there.
    assert!(log.iter().any(|seen| seen.status == Some(412)), "no put was repeated");
}

#[test]
fn the_session_token_has_run_out() {
    let log = through("expired", |_| Fault::s3(400, "ExpiredToken"));
    in_vain("expired", &log);
}

#[test]
fn the_clock_is_said_to_be_wrong() {
    let log = through("skewed", |_| Fault::s3(403, "RequestTimeTooSkewed"));
    in_vain("skewed", &log);
}

#[test]
fn the_quota_is_used_up_for_a_while() {
    let log = through("quota", segments(Fault::s3(403, "QuotaExceeded")));
    in_vain("quota", &log);
}

/// SeaweedFS's own quota, on a bucket that is full.
#[test]
fn a_full_bucket_loses_nothing() {
    let server = Seaweed::start();
    let bucket = server.bucket("recordings-full");
    let s3 = bucket.url("p");
    let shipped = Shipped::to(&[&s3], "");
    let mut typist = Typist::at(&shipped);
    wait_first_segment(&bucket, "p");
    bucket.put("filler", &vec![7; 2 << 20]).unwrap();
    let quota = |words: &str| server.shell(&format!("s3.bucket.quota -name={} {words}", bucket.name()));
    quota("-op=set -sizeMB=1");
    // It learns of sizes a while after they change.
    let full = wait_until("the bucket is full", LONG, || {
        server.shell("s3.bucket.quota.enforce -apply");
        bucket.seen_by(Identity::PutOnly).put("full/yet", b"x").err()
    });
    println!("a full bucket says {full:?}");
    typist.lines_for(outage());
    typist.assert_never_waited("full bucket");
    quota("-op=set -sizeMB=100");
    server.shell("s3.bucket.quota.enforce -apply");
    let shown = typist.terminal.bytes();
    // Until it is there, a reader is told what is missing: checkpoints of the chain come before the segments they name.
    wait_shown(&shipped, &[&s3], &shown);
    let shown = typist.leave();
    assert_eq!(shipped.raw(&s3, "latest"), shown);
    shipped.assert_complete(&s3);
}
