//! The shortcut over plain lines changes nothing, and the lines are those of the transcript.

use hansard_schemas::cast::Size;
use proptest::prelude::*;

use super::{Batch, Lines};
use crate::screen::transcript::Transcript;
use crate::screen::{LineFeed, Stream};

/// What happens to a terminal.
#[derive(Debug, Clone)]
enum Happening {
    Shown(Vec<u8>),
    Resized(u16, u16),
    /// To the size that it had at first.
    Restored,
}

fn size(cols: u16, rows: u16) -> Size {
    Size { cols, rows }
}

/// All lines, with `waiting` bytes of plain ones at most.
fn lines(at: Size, feed: LineFeed, all: &[(u64, Happening)], waiting: usize) -> Batch {
    let mut out = Batch::default();
    let mut lines = Lines::new(at, feed);
    lines.waiting = waiting;
    for (at_ms, one) in all {
        match one {
            Happening::Shown(raw) => lines.write(Stream::Output, raw, *at_ms, &mut out),
            Happening::Resized(cols, rows) => lines.resize(size(*cols, *rows), *at_ms, &mut out),
            Happening::Restored => lines.resize(at, *at_ms, &mut out),
        }
    }
    lines.finish(&mut out);
    out
}

fn transcript(at: Size, feed: LineFeed, all: &[(u64, Happening)]) -> String {
    let mut out = String::new();
    let mut transcript = Transcript::new(at, feed);
    for (_, one) in all {
        match one {
            Happening::Shown(raw) => transcript.write(Stream::Output, raw, &mut out),
            Happening::Resized(cols, rows) => transcript.resize(size(*cols, *rows), &mut out),
            Happening::Restored => transcript.resize(at, &mut out),
        }
    }
    transcript.finish(&mut out);
    out
}

fn shown(pieces: &[(u64, &[u8])]) -> Vec<(u64, Happening)> {
    pieces.iter().map(|(at_ms, raw)| (*at_ms, Happening::Shown(raw.to_vec()))).collect()
}

fn read(pieces: &[(u64, &[u8])]) -> Vec<(String, u64)> {
    let all = shown(pieces);
    let slow = lines(size(20, 4), LineFeed::Terminal, &all, 0);
    let slow: Vec<_> = slow.lines().map(|(text, at_ms)| (text.to_owned(), at_ms)).collect();
    for waiting in [1, 1000] {
        let fast = lines(size(20, 4), LineFeed::Terminal, &all, waiting);
        assert_eq!(fast.lines().map(|(text, at_ms)| (text.to_owned(), at_ms)).collect::<Vec<_>>(), slow);
    }
    slow
}

#[test]
fn a_line_has_the_time_at_which_it_was_last_written_to() {
    let found = read(&[(1, b"one"), (2, b" two"), (3, b"\r\n"), (4, b"three\r\n$ "), (9, b"x\r\n")]);
    assert_eq!(found, [("one two".into(), 2), ("three".into(), 4), ("$ x".into(), 9)]);
    // Also when it stays on the screen long after, and when it was wrapped.
    let found = read(&[(5, b"0123456789012345678"), (6, b"9abc\r\n"), (90, b"1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n")]);
    assert_eq!(found[0], ("01234567890123456789abc".into(), 6));
    // What is erased later, or overwritten, became what it is then.
    let found = read(&[(1, b"abcdef\r\nnext"), (7, b"\x1b[A\x1b[3G\x1b[K"), (8, b"\r\n\n")]);
    assert_eq!(found[..2], [("ab".into(), 7), ("next".into(), 1)]);
    let found = read(&[(1, b" 10%"), (2, b"\r 20%"), (3, b"\r100%\r\n")]);
    assert_eq!(found, [("100%".into(), 3)]);
}

#[test]
fn times_move_with_rows() {
    // Inserted and deleted rows, and a region that scrolls.
    let found = read(&[(1, b"a\r\nb\r\nc"), (5, b"\x1b[2;1H\x1b[L"), (6, b"new")]);
    assert_eq!(found, [("a".into(), 1), ("new".into(), 6), ("b".into(), 1), ("c".into(), 1)]);
    let found = read(&[(1, b"a\r\nb"), (2, b"\r\nc\r\nd"), (5, b"\x1b[2;1H\x1b[M")]);
    assert_eq!(found, [("a".into(), 1), ("c".into(), 2), ("d".into(), 2)]);
    let found = read(&[(1, b"a\r\nb"), (2, b"\r\nc\r\nd"), (5, b"\x1b[1;1H\x1b[2M"), (6, b"e")]);
    assert_eq!(found, [("a".into(), 1), ("b".into(), 1), ("e".into(), 6), ("d".into(), 2)]);
    let found = read(&[(1, b"a\r\nb"), (2, b"\r\nc\r\nd"), (5, b"\x1b[2;3r\x1b[3;1H\r\n"), (6, b"e")]);
    assert_eq!(found, [("a".into(), 1), ("c".into(), 2), ("e".into(), 6), ("d".into(), 2)]);
    // Another size joins and wraps.
    let wide: Vec<u8> = b"0123456789abcdef\r\nx\r\n".to_vec();
    let all = [(3, Happening::Shown(wide)), (8, Happening::Resized(10, 4)), (9, Happening::Shown(b"y\r\n".to_vec()))];
    let batch = lines(size(20, 4), LineFeed::Terminal, &all, 0);
    assert_eq!(batch.lines().collect::<Vec<_>>(), [("0123456789abcdef", 3), ("x", 3), ("y", 9)]);
}

#[test]
fn full_screen_programs_are_seen_line_by_line() {
    let all = shown(&[
        (1, b"$ vim\r\n\x1b[?1049h\x1b[2J\x1b[1;1Hpassword = hunter2\x1b[2;1H~"),
        (2, b"\x1b[1;12Hsecret!"),
        (3, b"\x1b[2;1H\x1b[2K\x1b[1;1H\x1b[2K"),
        (4, b"\x1b[3;1H~"),
        (5, b"\x1b[?1049l$ "),
    ]);
    let batch = lines(size(20, 4), LineFeed::Terminal, &all, 1000);
    assert_eq!(batch.lines().collect::<Vec<_>>(), [("$ vim", 1), ("$", 5)]);
    let full: Vec<(&str, u64)> = batch.full.iter().map(|(text, at_ms)| (text.as_str(), *at_ms)).collect();
    assert_eq!(full, [("password = hunter2", 1), ("~", 1), ("password = secret!", 2)]);
    // Scrolling and wrapping inside.
    let all = shown(&[(1, b"\x1b[?1049h\x1b[4;1H0123456789012345678901\r\nnext\r\nlast")]);
    let batch = lines(size(20, 4), LineFeed::Terminal, &all, 1000);
    let full: Vec<&str> = batch.full.iter().map(|(text, _)| text.as_str()).collect();
    assert_eq!(full, ["0123456789012345678901", "next", "last"]);
}

/// What terminals are sent: mostly lines, some of them odd.
fn sent() -> impl Strategy<Value = Vec<u8>> {
    let fixed: Vec<&[u8]> = vec![
        b"\x1b[31m",
        b"\x1b[0m",
        b"\x1b[m\x1b[K",
        b"\x1b[38;5;200;44m",
        b"\x1b[2A",
        b"\x1b[3B",
        b"\x1b[5C",
        b"\x1b[2;3H",
        b"\x1b[2J",
        b"\x1b[H\x1b[2J\x1b[3J",
        b"\x1b[J",
        b"\x1b[1K",
        b"\x1b[2K\r",
        b"\x1b[L",
        b"\x1b[2M",
        b"\x1b[2;3r",
        b"\x1b[r",
        b"\x1b[?7l",
        b"\x1b[?7h",
        b"\x1b[4h",
        b"\x1b[4l",
        b"\x1b(0",
        b"\x1b(B",
        b"\x1b7",
        b"\x1b8",
        b"\x1bc",
        b"\x1bH",
        b"\x1bM",
        b"\x1b[?1049h",
        b"\x1b[?1049l",
        b"\x1b]0;title\x07",
        b"\x1b]2;to m\x1b\\",
        b"\x1b]7;\x1b[31m",
        b"\x1b[?2004h",
        b"\x1b[?25l",
        b"\x1b[?6h",
        b"\x1b[6D",
        b"\x1b[4G",
        b"\x1b[44m\x1b[J\x1b[m",
        b"\x1b=",
        b"\n",
        b"\x08",
        b"\x07",
        b"\xff\xe2\x82",
        "e\u{301}".as_bytes(),
        "\u{301}".as_bytes(),
        "👩\u{200d}💻".as_bytes(),
        "\u{202e}".as_bytes(),
        "\u{100001}".as_bytes(),
    ];
    prop_oneof![
        12 => "[a-z ]{0,30}\r\n".prop_map(String::into_bytes),
        4 => "(\x1b\\[3[0-7]m)?[a-z\t ]{0,12}(\x1b\\[m)?( \r[a-z ]{0,9})?\r\n".prop_map(String::into_bytes),
        3 => "[a-zé日本語 ]{0,14}\r\n".prop_map(String::into_bytes),
        4 => "(\x1b\\[\\?2004h|\x1b\\]0;[a-z]{1,4}\x07|\x1b\\[[0-9]{0,2}[CDG]|\x1b\\[[JK]|\x1b\\[4?m|\x07|\x1b\\(B|[a-z ]{1,9}){1,6}\r\n"
            .prop_map(String::into_bytes),
        2 => "[a-z ]{0,8}".prop_map(String::into_bytes),
        2 => Just(b"\r\n".to_vec()),
        3 => proptest::sample::select(fixed).prop_map(<[u8]>::to_vec),
    ]
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        30 => proptest::collection::vec(sent(), 1..20).prop_map(|parts| Happening::Shown(parts.concat())),
        2 => Just(Happening::Restored),
        1 => (1u16..14, 1u16..6).prop_map(|(cols, rows)| Happening::Resized(cols, rows)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_shortcut_changes_nothing(
        all in proptest::collection::vec((0u64..3, happening()), 0..12),
        cols in 1u16..14,
        rows in 1u16..6,
        pipes in any::<bool>(),
        waiting in proptest::sample::select(vec![1usize, 40, 100_000]),
    ) {
        let feed = if pipes { LineFeed::NewLine } else { LineFeed::Terminal };
        let mut at_ms = 0;
        let mut all = all;
        for (time, _) in &mut all {
            at_ms += *time;
            *time = at_ms;
        }
        let at = size(cols, rows);
        let reference = transcript(at, feed, &all);
        let slow = lines(at, feed, &all, 0);
        prop_assert_eq!(&slow.text, &reference);
        let fast = lines(at, feed, &all, waiting);
        prop_assert_eq!(&fast.text, &reference);
        prop_assert_eq!(&fast.full, &slow.full);
        let timed = |batch: &Batch| batch.lines().filter(|(text, _)| !text.trim().is_empty()).map(|(text, at_ms)| (text.to_owned(), at_ms)).collect::<Vec<_>>();
        prop_assert_eq!(timed(&fast), timed(&slow));
    }
}
