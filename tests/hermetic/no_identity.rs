//! Without the identity nothing opens: its own exit code, and a message that names who could.

use hansard_tests::call::{code, said};
use hansard_tests::home::{Home, RECIPIENT, STRANGER, STRANGER_RECIPIENT};

/// A home with one recording, from which the identity was taken away.
fn without_identity() -> Home {
    let home = Home::new();
    home.record_sh("echo secret words").ok();
    std::fs::remove_file(home.identity()).expect("an identity");
    home
}

#[test]
fn nothing_opens_and_the_recipients_are_named() {
    let home = without_identity();
    for args in [
        vec!["export", "latest", "--as", "raw"],
        vec!["export", "latest", "--as", "cast"],
        vec!["export", "latest", "--as", "txt"],
    ] {
        let output = home.replay(&args).output();
        assert_eq!(code(&output), 4, "{args:?}: {}", said(&output));
        assert!(output.stdout.is_empty(), "{args:?} gave {} bytes", output.stdout.len());
        assert!(said(&output).contains(RECIPIENT), "{args:?}: {}", said(&output));
    }
}

#[test]
fn a_strangers_identity_opens_nothing() {
    let home = without_identity();
    let stranger = home.write_private("stranger.txt", &format!("{STRANGER}\n"));
    let output = home.replay(["export", "latest", "--as", "raw", "--identity"]).arg(&stranger).output();
    assert_eq!(code(&output), 4, "{}", said(&output));
    assert!(output.stdout.is_empty());
    assert!(said(&output).contains(RECIPIENT), "{}", said(&output));
    // Nor does the right one's public half.
    let public = home.write_private("public.txt", &format!("{RECIPIENT}\n"));
    let output = home.replay(["export", "latest", "--as", "raw", "--identity"]).arg(&public).output();
    assert_ne!(code(&output), 0, "{}", said(&output));
    assert!(output.stdout.is_empty());
}

#[test]
fn it_verifies_without_any_key() {
    without_identity().assert_complete();
}

#[test]
fn each_recipient_opens_it_alone() {
    let home = Home::new();
    std::fs::remove_file(home.identity()).expect("an identity");
    let command =
        ["run", "--quiet", "--recipient", RECIPIENT, "--recipient", STRANGER_RECIPIENT, "--", "echo", "for two"];
    home.recorder(command).ok();
    assert!(!home.identity().exists());
    for secret in [hansard_tests::home::IDENTITY, STRANGER] {
        let file = home.write_private("one.txt", &format!("{secret}\n"));
        let raw = home.replay(["export", "latest", "--as", "raw", "--identity"]).arg(&file).ok();
        assert_eq!(raw, b"for two\n");
    }
}

#[test]
fn the_identity_is_in_no_file_of_spool_or_store() {
    let home = Home::new();
    home.record_sh("echo words; echo more >&2").ok();
    for file in hansard_tests::process::files_below(&home.join(".local")) {
        let bytes = std::fs::read(&file).expect("a file");
        for secret in [&b"AGE-SECRET-KEY"[..], b"echo words"] {
            assert!(hansard_tests::terminal::find(&bytes, secret).is_none(), "{} holds a secret", file.display());
        }
    }
}
