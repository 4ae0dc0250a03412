//! Stores that die or hang in mid-session and come back: every segment is stored, in order and once, and the session never
//! waited. The servers here are killed and frozen, so each test has its own; two tests at a time have some.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hansard_tests::call::{code, said};
use hansard_tests::lines::Lines;
use hansard_tests::servers::bucket::Bucket;
use hansard_tests::servers::daemon::Server;
use hansard_tests::servers::kafka::Kafka;
use hansard_tests::servers::seaweed::Seaweed;
use hansard_tests::terminal::find;
use hansard_tests::{LONG, SOON, process, wait_until};

use crate::shipped::{
    INTERVAL, Shipped, Typist, each_once, in_bucket, in_directory, in_order, outage, segments, ship,
    wait_first_segment, wait_shown,
};

/// The servers that die, one test at a time.
struct Mortal {
    s3: Seaweed,
    kafka: Kafka,
    _turn: MutexGuard<'static, ()>,
}

fn mortal() -> Mortal {
    static TURNS: [Mutex<()>; 2] = [Mutex::new(()), Mutex::new(())];
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let turn = &TURNS[NEXT.fetch_add(1, Ordering::Relaxed) % TURNS.len()];
    let turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
    Mortal { s3: Seaweed::start(), kafka: Kafka::start(), _turn: turn }
}

/// A recorder that ships to a directory and both servers.
struct Scene {
    shipped: Shipped,
    bucket: Bucket,
    file: String,
    s3: String,
    kafka: String,
}

fn scene(mortal: &Mortal, more: &str) -> Scene {
    let bucket = mortal.s3.bucket("recordings");
    let kafka = mortal.kafka.place("outage", 2);
    let s3 = bucket.url("p");
    let shipped = Shipped::to::<&str>(&[], "");
    let file = format!("file://{}", shipped.home.join("store").display());
    shipped.configure(&[&file, &s3, &kafka], more);
    Scene { shipped, bucket, file, s3, kafka }
}

impl Scene {
    fn places(&self) -> [&str; 3] {
        [&self.file, &self.s3, &self.kafka]
    }

    /// The same segments everywhere, to the byte, once or as identical copies, in order; and all of it verifies.
    fn assert_same_everywhere(&self, broker: &Kafka, shown: &[u8]) {
        for place in self.places() {
            assert_eq!(self.shipped.raw(place, "latest"), shown, "{place}");
            self.shipped.assert_complete(place);
        }
        let stored = each_once(&in_directory(&self.shipped.home.join("store")));
        assert_eq!(each_once(&in_bucket(&self.bucket, "p")), stored);
        let (of_kafka, copies) = in_order(broker, "outage");
        assert_eq!(of_kafka, stored);
        let count: usize = stored.values().map(Vec::len).sum();
        println!("{count} segments everywhere, {copies} copies in Kafka");
    }
}

/// Reviewers who follow the session, from each server one who watches and one who sends lines on.
struct Followers(Vec<Lines>);

impl Followers {
    fn of(scene: &Scene) -> Self {
        let of = |place: &str, args: &[&str]| Lines::start(&scene.shipped.replay(place, args));
        let tail = ["tail", "--lines", "--last", "1000", "--interval", "0.5"];
        let state = |name: &str| scene.shipped.home.join(name).display().to_string();
        let forward = |place: &str, name: &str| of(place, &["forward", "--interval", "0.5", "--state", &state(name)]);
        let (s3, kafka) = (&*scene.s3, &*scene.kafka);
        Self(vec![of(s3, &tail), of(kafka, &tail), forward(s3, "s3.json"), forward(kafka, "kafka.json")])
    }

    /// Each saw every line, both times that it was shown, in order, and was told why none came for a while.
    fn assert_saw(self, lines: usize) {
        let last = format!("line {lines} of the session");
        for (n, mut follower) in self.0.into_iter().enumerate() {
            // By the terminal, and by the program.
            follower.expect_times(&last, 2, LONG);
            if n >= 2 {
                follower.terminate();
            }
            let (seen, status, said) = follower.end();
            assert_eq!(status, Some(0), "{said}");
            let number = |line: &String| line.split_once("line ")?.1.strip_suffix(" of the session")?.parse().ok();
            let numbers: Vec<usize> = seen.iter().filter_map(number).collect();
            let expected: Vec<usize> = (1..=lines).flat_map(|n| [n, n]).collect();
            assert_eq!(numbers, expected, "follower {n}: {said}");
            // The client of Kafka waits by itself, and longer than the short form of this test.
            let of_s3 = n % 2 == 0;
            let told = said.contains("the store does not answer, and is asked again");
            assert!(told || (!of_s3 && outage() < SOON * 2), "follower {n}: {said}");
        }
    }
}

/// Types through an outage of some of the servers and checks what every place holds in the end.
fn through(what: &str, down: impl Fn(&Mortal), up: impl Fn(&Mortal)) {
    followed(what, false, down, up);
}

/// The same, with reviewers who follow the session meanwhile.
fn followed(what: &str, is_followed: bool, down: impl Fn(&Mortal), up: impl Fn(&Mortal)) {
    let mortal = mortal();
    let scene = scene(&mortal, "");
    let mut typist = Typist::at(&scene.shipped);
    typist.lines_for(INTERVAL);
    wait_first_segment(&scene.bucket, "p");
    let mut followers = is_followed.then(|| {
        for place in [&scene.s3, &scene.kafka] {
            let show = || scene.shipped.replay(place, &["show", "latest"]).output();
            wait_until("a first segment can be read", SOON, || (code(&show()) == 0).then_some(()));
        }
        Followers::of(&scene)
    });
    for follower in followers.iter_mut().flat_map(|followers| &mut followers.0) {
        follower.expect("line 1 of the session", SOON);
    }
    down(&mortal);
    typist.lines_for(outage());
    let before = segments(&in_directory(&scene.shipped.home.join("store"))).len();
    assert!(before >= 5, "{before} segments are too few for an outage");
    up(&mortal);
    typist.lines_for(INTERVAL);
    // It comes back by itself, with the session still open.
    let shown = typist.terminal.bytes();
    wait_shown(&scene.shipped, &scene.places(), &shown);
    typist.assert_never_waited(what);
    let lines = typist.echoes.len();
    let shown = typist.leave();
    assert_eq!(scene.shipped.waiting(), 0, "something waits in the spool");
    scene.assert_same_everywhere(&mortal.kafka, &shown);
    if let Some(followers) = followers {
        followers.assert_saw(lines);
    }
}

#[test]
fn s3_is_killed_and_comes_back() {
    through("S3 killed", |m| m.s3.kill(), |m| m.s3.restart());
}

#[test]
fn kafka_is_killed_and_comes_back() {
    through("Kafka killed", |m| m.kafka.kill(), |m| m.kafka.restart());
}

#[test]
fn both_are_killed_and_come_back() {
    followed(
        "both killed",
        true,
        |m| {
            m.s3.kill();
            m.kafka.kill();
        },
        |m| {
            m.kafka.restart();
            m.s3.restart();
        },
    );
}

#[test]
fn both_hang_and_go_on() {
    through(
        "both frozen",
        |m| {
            m.s3.freeze();
            m.kafka.freeze();
        },
        |m| {
            m.s3.thaw();
            m.kafka.thaw();
        },
    );
}

/// Both stores die, the recorder dies, another session starts and ends without any of them; what is left is delivered.
#[test]
fn the_recorder_dies_while_both_are_away() {
    let mortal = mortal();
    let short = ship(INTERVAL, Duration::from_secs(1));
    let scene = scene(&mortal, &short);
    let mut typist = Typist::at(&scene.shipped);
    typist.lines_for(INTERVAL);
    wait_first_segment(&scene.bucket, "p");
    mortal.s3.kill();
    mortal.kafka.kill();
    typist.lines_for(outage() / 2);
    let shown_first = typist.terminal.bytes();
    process::kill_recorder(typist.terminal.pid());
    typist.terminal.ended(SOON);
    assert!(scene.shipped.waiting() > 0, "nothing waits");

    // One that starts meanwhile is not held up, and its end says what is missing and where.
    let mut second = Typist::at(&scene.shipped);
    second.lines_for(outage() / 2);
    second.assert_never_waited("a session that began without any store");
    let shown_second = second.leave();
    let text = String::from_utf8_lossy(&shown_second).into_owned();
    println!(
        "what the end of a session without stores says: {}",
        text.lines().rev().take(6).collect::<Vec<_>>().join(" | ")
    );
    for place in ["s3://", "kafka://"] {
        assert!(text.contains(place) && text.contains("not all delivered"), "{place}: {text}");
    }
    assert_ne!(code(&scene.shipped.recorder(&["ship"]).output()), 0, "stores that are away are not a success");

    mortal.s3.restart();
    mortal.kafka.restart();
    let shipped = wait_until("everything is delivered", LONG, || {
        Some(scene.shipped.recorder(&["ship"]).output()).filter(|output| code(output) == 0)
    });
    println!("{}", said(&shipped));
    assert_eq!(scene.shipped.waiting(), 0, "something waits in the spool");
    for place in scene.places() {
        let (failed, sessions) = scene.shipped.verified(place);
        assert_eq!((failed, sessions.len()), (0, 2), "{place}: {sessions:?}");
        let verdicts: Vec<_> = sessions.values().map(|s| s["verdict"].as_str().unwrap_or_default()).collect();
        assert_eq!(verdicts, ["recovered", "complete"], "{place}");
        let ids: Vec<&String> = sessions.keys().collect();
        assert!(
            scene.shipped.raw(place, ids[0]).starts_with(&shown_first),
            "{place}: the killed session lost something"
        );
        let second = scene.shipped.raw(place, ids[1]);
        assert!(shown_second.starts_with(&second) && find(&second, b"line 2 of").is_some(), "{place}");
    }
    let stored = each_once(&in_directory(&scene.shipped.home.join("store")));
    assert_eq!(each_once(&in_bucket(&scene.bucket, "p")), stored);
    assert_eq!(in_order(&mortal.kafka, "outage").0, stored);
}

/// What a session leaves behind when nobody ships it is taken along by the next one.
#[test]
fn the_next_start_delivers_what_was_left() {
    let mortal = mortal();
    let scene = scene(&mortal, &ship(INTERVAL, Duration::from_secs(1)));
    mortal.s3.kill();
    let mut first = Typist::at(&scene.shipped);
    first.lines_for(INTERVAL * 2);
    first.leave();
    assert!(scene.shipped.waiting() > 0, "nothing waits");
    mortal.s3.restart();
    let mut second = Typist::at(&scene.shipped);
    second.lines_for(INTERVAL);
    // While it runs, not at its end: a session may be open for weeks.
    wait_until("the next session delivers what the first one left", LONG, || {
        (each_once(&in_bucket(&scene.bucket, "p")).len() == 2).then_some(())
    });
    second.leave();
    scene.shipped.ship();
    let stored = each_once(&in_directory(&scene.shipped.home.join("store")));
    assert_eq!(each_once(&in_bucket(&scene.bucket, "p")), stored);
    scene.shipped.assert_complete(&scene.s3);
}
