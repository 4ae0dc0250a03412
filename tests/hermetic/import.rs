//! Recordings of other tools, imported by the built recorder and exported by the built player: to the byte, verified as any
//! session, and said to be imports. Not for the formats: those are tested in the recorder, on the same files.

use std::ffi::OsStr;
use std::path::PathBuf;

use hansard_tests::call::{code, said};
use hansard_tests::home::Home;

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
    let txt = home.export("latest", "txt");
    assert!(String::from_utf8_lossy(&txt).contains("hello Ann"), "{}", String::from_utf8_lossy(&txt));
}
