//! Promise 9: nothing that a recording or a store says reaches the reviewer's terminal as it is.

use crate::store::{Host, World, put};

#[test]
fn no_name_acts_on_the_terminal() {
    let world = World::new();
    let evil = "ada\x1b]0;owned\x07\u{202e}\u{200b}\u{2066}\r\n";
    let mut host = Host::new(evil);
    let mut plan = host.plan(&world, 1);
    plan.user = evil.into();
    plan.command = vec!["sh".into(), evil.into()];
    let session = host.record(&plan);
    host.end(&session);
    session.save(&world);
    host.save(&world);
    put(&world, "evil\x1b[2J\u{202e}name", b"x");
    let id = session.id.to_string();
    std::fs::write(world.root.join("evil\x1b[2J.hseg"), b"x").unwrap();
    host.announce(&world, &session, crate::store::time(host.clock_ms), evil, "started");
    let calls: [&[&str]; 16] = [
        &["ls", "--json"],
        &["ls", "--long", "--json"],
        &["ls", "--long"],
        &["show", "--json"],
        &["verify", "--json"],
        &["keys", "list", "--json"],
        &["ls"],
        &["show"],
        &["verify"],
        &["keys", "list"],
        &["verify", &id],
        &["verify", "evil\x1b[2J.hseg"],
        &["show", "evil\x1b[2J"],
        &["ls", "--from", "evil\x1b[2J"],
        &["ls", "--from", "file:///evil\x1b[2J"],
        &["keys", "trust", "evil\x1b[2J"],
    ];
    for args in calls {
        let said = world.run(args);
        for text in [&said.out, &said.err] {
            let bad = text.chars().find(|c| {
                (c.is_control() && *c != '\n')
                    || matches!(u32::from(*c), 0x200b..=0x200f | 0x202a..=0x202e | 0x2066..=0x2069)
            });
            assert_eq!(bad, None, "{args:?}: {text:?}");
        }
    }
    let said = world.run(&["show"]);
    said.expect(0, &["ada\\x1b]0;owned\\x07\\u{202e}"]);
}
