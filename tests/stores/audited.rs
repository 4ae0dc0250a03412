//! `audit` and `ls` of a bucket: what they say of a folder they say of the same store on S3, whatever is missing in it.
//!
//! Stores are made by the format's own writers, as the suite of `hansard-replay` makes them, and put into a bucket as they
//! are. `tests/long many` measures a day of 10,000 sessions (`HANSARD_TEST_SESSIONS`).

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use hansard_schemas::SessionId;
use hansard_schemas::names::SegmentName;
use hansard_tests::form;
use hansard_tests::process::files_below;
use hansard_tests::servers::bucket::Bucket;
use hansard_tests::servers::proxy::{Fault, Proxy};
use hansard_tests::servers::seaweed::{Identity, Seaweed};
use serde_json::Value;

use crate::scene::{PLANTED, Scene, findings};
use crate::store::{Said, World, put};

/// Puts at a time.
const PUTS: usize = 8;

/// Puts all of a world's store below a prefix; gives its address.
pub fn upload(world: &World, bucket: &Bucket, prefix: &str) -> String {
    let (root, next) = (world.store(), AtomicUsize::new(0));
    let files = files_below(&root);
    std::thread::scope(|scope| {
        for _ in 0..PUTS {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let name = file.strip_prefix(&root).unwrap().to_str().unwrap();
                    bucket.put(&format!("{prefix}/{name}"), &std::fs::read(file).unwrap()).unwrap();
                }
            });
        }
    });
    bucket.url(prefix)
}

/// A call that reads from a place, by somebody who may only read.
pub fn run(world: &World, from: &str, args: &[&str]) -> Said {
    Said::of(&world.command(args).args(["--from", from]).envs(Identity::Reader.environment()).output().unwrap())
}

/// What an audit found, but for its words: they may tell a time.
fn found(said: &Said) -> Vec<(String, String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let of = |one: &Value| (text(&one["level"]), text(&one["finding"]), text(&one["chain"]), text(&one["session"]));
    findings(said).iter().map(of).collect()
}

pub fn address(folder: &Path) -> String {
    format!("file://{}", folder.display())
}

#[test]
fn what_is_planted_in_a_bucket_is_found_as_in_a_folder() {
    let bucket = Seaweed::shared().bucket("recordings-audited");
    // Of each kind of object something; all of it is tried on a folder, by the suite of `hansard-replay`.
    let words =
        ["session-missing", "segment-empty", "no-chain", "chain-broken", "event-contradicts", "event-without-chain"];
    let planted: Vec<_> = PLANTED.iter().enumerate().filter(|(_, (word, _))| words.contains(word)).collect();
    assert!(planted.len() >= words.len());
    for (at, (word, plant)) in planted {
        let mut scene = Scene::new();
        plant(&mut scene);
        let s3 = run(&scene.world, &upload(&scene.world, &bucket, &at.to_string()), &["audit", "--json"]);
        s3.expect(1, &[word]);
        assert_eq!(found(&s3), found(&scene.audit()), "{at}: {word}: {s3:?}");
    }
}

#[test]
fn what_was_taken_out_of_a_bucket_is_missed_also_where_versions_are_kept() {
    let bucket = Seaweed::shared().bucket("recordings-audited-versions");
    bucket.keep_versions();
    let scene = Scene::new();
    let from = upload(&scene.world, &bucket, "p");
    run(&scene.world, &from, &["audit"]).expect(0, &["3 sessions of 1 chain: 9 segments, 6 events: 0 defects"]);
    run(&scene.world, &from, &["ls"]).expect(0, &[]);
    let key = |number| format!("p/{}", scene.one().name(number));
    // Of a segment that only has a mark of deletion, the version is there.
    bucket.delete(&key(1)).unwrap();
    run(&scene.world, &from, &["audit"]).expect(0, &["9 segments", "0 defects"]);
    bucket.delete(&key(0)).unwrap();
    bucket.delete(&key(2)).unwrap();
    let said = run(&scene.world, &from, &["audit", "--json"]);
    said.expect(1, &[]);
    let id = scene.one().id.to_string();
    assert_eq!(found(&said), [("defect".into(), "session-missing".into(), scene.host.id().to_string(), id)]);
}

#[test]
fn a_day_of_more_than_a_page_is_listed_whole() {
    const SEGMENTS: u32 = 1050;
    let (world, bucket) = (World::new(), Seaweed::shared().bucket("recordings-audited-pages"));
    let sessions: Vec<SessionId> = (0..10).map(|n| SessionId::new(1_790_000_000_000 + n, &[7; 10])).collect();
    for n in 0..SEGMENTS {
        let session = sessions[n as usize % sessions.len()];
        let chain16 = format!("{:x}{}", n % 10 + 3, "0".repeat(15));
        let name = SegmentName { session, chain16, number: n / 10, digest16: "0".repeat(16) };
        put(&world, &name.path(), b"x");
    }
    // Names of nobody, before, among and behind those of chains.
    let day = format!("segments/{}", sessions[0].time().format("%Y/%m/%d"));
    for strange in ["!", "4-", "4/x", "~"] {
        put(&world, &format!("{day}/{strange}/x"), b"x");
    }
    let (file, s3) = (address(&world.store()), upload(&world, &bucket, "p"));
    let (here, there) = (run(&world, &file, &["audit", "--json"]), run(&world, &s3, &["audit", "--json"]));
    here.expect(1, &["no-chain", "\"segments\":1050", "\"sessions\":10"]);
    assert_eq!(found(&here), found(&there));
    let summary = |said: &Said| said.out.lines().last().map(str::to_owned);
    assert_eq!(summary(&here), summary(&there));
    assert_eq!(run(&world, &file, &["ls", "--json"]).out, run(&world, &s3, &["ls", "--json"]).out);
}

#[test]
fn a_store_that_is_busy_now_and_then_raises_no_alarm_and_one_that_stays_so_is_no_audit() {
    let server = Seaweed::shared();
    let (bucket, proxy) = (server.bucket("recordings-audited-busy"), Proxy::before(server.address()));
    let scene = Scene::new();
    upload(&scene.world, &bucket, "p");
    let from = bucket.url_by(&proxy.endpoint(), "p");
    // Every second thing that is asked for is refused at first, or the connection breaks.
    let asked = Mutex::new(BTreeSet::new());
    proxy.script(move |request| {
        let mut asked = asked.lock().unwrap();
        let is_new = asked.insert(request.target().to_owned());
        match asked.len() % 4 {
            1 if is_new => Fault::s3(503, "SlowDown"),
            3 if is_new => Fault::CutAfter(0),
            _ => Fault::Pass,
        }
    });
    run(&scene.world, &from, &["audit"]).expect(0, &["3 sessions of 1 chain: 9 segments, 6 events: 0 defects"]);
    let refused = proxy.log().iter().filter(|seen| seen.status == Some(503)).count();
    assert!(refused > 3, "{:#?}", proxy.log());
    proxy.always(Fault::s3(503, "SlowDown"));
    run(&scene.world, &from, &["audit"]).expect(3, &["SlowDown"]);
}

#[test]
fn a_clean_bucket_of_many_sessions_raises_no_alarm() {
    let count = usize::try_from(form("HANSARD_TEST_SESSIONS", 60)).unwrap();
    let (world, count) = Scene::many(count);
    let bucket = Seaweed::shared().bucket("recordings-audited-many");
    let begun = Instant::now();
    let s3 = upload(&world, &bucket, "p");
    println!("{} objects put in {:?}", files_below(&world.store()).len(), begun.elapsed());
    let file = address(&world.store());
    let timed = |from: &str, args: &[&str]| {
        let begun = Instant::now();
        let said = run(&world, from, args);
        println!("{:>9.3?} {args:?} {}", begun.elapsed(), &from[..4]);
        said
    };
    for args in [&["ls", "--json"][..], &["ls", "--json", "--long"], &["ls", "--json", "--host", "web7"], &["ls"]] {
        let (here, there) = (timed(&file, args), timed(&s3, args));
        assert_eq!((here.code, there.code), (0, 0), "{args:?}: {}", there.err);
        assert_eq!(here.out, there.out, "{args:?}");
    }
    // By listings only, and of none of its sessions one of its own.
    let proxy = Proxy::before(Seaweed::shared().address());
    let listed = run(&world, &bucket.url_by(&proxy.endpoint(), "p"), &["ls", "--json"]);
    assert_eq!(listed.out.lines().count(), count, "{}", listed.err);
    let asked: Vec<String> = proxy.log().into_iter().map(|seen| seen.target).collect();
    println!("{} listings", asked.len());
    assert!(asked.iter().all(|target| target.contains("list-type=2")), "{asked:#?}");
    assert!(asked.len() < 64 + count / 50, "{} listings for {count} sessions", asked.len());
    for from in [&file, &s3] {
        let sessions = format!("{count} sessions of 10 chains: {count} segments, {} events", 2 * count);
        timed(from, &["audit"]).expect(0, &[&sessions, "0 defects, 0 notices"]);
    }
}
