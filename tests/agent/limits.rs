//! Sessions that are ended: by an operator, by a limit of policy, and by force where their tee does not do it.

use std::io::{BufRead as _, BufReader};
use std::process::{Output, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hansard_tests::call::code;
use hansard_tests::terminal::Terminal;
use hansard_tests::{SOON, process, programs, wait_until};
use rustix::process::Signal;

use crate::scene::{Scene, fine};

/// The agent's patience with a tee, and with it that of a tee with its program.
const BY_FORCE: Duration = Duration::from_secs(60);

/// A command of the recorded user that has printed something.
fn begun(scene: &Scene, command: &str) -> JoinHandle<Output> {
    let run = scene.begin(command);
    wait_until("the command runs", SOON, || scene.recorded_bytes("exec").filter(|bytes| *bytes > 0));
    run
}

#[test]
fn an_operator_ends_a_session_and_its_user_is_told_why() {
    let scene = Scene::new();
    let mut terminal = scene.login();
    let command = begun(&scene, "echo begun; sleep 1000; echo never");
    let ids = scene.running();
    assert_eq!(ids.len(), 2, "{}", scene.log());
    assert_eq!(code(&scene.operator(["terminate", "nonsense", "--reason", "x"]).output()), 1);
    for id in &ids {
        let said = fine(&scene.operator(["terminate", id, "--reason", "INC-42, call the desk"]).output());
        assert_eq!(said, format!("session {id} is ended\n"));
    }
    const WHY: &str = "\r\nhansard: this session was ended by root: INC-42, call the desk\r\n";
    assert_eq!(terminal.status(SOON), 129, "its shell was hung up");
    let shown = terminal.drained();
    assert!(String::from_utf8_lossy(&shown).contains(WHY), "{}", String::from_utf8_lossy(&shown));
    let output = command.join().unwrap();
    assert_ne!(code(&output), 0);
    assert_eq!(output.stdout, b"begun\n");
    assert!(String::from_utf8_lossy(&output.stderr).contains(WHY), "{}", String::from_utf8_lossy(&output.stderr));
    wait_until("nothing runs", SOON, || scene.running().is_empty().then_some(()));
    let [interactive, exec] = scene.sessions(2).try_into().ok().unwrap();
    for session in [&interactive, &exec] {
        assert_eq!(session.at("/outcome"), "terminated", "{:#}", session.shown);
    }
    assert!(scene.home.raw(&interactive.id) == shown, "what was shown is what is recorded");
    assert_eq!(scene.home.raw_stream(&exec.id, "error"), output.stderr);
    assert!(scene.log().contains("INC-42"), "{}", scene.log());
}

#[test]
fn a_program_that_does_not_want_to_end_is_ended() {
    let scene = Scene::new();
    let mut terminal = scene.login();
    // Neither the hang-up nor the end of input ends this one.
    terminal.type_in("exec /bin/bash -c 'trap \"\" HUP TERM; echo $((20 + 3)); while :; do sleep 1; done'\r");
    terminal.wait_text("23\r\n");
    let command = begun(&scene, "trap '' HUP TERM; echo begun; while :; do sleep 1; done");
    for id in scene.running() {
        fine(&scene.operator(["terminate", &id, "--reason", "enough"]).output());
    }
    assert_eq!(terminal.status(BY_FORCE), 137);
    assert_ne!(code(&command.join().unwrap()), 0);
    for session in scene.sessions(2) {
        assert_eq!(session.at("/outcome"), "terminated", "{:#}", session.shown);
        assert_eq!(scene.status_of(&session), 137, "{:#}", session.shown);
    }
    assert!(!scene.log().contains("stalled"), "it was there all the time: {}", scene.log());
    assert!(scene.processes("/bin/bash".as_ref()).is_empty());
}

#[test]
fn a_tee_that_does_not_end_its_session_is_ended_by_force() {
    let scene = Scene::new();
    let mut terminal = scene.login();
    let command = begun(&scene, "trap '' TERM; echo begun; while :; do sleep 1; done");
    let ids = scene.running();
    // Of the command only the process that started it: the one that records says all the time that it is there.
    let tees = scene.tees();
    let stopped = tees.iter().filter(|pid| !tees.iter().any(|other| process::descendants(*other).contains(pid)));
    stopped.for_each(|pid| process::send(*pid, Signal::STOP));
    for id in &ids {
        fine(&scene.operator(["terminate", id, "--reason", "enough"]).output());
    }
    terminal.status(BY_FORCE);
    assert_ne!(code(&command.join().unwrap()), 0);
    wait_until("nothing runs", SOON, || scene.running().is_empty().then_some(()));
    for session in scene.sessions(2) {
        assert_eq!(session.at("/outcome"), "terminated", "{:#}", session.shown);
    }
    wait_until("nothing of them is left", SOON, || {
        (scene.tees().is_empty() && scene.processes("/bin/bash".as_ref()).is_empty()).then_some(())
    });
}

#[test]
fn a_tee_that_is_stopped_is_hung_up() {
    let scene = Scene::new();
    let mut terminal = scene.login();
    for tee in scene.tees() {
        process::send(tee, Signal::STOP);
    }
    terminal.status(BY_FORCE);
    assert!(scene.log().contains("session stalled"), "{}", scene.log());
    let session = scene.session();
    assert_eq!(session.at("/outcome"), "recorder-failed");
}

/// Its one worker waits for the disk, for longer than a tee may be silent; what the tees say meanwhile waits for it.
#[test]
fn an_agent_that_was_held_up_hangs_nobody_up() {
    let scene = Scene::with_rules("workers = 1\n");
    let mut terminals: Vec<Terminal> = (0..3).map(|_| scene.login()).collect();
    let delay = "inject=write:delay_enter=7000000:when=1";
    let agent = scene.agent().to_string();
    let strace =
        scene.home.call(programs::outside("strace")).args(["-f", "-e", "trace=write", "-e", delay, "-p", &agent]);
    let mut strace = strace.args(["-o", "/dev/null"]).command().stderr(Stdio::piped()).spawn().expect("strace runs");
    let mut said = BufReader::new(strace.stderr.take().expect("a pipe")).lines();
    assert!(said.next().expect("a line").expect("text").contains("attached"));
    let typed = Instant::now();
    terminals[0].type_in("echo $((20 + 3))\n");
    terminals[0].wait_text("23\r\n");
    assert!(typed.elapsed() > Duration::from_secs(6), "the disk answered after {:?}", typed.elapsed());
    process::kill_first(strace.id());
    strace.wait().expect("it ends");
    for terminal in &mut terminals {
        terminal.type_in("exit $((20 + 4))\n");
        assert_eq!(terminal.status(SOON), 24, "{}", terminal.text());
    }
    for session in scene.sessions(3) {
        assert_eq!(scene.status_of(&session), 24);
    }
}

#[test]
fn idle_and_long_sessions_are_warned_and_then_ended() {
    let rules = "[[rule]]\nkind = \"interactive\"\naction = \"allow\"\ninput = \"on\"\nidle_timeout = \"6s\"\n\
                 [[rule]]\nkind = \"exec\"\naction = \"allow\"\nmax_duration = \"6s\"\n";
    let scene = Scene::with_rules(rules);
    let mut terminal = scene.login();
    let started = Instant::now();
    let command = scene.begin("while sleep 0.1; do echo busy; done");
    // What is shown does not count where it is seen what is typed.
    terminal.type_in("while sleep 0.1; do echo busy; done\r");
    terminal.status(BY_FORCE);
    let output = command.join().unwrap();
    let took = started.elapsed();
    let shown = String::from_utf8(terminal.drained()).unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    for (shown, what) in [(&shown, "idle"), (&error, "open")] {
        let (before, after) = shown.split_once("hansard: this session ends in ").expect("a warning");
        assert!(!before.contains("hansard:") && after.contains(&format!("s: it may be {what} for 6s\r\n")), "{shown}");
        let (_, last) = after.split_once("hansard: ").expect("an end");
        assert!(last.starts_with(&format!("this session ends: it was {what} for 6s\r\n")), "{shown}");
    }
    let [interactive, exec] = scene.sessions(2).try_into().ok().unwrap();
    assert_eq!(interactive.at("/outcome"), "idle-timeout", "{:#}", interactive.shown);
    assert_eq!(exec.at("/outcome"), "max-duration", "{:#}", exec.shown);
    assert!(took >= Duration::from_secs(6), "{took:?}");
}
