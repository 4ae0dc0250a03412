//! The rendered messages and the whole help, as snapshots; and exit statuses of wrong usage.

use crate::store::{Said, World};

/// Standard error with the folder's name taken out.
fn told(world: &World, args: &[&str]) -> String {
    let said = world.run(args);
    let home = world.root.display().to_string();
    format!("$ hansard-replay {}\nexit {}\n{}", args.join(" "), said.code, said.err).replace(&home, "HOME")
}

#[test]
fn errors_are_two_lines() {
    let world = World::new();
    let config = world.root.join(".config/hansard/replay.toml");
    let mut all = Vec::new();
    for args in [
        &["show"][..],
        &["verify"],
        &["show", "abcd"],
        &["show", "not-an-id"],
        &["ls", "--from", "file:///nowhere/at/all"],
        &["ls", "--from", "s3://bucket/prefix?regoin=x"],
        &["ls", "--from", "kafka://key:secret@host:9092/topic"],
        &["ls", "--from", "ftp://x"],
        &["ls", "--from", "prod"],
        &["ls", "--identity", "missing.txt"],
        &["verify", "missing.hrec"],
        &["keys", "trust", "1234"],
        &["keygen"],
        &["ls", "--config", "missing.toml"],
        &["play", "--speed", "0"],
    ] {
        all.push(told(&world, args));
    }
    std::fs::write(&config, "identites = []\n").unwrap();
    all.push(told(&world, &["ls"]));
    std::fs::write(&config, "[stores]\nprod = \"file:///nowhere\"\n").unwrap();
    all.push(told(&world, &["ls", "--from", "prd"]));
    all.push(told(&world, &["ls", "--from", "prod"]));
    std::fs::write(world.root.join(".config/hansard/known_chains.toml"), "x").unwrap();
    std::fs::remove_file(config).unwrap();
    all.push(told(&world, &["keys", "list"]));
    insta::assert_snapshot!("errors", all.join("\n"));
}

#[test]
fn the_whole_help() {
    let world = World::new();
    let mut all = String::new();
    for verb in [
        &[][..],
        &["ls"],
        &["show"],
        &["play"],
        &["grep"],
        &["timeline"],
        &["tail"],
        &["forward"],
        &["export"],
        &["verify"],
        &["keygen"],
        &["keys"],
        &["keys", "trust"],
        &["keys", "list"],
        &["completions"],
        &["man"],
    ] {
        let args: Vec<&str> = verb.iter().copied().chain(["--help"]).collect();
        let said = world.run(&args);
        assert_eq!(said.code, 0);
        all.push_str(&format!("$ hansard-replay {}\n{}\n", args.join(" "), said.out));
    }
    insta::assert_snapshot!("help", all);
}

#[test]
fn wrong_usage_is_2_and_help_and_version_are_0() {
    let world = World::new();
    for (args, code) in [
        (&[][..], 2),
        (&["nonsense"], 2),
        (&["ls", "--nonsense"], 2),
        (&["export", "latest"], 2),
        (&["--version"], 0),
        (&["man"], 0),
        (&["completions", "fish"], 0),
    ] {
        let said: Said = world.run(args);
        assert_eq!(said.code, code, "{args:?} {said:?}");
    }
}

#[test]
fn keygen_makes_a_private_file_and_never_overwrites() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let said = world.run(&["keygen", "-o", "mine.txt"]);
    said.expect(0, &["age1", "mine.txt"]);
    let path = world.root.join("mine.txt");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("AGE-SECRET-KEY-1") && text.contains(said.out.trim()), "{text}");
    world.run(&["keygen", "-o", "mine.txt"]).expect(2, &["is not overwritten"]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    world.remove_identity();
    world.run(&["keygen"]).expect(0, &["identity.txt"]);
}
