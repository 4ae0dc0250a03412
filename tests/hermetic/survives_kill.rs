//! Shown means recorded: `kill -9` of every process of the recorder, at random instants, loses no byte that was displayed.
//!
//! The test holds both ends of the terminal, so what was displayed is known to the byte. `HANSARD_KILLS` sets the number
//! of kills (20 by default); half fall on a session that chatters, half on one in bulk. The report says how many fell
//! where the promise is hardest: after the journal had bytes that the terminal had not, or inside a block.

use std::time::Duration;

use hansard_schemas::segment::{Tail, scan_open};
use hansard_tests::call::{code, said};
use hansard_tests::home::Home;
use hansard_tests::stream::Numbers;
use hansard_tests::terminal::Terminal;
use hansard_tests::{SOON, process, programs, wait_until};

use crate::heavy;

/// What one kill left.
#[derive(Debug)]
struct Kill {
    displayed: usize,
    recorded: usize,
    /// The journal ends inside a block.
    torn: bool,
}

/// Records `emit KIND`, kills the recorder `delay` after the first output, recovers, and checks every byte.
fn kill(kind: &str, seed: u64, delay: Duration) -> Kill {
    let home = Home::new();
    let emit = programs::own("emit");
    let command = [emit.to_str().expect("a path"), "--raw", kind, &seed.to_string()];
    let mut terminal = Terminal::open();
    let before = modes(&terminal);
    terminal.run(&home.record(command));
    assert!(terminal.waits(SOON, |bytes| !bytes.is_empty()), "nothing was displayed");
    // The random instant: there is no condition to wait for, that is the point.
    terminal.waits(delay, |_| false);
    process::kill_recorder(terminal.pid());
    terminal.ended(SOON);
    wait_until("the terminal is as it was", SOON, || (modes(&terminal) == before).then_some(()));
    let displayed = terminal.drained();

    let torn = process::files_below(&home.spool()).iter().any(|file| is_torn(&std::fs::read(file).expect("a file")));
    let shipped = home.recorder(["ship"]).output();
    assert_eq!(code(&shipped), 0, "{}", said(&shipped));

    let verified = home.verify(["latest"]);
    assert!(verified.said.contains("recovered at"), "{}", verified.said);
    assert!(verified.said.contains("unwitnessed"), "{}", verified.said);
    assert_eq!(verified.code, 0, "{}", verified.said);
    let recorded = home.raw("latest");
    let common = displayed.iter().zip(&recorded).take_while(|(d, r)| d == r).count();
    assert_eq!(
        common,
        displayed.len(),
        "{kind} killed after {delay:?}: {} bytes were displayed, {} recorded, the same up to {common}",
        displayed.len(),
        recorded.len()
    );
    Kill { displayed: displayed.len(), recorded: recorded.len(), torn }
}

fn modes(terminal: &Terminal) -> String {
    format!("{:?}", terminal.modes())
}

/// An open segment whose end is not the end of a block.
fn is_torn(bytes: &[u8]) -> bool {
    bytes.starts_with(b"{\"hansard\":1,\"session\"") && {
        let scan = scan_open(bytes);
        scan.tail == Tail::Torn && scan.kept_len < bytes.len()
    }
}

fn kills() -> usize {
    std::env::var("HANSARD_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(20)
}

#[test]
fn every_byte_that_was_displayed_is_in_the_recording() {
    let _heavy = heavy();
    let (count, mut numbers) = (kills(), Numbers::new(std::process::id().into()));
    let mut all = Vec::new();
    for number in 0..count {
        let kind = if number % 2 == 0 { "chatter" } else { "bulk" };
        let delay = Duration::from_micros(numbers.below(300_000));
        all.push((kind, kill(kind, number as u64, delay)));
    }
    for kind in ["chatter", "bulk"] {
        let of = || all.iter().filter(|(k, _)| *k == kind).map(|(_, kill)| kill);
        println!(
            "{kind}: {} kills; displayed {} bytes, all recorded; {} kills after the journal and before the display, {} inside a block",
            of().count(),
            of().map(|k| k.displayed).sum::<usize>(),
            of().filter(|k| k.recorded > k.displayed).count(),
            of().filter(|k| k.torn).count(),
        );
    }
    let hard = all.iter().filter(|(_, k)| k.torn || k.recorded > k.displayed).count();
    println!("{hard} of {count} kills fell between the journal and the display or inside a block");
    // A tenth, as 20 of 200; fewer would mean that the instants are not where the promise is hard.
    assert!(hard * 10 >= count, "only {hard} of {count} kills fell where the promise is hard");
}

#[test]
fn a_second_ship_finds_nothing_to_do_and_changes_nothing() {
    let home = Home::new();
    let mut terminal = Terminal::running(&home.record_sh("echo words; while :; do sleep 0.05; done"));
    terminal.wait_text("words\r\n");
    process::kill_recorder(terminal.pid());
    terminal.ended(SOON);
    assert_eq!(code(&home.recorder(["ship"]).output()), 0);
    let before: Vec<_> = process::files_below(&home.store());
    let verdict = home.verify(["latest"]).said;
    assert_eq!(code(&home.recorder(["ship"]).output()), 0);
    assert_eq!(process::files_below(&home.store()), before);
    assert_eq!(home.verify(["latest"]).said, verdict);
}

#[test]
fn ship_leaves_a_running_session_alone() {
    let home = Home::new();
    let mut terminal = Terminal::running(&home.record_sh("echo words; read x; echo more"));
    terminal.wait_text("words\r\n");
    let shipped = home.recorder(["ship"]).output();
    assert!(!said(&shipped).contains("recovered"), "{}", said(&shipped));
    terminal.type_in("\n");
    assert_eq!(terminal.status(SOON), 0);
    let shown = terminal.drained();
    assert_eq!(home.raw("latest"), shown);
    home.assert_complete();
}

#[test]
fn the_next_recording_closes_what_was_interrupted() {
    // Nobody ran `ship`: the next session on the spool must not be harmed, and the killed one is not lost.
    let home = Home::new();
    let mut terminal = Terminal::running(&home.record_sh("echo killed; while :; do sleep 0.05; done"));
    terminal.wait_text("killed\r\n");
    process::kill_recorder(terminal.pid());
    terminal.ended(SOON);
    home.record_sh("echo next").ok();
    assert_eq!(code(&home.recorder(["ship"]).output()), 0);
    let mut said: Vec<_> = home.sessions().iter().map(|id| home.raw(id)).collect();
    said.sort();
    assert_eq!(said, [b"killed\r\n".to_vec(), b"next\n".to_vec()]);
    let verified = home.verify::<&str>([]);
    assert_eq!(verified.code, 0, "{}", verified.said);
    assert!(verified.said.contains("recovered at") && verified.said.contains("complete"), "{}", verified.said);
}

#[test]
fn a_kill_of_an_exec_session_keeps_what_was_passed_on() {
    use std::io::Read as _;
    let _heavy = heavy();
    let mut numbers = Numbers::new(std::process::id().into());
    for _ in 0..(kills() / 4).max(4) {
        let home = Home::new();
        let emit = programs::own("emit");
        let mut recorder = home
            .record([emit.to_str().expect("a path"), "chatter", "1"])
            .command()
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("the recorder runs");
        let mut pipe = recorder.stdout.take().expect("a pipe");
        let mut passed = vec![0; 1 + numbers.below(20_000) as usize];
        pipe.read_exact(&mut passed).expect("its output");
        process::kill_recorder(recorder.id());
        process::ended(&mut recorder, SOON);
        pipe.read_to_end(&mut passed).expect("its output");
        assert_eq!(code(&home.recorder(["ship"]).output()), 0);
        let recorded = home.raw_stream("latest", "output");
        assert!(recorded.starts_with(&passed), "{} bytes were passed on, {} recorded", passed.len(), recorded.len());
    }
}

/// Whom somebody kills who wants to be rid of the recorder with this first process.
type Killed = fn(u32) -> Vec<u32>;

#[test]
fn the_terminal_is_restored_however_the_recorder_was_killed() {
    let ways: [(&str, Killed); 3] = [
        ("alone", |root| vec![root]),
        ("by its name", process::same_name),
        ("by its session, and so by its group or its terminal", process::same_session),
    ];
    for (way, killed) in ways {
        let home = Home::new();
        let mut terminal = Terminal::open();
        let before = modes(&terminal);
        terminal.run(&home.record_sh("echo words; while :; do sleep 0.05; done"));
        terminal.wait_text("words\r\n");
        assert_ne!(modes(&terminal), before);
        process::kill_all(&killed(terminal.pid()));
        terminal.ended(SOON);
        wait_until(&format!("killed {way}, the terminal is as it was"), SOON, || {
            (modes(&terminal) == before).then_some(())
        });
        home.recorder(["ship"]).ok();
        assert_eq!(home.raw("latest"), b"words\r\n", "{way}");
    }
}

#[test]
fn the_terminal_can_be_used_after_every_process_of_the_program_was_killed() {
    let home = Home::new();
    let mut terminal = Terminal::running(&home.record_sh("echo words; while :; do sleep 0.05; done"));
    terminal.wait_text("words\r\n");
    let all = process::same_program(terminal.pid());
    assert!(all.len() > process::same_name(terminal.pid()).len(), "nothing watches over the terminal");
    process::kill_all(&all);
    terminal.ended(SOON);
    // Nothing is left that could have restored it: what a login shell does when a program it ran is gone, nothing hinders.
    terminal.run(&home.call("/bin/sh").args(["-c", "stty sane; echo usable; read x; echo \"got $x\""]));
    terminal.wait_text("usable\r\n");
    terminal.type_in("a line\n");
    terminal.wait_text("got a line\r\n");
    assert_eq!(terminal.status(SOON), 0);
    terminal.run(&home.record_sh("echo recorded again"));
    terminal.wait_text("recorded again\r\n");
    assert_eq!(terminal.status(SOON), 0);
}
