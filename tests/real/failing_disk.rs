//! A spool on a disk that hangs, fails or writes half: on a file system of the test's own, from the kernel's side of the
//! call, so that everything that touches the disk meets it and nothing else does.
//!
//! The user sees what happens, nothing recorded before is lost, and when the disk is well again, so is the recording.

use std::time::{Duration, Instant};

use fuser::Errno;
use hansard_tests::call::{code, said};
use hansard_tests::home::Home;
use hansard_tests::terminal::{Terminal, find};
use hansard_tests::{SOON, process, wait_until};

use crate::disk::{HELD, without_notices};
use crate::sick_disk::{Ask, Ill, Recovery, SickDisk};

const SILENT: &str = "the disk of the spool does not answer";

/// A session that answers every line, its spool on a disk that is well so far.
struct Session {
    // Dropped in this order: the disk gets well, what runs on it ends, it goes.
    _recovery: Recovery,
    terminal: Terminal,
    disk: SickDisk,
    home: Home,
}

impl Session {
    fn new(config: &str) -> Self {
        Self::of(config, "echo ready; while read x; do echo \"got $x\"; done; exit 6")
    }

    fn of(config: &str, script: &str) -> Self {
        let home = Home::new();
        home.configure(config);
        let disk = SickDisk::new(&home);
        let call = home.recorder(["run", "--quiet", "--spool"]).arg(disk.path()).args(["--", "/bin/sh", "-c", script]);
        let terminal = Terminal::running(&call);
        terminal.wait_text("ready\r\n");
        Self { _recovery: disk.recovery(), terminal, disk, home }
    }

    fn says(&self, line: &str) {
        self.terminal.type_in(format!("{line}\n"));
        self.terminal.wait_text(&format!("got {line}\r\n"));
    }

    fn waits_for_the_disk(&self) {
        wait_until("a call waits for the disk", SOON, || (self.disk.waiting() > 0).then_some(()));
    }

    /// Ends it: everything displayed is recorded, and all of it is whole. Gives what was displayed.
    fn finish(mut self) -> (Home, String) {
        self.terminal.type_in("\x04");
        assert_eq!(self.terminal.status(SOON), 6, "{}", self.terminal.text());
        let shown = self.terminal.drained();
        let recorded = self.home.raw("latest");
        let (itself, again) = (without_notices(&shown), without_notices(&recorded));
        assert_eq!(String::from_utf8_lossy(&again), String::from_utf8_lossy(&itself));
        self.home.assert_complete();
        (self.home, String::from_utf8_lossy(&shown).into_owned())
    }
}

/// Lines of the exported recording with this code and word.
fn said_in(home: &Home, letter: &str, word: &str) -> usize {
    let cast = String::from_utf8(home.export("latest", "cast")).expect("asciicast is UTF-8");
    cast.lines().filter(|line| line.contains(&format!("\"{letter}\"")) && line.contains(word)).count()
}

#[test]
fn a_disk_that_hangs_holds_the_output_and_the_terminal_says_so_after_the_stall_time() {
    let session = Session::new("[journal]\nstall = \"1s\"\n");
    session.says("zero");
    session.disk.falls_ill(Ask::Write, Ill::Hangs);
    let began = Instant::now();
    session.terminal.type_in("one\n");
    session.waits_for_the_disk();
    session.terminal.wait_text(SILENT);
    assert!(began.elapsed() >= Duration::from_secs(1), "it was said after {:?} already", began.elapsed());
    assert!(!session.terminal.text().contains("got one"), "it was displayed before it was recorded");
    session.disk.gets_well();
    session.terminal.wait_text("got one\r\n");
    session.says("two");
    let (home, _) = session.finish();
    assert_eq!(said_in(&home, "m", SILENT), 1);
}

#[test]
fn while_the_disk_hangs_interrupts_and_sizes_pass_and_what_is_typed_waits() {
    for input in ["off", "on"] {
        let config = format!("[journal]\nstall = \"300ms\"\n[input]\nmode = \"{input}\"\n");
        let script = "trap 'echo > interrupted' INT; trap 'stty size > size' WINCH; echo ready
            while :; do read x || continue; [ \"$x\" != end ] || exit 6; echo \"got $x\"; done";
        let mut session = Session::of(&config, script);
        session.says("zero");
        session.disk.falls_ill(Ask::Write, Ill::Hangs);
        session.terminal.type_in("one\n");
        session.waits_for_the_disk();
        session.terminal.wait_text(SILENT);
        session.terminal.type_in("lat");
        session.terminal.type_in("\x03");
        wait_until("the interrupt", SOON, || session.home.join("interrupted").exists().then_some(()));
        session.terminal.resize(100, 30);
        let size = || std::fs::read_to_string(session.home.join("size")).unwrap_or_default();
        wait_until("the size", SOON, || (size() == "30 100\n").then_some(()));
        session.terminal.type_in("er\n");
        assert!(session.disk.waiting() > 0 && !session.terminal.text().contains("got one"), "the disk did not hang");
        session.disk.gets_well();
        session.terminal.wait_text("got later\r\n");
        session.terminal.type_in("end\n");
        assert_eq!(session.terminal.status(SOON), 6, "{}", session.terminal.text());
        let shown = session.terminal.drained();
        assert!(without_notices(&session.home.raw("latest")) == without_notices(&shown), "the recording differs");
        assert_eq!(said_in(&session.home, "r", "100x30"), 1, "{input}");
        session.home.assert_complete();
        if input == "on" {
            let typed = session.home.raw_stream("latest", "input");
            assert_eq!(String::from_utf8_lossy(&typed), "zero\none\nlat\x03er\nend\n");
        }
    }
}

#[test]
fn while_the_disk_hangs_a_hang_up_passes() {
    let script = "trap 'echo > hung-up; exit 7' HUP; echo ready; while read x; do echo \"got $x\"; done; exit 6";
    let mut session = Session::of("[journal]\nstall = \"300ms\"\n", script);
    session.says("zero");
    session.disk.falls_ill(Ask::Write, Ill::Hangs);
    session.terminal.type_in("one\n");
    session.waits_for_the_disk();
    session.terminal.wait_text(SILENT);
    let shown = session.terminal.bytes();
    session.terminal.hang_up();
    wait_until("the hang-up", SOON, || session.home.join("hung-up").exists().then_some(()));
    assert!(session.disk.waiting() > 0, "the disk did not hang");
    session.disk.gets_well();
    session.terminal.ended(SOON);
    assert!(without_notices(&session.home.raw("latest")).starts_with(&without_notices(&shown)));
    session.home.assert_complete();
    let told = said(&session.home.replay(["show", "latest"]).output());
    assert!(told.contains("disconnected"), "{told}");
}

#[test]
fn a_disk_that_hangs_for_less_than_the_stall_time_is_no_news() {
    let session = Session::new("[journal]\nstall = \"20s\"\n");
    session.disk.falls_ill(Ask::Write, Ill::Hangs);
    session.terminal.type_in("one\n");
    session.waits_for_the_disk();
    session.terminal.waits(Duration::from_millis(600), |_| false);
    assert!(!session.terminal.text().contains("got one"));
    session.disk.gets_well();
    session.terminal.wait_text("got one\r\n");
    let (home, shown) = session.finish();
    assert!(!shown.contains("hansard-record:"), "{shown}");
    assert_eq!(said_in(&home, "m", "hansard"), 0);
}

#[test]
fn syncs_that_hang_are_said_where_the_kernel_lets_writes_wait_for_them() {
    // It does on this file system: a write waits for the sync of its file. (Where it does not, nothing is held: `disk`.)
    let session = Session::new("[journal]\nsync_interval = \"50ms\"\nstall = \"300ms\"\n");
    session.says("zero");
    session.disk.falls_ill(Ask::Sync, Ill::Hangs);
    // Until the sync that hangs is one of the file that is written.
    let held = (0..).map(|number| format!("got {number}\r\n")).enumerate().find(|(number, shown)| {
        session.terminal.type_in(format!("{number}\n"));
        let shown = |bytes: &[u8]| find(bytes, shown.as_bytes()).is_some();
        let silent = |bytes: &[u8]| find(bytes, SILENT.as_bytes()).is_some();
        assert!(session.terminal.waits(SOON, |bytes| shown(bytes) || silent(bytes)), "{}", session.terminal.text());
        silent(&session.terminal.bytes())
    });
    let (_, held) = held.expect("numbers do not end");
    assert!(session.disk.waiting() > 0 && !session.terminal.text().contains(&held), "{}", session.terminal.text());
    session.disk.gets_well();
    session.terminal.wait_text(&held);
    session.says("on");
    session.finish();
}

#[test]
fn writes_that_fail_hold_the_output_until_they_do_not() {
    for errno in [Errno::EIO, Errno::EDQUOT, Errno::ENOSPC, Errno::EROFS] {
        let session = Session::new("[journal]\nsync_interval = \"100ms\"\n");
        session.says("zero");
        session.disk.falls_ill(Ask::Write, Ill::Fails(errno));
        session.terminal.type_in("one\n");
        session.terminal.wait_text(HELD);
        session.terminal.type_in("two\n");
        session.terminal.waits(Duration::from_millis(300), |_| false);
        assert!(!session.terminal.text().contains("got one"), "it was displayed and not recorded");
        session.disk.gets_well();
        session.terminal.wait_text("got two\r\n");
        session.says("three");
        session.finish();
    }
}

#[test]
fn everything_fails_and_comes_back() {
    let session = Session::new("[journal]\nsync_interval = \"100ms\"\n[ship]\ninterval = \"300ms\"\n");
    session.says("zero");
    for ask in [Ask::Write, Ask::Sync, Ask::Name] {
        session.disk.falls_ill(ask, Ill::Fails(Errno::EIO));
    }
    session.terminal.type_in("one\n");
    session.terminal.wait_text(HELD);
    session.terminal.waits(Duration::from_secs(1), |_| false);
    session.disk.gets_well();
    session.terminal.wait_text("got one\r\n");
    session.says("two");
    session.finish();
}

#[test]
fn syncs_that_fail_give_the_segment_up_and_the_recording_says_so() {
    let session = Session::new("[journal]\nsync_interval = \"100ms\"\n");
    session.says("zero");
    session.disk.falls_ill(Ask::Sync, Ill::Fails(Errno::EIO));
    session.says("one");
    session.terminal.waits(Duration::from_millis(500), |_| false);
    session.says("two");
    session.disk.gets_well();
    session.says("three");
    let (home, _) = session.finish();
    assert!(said_in(&home, "g", "damaged") > 0, "no gap says so");
}

#[test]
fn writes_that_are_taken_by_halves_are_continued() {
    let session = Session::new("");
    session.disk.falls_ill(Ask::Write, Ill::Halves);
    for line in ["one", "two", "three"] {
        session.says(line);
    }
    session.finish();
}

#[test]
fn a_recorder_killed_while_the_disk_hangs_leaves_all_that_was_displayed() {
    let mut session = Session::new("");
    session.says("zero");
    session.says("one");
    session.disk.falls_ill(Ask::Write, Ill::Hangs);
    session.terminal.type_in("never displayed\n");
    session.waits_for_the_disk();
    process::kill_recorder(session.terminal.pid());
    session.disk.gets_well();
    session.terminal.ended(SOON);
    let shipped = session.home.recorder(["ship", "--spool"]).arg(session.disk.path()).output();
    assert_eq!(code(&shipped), 0, "{}", said(&shipped));
    let shown = session.terminal.bytes();
    assert!(session.home.raw("latest").starts_with(&shown), "{}", String::from_utf8_lossy(&shown));
    let verified = session.home.verify(["latest"]);
    assert_eq!(verified.code, 0, "{}", verified.said);
    assert!(verified.said.contains("recovered at"), "{}", verified.said);
}

#[test]
fn a_disk_that_is_ill_from_the_start_starts_no_session() {
    for (ask, ill) in [
        (Ask::Write, Ill::Fails(Errno::EIO)),
        (Ask::Sync, Ill::Fails(Errno::EIO)),
        (Ask::Name, Ill::Fails(Errno::EROFS)),
    ] {
        let home = Home::new();
        let disk = SickDisk::new(&home);
        disk.falls_ill(ask, ill);
        let call = home.recorder(["run", "--quiet", "--spool"]).arg(disk.path()).args(["--", "touch", "started"]);
        let output = call.output();
        assert_eq!(code(&output), 125, "{ask:?}: {}", said(&output));
        assert!(said(&output).contains("hint:"), "{ask:?}: {}", said(&output));
        assert!(!home.join("started").exists(), "{ask:?}: the command was run");
    }
}

#[test]
fn a_command_that_ends_on_a_disk_that_is_dead_ends_all_the_same() {
    let mut session = Session::new("");
    session.says("zero");
    for ask in [Ask::Write, Ask::Sync, Ask::Name] {
        session.disk.falls_ill(ask, Ill::Fails(Errno::EIO));
    }
    let shown = session.terminal.bytes();
    session.terminal.type_in("\x04");
    assert_eq!(session.terminal.status(SOON), 125, "{}", session.terminal.text());
    session.terminal.wait_text("hint:");
    let text = session.terminal.text();
    assert!(text.contains("the journal cannot be written") && text.contains("hansard-record ship"), "{text}");
    // What was recorded before is there, once the disk is.
    session.disk.gets_well();
    let shipped = session.home.recorder(["ship", "--spool"]).arg(session.disk.path()).output();
    assert_eq!(code(&shipped), 0, "{}", said(&shipped));
    assert!(session.home.raw("latest").starts_with(&shown));
    let verified = session.home.verify(["latest"]);
    assert!(verified.code == 0 && verified.said.contains("recovered at"), "{}", verified.said);
}
