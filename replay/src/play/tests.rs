//! The player without a terminal: what it writes, where it is, when it wakes.

use std::time::Duration;

use hansard_schemas::cast::{Code, Event, EventData, Size};
use proptest::prelude::*;

use super::keys::{Key, Keys};
use super::paint::{ENTER, ENTER_AGAIN, LEAVE, Painter, Window};
use super::player::{Mode, Next, Player, Settings};
use super::run::picture;
use super::status;
use crate::screen::characters::{Class, classify};
use crate::screen::tests::hostile as hostile_bytes;
use crate::screen::{LineFeed, Screen, Stream};
use crate::timeline::{Source, SourceError};

mod attacks;
mod hostile;
mod wandering;

/// A recording in memory, which counts how often its segments are read.
struct Tape {
    segments: Vec<Vec<Event>>,
    loads: std::rc::Rc<std::cell::Cell<usize>>,
}

impl Source for Tape {
    fn segments(&self) -> usize {
        self.segments.len()
    }

    fn end_ms(&self) -> u64 {
        self.segments.iter().flatten().map(|event| event.time_ms).max().unwrap_or(0)
    }

    fn load(&mut self, segment: usize) -> Result<Vec<Event>, SourceError> {
        self.loads.set(self.loads.get() + 1);
        Ok(self.segments[segment].clone())
    }
}

fn tape(segments: Vec<Vec<Event>>) -> Tape {
    Tape { segments, loads: std::rc::Rc::default() }
}

fn out(time_ms: u64, raw: impl AsRef<[u8]>) -> Event {
    Event { time_ms, code: Code::Output, data: EventData::Bytes(raw.as_ref().to_vec()) }
}

fn say(time_ms: u64, code: Code, text: &str) -> Event {
    Event { time_ms, code, data: EventData::Text(text.into()) }
}

const SIZE: Size = Size { cols: 20, rows: 3 };

fn player(segments: Vec<Vec<Event>>, settings: &Settings) -> Player<Tape> {
    Player::new(tape(segments), SIZE, LineFeed::Terminal, settings, Duration::ZERO)
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Lets the player do all it does at once, and returns when it wants to be called again.
fn settle(player: &mut Player<Tape>, now: Duration) -> Next {
    loop {
        match player.advance(now).unwrap() {
            Next::Now => {}
            next => return next,
        }
    }
}

fn top(player: &mut Player<Tape>) -> String {
    let screen = player.screen();
    let mut row = String::new();
    screen.rows().next().unwrap().iter().for_each(|cell| screen.spell(cell, &mut row));
    row.trim_end().to_owned()
}

/// Fails unless every byte is on the list in `paint`'s first lines.
fn allowed(written: &str) {
    let mut rest = written;
    while let Some(ch) = rest.chars().next() {
        if ch != '\x1b' {
            assert!(matches!(classify(ch), Class::Plain | Class::Mark), "{ch:?} written");
            rest = &rest[ch.len_utf8()..];
            continue;
        }
        let body = rest.strip_prefix("\x1b[").unwrap_or_else(|| panic!("not a CSI: {:?}", &rest[..rest.len().min(20)]));
        let end = body.find(|c: char| !c.is_ascii_digit() && c != ';' && c != '?').expect("sequence without an end");
        let (parameters, last) = (&body[..end], &body[end..=end]);
        let private = parameters.contains('?');
        match last {
            "H" | "m" => assert!(!private, "{parameters}{last}"),
            "K" => assert_eq!(parameters, ""),
            "J" => assert_eq!(parameters, "2"),
            "h" | "l" => assert!(["?25", "?7", "?1049"].contains(&parameters), "{parameters}{last}"),
            _ => panic!("CSI {parameters}{last} written"),
        }
        rest = &body[end + 1..];
    }
}

fn paint(player: &mut Player<Tape>, painter: &mut Painter, now: Duration) -> String {
    let mut written = String::new();
    picture(player, painter, now, &mut written);
    allowed(&written);
    written
}

#[test]
fn promise_9_the_list_holds_for_entering_and_leaving() {
    allowed(ENTER);
    allowed(ENTER_AGAIN);
    allowed(LEAVE);
    assert!(std::panic::catch_unwind(|| allowed("\x1b]0;x\x07")).is_err());
    assert!(std::panic::catch_unwind(|| allowed("\x1b[6n")).is_err());
    assert!(std::panic::catch_unwind(|| allowed("\u{202e}")).is_err());
    assert!(std::panic::catch_unwind(|| allowed("\x07")).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn promise_9_only_the_list_is_written_and_it_shows_the_screen(
        parts in prop::collection::vec((hostile_bytes(), 0u8..12), 1..40),
        marker in ".{0,60}",
        cols in 1usize..40,
        rows in 1usize..8,
        size in (0u16..30, 0u16..8),
    ) {
        let mut events = vec![say(0, Code::Marker, &marker), say(0, Code::Gap, &marker)];
        for (part, kind) in parts {
            events.push(match kind {
                0 => say(1, Code::Resize, &format!("{}x{}", size.0, size.1)),
                1 => say(1, Code::Marker, &String::from_utf8_lossy(&part)),
                2 => Event { time_ms: 1, code: Code::Error, data: EventData::Bytes(part) },
                _ => out(1, part),
            });
        }
        let settings = Settings { verdict: Some(marker.clone()), ..Settings::default() };
        let mut player = Player::new(tape(vec![events]), Size { cols: size.0, rows: size.1 }, LineFeed::Terminal, &settings, ms(0));
        let mut painter = Painter::new(Window { cols, rows }, true);
        // A terminal that gets what is written must show what the recorded one showed.
        let mut mirror = Screen::new(Size { cols: cols as u16, rows: rows as u16 }, LineFeed::Terminal);
        mirror.write(Stream::Output, b"\x1b[?7l");
        player.key(Key::Pause, ms(0));
        for step in 0..60 {
            player.key(Key::Step, ms(step));
            settle(&mut player, ms(step));
            mirror.write(Stream::Output, paint(&mut player, &mut painter, ms(step)).as_bytes());
            same(player.screen(), &mut mirror, &painter)?;
        }
    }
}

/// Compares what is in view.
fn same(recorded: &Screen, mirror: &mut Screen, painter: &Painter) -> Result<(), TestCaseError> {
    mirror.settle();
    let (left, top) = painter.corner();
    let window = painter.window();
    let mirrored: Vec<_> = mirror.rows().map(<[_]>::to_vec).collect();
    for (row, cells) in recorded.rows().skip(top).take(window.rows - 1).enumerate() {
        let mut col = left;
        while col < cells.len().min(left + window.cols) {
            let (cell, other) = (&cells[col], &mirrored[row][col - left]);
            let width = usize::from(cell.width().max(1));
            let cut = cell.width() == 0 || col + width > left + window.cols;
            let (mut want, mut got) = (String::new(), String::new());
            if cut {
                want.push(' ')
            } else {
                recorded.spell(cell, &mut want)
            }
            mirror.spell(other, &mut got);
            prop_assert_eq!(&want, &got, "row {} col {}", row, col);
            let pens = [cell.pen(), other.pen()].map(|pen| {
                (
                    pen.foreground(),
                    pen.background(),
                    pen.is_bold(),
                    pen.is_faint(),
                    pen.is_underline(),
                    pen.is_inverse(),
                )
            });
            prop_assert_eq!(pens[0], pens[1], "row {} col {}", row, col);
            col += width;
        }
    }
    Ok(())
}

#[test]
fn only_what_changed_is_written() {
    let mut player = player(vec![vec![out(0, "hello"), out(1000, "!"), out(2000, "")]], &Settings::default());
    let mut painter = Painter::new(Window { cols: 40, rows: 10 }, true);
    settle(&mut player, ms(0));
    assert!(paint(&mut player, &mut painter, ms(0)).contains("hello"));
    settle(&mut player, ms(1000));
    let second = paint(&mut player, &mut painter, ms(1000));
    assert!(second.contains('!') && !second.contains("hello"), "{second:?}");
    let third = paint(&mut player, &mut painter, ms(1000));
    assert!(third.len() < 40, "{third:?}");
}

#[test]
fn colours_can_be_left_out() {
    let mut player = player(vec![vec![out(0, "\x1b[31;1mred")]], &Settings::default());
    settle(&mut player, ms(0));
    let written = paint(&mut player, &mut Painter::new(Window { cols: 40, rows: 10 }, false), ms(0));
    assert!(written.contains("\x1b[0;1mred"), "{written:?}");
}

#[test]
fn time_goes_at_its_speed() {
    let events = || vec![vec![out(0, "a"), out(1000, "b")], vec![out(3000, "c")]];
    let mut normal = player(events(), &Settings::default());
    assert_eq!(settle(&mut normal, ms(0)), Next::After(ms(1000)));
    assert_eq!(settle(&mut normal, ms(400)), Next::After(ms(600)));
    assert_eq!((top(&mut normal).as_str(), normal.at_ms()), ("a", 400));
    assert_eq!(settle(&mut normal, ms(1000)), Next::After(ms(2000)));
    assert_eq!(top(&mut normal), "ab");
    assert_eq!(settle(&mut normal, ms(3000)), Next::Key);
    assert_eq!((top(&mut normal).as_str(), normal.mode()), ("abc", Mode::Ended));
    let mut fast = player(events(), &Settings { speed: 4.0, quit_at_end: true, ..Settings::default() });
    assert_eq!(settle(&mut fast, ms(0)), Next::After(ms(250)));
    assert_eq!(settle(&mut fast, ms(250)), Next::After(ms(500)));
    assert_eq!(settle(&mut fast, ms(750)), Next::Quit);
}

#[test]
fn long_pauses_are_cut() {
    let settings = Settings { idle_limit: Some(ms(500)), speed: 2.0, ..Settings::default() };
    let mut idle = player(vec![vec![out(0, "a"), out(3_600_000, "b"), out(3_600_100, "c")]], &settings);
    assert_eq!(settle(&mut idle, ms(0)), Next::After(ms(250)));
    assert_eq!(settle(&mut idle, ms(250)), Next::After(ms(50)));
    assert_eq!((top(&mut idle).as_str(), idle.at_ms()), ("ab", 3_600_000));
    assert_eq!(settle(&mut idle, ms(300)), Next::Key);
    assert_eq!(top(&mut idle), "abc");
}

#[test]
fn pause_stops_time_and_steps_go_by_event() {
    let mut paused = player(
        vec![vec![out(0, "a"), out(1000, "b"), say(1500, Code::Input, "x"), out(9000, "c")]],
        &Settings::default(),
    );
    settle(&mut paused, ms(0));
    paused.key(Key::Pause, ms(500));
    assert_eq!(settle(&mut paused, ms(60_000)), Next::Key);
    assert_eq!(top(&mut paused), "a");
    paused.key(Key::Step, ms(60_000));
    assert_eq!(settle(&mut paused, ms(60_000)), Next::Key);
    assert_eq!((top(&mut paused).as_str(), paused.at_ms(), paused.mode()), ("ab", 1000, Mode::Paused));
    paused.key(Key::Step, ms(60_000));
    settle(&mut paused, ms(60_000));
    assert_eq!((top(&mut paused).as_str(), paused.at_ms()), ("abc", 9000));
    paused.key(Key::Step, ms(60_000));
    settle(&mut paused, ms(60_000));
    assert_eq!(paused.mode(), Mode::Ended);
}

#[test]
fn seeking_shows_what_was_there() {
    // 40 segments of 64 KiB a second: forward, back, and back again over keyframes.
    let segments: Vec<Vec<Event>> =
        (0..40u64).map(|n| vec![out(n * 1000, format!("{}\x1b[2J\x1b[Hat {n}", "x".repeat(64 << 10)))]).collect();
    let tape = tape(segments);
    let loads = tape.loads.clone();
    let mut seek = Player::new(tape, SIZE, LineFeed::Terminal, &Settings::default(), ms(0));
    seek.key(Key::Pause, ms(0));
    for (key, at) in [
        (Key::Seek(60), 39),
        (Key::Home, 0),
        (Key::Seek(5), 5),
        (Key::Seek(5), 10),
        (Key::Seek(-5), 5),
        (Key::Seek(25), 30),
        (Key::End, 39),
        (Key::Seek(-5), 34),
        (Key::Seek(-600), 0),
    ] {
        seek.key(key, ms(0));
        settle(&mut seek, ms(0));
        assert_eq!((top(&mut seek).as_str(), seek.at_ms()), (format!("at {at}").as_str(), at * 1000), "{key:?}");
        if seek.mode() == Mode::Playing {
            seek.key(Key::Pause, ms(0));
        }
    }
    seek.key(Key::End, ms(0));
    settle(&mut seek, ms(0));
    let before = loads.get();
    seek.key(Key::Seek(-1), ms(0));
    settle(&mut seek, ms(0));
    assert!(loads.get() - before <= 20, "keyframes spare most of the way: {} segments read", loads.get() - before);
    assert_eq!(top(&mut seek), "at 38");
}

#[test]
fn markers_are_stops_in_both_directions() {
    let gap = r#"{"what":"input","why":"masked","bytes":8}"#;
    let events = vec![
        out(0, "a"),
        say(2000, Code::Marker, "fir\u{202e}st"),
        out(3000, "b"),
        say(5000, Code::Gap, gap),
        out(6000, "c"),
        say(7000, Code::Exit, "0"),
    ];
    let mut marks = player(vec![events], &Settings::default());
    marks.key(Key::Pause, ms(0));
    let go = |player: &mut Player<Tape>, key| {
        player.key(key, ms(0));
        settle(player, ms(0));
        player.at_ms()
    };
    assert_eq!(go(&mut marks, Key::NextMarker), 2000);
    assert_eq!(marks.notice(ms(1)), Some("marker: fir\\u{202e}st"));
    assert_eq!(go(&mut marks, Key::NextMarker), 5000);
    assert_eq!(marks.notice(ms(1)), Some("gap: input masked, 8 bytes"));
    assert_eq!(top(&mut marks), "ab");
    assert_eq!(go(&mut marks, Key::NextMarker), 5000);
    assert_eq!(marks.notice(ms(1)), Some("no marker after this"));
    assert_eq!(go(&mut marks, Key::PreviousMarker), 2000);
    assert_eq!(go(&mut marks, Key::NextMarker), 5000);
    assert_eq!(go(&mut marks, Key::PreviousMarker), 2000);
    assert_eq!(go(&mut marks, Key::PreviousMarker), 0);
    assert_eq!(marks.mode(), Mode::Paused);
}

#[test]
fn a_burst_comes_in_turns_and_time_waits_for_it() {
    let events: Vec<Event> = (0..64).map(|_| out(10, vec![b'y'; 64 << 10])).chain([out(20_000, "end")]).collect();
    let mut burst = player(vec![events], &Settings::default());
    let mut turns = 0;
    while burst.advance(ms(5000)).unwrap() == Next::Now {
        turns += 1;
        assert_eq!(burst.key(Key::Help, ms(5000)), Next::Now);
    }
    assert!(turns > 20, "4 MiB in {turns} turns");
    assert!(burst.at_ms() < 20_000);
    assert_eq!(burst.key(Key::Quit, ms(5000)), Next::Quit);
}

#[test]
fn start_at_and_empty_recordings() {
    let settings = Settings { start_at: ms(2500), ..Settings::default() };
    let mut late = player(vec![vec![out(0, "a"), out(2000, "b"), out(4000, "c")]], &settings);
    assert_eq!(settle(&mut late, ms(0)), Next::After(ms(1500)));
    assert_eq!(top(&mut late), "ab");
    for segments in [vec![], vec![vec![]], vec![vec![], vec![]]] {
        let mut empty = player(segments, &settings);
        assert_eq!(settle(&mut empty, ms(0)), Next::Key);
        paint(&mut empty, &mut Painter::new(Window { cols: 1, rows: 1 }, true), ms(0));
    }
}

#[test]
fn sizes_change_on_the_way() {
    let events = vec![
        out(0, "abc"),
        say(1000, Code::Resize, "0x0"),
        say(2000, Code::Resize, "1x65535"),
        say(3000, Code::Resize, "2000x2"),
    ];
    let mut sizes = player(vec![events], &Settings::default());
    let mut painter = Painter::new(Window { cols: 30, rows: 5 }, true);
    for (at, cols, clipped) in [(0, 20, false), (1000, 80, false), (2000, 1, false), (3000, 2000, false)] {
        settle(&mut sizes, ms(at));
        let written = paint(&mut sizes, &mut painter, ms(at));
        assert_eq!(sizes.screen().size().0, cols);
        assert_eq!(painter.clip(sizes.screen()).is_some(), clipped, "{written:?}");
    }
    // Clipped is what is hidden, not what is blank there.
    painter.reset(Window { cols: 2, rows: 4 });
    assert_eq!(painter.clip(sizes.screen()).as_deref(), Some("clipped: 2000x2"));
    painter.reset(Window { cols: 3, rows: 1 });
    paint(&mut sizes, &mut painter, ms(3000));
}

#[test]
fn the_cursor_stays_in_view() {
    let size = Size { cols: 200, rows: 100 };
    let tape = tape(vec![vec![out(0, "top\x1b[100;198Hab"), out(1000, "\x1b[1;1H")]]);
    let mut far = Player::new(tape, size, LineFeed::Terminal, &Settings::default(), ms(0));
    let mut painter = Painter::new(Window { cols: 60, rows: 10 }, true);
    settle(&mut far, ms(0));
    let written = paint(&mut far, &mut painter, ms(0));
    assert!(written.contains("ab") && !written.contains("top") && written.contains("200x100"), "{written:?}");
    settle(&mut far, ms(1000));
    assert!(paint(&mut far, &mut painter, ms(1000)).contains("top"));
}

#[test]
fn the_status_line_fits_and_says_what_is_wrong_first() {
    let settings = Settings { verdict: Some("cut after 3".into()), ..Settings::default() };
    let mut wrong = player(vec![vec![out(0, "a"), out(3_723_400, "b")]], &settings);
    settle(&mut wrong, ms(65_000));
    let line = status::line(&mut wrong, Some("marker: 日本語"), None, 80);
    assert!(line.starts_with(" playing 1:05.0/1:02:03.4 1x  [cut after 3]  marker: 日本語"), "{line}");
    for cols in 0..90 {
        let line = status::line(&mut wrong, Some("marker: 日本語 e\u{301}"), Some("clipped"), cols);
        assert_eq!(unicode_width::UnicodeWidthStr::width(line.as_str()), cols, "{line:?}");
    }
}

fn all(keys: &mut Keys, typing: bool) -> Vec<Key> {
    std::iter::from_fn(|| keys.next(typing)).collect()
}

#[test]
fn keys_come_out_of_bytes_however_they_are_cut() {
    let bytes = b" \x1b[C\x1b[D\x1bOA\x1b[1;2C.][+-q\x1b[5~\x1b[H,{})(nN\x03";
    let expected = [
        Key::Pause,
        Key::Seek(5),
        Key::Seek(-5),
        Key::Seek(60),
        Key::Seek(60),
        Key::Step,
        Key::NextMarker,
        Key::PreviousMarker,
        Key::Faster,
        Key::Slower,
        Key::Quit,
        Key::Seek(-600),
        Key::Home,
        Key::StepBack,
        Key::PreviousCommand,
        Key::NextCommand,
        Key::NextBurst,
        Key::PreviousBurst,
        Key::FindNext,
        Key::FindPrevious,
        Key::Quit,
    ];
    for cut in 0..=bytes.len() {
        let mut keys = Keys::default();
        keys.push(&bytes[..cut]);
        let mut got = all(&mut keys, false);
        keys.push(&bytes[cut..]);
        got.extend(all(&mut keys, false));
        assert_eq!(got, expected, "cut at {cut}");
    }
    let mut keys = Keys::default();
    keys.push(b"\x1b");
    assert_eq!(keys.next(false), None);
    assert!(keys.is_waiting());
    assert_eq!(keys.give_up(), Some(Key::Cancel));
    keys.push(b"q");
    assert_eq!(all(&mut keys, false), [Key::Quit]);
}

#[test]
fn a_text_is_typed_character_by_character() {
    let bytes = "aq\u{e9}\u{65e5}\x7f\x1b[A\x01 \r".as_bytes();
    let expected = [
        Key::Char('a'),
        Key::Char('q'),
        Key::Char('\u{e9}'),
        Key::Char('\u{65e5}'),
        Key::Erase,
        Key::Other,
        Key::Other,
        Key::Char(' '),
        Key::Enter,
    ];
    for cut in 0..=bytes.len() {
        let mut keys = Keys::default();
        keys.push(&bytes[..cut]);
        let mut got = all(&mut keys, true);
        keys.push(&bytes[cut..]);
        got.extend(all(&mut keys, true));
        assert_eq!(got, expected, "cut at {cut}");
    }
    let mut keys = Keys::default();
    keys.push(b"\xff\xc3(a");
    assert_eq!(all(&mut keys, true), [Key::Other, Key::Other, Key::Char('('), Key::Char('a')]);
}

#[test]
fn speed_keys_go_up_and_down() {
    let mut speed = player(vec![vec![out(0, "a"), out(10_000, "b")]], &Settings::default());
    speed.key(Key::Faster, ms(0));
    assert_eq!(speed.speed(), 1.5);
    (0..50).for_each(|_| assert_eq!(speed.key(Key::Faster, ms(0)), Next::Now));
    assert_eq!(speed.speed(), 64.0);
    (0..50).for_each(|_| assert_eq!(speed.key(Key::Slower, ms(0)), Next::Now));
    assert_eq!(speed.speed(), 0.1);
    speed.key(Key::Normal, ms(0));
    assert_eq!(speed.speed(), 1.0);
}
