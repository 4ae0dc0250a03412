//! Programs that fill the screen, recorded: what the terminal got is what the recording gives back.

use hansard_tests::call::Call;
use hansard_tests::home::Home;
use hansard_tests::terminal::{Terminal, find};
use hansard_tests::{SOON, process, programs, stream};

/// Runs a program under the recorder, `drive`s it, and compares.
fn driven(home: &Home, call: &Call, drive: impl FnOnce(&Terminal)) -> Vec<u8> {
    let call = call.clone().within(programs::recorder(), ["run", "--quiet", "--"]);
    let mut terminal = Terminal::running(&call);
    drive(&terminal);
    assert_eq!(terminal.status(SOON), 0, "{}", terminal.text());
    let shown = terminal.drained();
    assert!(home.raw("latest") == shown, "the recording differs from what was displayed");
    home.assert_complete();
    // The outside judge converts it.
    crate::other_players::judged(home);
    shown
}

#[test]
fn vim() {
    let home = Home::new();
    let file = home.join("text.txt");
    let call = home.call(programs::outside("vim")).args(["-u", "NONE", "-N"]).arg(&file);
    driven(&home, &call, |terminal| {
        terminal.wait_text("text.txt");
        terminal.type_in("ihello from vim \u{4e16}\u{754c}");
        terminal.wait_text("from vim");
        terminal.type_in("\x1b");
        let from = terminal.shown();
        terminal.resize(100, 30);
        assert!(terminal.waits(SOON, |b| b.len() > from), "it did not draw itself anew");
        terminal.type_in(":wq\r");
    });
    assert_eq!(std::fs::read_to_string(file).expect("a file"), "hello from vim \u{4e16}\u{754c}\n");
}

#[test]
fn less() {
    let home = Home::new();
    let file = home.join("long.txt");
    std::fs::write(&file, stream::mixed(3, 100_000)).expect("written");
    let call = home.call(programs::outside("less")).arg(&file).env("LESS", "-R");
    driven(&home, &call, |terminal| {
        terminal.wait_text("long.txt");
        for key in [" ", "G", "g", "/\u{4e00}\r"] {
            let from = terminal.shown();
            terminal.type_in(key);
            assert!(terminal.waits(SOON, |b| b.len() > from), "nothing after {key:?}");
        }
        terminal.type_in("q");
    });
}

#[test]
fn top() {
    let home = Home::new();
    let call = home.call(programs::outside("top")).args(["-d", "0.2"]);
    let shown = driven(&home, &call, |terminal| {
        terminal.wait_text("PID");
        for _ in 0..3 {
            let from = terminal.shown();
            assert!(terminal.waits(SOON, |b| b.len() > from + 200), "it did not go on");
        }
        terminal.type_in("q");
    });
    assert!(find(&shown, b"load average").is_some());
}

#[test]
fn tmux() {
    let home = Home::new();
    let call = home.call(programs::outside("tmux")).args(["-f", "/dev/null", "-S"]).arg(home.join("tmux.sock"));
    let call = call.args(["new-session", "/bin/sh"]).env("PS1", "inner> ");
    let shown = driven(&home, &call, |terminal| {
        terminal.wait_text("inner>");
        terminal.type_in("echo tmux$((40 + 2))\r");
        terminal.wait_text("tmux42");
        let from = terminal.shown();
        terminal.resize(120, 40);
        assert!(terminal.waits(SOON, |b| b.len() > from + 100), "it did not draw itself anew");
        terminal.type_in("exit\r");
    });
    assert!(find(&shown, b"exited").is_some());
}

#[test]
fn bash_and_zsh_with_their_line_editors() {
    for (shell, args) in [("bash", vec!["--norc", "-i"]), ("zsh", vec!["-f", "-i"])] {
        let home = Home::new();
        let call = home.call(programs::outside(shell)).args(args).env("PS1", "ready> ");
        let shown = driven(&home, &call, |terminal| {
            terminal.wait_text("ready> ");
            terminal.type_in("echo \u{e9}\u{4e16}abc\x7f\x7f\x1b[D\x1b[Cz\r");
            assert!(
                terminal.waits(SOON, |b| find(b, "\u{e9}\u{4e16}az\r\n".as_bytes()).is_some()),
                "{}",
                terminal.text()
            );
            terminal.type_in("exit\r");
        });
        assert!(find(&shown, b"ready> ").is_some());
    }
}

#[test]
fn a_shell_can_be_used_after_its_recorder_was_killed() {
    // The login shell is outside, the recorder a program that it runs.
    for (shell, args) in [("bash", vec!["--norc", "-i"]), ("zsh", vec!["-f", "-i"])] {
        let home = Home::new();
        let mut terminal = Terminal::running(&home.call(programs::outside(shell)).args(args).env("PS1", "outer> "));
        terminal.wait_text("outer> ");
        let recorder = programs::recorder();
        terminal.type_in(format!(
            "{} run --quiet -- /bin/sh -c 'echo ins''ide; while :; do sleep 0.1; done'\r",
            recorder.display()
        ));
        terminal.wait_text("inside\r\n");
        let below = process::descendants(terminal.pid());
        let pid = *below
            .iter()
            .find(|pid| std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|e| e == recorder))
            .expect("it runs");
        let from = terminal.shown();
        process::kill_first(pid);
        terminal.wait_text_after(from, "outer> ");
        terminal.type_in("echo us''able; read x; echo \"got $x\"\r");
        terminal.wait_text_after(from, "usable\r\n");
        terminal.type_in("a line\r");
        terminal.wait_text_after(from, "got a line\r\n");
        terminal.type_in("exit\r");
        terminal.ended(SOON);
        home.recorder(["ship"]).ok();
        assert_eq!(home.raw("latest"), b"inside\r\n");
    }
}
