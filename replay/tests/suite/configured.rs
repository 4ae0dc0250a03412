//! Options that `replay.toml` gives: they hold where the command line says nothing, and it wins where it does.

use std::fs;

use crate::store::{Host, World};
use crate::terminal::Terminal;

/// A store with one session that ended and one that runs, and what `replay.toml` says.
fn world(config: &str) -> (World, String) {
    let world = World::new();
    let now = u64::try_from(chrono::Utc::now().timestamp_millis()).unwrap();
    let mut host = Host::at("web1", now - 60_000);
    let ended = host.session(&world, 2);
    ended.save(&world);
    let mut plan = host.plan(&world, 1);
    plan.closed = false;
    host.record(&plan).save(&world);
    host.save(&world);
    fs::write(world.root.join(".config/hansard/replay.toml"), config).unwrap();
    (world, ended.id.to_string())
}

#[test]
fn options_that_are_not_given_are_those_of_the_configuration() {
    let (world, id) = world(
        "color = \"always\"\n[ls]\nlong = true\n[verify]\nstrict = true\n[tail]\nlast = 1\nlines = true\n[grep]\ncontext = 1\n\
         ignore_case = true\n",
    );
    world.run(&["ls"]).expect(0, &["bash"]);
    assert!(!world.run(&["ls", "--long=false"]).out.contains("bash"));
    world.run(&["verify"]).expect(1, &["1 of 2 sessions"]);
    world.run(&["verify", "--strict=false"]).expect(0, &["1 complete, 1 running"]);
    let lines = |args: &[&str]| world.run(&[&["tail", &id][..], args].concat()).expect(0, &[]).out.lines().count();
    assert_eq!((lines(&[]), lines(&["-n", "2"])), (1, 2));
    let found = world.run(&["grep", "SEGMENT 1", &id]);
    found.expect(0, &["\x1b[1;31msegment 1\x1b[0m", "segment 0"]);
    world.run(&["grep", "SEGMENT 1", &id, "-i=false"]).expect(1, &[]);
    let alone = world.run(&["grep", "segment 1", &id, "-C0", "--color", "never"]);
    assert!(!alone.out.contains("segment 0") && !alone.out.contains('\x1b'), "{alone:?}");
}

#[test]
fn play_goes_by_the_configuration_and_by_the_command_line_first() {
    let (world, id) = world("[play]\nspeed = 16\nidle_limit = 0.1\nquit_at_end = true\nno_cache = true\n");
    let played = |args: &[&str], keys: &str| {
        let mut terminal = Terminal::running(world.command(&[&["play", &id][..], args].concat()), (100, 25));
        if !keys.is_empty() {
            terminal.wait("\x1b[0;7m end ");
            terminal.type_in(keys);
        }
        let (code, log) = terminal.finish();
        assert_eq!(code, 0);
        String::from_utf8(log).unwrap()
    };
    assert!(played(&[], "").contains(" 16x "));
    assert!(!world.root.join(".cache/hansard").exists());
    assert!(played(&["--speed", "3", "--no-cache=false"], "").contains(" 3x "));
    assert!(world.root.join(".cache/hansard").exists());
    played(&["--quit-at-end=false"], "q");
}

#[test]
fn what_the_configuration_cannot_say_is_told_with_file_and_key() {
    let (world, _) = world("[play]\nspeed = \"fast\"\n");
    let said = world.run(&["ls"]);
    said.expect(
        2,
        &["replay.toml: `play.speed` is \"fast\", which it cannot be", "hint: it is a number from 0.01 to 1000"],
    );
}
