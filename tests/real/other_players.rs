//! asciinema 3 as the outside judge: it converts every export without error, and shows what the terminal showed.
//!
//! `ASCIINEMA` names it; otherwise it is `asciinema` in `PATH`, and must be of version 3.

use std::path::PathBuf;

use hansard_tests::call::said;
use hansard_tests::home::Home;
use hansard_tests::terminal::{Terminal, find};
use hansard_tests::{LONG, SOON, programs, stream};

use crate::heavy;

fn asciinema() -> PathBuf {
    let program = std::env::var_os("ASCIINEMA").map_or_else(|| programs::outside("asciinema"), PathBuf::from);
    let version = std::process::Command::new(&program).arg("--version").output().expect("asciinema runs");
    assert!(
        said(&version).starts_with("asciinema 3."),
        "this suite needs asciinema 3; {} is {}",
        program.display(),
        said(&version)
    );
    program
}

/// Converts the latest recording into every form that asciinema knows; gives what it takes for the raw output.
pub fn judged(home: &Home) -> Vec<u8> {
    let program = asciinema();
    let cast = home.join("export.cast");
    home.replay(["export", "latest", "--as", "cast", "-o"]).arg(&cast).ok();
    for form in ["raw", "txt", "asciicast-v2", "asciicast-v3"] {
        let call =
            home.call(&program).args(["convert", "-q", "--overwrite", "-f", form]).arg(&cast).arg(home.join(form));
        let output = call.output();
        assert!(output.status.success(), "{form}: {}", said(&output));
    }
    let raw = std::fs::read(home.join("raw")).expect("its raw form");
    // It begins with the size, as a sequence that resizes the window.
    let size = raw.starts_with(b"\x1b[8;").then(|| raw.iter().position(|b| *b == b't')).flatten();
    raw[size.map_or(0, |at| at + 1)..].to_vec()
}

fn emitted(args: &[&str]) -> (Home, Vec<u8>) {
    let home = Home::new();
    let emit = programs::own("emit");
    let mut command = vec![emit.to_str().expect("a path"), "--raw"];
    command.extend(args);
    let mut terminal = Terminal::raw_running(&home.record(&command));
    assert_eq!(terminal.status(LONG), 0);
    let shown = terminal.drained();
    assert!(home.raw("latest") == shown);
    (home, shown)
}

/// A session of valid text, of which a foreign player gives back every byte.
///
/// Where the machine keeps the writer waiting for over 20 ms in the middle of a character, its halves are two events
/// (EXACT-4), exact for our readers and two U+FFFD for others: then it is tried again, with another moment.
fn text_as_shown(args: &[&str]) {
    for _ in 0..4 {
        let (home, shown) = emitted(args);
        if judged(&home) == shown {
            return;
        }
        let cast = home.export("latest", "cast");
        assert!(find(&cast, b"[0.000, \"b\", \"").is_some(), "asciinema gives other bytes, and no character was split");
    }
    panic!("a character was split for over 20 ms in every try");
}

#[test]
fn valid_text_comes_out_as_it_was_shown() {
    text_as_shown(&["mixed", "3", "1000000", "4093"]);
    text_as_shown(&["lines", "3", "1000000", "65536"]);
}

#[test]
fn every_byte_value_and_every_ill_formed_sequence() {
    let all: String = (0..=255).map(|byte| format!("{byte:02x}")).collect();
    let (home, shown) = emitted(&["hex", &all]);
    assert_eq!(String::from_utf8_lossy(&judged(&home)), String::from_utf8_lossy(&shown));
    let ill = "61efbfbd80efbfbdc2e4b8f09f98c080eda080f4908080f8888080feff7a";
    for args in [vec!["hex", ill], vec!["hex", "61f09f", "10", "9880", "50", "c3", "50", "28"]] {
        let (home, _) = emitted(&args);
        judged(&home);
    }
}

#[test]
fn streams_of_64_mib() {
    let _heavy = heavy();
    let length = (64 << 20).to_string();
    text_as_shown(&["mixed", "11", &length, "65521"]);
    let (home, shown) = emitted(&["random", "13", &length, "65521"]);
    assert!(shown == stream::random(13, 64 << 20));
    judged(&home);
}

#[test]
fn sessions_of_several_kinds() {
    let home = Home::new();
    home.record_sh("echo out; echo err >&2; exit 3").output();
    assert_eq!(judged(&home), b"out\n", "an exec session: standard output only, other codes are skipped");

    let home = Home::new();
    let mut terminal = Terminal::running(
        &home.recorder(["run", "--quiet", "--input", "on", "--", "/bin/sh", "-i"]).env("PS1", "ready> "),
    );
    terminal.wait_text("ready> ");
    terminal.resize(100, 30);
    terminal.type_in("stty size\n");
    terminal.wait_text("30 100");
    terminal.type_in("exit\n");
    assert_eq!(terminal.status(SOON), 0);
    let shown = terminal.drained();
    assert_eq!(judged(&home), shown);

    let home = Home::small_segments();
    let emit = programs::own("emit");
    let mut terminal = Terminal::raw_running(&home.record([
        emit.to_str().expect("a path"),
        "--raw",
        "random",
        "5",
        "2000000",
        "1000",
    ]));
    assert_eq!(terminal.status(LONG), 0);
    judged(&home);

    // A recovered one.
    let home = Home::new();
    let mut terminal = Terminal::raw_running(&home.record([emit.to_str().expect("a path"), "--raw", "bulk"]));
    assert!(terminal.waits(SOON, |b| b.len() > 500_000));
    hansard_tests::process::kill_recorder(terminal.pid());
    terminal.ended(SOON);
    home.recorder(["ship"]).ok();
    let raw = home.raw("latest");
    assert!(raw.starts_with(&terminal.drained()));
    assert!(judged(&home) == raw);
}
