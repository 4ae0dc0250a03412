//! `ls`.

use std::time::Instant;

use crate::store::{Host, Session, World, time};

#[test]
fn sessions_are_listed_with_who_and_what_where_a_key_opens_them() {
    let world = World::new();
    world.run(&["ls"]).expect(0, &["no sessions"]);
    let mut host = Host::new("web1");
    let session = host.session(&world, 2);
    session.save(&world);
    host.save(&world);
    let said = world.run(&["ls", "-l"]);
    said.expect(0, &[&session.id.to_string(), "web1", "ada", "bash", "ended", "0:00:01"]);
    assert!(said.out.starts_with("ID "), "{said:?}");
    let json = world.run(&["ls", "--long", "--json"]);
    let row: serde_json::Value = serde_json::from_str(json.out.trim()).unwrap();
    assert_eq!(row["state"], "ended");
    assert_eq!(row["segments"], 2);
    assert_eq!(row["user"], "ada");
    let bytes: usize = session.segments.iter().map(|segment| segment.bytes.len()).sum();
    assert_eq!(row["bytes"], bytes);
    world.run(&["ls", "--until", "2020-01-01"]).expect(0, &["no sessions"]);
    world.run(&["ls", "--since", "2020-01-01"]).expect(0, &[&session.id.to_string()]);
    std::fs::remove_file(session.path(&world, 1)).unwrap();
    world.run(&["ls", "-l"]).expect(0, &["incomplete"]);
    std::fs::remove_dir_all(session.path(&world, 0).parent().unwrap()).unwrap();
    world.run(&["ls", "-l"]).expect(0, &["incomplete"]);
}

/// The rows of a call with `--json`.
fn rows(world: &World, args: &[&str]) -> Vec<serde_json::Value> {
    let args: Vec<&str> = ["ls", "--json"].into_iter().chain(args.iter().copied()).collect();
    let said = world.run(&args);
    assert_eq!(said.code, 0, "{said:?}");
    said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn names_alone_say_who_where_and_whether_it_runs() {
    let world = World::new();
    let now = u64::try_from(chrono::Utc::now().timestamp_millis()).unwrap();
    let (mut old, mut new) = (Host::new("db-7"), Host::at("web1", now - 60_000));
    let (ended, silent) = (old.session(&world, 2), old.session(&world, 1));
    let mut plan = new.plan(&world, 1);
    plan.closed = false;
    let running = new.record(&plan);
    for session in [&ended, &silent, &running] {
        session.save(&world);
    }
    let start = |session: &Session| time(u64::try_from(session.id.time().timestamp_millis()).unwrap());
    let after = |session: &Session, ms: u64| time(u64::try_from(session.id.time().timestamp_millis()).unwrap() + ms);
    old.announce(&world, &ended, start(&ended), "ada", "started");
    old.announce(&world, &ended, after(&ended, 61_000), "ada", "stopped");
    old.announce(&world, &silent, start(&silent), "bob\u{202e}", "started");
    new.announce(&world, &running, start(&running), "ada", "started");

    let of = |rows: &[serde_json::Value], session: &Session| {
        rows.iter().find(|row| row["session"] == session.id.to_string()).cloned().unwrap()
    };
    let all = rows(&world, &[]);
    assert_eq!(all.len(), 3);
    let row = of(&all, &ended);
    assert_eq!((&row["host"], &row["user"], &row["kind"]), (&"db-7".into(), &"ada".into(), &"interactive".into()));
    assert_eq!((&row["state"], &row["duration_ms"]), (&"ended".into(), &61_000.into()));
    for unknown in ["command", "bytes", "segments"] {
        assert!(row[unknown].is_null() && row.as_object().unwrap().contains_key(unknown), "{unknown}: {row}");
    }
    assert_eq!(of(&all, &silent)["state"], "silent");
    assert_eq!(of(&all, &silent)["user"], "bob\u{202e}");
    assert_eq!(of(&all, &running)["state"], "running");
    world.run(&["ls"]).expect(0, &["bob\\u{202e}", "UNPINNED"]);

    let named = |args: &[&str]| -> Vec<String> {
        rows(&world, args).iter().map(|row| row["session"].as_str().unwrap().to_owned()).collect()
    };
    let id = |session: &Session| session.id.to_string();
    assert_eq!(named(&["--running"]), [id(&running)]);
    assert_eq!(named(&["--host", "db*", "--user", "ada"]), [id(&ended)]);
    assert_eq!(named(&["--user", "nobody"]), [""; 0]);
    assert_eq!(named(&["--kind", "exec"]), [""; 0]);
    // By names alone the chains are not read; with --long they are, and no chain is there.
    assert_eq!(rows(&world, &["--long", "--host", "web1"])[0]["state"], "unwitnessed");
    // Of a session whose start nobody announced, only the id is known.
    std::fs::remove_dir_all(world.store().join("events")).unwrap();
    let row = of(&rows(&world, &[]), &ended);
    assert!(row["host"].is_null() && row["state"].is_null(), "{row}");
}

/// How long a day's listing takes is measured with HANSARD_TEST_SESSIONS=10000, in a release build, with `--nocapture`.
#[test]
fn every_session_of_a_day_is_listed() {
    const HOSTS: usize = 20;
    let sessions = std::env::var("HANSARD_TEST_SESSIONS").map_or(60, |text| text.parse::<usize>().unwrap());
    let world = World::new();
    let mut hosts: Vec<Host> = (0..HOSTS).map(|n| Host::new(&format!("web{n}"))).collect();
    for host in &mut hosts {
        for _ in 0..sessions / HOSTS {
            let at = time(host.clock_ms);
            let session = host.session(&world, 1);
            session.save(&world);
            host.announce(&world, &session, at, "ada", "started");
            host.announce(&world, &session, time(host.clock_ms), "ada", "stopped");
        }
        host.save(&world);
    }
    println!("{} chain objects", world.files("hchain").len());
    let one = HOSTS.min(sessions) * (sessions / HOSTS) / HOSTS;
    for (args, rows) in [
        (&["ls"][..], sessions + 1),
        (&["ls", "--json"], sessions),
        (&["ls", "--json", "--user", "a*", "--host", "web7"], one),
        (&["ls", "--json", "--running"], 0),
        (&["ls", "--json", "--long"], sessions),
    ] {
        for _ in 0..3 {
            let begun = Instant::now();
            let said = world.run(args);
            println!("{args:?}: {:?}", begun.elapsed());
            assert_eq!((said.code, said.out.lines().count()), (0, rows), "{args:?}: {}", said.err);
        }
    }
}

#[test]
fn ambiguous_ids_list_the_candidates() {
    let world = World::new();
    let mut host = Host::new("web1");
    let (one, two) = (host.session(&world, 1), host.session(&world, 1));
    one.save(&world);
    two.save(&world);
    host.save(&world);
    // An id begins with the time in milliseconds: of how much two agree that begin one after the other, the clock decides.
    let (first, second) = (one.id.to_string(), two.id.to_string());
    let common = first.chars().zip(second.chars()).take_while(|(a, b)| a == b).count();
    world.run(&["show", &first[..common]]).expect(2, &["matches 2 sessions", &one.id.to_string(), &two.id.to_string()]);
    world.run(&["show", "ffffffff"]).expect(1, &["no session matches `ffffffff`"]);
    world.run(&["show", "zz"]).expect(2, &["is not the id of a session"]);
}

#[test]
fn a_closed_pipe_is_a_quiet_success() {
    let world = World::new();
    let mut host = Host::new("web1");
    for _ in 0..3 {
        host.session(&world, 1).save(&world);
    }
    host.save(&world);
    for args in [&["ls"][..], &["verify"], &["show"], &["man"], &["completions", "bash"], &["--help"]] {
        let (read, write) = std::io::pipe().unwrap();
        drop(read);
        let output = world.command(args).stdout(write).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
    }
}
