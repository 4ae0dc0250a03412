//! The terminal around a recording behaves as without one: sizes, job control, hang-ups, and its modes afterwards.

use std::time::Duration;

use hansard_tests::home::Home;
use hansard_tests::terminal::{Terminal, find};
use hansard_tests::{SOON, process, programs, stream, wait_until};
use rustix::process::Signal;
use rustix::termios::{LocalModes, OutputModes, Termios};

use crate::heavy;

/// What may not have changed when the recorder is gone.
fn modes(terminal: &Terminal) -> String {
    format!("{:?}", terminal.modes())
}

#[test]
fn modes_are_restored_after_every_end() {
    for (script, status) in
        [("exit 0", 0), ("exit 9", 9), ("kill -TERM $$", 143), ("stty raw -echo; exit 1", 1), ("kill -KILL $$", 137)]
    {
        let home = Home::new();
        let mut terminal = Terminal::open();
        let before = modes(&terminal);
        terminal.run(&home.record_sh(script));
        assert_eq!(terminal.status(SOON), status, "{script}: {}", terminal.text());
        assert_eq!(modes(&terminal), before, "after `{script}`");
    }
}

#[test]
fn modes_are_restored_when_the_recorder_is_terminated() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let home = Home::new();
        let mut terminal = Terminal::open();
        let before = modes(&terminal);
        terminal.run(&home.record_sh("echo ready; while :; do sleep 0.05; done"));
        terminal.wait_text("ready\r\n");
        assert!(!terminal.modes().local_modes.contains(LocalModes::ICANON), "the outer terminal is not raw");
        process::send(terminal.pid(), signal);
        terminal.ended(SOON);
        assert_eq!(modes(&terminal), before, "after {signal:?}");
        assert!(find(&home.raw("latest"), b"ready\r\n").is_some());
    }
}

#[test]
fn a_command_that_cannot_run_leaves_the_terminal_as_it_was() {
    let home = Home::new();
    let mut terminal = Terminal::open();
    let before = modes(&terminal);
    terminal.run(&home.record(["/nowhere/at/all"]));
    assert_eq!(terminal.status(SOON), 127);
    assert_eq!(modes(&terminal), before);
    terminal.wait_text("/nowhere/at/all");
}

#[test]
fn a_resize_reaches_the_command_and_the_recording() {
    let home = Home::new();
    let script = "trap 'stty size' WINCH; stty size; while :; do sleep 0.05; done";
    let mut terminal = Terminal::running(&home.record_sh(script));
    terminal.wait_text("24 80\r\n");
    for (cols, rows) in [(100, 30), (1200, 400), (40, 5), (0, 0), (80, 24)] {
        let from = terminal.shown();
        terminal.resize(cols, rows);
        terminal.wait_text_after(from, &format!("{rows} {cols}\r\n"));
    }
    process::send(terminal.pid(), Signal::TERM);
    terminal.ended(SOON);
    let shown = terminal.drained();
    assert!(home.raw("latest").starts_with(&shown));
    let cast = String::from_utf8(home.export("latest", "cast")).expect("asciicast is UTF-8");
    let sizes: Vec<&str> = cast.lines().filter(|l| l.contains("\"r\"")).filter_map(|l| l.split('"').nth(3)).collect();
    assert_eq!(sizes, ["100x30", "1200x400", "40x5", "0x0", "80x24"]);
}

#[test]
fn ctrl_c_ctrl_z_and_ctrl_d_act_inside() {
    let home = Home::new();
    let mut terminal =
        Terminal::running(&home.recorder(["run", "--quiet", "--", "/bin/sh", "-i"]).env("PS1", "ready> "));
    terminal.wait_text("ready> ");
    let from = terminal.shown();
    terminal.type_in("sleep 100\n");
    terminal.wait_text_after(from, "sleep 100\r\n");
    // The shell must have given the terminal away before the key is pressed.
    wait_until("sleep runs", SOON, || {
        let below = process::descendants(terminal.pid());
        below.iter().any(|pid| process::status_field(*pid, "Name").as_deref() == Some("sleep")).then_some(())
    });
    let from = terminal.shown();
    terminal.type_in("\x1a");
    terminal.wait_text_after(from, "ready> ");
    let from = terminal.shown();
    terminal.type_in("jobs\n");
    terminal.wait_text_after(from, "topped");
    let from = terminal.shown();
    terminal.type_in("fg\n");
    terminal.wait_text_after(from, "sleep 100\r\n");
    wait_until("sleep runs", SOON, || {
        let below = process::descendants(terminal.pid());
        let state = |pid: &u32| process::status_field(*pid, "State").unwrap_or_default();
        below
            .iter()
            .any(|pid| process::status_field(*pid, "Name").as_deref() == Some("sleep") && state(pid).starts_with('S'))
            .then_some(())
    });
    let from = terminal.shown();
    terminal.type_in("\x03");
    terminal.wait_text_after(from, "ready> ");
    let from = terminal.shown();
    terminal.type_in("echo status $?\n");
    terminal.wait_text_after(from, "status 130");
    terminal.type_in("\x04");
    terminal.ended(SOON);
    let shown = terminal.drained();
    assert_eq!(home.raw("latest"), shown);
}

#[test]
fn a_recorder_that_is_stopped_gives_the_terminal_back_and_goes_on() {
    // An interactive shell around the recorder; inside it, a shell that suspends itself.
    let home = Home::new();
    let inside = "echo inside; kill -STOP $$; echo again; read x; echo \"got $x\"";
    let recorder = programs::recorder();
    let mut terminal = Terminal::running(&home.call("/bin/sh").arg("-i").env("PS1", "outer> "));
    terminal.wait_text("outer> ");
    let before = modes(&terminal);
    terminal.type_in(format!("{} run --quiet -- /bin/sh -c '{inside}'\n", recorder.display()));
    terminal.wait_text("inside\r\n");
    let from = find(&terminal.bytes(), b"inside\r\n").expect("displayed");
    terminal.wait_text_after(from, "outer> ");
    assert_eq!(modes(&terminal), before, "while it is stopped");
    let from = terminal.shown();
    terminal.type_in("fg\n");
    terminal.wait_text_after(from, "again\r\n");
    terminal.type_in("more\n");
    terminal.wait_text_after(from, "got more\r\n");
    terminal.wait_text_after(find(&terminal.bytes(), b"got more").expect("displayed"), "outer> ");
    assert_eq!(modes(&terminal), before, "when it has ended");
    terminal.type_in("exit\n");
    terminal.ended(SOON);
    let raw = String::from_utf8_lossy(&home.raw("latest")).into_owned();
    assert!(raw.contains("inside\r\n") && raw.contains("again\r\n") && raw.contains("got more\r\n"), "{raw}");
    home.assert_complete();
}

#[test]
fn a_hang_up_ends_the_session_and_keeps_it() {
    let home = Home::new();
    let mut terminal =
        Terminal::running(&home.record_sh("echo before; trap 'exit 1' HUP; while :; do sleep 0.05; done"));
    terminal.wait_text("before\r\n");
    terminal.hang_up();
    terminal.ended(SOON);
    assert_eq!(home.raw("latest"), b"before\r\n");
    let shown = String::from_utf8_lossy(&home.replay(["show", "latest"]).ok()).into_owned();
    assert!(shown.contains("disconnected"), "{shown}");
    home.assert_complete();
}

#[test]
fn a_hang_up_ends_a_program_that_ignores_it() {
    let home = Home::new();
    let mut terminal = Terminal::running(&home.record_sh("trap '' HUP; echo stubborn; while :; do sleep 0.05; done"));
    terminal.wait_text("stubborn\r\n");
    let inside = process::descendants(terminal.pid());
    terminal.hang_up();
    terminal.ended(SOON);
    wait_until("the program inside is gone", SOON, || {
        inside.iter().all(|pid| process::status_field(*pid, "State").is_none_or(|s| s.starts_with('Z'))).then_some(())
    });
    home.assert_complete();
}

#[test]
fn the_last_bytes_before_an_exit_are_displayed_and_recorded() {
    // The child writes a lot and is gone at once; a slow terminal takes it later.
    let _heavy = heavy();
    let home = Home::new();
    let emit = programs::own("emit");
    for length in [64 << 10, 4 << 20] {
        let mut terminal = Terminal::open();
        terminal.set_modes(Termios::make_raw);
        terminal.hold(true);
        let command =
            [emit.to_str().expect("a path"), "--raw", "random", "9", &length.to_string(), &length.to_string()];
        terminal.run(&home.record(command));
        let pid = terminal.pid();
        // Held until the terminal is full and the recorder waits for it.
        wait_until("the recorder runs", SOON, || (!process::descendants(pid).is_empty()).then_some(()));
        terminal.hold(false);
        assert_eq!(terminal.status(SOON), 0);
        let shown = terminal.drained();
        assert!(shown == stream::random(9, length), "{} of {length} bytes were displayed", shown.len());
        assert!(home.raw("latest") == shown, "the recording differs");
    }
}

#[test]
fn a_terminal_that_stops_reading_holds_the_command_and_loses_nothing() {
    let home = Home::new();
    let emit = programs::own("emit");
    let length = 3_usize << 20;
    let mut terminal = Terminal::open();
    terminal.set_modes(Termios::make_raw);
    terminal.run(&home.record([emit.to_str().expect("a path"), "--raw", "lines", "0", &length.to_string(), "1000"]));
    assert!(terminal.waits(SOON, |bytes| bytes.len() > 100_000), "nothing was displayed");
    terminal.hold(true);
    let pid = terminal.pid();
    // It waits for as long as the terminal does: nothing moves any more, and it has not ended.
    let mut last = (terminal.shown(), std::time::Instant::now());
    wait_until("output has come to rest", SOON, || {
        let now = terminal.shown();
        if now != last.0 {
            last = (now, std::time::Instant::now());
        }
        (last.1.elapsed() > Duration::from_millis(300)).then_some(())
    });
    assert!(
        process::status_field(pid, "State").is_some_and(|s| !s.starts_with('Z')),
        "it ended before its output was read"
    );
    terminal.hold(false);
    assert_eq!(terminal.status(SOON), 0);
    let shown = terminal.drained();
    assert!(shown == stream::lines(0, length), "{} of {length} bytes were displayed", shown.len());
    assert!(home.raw("latest") == shown);
}

#[test]
fn a_slow_command_is_displayed_as_it_comes() {
    let home = Home::new();
    let mut terminal = Terminal::running(&home.record_sh("printf 'no line feed'; read x; echo done"));
    terminal.wait_text("no line feed");
    terminal.type_in("\n");
    assert_eq!(terminal.status(SOON), 0);
}

#[test]
fn output_modes_of_the_inner_terminal_belong_to_the_command() {
    let home = Home::new();
    let mut terminal = Terminal::open();
    terminal.run(&home.record_sh("stty -opost; printf 'a\\nb'; stty opost; printf 'c\\nd'"));
    assert_eq!(terminal.status(SOON), 0);
    assert!(terminal.modes().output_modes.contains(OutputModes::OPOST));
    let shown = terminal.drained();
    assert_eq!(shown, b"a\nbc\r\nd");
    assert_eq!(home.raw("latest"), shown);
}

#[test]
fn processes_left_behind_do_not_hold_the_end() {
    let home = Home::new();
    let started = std::time::Instant::now();
    let mut terminal = Terminal::running(&home.record_sh("trap '' HUP; sleep 20 & echo left behind"));
    assert_eq!(terminal.status(Duration::from_secs(10)), 0);
    assert!(started.elapsed() < Duration::from_secs(10));
    assert!(find(&home.raw("latest"), b"left behind\r\n").is_some());
}
