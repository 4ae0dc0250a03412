//! `ls`.

use crate::store::{Host, World};

#[test]
fn sessions_are_listed_with_who_and_what_where_a_key_opens_them() {
    let world = World::new();
    world.run(&["ls"]).expect(0, &["no sessions"]);
    let mut host = Host::new("web1");
    let session = host.session(&world, 2);
    session.save(&world);
    host.save(&world);
    let said = world.run(&["ls"]);
    said.expect(0, &[&session.id.to_string(), "web1", "ada", "bash", "ended", "0:00:01"]);
    assert!(said.out.starts_with("ID "), "{said:?}");
    let json = world.run(&["ls", "--json"]);
    let row: serde_json::Value = serde_json::from_str(json.out.trim()).unwrap();
    assert_eq!(row["state"], "ended");
    assert_eq!(row["segments"], 2);
    assert_eq!(row["user"], "ada");
    let bytes: usize = session.segments.iter().map(|segment| segment.bytes.len()).sum();
    assert_eq!(row["bytes"], bytes);
    world.run(&["ls", "--until", "2020-01-01"]).expect(0, &["no sessions"]);
    world.run(&["ls", "--since", "2020-01-01"]).expect(0, &[&session.id.to_string()]);
    std::fs::remove_file(session.path(&world, 1)).unwrap();
    world.run(&["ls"]).expect(0, &["incomplete"]);
    std::fs::remove_dir_all(session.path(&world, 0).parent().unwrap()).unwrap();
    world.run(&["ls"]).expect(0, &["incomplete"]);
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
