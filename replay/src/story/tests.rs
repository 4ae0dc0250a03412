//! Stories of shells that send marks, and of those that do not.

use hansard_schemas::cast::{Code, Event, EventData, Size};

use super::{Command, Entry, Story, Teller, What};
use crate::screen::LineFeed;

fn told(events: &[(u64, &str)]) -> Vec<Entry> {
    story(events.iter().map(|(at_ms, text)| (*at_ms, Code::Output, *text))).entries
}

fn story<'a>(events: impl IntoIterator<Item = (u64, Code, &'a str)>) -> Story {
    let mut teller = Teller::new(None, Size { cols: 20, rows: 6 }, LineFeed::Terminal);
    for (time_ms, code, text) in events {
        let data = if code.is_stream() { EventData::Bytes(text.into()) } else { EventData::Text(text.into()) };
        teller.event(&Event { time_ms, code, data });
    }
    teller.finish()
}

fn command(text: &str, end_ms: u64, status: Option<u32>, output_bytes: u64, guessed: bool) -> What {
    What::Command(Command { text: Some(text.into()), end_ms: Some(end_ms), status, output_bytes, guessed })
}

const PROMPT: &str = "\x1b]133;A\x07~ $ \x1b]133;B\x07";

#[test]
fn marks_tell_commands() {
    let found = told(&[
        (0, PROMPT),
        (100, "l"),
        (200, "x\x08s"),
        (300, "\r\n"),
        (310, "\x1b]133;C\x07\x1b]133;C\x07file\r\n"),
        (400, "\x1b]133;D;2\x07\x1b]133;A\x07~ $ \x1b]133;B\x07"),
        // Enter at an empty prompt, and one that is cancelled.
        (450, "\r\n"),
        (460, PROMPT),
        (470, "abc^C\r\n"),
        (480, "\x1b]133;D;130\x07"),
        (490, PROMPT),
        // Over several rows, wrapped and continued.
        (500, "for i in 1 2 3 4 5 6; do\r\n> echo $i\r\n> done\r\n\x1b]133;C\x07"),
    ]);
    let Entry { at_ms, what } = &found[0];
    assert_eq!((*at_ms, what.clone()), (310, command("ls", 400, Some(2), 6, false)));
    let last = Command { text: Some("for i in 1 2 3 4 5 6; do\n> echo $i\n> done".into()), ..Command::default() };
    assert_eq!(found[1..], [Entry { at_ms: 500, what: What::Command(last) }]);
}

#[test]
fn without_marks_commands_are_guessed() {
    let found = told(&[
        (0, "ada@web1:~$ "),
        (100, "ls"),
        (150, " >"),
        (180, " f"),
        (200, "\r\n"),
        (220, "a\r\nb\r\n"),
        (230, "ada@web1:~$ "),
        (300, "\r\n"),
        (310, "ada@web1:~$ "),
        (400, "sleep 9\r\n"),
    ]);
    let last = Command { text: Some("sleep 9".into()), guessed: true, ..Command::default() };
    let first = command("ls > f", 230, None, 6 + 12, true);
    assert_eq!(found, [Entry { at_ms: 200, what: first }, Entry { at_ms: 400, what: What::Command(last) }]);
    // A mark, and no more is guessed.
    let found = told(&[(0, "$ "), (1, PROMPT), (2, "ls\r\n"), (3, "\x1b]133;C\x07out $ "), (4, "x\r\n"), (5, "$ ")]);
    assert_eq!(found.len(), 1);
    assert!(matches!(&found[0].what, What::Command(Command { guessed: false, end_ms: None, .. })), "{found:?}");
}

#[test]
fn what_was_typed_stands_in_for_what_cannot_be_seen() {
    let found = story([
        (0, Code::Output, "\x1b]133;A\x07\x1b]133;B\x07"),
        (1, Code::Input, "secret stuff\r"),
        (2, Code::Output, "\x1b[2J\x1b[H\r\n\x1b]133;C\x07"),
    ]);
    assert_eq!(found.entries[0].what.text().as_deref(), Some("secret stuff"));
    let found = story([(2, Code::Output, "\x1b]133;C\x07x\x1b]133;D\x07")]);
    assert_eq!(found.entries[0].what.text(), None);
}

#[test]
fn what_lies_between_is_told() {
    let gap = r#"{"what":"output","why":"dropped","bytes":512}"#;
    let found = story([
        (
            1,
            Code::Output,
            "\x1b]0;vim\x07\x1b]2;vim\x07\x1b]7;file://web1/srv/a%20b\x07\x1b]7;file://web1/srv/a%20b\x07",
        ),
        (2, Code::Output, "\x1b[?1049h\x1b]133;C\x07"),
        (3, Code::Marker, "here"),
        (4, Code::Resize, "40x10"),
        (5, Code::Gap, gap),
        (9, Code::Output, "\x1b[?1049l\x1b[?1049h\x1b[?1049l"),
    ]);
    let texts: Vec<(u64, &str, Option<String>)> =
        found.entries.iter().map(|entry| (entry.at_ms, entry.what.word(), entry.what.text())).collect();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        texts,
        [
            (1, "title", text("vim")),
            (1, "directory", text("/srv/a b")),
            (2, "full-screen", None),
            (3, "marker", text("here")),
            (5, "gap", text("output dropped, 512 bytes")),
            (9, "full-screen", None),
        ]
    );
    assert_eq!(found.entries[2].what, What::FullScreen(Some(9)));
    assert_eq!(found.entries[5].what, What::FullScreen(Some(9)));
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_told(parts in proptest::collection::vec((crate::screen::tests::hostile(), 0usize..6), 0..60)) {
        let mut teller = Teller::new(None, Size { cols: 20, rows: 3 }, LineFeed::Terminal);
        for (time_ms, (part, mark)) in (0..).zip(parts) {
            let mark = ["", "\x1b]133;A\x07", "\x1b]133;B\x07", "\x1b]133;C\x07", "\x1b]133;D;0\x07", "$ "][mark];
            let data = EventData::Bytes([part.as_slice(), mark.as_bytes()].concat());
            teller.event(&Event { time_ms, code: Code::Output, data });
        }
        for entry in teller.finish().entries {
            if let What::Command(command) = entry.what {
                let text = command.text.unwrap_or_default();
                proptest::prop_assert!(text.chars().all(|ch| ch == '\n' || !ch.is_control()), "{:?}", text);
            }
        }
    }
}
