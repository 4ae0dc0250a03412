//! Recordings of other tools, imported by the built recorder and exported by the built player: to the byte, verified as any
//! session, and said to be imports. Not for the formats: those are tested in the recorder, on the same files.

use std::ffi::OsStr;
use std::path::PathBuf;

use hansard_tests::SOON;
use hansard_tests::call::{code, said};
use hansard_tests::home::Home;
use hansard_tests::terminal::Terminal;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../recorder/tests/fixtures/import").join(name)
}

#[test]
fn an_import_is_verified_and_exported_to_the_byte_and_says_what_it_is() {
    let home = Home::new();
    let log = fixture("sudo/terminal");
    let output = home.recorder([OsStr::new("import"), log.as_os_str()]).output();
    assert_eq!(code(&output), 0, "{}", said(&output));
    let session = String::from_utf8(output.stdout).expect("an id");
    let expected = std::fs::read(fixture("sudo/terminal/ttyout")).expect("the fixture");
    assert!(home.raw(session.trim()) == expected, "not exact");
    home.assert_complete();
    let shown = home.replay(["show", session.trim()]).output();
    assert!(String::from_utf8_lossy(&shown.stdout).contains("import=sudo"), "{}", said(&shown));
    for args in [&["verify"][..], &["verify", session.trim()], &["show", session.trim()], &["timeline", session.trim()]]
    {
        let words = said(&home.replay(args).output());
        assert!(words.contains("imported from another tool's recording (sudo, "), "{args:?}: {words}");
    }
    let mut terminal = Terminal::running(&home.replay(["play", session.trim(), "--quit-at-end"]));
    assert_eq!(terminal.status(SOON), 0, "{}", terminal.text());
    let played = String::from_utf8(terminal.drained()).expect("UTF-8");
    assert!(played.contains("note: session") && played.contains(" [imported]"), "{played}");
    let txt = home.export("latest", "txt");
    assert!(String::from_utf8_lossy(&txt).contains("hello Ann"), "{}", String::from_utf8_lossy(&txt));
}
