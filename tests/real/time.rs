//! Time that does not do what it should: a wall clock that is set in mid-session, a machine that was suspended, a reviewer
//! who looks an hour later.

use std::time::{Duration, Instant};

use hansard_tests::call::{code, said};
use hansard_tests::home::Home;
use hansard_tests::terminal::Terminal;
use hansard_tests::{SOON, process, programs, wait_until};

use hansard_tests::clock::Clock;

const HOUR: i64 = 3_600;

/// A session that answers every line, by clocks that can be moved.
struct Session {
    home: Home,
    clock: Clock,
    terminal: Terminal,
}

impl Session {
    fn new(config: &str) -> Self {
        let home = Home::new();
        home.configure(config);
        let clock = Clock::new(&home);
        let call = home.record_sh("echo ready; while read x; do echo \"got $x\"; done; exit 6");
        let terminal = Terminal::running(&clock.on(call));
        terminal.wait_text("ready\r\n");
        Self { home, clock, terminal }
    }

    /// Goes on for over a second, in which the recorder looks at its clocks at least once.
    fn goes_on(&self, word: &str) {
        let started = Instant::now();
        for number in 0.. {
            let line = format!("{word}-{number}");
            self.terminal.type_in(format!("{line}\n"));
            self.terminal.wait_text(&format!("got {line}\r\n"));
            if started.elapsed() > Duration::from_millis(1500) {
                return;
            }
            // The pace of somebody who types, for as long as has to pass anyway.
            self.terminal.waits(Duration::from_millis(50), |_| false);
        }
    }

    /// Ends it: everything displayed is recorded, the whole is complete. Gives the exported lines after the header.
    fn finish(mut self) -> (Home, Vec<(f64, String, String)>) {
        self.terminal.type_in("\x04");
        assert_eq!(self.terminal.status(SOON), 6);
        let shown = self.terminal.drained();
        assert_eq!(String::from_utf8_lossy(&self.home.raw("latest")), String::from_utf8_lossy(&shown));
        self.home.assert_complete();
        let cast = String::from_utf8(self.home.export("latest", "cast")).expect("asciicast is UTF-8");
        let line = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
        (self.home, cast.lines().skip(1).map(line).collect())
    }
}

/// The gaps of a recording: when, and what they say.
fn gaps(events: &[(f64, String, String)]) -> Vec<(f64, serde_json::Value)> {
    let mut now = 0.0;
    let mut found = Vec::new();
    for (interval, code, data) in events {
        assert!(*interval >= 0.0, "time went back: {interval} {code} {data}");
        now += interval;
        if code == "g" {
            found.push((now, serde_json::from_str(data).expect("a gap is JSON")));
        }
    }
    found
}

#[test]
fn a_clock_that_is_set_in_mid_session_is_said_and_loses_nothing() {
    let mut session = Session::new("[ship]\ninterval = \"400ms\"\n");
    let started = Instant::now();
    session.goes_on("before");
    session.clock.set_by(-HOUR);
    session.goes_on("an-hour-back");
    session.clock.set_by(2 * HOUR);
    session.goes_on("two-hours-on");
    let took = started.elapsed().as_secs_f64();
    let (home, events) = session.finish();
    let gaps = gaps(&events);
    let steps: Vec<i64> = gaps
        .iter()
        .map(|(_, gap)| {
            assert_eq!((gap["what"].as_str(), gap["why"].as_str()), (Some("clock"), Some("clock-step")), "{gap}");
            gap["note"].as_str().and_then(|ms| ms.parse().ok()).unwrap_or_else(|| panic!("{gap}"))
        })
        .collect();
    assert_eq!(steps.len(), 2, "{gaps:?}");
    for (said, was) in steps.iter().zip([-HOUR * 1000, 2 * HOUR * 1000]) {
        assert!((said - was).abs() < 500, "the clock was set by {was} ms, the recording says {said}");
    }
    // Event time is not the wall clock's.
    let length: f64 = events.iter().map(|(interval, ..)| interval).sum();
    assert!(length < took + 30.0, "{length} s were recorded in {took} s");
    // It was shipped before, between and after the steps.
    assert!(home.segments().len() > 6, "{:?}", home.segments());
}

#[test]
fn sessions_on_both_sides_of_a_clock_that_was_set_back_are_found_and_whole() {
    let home = Home::new();
    let mut clock = Clock::new(&home);
    clock.on(home.record_sh("echo first")).ok();
    clock.set_by(-HOUR);
    clock.on(home.record_sh("echo second")).ok();
    // Whoever reviews by the clock that was set back, and whoever does not.
    for by_clock in [false, true] {
        let call = |args: &[&str]| if by_clock { clock.on(home.replay(args)) } else { home.replay(args) };
        let verified = call(&["verify"]).output();
        assert_eq!(code(&verified), 0, "{}", said(&verified));
        assert!(said(&verified).contains("2 complete"), "{}", said(&verified));
        let mut raw: Vec<_> = home.sessions().iter().map(|id| call(&["export", id, "--as", "raw"]).ok()).collect();
        raw.sort();
        assert_eq!(raw, [b"first\n".to_vec(), b"second\n".to_vec()]);
    }
    // The first has an id of the future by then, which `latest` does not follow.
    assert_eq!(clock.on(home.replay(["export", "latest", "--as", "raw"])).ok(), b"second\n");
    assert_eq!(home.raw("latest"), b"first\n");
}

#[test]
fn suspended_time_is_said_and_ends_the_epoch() {
    let mut session = Session::new("[ship]\ninterval = \"400ms\"\n");
    session.goes_on("before");
    session.clock.suspended_for(2 * HOUR);
    session.goes_on("after");
    let (home, events) = session.finish();
    let gaps = gaps(&events);
    let [(at, gap)] = &gaps[..] else { panic!("one gap: {gaps:?}") };
    assert_eq!((gap["what"].as_str(), gap["why"].as_str()), (Some("time"), Some("suspended")), "{gap}");
    let (from, to) = (gap["from_ms"].as_i64().expect("from_ms"), gap["to_ms"].as_i64().expect("to_ms"));
    assert!((to - from - 2 * HOUR * 1000).abs() < 500, "suspended for two hours: {gap}");
    assert!(*at > 2.0 * 3600.0, "event time counts what was suspended, and the gap is at {at} s");
    // An epoch lasts an hour at most: what was recorded before cannot be opened with what is in memory after.
    let epochs: Vec<u64> = home
        .segments()
        .iter()
        .map(|file| {
            let bytes = std::fs::read(file).expect("a segment");
            let line = bytes.split(|b| *b == b'\n').next().expect("a header line");
            serde_json::from_slice::<serde_json::Value>(line).expect("JSON")["epoch"].as_u64().expect("an epoch")
        })
        .collect();
    assert_eq!((epochs.first(), epochs.last()), (Some(&0), Some(&1)), "{epochs:?}");
}

#[test]
fn suspended_time_of_a_session_without_a_terminal_is_said() {
    let home = Home::new();
    let mut clock = Clock::new(&home);
    let script = "echo before; read x; echo after; sleep 1.2; echo again";
    let mut recorder = clock
        .on(home.record_sh(script))
        .command()
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the recorder runs");
    let mut shown = vec![0; 7];
    std::io::Read::read_exact(recorder.stdout.as_mut().expect("a pipe"), &mut shown).expect("its output");
    clock.suspended_for(HOUR);
    drop(recorder.stdin.take());
    std::io::Read::read_to_end(recorder.stdout.as_mut().expect("a pipe"), &mut shown).expect("its output");
    assert!(process::ended(&mut recorder, SOON).success());
    assert_eq!(home.raw("latest"), shown);
    home.assert_complete();
    let cast = String::from_utf8(home.export("latest", "cast")).expect("asciicast is UTF-8");
    assert_eq!(cast.lines().filter(|l| l.contains("\"g\"") && l.contains("suspended")).count(), 1, "{cast}");
}

#[test]
fn a_session_whose_host_is_gone_is_running_then_silent_then_interrupted_then_recovered() {
    let home = Home::new();
    home.configure("[ship]\ninterval = \"200ms\"\n");
    let mut clock = Clock::new(&home);
    let mut terminal = Terminal::running(&home.record_sh("echo ready; while read x; do echo \"got $x\"; done"));
    terminal.wait_text("ready\r\n");
    for number in 0..3 {
        let before = home.segments().len();
        terminal.type_in(format!("{number}\n"));
        wait_until("a segment more in the store", SOON, || (home.segments().len() > before).then_some(()));
    }
    process::kill_recorder(terminal.pid());
    terminal.ended(SOON);
    let id = home.sessions().remove(0);
    let verify = |clock: &Clock, words: &str, expected: i32| {
        let output = clock.on(home.replay(["verify", &id])).output();
        assert_eq!(code(&output), expected, "{}", said(&output));
        assert!(said(&output).contains(words), "`{words}` is not in:\n{}", said(&output));
        let strict = clock.on(home.replay(["verify", "--strict", &id])).output();
        assert_eq!(code(&strict), 1, "{}", said(&strict));
    };
    // Its start is seconds old: nobody can tell that it does not run.
    verify(&clock, "running as of", 0);
    // The same store an hour later; and by a reviewer whose clock is an hour behind, for whom nothing is known to run.
    clock.set_by(HOUR);
    verify(&clock, "silent since", 1);
    clock.set_by(-2 * HOUR);
    verify(&clock, "silent since", 1);
    clock.set_by(HOUR);
    // The host has booted again and records something else. What the first session left is out of its reach: it would
    // close it.
    let left = home.spool().join("sessions").join(&id);
    std::fs::rename(&left, home.join("left")).expect("put aside");
    let boot = home.write_private("boot", "01234567-89ab-4cde-8f01-23456789abcd\n");
    let script = "mount --bind \"$0\" /proc/sys/kernel/random/boot_id && exec \"$@\"";
    let unshare = ["-m", "/bin/sh", "-c", script, boot.to_str().expect("a path")];
    home.record_sh("echo next").within(programs::outside("unshare"), unshare).ok();
    verify(&clock, "interrupted", 1);
    std::fs::rename(home.join("left"), &left).expect("put back");
    // Closed or not, what is there can be read.
    let shown = terminal.drained();
    let kept = home.raw(&id);
    assert!(shown.starts_with(&kept) && kept.len() > 20, "{}", String::from_utf8_lossy(&kept));
    home.recorder(["ship"]).ok();
    verify(&clock, "recovered at", 0);
    assert_eq!(String::from_utf8_lossy(&home.raw(&id)), String::from_utf8_lossy(&shown));
}
