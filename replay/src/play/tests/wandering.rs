//! Going to times, texts, commands, bursts and single pictures, both ways.

use super::*;
use crate::index::Kind;

fn type_in(player: &mut Player<Tape>, text: &str) {
    for ch in text.chars() {
        player.key(if ch == '\r' { Key::Enter } else { Key::Char(ch) }, ms(0));
    }
    settle(player, ms(0));
}

fn press(player: &mut Player<Tape>, key: Key) -> u64 {
    player.key(key, ms(0));
    settle(player, ms(0));
    player.at_ms()
}

fn paused(segments: Vec<Vec<Event>>, size: Size) -> Player<Tape> {
    let mut player = Player::new(tape(segments), size, LineFeed::Terminal, &Settings::default(), ms(0));
    player.key(Key::Pause, ms(0));
    settle(&mut player, ms(0));
    player
}

#[test]
fn a_typed_time_is_gone_to() {
    let mut player = paused(vec![vec![out(0, "a"), out(3_723_000, "b"), out(4_000_000, "c")]], SIZE);
    player.key(Key::GoTo, ms(0));
    assert!(status::line(&mut player, None, None, 80).contains("go to"));
    type_in(&mut player, "1:02:03\r");
    assert_eq!((player.at_ms(), player.mode(), top(&mut player)), (3_723_000, Mode::Paused, "ab".into()));
    player.key(Key::GoTo, ms(0));
    type_in(&mut player, "1:2");
    player.key(Key::Erase, ms(0));
    type_in(&mut player, "00\r");
    assert_eq!(player.at_ms(), 60_000);
    player.key(Key::GoTo, ms(0));
    type_in(&mut player, "soon\r");
    assert_eq!(player.at_ms(), 60_000);
    assert!(player.notice(ms(1)).unwrap().contains("no time"));
    // Left without a jump: with Escape, and by erasing more than there is.
    for leave in [Key::Cancel, Key::Erase] {
        player.key(Key::GoTo, ms(0));
        assert!(player.prompt().is_some());
        assert_eq!(press(&mut player, leave), 60_000);
        assert!(player.prompt().is_none());
    }
    // What is typed are no keys: `q` does not leave.
    player.key(Key::Find, ms(0));
    assert_eq!(player.key(Key::Char('q'), ms(0)), Next::Now);
}

#[test]
fn a_text_is_found_where_it_comes_to_stand() {
    let mut lines = String::new();
    (0..200).for_each(|n| lines.push_str(&format!("line {n}\r\n")));
    let events = vec![
        vec![out(0, "first\r\n"), out(1000, &lines), out(2000, "\x1b[2J\x1b[HNEE"), out(2500, "DLE here")],
        vec![out(3000, "\x1b[2J\x1b[Hrest needle\r\n"), out(4000, "after"), out(5000, "\x1b]0;needle\x07")],
    ];
    let mut player = paused(events, SIZE);
    player.key(Key::Find, ms(0));
    type_in(&mut player, "needle\r");
    assert_eq!((player.at_ms(), top(&mut player)), (2500, "NEEDLE here".into()), "drawn in two parts");
    assert_eq!(player.notice(ms(1)), Some("found"));
    assert_eq!(press(&mut player, Key::FindNext), 3000);
    assert_eq!(top(&mut player), "rest needle");
    // The title is not on the screen.
    assert_eq!(press(&mut player, Key::FindNext), 3000);
    assert_eq!(player.notice(ms(1)), Some("not found after this: needle"));
    assert_eq!(press(&mut player, Key::FindPrevious), 2500);
    assert_eq!(press(&mut player, Key::FindPrevious), 2500);
    assert_eq!(player.notice(ms(1)), Some("not found before this: needle"));
    // Capitals are looked for as they are.
    player.key(Key::Find, ms(0));
    type_in(&mut player, "Rest\r");
    assert!(player.notice(ms(1)).unwrap().starts_with("not found"));
    // In the middle of a long event, of which most scrolls by.
    press(&mut player, Key::Home);
    player.key(Key::Find, ms(0));
    type_in(&mut player, "line 77\r");
    let screen = player.screen();
    let mut shown = String::new();
    screen.rows().for_each(|cells| cells.iter().for_each(|cell| screen.spell(cell, &mut shown)));
    assert!(shown.contains("line 77") && !shown.contains("line 78"), "{shown}");
    assert_eq!(player.mode(), Mode::Paused);
    // From there it plays on, and nothing is shown twice.
    press(&mut player, Key::Step);
    press(&mut player, Key::Step);
    assert_eq!((player.at_ms(), top(&mut player)), (2000, "NEE".into()));
}

#[test]
fn a_search_goes_over_keyframes_and_any_key_stops_it() {
    let segments: Vec<Vec<Event>> = (0..40u64)
        .map(|n| vec![out(n * 1000, format!("{}\x1b[2J\x1b[Hmark{}", "x".repeat(64 << 10), n % 10))])
        .collect();
    let mut player = paused(segments, SIZE);
    press(&mut player, Key::End);
    player.key(Key::Find, ms(0));
    type_in(&mut player, "mark3\r");
    assert!(player.notice(ms(1)).unwrap().starts_with("not found after"));
    assert_eq!(press(&mut player, Key::FindPrevious), 33_000);
    assert_eq!(press(&mut player, Key::FindPrevious), 23_000);
    assert_eq!(press(&mut player, Key::FindPrevious), 13_000);
    assert_eq!(press(&mut player, Key::FindPrevious), 3_000);
    assert_eq!(top(&mut player), "mark3");
    assert_eq!(press(&mut player, Key::FindNext), 13_000);
    // Stopped, it is where it was.
    press(&mut player, Key::Home);
    player.key(Key::Find, ms(0));
    for ch in "nowhere".chars() {
        player.key(Key::Char(ch), ms(0));
    }
    player.key(Key::Enter, ms(0));
    assert_eq!(player.advance(ms(0)).unwrap(), Next::Now);
    assert!(matches!(player.mode(), Mode::Hunting { .. }), "a turn is not all of it");
    assert_eq!(press(&mut player, Key::Other), 0);
    assert_eq!((player.notice(ms(1)), player.mode()), (Some("search stopped"), Mode::Paused));
}

#[test]
fn pictures_go_back_one_by_one() {
    let events = vec![
        vec![out(0, "a"), out(1000, "b"), say(1500, Code::Input, "x")],
        vec![out(2000, "c"), out(2000, "d"), out(9000, "e")],
    ];
    let mut player = paused(events, SIZE);
    press(&mut player, Key::End);
    let mut seen = Vec::new();
    for _ in 0..6 {
        let at = press(&mut player, Key::StepBack);
        seen.push((at, top(&mut player)));
    }
    let expected = [(2000, "abcd"), (2000, "abc"), (1000, "ab"), (0, "a"), (0, "a"), (0, "a")];
    assert_eq!(seen, expected.map(|(at, text)| (at, text.to_owned())));
    press(&mut player, Key::Step);
    assert_eq!(top(&mut player), "ab");
}

#[test]
fn commands_and_bursts_are_stops() {
    let events = vec![
        vec![
            out(0, "\x1b]133;A\x07$ \x1b]133;B\x07"),
            out(3000, "l"),
            out(3100, "s"),
            out(3500, "\r\n\x1b]133;C\x07one"),
            out(3600, "\x1b]133;D;0\x07\x1b]133;A\x07$ "),
        ],
        vec![out(60_000, "x"), out(60_500, "\x1b]13"), out(60_500, "3;C\x07two"), out(61_000, "more")],
    ];
    let mut player = paused(events, Size { cols: 40, rows: 5 });
    press(&mut player, Key::Home);
    assert_eq!(press(&mut player, Key::NextCommand), 3500);
    assert_eq!(press(&mut player, Key::NextCommand), 60_500, "once commands are marked, prompts are no stops");
    assert_eq!(press(&mut player, Key::NextCommand), 60_500);
    assert_eq!(player.notice(ms(1)), Some("no command after this"));
    assert_eq!(press(&mut player, Key::PreviousCommand), 3500);
    assert_eq!(press(&mut player, Key::PreviousCommand), 0);
    assert_eq!(press(&mut player, Key::NextBurst), 3000);
    assert_eq!(press(&mut player, Key::NextBurst), 60_000);
    assert_eq!(press(&mut player, Key::PreviousBurst), 3000);
    // What another pass found is as good as what one saw.
    let found = {
        let mut timeline = crate::timeline::Timeline::new(
            tape(vec![vec![out(0, "a"), out(5000, "b"), say(6000, Code::Marker, "m"), out(9000, "c")]]),
            SIZE,
            LineFeed::Terminal,
        );
        while timeline.step().unwrap().is_some() {}
        timeline.index().clone()
    };
    assert!(found.complete);
    assert_eq!(found.landmark_after(Kind::Burst, 0).unwrap().at_ms, 5000);
    assert_eq!(found.landmark_before(Kind::Burst, 9001).unwrap().at_ms, 9000);
}

#[test]
fn another_screens_keyframes_are_taken_over_with_their_clusters() {
    let segments = || -> Vec<Vec<Event>> {
        (0..50u64).map(|n| vec![out(n * 1000, format!("\x1b[2J\x1b[He\u{301}{n} が\u{3099}"))]).collect()
    };
    let mut timeline = crate::timeline::Timeline::new(tape(segments()), SIZE, LineFeed::Terminal);
    while timeline.step().unwrap().is_some() {}
    let index = timeline.index().clone();
    assert!(index.keyframes.len() > 2, "{} keyframes over 50 segments", index.keyframes.len());
    let tape = tape(segments());
    let loads = tape.loads.clone();
    let mut player = Player::new(tape, SIZE, LineFeed::Terminal, &Settings::default(), ms(0));
    player.key(Key::Pause, ms(0));
    // Other clusters come first here, so theirs have other characters.
    player.adopt(&index);
    player.key(Key::Seek(40), ms(0));
    settle(&mut player, ms(0));
    assert_eq!(top(&mut player), "e\u{301}40 が\u{3099}");
    assert!(loads.get() <= 17, "{} segments read", loads.get());
}

#[test]
fn the_status_line_says_when_and_who_and_help_has_its_own_screen() {
    let settings =
        Settings { started_ms: Some(1_795_902_840_000), who: Some("ada\u{202e}@web1".into()), ..Settings::default() };
    let mut player =
        Player::new(tape(vec![vec![out(0, "a"), out(62_000, "b")]]), SIZE, LineFeed::Terminal, &settings, ms(0));
    player.key(Key::Pause, ms(0));
    player.key(Key::End, ms(0));
    settle(&mut player, ms(0));
    let line = status::line(&mut player, None, None, 100);
    assert!(line.starts_with(" end 1:02.0/1:02.0 1x  2026-11-28 21:55:02 UTC  ada\\u{202e}@web1  h keys"), "{line}");
    let mut painter = Painter::new(Window { cols: 80, rows: 24 }, true);
    player.key(Key::Help, ms(0));
    let shown = paint(&mut player, &mut painter, ms(0));
    for word in ["pause", "go to a time", "search", "OSC 133", "leave"] {
        assert!(shown.contains(word), "{word} in {shown:?}");
    }
    player.key(Key::Other, ms(0));
    assert!(!player.help);
    assert!(paint(&mut player, &mut painter, ms(0)).contains("ab"));
    for (cols, rows) in [(1, 1), (10, 3), (300, 100)] {
        player.key(Key::Help, ms(0));
        paint(&mut player, &mut Painter::new(Window { cols, rows }, true), ms(0));
        player.key(Key::Help, ms(0));
    }
}
