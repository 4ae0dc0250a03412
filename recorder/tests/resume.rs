//! Sessions whose recorder is killed while their tees live on, at the level of the library: a spool copied while a session
//! runs is what a kill at that moment leaves, and other services on the copy are the next recorder. Not for kills of real
//! processes: those are in the end-to-end suite.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up fails")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hansard_record::capture::session::Session;
use hansard_record::capture::who::{Stated, Surroundings, identify};
use hansard_record::cli::InputMode;
use hansard_record::config::Config;
use hansard_record::destinations;
use hansard_record::journal::outbox;
use hansard_record::services::{Begun, Choices, Handle, Opening, Resume, Resumed, Services};
use hansard_record::ship::Choice;
use hansard_schemas::cast::{Code, Event, EventData, Gap, GapWhy, Size};
use hansard_schemas::chain::Chain;
use hansard_schemas::keys::{Identities, Recipients, SecretCache, generate_identity};
use hansard_schemas::segment::{Checker, EventReader, secret};
use hansard_schemas::session::{Stop, StopOutcome};
use hansard_schemas::verdict::{Judgement, SegmentFact, Summary, Verdict, judge};
use hansard_schemas::{SessionId, Timestamp};
use hansard_tee::{Message, Reply, Stream};

const SIZE: Size = Size { cols: 80, rows: 24 };

/// A spool, and who may read what is in it.
struct Place {
    dir: tempfile::TempDir,
    identity: String,
    recipients: Arc<Recipients>,
}

impl Place {
    fn new() -> Self {
        let (identity, recipient) = generate_identity();
        let recipients = Arc::new(Recipients::parse_file(&recipient).unwrap());
        Self { dir: tempfile::tempdir().unwrap(), identity: identity.to_string(), recipients }
    }

    fn spool(&self) -> PathBuf {
        self.dir.path().join("spool")
    }

    fn services(&self) -> Arc<Services> {
        self.services_to(None)
    }

    /// With a directory that recordings go to.
    fn services_to(&self, store: Option<&Path>) -> Arc<Services> {
        let mut config = Config::default();
        config.spool.dir = Some(self.spool());
        config.to = store.iter().map(|path| path.to_str().unwrap().to_owned()).collect();
        let sinks = if store.is_some() { destinations::open(&config).unwrap() } else { Vec::new() };
        Services::start(config, sinks, Vec::new()).unwrap()
    }

    fn choices(&self) -> Choices {
        let recipients = Arc::clone(&self.recipients);
        Choices { recipients, input: InputMode::Off, on_pipes: false, on_terminal: false }
    }

    fn begin(&self, services: &Services) -> Begun {
        let now = Timestamp::new(chrono::Utc::now());
        let id = services.new_session(now);
        let identity = identify(id, now, services.host(), true, &Stated::default(), &Surroundings::look());
        let (places, choices) = (Choice::default(), self.choices());
        services.begin(Opening { identity, size: SIZE, term: None, places, choices }).unwrap()
    }

    /// What a kill now leaves: everything but the locks.
    fn kill(&self) -> Place {
        let dir = tempfile::tempdir().unwrap();
        copy_tree(&self.spool(), &dir.path().join("spool"));
        Place { dir, identity: self.identity.clone(), recipients: Arc::clone(&self.recipients) }
    }

    fn resume(&self, services: &Services, session: SessionId, now_ms: u64) -> Resumed {
        assert!(services.reserve().unwrap().contains(&session));
        match services.resume(session, SIZE, now_ms, "the recorder was killed", &self.choices()).unwrap() {
            Resume::GoesOn(resumed) => resumed,
            Resume::Over => panic!("it is over"),
            Resume::Unknown => panic!("it is unknown"),
        }
    }

    fn folder(&self, session: SessionId) -> PathBuf {
        self.spool().join("sessions").join(session.to_string())
    }

    /// The one file of the folder whose name ends so.
    fn file(&self, session: SessionId, end: &str) -> PathBuf {
        let files = std::fs::read_dir(self.folder(session)).unwrap().map(|entry| entry.unwrap().path());
        let mut found: Vec<_> = files.filter(|path| path.to_str().unwrap().ends_with(end)).collect();
        assert_eq!(found.len(), 1, "{end}: {found:?}");
        found.remove(0)
    }

    /// The closed segments, in their order.
    fn segments(&self, session: SessionId) -> Vec<(u32, Vec<u8>)> {
        let files = std::fs::read_dir(self.folder(session)).unwrap().map(|entry| entry.unwrap().path());
        let mut segments: Vec<_> = files
            .filter(|path| path.extension().is_some_and(|e| e == "hseg"))
            .map(|path| {
                (path.file_name().unwrap().to_str().unwrap()[..6].parse().unwrap(), std::fs::read(&path).unwrap())
            })
            .collect();
        segments.sort();
        segments
    }

    fn judgement(&self, services: &Services, session: SessionId) -> Judgement {
        let lines = services.chain().log().lines_from(0).unwrap().concat();
        let chain = Chain::from_objects(services.chain().id(), [(None, lines)]);
        let facts: Vec<SegmentFact> = self
            .segments(session)
            .into_iter()
            .map(|(number, bytes)| {
                let mut checker = Checker::new();
                let checked = checker.push(&bytes).and_then(|()| checker.finish());
                SegmentFact::placed(number.to_string(), number, checked.map(|c| Summary::from(&c)))
            })
            .collect();
        judge(session, &facts, Some(&chain), Timestamp::new(chrono::Utc::now()))
    }

    /// Every event of the closed segments. What a segment's header says of its time is that of the event before, or after a
    /// recovered one later.
    fn events(&self, session: SessionId) -> Vec<Event> {
        let identities = Identities::parse(&self.identity).unwrap();
        let (mut cache, mut events, mut end_ms) = (SecretCache::default(), Vec::new(), 0);
        for (_, bytes) in self.segments(session) {
            let mut checker = Checker::new();
            checker.push(&bytes).unwrap();
            let checked = checker.finish().unwrap();
            assert!(checked.header.offset_ms >= end_ms);
            let secret = secret(&checked.header, &checked.keys, &identities, &mut cache).unwrap();
            let mut reader = EventReader::new(&bytes, &secret).unwrap();
            while let Some(batch) = reader.next_batch().unwrap() {
                events.extend(batch.events);
            }
            end_ms = reader.time_ms();
        }
        events
    }

    fn output(&self, session: SessionId) -> String {
        let mut text = String::new();
        for event in self.events(session) {
            if let (Code::Output, EventData::Bytes(bytes)) = (event.code, event.data) {
                text.push_str(std::str::from_utf8(&bytes).unwrap());
            }
        }
        text
    }

    fn restarts(&self, session: SessionId) -> usize {
        let is_restart = |event: &Event| match (&event.code, &event.data) {
            (Code::Gap, EventData::Text(text)) => Gap::parse(text).unwrap().why == GapWhy::Restart,
            _ => false,
        };
        self.events(session).iter().filter(|event| is_restart(event)).count()
    }
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else if let Err(e) = std::fs::copy(entry.path(), target) {
            // The threads that deliver still write: what is about to replace a cursor has its name for a moment only.
            let is_passing = entry.path().extension().is_some_and(|extension| extension == "new");
            assert!(is_passing && e.kind() == std::io::ErrorKind::NotFound, "{}: {e}", entry.path().display());
        }
    }
}

/// Waits until the segments up to this one are closed, so that a copy finds every file.
fn closed(handle: &Handle, number: u32) {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while handle.progress().head.is_none_or(|head| head.0 < number) {
        assert!(std::time::Instant::now() < deadline, "{:?}", handle.progress());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Each message is one second after the one before, and says its number.
fn show(session: &mut Session, number: u64) {
    let text = format!("message {number}\r\n");
    session.submit(number, number * 1_000_000, Message::Output { stream: Stream::Output, bytes: text.as_bytes() });
    assert_eq!(session.replies().pop_front(), Some(Reply::Accepted(number)));
}

fn shown(numbers: std::ops::RangeInclusive<u64>) -> String {
    numbers.map(|number| format!("message {number}\r\n")).collect()
}

fn finish(mut session: Session, handle: &Handle, t_ms: u64) {
    let stop = Stop { outcome: StopOutcome::Exited, status: 0, signal: None, left_behind: Vec::new() };
    session.finish(t_ms, stop).unwrap();
    assert!(handle.wait_ended(Duration::from_secs(20)), "{:?}", handle.progress());
}

fn cut(session: &mut Session, handle: &Handle, t_ms: u64, number: u32) {
    session.tick(t_ms * 1_000);
    closed(handle, number);
}

/// What must hold of every session that went on and ended.
fn is_whole(place: &Place, services: &Services, session: SessionId, last: u64, restarts: usize) {
    let judgement = place.judgement(services, session);
    assert!(matches!(judgement.verdict, Verdict::RecoveredAt { .. }) && judgement.ok(), "{judgement:#?}");
    assert_eq!((judgement.outcome.as_deref(), judgement.notes.len()), (Some("exited"), 0), "{judgement:#?}");
    assert_eq!(place.output(session), shown(1..=last));
    assert_eq!(place.restarts(session), restarts);
    let events = outbox::list(&place.folder(session)).unwrap();
    assert_eq!(events.iter().map(|event| event.word.as_str()).collect::<Vec<_>>(), ["started", "stopped"]);
}

#[test]
fn rec_4_a_session_whose_recorder_is_killed_again_and_again_loses_and_doubles_nothing() {
    let mut place = Place::new();
    let services = place.services();
    let Begun { mut session, handle } = place.begin(&services);
    let id = handle.session();
    (1..=3).for_each(|number| show(&mut session, number));
    let mut number = 3;
    // Until a kill some rounds do nothing, some show something, some close segments.
    for round in 0..6_u32 {
        let killed = place.kill();
        let services = killed.services();
        let Resumed { mut session, position, handle } = killed.resume(&services, id, number * 1_000 + 500);
        assert_eq!(position, number, "round {round}");
        for _ in 0..round % 3 {
            number += 1;
            show(&mut session, number);
        }
        if round % 2 == 1 {
            cut(&mut session, &handle, (number + 10) * 1_000, round + 1);
        }
        place = killed;
        std::mem::forget((session, services));
    }
    let killed = place.kill();
    let services = killed.services();
    let Resumed { session, position, handle } = killed.resume(&services, id, number * 1_000 + 800);
    assert_eq!(position, number);
    finish(session, &handle, number * 1_000 + 900);
    is_whole(&killed, &services, id, number, 7);
}

#[test]
fn a_kill_between_two_segments_leaves_a_number_without_segment() {
    let place = Place::new();
    let services = place.services();
    let Begun { mut session, handle } = place.begin(&services);
    let id = handle.session();
    show(&mut session, 1);
    cut(&mut session, &handle, 9_000, 0);
    // The next file is not there, or has not even a header.
    for left in [None, Some(0), Some(40)] {
        let killed = place.kill();
        let open = killed.file(id, ".journal");
        match left {
            None => std::fs::remove_file(&open).unwrap(),
            Some(length) => std::fs::File::options().write(true).open(&open).unwrap().set_len(length).unwrap(),
        }
        let services = killed.services();
        let Resumed { mut session, position, handle } = killed.resume(&services, id, 9_500);
        assert_eq!(position, 1);
        (2..=3).for_each(|number| show(&mut session, number));
        // And once more, before the next cut.
        let again = killed.kill();
        std::mem::forget((session, services));
        let services = again.services();
        let Resumed { mut session, position, .. } = again.resume(&services, id, 9_600);
        assert_eq!(position, 3);
        show(&mut session, 4);
        let handle = services.session(handle.session()).unwrap();
        finish(session, &handle, 10_000);
        is_whole(&again, &services, id, 4, 2);
        let numbers: Vec<u32> = again.segments(id).iter().map(|segment| segment.0).collect();
        assert_eq!(numbers, [0, 2, 3]);
    }
}

#[test]
fn a_kill_while_a_session_is_taken_up_is_met_by_the_next_one() {
    let place = Place::new();
    let services = place.services();
    let Begun { mut session, handle } = place.begin(&services);
    let id = handle.session();
    show(&mut session, 1);
    // The next segment is durable, the chain does not know: the chain of before the resumption.
    let killed = place.kill();
    let before = killed.dir.path().join("chain.before");
    copy_tree(&killed.spool().join("chain"), &before);
    let segment_0 = std::fs::read(killed.file(id, "000000.journal")).unwrap();
    let services = killed.services();
    std::mem::forget(killed.resume(&services, id, 1_500));
    for (chain_knows, renamed) in [(false, false), (true, false), (true, true)] {
        let again = killed.kill();
        if !chain_knows {
            std::fs::remove_dir_all(again.spool().join("chain")).unwrap();
            copy_tree(&again.dir.path().join("../").join(&before), &again.spool().join("chain"));
        }
        if !renamed {
            std::fs::remove_file(again.file(id, ".hseg")).unwrap();
            std::fs::write(again.folder(id).join("000000.journal"), &segment_0).unwrap();
        }
        let services = again.services();
        let Resumed { mut session, position, handle } = again.resume(&services, id, 1_600);
        assert_eq!(position, 1);
        show(&mut session, 2);
        finish(session, &handle, 3_000);
        is_whole(&again, &services, id, 2, 2);
    }
    std::mem::forget(services);
}

#[test]
fn promise_5_what_went_on_arrives_whole_and_leaves_the_spool() {
    let place = Place::new();
    let store = place.dir.path().join("store");
    let services = place.services_to(Some(&store));
    let Begun { mut session, handle } = place.begin(&services);
    let id = handle.session();
    show(&mut session, 1);
    cut(&mut session, &handle, 9_000, 0);
    assert!(handle.wait_delivered(Duration::from_secs(20), |_| ()));
    show(&mut session, 2);
    let killed = place.kill();
    let services = killed.services_to(Some(&store));
    let Resumed { mut session, position, handle } = killed.resume(&services, id, 11_000);
    assert_eq!(position, 2);
    show(&mut session, 3);
    finish(session, &handle, 12_000);
    assert!(handle.wait_delivered(Duration::from_secs(20), |_| ()));
    assert!(handle.release() && !killed.folder(id).exists());
    let days = store.join("segments");
    let mut found = vec![days];
    let mut segments = Vec::new();
    while let Some(path) = found.pop() {
        match std::fs::read_dir(&path) {
            Ok(entries) => found.extend(entries.map(|entry| entry.unwrap().path())),
            Err(_) => segments.push(path.file_name().unwrap().to_str().unwrap()[..6].to_owned()),
        }
    }
    segments.sort();
    assert_eq!(segments, ["000000", "000001", "000002"]);
}

#[test]
fn what_has_ended_does_not_go_on_and_what_nobody_comes_back_for_is_recovered() {
    let place = Place::new();
    let services = place.services();
    let Begun { mut session, handle } = place.begin(&services);
    let id = handle.session();
    show(&mut session, 1);
    let killed = place.kill();
    finish(session, &handle, 2_000);
    let ended = place.kill();
    let others = ended.services();
    assert_eq!(others.reserve().unwrap(), []);
    assert!(matches!(others.resume(id, SIZE, 0, "", &ended.choices()).unwrap(), Resume::Over));
    let unknown = others.new_session(Timestamp::new(chrono::Utc::now()));
    assert!(matches!(others.resume(unknown, SIZE, 0, "", &ended.choices()).unwrap(), Resume::Unknown));

    let services = killed.services();
    assert_eq!(services.reserve().unwrap(), [id]);
    // It is kept: whoever takes along what is left does not touch it.
    let taken = hansard_record::journal::session_dir::SessionDir::take(&killed.spool().join("sessions"), id);
    assert!(taken.unwrap().is_none());
    services.give_up(id, "nobody came back").unwrap();
    assert!(services.reserved().is_empty());
    let judgement = killed.judgement(&services, id);
    assert!(matches!(judgement.verdict, Verdict::RecoveredAt { segment: 0, .. }) && judgement.ok(), "{judgement:#?}");
    assert!(!matches!(services.resume(id, SIZE, 0, "", &killed.choices()), Ok(Resume::GoesOn(_))));
    // After it went on it can be given up as well.
    let twice = place_with_two_lives();
    let services = twice.0.services();
    assert_eq!(services.reserve().unwrap(), [twice.1]);
    services.give_up(twice.1, "nobody came back").unwrap();
    let judgement = twice.0.judgement(&services, twice.1);
    assert!(matches!(judgement.verdict, Verdict::RecoveredAt { segment: 0, .. }) && judgement.ok(), "{judgement:#?}");
    assert_eq!(twice.0.output(twice.1), shown(1..=2));
}

fn place_with_two_lives() -> (Place, SessionId) {
    let place = Place::new();
    let services = place.services();
    let Begun { mut session, handle } = place.begin(&services);
    let id = handle.session();
    show(&mut session, 1);
    let killed = place.kill();
    let services = killed.services();
    let mut resumed = killed.resume(&services, id, 1_500);
    show(&mut resumed.session, 2);
    let left = killed.kill();
    (left, id)
}

#[test]
fn a_session_can_be_given_from_thread_to_thread() {
    fn is_send<T: Send>() {}
    is_send::<Session>();
    is_send::<Begun>();
    is_send::<Resumed>();
}
