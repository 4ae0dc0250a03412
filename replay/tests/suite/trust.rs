//! Chains by first sight, pinned, and a second one for a known name.

use std::fs;

use crate::store::{Host, World};

#[test]
fn a_second_chain_of_a_known_host_is_an_error_until_it_is_trusted() {
    let world = World::new();
    let mut host = Host::new("web1");
    let first = host.session(&world, 1);
    first.save(&world);
    host.save(&world);
    world.run(&["keys", "list"]).expect(0, &[]);
    world.run(&["verify"]).expect(0, &["UNPINNED"]);
    world.run(&["keys", "list"]).expect(0, &[&host.id().to_string(), "UNPINNED", "web1"]);

    let mut other = Host::new("web1");
    let second = other.session(&world, 1);
    second.save(&world);
    other.save(&world);
    let chain = other.id().to_string();
    world.run(&["verify"]).expect(1, &["SECOND CHAIN", "keys trust", "1 complete, 1 FAILED"]);
    world.run(&["export", &second.id.to_string(), "--as", "raw"]).expect(1, &["claims to be host web1", &chain]);
    world.run(&["show", &second.id.to_string()]).expect(1, &["SECOND CHAIN"]);
    world.run(&["verify", &first.id.to_string()]).expect(0, &["complete"]);

    world.run(&["keys", "trust", &chain]).expect(2, &["was never seen", "--host"]);
    world.run(&["keys", "trust", &chain, "--host", "web1"]).expect(0, &["pinned"]);
    let said = world.run(&["verify"]);
    said.expect(0, &["2 sessions: 2 complete"]);
    let line = said.out.lines().find(|line| line.contains(&second.id.to_string())).unwrap();
    assert!(!line.contains("UNPINNED"), "{line}");
    world.run(&["keys", "list", "--json"]).expect(0, &["\"pinned\"", "\"first-sight\""]);
    // The beginning of a known one is enough.
    world.run(&["keys", "trust", &host.id().to_string()[..12]]).expect(0, &["pinned  web1"]);
    world.run(&["keys", "trust", "00"]).expect(2, &["neither a chain id"]);
}

/// The store is put back as it was when nothing was open: all that it still shows is complete.
#[test]
fn a_rollback_to_a_quiet_hour_shows_to_whoever_saw_more() {
    let world = World::new();
    let mut host = Host::new("web1");
    let early = host.session(&world, 1);
    let quiet = host.entries.len();
    let late = host.session(&world, 1);
    early.save(&world);
    late.save(&world);
    for entry in &host.entries {
        host.save_entries(&world, std::slice::from_ref(entry));
    }
    world.run(&["verify"]).expect(0, &["2 complete"]);
    fs::remove_dir_all(late.path(&world, 0).parent().unwrap()).unwrap();
    let objects = world.files("hchain");
    for object in &objects[quiet..] {
        fs::remove_file(object).unwrap();
    }
    let seq = host.last().seq;
    let words = format!("rolled back: entry {seq} of chain {} of host web1", host.id().short());
    world.run(&["verify"]).expect(1, &["1 complete", &words]);
    world.run(&["verify", "--json"]).expect(1, &["rolled-back"]);
    world.run(&["verify", &early.id.to_string()]).expect(0, &["1 complete", &words]);
    world.run(&["ls", "-l"]).expect(0, &[&words]);
    // Nor is it forgotten by looking twice, or by taking away the rest.
    world.run(&["verify"]).expect(1, &[&words]);
    fs::remove_dir_all(world.store()).unwrap();
    fs::create_dir(world.store()).unwrap();
    world.run(&["verify"]).expect(1, &[&words]);
    // Another reviewer, who saw nothing before, cannot know.
    fs::remove_file(world.root.join(".config/hansard/known_chains.toml")).unwrap();
    world.run(&["verify"]).expect(1, &["nothing to verify"]);
}
