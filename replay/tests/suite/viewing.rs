//! The audit of viewing: who is told of what is looked at, and that nothing is shown where that is required and fails.

use std::fs;

use serde_json::Value;

use crate::store::{Host, Session, World};

fn recorded(config: &str) -> (World, Session) {
    let world = World::new();
    let mut host = Host::new("web1");
    let session = host.session(&world, 2);
    session.save(&world);
    host.save(&world);
    let config = config.replace("ROOT", world.root.to_str().unwrap());
    fs::write(world.root.join(".config/hansard/replay.toml"), config).unwrap();
    (world, session)
}

fn told(world: &World) -> Vec<Value> {
    let text = fs::read_to_string(world.root.join("viewed.ndjson")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn what_is_looked_at_is_told_and_what_is_listed_is_not() {
    let (world, session) = recorded("[audit]\nevents = [\"file://ROOT/viewed.ndjson\"]\nrequired = true\n");
    world.run(&["ls", "--long"]).expect(0, &["web1"]);
    world.run(&["verify"]).expect(0, &["complete"]);
    assert_eq!(told(&world), [] as [Value; 0]);
    let mut command = world.command(&["export", "latest", "--as", "txt", "--reason", "INC-42"]);
    let output = command.env("USER", "kim").env("SSH_CONNECTION", "192.0.2.1 5 192.0.2.2 22").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!output.stdout.is_empty());
    let told = told(&world);
    assert_eq!(told.len(), 1);
    let (event, data) = (&told[0], &told[0]["data"]);
    assert_eq!(event["type"], "hansard.recording.viewed");
    assert_eq!(event["subject"], session.id.to_string());
    for (member, value) in [("how", "export"), ("reason", "INC-42"), ("host", "web1"), ("user", "ada")] {
        assert_eq!(data[member], value, "{data}");
    }
    assert_eq!(data["session"], session.id.to_string());
    assert_eq!(data["viewer"]["user"], "kim");
    assert_eq!(data["viewer"]["uid"], rustix::process::getuid().as_raw());
    assert_eq!(data["viewer"]["ssh_connection"], "192.0.2.1 5 192.0.2.2 22");
}

#[test]
fn where_it_is_required_nothing_is_shown_that_is_not_told() {
    let (world, _) = recorded("[audit]\nevents = [\"file://ROOT/none/viewed.ndjson\"]\nrequired = true\n");
    fs::write(world.root.join("none"), "").unwrap();
    let said = world.run(&["export", "latest", "--as", "txt"]);
    said.expect(3, &["it was not told that session", "`audit.required` is set"]);
    assert_eq!(said.out, "");
    let (world, _) = recorded("[audit]\nevents = [\"file://ROOT/none/viewed.ndjson\"]\n");
    fs::write(world.root.join("none"), "").unwrap();
    let said = world.run(&["export", "latest", "--as", "txt"]);
    said.expect(0, &["it was not told that session"]);
    assert!(!said.out.is_empty());
}

#[test]
fn whatever_shows_content_tells_it() {
    let (world, session) = recorded("[audit]\nevents = [\"file://ROOT/viewed.ndjson\"]\n");
    let id = session.id.to_string();
    let folder = world.root.join("evidence");
    let commands: &[&[&str]] = &[
        &["grep", "segment"],
        &["timeline", &id],
        &["tail", &id, "--lines"],
        &["export", &id, "--as", "svg"],
        &["export", &id, "--as", "evidence", "-o", folder.to_str().unwrap()],
    ];
    for (at, command) in commands.iter().enumerate() {
        let said = world.run(command);
        said.expect(0, &[]);
        let told = told(&world);
        assert_eq!(told.len(), at + 1, "{command:?}: {said:?}");
        assert_eq!((&told[at]["data"]["how"], &told[at]["subject"]), (&command[0].into(), &id.as_str().into()));
    }
    fs::remove_dir_all(&folder).unwrap();
    let config = "[audit]\nevents = [\"file:///proc/none/viewed.ndjson\"]\nrequired = true\n";
    fs::write(world.root.join(".config/hansard/replay.toml"), config).unwrap();
    for command in commands {
        let said = world.run(command);
        assert!(said.code == 3 && said.out.is_empty() && said.err.contains("is looked at"), "{command:?}: {said:?}");
    }
}

#[test]
fn what_is_refused_was_not_looked_at() {
    let (world, session) = recorded("[audit]\nevents = [\"file://ROOT/viewed.ndjson\"]\n");
    fs::remove_file(session.path(&world, 0)).unwrap();
    world.run(&["export", "latest", "--as", "txt"]).expect(1, &["is refused"]);
    assert_eq!(told(&world), [] as [Value; 0]);
}

#[test]
fn a_configuration_that_asks_for_what_cannot_be_is_refused() {
    let (world, _) = recorded("[audit]\nrequired = true\n");
    world.run(&["ls"]).expect(2, &["`audit.events` names no place"]);
    let (world, _) = recorded("[audit]\nevents = [\"nonsense\"]\n");
    world.run(&["export", "latest", "--as", "txt"]).expect(2, &["audit.events"]);
}

#[test]
fn a_chain_that_the_configuration_pins_is_not_unpinned() {
    let (world, _) = recorded("");
    world.run(&["verify"]).expect(0, &["UNPINNED"]);
    let listed = world.run(&["keys", "list", "--json"]);
    let chain = serde_json::from_str::<Value>(&listed.out).unwrap()["chain"].as_str().unwrap().to_owned();
    fs::write(world.root.join(".config/hansard/replay.toml"), format!("[hosts]\nweb1 = \"{chain}\"\n")).unwrap();
    let said = world.run(&["verify"]);
    said.expect(0, &["complete"]);
    assert!(!said.out.contains("UNPINNED"), "{}", said.out);
}
