//! Bad input is a clear error with a documented code: never a panic, nothing lost.
//!
//! Not for recordings that are made to take memory or time: `bombs`.

use std::path::{Path, PathBuf};

use hansard_tests::call::{Call, code, said};
use hansard_tests::home::Home;
use hansard_tests::terminal::Terminal;
use hansard_tests::{SOON, process};

/// Fails with this code, says these words, gives a reason in the two-line form, and did not panic.
fn refused(call: &Call, expected: i32, words: &[&str]) -> String {
    let output = call.output();
    let text = said(&output);
    assert_eq!(code(&output), expected, "{call:?}:\n{text}");
    assert!(!text.contains("panicked"), "{text}");
    for word in words {
        assert!(text.contains(word), "`{word}` is not in:\n{text}");
    }
    assert!(output.stdout.len() < 10_000, "{} bytes on standard output", output.stdout.len());
    text
}

#[test]
fn an_unknown_configuration_key_names_the_nearest() {
    let home = Home::new();
    home.configure("[ship]\nintervall = \"5s\"\n");
    refused(&home.record(["true"]), 125, &["error:", "hint:", "intervall", "`interval`", "record.toml"]);
    home.configure("recipient = []\n");
    refused(&home.record(["true"]), 125, &["`recipients`"]);
    refused(&home.recorder(["check"]), 125, &["`recipients`"]);
    let other = home.write_private("other.toml", "[journal]\nmax_segments = 100000\n");
    home.configure("");
    refused(&home.recorder(["run", "--config"]).arg(&other).args(["--", "true"]), 125, &["max_segment`", "other.toml"]);
}

#[test]
fn a_configuration_that_cannot_be_is_refused() {
    for text in [
        "[ship]\ninterval = \"0s\"",
        "[ship]\ninterval = \"soon\"",
        "[journal]\nlevel = 99",
        "not toml at all",
        "to = 5",
        "\u{0}",
    ] {
        let home = Home::new();
        home.configure(text);
        refused(&home.record(["true"]), 125, &["error:", "record.toml"]);
    }
    let home = Home::new();
    refused(&home.recorder(["run", "--config", "/nowhere/record.toml", "--", "true"]), 125, &["/nowhere/record.toml"]);
}

#[test]
fn wrong_usage_starts_nothing() {
    let home = Home::new();
    let flag = home.join("started");
    let touch = ["touch", flag.to_str().expect("a path")];
    refused(&home.recorder(["run", "--no-such-flag", "--"]).args(touch), 125, &["no-such-flag"]);
    refused(&home.recorder(["run", "--input", "sometimes", "--"]).args(touch), 125, &["sometimes"]);
    refused(&home.recorder(["run", "--label", "no equals sign", "--"]).args(touch), 125, &["label"]);
    refused(&home.recorder(["run", "--recipient", "age1nonsense", "--"]).args(touch), 125, &["recipient"]);
    refused(&home.recorder(["run", "--recipients-file", "/nowhere", "--"]).args(touch), 125, &["/nowhere"]);
    assert!(!flag.exists(), "the command was run though it could not be recorded as asked");
    refused(&home.replay(["no-such-verb"]), 2, &["no-such-verb"]);
    refused(&home.replay(["export", "latest", "--as", "papyrus"]), 2, &["papyrus"]);
}

#[test]
fn a_bad_address_starts_nothing() {
    let home = Home::new();
    let flag = home.join("started");
    for url in ["ftp://host/x", "not an address", "file://", "s3:", "://", ""] {
        let call = home.recorder(["run", "--quiet", "--to", url, "--", "touch"]).arg(&flag);
        refused(&call, 125, &["error:"]);
        assert!(!flag.exists(), "`{url}`: the command was run");
    }
    for (url, expected) in [("ftp://host/x", 2), ("file:///nowhere/at/all", 3)] {
        let text = refused(&home.replay(["ls", "--from", url]), expected, &["error:"]);
        assert!(text.contains(url.trim_start_matches("file://")), "{text}");
    }
}

#[test]
fn a_store_that_is_away_loses_nothing() {
    let home = Home::new();
    let place = home.write_private("not-yet", "a file where the store should be");
    let url = format!("file://{}", place.display());
    let output = home.recorder(["run", "--quiet", "--to", &url, "--", "echo", "kept"]).output();
    assert_eq!((code(&output), &*output.stdout), (0, &b"kept\n"[..]), "{}", said(&output));
    assert!(said(&output).contains("hint:"), "{}", said(&output));
    refused(&home.recorder(["ship"]), 1, &["not-yet"]);
    std::fs::remove_file(&place).expect("removed");
    home.recorder(["ship"]).ok();
    assert_eq!(home.replay(["export", "latest", "--as", "raw", "--from", &url]).ok(), b"kept\n");
    home.replay(["verify", "--from", &url]).ok();
    let left = process::files_below(&home.spool().join("sessions"));
    assert!(left.is_empty(), "what was delivered is still in the spool: {left:?}");
}

#[test]
fn a_spool_that_cannot_be_written_starts_nothing() {
    let home = Home::new();
    let (file, flag) = (home.write_private("a-file", "text"), home.join("started"));
    for spool in [Path::new("/proc/no-spool-here"), Path::new("/dev/null/spool"), &file.join("spool"), &file] {
        let call = home.recorder(["run", "--quiet", "--spool"]).arg(spool).args(["--", "touch"]).arg(&flag);
        refused(&call, 125, &["error:", "hint:"]);
        assert!(!flag.exists(), "{}: the command was run", spool.display());
    }
}

#[test]
fn nothing_to_find_is_code_1() {
    let home = Home::new();
    home.record(["true"]).ok();
    refused(&home.replay(["export", "ffffffff", "--as", "raw"]), 1, &["ffffffff"]);
    refused(&home.replay(["show", "no/such/../id"]), 2, &["error:", "hint:"]);
    let empty = Home::new();
    std::fs::create_dir_all(empty.store()).expect("a folder");
    refused(&empty.replay(["export", "latest", "--as", "raw"]), 1, &["error:"]);
}

#[test]
fn a_terminal_that_is_gone_is_no_terminal() {
    // The recorder is started with a terminal that hangs up at once.
    let home = Home::new();
    let mut terminal = Terminal::open();
    terminal.run(&home.record_sh("echo words; sleep 100"));
    terminal.hang_up();
    terminal.ended(SOON);
    let verified = home.verify::<&str>([]);
    assert!(verified.code == 0 || home.sessions().is_empty(), "{}", verified.said);
}

/// A home with one small recording, and the path of its only segment.
fn one_segment() -> (Home, PathBuf) {
    let home = Home::new();
    home.record_sh("echo one segment").ok();
    let segments = home.segments();
    assert_eq!(segments.len(), 1, "{segments:?}");
    (home, segments.into_iter().next().expect("a segment"))
}

/// Every command that reads a recording, on a segment whose bytes are not what they should be.
fn refused_everywhere(home: &Home, segment: &Path, words: &[&str]) {
    let text = refused(&home.replay(["verify"]).arg(segment), 1, &[]);
    assert!(words.iter().any(|word| text.contains(word)), "none of {words:?} is in:\n{text}");
    refused(&home.replay(["verify"]), 1, &[]);
    for form in ["raw", "cast", "txt"] {
        let output = home.replay(["export", "latest", "--as", form]).output();
        assert_eq!(code(&output), 1, "{form}: {}", said(&output));
        assert!(output.stdout.is_empty(), "{form}: {} bytes of what does not verify were let out", output.stdout.len());
    }
}

#[test]
fn an_empty_file_is_no_segment() {
    let (home, segment) = one_segment();
    std::fs::write(&segment, b"").expect("written");
    refused_everywhere(&home, &segment, &["truncated", "empty", "header", "end"]);
}

#[test]
fn names_that_are_no_names_are_reported_and_harmless() {
    let (home, segment) = one_segment();
    let folder = segment.parent().expect("a folder");
    for name in ["000000-xyz.hseg", "../escape.hseg", "000000.hseg", "\u{1b}[31mred.hseg", "notes.txt"] {
        std::fs::write(folder.join(name), b"text").expect("written");
    }
    let verified = home.verify::<&str>([]);
    assert!(!verified.said.contains('\u{1b}'), "a name reached the terminal raw: {:?}", verified.said);
    assert_eq!(home.raw("latest"), b"one segment\n", "{}", verified.said);
}

#[test]
fn hostile_words_are_printed_escaped() {
    let home = Home::new();
    let hostile = "\u{1b}]0;title\u{7}\u{1b}[2J\u{202e}gpj.exe\u{200b}";
    let label = format!("ticket={hostile}");
    let call = home.recorder(["run", "--quiet", "--reason", hostile, "--label", &label, "--", "/bin/echo", hostile]);
    call.ok();
    for args in [
        vec!["ls"],
        vec!["ls", "-l"],
        vec!["show", "latest"],
        vec!["verify"],
        vec!["ls", "--json"],
        vec!["show", "latest", "--json"],
    ] {
        let text = said(&home.replay(&args).output());
        for bad in ['\u{1b}', '\u{7}', '\u{202e}', '\u{200b}'] {
            assert!(!text.contains(bad), "{args:?} printed {bad:?} raw:\n{text:?}");
        }
    }
    let shown = said(&home.replay(["show", "latest"]).output());
    assert!(shown.contains("gpj.exe"), "{shown}");
}
