//! A disk that is full, fails a write, fails a sync, or hangs: the user sees it, nothing recorded before is lost, and the
//! end is closed from the reserve.
//!
//! Full disks are small tmpfs mounts; failing and hanging calls are put in by strace on the one file that matters.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use hansard_tests::home::Home;
use hansard_tests::terminal::{self, Terminal, find};
use hansard_tests::{LONG, SOON, process, programs, stream, wait_until};

use crate::heavy;
use crate::trace::{Fault, open_segment};

/// A small disk, unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn new(home: &Home, size: &str) -> Self {
        let path = home.join("small");
        std::fs::create_dir(&path).expect("a folder");
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size},mode=700"), "none"])
            .arg(&path)
            .status();
        assert!(status.expect("mount runs").success(), "no tmpfs: this suite needs to be root");
        Self(path)
    }

    fn resize(&self, size: &str) {
        let status = Command::new("mount").args(["-o", &format!("remount,size={size}")]).arg(&self.0).status();
        assert!(status.expect("mount runs").success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

pub const HELD: &str = "output is held";

/// What the program showed.
pub fn without_notices(shown: &[u8]) -> Vec<u8> {
    terminal::without_notices(shown, "hansard-record: ")
}

/// Nothing more is displayed for a while.
fn at_rest(terminal: &Terminal) {
    let mut last = (terminal.shown(), Instant::now());
    wait_until("output has come to rest", SOON, || {
        let now = terminal.shown();
        if now != last.0 {
            last = (now, Instant::now());
        }
        (last.1.elapsed() > Duration::from_millis(500)).then_some(())
    });
}

/// How much the session on a full disk wants to show.
const STREAM: usize = 20 << 20;

/// A session whose output is held because its disk is full.
fn held_on_a_full_disk(home: &Home) -> (SmallDisk, Terminal) {
    // One segment that is never cut: nothing can be delivered to make room.
    home.configure("[journal]\nmax_segment = 67108864\n[ship]\ninterval = \"1h\"\n");
    let disk = SmallDisk::new(home, "8m");
    let emit = programs::own("emit");
    let command = [emit.to_str().expect("a path"), "--raw", "random", "3", &STREAM.to_string(), "4096"];
    let call = home.recorder(["run", "--quiet", "--spool"]).arg(&disk.0).arg("--").args(command);
    let terminal = Terminal::raw_running(&call);
    assert!(terminal.waits(LONG, |bytes| find(bytes, HELD.as_bytes()).is_some()), "the disk was never full");
    at_rest(&terminal);
    (disk, terminal)
}

#[test]
fn a_full_disk_holds_the_output_until_there_is_space() {
    let _heavy = heavy();
    let home = Home::new();
    let (disk, mut terminal) = held_on_a_full_disk(&home);
    assert!(terminal.shown() < STREAM);
    disk.resize("100m");
    assert_eq!(terminal.status(LONG), 0);
    let shown = terminal.drained();
    assert!(without_notices(&shown) == stream::random(3, STREAM), "what was displayed is not the stream");
    assert!(without_notices(&home.raw("latest")) == stream::random(3, STREAM), "what was recorded is not the stream");
    home.assert_complete();
}

#[test]
fn a_kill_on_a_full_disk_loses_nothing_that_was_displayed() {
    let _heavy = heavy();
    let home = Home::new();
    let (disk, mut terminal) = held_on_a_full_disk(&home);
    process::kill_recorder(terminal.pid());
    terminal.ended(SOON);
    let shown = without_notices(&terminal.drained());
    assert!(shown.len() > 1 << 20);
    disk.resize("100m");
    home.recorder(["ship", "--spool"]).arg(&disk.0).ok();
    let recorded = home.raw("latest");
    assert!(recorded.starts_with(&shown), "{} bytes were displayed, {} recorded", shown.len(), recorded.len());
}

#[test]
fn a_session_on_a_full_disk_is_closed_from_the_reserve() {
    let _heavy = heavy();
    let home = Home::new();
    home.configure("[journal]\nmax_segment = 67108864\n[ship]\ninterval = \"1h\"\n");
    let disk = SmallDisk::new(&home, "8m");
    let emit = programs::own("emit");
    let command = [emit.to_str().expect("a path"), "--raw", "random", "3", "20000000", "4096"];
    let call = home.recorder(["run", "--quiet", "--spool"]).arg(&disk.0).arg("--").args(command);
    let mut terminal = Terminal::raw_running(&call);
    assert!(terminal.waits(LONG, |bytes| find(bytes, HELD.as_bytes()).is_some()), "the disk was never full");
    at_rest(&terminal);
    let shown = without_notices(&terminal.bytes());
    terminal.hang_up();
    terminal.ended(SOON);
    assert!(shown.len() > 1 << 20);
    let recorded = without_notices(&home.raw("latest"));
    assert!(recorded.starts_with(&shown), "{} bytes were displayed, {} recorded", shown.len(), recorded.len());
    let verified = home.verify::<&str>([]);
    assert_eq!(verified.code, 0, "{}", verified.said);
    assert!(verified.said.contains("complete"), "{}", verified.said);
}

#[test]
fn a_disk_without_space_starts_no_session() {
    let home = Home::new();
    let disk = SmallDisk::new(&home, "1m");
    let output = home.recorder(["run", "--quiet", "--spool"]).arg(&disk.0).args(["--", "touch", "started"]).output();
    assert_eq!(hansard_tests::call::code(&output), 125);
    assert!(hansard_tests::call::said(&output).contains("hint:"), "{}", hansard_tests::call::said(&output));
    assert!(!home.join("started").exists());
}

#[test]
fn a_spool_without_locks_or_syncs_starts_no_session() {
    for inject in ["flock:error=ENOLCK", "flock:error=EOPNOTSUPP", "fdatasync:error=EINVAL", "fsync:error=EIO"] {
        let home = Home::new();
        let strace = programs::outside("strace");
        let calls = format!("trace={}", inject.split(':').next().expect("a call"));
        let call = home.record(["touch", "started"]);
        let output = call
            .within(strace, ["-f", "-o", "/dev/null", "-e", &calls, "-e", &format!("inject={inject}"), "--"])
            .output();
        let said = hansard_tests::call::said(&output);
        assert_eq!(hansard_tests::call::code(&output), 125, "{inject}: {said}");
        assert!(said.contains("hint:") && said.contains("spool"), "{inject}: {said}");
        assert!(!home.join("started").exists(), "{inject}: the command was run");
    }
}

/// A session that answers every line, with a fault put on its open segment.
struct Session {
    home: Home,
    terminal: Terminal,
    segment: PathBuf,
}

fn session(config: &str) -> Session {
    let home = Home::new();
    home.configure(config);
    let terminal = Terminal::running(&home.record_sh("echo ready; while read x; do echo \"got $x\"; done; exit 6"));
    terminal.wait_text("ready\r\n");
    let segment = open_segment(&home.spool());
    Session { home, terminal, segment }
}

impl Session {
    fn fault(&self, calls: &str, inject: &str) -> Fault {
        Fault::on(self.terminal.pid(), &self.segment, calls, inject, &self.home.join("strace.log"))
    }

    fn say(&self, line: &str) {
        self.terminal.type_in(format!("{line}\n"));
        self.terminal.wait_text(&format!("got {line}\r\n"));
    }

    /// Ends it; everything displayed was recorded, and everything verifies. Gives what was displayed.
    fn finish(mut self, verdict: &str) -> (Home, String) {
        self.terminal.type_in("\x04");
        assert_eq!(self.terminal.status(SOON), 6);
        let shown = self.terminal.drained();
        let recorded = self.home.raw("latest");
        let (shown_itself, recorded_itself) = (without_notices(&shown), without_notices(&recorded));
        assert_eq!(String::from_utf8_lossy(&recorded_itself), String::from_utf8_lossy(&shown_itself));
        let verified = self.home.verify::<&str>([]);
        assert_eq!(verified.code, 0, "{}", verified.said);
        assert!(verified.said.contains(verdict), "{}", verified.said);
        (self.home, String::from_utf8_lossy(&shown).into_owned())
    }
}

#[test]
fn a_failing_sync_gives_the_segment_up_and_says_so() {
    let session = session("[journal]\nsync_interval = \"100ms\"\n");
    let fault = session.fault("fdatasync", "fdatasync:error=EIO:when=1");
    session.say("one");
    wait_until("the next segment", SOON, || {
        (!session.segment.exists() || open_segment(&session.home.spool()) != session.segment).then_some(())
    });
    drop(fault);
    session.say("two");
    let (home, _) = session.finish("complete");
    let cast = String::from_utf8(home.export("latest", "cast")).expect("asciicast is UTF-8");
    assert!(cast.lines().any(|l| l.contains("\"g\"") && l.contains("damaged")), "no gap says so:\n{cast}");
}

#[test]
fn a_failing_write_loses_nothing_that_was_displayed() {
    for error in ["EIO", "EDQUOT", "ENOSPC"] {
        let session = session("[journal]\nsync_interval = \"100ms\"\n");
        let fault = session.fault("write", &format!("write:error={error}:when=1..3"));
        session.say("one");
        session.say("two");
        drop(fault);
        session.say("three");
        session.finish("complete");
    }
}

#[test]
fn a_failing_write_in_bulk_loses_nothing_and_doubles_nothing() {
    let _heavy = heavy();
    for (inject, gap) in [
        ("write:error=EIO:when=9..11", true),
        ("write:error=EDQUOT:when=9..11", false),
        ("write:error=ENOSPC:when=9..900+7", false),
    ] {
        let home = Home::new();
        home.configure("[journal]\nmax_segment = 67108864\nstall = \"60s\"\n[ship]\ninterval = \"1h\"\n");
        let (emit, length) = (programs::own("emit"), 24_usize << 20);
        let script = format!("echo ready; read x; exec {} --raw lines 1 {length} 65536", emit.display());
        let mut terminal = Terminal::running(&home.record_sh(&script));
        terminal.wait_text("ready\r\n");
        let segment = open_segment(&home.spool());
        let fault = Fault::on(terminal.pid(), &segment, "write", inject, &home.join("strace.log"));
        terminal.type_in("\n");
        assert_eq!(terminal.status(LONG), 0, "{inject}");
        drop(fault);
        let stream = [b"ready\r\n\r\n", &*stream::lines(1, length)].concat();
        assert!(without_notices(&terminal.drained()) == stream, "{inject}: what was displayed is not the stream");
        assert!(without_notices(&home.raw("latest")) == stream, "{inject}: what was recorded is not the stream");
        home.assert_complete();
        let cast = String::from_utf8(home.export("latest", "cast")).expect("asciicast is UTF-8");
        let says_so = cast.lines().any(|l| l.contains("\"g\"") && l.contains("damaged"));
        assert_eq!(says_so, gap, "{inject}");
    }
}

#[test]
fn while_a_write_hangs_in_bulk_keys_pass() {
    let _heavy = heavy();
    let home = Home::new();
    home.configure("[journal]\nstall = \"300ms\"\n[ship]\ninterval = \"1h\"\n");
    let emit = programs::own("emit");
    let script = format!("trap 'echo interrupted > int; exit 7' INT; echo ready; read x; {} bulk", emit.display());
    let mut terminal = Terminal::running(&home.record_sh(&script));
    terminal.wait_text("ready\r\n");
    let segment = open_segment(&home.spool());
    let fault = Fault::on(terminal.pid(), &segment, "write", "write:delay_enter=4000000:when=20", &home.join("log"));
    terminal.type_in("\n");
    terminal.wait_text("the disk of the spool does not answer");
    let begun = Instant::now();
    terminal.type_in("\x03");
    wait_until("the interrupt", SOON, || home.join("int").exists().then_some(()));
    assert!(begun.elapsed() < Duration::from_secs(2), "the key came after {:?}", begun.elapsed());
    assert_eq!(terminal.status(SOON), 7);
    drop(fault);
    assert!(without_notices(&home.raw("latest")).starts_with(&without_notices(&terminal.drained())));
    home.assert_complete();
}

#[test]
fn a_write_cut_short_is_continued() {
    // Only part of a block reaches the file, then the disk is full: what follows must be the rest of that very block.
    let session = session("");
    let fault = session.fault("write", "write:error=EINTR:when=1..2");
    session.say("one");
    drop(fault);
    session.finish("complete");
}

#[test]
fn a_hanging_write_is_shown_and_holds_the_output() {
    let session = session("[journal]\nstall = \"300ms\"\n");
    let fault = session.fault("write", "write:delay_enter=2500000:when=1");
    let started = Instant::now();
    session.terminal.type_in("one\n");
    session.terminal.wait_text("the disk of the spool does not answer");
    assert!(!session.terminal.text().contains("got one"), "it was displayed before it was recorded");
    session.terminal.wait_text("got one\r\n");
    assert!(started.elapsed() > Duration::from_secs(2), "the disk did not hang");
    drop(fault);
    session.say("two");
    session.finish("complete");
}

#[test]
fn a_hanging_sync_does_not_hold_the_output() {
    let session = session("[journal]\nsync_interval = \"50ms\"\n");
    let fault = session.fault("fdatasync", "fdatasync:delay_enter=3000000:when=1");
    session.say("zero");
    let started = Instant::now();
    for line in ["one", "two", "three"] {
        session.say(line);
    }
    assert!(started.elapsed() < Duration::from_secs(2), "the relay waited {:?} for a sync", started.elapsed());
    drop(fault);
    session.finish("complete");
}

/// Fills what is left of a disk.
fn fill(disk: &SmallDisk) {
    let mut file = std::fs::File::create(disk.0.join("filler")).expect("a file");
    for block in [&[0x5a; 65536][..], &[0x5a; 512], &[0x5a]] {
        while file.write_all(block).is_ok() {}
    }
}

/// A command that writes this much that cannot be compressed and ends with 5, when it is told to; its disk is full by then,
/// and somebody else takes `eaten` bytes of what becomes free. Where much was sealed at once and not written, what is left of
/// the reserve may be too little for the end as well: the recorder then says so, and the session is closed as recovered.
fn ends_on_a_full_disk(length: usize, eaten: usize) -> (Home, Vec<u8>) {
    let home = Home::new();
    home.configure("[journal]\nmax_segment = 67108864\n[ship]\ninterval = \"1h\"\n");
    let disk = SmallDisk::new(&home, "8m");
    let emit = programs::own("emit");
    let script = format!("echo ready; read x; {} --raw random 3 {length} 4096; exit 5", emit.display());
    let call = home.recorder(["run", "--quiet", "--spool"]).arg(&disk.0).args(["--", "/bin/sh", "-c", &script]);
    let mut terminal = Terminal::raw_running(&call);
    terminal.wait_text("ready\n");
    fill(&disk);
    terminal.type_in("\n");
    let mut eater = std::fs::File::create(disk.0.join("eater")).expect("a file");
    let (until, mut left) = (Instant::now() + SOON, eaten);
    while left > 0 && Instant::now() < until {
        left -= eater.write(&vec![0x5a; left.min(4096)]).unwrap_or(0);
    }
    // Nobody hangs up, and nobody makes room.
    let status = terminal.status(SOON);
    let shown = terminal.drained();
    assert!(find(&shown, HELD.as_bytes()).is_some(), "the disk was not full");
    if eaten > 0 && status == 125 {
        assert!(
            find(&shown, b"closes the session as recovered").is_some(),
            "it does not say what becomes of the session"
        );
        std::fs::remove_file(disk.0.join("filler")).expect("removed");
        home.recorder(["ship", "--spool"]).arg(&disk.0).ok();
        let verified = home.verify(["latest"]);
        assert!(verified.code == 0 && verified.said.contains("recovered at"), "{}", verified.said);
        let end = find(&shown, b"hansard-record: error: ").unwrap_or(shown.len());
        return (home, without_notices(&shown[..end]));
    }
    assert_eq!(status, 5, "{}", String::from_utf8_lossy(&shown));
    home.assert_complete();
    (home, without_notices(&shown))
}

#[test]
fn a_command_that_ends_on_a_full_disk_shows_its_last_words_from_the_reserve() {
    let _heavy = heavy();
    let (home, shown) = ends_on_a_full_disk(100_000, 0);
    let stream = [b"ready\n", &*stream::random(3, 100_000)].concat();
    assert!(shown == stream, "{} bytes were displayed", shown.len());
    assert!(without_notices(&home.raw("latest")) == stream, "the recording differs");
}

#[test]
fn a_command_that_ends_on_a_full_disk_is_not_waited_for_when_the_reserve_is_not_enough() {
    let _heavy = heavy();
    let (home, shown) = ends_on_a_full_disk(200_000, 256 << 10);
    let stream = [b"ready\n", &*stream::random(3, 200_000)].concat();
    assert!(shown.len() < stream.len() && stream.starts_with(&shown), "{} bytes were displayed", shown.len());
    let recorded = without_notices(&home.raw("latest"));
    assert!(recorded.starts_with(&shown), "what was displayed is not recorded");
    assert!(stream.starts_with(&recorded), "what was recorded was not written");
    if home.verify(["latest"]).said.contains("recovered at") {
        return;
    }
    // What nobody got is a fact of the recording.
    let cast = String::from_utf8(home.export("latest", "cast")).expect("asciicast is UTF-8");
    let gap = cast.lines().find(|line| line.contains("\"g\"")).expect("a gap");
    assert!(gap.contains("dropped") && gap.contains("never shown"), "{gap}");
    let missing = stream.len() - recorded.len();
    assert!(gap.contains(&format!("\\\"bytes\\\":{missing}")), "{missing} bytes are missing, and the gap says {gap}");
}

#[test]
fn a_command_without_a_terminal_ends_on_a_full_disk_too() {
    let _heavy = heavy();
    let home = Home::new();
    home.configure("[journal]\nmax_segment = 67108864\n[ship]\ninterval = \"1h\"\n");
    let disk = SmallDisk::new(&home, "8m");
    let emit = programs::own("emit");
    let script = format!("echo ready; read x; {} random 3 100000 4096; echo words >&2; exit 5", emit.display());
    let call = home.recorder(["run", "--quiet", "--spool"]).arg(&disk.0).args(["--", "/bin/sh", "-c", &script]);
    let mut recorder = call
        .command()
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the recorder runs");
    recorder.stdout.as_mut().expect("a pipe").read_exact(&mut [0; 6]).expect("its output");
    fill(&disk);
    recorder.stdin.take().expect("a pipe").write_all(b"\n").expect("written");
    let output = recorder.wait_with_output().expect("its output");
    assert_eq!(output.status.code(), Some(5), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout == stream::random(3, 100_000), "{} bytes were passed on", output.stdout.len());
    let recorded = home.raw_stream("latest", "output");
    assert!(recorded == [b"ready\n", &*output.stdout].concat(), "the recording differs");
    let errors = home.raw_stream("latest", "error");
    assert_eq!(String::from_utf8_lossy(&errors), String::from_utf8_lossy(&output.stderr));
    assert!(find(&errors, HELD.as_bytes()).is_some(), "the disk was not full");
    home.assert_complete();
}
