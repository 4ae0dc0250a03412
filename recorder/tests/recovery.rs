//! Sessions whose recorder is gone, at the level of the library: a spool copied while a session runs is what a crash at
//! that moment leaves. Not for kills of the real program: those are in the end-to-end suite.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::path::{Path, PathBuf};

use hansard_record::capture::who::{Host, Stated, Surroundings};
use hansard_record::config::Config;
use hansard_record::host_chain::HostChain;
use hansard_record::journal::recovery::{Found, recover};
use hansard_record::journal::session_dir::{Form, SessionDir};
use hansard_record::journal::spool::Spool;
use hansard_record::live::{Live, Plan};
use hansard_schemas::cast::Size;
use hansard_schemas::chain::{Chain, Kind};
use hansard_schemas::keys::{Recipients, generate_identity};
use hansard_schemas::segment::Checker;
use hansard_schemas::session::{Stop, StopOutcome};
use hansard_schemas::verdict::{SegmentFact, Summary, Verdict, judge};
use hansard_schemas::{SessionId, Timestamp};
use hansard_tee::{Message, Recorder as _, Reply, Stream};

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn spool(&self) -> PathBuf {
        self.dir.path().join("spool")
    }

    fn start(&self) -> Live {
        let mut config = Config::default();
        config.spool.dir = Some(self.spool());
        let (_, recipient) = generate_identity();
        let plan = Plan {
            config,
            recipients: Recipients::parse_file(&recipient).unwrap(),
            interactive: true,
            stated: Stated::default(),
            around: Surroundings::look(),
            size: Size { cols: 80, rows: 24 },
            unrecorded: None,
        };
        Live::start(&plan, Vec::new(), Vec::new()).unwrap()
    }

    /// What a crash now would leave: everything but the locks.
    fn crash(&self) -> Place {
        let copy = Place::new();
        copy_tree(&self.spool(), &copy.spool());
        copy
    }

    fn chain(&self) -> HostChain {
        let spool = Spool::open(&self.spool()).unwrap();
        HostChain::open(&spool, &Host::this().unwrap()).unwrap()
    }

    fn take(&self, session: SessionId) -> SessionDir {
        SessionDir::take(&self.spool().join("sessions"), session).unwrap().unwrap()
    }

    fn recover(&self, session: SessionId) -> Found {
        recover(&self.take(session), &self.chain(), "a test").unwrap()
    }

    fn verdict(&self, session: SessionId) -> (Verdict, bool) {
        let chain = self.chain();
        let lines = chain.log().lines_from(0).unwrap().concat();
        let chain = Chain::from_objects(chain.id(), [(None, lines)]);
        let facts: Vec<SegmentFact> = self
            .take(session)
            .segments()
            .unwrap()
            .into_iter()
            .map(|segment| {
                assert_eq!(segment.form, Form::Closed, "{}", segment.path.display());
                let bytes = std::fs::read(&segment.path).unwrap();
                let mut checker = Checker::new();
                let checked = checker.push(&bytes).and_then(|()| checker.finish());
                let object = segment.path.display().to_string();
                SegmentFact::placed(object, segment.number, checked.map(|c| Summary::from(&c)))
            })
            .collect();
        let judgement = judge(session, &facts, Some(&chain), Timestamp::new(chrono::Utc::now()));
        (judgement.verdict, judgement.ok())
    }

    fn recovered_entries(&self) -> usize {
        let entries = self.chain().log().entries_from(0).unwrap();
        entries.iter().filter(|e| matches!(e.kind, Kind::Recovered { .. })).count()
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
            // Renamed by the closer in between, as it may be in a crash.
            assert_eq!(e.kind(), std::io::ErrorKind::NotFound, "{e}");
        }
    }
}

fn show(live: &mut Live, number: u64, t_us: u64, text: &str) {
    live.recorder.submit(number, t_us, Message::Output { stream: Stream::Output, bytes: text.as_bytes() });
    assert_eq!(live.recorder.reply(), Some(Reply::Accepted(number)));
}

fn stop() -> Stop {
    Stop { outcome: StopOutcome::Exited, status: 0, signal: None, left_behind: Vec::new() }
}

#[test]
fn rec_1_a_crash_at_any_moment_is_closed_as_recovered_once() {
    let place = Place::new();
    let mut live = place.start();
    let session = live.session();
    let mut crashes = vec![place.crash()];
    for second in 1..8 {
        show(&mut live, second, second * 1_000_000, "some output\r\n");
        crashes.push(place.crash());
        // From the sixth on, the segment is five seconds old and is cut.
        live.recorder.tick(second * 1_000_000);
        crashes.push(place.crash());
    }
    for crash in crashes {
        assert!(matches!(crash.recover(session), Found::Recovered { .. }));
        let (verdict, ok) = crash.verdict(session);
        assert!(matches!(verdict, Verdict::RecoveredAt { .. }) && ok, "{verdict}");
        // Again, as after a crash of the recovery at its end: nothing more is said, nothing changes.
        let said = crash.recovered_entries();
        assert!(matches!(crash.recover(session), Found::Recovered { .. }));
        assert_eq!(crash.recovered_entries(), said);
        assert_eq!(crash.verdict(session).0, verdict);
    }
    live.end(9_000_000, stop(), |_| {}).unwrap();
    assert_eq!(place.crash().verdict(session), (Verdict::Complete, true));
}

#[test]
fn a_recovery_that_was_interrupted_goes_on_with_what_it_has_said() {
    let place = Place::new();
    let mut live = place.start();
    let session = live.session();
    show(&mut live, 1, 1_000, "some output\r\n");
    let crash = place.crash();
    assert_eq!(crash.recover(session), Found::Recovered { segment: 0, blocks: 2 });
    let dir = crash.take(session);
    let closed = dir.segments().unwrap().remove(0).path;
    drop(dir);
    let bytes = std::fs::read(&closed).unwrap();
    // The entry is in the chain; of the trailer only a part was written, or nothing, or it was all but renamed.
    for kept in [bytes.len(), bytes.len() - 1, bytes.len() - 200, bytes.len() - 600] {
        let again = crash.crash();
        let dir = again.take(session);
        let closed = dir.segments().unwrap().remove(0).path;
        std::fs::remove_file(&closed).unwrap();
        std::fs::write(dir.journal_path(0), &bytes[..kept]).unwrap();
        drop(dir);
        assert_eq!(again.recover(session), Found::Recovered { segment: 0, blocks: 2 });
        assert_eq!(again.recovered_entries(), 1);
        assert_eq!(std::fs::read(&closed).unwrap(), bytes, "cut to {kept}");
    }
    live.end(2_000, stop(), |_| {}).unwrap();
}

#[test]
fn rec_1_a_next_segment_with_a_torn_header_is_no_part_of_the_session() {
    let place = Place::new();
    let mut live = place.start();
    let session = live.session();
    show(&mut live, 1, 1_000, "some output\r\n");
    let crash = place.crash();
    // The recorder died while it made the next file, before the closer was done with this one.
    for kept in [0, 1, 40] {
        let torn = crash.crash();
        let dir = torn.take(session);
        let bytes = std::fs::read(dir.journal_path(0)).unwrap();
        std::fs::write(dir.journal_path(1), &bytes[..kept]).unwrap();
        drop(dir);
        for _ in 0..2 {
            assert_eq!(torn.recover(session), Found::Recovered { segment: 0, blocks: 2 });
            assert_eq!(torn.recovered_entries(), 1, "{kept} bytes of a header");
            let (verdict, ok) = torn.verdict(session);
            assert!(matches!(verdict, Verdict::RecoveredAt { .. }) && ok, "{verdict}");
        }
    }
    live.end(2_000, stop(), |_| {}).unwrap();
}

#[test]
fn rec_1_signed_segments_without_their_names_are_no_end() {
    let place = Place::new();
    let mut live = place.start();
    let session = live.session();
    for second in 1..14 {
        show(&mut live, second, second * 1_000_000, "some output\r\n");
        live.recorder.tick(second * 1_000_000);
    }
    let has_two =
        || place.crash().take(session).segments().unwrap().iter().filter(|s| s.form == Form::Closed).count() > 1;
    assert!((0..100).any(|_| has_two() || {
        std::thread::sleep(std::time::Duration::from_millis(50));
        false
    }));
    let crash = place.crash();
    let dir = crash.take(session);
    let mut names = 0;
    for segment in dir.segments().unwrap() {
        match segment.form {
            // The power was lost before the names were durable, and with it the file that was made last, or its header.
            Form::Closed => std::fs::rename(&segment.path, dir.journal_path(segment.number)).unwrap(),
            Form::Journal => std::fs::remove_file(&segment.path).unwrap(),
        }
        names += u32::from(segment.form == Form::Closed);
    }
    drop(dir);
    for torn in [false, true] {
        let crash = crash.crash();
        if torn {
            std::fs::write(crash.take(session).journal_path(names), b"{\"hansard\":1").unwrap();
        }
        for _ in 0..2 {
            assert_eq!(crash.recover(session), Found::Recovered { segment: names, blocks: 0 });
            assert_eq!(crash.recovered_entries(), 1);
            let (verdict, ok) = crash.verdict(session);
            assert!(matches!(verdict, Verdict::RecoveredAt { .. }) && ok, "{verdict}");
        }
    }
    live.end(15_000_000, stop(), |_| {}).unwrap();
}

#[test]
fn chain_2_a_crash_after_the_last_segment_gets_its_end() {
    let place = Place::new();
    let mut live = place.start();
    let session = live.session();
    show(&mut live, 1, 1_000, "some output\r\n");
    live.end(2_000, stop(), |_| {}).unwrap();
    // Copies, because this process has the lock until its threads are gone.
    assert_eq!(place.crash().recover(session), Found::Ended);
    // The same spool with a chain that lacks the `end`: the state and the log of before it.
    let before = Place::new();
    let mut other = before.start();
    let session = other.session();
    show(&mut other, 1, 1_000, "some output\r\n");
    let chain = before.dir.path().join("chain.before");
    copy_tree(&before.spool().join("chain"), &chain);
    other.end(2_000, stop(), |_| {}).unwrap();
    std::fs::remove_dir_all(before.spool().join("chain")).unwrap();
    copy_tree(&chain, &before.spool().join("chain"));
    let before = before.crash();
    assert_eq!(before.recover(session), Found::Ended);
    assert_eq!(before.verdict(session), (Verdict::Complete, true));
}

#[test]
fn a_folder_without_a_start_is_no_session() {
    let place = Place::new();
    let live = place.start();
    let session = live.session();
    let crash = place.crash();
    // The crash was before the entry: the folder is there, the chain says nothing.
    std::fs::remove_dir_all(crash.spool().join("chain")).unwrap();
    assert_eq!(crash.recover(session), Found::NeverStarted);
    live.end(1_000, stop(), |_| {}).unwrap();
}
