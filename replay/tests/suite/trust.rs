//! Chains by first sight, pinned, and a second one for a known name.

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
