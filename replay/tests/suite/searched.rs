//! What a search keeps for the next one: sealed, of these bytes only, and nothing that matches is ever left out by it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use hansard_schemas::session::Kind;

use crate::recorded::{Event, output, record};
use crate::store::{Host, Session, World, put};

const LEFT_OUT: &str = "known from an earlier search, and not read again; --no-cache reads all";

/// Three sessions, of two segments each, that have been searched once.
fn searched() -> (World, Vec<Session>) {
    let world = World::new();
    let mut host = Host::new("web1");
    let texts = ["alpha needle", "beta \u{1b}[1mNEEDLE\u{1b}[m", "gamma"];
    let sessions = texts.map(|text| {
        let lines = |from: u64| -> Vec<Event> {
            (from..from + 300).map(|n| output(n, format!("line {n} of {text}\r\n"))).collect()
        };
        record(&world, &mut host, (80, 24), Kind::Interactive, &[lines(0), lines(300)])
    });
    host.save(&world);
    let said = world.run(&["grep", "-l", "nothing of this"]);
    said.expect(1, &[]);
    assert!(!said.err.contains(LEFT_OUT), "{said:?}");
    (world, sessions.into())
}

fn files(world: &World) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(world.root.join(".cache/hansard")) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Other bytes in the middle of an object, of the same length.
fn alter(session: &Session, world: &World, number: usize) {
    let path = session.path(world, number);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
}

#[test]
fn what_cannot_match_is_left_out_and_that_is_said() {
    let (world, sessions) = searched();
    let of = |n: usize| {
        format!("{n} of 3: {LEFT_OUT}").replacen(" of", if n == 1 { " session of" } else { " sessions of" }, 1)
    };
    let ids: Vec<String> = sessions.iter().map(|session| session.id.to_string()).collect();
    let said = world.run(&["grep", "-c", "needle"]);
    said.expect(0, &[&of(1)]);
    assert_eq!(said.out, format!("{} 600\n{} 0\n{} 0\n", ids[0], ids[1], ids[2]), "a sieve knows no case");
    world.run(&["grep", "-c", "-i", "need.e"]).expect(0, &[&of(1), &format!("{} 600\n{} 0", ids[1], ids[2])]);
    world.run(&["grep", "delta|epsilon"]).expect(1, &[&of(3)]);
    world.run(&["grep", "gamma|delta"]).expect(0, &[&of(2)]);
    for all in [
        &["grep", "--no-cache", "delta"][..],
        &["grep", "--force", "delta"],
        &["grep", "[0-9]x"],
        &["grep", "--input", "delta"],
    ] {
        let said = world.run(all);
        said.expect(1, &[]);
        assert!(!said.err.contains(LEFT_OUT), "{said:?}");
    }
}

#[test]
fn what_is_left_out_is_not_read_and_what_is_read_is_checked() {
    let (world, sessions) = searched();
    for session in &sessions {
        alter(session, &world, 1);
    }
    world.run(&["grep", "delta"]).expect(1, &[&format!("3 sessions of 3: {LEFT_OUT}")]);
    let refused = format!("session {}", sessions[2].id);
    let said = world.run(&["grep", "gamma"]);
    said.expect(1, &[&refused, "segment 1", &format!("2 sessions of 3: {LEFT_OUT}")]);
    assert_eq!(said.out, "");
    world.run(&["grep", "--no-cache", "delta"]).expect(1, &[&format!("{refused} is refused")]);
    // Another length is seen at once; so is an object more.
    let path = sessions[0].path(&world, 1);
    fs::write(&path, "short").unwrap();
    let first = format!("session {} is refused", sessions[0].id);
    world.run(&["grep", "delta"]).expect(1, &[&first, &format!("2 sessions of 3: {LEFT_OUT}")]);
    fs::remove_file(&path).unwrap();
    world.run(&["grep", "delta"]).expect(1, &[&first]);
}

#[test]
fn a_session_that_went_on_is_searched_again() {
    let world = World::new();
    let mut host = Host::new("web1");
    let events = |text: &str| vec![output(1, format!("{text}\r\n"))];
    let session = record(&world, &mut host, (80, 24), Kind::Interactive, &[events("first"), events("second")]);
    host.save(&world);
    let later = session.path(&world, 1);
    let bytes = fs::read(&later).unwrap();
    fs::remove_file(&later).unwrap();
    world.run(&["grep", "second"]).expect(1, &[]);
    world.run(&["grep", "second"]).expect(1, &[]);
    put(&world, &session.name(1), &bytes);
    world.run(&["grep", "second"]).expect(0, &["second"]);
    world.run(&["grep", "second", "--no-cache"]).expect(0, &["second"]);
}

#[test]
fn what_is_kept_is_sealed_and_a_damaged_or_foreign_file_is_as_good_as_none() {
    let (world, sessions) = searched();
    let kept = files(&world);
    assert_eq!(kept.len(), 3, "{kept:?}");
    for file in &kept {
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        let bytes = fs::read(file).unwrap();
        for word in ["needle", "web1", "ada", ".hseg", &sessions[0].id.to_string()] {
            assert!(!bytes.windows(word.len()).any(|at| at == word.as_bytes()), "{word} is in the file");
            assert!(!file.to_string_lossy().contains(word), "{word} is in its name");
        }
    }
    let left_out = |n: usize| {
        let said = world.run(&["grep", "delta"]);
        said.expect(1, &[]);
        assert_eq!(said.err.contains(LEFT_OUT), n > 0, "{said:?}");
        assert!(n == 0 || said.err.contains(&format!("{n} session")), "{said:?}");
    };
    left_out(3);
    let good = fs::read(&kept[0]).unwrap();
    for at in [0, 10, 25, 53, 60, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 0x40;
        fs::write(&kept[0], bad).unwrap();
        left_out(2);
        // It was written anew.
        left_out(3);
    }
    fs::write(&kept[0], fs::read(&kept[1]).unwrap()).unwrap();
    left_out(2);
    for file in &kept {
        fs::write(file, "").unwrap();
    }
    left_out(0);
    // A folder that cannot be written to keeps nothing, and is no error.
    fs::remove_dir_all(world.root.join(".cache")).unwrap();
    fs::write(world.root.join(".cache"), "").unwrap();
    left_out(0);
    left_out(0);
}

#[test]
fn who_cannot_open_the_recording_learns_nothing_from_what_was_kept() {
    let (world, _) = searched();
    let (secret, _) = hansard_schemas::keys::generate_identity();
    fs::write(world.root.join(".config/hansard/identity.txt"), secret.as_bytes()).unwrap();
    let said = world.run(&["grep", "delta"]);
    said.expect(4, &["no identity"]);
    assert!(!said.err.contains(LEFT_OUT), "{said:?}");
}

#[test]
fn what_is_left_out_is_told_as_what_is_searched() {
    let (world, _) = searched();
    let config = format!("[audit]\nevents = [\"file://{}/viewed.ndjson\"]\nrequired = true\n", world.root.display());
    fs::write(world.root.join(".config/hansard/replay.toml"), config).unwrap();
    let told = |more: &[&str]| {
        let _ = fs::remove_file(world.root.join("viewed.ndjson"));
        world.run(&[&["grep", "delta", "--reason", "INC-42"], more].concat()).expect(1, &[]);
        let text = fs::read_to_string(world.root.join("viewed.ndjson")).unwrap();
        let events = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["data"].clone());
        let mut events: Vec<String> = events.map(|data| data.to_string()).collect();
        events.sort();
        events
    };
    let left_out = told(&[]);
    assert_eq!(left_out.len(), 3);
    assert_eq!(left_out, told(&["--no-cache"]));
    fs::remove_file(world.root.join("viewed.ndjson")).unwrap();
    fs::create_dir(world.root.join("viewed.ndjson")).unwrap();
    let said = world.run(&["grep", "delta"]);
    said.expect(3, &["it was not told that session", "`audit.required` is set"]);
    assert!(!said.err.contains(LEFT_OUT), "{said:?}");
}
