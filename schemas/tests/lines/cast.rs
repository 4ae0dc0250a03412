//! Section 3: the lines, written and read.

use hansard_schemas::cast::{Code, Encoder, Event, EventData, Gap, GapWhat, GapWhy, LineReader, Size};
use hansard_schemas::session::{StreamCount, Streams};
use hansard_schemas::{Outcome, Result, limits};
use proptest::prelude::*;

use crate::samples;

/// The lines of one block in a later segment, after the size it must begin with.
fn read(lines: &[u8]) -> Result<Vec<Event>> {
    let mut reader = LineReader::new(false, 0);
    reader.push(b"[0.000, \"r\", \"80x24\"]\n")?;
    reader.push(lines)
}

fn outcome(lines: &str) -> Outcome {
    match read(lines.as_bytes()) {
        Ok(_) => Outcome::Ok,
        Err(error) => error.outcome(),
    }
}

fn bytes(event: &Event) -> &[u8] {
    match &event.data {
        EventData::Bytes(bytes) => bytes,
        EventData::Text(text) => panic!("not a stream: {text}"),
    }
}

fn written(events: &[(Code, u64, &[u8])]) -> String {
    let (mut encoder, mut out) = (Encoder::new(), Vec::new());
    for (code, t_ms, raw) in events {
        encoder.stream(&mut out, *code, *t_ms, raw);
    }
    String::from_utf8(out).expect("lines are UTF-8")
}

#[test]
fn cast_2_lines_look_like_this() {
    let mut encoder = Encoder::new();
    let mut out = Vec::new();
    assert_eq!(encoder.stream(&mut out, Code::Output, 5, b"hi \"there\"\r\n\x1b[0m\\\x7f"), 1);
    assert_eq!(encoder.stream(&mut out, Code::Error, 12_345, b"\xff\xef\xbf\xbd"), 2);
    assert_eq!(encoder.text(&mut out, Code::Resize, 12_345, "80x24"), 1);
    assert_eq!(encoder.stream(&mut out, Code::Input, 12_345, b""), 0);
    assert_eq!(encoder.text(&mut out, Code::Exit, 9_999_999_999, "0"), 1);
    let expected = concat!(
        r#"[0.005, "o", "hi \"there\"\r\n\u001b[0m\\"#,
        "\u{7f}\"]\n",
        "[12.340, \"e\", \"\u{fffd}\u{fffd}\"]\n",
        "[0.000, \"b\", \"ff efbfbd\"]\n",
        "[0.000, \"r\", \"80x24\"]\n",
        "[9999987.654, \"x\", \"0\"]\n",
    );
    assert_eq!(String::from_utf8_lossy(&out), expected);
    assert_eq!(encoder.offset_ms(), 9_999_999_999);
}

#[test]
fn cast_2_other_forms_are_bad_lines() {
    for bad in [
        "",
        " ",
        "{}",
        "[]",
        "[0.000, \"o\"]",
        "[0.000,\"o\", \"a\"]",
        "[0.000, \"o\",\"a\"]",
        "[0.000,  \"o\", \"a\"]",
        " [0.000, \"o\", \"a\"]",
        "[0.000, \"o\", \"a\"] ",
        "[0.000, \"o\", \"a\" ]",
        "[0.000, \"o\",  \"a\"]",
        "[0.000, \"o\", \"a\"]\r",
        "[0, \"o\", \"a\"]",
        "[0.0, \"o\", \"a\"]",
        "[0.0000, \"o\", \"a\"]",
        "[.000, \"o\", \"a\"]",
        "[-0.001, \"o\", \"a\"]",
        "[+0.001, \"o\", \"a\"]",
        "[00.000, \"o\", \"a\"]",
        "[01.000, \"o\", \"a\"]",
        "[1e3, \"o\", \"a\"]",
        "[0.00a, \"o\", \"a\"]",
        "[9007199255.000, \"o\", \"a\"]",
        "[99999999999999999999.000, \"o\", \"a\"]",
        "[0.000, \"O\", \"a\"]",
        "[0.000, \"oo\", \"a\"]",
        "[0.000, \"\", \"a\"]",
        "[0.000, \"1\", \"a\"]",
        "[0.000, o, \"a\"]",
        "[0.000, \"o\", a]",
        "[0.000, \"o\", 1]",
        "[0.000, \"o\", \"]",
        "[0.000, \"o\", \"a\", \"b\"]",
        "[0.000, \"o\", \"a\" \"b\"]",
        "[0.000, \"o\", \"a\tb\"]",
        "[0.000, \"o\", \"\\x41\"]",
        "[0.000, \"o\", \"\\\"]",
    ] {
        assert_eq!(outcome(&format!("{bad}\n")), Outcome::BadLine, "{bad:?}");
    }
    assert_eq!(outcome("[0.000, \"o\", \"a\"]"), Outcome::BadLine, "without a line feed");
    assert_eq!(read(b"[0.000, \"o\", \"\xff\"]\n").expect_err("not UTF-8").outcome(), Outcome::BadLine);
    assert_eq!(outcome("[9007199254.999, \"o\", \"a\"]\n"), Outcome::Ok);
}

#[test]
fn cast_3_intervals_sum_up_and_never_fall() {
    let mut encoder = Encoder::at(5_000);
    let mut out = Vec::new();
    for t_ms in [5_000, 5_001, 4_000, 5_003, u64::MAX] {
        encoder.stream(&mut out, Code::Output, t_ms, b"a");
    }
    let mut reader = LineReader::new(false, 5_000);
    reader.push(b"[0.000, \"r\", \"80x24\"]\n").expect("a size");
    let times: Vec<u64> = reader.push(&out).expect("lines").iter().map(|event| event.time_ms).collect();
    assert_eq!(times, [5_000, 5_001, 5_001, 5_003, encoder.offset_ms()]);
    assert_eq!(encoder.offset_ms(), 5_003 + 9_007_199_254_999, "the longest interval a line can say");
    assert_eq!(reader.time_ms(), encoder.offset_ms());
}

#[test]
fn cast_3_a_time_over_the_largest_integer_is_a_bad_line() {
    let mut reader = LineReader::new(false, limits::JSON_INTEGER - 1);
    reader.push(b"[0.001, \"r\", \"80x24\"]\n").expect("the largest");
    assert_eq!(reader.push(b"[0.001, \"o\", \"a\"]\n").expect_err("over").outcome(), Outcome::BadLine);
}

#[test]
fn cast_4_a_lone_surrogate_is_a_bad_line() {
    for lone in ["\\ud800", "\\udc00", "\\udc00\\ud800", "\\ud800x", "\\ud800\\u0041"] {
        assert_eq!(outcome(&format!("[0.000, \"o\", \"{lone}\"]\n")), Outcome::BadLine, "{lone}");
    }
    let events = read(b"[0.000, \"o\", \"\\ud83d\\ude00\\/\\u0041\"]\n").expect("a pair, and escapes no writer needs");
    assert_eq!(bytes(&events[0]), "\u{1f600}/A".as_bytes());
}

#[test]
fn cast_5_other_letters_are_skipped_but_their_time_counts() {
    let events = read(b"[1.000, \"z\", \"?\"]\n[0.500, \"o\", \"a\"]\n").expect("lines");
    assert_eq!(events, [Event { time_ms: 1_500, code: Code::Output, data: EventData::Bytes(b"a".to_vec()) }]);
}

#[test]
fn cast_6_a_later_segment_begins_with_a_size() {
    for first in ["[0.000, \"o\", \"a\"]\n", "[0.000, \"z\", \"a\"]\n", "[0.000, \"r\", \"80 x 24\"]\n", "{}\n"] {
        let error = LineReader::new(false, 0).push(first.as_bytes()).expect_err(first);
        assert_eq!(error.outcome(), Outcome::BadLine, "{first}");
    }
    let mut reader = LineReader::new(false, 7);
    let events = reader.push(b"[0.010, \"r\", \"80x24\"]\n").expect("a size");
    assert_eq!(events, [Event { time_ms: 17, code: Code::Resize, data: EventData::Text("80x24".into()) }]);
}

#[test]
fn cast_7_and_lim_8_more_than_an_event_holds_becomes_several_between_characters() {
    let raw = "x€".repeat(40_000).into_bytes();
    let mut out = Vec::new();
    assert_eq!(Encoder::new().stream(&mut out, Code::Output, 0, &raw), 3);
    let events = read(&out).expect("lines");
    assert!(events.iter().all(|event| bytes(event).len() <= limits::EVENT_RAW), "each fits");
    assert!(events.iter().all(|event| std::str::from_utf8(bytes(event)).is_ok()), "none cuts a character");
    assert_eq!(events.iter().map(bytes).collect::<Vec<_>>().concat(), raw);

    let over = format!("[0.000, \"o\", \"{}\"]\n", "x".repeat(limits::EVENT_RAW + 1));
    assert_eq!(outcome(&over), Outcome::Limit);
}

#[test]
fn lim_7_the_longest_event_fits_in_a_line_and_a_longer_line_is_refused() {
    for byte in [0, 0xff] {
        let mut out = Vec::new();
        Encoder::new().stream(&mut out, Code::Output, 0, &vec![byte; limits::EVENT_RAW]);
        assert!(out.split_inclusive(|b| *b == b'\n').all(|line| line.len() <= limits::EVENT_LINE));
        assert_eq!(bytes(&read(&out).expect("lines")[0]), vec![byte; limits::EVENT_RAW]);
    }
    let frame = "[0.000, \"m\", \"\"]\n".len();
    let marker = |len: usize| format!("[0.000, \"m\", \"{}\"]\n", "x".repeat(len - frame));
    assert_eq!(outcome(&marker(limits::EVENT_LINE)), Outcome::Ok);
    assert_eq!(outcome(&marker(limits::EVENT_LINE + 1)), Outcome::Limit);
}

#[test]
fn exact_3_a_b_line_stands_after_its_event_in_the_same_block() {
    let event = "[0.000, \"o\", \"\u{fffd}\"]\n";
    let exact = "[0.000, \"b\", \"ff\"]\n";
    let size = "[0.000, \"r\", \"80x24\"]\n";
    assert_eq!(bytes(&read(format!("{event}{exact}").as_bytes()).expect("lines")[0]), b"\xff");
    assert_eq!(bytes(&read(event.as_bytes()).expect("lines")[0]), b"\xef\xbf\xbd", "a genuine one");
    for (lines, why) in [
        (exact.to_owned(), "first in a block"),
        (format!("{event}{exact}{exact}"), "after another"),
        (format!("{size}{exact}"), "after a size"),
        (format!("{event}{size}{exact}"), "not at once"),
        (format!("{event}[0.000, \"z\", \"\"]\n{exact}"), "after a letter that is skipped"),
        (format!("{event}[0.001, \"b\", \"ff\"]\n"), "later"),
        (format!("{event}[0.000, \"b\", \"FF\"]\n"), "upper case"),
    ] {
        assert_eq!(outcome(&lines), Outcome::BadLine, "{why}");
    }
    let mut reader = LineReader::new(false, 0);
    reader.push(format!("{size}{event}").as_bytes()).expect("lines");
    assert_eq!(reader.push(exact.as_bytes()).expect_err("in the next block").outcome(), Outcome::BadLine);
}

#[test]
fn sizes_statuses_and_gaps_are_checked() {
    for bad in [("r", "80"), ("r", "080x24"), ("r", "80x70000"), ("x", ""), ("x", "-1"), ("x", "+1"), ("g", "not json")]
    {
        assert_eq!(outcome(&format!("[0.000, \"{}\", \"{}\"]\n", bad.0, bad.1)), Outcome::BadLine, "{bad:?}");
    }
    assert_eq!("0x0".parse(), Ok(Size { cols: 0, rows: 0 }));
    assert_eq!(outcome("[0.000, \"x\", \"143\"]\n"), Outcome::Ok);
}

#[test]
fn gap_1_a_clock_step_looks_like_this() {
    let gap = Gap::clock_step(-3_600_000);
    let data = gap.to_data().expect("data");
    assert_eq!(data, r#"{"what":"clock","why":"clock-step","note":"-3600000"}"#);
    let mut out = Vec::new();
    Encoder::new().text(&mut out, Code::Gap, 0, &data);
    let events = read(&out).expect("lines");
    assert_eq!(events[0].data, EventData::Text(data.clone()));
    assert_eq!(Gap::parse(&data).expect("a gap"), gap);
    let masked = Gap { bytes: Some(3), from_ms: Some(1), to_ms: Some(2), ..Gap::new(GapWhat::Input, GapWhy::Masked) };
    let data = masked.to_data().expect("data");
    assert_eq!(data, r#"{"what":"input","why":"masked","bytes":3,"from_ms":1,"to_ms":2}"#);
}

#[test]
fn the_reader_counts_lines_and_streams() {
    let lines = written(&[(Code::Output, 0, b"ab\xff"), (Code::Error, 1, b"c"), (Code::Output, 2, b"d")]);
    let mut reader = LineReader::new(false, 0);
    reader.push(format!("[0.000, \"r\", \"1x1\"]\n{lines}").as_bytes()).expect("lines");
    assert_eq!(reader.lines(), 5);
    let (o, e) = (StreamCount { events: 2, bytes: 4 }, StreamCount { events: 1, bytes: 1 });
    assert_eq!(reader.counts(), Streams { o: Some(o), e: Some(e), i: None });
}

fn stream_code() -> impl Strategy<Value = Code> {
    prop::sample::select(vec![Code::Output, Code::Error, Code::Input])
}

proptest! {
    #[test]
    fn cast_4_the_data_is_what_serde_json_writes(raw in samples::bytes()) {
        let text = String::from_utf8_lossy(&raw);
        let mut out = Vec::new();
        Encoder::new().text(&mut out, Code::Marker, 0, &text);
        let expected = format!("[0.000, \"m\", {}]\n", serde_json::to_string(&text).expect("a string"));
        prop_assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn exact_2_any_events_come_back_from_any_blocks(
        events in prop::collection::vec((stream_code(), 0..3_000_u64, samples::bytes(), any::<bool>()), 0..20),
    ) {
        let (mut encoder, mut reader) = (Encoder::new(), LineReader::new(false, 0));
        let (mut t_ms, mut found, mut lines) = (0, Vec::new(), 0);
        let mut block = b"[0.000, \"r\", \"80x24\"]\n".to_vec();
        for (code, later, raw, cut) in &events {
            t_ms += later;
            lines += encoder.stream(&mut block, *code, t_ms, raw);
            if *cut {
                found.extend(reader.push(&block)?);
                block.clear();
            }
        }
        found.extend(reader.push(&block)?);
        prop_assert_eq!(reader.lines(), u64::from(lines) + 1);
        let mut time = 0;
        let expected = events.iter().filter_map(|(code, later, raw, _)| {
            time += later;
            (!raw.is_empty()).then(|| Event { time_ms: time, code: *code, data: EventData::Bytes(raw.clone()) })
        });
        prop_assert_eq!(found.into_iter().skip(1).collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }

    #[test]
    fn any_input_gives_events_or_an_error(
        first in any::<bool>(), noise in samples::bytes(), at in any::<usize>(), flip in 1..=255_u8,
        events in prop::collection::vec((stream_code(), samples::bytes()), 0..6),
    ) {
        let _ = LineReader::new(first, u64::MAX).push(&noise);
        let mut lines = b"[0.000, \"r\", \"80x24\"]\n".to_vec();
        let mut encoder = Encoder::new();
        for (code, raw) in &events {
            encoder.stream(&mut lines, *code, 1, raw);
        }
        let at = at % lines.len();
        lines[at] ^= flip;
        // Still an event of whole lines, or an error; what is read can be written again.
        if let Ok(events) = LineReader::new(false, 0).push(&lines) {
            let mut again = Vec::new();
            let mut encoder = Encoder::new();
            for event in &events {
                match &event.data {
                    EventData::Bytes(raw) => encoder.stream(&mut again, event.code, event.time_ms, raw),
                    EventData::Text(text) => encoder.text(&mut again, event.code, event.time_ms, text),
                };
            }
            let read = LineReader::new(false, 0).push(&again)?;
            let full = |event: &&Event| event.data != EventData::Bytes(Vec::new());
            prop_assert_eq!(
                read.iter().map(|event| &event.data).collect::<Vec<_>>(),
                events.iter().filter(full).map(|event| &event.data).collect::<Vec<_>>()
            );
        }
    }
}
