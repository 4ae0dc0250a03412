//! Keyframes kept between two openings: sealed, of these bytes only, and never trusted for what is shown.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use chrono::Utc;
use hansard_replay::cache::Cache;
use hansard_replay::cache::beside::{Beside, Work};
use hansard_replay::cache::warm::{self, Start};
use hansard_replay::cmd::play::{Opened, shape};
use hansard_replay::context::Seen;
use hansard_replay::desk::Desk;
use hansard_replay::evidence::Chains;
use hansard_replay::play::{Settings, still};
use hansard_replay::report::Failure;
use hansard_replay::viewing::Viewing;
use hansard_schemas::keys::Identities;
use hansard_sinks::{Address, TimeRange, open_store};

use crate::store::{Host, Session, World, time};

fn desk(world: &World) -> Desk {
    let store = open_store(&Address::parse(world.store().to_str().unwrap()).unwrap()).unwrap();
    let chains = Chains::load(&*store).unwrap();
    let identity = fs::read_to_string(world.root.join(".config/hansard/identity.txt")).unwrap();
    let seen = Seen { standings: BTreeMap::new(), rollbacks: Vec::new() };
    let now = time(u64::try_from(Utc::now().timestamp_millis()).unwrap());
    Desk::new(
        store,
        chains,
        seen,
        &TimeRange::default(),
        Identities::parse(&identity).unwrap(),
        now,
        Viewing::default(),
    )
    .unwrap()
}

fn cache(world: &World) -> Cache {
    Cache::of_keyframes(&world.root.join("cache"))
}

fn files(world: &World) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(world.root.join("cache")) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn start(world: &World) -> (Desk, Start) {
    let desk = desk(world);
    let session = desk.find("latest").unwrap().session.clone();
    let start = warm::start(&desk, &session, Some(&cache(world))).unwrap();
    (desk, start)
}

/// Does the work beside playing to its end. `Err` is a refusal.
fn beside(world: &World, (desk, start): (Desk, Start)) -> Result<(), Failure> {
    let session = start.evidence.session.clone();
    let recording = desk.open_examined(start.evidence.clone(), false).unwrap().recording;
    let (size, feed) = shape(&recording);
    let (index, end_ms) = start.known.map_or((None, None), |(index, end_ms)| (Some(index), end_ms));
    let source = Opened::new(recording, end_ms).unwrap();
    let (evidence, unread, cache) = (start.evidence, start.unread, Some(cache(world)));
    let work = Work { desk, session, evidence, unread, index, source, size, feed, cache };
    let beside = Beside::begin(work).unwrap();
    while !beside.is_done() {
        std::thread::sleep(Duration::from_millis(2));
    }
    match beside.refused() {
        Some(failure) => Err(failure),
        None => {
            assert!(beside.leave(), "all was checked");
            Ok(())
        }
    }
}

/// What is shown at the end.
fn shown(desk: &Desk, start: &Start) -> Result<String, String> {
    let recording = desk.open_examined(start.evidence.clone(), false).map_err(|failure| failure.message)?.recording;
    let (size, feed) = shape(&recording);
    let (index, end_ms) = start.known.clone().map_or((None, None), |(index, end_ms)| (Some(index), end_ms));
    let mut opened = Opened::new(recording, end_ms).map_err(|failure| failure.message)?;
    let settings = Settings { start_at: Duration::from_secs(3600), index, ..Settings::default() };
    still(&mut opened, size, feed, &settings, (80, 24)).map_err(|error| error.to_string())
}

/// A store with a session of 40 segments that was gone through once.
fn kept() -> (World, Session) {
    let world = World::new();
    let mut host = Host::new("web1");
    let session = host.session(&world, 40);
    session.save(&world);
    host.save(&world);
    let first = start(&world);
    assert!(!first.1.unread && first.1.known.is_none());
    beside(&world, first).unwrap();
    (world, session)
}

#[test]
fn a_second_opening_reads_only_what_it_shows() {
    let (world, session) = kept();
    let found = files(&world);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(fs::metadata(&found[0]).unwrap().permissions().mode() & 0o777, 0o600);
    let bytes = fs::read(&found[0]).unwrap();
    for word in ["segment 3", "web1", &session.id.to_string(), "INC-42", ".hseg"] {
        assert!(!bytes.windows(word.len()).any(|at| at == word.as_bytes()), "{word} is in the file");
        assert!(!found[0].to_string_lossy().contains(word), "{word} is in its name");
    }
    let (cold_desk, cold) = (desk(&world), {
        let desk = desk(&world);
        let session = desk.find("latest").unwrap().session.clone();
        warm::start(&desk, &session, None).unwrap()
    });
    let expected = shown(&cold_desk, &cold).unwrap();
    assert!(expected.contains("segment 39"), "{expected}");
    // Segments that are not needed can be neither read nor opened: only their names and lengths are looked at.
    for number in 1..30 {
        let path = session.path(&world, number);
        let length = fs::metadata(&path).unwrap().len();
        fs::write(&path, vec![b'x'; usize::try_from(length).unwrap()]).unwrap();
    }
    let (desk, again) = start(&world);
    assert!(again.unread && again.known.as_ref().is_some_and(|(index, end)| index.complete && end.is_some()));
    assert_eq!(shown(&desk, &again).unwrap(), expected);
    // And it does not go unsaid.
    let refusal = beside(&world, (desk, again)).unwrap_err();
    assert!(refusal.message.contains("is refused") && refusal.message.contains("segment 1"), "{}", refusal.message);
}

#[test]
fn what_is_read_is_checked_before_it_is_shown() {
    let (world, session) = kept();
    let path = session.path(&world, 39);
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(&path, bytes).unwrap();
    let (desk, again) = start(&world);
    assert!(again.unread, "length and name are the same");
    let error = shown(&desk, &again).unwrap_err();
    assert!(error.contains("segment 39"), "{error}");
    // Another length, a segment that is gone: seen at once.
    fs::remove_file(&path).unwrap();
    let (desk, again) = start(&world);
    assert!(!again.unread);
    assert!(shown(&desk, &again).unwrap_err().contains("refused"));
}

#[test]
fn a_damaged_or_foreign_file_is_as_good_as_none() {
    let (world, _) = kept();
    let file = files(&world).remove(0);
    let good = fs::read(&file).unwrap();
    for at in [0, 10, 25, 53, 60, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 0x40;
        fs::write(&file, bad).unwrap();
        let (desk, again) = start(&world);
        assert!(!again.unread && again.known.is_none(), "byte {at}");
        assert!(shown(&desk, &again).unwrap().contains("segment 39"));
    }
    for cut in [0, 5, 52, 55, good.len() - 1] {
        fs::write(&file, &good[..cut]).unwrap();
        assert!(start(&world).1.known.is_none(), "cut at {cut}");
    }
    // Of another session, under this one's name.
    let (other, _) = kept();
    fs::write(&file, fs::read(&files(&other)[0]).unwrap()).unwrap();
    assert!(start(&world).1.known.is_none());
    // Written anew, it is good again.
    let first = start(&world);
    beside(&world, first).unwrap();
    assert!(start(&world).1.unread);
}

#[test]
fn who_cannot_open_the_recording_finds_nothing() {
    let (world, _) = kept();
    let identity = world.root.join(".config/hansard/identity.txt");
    let (secret, _) = hansard_schemas::keys::generate_identity();
    fs::write(identity, secret.as_bytes()).unwrap();
    let (desk, again) = start(&world);
    assert!(again.known.is_none() && !again.unread);
    assert!(shown(&desk, &again).unwrap_err().contains("no identity"));
}
