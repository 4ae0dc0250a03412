//! Every verdict, with its words and its exit status.

use hansard_schemas::chain::Kind;

use crate::store::{Host, World, boot, put, time};

#[test]
fn complete() {
    let world = World::new();
    let mut host = Host::new("web1");
    let session = host.session(&world, 3);
    session.save(&world);
    host.save(&world);
    let said = world.run(&["verify", "--strict"]);
    said.expect(0, &["complete", "web1", "UNPINNED", "self-attested by uid 1000", "1 session: 1 complete"]);
    assert!(said.out.starts_with(&session.id.to_string()), "{said:?}");
    assert_eq!(said.err, "");
    // No key is needed.
    world.remove_identity();
    world.run(&["verify"]).expect(0, &["complete"]);
    let json = world.run(&["verify", "--json"]);
    let first: serde_json::Value = serde_json::from_str(json.out.lines().next().unwrap()).unwrap();
    assert_eq!(first["verdict"], "complete");
    assert_eq!(first["ok"], true);
    assert_eq!(first["last_segment"], 2);
    assert_eq!(first["faults"], serde_json::json!([]));
}

#[test]
fn running_is_said_of_a_fresh_checkpoint_only() {
    let world = World::new();
    let now = u64::try_from(chrono::Utc::now().timestamp_millis()).unwrap();
    let mut host = Host::at("web1", now - 60_000);
    let mut plan = host.plan(&world, 2);
    plan.closed = false;
    let session = host.record(&plan);
    host.checkpoint(&[&session]);
    session.save(&world);
    host.save(&world);
    world.run(&["verify"]).expect(0, &["running as of", "1 running"]);
    world.run(&["verify", "--strict"]).expect(1, &["running as of"]);
}

#[test]
fn silent_interrupted_and_recovered() {
    let world = World::new();
    let mut host = Host::new("web1");
    let mut plan = host.plan(&world, 2);
    plan.closed = false;
    let silent = host.record(&plan);
    host.checkpoint(&[&silent]);
    silent.save(&world);
    host.save(&world);
    world.run(&["verify"]).expect(1, &["silent since"]);

    host.boot = boot(2);
    host.checkpoint(&[]);
    host.save(&world);
    world.run(&["verify"]).expect(1, &["interrupted"]);

    // Segment 2 was open when the machine died: nothing of it could be kept.
    host.append(Kind::Recovered {
        session: silent.id,
        segment: 2,
        blocks: 0,
        kept: None,
        head: Some(silent.segments[1].digest),
        reason: "found without a trailer".into(),
        old_boot: boot(1),
        continues: None,
    });
    host.save(&world);
    world.run(&["verify"]).expect(0, &["recovered at 2"]);
    world.run(&["verify", "--strict"]).expect(1, &["recovered at 2"]);
}

#[test]
fn complete_but_not_witnessed_without_a_chain() {
    let world = World::new();
    let mut host = Host::new("web1");
    let session = host.session(&world, 2);
    let file = world.root.join("session.hrec");
    std::fs::write(&file, session.joined()).unwrap();
    world.run(&["verify", "session.hrec"]).expect(1, &["complete, end not witnessed"]);
    // With the chain at hand it is witnessed.
    host.save(&world);
    world.run(&["verify", "session.hrec"]).expect(0, &["complete"]);
    let one = world.root.join("one.hseg");
    std::fs::write(&one, &session.segments[0].bytes).unwrap();
    let two = world.root.join("two.hseg");
    std::fs::write(&two, &session.segments[1].bytes).unwrap();
    world.run(&["verify", "two.hseg", "one.hseg"]).expect(0, &["complete"]);
    world.run(&["verify", "one.hseg"]).expect(1, &["cut after 0"]);
    // A file that is none does not keep the others from being verified.
    std::fs::write(world.root.join("junk.hseg"), "junk").unwrap();
    world.run(&["verify", "junk.hseg", "session.hrec"]).expect(1, &["junk.hseg: bad header", "complete"]);
    world.run(&["verify", "nowhere.hrec", "session.hrec"]).expect(2, &["nowhere.hrec: cannot read", "complete"]);
    // What follows the last segment is no part of it.
    std::fs::write(&file, [&session.joined()[..], b"more"].concat()).unwrap();
    world.run(&["verify", "session.hrec"]).expect(1, &["trailing data: something follows the last segment"]);
    // A recording that was cut inside a segment, and one that lacks its middle.
    std::fs::write(&file, &session.joined()[..session.joined().len() - 10]).unwrap();
    world.run(&["verify", "session.hrec"]).expect(1, &["altered: segment 1", "truncated"]);
}

#[test]
fn one_of_several_sessions_is_named_by_its_end() {
    let world = World::new();
    let mut host = Host::new("web1");
    let good = host.session(&world, 1);
    let bad = host.session(&world, 2);
    good.save(&world);
    bad.save(&world);
    host.save(&world);
    std::fs::remove_file(bad.path(&world, 1)).unwrap();
    let id = good.id.to_string();
    world.run(&["verify", &id[24..]]).expect(0, &["1 session: 1 complete"]);
    world.run(&["verify"]).expect(1, &["2 sessions: 1 complete, 1 FAILED", "cut after 0", "missing: segment 1"]);
}

#[test]
fn an_id_in_the_future_is_not_the_latest() {
    let world = World::new();
    let mut host = Host::new("web1");
    let now = host.session(&world, 1);
    let mut plan = host.plan(&world, 1);
    plan.at_ms = u64::try_from(chrono::Utc::now().timestamp_millis()).unwrap() + 86_400_000;
    let future = host.record(&plan);
    host.end(&future);
    now.save(&world);
    future.save(&world);
    host.save(&world);
    let said = world.run(&["show", "latest"]);
    said.expect(0, &[&now.id.to_string()]);
    let said = world.run(&["show", &future.id.to_string()]);
    said.expect(0, &[&time(plan.at_ms).to_string()]);
}

#[test]
fn strangers_objects_are_reported_and_change_nothing() {
    let world = World::new();
    let mut host = Host::new("web1");
    let session = host.session(&world, 2);
    session.save(&world);
    host.save(&world);
    let folder = session.name(0).rsplit_once('/').unwrap().0.to_owned();
    put(&world, &format!("{folder}/000000-0000000000000000.hseg"), b"not a segment");
    put(&world, &format!("{folder}/note.txt"), b"hello");
    put(&world, "README", b"hello");
    put(&world, &format!("chains/{}/000000000000-000000000000.hchain", "0".repeat(64)), b"junk\n");
    let said = world.run(&["verify"]);
    said.expect(0, &["complete", "not part of any recording: README", "note.txt", "note:"]);
}
