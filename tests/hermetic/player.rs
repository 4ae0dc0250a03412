//! Replay is safe (promise 9): a hostile recording, played on a terminal of the test's own, makes it do nothing, and
//! the terminal is given back on every path.

use std::time::Duration;

use hansard_tests::call::Call;
use hansard_tests::home::Home;
use hansard_tests::terminal::{Terminal, find};
use hansard_tests::{SOON, process, wait_until};
use rustix::process::Signal;
use rustix::termios::LocalModes;

/// What no recording may make a reviewer's terminal do, and what only looks like it.
const HOSTILE: &str = r#"
printf '\033]0;title\007\033]52;c;ZXZpbA==\007\033]8;;http://x\033\\link\033]8;;\033\\'
printf '\033P$qm\033\\\033Pq#0;2;0;0;0~~\033\\\033_apc\033\\\033^pm\033\\\033Xsos\033\\'
printf '\033[c\033[>c\033[6n\033[21t\033[8;1;1t\033[?1000h\033[?2004h\033[5i\033c\033#8\033[2J\033[H'
printf '\302\2331;31m\302\2350;c1\302\234\302\220\302\205\342\200\256\342\201\246\342\200\250\007\a\177'
printf '\033[99999;99999H\033[65535b\033[1;1H\033[38;2;1;2;3mcafe\314\201 \346\227\245\346\234\254\377\376'
printf '\r\nplayed to here\r\n\033]52;c;never ended'
"#;

const RESTORED: &[u8] = b"\x1b[?7h\x1b[?25h\x1b[?1049l";

fn modes(terminal: &Terminal) -> String {
    format!("{:?}", terminal.modes())
}

/// A home in which this script was recorded on a terminal.
fn recorded(script: &str) -> Home {
    let home = Home::new();
    let mut terminal = Terminal::running(&home.record_sh(script));
    assert_eq!(terminal.status(SOON), 0, "{}", terminal.text());
    home
}

/// What the player drew: after the line on standard error that says whose chain this is.
fn drawn(shown: &[u8]) -> &[u8] {
    &shown[find(shown, b"\x1b[?1049h").expect("the alternate screen")..]
}

/// Fails unless these bytes are characters that print, cursor positions, colours, erasing, and the few modes that
/// taking over and giving back need. Written from the promise, not from the player.
fn assert_harmless(bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).expect("UTF-8");
    let mut rest = text;
    while let Some(ch) = rest.chars().next() {
        rest = &rest[ch.len_utf8()..];
        match ch {
            '\x1b' => {
                let body = rest.strip_prefix('[').unwrap_or_else(|| panic!("ESC without [ before {rest:.20?}"));
                let end = body.find(|c: char| ('\x40'..='\x7e').contains(&c)).expect("a sequence that ends");
                let harmless = match &body[end..=end] {
                    "H" | "m" => body[..end].bytes().all(|b| b.is_ascii_digit() || b == b';'),
                    "J" | "K" => matches!(&body[..end], "" | "2"),
                    "h" | "l" => matches!(&body[..end], "?7" | "?25" | "?1049"),
                    _ => false,
                };
                assert!(harmless, "CSI {}", &body[..=end]);
                rest = &body[end + 1..];
            }
            '\0'..='\x1f' | '\x7f'..='\u{9f}' => panic!("{ch:?} was written"),
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{61c}' => {
                panic!("{ch:?} was written")
            }
            _ => {}
        }
    }
}

fn play(home: &Home, args: &[&str]) -> Call {
    home.replay([&["play", "latest"], args].concat())
}

#[test]
fn promise_9_a_hostile_recording_acts_on_nothing() {
    let home = recorded(HOSTILE);
    let mut terminal = Terminal::open();
    let before = modes(&terminal);
    terminal.run(&play(&home, &["--quit-at-end"]));
    assert_eq!(terminal.status(SOON), 0, "{}", terminal.text());
    assert_eq!(modes(&terminal), before);
    let shown = terminal.drained();
    assert!(find(&shown, b"played to here").is_some(), "{}", String::from_utf8_lossy(&shown));
    assert!(shown.ends_with(RESTORED));
    assert_harmless(drawn(&shown));
    // Its text form is as harmless.
    let text = String::from_utf8(home.export("latest", "txt")).expect("UTF-8");
    assert!(text.contains("played to here"), "{text:?}");
    assert_harmless(text.replace('\n', "").as_bytes());
}

#[test]
fn the_recordings_own_bytes_do_not_go_to_a_terminal() {
    let home = recorded("echo hello");
    for form in ["raw", "cast"] {
        let mut terminal = Terminal::running(&home.replay(["export", "latest", "--as", form]));
        terminal.wait_text("will not write");
        assert_eq!(terminal.status(SOON), 2);
    }
    let mut terminal = Terminal::running(&home.replay(["export", "latest", "--as", "txt"]));
    terminal.wait_text("hello");
    assert_eq!(terminal.status(SOON), 0);
}

#[test]
fn keys_work_and_q_leaves() {
    let home = recorded("echo hello; sleep 0.3; echo second; sleep 0.3; echo third");
    let mut terminal = Terminal::open();
    let before = modes(&terminal);
    terminal.run(&play(&home, &["--idle-limit", "0.1"]));
    terminal.wait_text("third");
    terminal.wait_text(" end ");
    let from = terminal.shown();
    terminal.type_in("0 ");
    terminal.wait_text_after(from, " paused ");
    let from = terminal.shown();
    terminal.type_in("..");
    terminal.wait_text_after(from, "second");
    terminal.type_in("\x1b");
    terminal.type_in("[C");
    terminal.wait_text_after(from, " end ");
    let from = terminal.shown();
    terminal.resize(40, 10);
    terminal.wait_text_after(from, "third");
    terminal.type_in("q");
    assert_eq!(terminal.status(SOON), 0);
    assert_eq!(modes(&terminal), before);
    let shown = terminal.drained();
    assert!(shown.ends_with(RESTORED));
    assert_harmless(drawn(&shown));
}

#[test]
fn the_terminal_is_given_back_before_a_signal_kills() {
    let home = recorded("echo hello; sleep 0.5; echo second");
    for signal in [Signal::TERM, Signal::HUP, Signal::INT, Signal::QUIT] {
        let mut terminal = Terminal::open();
        let before = modes(&terminal);
        terminal.run(&play(&home, &["--speed", "0.1"]));
        terminal.wait_text("hello");
        assert!(!terminal.modes().local_modes.contains(LocalModes::ICANON), "keys come one by one");
        process::send(terminal.pid(), signal);
        assert_eq!(terminal.status(SOON), 128 + signal.as_raw());
        assert_eq!(modes(&terminal), before, "after {signal:?}");
        assert!(terminal.drained().ends_with(RESTORED), "after {signal:?}");
    }
}

#[test]
fn ctrl_z_stops_it_with_the_terminal_given_back() {
    let home = recorded("echo hello; sleep 0.5; echo second");
    let mut terminal = Terminal::open();
    let before = modes(&terminal);
    terminal.run(&play(&home, &["--speed", "0.1"]));
    terminal.wait_text("hello");
    terminal.type_in("\x1a");
    let pid = terminal.pid();
    wait_until("it is stopped", SOON, || process::status_field(pid, "State").filter(|state| state.starts_with('T')));
    assert_eq!(modes(&terminal), before);
    // The process is stopped; what it wrote before may still be on its way to us.
    wait_until("the screen is given back", SOON, || terminal.bytes().ends_with(RESTORED).then_some(()));
    let from = terminal.shown();
    process::send(pid, Signal::CONT);
    terminal.wait_text_after(from, "hello");
    assert_ne!(modes(&terminal), before);
    terminal.type_in("\x03");
    assert_eq!(terminal.status(SOON), 130);
    assert_eq!(modes(&terminal), before);
}

#[test]
fn it_ends_when_the_terminal_is_gone() {
    let home = recorded("echo hello; sleep 0.5; echo second");
    let mut terminal = Terminal::running(&play(&home, &["--speed", "0.1"]));
    terminal.wait_text("hello");
    terminal.hang_up();
    terminal.ended(Duration::from_secs(5));
}
