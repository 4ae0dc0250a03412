//! `forward`: several sessions at once, restarts, and the ways out.

use rustix::process::{Signal, kill_process};
use std::net::UdpSocket;

use crate::following::{Running, SOON, arrive, running};
use crate::store::{World, put};

const ARGS: [&str; 4] = ["forward", "--interval", "0.1", "--json"];

/// Texts of the lines of one session, in the order in which they were sent.
fn texts(out: &str, session: &str) -> Vec<String> {
    let documents = out.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    documents.filter(|one| one["session"] == session).map(|one| one["text"].as_str().unwrap().to_owned()).collect()
}

fn stop(forward: Running) -> crate::store::Said {
    kill_process(forward.id(), Signal::TERM).unwrap();
    forward.end()
}

#[test]
fn running_sessions_and_new_ones_are_sent_and_a_restart_neither_loses_nor_repeats() {
    let world = World::new();
    let (mut web, first) = running(&world, "web1", 4);
    web.save(&world);
    arrive(&world, &first, 0);
    // One that ended before is not sent.
    let mut old = crate::store::Host::new("db-7");
    let ended = old.session(&world, 1);
    ended.save(&world);
    old.save(&world);

    let mut forward = Running::start(&world, &ARGS);
    forward.expect("segment 0: café");
    arrive(&world, &first, 1);
    forward.expect("segment 1: café");
    // A session that begins now, on a host that nobody knew.
    let now = u64::try_from(chrono::Utc::now().timestamp_millis()).unwrap();
    let mut mail = crate::store::Host::at("mail", now);
    let mut plan = mail.plan(&world, 3);
    plan.user = "bob".into();
    let second = mail.record(&plan);
    mail.save(&world);
    arrive(&world, &second, 0);
    forward.expect(&second.id.to_string());
    let said = stop(forward);
    said.expect(0, &["UNPINNED", "\"user\":\"bob\"", "\"host\":\"mail\""]);
    let (one, two) = (first.id.to_string(), second.id.to_string());
    assert!(!said.out.contains(&ended.id.to_string()));
    let mut all = [texts(&said.out, &one), texts(&said.out, &two)];
    assert_eq!(all[0], ["segment 0: café", "\u{fffd}xsegment 1: café"]);
    let state = std::fs::read_to_string(world.root.join(".config/hansard/forward.json")).unwrap();
    assert!(state.contains(&one) && !state.contains("café") && !state.contains("segment 0"), "{state}");

    // What comes while it is away, a whole session among it.
    arrive(&world, &first, 2);
    arrive(&world, &first, 3);
    web.end(&first);
    arrive(&world, &second, 1);
    let third = mail.session(&world, 1);
    third.save(&world);
    web.save(&world);
    mail.save(&world);
    let mut forward = Running::start(&world, &ARGS);
    forward.expect(&third.id.to_string());
    forward.expect("segment 3");
    // Of the first session it was sent before.
    forward.expect("segment 1");
    arrive(&world, &second, 2);
    mail.end(&second);
    mail.save(&world);
    forward.expect("exit status 0");
    while texts(&forward.seen.join("\n"), &two).len() < 4 {
        forward.next();
    }
    let said = stop(forward);
    said.expect(0, &[]);
    all[0].extend(texts(&said.out, &one));
    all[1].extend(texts(&said.out, &two));
    let lines = |n: usize| -> Vec<String> {
        (0..n)
            .map(|n| if n == 0 { format!("segment {n}: café") } else { format!("\u{fffd}xsegment {n}: café") })
            .collect()
    };
    let texts_of = |all: &[String]| all.iter().filter(|text| text.contains("segment")).cloned().collect::<Vec<_>>();
    assert_eq!(texts_of(&all[0]), lines(4));
    assert_eq!(texts_of(&all[1]), lines(3));
    assert_eq!(texts(&said.out, &third.id.to_string()), ["segment 0: café", "exit status 0", "\u{fffd}x"]);

    // All that is done stays done: what is sent next is what comes next.
    let mut forward = Running::start(&world, &ARGS);
    let (host, fourth) = running(&world, "late", 2);
    host.save(&world);
    arrive(&world, &fourth, 0);
    forward.expect(&fourth.id.to_string());
    let said = stop(forward);
    assert_eq!(said.out.lines().count(), 1, "{said:?}");
}

#[test]
fn what_is_not_asked_for_or_refused_is_left_out_and_the_others_go_on() {
    let world = World::new();
    let (web, good) = running(&world, "web1", 2);
    let (mut db, bad) = running(&world, "db-7", 2);
    let mut plan = db.plan(&world, 2);
    plan.user = "bob".into();
    let bobs = db.record(&plan);
    web.save(&world);
    db.save(&world);
    let mut bytes = bad.segments[0].bytes.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    put(&world, &bad.name(0), &bytes);
    arrive(&world, &good, 0);
    arrive(&world, &bobs, 0);
    let mut forward = Running::start(&world, &["forward", "--interval", "0.1", "--user", "a*"]);
    forward.expect("segment 0: café");
    arrive(&world, &good, 1);
    forward.expect("segment 1: café");
    let said = stop(forward);
    said.expect(0, &["is refused", &format!("session {} is left out", bad.id)]);
    assert!(!said.out.contains(&bobs.id.to_string()), "{said:?}");
    let line = said.out.lines().next().unwrap();
    let words: Vec<&str> = line.splitn(5, ' ').collect();
    assert_eq!(words[1..], ["web1", "ada", &good.id.to_string(), "segment 0: café"]);
    assert!(words[0].ends_with('Z'), "{line}");
}

#[test]
fn lines_go_to_syslog_and_wrong_places_are_refused() {
    let world = World::new();
    let (web, session) = running(&world, "web1", 2);
    web.save(&world);
    arrive(&world, &session, 0);
    let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
    daemon.set_read_timeout(Some(SOON)).unwrap();
    let to = format!("syslog://{}", daemon.local_addr().unwrap());
    let forward = Running::start(&world, &["forward", "--interval", "0.1", "--to", &to]);
    let mut buffer = [0; 4096];
    let n = daemon.recv(&mut buffer).unwrap();
    let message = String::from_utf8_lossy(&buffer[..n]).into_owned();
    let end = format!(" web1 hansard - line [hansard@32473 user=\"ada\" session=\"{}\"] segment 0: café", session.id);
    assert!(message.starts_with("<86>1 20") && message.ends_with(&end), "{message}");
    stop(forward).expect(0, &[]);
    world.run(&["forward", "--to", "journal", "--state", "other.json"]).expect(2, &["`journal` is no place", "hint"]);
    world.run(&["forward", "--to", "syslog:///nowhere", "--state", "other.json"]).expect(2, &["/nowhere"]);
    world.run(&["forward", "--from", "file:///nowhere"]).expect(2, &["this state is of", "--state"]);
    world.run(&["forward", "--from", "file:///nowhere", "--state", "x.json"]).expect(3, &["not there"]);
}

#[test]
fn a_reader_that_goes_away_is_no_error_and_one_state_has_one_user() {
    let world = World::new();
    let (web, session) = running(&world, "web1", 2);
    web.save(&world);
    arrive(&world, &session, 0);
    let mut first = Running::start(&world, &ARGS);
    first.expect("segment 0");
    world.run(&ARGS).expect(2, &["another `forward` uses this state", "--state"]);
    stop(first).expect(0, &[]);
    let (read, write) = std::io::pipe().unwrap();
    drop(read);
    let output =
        world.command(&["forward", "--interval", "0.1", "--state", "fresh.json"]).stdout(write).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_session_of_which_nobody_could_be_told_waits_until_he_can() {
    let world = World::new();
    let (mut web, session) = running(&world, "web1", 2);
    web.save(&world);
    arrive(&world, &session, 0);
    let (folder, told) = (world.root.join("log"), world.root.join("log/viewed.ndjson"));
    std::fs::write(&folder, "a file where a folder should be").unwrap();
    let config = format!("[audit]\nevents = [\"file://{}\"]\nrequired = true\n", told.display());
    std::fs::write(world.root.join(".config/hansard/replay.toml"), config).unwrap();
    let forward = Running::start(&world, &ARGS);
    std::thread::sleep(std::time::Duration::from_millis(700));
    let said = stop(forward);
    said.expect(0, &["it was not told that session", "`audit.required` is set"]);
    assert_eq!(
        (texts(&said.out, &session.id.to_string()).len(), said.err.matches("it was not told").count()),
        (0, 1),
        "{said:?}"
    );

    let mut forward = Running::start(&world, &ARGS);
    std::thread::sleep(std::time::Duration::from_millis(300));
    std::fs::remove_file(&folder).unwrap();
    std::fs::create_dir(&folder).unwrap();
    forward.expect("segment 0: café");
    stop(forward).expect(0, &[]);
    assert_eq!(std::fs::read_to_string(&told).unwrap().lines().count(), 1);
    web.end(&session);
}
