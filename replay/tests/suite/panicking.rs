//! The terminal is given back when the player itself breaks.
//!
//! The test runs itself once more, on a terminal of its own, with a source that panics.

use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};

use hansard_replay::play::{self, Settings};
use hansard_replay::screen::LineFeed;
use hansard_replay::timeline::{Source, SourceError};
use hansard_schemas::cast::{Event, Size};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::tcgetattr;

/// Set in the second run.
const INSIDE: &str = "HANSARD_TEST_PANICS";

struct Breaks;

impl Source for Breaks {
    fn segments(&self) -> usize {
        1
    }

    fn end_ms(&self) -> u64 {
        1000
    }

    fn load(&mut self, _: usize) -> Result<Vec<Event>, SourceError> {
        panic!("it breaks here")
    }
}

#[test]
fn the_terminal_is_given_back_when_the_player_panics() {
    if std::env::var_os(INSIDE).is_some() {
        let _ = play::run(Breaks, Size { cols: 80, rows: 24 }, LineFeed::Terminal, &Settings::default(), &mut || {
            play::News::Done
        });
        return;
    }
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let end = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let before = format!("{:?}", tcgetattr(&end).unwrap());
    let this = "panicking::the_terminal_is_given_back_when_the_player_panics";
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", this, "--nocapture"])
        .env(INSIDE, "1")
        .stdin(Stdio::from(end.try_clone().unwrap()))
        .stdout(Stdio::from(end.try_clone().unwrap()))
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("it breaks here"), "{output:?}");
    assert_eq!(format!("{:?}", tcgetattr(&end).unwrap()), before);
    let mut shown = vec![0; 64 << 10];
    let n = File::from(master).read(&mut shown).unwrap();
    let text = String::from_utf8_lossy(&shown[..n]);
    let entered = text.find("\x1b[?1049h").expect("the player took the terminal");
    assert!(text[entered..].contains("\x1b[?7h\x1b[?25h\x1b[?1049l"), "{text:?}");
}
