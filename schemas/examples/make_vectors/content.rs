//! Event lines that a reader must refuse, sealed and signed as they should be.

use hansard_schemas::Digest;

use super::good::{HELLO, hello_footer};
use super::raw::{FOOTER, LINES, Plain, Raw, cast_header, frame};
use super::{Case, Fixed, case};

/// A last segment 0 with these event lines after the header line; the footer is right for one hello.
fn lines(fixed: &Fixed, text: &str) -> Vec<u8> {
    Raw::first(fixed, &[HELLO, text.as_bytes()], &hello_footer(1, true)).bytes()
}

/// The same with the header line itself given.
fn headed(fixed: &Fixed, text: &[u8]) -> Vec<u8> {
    let raw = Raw::first(fixed, &[HELLO], &hello_footer(1, true));
    let footer = raw.blocks[1].clone();
    let data = frame(&[text]).concat();
    let blocks = vec![Plain { position: 1, kind: LINES, data, last: false }, Plain { kind: FOOTER, ..footer }];
    Raw { blocks, ..raw }.bytes()
}

pub fn cases(fixed: &Fixed) -> Vec<Case> {
    let bad = |name, note, text: &str| case(name, "bad-line", note, lines(fixed, text));
    let b = "\u{fffd}";
    let header = cast_header().0;
    let header_text = String::from_utf8(header.clone()).unwrap();
    let other_identity = header_text.replace("\"cwd\":\"/\"", "\"cwd\":\"/tmp\"") + std::str::from_utf8(HELLO).unwrap();
    let no_size = Raw { offset_ms: 100, ..Raw::later(fixed, 1, Digest([1; 32]), &[HELLO], &hello_footer(1, true)) };
    let second_header =
        Raw { offset_ms: 100, ..Raw::later(fixed, 1, Digest([1; 32]), &[&header, HELLO], &hello_footer(1, true)) };
    let long = format!("[0.000, \"m\", \"{}\"]\n", "x".repeat(1 << 20));
    let raw = format!("[0.000, \"o\", \"{}\"]\n", "x".repeat((64 << 10) + 1));
    vec![
        bad("bad-line-text", "not an event line", "hello\n"),
        bad("bad-line-empty", "an empty line", "\n"),
        bad("bad-line-space", "no space after a comma (CAST-2)", "[0.000,\"o\", \"x\"]\n"),
        bad("bad-line-spaces", "two spaces after a comma (CAST-2)", "[0.000, \"o\",  \"x\"]\n"),
        bad("bad-line-decimals", "an interval with two decimals (CAST-2)", "[0.00, \"o\", \"x\"]\n"),
        bad("bad-line-integer", "an interval without decimals (CAST-2)", "[1, \"o\", \"x\"]\n"),
        bad("bad-line-negative", "a negative interval (CAST-2)", "[-0.001, \"o\", \"x\"]\n"),
        bad("bad-line-zeros", "an interval with a leading zero (CAST-2)", "[01.000, \"o\", \"x\"]\n"),
        bad("bad-line-interval", "an interval over the largest (CAST-2)", "[9007199255.000, \"o\", \"x\"]\n"),
        bad("bad-line-code", "a code of two letters (CAST-2)", "[0.000, \"oo\", \"x\"]\n"),
        bad("bad-line-code-upper", "an upper-case code (CAST-2)", "[0.000, \"O\", \"x\"]\n"),
        bad("bad-line-number", "data that is no string (CAST-2)", "[0.000, \"x\", 0]\n"),
        bad("bad-line-surrogate", "a lone surrogate (CAST-4)", "[0.000, \"o\", \"\\ud800\"]\n"),
        bad("bad-line-control", "a control character that is not escaped (CAST-4)", "[0.000, \"o\", \"\u{1}\"]\n"),
        bad("bad-line-cr", "a carriage return before the line feed (JSON-2)", "[0.000, \"o\", \"x\"]\r\n"),
        bad("bad-line-size", "a size that is none", "[0.000, \"r\", \"80\"]\n"),
        bad("bad-line-status", "a status that is no number", "[0.000, \"x\", \"one\"]\n"),
        bad("bad-line-gap", "a gap that is no JSON", "[0.000, \"g\", \"masked\"]\n"),
        bad("bad-line-exact-first", "exact bytes first in a block (EXACT-3)", "[0.000, \"b\", \"ff\"]\n"),
        bad(
            "bad-line-exact-marker",
            "exact bytes of a marker (EXACT-3)",
            &format!("[0.000, \"m\", \"{b}\"]\n[0.000, \"b\", \"ff\"]\n"),
        ),
        bad(
            "bad-line-exact-twice",
            "exact bytes twice (EXACT-3)",
            &format!("[0.000, \"o\", \"{b}\"]\n[0.000, \"b\", \"ff\"]\n[0.000, \"b\", \"ff\"]\n"),
        ),
        bad(
            "bad-line-exact-later",
            "exact bytes at another time (EXACT-3)",
            &format!("[0.000, \"o\", \"{b}\"]\n[0.001, \"b\", \"ff\"]\n"),
        ),
        bad(
            "bad-line-exact-few",
            "fewer groups than U+FFFD (EXACT-2)",
            &format!("[0.000, \"o\", \"{b}{b}\"]\n[0.000, \"b\", \"ff\"]\n"),
        ),
        bad(
            "bad-line-exact-many",
            "more groups than U+FFFD (EXACT-2)",
            &format!("[0.000, \"o\", \"{b}\"]\n[0.000, \"b\", \"ff ff\"]\n"),
        ),
        bad(
            "bad-line-exact-long",
            "a group of four bytes (EXACT-2)",
            &format!("[0.000, \"o\", \"{b}\"]\n[0.000, \"b\", \"f0908080\"]\n"),
        ),
        bad(
            "bad-line-exact-upper",
            "a group in upper-case hex (EXACT-3)",
            &format!("[0.000, \"o\", \"{b}\"]\n[0.000, \"b\", \"FF\"]\n"),
        ),
        bad(
            "bad-line-exact-odd",
            "a group of odd length (EXACT-3)",
            &format!("[0.000, \"o\", \"{b}\"]\n[0.000, \"b\", \"f\"]\n"),
        ),
        bad(
            "bad-line-exact-spaces",
            "two spaces between groups",
            &format!("[0.000, \"o\", \"{b}{b}\"]\n[0.000, \"b\", \"ff  ff\"]\n"),
        ),
        case(
            "bad-line-utf8",
            "bad-line",
            "bytes that are not UTF-8",
            headed(fixed, &[&header[..], b"[0.000, \"o\", \"\xff\"]\n"].concat()),
        ),
        case("bad-line-no-header", "bad-line", "segment 0 without the header line (CAST-1)", headed(fixed, HELLO)),
        case("bad-line-no-size", "bad-line", "segment 1 that does not begin with a size (CAST-6)", no_size.bytes()),
        case("bad-line-header-again", "bad-line", "a header line in segment 1 (CAST-1)", second_header.bytes()),
        case(
            "altered-identity",
            "altered",
            "another identity object than the start entry names (CAST-1)",
            headed(fixed, other_identity.as_bytes()),
        ),
        case("limit-line", "limit", "an event line over 1 MiB (LIM-7)", lines(fixed, &long)),
        case("limit-event", "limit", "an event of 64 KiB and 1 raw bytes (LIM-8)", lines(fixed, &raw)),
    ]
}
