//! Who can open what, and what `show` and the library give.

use std::fs;

use chrono::Utc;
use hansard_replay::catalog::Catalog;
use hansard_replay::evidence::{Chains, examine};
use hansard_replay::recording;
use hansard_schemas::cast::{Code, EventData};
use hansard_schemas::keys::{Identities, generate_identity};
use hansard_sinks::{Address, TimeRange, open_store};

use crate::store::{Host, World, shown, time};

fn recorded(segments: usize) -> (World, crate::store::Session) {
    let world = World::new();
    let mut host = Host::new("web1");
    let session = host.session(&world, segments);
    session.save(&world);
    host.save(&world);
    (world, session)
}

#[test]
fn without_the_identity_nothing_opens_and_the_recipients_are_named() {
    let (world, _) = recorded(1);
    world.remove_identity();
    let said = world.run(&["export", "latest", "--as", "raw"]);
    said.expect(4, &["no identity at hand opens this recording", &world.recipient, "--identity"]);
    assert_eq!(said.out, "");
    let (secret, _) = generate_identity();
    fs::write(world.root.join("other.txt"), secret.as_bytes()).unwrap();
    world.run(&["export", "latest", "--as", "raw", "--identity", "other.txt"]).expect(4, &[&world.recipient]);
    world.run(&["export", "latest", "--as", "raw", "--identity", "nowhere"]).expect(4, &["nowhere"]);
    fs::write(world.root.join("bad.txt"), "no key").unwrap();
    world.run(&["export", "latest", "--as", "raw", "--identity", "bad.txt"]).expect(4, &["bad.txt"]);
    // It can still be shown and proved.
    world.run(&["show", "latest"]).expect(0, &["complete", "identity", "closed", &world.recipient]);
    world.run(&["ls", "-l"]).expect(0, &["web1", "ended"]);
}

#[test]
fn identities_come_from_the_flag_the_environment_or_the_configuration() {
    let (world, _) = recorded(1);
    let config = world.root.join(".config/hansard");
    let elsewhere = world.root.join("elsewhere.txt");
    fs::rename(config.join("identity.txt"), &elsewhere).unwrap();
    world.run(&["show", "latest"]).expect(0, &["closed"]);
    world.run(&["show", "latest", "--identity", "elsewhere.txt"]).expect(0, &["ada", "INC-42"]);
    let said = world.command(&["show", "latest"]).env("HANSARD_IDENTITY", &elsewhere).output().unwrap();
    assert!(String::from_utf8(said.stdout).unwrap().contains("ada"));
    fs::write(config.join("replay.toml"), format!("identities = [{elsewhere:?}]\n")).unwrap();
    world.run(&["show", "latest"]).expect(0, &["ada"]);
}

#[test]
fn show_says_who_what_and_that_this_host_can_read_its_own_past() {
    let (world, session) = recorded(2);
    let said = world.run(&["show"]);
    said.expect(0, &["ada (uid 1000)", "bash", "complete", "UNPINNED", &session.segments[0].digest.to_string()[..0]]);
    let json = world.run(&["show", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(document["identity"]["kernel"]["user"], "ada");
    assert_eq!(document["segments"].as_array().unwrap().len(), 2);
    assert_eq!(document["host_can_read_its_past"], false, "another host recorded it");

    let here = rustix::system::uname().nodename().to_str().unwrap().to_owned();
    let mut host = Host::new(&here);
    let own = host.session(&world, 1);
    own.save(&world);
    host.save(&world);
    world.run(&["show", &own.id.to_string()]).expect(0, &["this host can read its own past"]);
    world.run(&["show", &session.id.to_string()]).expect(0, &["complete"]);
}

#[test]
fn the_events_of_a_recording_are_given_segment_by_segment() {
    let (world, session) = recorded(3);
    let identity = fs::read_to_string(world.root.join(".config/hansard/identity.txt")).unwrap();
    let open = |force| {
        let store = open_store(&Address::parse(world.store().to_str().unwrap()).unwrap()).unwrap();
        let chains = Chains::load(&*store).unwrap();
        let catalog = Catalog::load(&*store, &chains, &TimeRange::default()).unwrap();
        let listed = catalog.find("latest", Utc::now()).unwrap();
        let now = time(u64::try_from(Utc::now().timestamp_millis()).unwrap());
        let evidence = examine(&*store, &listed.session, &chains, now, &mut |_| {}).unwrap();
        recording::open(recording::Source::Store(store), evidence, Identities::parse(&identity).unwrap().into(), force)
            .unwrap()
    };
    let mut recording = open(false);
    assert_eq!(recording.segments(), 3);
    assert_eq!(recording.header().unwrap().hansard.session, session.id);
    assert_eq!(recording.doubts(), None);
    let mut raw = Vec::new();
    let mut last = 0;
    for at in 0..3 {
        for event in recording.load(at).unwrap() {
            assert!(event.time_ms >= last);
            last = event.time_ms;
            if let (Code::Output, EventData::Bytes(bytes)) = (event.code, event.data) {
                raw.extend(bytes);
            }
        }
    }
    let expected: Vec<u8> = (0..3).flat_map(|n| [shown(n).as_bytes(), &[0xff, 0, b'x']].concat()).collect();
    assert_eq!(raw, expected);
    assert_eq!(recording.end_ms().unwrap(), last);

    // Exchanged after it was judged: nothing of it leaves.
    fs::write(session.path(&world, 1), &session.segments[2].bytes).unwrap();
    let mut seen = 0;
    let error = recording.visit(&mut |_, events| {
        seen += events.iter().count();
        Ok::<_, hansard_replay::report::Failure>(())
    });
    assert!(error.is_err());
    assert_eq!(seen, 2, "the events of segment 0 only");

    // Forced, what opens is given, and what does not is listed.
    fs::write(session.path(&world, 1), [&session.segments[1].bytes[..400], b"junk"].concat()).unwrap();
    let mut recording = open(true);
    assert!(recording.doubts().unwrap().contains("altered: segment 1"));
    let mut raw = Vec::new();
    recording
        .visit(&mut |_, events| {
            raw.extend(events.to_vec());
            Ok::<_, hansard_replay::report::Failure>(())
        })
        .map_err(hansard_replay::report::Failure::from)
        .unwrap();
    assert!(raw.len() >= 5, "{raw:?}");
    assert_eq!(recording.troubles().len(), 1, "{:?}", recording.troubles());
}

#[test]
fn two_recipients_cannot_be_given_two_texts() {
    let world = World::new();
    let (secret, deceived) = generate_identity();
    let mut host = Host::new("web1");
    let mut plan = host.plan(&world, 1);
    plan.deceived = Some(deceived);
    let session = host.record(&plan);
    host.end(&session);
    session.save(&world);
    host.save(&world);
    world.run(&["export", "latest", "--as", "txt"]).expect(0, &["segment 0"]);
    fs::write(world.root.join("deceived.txt"), secret.as_bytes()).unwrap();
    let said = world.run(&["export", "latest", "--as", "raw", "--identity", "deceived.txt"]);
    said.expect(1, &["not the one the header commits to"]);
    assert_eq!(said.out, "");
}
