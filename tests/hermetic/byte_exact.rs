//! `export --as raw` gives back exactly what the terminal got, whatever the bytes and however they were cut.

use std::fmt::Write as _;

use hansard_tests::home::Home;
use hansard_tests::terminal::Terminal;
use hansard_tests::{LONG, process, programs, stream};

use crate::heavy;

/// Records `emit --raw ARGS…` on a terminal that passes bytes as they are; what the terminal got and what was
/// recorded are the same, and it is `expected`.
fn exact(args: &[&str], expected: &[u8]) -> Home {
    let home = Home::new();
    let emit = programs::own("emit");
    let mut command = vec![emit.to_str().expect("a path"), "--raw"];
    command.extend(args);
    let mut terminal = Terminal::raw_running(&home.record(&command));
    assert_eq!(terminal.status(LONG), 0);
    same(&terminal.drained(), expected, "what the terminal got, and what the program wrote");
    same(&home.raw("latest"), expected, "what was recorded, and what the terminal got");
    home
}

/// Fails with the first difference, not with megabytes.
fn same(left: &[u8], right: &[u8], what: &str) {
    if left == right {
        return;
    }
    let at = left.iter().zip(right).position(|(l, r)| l != r).unwrap_or(left.len().min(right.len()));
    let near = |bytes: &[u8]| format!("{:02x?}", &bytes[at.saturating_sub(8)..bytes.len().min(at + 24)]);
    panic!("{what}: {} and {} bytes, differ at {at}: {} and {}", left.len(), right.len(), near(left), near(right));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The lines of the exported asciicast, parsed; all of it is valid JSON of the standard's form.
fn cast(home: &Home) -> (serde_json::Value, Vec<(f64, String, String)>) {
    let text = String::from_utf8(home.export("latest", "cast")).expect("asciicast is UTF-8");
    let mut lines = text.lines();
    let header: serde_json::Value = serde_json::from_str(lines.next().expect("a header")).expect("a JSON header");
    let events = lines.map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"))).collect();
    (header, events)
}

fn output_text(events: &[(f64, String, String)]) -> String {
    events.iter().filter(|(_, code, _)| code == "o").map(|(_, _, text)| text.as_str()).collect()
}

#[test]
fn all_256_values() {
    let all: Vec<u8> = (0..=255).collect();
    exact(&["hex", &hex(&all)], &all);
}

#[test]
fn all_256_values_one_at_a_time() {
    let all: Vec<u8> = (0..=255).rev().collect();
    let words: Vec<String> = all.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut args = vec!["hex"];
    for word in &words {
        args.extend([word.as_str(), "1"]);
    }
    args.pop();
    exact(&args, &all);
}

/// Every kind of ill-formed sequence that Unicode names, with a genuine replacement character on each side.
const ILL_FORMED: &[(&str, &[u8])] = &[
    ("a continuation byte alone", &[0x80]),
    ("two continuation bytes", &[0xbf, 0x80]),
    ("a start of two, cut off", &[0xc2]),
    ("a start of three, cut off after one", &[0xe4]),
    ("a start of three, cut off after two", &[0xe4, 0xb8]),
    ("a start of four, cut off after one", &[0xf0]),
    ("a start of four, cut off after two", &[0xf0, 0x9f]),
    ("a start of four, cut off after three", &[0xf0, 0x9f, 0x98]),
    ("an overlong NUL", &[0xc0, 0x80]),
    ("an overlong slash of two", &[0xc1, 0xaf]),
    ("an overlong slash of three", &[0xe0, 0x80, 0xaf]),
    ("an overlong form of four", &[0xf0, 0x80, 0x80, 0xaf]),
    ("a surrogate", &[0xed, 0xa0, 0x80]),
    ("a pair of surrogates", &[0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]),
    ("beyond the last character", &[0xf4, 0x90, 0x80, 0x80]),
    ("a start of four that never was", &[0xf5, 0x80, 0x80, 0x80]),
    ("a start of five", &[0xf8, 0x88, 0x80, 0x80, 0x80]),
    ("a start of six", &[0xfc, 0x84, 0x80, 0x80, 0x80, 0x80]),
    ("bytes that never occur", &[0xfe, 0xff]),
    ("a good start, then another", &[0xe4, 0xe4, 0xb8, 0x96]),
    ("many starts", &[0xc2, 0xe4, 0xf0, 0xc2]),
];

#[test]
fn ill_formed_sequences_beside_genuine_replacement_characters() {
    let mut whole = Vec::new();
    for (_, bytes) in ILL_FORMED {
        whole.extend_from_slice("a\u{fffd}".as_bytes());
        whole.extend_from_slice(bytes);
        whole.extend_from_slice("\u{fffd}z".as_bytes());
    }
    // In one write, then cut before every byte.
    exact(&["hex", &hex(&whole)], &whole);
    let words: Vec<String> = whole.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut args = vec!["hex"];
    for word in &words {
        args.extend([word.as_str(), "0"]);
    }
    args.pop();
    exact(&args, &whole);
}

#[test]
fn ill_formed_sequences_at_the_very_end() {
    for (name, bytes) in ILL_FORMED {
        let mut whole = b"end: ".to_vec();
        whole.extend_from_slice(bytes);
        let home = exact(&["hex", &hex(&whole)], &whole);
        let (_, events) = cast(&home);
        assert_eq!(output_text(&events), String::from_utf8_lossy(&whole), "{name}");
    }
}

#[test]
fn a_character_split_over_two_writes_is_one_character() {
    // The pause is shorter than what a recorder holds back, but a loaded machine may stretch it: what is shown for
    // certain here is that no byte is lost or doubled; that the halves are joined is seen in one of ten tries.
    let smile = "\u{1f600}".as_bytes();
    let mut joined = 0;
    for _ in 0..10 {
        let home =
            exact(&["hex", "613a", "5", &hex(&smile[..2]), "10", &hex(&smile[2..]), "0", "7a"], b"a:\xf0\x9f\x98\x80z");
        joined += usize::from(output_text(&cast(&home).1) == "a:\u{1f600}z");
    }
    assert!(joined > 0, "a character split by 10 ms was never joined");
}

#[test]
fn a_character_split_for_long_is_not_held_back() {
    let home = Home::new();
    let emit = programs::own("emit");
    let command = [emit.to_str().expect("a path"), "--raw", "hex", "613af09f", "50", "98807a"];
    let mut terminal = Terminal::raw_running(&home.record(command));
    assert_eq!(terminal.status(LONG), 0);
    let reads = terminal.reads();
    let whole = b"a:\xf0\x9f\x98\x80z";
    same(&terminal.drained(), whole, "what the terminal got");
    same(&home.raw("latest"), whole, "what was recorded");
    // All of the first write was displayed before the second was made.
    assert!(reads.iter().any(|(length, _)| *length == 4), "half a character was held back for 50 ms: {reads:?}");
    // A player that knows nothing of exact bytes still shows the rest.
    assert!(output_text(&cast(&home).1).starts_with("a:"));
}

#[test]
fn small_mixed_text_cut_at_every_place() {
    let text = stream::mixed(7, 3000);
    for write in [1, 2, 3, 5, 7] {
        exact(&["mixed", "7", "3000", &write.to_string()], &text);
    }
}

#[test]
fn mixed_text_of_64_mib() {
    let _heavy = heavy();
    let length = 64 << 20;
    // 65,521 is prime: over the stream every character length is cut at every place.
    let home = exact(&["mixed", "11", &length.to_string(), "65521"], &stream::mixed(11, length));
    home.assert_complete();
}

#[test]
fn random_bytes_of_64_mib() {
    let _heavy = heavy();
    let length = 64 << 20;
    let home = exact(&["random", "13", &length.to_string(), "65521"], &stream::random(13, length));
    home.assert_complete();
}

#[test]
fn an_export_is_an_asciicast_of_version_3() {
    let bytes = stream::mixed(17, 200_000);
    let home = exact(&["mixed", "17", "200000", "4093"], &bytes);
    let (header, events) = cast(&home);
    assert_eq!(header["version"], 3);
    assert_eq!((&header["term"]["cols"], &header["term"]["rows"]), (&80.into(), &24.into()));
    assert!(header["hansard"].is_object(), "{header}");
    assert!(events.iter().all(|(interval, code, _)| *interval >= 0.0 && code.len() == 1));
    assert_eq!(output_text(&events), String::from_utf8_lossy(&bytes), "the text of a valid stream");
    assert_eq!(events.last().map(|(_, code, text)| (code.as_str(), text.as_str())), Some(("x", "0")));
}

#[test]
fn what_line_editing_does_is_recorded_as_displayed() {
    // Not raw: the terminal's own CR before LF, echo and erasing are what was displayed.
    let home = Home::new();
    let mut terminal = Terminal::running(&home.record_sh("echo one; read x; printf 'got %s\\n' \"$x\""));
    terminal.wait_text("one\r\n");
    terminal.type_in("hellp\x7fo\n");
    assert_eq!(terminal.status(LONG), 0);
    let shown = terminal.drained();
    assert!(String::from_utf8_lossy(&shown).contains("got hello\r\n"), "{}", String::from_utf8_lossy(&shown));
    same(&home.raw("latest"), &shown, "what was recorded, and what the terminal got");
}

/// `HANSARD_YES_SECONDS` makes it a minute (3 by default).
#[test]
fn yes_without_end_is_bounded_in_memory_and_opens_again() {
    let _heavy = heavy();
    let seconds = std::env::var("HANSARD_YES_SECONDS").ok().and_then(|n| n.parse().ok()).unwrap_or(3);
    let home = Home::new();
    let mut terminal = Terminal::running(&home.record(["yes"]));
    terminal.waits(std::time::Duration::from_secs(seconds), |_| false);
    let peak = process::peak_memory(terminal.pid()).expect("the recorder runs");
    terminal.type_in("\x03");
    assert_eq!(terminal.status(LONG), 130);
    let shown = terminal.drained();
    assert!(shown.len() > 1 << 20, "only {} bytes in {seconds} s", shown.len());
    assert!(peak < 128 << 20, "the recorder held {} MiB", peak >> 20);
    assert!(home.raw("latest") == shown, "the recording differs from what was displayed");
    home.assert_complete();
    println!("yes for {seconds} s: {} MiB displayed, {} MiB of memory at most", shown.len() >> 20, peak >> 20);
}
