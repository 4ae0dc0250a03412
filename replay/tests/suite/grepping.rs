//! `grep`: it finds what the export of the text has, in the right sessions and at the right times; what it prints, and
//! its exit statuses.

use hansard_schemas::cast::Code;
use hansard_schemas::session::Kind;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;

use crate::recorded::{Event, output, record};
use crate::store::{Host, Session, World};

/// A host on which sessions of one segment each are recorded.
fn recorded(sessions: &[&[Event]]) -> (World, Vec<Session>) {
    let world = World::new();
    let mut host = Host::new("web1");
    let all = sessions.iter().map(|events| record(&world, &mut host, (20, 4), Kind::Interactive, &[events.to_vec()]));
    let all: Vec<Session> = all.collect();
    host.save(&world);
    (world, all)
}

fn documents(world: &World, args: &[&str]) -> Vec<Value> {
    let said = world.run(&[&["grep", "--json"], args].concat());
    said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_line_is_found_with_its_time_and_the_command_that_opens_it() {
    let (world, sessions) = recorded(&[
        &[output(500, "$ ls\r\n"), output(1500, "one \x1b[31mtw"), output(1750, "o\x1b[m three\r\n$ ")],
        &[output(100, "nothing\r\n")],
        &[output(250, "a tw\r\x1b[4Co\r\n")],
    ]);
    let (first, third) = (sessions[0].id.to_string(), sessions[2].id.to_string());
    let said = world.run(&["grep", "tw[o]"]);
    said.expect(0, &[&format!("{first}  ada@web1\n0:01.750  20"), "Z  one two three\n"]);
    said.expect(0, &[&format!("hansard-replay play {first} --start-at 1.750\n"), &third]);
    let found = documents(&world, &["tw[o]"]);
    let told =
        |n: usize| (found[n]["session"].as_str().unwrap(), found[n]["time_ms"].as_u64().unwrap(), &found[n]["text"]);
    assert_eq!(told(0), (first.as_str(), 1750, &Value::from("one two three")));
    assert_eq!(told(1), (third.as_str(), 250, &Value::from("a two")));
    assert_eq!(found[0]["spans"], serde_json::json!([[4, 7]]));
    assert_eq!((found[0]["user"].as_str(), found[0]["host"].as_str()), (Some("ada"), Some("web1")));
    let wall: chrono::DateTime<chrono::Utc> = found[0]["time"].as_str().unwrap().parse().unwrap();
    assert_eq!(wall, sessions[0].id.time() + chrono::TimeDelta::milliseconds(1750));
    // Selected by id, by part of it, by names.
    assert_eq!(documents(&world, &["tw[o]", &third]).len(), 1);
    assert_eq!(documents(&world, &["tw[o]", "--user", "ad*", "--since", "2020-01-01"]).len(), 0, "no event has a name");
    // Nothing, wrong, and nowhere.
    world.run(&["grep", "tw[0]"]).expect(1, &[]);
    world.run(&["grep", "tw[o"]).expect(2, &["is not a pattern: unclosed character class", "-F"]);
    world.run(&["grep", "x", "--until", "2020-01-01"]).expect(1, &["no session to search"]);
    world.run(&["grep", "x", "ffffffff"]).expect(1, &["no session matches"]);
    world.run(&["grep", "two", "--from", "ftp://x"]).expect(2, &[]);
    let from = format!("file://{}", world.store().display());
    let play = &documents(&world, &["-F", "two", &third, "--from", &from])[0]["play"];
    assert_eq!(*play, format!("hansard-replay play {third} --start-at 0.250 --from {from}"));
}

#[test]
fn the_options_say_what_is_looked_for_and_what_is_printed() {
    let lines: String = (1..=9).map(|n| format!("line {n}\r\n")).collect();
    let (world, sessions) =
        recorded(&[&[output(1, lines.replace("line 5", "a.B[")), output(2, "last a.B[\r\n")], &[output(1, "axb\r\n")]]);
    let (first, second) = (sessions[0].id.to_string(), sessions[1].id.to_string());
    world.run(&["grep", "-c", "-i", "A.b"]).expect(0, &[&format!("{first} 2\n{second} 1\n")]);
    assert_eq!(world.run(&["grep", "-l", "a.B"]).out, format!("{first}\n"));
    assert_eq!(world.run(&["grep", "-c", "-F", "a.B["]).out, format!("{first} 2\n{second} 0\n"));
    assert_eq!(documents(&world, &["-c", "a.B"])[0]["count"], 2);
    assert_eq!(documents(&world, &["-l", "a.B"]), [serde_json::json!({"session": first})]);
    assert_eq!(documents(&world, &["-i", "a", "--max", "1"]).len(), 2);
    let found = documents(&world, &["-F", "a.B[", "-C", "2", &first]);
    assert_eq!(found[0]["before"], serde_json::json!(["line 3", "line 4"]));
    assert_eq!(found[0]["after"], serde_json::json!(["line 6", "line 7"]));
    assert_eq!(found[1]["before"], serde_json::json!(["line 8", "line 9"]));
    assert_eq!(found[1]["after"], serde_json::json!([]));
    let found = documents(&world, &["-F", "a.B[", "-A", "1", "-B", "0", "--max", "1", &first]);
    assert_eq!((&found[0]["before"], &found[0]["after"]), (&serde_json::json!([]), &serde_json::json!(["line 6"])));
    let coloured = world.run(&["grep", "--color", "always", "-i", "A.b", &second]);
    assert!(coloured.out.contains("\x1b[1;31maxb\x1b[0m"), "{coloured:?}");
}

#[test]
fn what_was_typed_is_found_where_it_was_recorded() {
    let typed = |at_ms, raw: &str| (at_ms, Code::Input, raw.as_bytes().to_vec());
    let (world, sessions) = recorded(&[
        &[typed(10, "sudo r"), typed(20, "x\x7fm -rf\r"), output(30, "rm -rf\r\n")],
        &[output(1, "rm -rf\r\n")],
    ]);
    let found = documents(&world, &["--input", "^sudo rm"]);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (&found[0]["session"], &found[0]["time_ms"]),
        (&Value::from(sessions[0].id.to_string()), &Value::from(20))
    );
    assert_eq!((&found[0]["place"], &found[0]["text"]), (&Value::from("input"), &Value::from("sudo rm -rf")));
    world.run(&["grep", "--input", "sudo"]).expect(0, &["1 session of 2: nothing that was typed was recorded"]);
    assert_eq!(documents(&world, &["sudo"]).len(), 0);
}

#[test]
fn what_full_screen_programs_drew_is_found() {
    let vim = "\x1b[?1049h\x1b[1;4r\x1b[2J\x1b[1;1Hthe needle\x1b[2;1H~\x1b[3;1H~\x1b[4;1H\"file\" 1L";
    let (world, _) = recorded(&[&[output(5, "$ vim\r\n"), output(40, vim), output(60, "\x1b[?1049l$ \r\n")]]);
    let found = documents(&world, &["needle"]);
    assert_eq!((&found[0]["place"], &found[0]["time_ms"]), (&Value::from("full-screen"), &Value::from(40)));
    assert!(!world.run(&["export", "latest", "--as", "txt"]).out.contains("needle"));
    world.run(&["grep", "needle"]).expect(0, &["full-screen  the needle"]);
}

#[test]
fn a_session_that_cannot_be_searched_keeps_no_other_from_being_searched() {
    let (world, sessions) =
        recorded(&[&[output(1, "needle\r\n")], &[output(1, "needle\r\n")], &[output(1, "needle\r\n")]]);
    let path = sessions[1].path(&world, 0);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let said = world.run(&["grep", "-l", "needle"]);
    said.expect(1, &[&format!("session {} is refused", sessions[1].id)]);
    assert_eq!(said.out, format!("{}\n{}\n", sessions[0].id, sessions[2].id));
    // What is said of a session that ended without an end, or of no key.
    world.remove_identity();
    let said = world.run(&["grep", "needle"]);
    said.expect(4, &["no identity", &sessions[0].id.to_string()]);
    assert_eq!(said.out, "");
}

#[test]
fn no_match_acts_on_the_terminal() {
    let evil = "\x1b]0;owned\x07evil \u{202e}\u{9b}2J\u{200b}x\r\n";
    let typed = (2, Code::Input, "evil \u{202e}x\x1b]0;t\x07\u{9b}\r".as_bytes().to_vec());
    let (world, _) = recorded(&[&[output(1, evil), typed]]);
    for args in [
        &["grep", "evil"][..],
        &["grep", "evil", "--json"],
        &["grep", "--input", "evil"],
        &["grep", "--input", "evil", "--json"],
    ] {
        let said = world.run(args);
        said.expect(0, &["evil"]);
        let bad = said
            .out
            .chars()
            .find(|c| (c.is_control() && *c != '\n') || matches!(u32::from(*c), 0x200b..=0x200f | 0x202a..=0x202e));
        assert_eq!(bad, None, "{args:?}: {said:?}");
    }
}

/// What shells and programs write, in pieces that lines are made of.
fn written() -> impl Strategy<Value = Vec<u8>> {
    let fixed: Vec<&[u8]> = vec![
        b"\x1b[1;32mneedle\x1b[m",
        b"nee\x1b[31mdle\x1b[0m",
        b"need\r\x1b[4Cle\r\n",
        b"nXedle\r\x1b[1Ce\r\n",
        b"\x1b[2A\rneedle\x1b[2B",
        b"need\x08\x08edle",
        b" 10% need\r 50% needle\r100% done\r\n",
        b"\x1b[?1049h\x1b[2;2Hneedle\x1b[H\x1b[?1049l",
        b"\x1b[H\x1b[2J",
        b"\x1b[2;3r\n\n\x1b[r",
        b"\x1b[J",
        b"\x1b[L",
        b"\x1b]0;needle\x07",
        b"\x1b(0needle\x1b(B",
        "日本語needle日本語日本語".as_bytes(),
        "ne\u{200b}edle e\u{301}".as_bytes(),
        b"\xffneedle\xe2\x82",
        b"\x07",
    ];
    prop_oneof![
        10 => "[a-d ]{0,16}(needle)?[a-d ]{0,60}\r\n".prop_map(String::into_bytes),
        4 => "(\x1b\\[3[0-7]m)?[a-d\t ]{0,12}(needle)?(\x1b\\[m)?\r\n".prop_map(String::into_bytes),
        2 => "[a-d ]{0,14}(need|le|needle)?".prop_map(String::into_bytes),
        4 => proptest::sample::select(fixed).prop_map(<[u8]>::to_vec),
    ]
}

#[test]
fn it_finds_exactly_what_the_exported_text_has() {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, b"hansard: what the screens showed");
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let world = World::new();
    let mut host = Host::new("web1");
    let mut sessions = Vec::new();
    for number in 0u16..24 {
        let pieces = if number % 8 == 0 { 4000 } else { 150 };
        let events = proptest::collection::vec(proptest::collection::vec(written(), 1..12), pieces / 10);
        let events = events.new_tree(&mut runner).unwrap().current();
        let mut events: Vec<Event> =
            events.iter().enumerate().map(|(n, parts)| output(n as u64 * 7, parts.concat())).collect();
        let size = [(80, 24), (20, 4), (132, 50), (7, 3), (0, 0), (300, 2)][usize::from(number % 6)];
        let kind = if number % 5 == 4 { Kind::Exec } else { Kind::Interactive };
        if number % 3 == 0 {
            let middle = events.len() / 2;
            events.insert(middle, (events[middle].0, Code::Resize, b"33x9".to_vec()));
        }
        if number % 6 == 1 {
            // Enough plain lines that they are not all shown to the terminal.
            let bulk: String = (0..9000).map(|n| format!("line {n} of bulk, {}needle \r\n", n % 3)).collect();
            let (at_ms, middle) = (events[events.len() / 2].0, events.len() / 2);
            let bulk = bulk.as_bytes().chunks(5000).map(|piece| output(at_ms, piece));
            events.splice(middle..middle, std::iter::once(output(at_ms, "\r\n")).chain(bulk).collect::<Vec<_>>());
        }
        // Some in segments, cut anywhere.
        let cut = events.len() / 3;
        let segments =
            if number % 2 == 0 { vec![events] } else { vec![events[..cut].to_vec(), events[cut..].to_vec()] };
        sessions.push(record(&world, &mut host, size, kind, &segments));
    }
    host.save(&world);
    let mut all = 0;
    for pattern in ["needle", "^needle$", "ne+d.*c$", "日本", "[^a-d ]$"] {
        let found = documents(&world, &[pattern]);
        let regex = regex::Regex::new(pattern).unwrap();
        for session in &sessions {
            let id = session.id.to_string();
            let text = world.run(&["export", &id, "--as", "txt"]).out;
            let mut expected: Vec<&str> = text.lines().filter(|line| regex.is_match(line)).collect();
            let here = found.iter().filter(|one| one["session"] == id.as_str());
            let times: Vec<u64> = here.clone().map(|one| one["time_ms"].as_u64().unwrap()).collect();
            assert!(times.is_sorted());
            let screen = here.filter(|one| one["place"] == "screen");
            let mut shown: Vec<&str> = screen.map(|one| one["text"].as_str().unwrap()).collect();
            // Ordered by time in one, by place in the other.
            expected.sort_unstable();
            shown.sort_unstable();
            assert_eq!(shown, expected, "{pattern} in {id}");
            all += shown.len();
        }
    }
    assert!(all > 1000, "{all}");
    // All that was asked after the first time was asked with what had been kept of it.
    for pattern in
        ["needle", "NEEDLE", "need.e d", "nXedle|bulk, 2", "of bulk, 1needle", "a{9}|d{9}", "e\u{301}", "zzz"]
    {
        for args in [&["-c", pattern][..], &["-i", pattern], &["-F", "-C", "1", pattern]] {
            let grep = |more: &[&str]| world.run(&[&["grep", "--json"], args, more].concat());
            let (kept, again) = (grep(&[]), grep(&["--no-cache"]));
            assert_eq!((kept.code, kept.out), (again.code, again.out), "{args:?}");
        }
    }
}
