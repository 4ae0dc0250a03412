//! The wall holds: whatever goes in, only characters that print come out, and keyframes change nothing.

use super::characters::{Class, classify};
use super::*;

fn screen(cols: u16, rows: u16) -> Screen {
    Screen::new(Size { cols, rows }, LineFeed::Terminal)
}

fn text(screen: &mut Screen) -> Vec<String> {
    screen.settle();
    let rows: Vec<String> = screen
        .rows()
        .map(|cells| {
            let mut out = String::new();
            cells.iter().filter(|cell| cell.width() > 0).for_each(|cell| screen.spell(cell, &mut out));
            out.trim_end().to_owned()
        })
        .collect();
    for ch in rows.iter().flat_map(|row| row.chars()) {
        assert!(matches!(classify(ch), Class::Plain | Class::Mark), "{ch:?} came out");
    }
    rows
}

fn shown(cols: u16, rows: u16, raw: &[u8]) -> Vec<String> {
    let mut screen = screen(cols, rows);
    screen.write(Stream::Output, raw);
    text(&mut screen)
}

#[test]
fn sequences_end_here_and_text_stays() {
    let row = |raw: &[u8]| shown(40, 2, raw).swap_remove(0);
    assert_eq!(row(b"a\x1b]52;c;ZXZpbA==\x07b"), "ab");
    assert_eq!(row(b"a\x1b]0;title\x1b\\b"), "ab");
    assert_eq!(row(b"a\x1bP$qm\x1b\\b"), "ab");
    assert_eq!(row(b"a\x1bPq#0;2;0;0;0~~\x1b\\b"), "ab");
    assert_eq!(row(b"a\x07\x07\x7fb"), "ab");
    assert_eq!(row("a\u{9b}31mb\u{9d}0;x\u{9c}c".as_bytes()), "abc");
    assert_eq!(row(b"a\x1b[6n\x1b[c\x1b[>q\x1b[?1000hb"), "ab");
    assert_eq!(row(b"a\x1b]52;c;never ended"), "a");
    assert_eq!(row(b"a\x1b[8;99999;99999tb"), "ab");
}

#[test]
fn characters_that_act_on_others_are_replaced() {
    assert_eq!(shown(20, 1, "a\u{202e}b\u{2066}c\u{200f}d".as_bytes()), ["a\u{fffd}b\u{fffd}c\u{fffd}d"]);
    assert_eq!(shown(20, 1, "a\u{200b}\u{feff}\u{fe0f}b".as_bytes()), ["ab"]);
    assert_eq!(shown(20, 1, "\u{e0041}\u{10ffff}\u{100000}\u{38000}".as_bytes())[0].replace('\u{fffd}', ""), "");
    assert_eq!(shown(20, 1, b"a\xffb\xc3"), ["a\u{fffd}b"]);
}

#[test]
fn marks_stay_with_their_base() {
    assert_eq!(shown(20, 1, "cafe\u{301}!".as_bytes()), ["cafe\u{301}!"]);
    let mut one = screen(20, 1);
    one.write(Stream::Output, "が\u{3099}e\u{301}\u{323}x".as_bytes());
    assert_eq!(text(&mut one), ["が\u{3099}e\u{301}\u{323}x"]);
    // Two columns, one column, one column: marks take none.
    assert_eq!(one.cursor().0, 4);
    let flood = format!("a{}b", "\u{301}".repeat(5000));
    assert!(shown(20, 1, flood.as_bytes())[0].chars().count() < 10);
    // More different clusters than there is room for: they lose their marks, nothing else.
    let mut many = screen(80, 24);
    for mark in ['\u{301}', '\u{302}', '\u{303}', '\u{304}'] {
        for base in 0x4e00..0x9000 {
            many.write(Stream::Output, format!("{}{mark}", char::from_u32(base).unwrap()).as_bytes());
        }
    }
    text(&mut many);
}

#[test]
fn sizes_are_bounded_and_zero_is_a_screen() {
    assert_eq!(screen(0, 0).size(), (80, 24));
    assert_eq!(screen(0, 7).size(), (80, 24));
    assert_eq!(screen(1500, 60).size(), (1500, 60));
    let huge = screen(65535, 65535);
    assert!(huge.is_clipped() && huge.size().0 * huge.size().1 <= CELLS_MAX, "{:?}", huge.size());
    let mut tall = screen(1, 65535);
    assert!(!tall.is_clipped());
    tall.resize(Size { cols: 80, rows: 24 });
    tall.resize(Size { cols: 65535, rows: 1 });
    assert_eq!((tall.size(), tall.is_clipped()), ((COLS_MAX, 1), true));
}

#[test]
fn bombs_cost_little() {
    let started = std::time::Instant::now();
    let mut bomb = screen(65535, 65535);
    bomb.write(Stream::Output, "a\x1b[65535b\x1b[65535;65535H\x1b[65535S\x1b[65535L\x1b[2J".repeat(20).as_bytes());
    bomb.write(Stream::Output, b"\x1b[999999999999999999999999C\x1b[65535I\x1b[?1049h\x1b#8");
    text(&mut bomb);
    assert!(started.elapsed().as_secs() < 20);
}

#[test]
fn pipes_get_their_carriage_returns() {
    let mut pipes = Screen::new(Size { cols: 0, rows: 0 }, LineFeed::NewLine);
    pipes.write(Stream::Output, b"one\ntwo\n");
    pipes.write(Stream::Error, b"three\n");
    assert_eq!(text(&mut pipes)[..3], ["one", "two", "three"]);
    assert_eq!(shown(20, 2, b"one\ntwo"), ["one", "   two"]);
}

#[test]
fn each_stream_has_its_decoder() {
    let mut both = screen(20, 1);
    both.write(Stream::Output, b"\xe2\x82");
    both.write(Stream::Error, b"x");
    both.write(Stream::Output, b"\xac");
    assert_eq!(text(&mut both), ["x€"]);
}

#[test]
fn no_keyframe_inside_a_sequence_or_a_character() {
    let mut inside = screen(20, 2);
    for (raw, ready) in [
        (&b"\x1b[3"[..], false),
        (b"1m", true),
        (b"\xe2\x82", false),
        (b"\xac", true),
        (b"\xe2", false),
        (b"\x82", false),
        (b"\xac", true),
        (b"\x1b]0;x", false),
        (b"\x07", true),
        (b"\xff", true),
    ] {
        inside.write(Stream::Output, raw);
        assert_eq!(inside.keyframe().is_some(), ready, "{raw:?}");
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_come_out_as_characters_that_print(raw in proptest::collection::vec(hostile(), 0..60)) {
        let mut any = screen(20, 5);
        for part in &raw {
            any.write(Stream::Output, part);
        }
        text(&mut any);
    }

    #[test]
    fn going_on_from_a_keyframe_is_the_same(
        before in proptest::collection::vec(hostile(), 0..30),
        after in proptest::collection::vec(hostile(), 0..30),
    ) {
        let mut straight = screen(20, 5);
        before.iter().for_each(|part| straight.write(Stream::Output, part));
        let keyframe = straight.keyframe();
        after.iter().for_each(|part| straight.write(Stream::Output, part));
        let expected = text(&mut straight);
        if let Some(keyframe) = keyframe {
            straight.restore(&keyframe);
            after.iter().for_each(|part| straight.write(Stream::Output, part));
            proptest::prop_assert_eq!(text(&mut straight), expected);
        }
    }
}

/// Pieces of what terminals are sent, and of what they should not be.
pub fn hostile() -> impl proptest::strategy::Strategy<Value = Vec<u8>> {
    use proptest::prelude::*;
    let fixed: Vec<&[u8]> = vec![
        b"\x1b]52;c;ZXZpbA==\x07",
        b"\x1b]0;title\x07",
        b"\x1b]8;;http://x\x1b\\",
        b"\x1bP$qm\x1b\\",
        b"\x1bPq#0~\x1b\\",
        b"\x1b_x\x1b\\",
        b"\x1b[c",
        b"\x1b[5n",
        b"\x1b[21t",
        b"\x1bc",
        b"\x1b[?1049h",
        b"\x1b[?1049l",
        b"\x1b[2J",
        b"\x1b[H",
        b"\x1b[3;5r",
        b"\x1b[41;1m",
        b"\x1b[38;5;200m",
        b"\x1b[48;2;1;2;3;7m",
        b"\x1b(0qqq\x1b(B",
        b"\x1b[4h",
        b"\x1b[?6h",
        b"\x1b[5b",
        b"\x1b7",
        b"\x1b8",
        b"\r\n",
        b"\t",
        b"\x08",
        b"\x07",
        b"\x1b[",
        b"\x1b]",
        b"\x1bP",
        b"\xff\xfe\xe2\x82",
        "\u{202e}".as_bytes(),
        "e\u{301}".as_bytes(),
        "\u{301}".as_bytes(),
        "日本".as_bytes(),
        "👩\u{200d}💻".as_bytes(),
        "\u{9b}1m\u{85}".as_bytes(),
        "\u{100001}\u{38001}".as_bytes(),
    ];
    prop_oneof![
        proptest::sample::select(fixed).prop_map(<[u8]>::to_vec),
        proptest::collection::vec(any::<u8>(), 0..12),
        "[ -~]{0,30}".prop_map(String::into_bytes),
        (0u32..70000, 0u32..70000, proptest::sample::select(&b"ABCDEFGHJKLMPSTXZ@`abcdefghlmnrsu"[..]))
            .prop_map(|(a, b, last)| format!("\x1b[{a};{b}{}", char::from(last)).into_bytes()),
    ]
}

fn lines(size: (u16, u16), feed: LineFeed, raw: &[u8]) -> String {
    let mut whole = String::new();
    let mut transcript = transcript::Transcript::new(Size { cols: size.0, rows: size.1 }, feed);
    transcript.write(Stream::Output, raw, &mut whole);
    transcript.finish(&mut whole);
    // However it is cut, it is the same. (A mark that comes in another piece than its base is lost.)
    for step in [1, 3, 7] {
        let mut pieces = String::new();
        let mut transcript = transcript::Transcript::new(Size { cols: size.0, rows: size.1 }, feed);
        raw.chunks(step).for_each(|piece| transcript.write(Stream::Output, piece, &mut pieces));
        transcript.finish(&mut pieces);
        assert_eq!(pieces.replace('\u{301}', ""), whole.replace('\u{301}', ""), "in pieces of {step}");
    }
    whole
}

#[test]
fn a_transcript_has_the_lines_and_nothing_else() {
    let terminal = |raw: &[u8]| lines((10, 3), LineFeed::Terminal, raw);
    assert_eq!(terminal(b"$ ls\r\na  b\r\n\r\nc\r\nd\r\ne"), "$ ls\na  b\n\nc\nd\ne\n");
    assert_eq!(terminal(b"a line that is longer than the screen\r\nx"), "a line that is longer than the screen\nx\n");
    assert_eq!(terminal(b"\x1b[31mred\x1b[0m \x1b]0;t\x07ok   \r\n"), "red ok\n");
    assert_eq!(terminal(b"one\rtwo\r\nab\x08c\r\n"), "two\nac\n");
    assert_eq!(terminal(b"before\r\n\x1b[?1049hvim\x1b[2J\x1b[?1049lafter"), "before\nafter\n");
    assert_eq!(terminal(b"one\r\n\r\n\x1bctwo"), "one\ntwo\n");
    assert_eq!(
        terminal("cafe\u{301} \u{202e}x\u{9b}1m日本語\u{7f}".as_bytes()),
        "cafe\u{301} \u{fffd}x日\n本語\n".replace("日\n本", "日本")
    );
    assert_eq!(terminal(b"cut \xe2\x82"), "cut \u{fffd}\n");
    assert_eq!(terminal(b""), "");
    assert_eq!(lines((0, 0), LineFeed::NewLine, b"one\ntwo\n"), "one\ntwo\n");
    let many: String = (0..5000).map(|n| format!("line {n}\r\n")).collect();
    assert_eq!(terminal(many.as_bytes()), many.replace('\r', ""));
}
