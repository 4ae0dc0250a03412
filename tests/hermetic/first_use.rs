//! What a person meets who has configured nothing: it records, it replays, and it says what that means.

use std::os::unix::fs::PermissionsExt;

use hansard_tests::SOON;
use hansard_tests::call::{code, said};
use hansard_tests::home::{Home, RECIPIENT};
use hansard_tests::terminal::Terminal;

const SENTENCE: &str = "this host can now read its own past";

#[test]
fn the_first_recording_makes_an_identity_and_says_so_once() {
    let home = Home::empty();
    let call = home.recorder(["run", "--", "/bin/sh", "-c", "echo first"]);
    let first = call.output();
    assert_eq!(code(&first), 0, "{}", said(&first));
    assert_eq!(first.stdout, b"first\n");
    assert_eq!(said(&first).matches(SENTENCE).count(), 1, "{}", said(&first));

    let identity = std::fs::metadata(home.identity()).expect("an identity was made");
    assert_eq!(identity.permissions().mode() & 0o7777, 0o600);
    let folder = std::fs::metadata(home.identity().parent().expect("its folder")).expect("its folder");
    assert_eq!(folder.permissions().mode() & 0o077, 0, "others may look into the identity's folder");
    let before = std::fs::read(home.identity()).expect("the identity");

    let second = call.output();
    assert_eq!(code(&second), 0, "{}", said(&second));
    assert!(!said(&second).contains(SENTENCE), "announced twice: {}", said(&second));
    assert_eq!(std::fs::read(home.identity()).expect("the identity"), before, "the identity was made anew");

    assert_eq!(home.raw("latest"), b"first\n");
    home.assert_complete();
}

#[test]
fn the_first_recording_on_a_terminal_says_so_on_the_terminal() {
    let home = Home::empty();
    let mut terminal = Terminal::running(&home.recorder(["run", "--", "/bin/sh", "-c", "echo on a terminal"]));
    assert_eq!(terminal.status(SOON), 0);
    let shown = String::from_utf8_lossy(&terminal.drained()).into_owned();
    assert_eq!(shown.matches(SENTENCE).count(), 1, "{shown}");
    assert!(String::from_utf8_lossy(&home.raw("latest")).contains("on a terminal\r\n"));
}

#[test]
fn what_the_recorder_writes_is_for_its_owner_only() {
    let home = Home::empty();
    home.recorder(["run", "--", "true"]).ok();
    for file in hansard_tests::process::files_below(home.path()) {
        let mode = std::fs::metadata(&file).expect("a file").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} has mode {:o}", file.display(), mode & 0o7777);
    }
}

#[test]
fn a_given_recipient_makes_no_identity() {
    let home = Home::empty();
    let output = home.recorder(["run", "--recipient", RECIPIENT, "--", "true"]).output();
    assert_eq!(code(&output), 0, "{}", said(&output));
    assert!(!home.identity().exists(), "an identity was made beside a stated recipient");
    assert!(!said(&output).contains(SENTENCE), "{}", said(&output));
}

#[test]
fn run_may_be_left_out() {
    let home = Home::new();
    let output = home.recorder(["--", "/bin/sh", "-c", "echo short; exit 3"]).output();
    assert_eq!((code(&output), &*output.stdout), (3, &b"short\n"[..]));
    assert_eq!(home.raw("latest"), b"short\n");
}

#[test]
fn without_a_command_it_is_the_users_shell() {
    let home = Home::new();
    let mut terminal = Terminal::running(&home.recorder(["run", "--quiet"]).env("PS1", "ready> "));
    terminal.wait_text("ready> ");
    terminal.type_in("echo $((6 * 7)) is it\n");
    terminal.wait_text("42 is it");
    terminal.type_in("exit 5\n");
    assert_eq!(terminal.status(SOON), 5);
    let shown = terminal.drained();
    assert_eq!(home.raw("latest"), shown);
    home.assert_complete();
}

#[test]
fn without_a_command_or_a_terminal_the_shell_reads_its_input() {
    let home = Home::new();
    let output = home.recorder(["run", "--quiet"]).output_with(b"echo from a pipe\nexit 4\n");
    assert_eq!((code(&output), &*output.stdout), (4, &b"from a pipe\n"[..]), "{}", said(&output));
}

#[test]
fn check_and_show_say_that_the_host_can_read_its_own_past() {
    let home = Home::empty();
    home.recorder(["run", "--quiet", "--", "true"]).ok();
    let check = said(&home.recorder(["check"]).output());
    assert!(check.contains(SENTENCE), "{check}");
    let show = said(&home.replay(["show", "latest"]).output());
    assert!(show.contains("this host can read its own past"), "{show}");
    // Where only recipients are configured, neither says so.
    let home = Home::empty();
    home.configure(&format!("recipients = [\"{RECIPIENT}\"]\n"));
    home.recorder(["run", "--quiet", "--", "true"]).ok();
    let check = said(&home.recorder(["check"]).output());
    assert!(!check.contains("own past"), "{check}");
}
