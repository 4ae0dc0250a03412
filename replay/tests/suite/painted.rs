//! Judges every byte that a reviewer's terminal was sent: lines of text, or a picture, and nothing that acts.
//!
//! Written from the promise, not from the programs: a short list of what paints, and all else is an error. Nothing on
//! the list makes a terminal answer, so what passes here was not answered either.

use unicode_width::UnicodeWidthChar;

/// Marks on one character: more would be piled over the lines above.
const MARKS: usize = 4;

/// Where a program is with the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It prints lines.
    Lines,
    /// It has the alternate screen.
    Taken,
    /// It gave it back, and may print lines.
    GivenBack,
}

/// Fails with what was sent that paints nothing, on a terminal of so many columns and rows.
pub fn judge(log: &[u8], window: (u16, u16)) -> Result<(), String> {
    let text = std::str::from_utf8(log).map_err(|e| format!("not UTF-8: {e}"))?;
    let mut stage = Stage::Lines;
    let (mut wraps, mut cursor) = (true, true);
    let mut marks = 0;
    let mut rest = text;
    while let Some(ch) = rest.chars().next() {
        let at = text.len() - rest.len();
        let wrong = |what: &str| Err(format!("{what} at byte {at}: {:?}", rest.chars().take(40).collect::<String>()));
        if ch != '\x1b' {
            marks = if ch.width() == Some(0) { marks + 1 } else { 0 };
            match ch {
                '\r' | '\n' if stage != Stage::Taken => marks = 0,
                _ if ch.is_control() => return wrong("a control character"),
                _ if acts(ch) => return wrong("a character that acts on others"),
                _ if marks > MARKS => return wrong("a pile of marks"),
                _ => {}
            }
            rest = &rest[ch.len_utf8()..];
            continue;
        }
        marks = 0;
        let Some(body) = rest.strip_prefix("\x1b[") else { return wrong("no control sequence of the kind CSI") };
        let Some(end) = body.find(|c: char| !matches!(c, '0'..='9' | ';' | '?')) else { return wrong("an open end") };
        let (parameters, last) = (&body[..end], body[end..].chars().next().unwrap_or('\0'));
        let numbers: Option<Vec<u16>> = parameters.split(';').map(|number| number.parse().ok()).collect();
        match (last, stage) {
            ('m', _) => {
                if numbers.is_none_or(|numbers| numbers.iter().any(|n| *n > 255)) {
                    return wrong("attributes");
                }
            }
            ('H', Stage::Taken) => match numbers.as_deref() {
                Some([row, col]) if (1..=window.1).contains(row) && (1..=window.0).contains(col) => {}
                _ => return wrong("a place outside of the window"),
            },
            ('J', Stage::Taken) if parameters == "2" => {}
            ('K', Stage::Taken) if parameters.is_empty() => {}
            // A progress bar, on standard error.
            ('K', _) if parameters == "2" => {}
            ('h', Stage::Lines) if parameters == "?1049" => stage = Stage::Taken,
            ('l', Stage::Taken) if parameters == "?1049" && wraps && cursor => stage = Stage::GivenBack,
            ('l' | 'h', Stage::Taken) if parameters == "?7" => wraps = last == 'h',
            ('l' | 'h', Stage::Taken) if parameters == "?25" => cursor = last == 'h',
            _ => return wrong("a sequence that is not on the list"),
        }
        rest = &body[end + last.len_utf8()..];
    }
    if stage == Stage::Taken { Err("the terminal was not given back".into()) } else { Ok(()) }
}

/// Whether a character reorders, joins, hides or tags others: format and default-ignorable characters, separators,
/// noncharacters.
fn acts(ch: char) -> bool {
    let code = u32::from(ch);
    matches!(
        code,
        0xad | 0x34f | 0x61c | 0x6dd | 0x70f | 0x8e2 | 0xfeff | 0x110bd | 0x110cd
            | 0x600..=0x605 | 0x890..=0x891 | 0x180b..=0x180f | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f
            | 0xfdd0..=0xfdef | 0xfe00..=0xfe0f | 0xfff0..=0xfffb | 0x13430..=0x1343f | 0x1bca0..=0x1bca3
            | 0x1d173..=0x1d17a | 0xe0000..=0xe0fff
    ) || code & 0xfffe == 0xfffe
}

#[test]
fn the_judge_lets_painting_through_and_nothing_else() {
    let window = (80, 24);
    let taken = |inside: &str| format!("\x1b[?1049h\x1b[?7l\x1b[?25l{inside}\x1b[?7h\x1b[?25h\x1b[?1049l");
    for good in [
        "line\r\n\x1b[2K\x1b[1;31mred\x1b[0m caf\u{65}\u{301} \u{5d0}\u{5d1}".to_owned(),
        taken("\x1b[2J\x1b[24;80Hx\x1b[K\x1b[0;38;5;200m\x1b[?25h"),
        format!("note\r\n{}bye\r\n", taken("")),
    ] {
        assert_eq!(judge(good.as_bytes(), window), Ok(()), "{good:?}");
    }
    let hostile = [
        "\x1b]0;x\x07",
        "\x1b]52;c;?\x07",
        "\x1bPq\x1b\\",
        "\x1b_G\x1b\\",
        "\x1b[6n",
        "\x1b[c",
        "\x1b[21t",
        "\x1b[5i",
        "\x1b[?1000h",
        "\x1b[?2004h",
        "\x1b[8;1;1t",
        "\x1bc",
        "\x1b#8",
        "\x07",
        "\x08",
        "\x05",
        "\x0e",
        "\t",
        "\u{9b}6n",
        "\u{9d}0;x\u{9c}",
        "\u{85}",
        "\x7f",
        "\u{202e}",
        "\u{2066}",
        "\u{200b}",
        "\u{200d}",
        "\u{fe0f}",
        "\u{feff}",
        "\u{ad}",
        "\u{e0041}",
        "\u{ffff}",
        "a\u{300}\u{300}\u{300}\u{300}\u{300}",
        "\x1b[300m",
        "\x1b[1",
        "\x1b",
    ];
    for bad in hostile {
        assert!(judge(bad.as_bytes(), window).is_err(), "{bad:?}");
        assert!(judge(taken(bad).as_bytes(), window).is_err(), "{bad:?}");
    }
    for bad in ["\r", "\n", "\x1b[25;1H", "\x1b[1;81H", "\x1b[0;1H", "\x1b[H", "\x1b[1K", "\x1b[?1049h"] {
        assert!(judge(taken(bad).as_bytes(), window).is_err(), "{bad:?}");
    }
    let unfinished =
        ["\x1b[?1049h", "\x1b[?1049h\x1b[?7l\x1b[?1049l", "\x1b[?1049h\x1b[?25l\x1b[?1049l", "\x1b[2J", "\x1b[?25l"];
    for bad in unfinished {
        assert!(judge(bad.as_bytes(), window).is_err(), "{bad:?}");
    }
    assert!(judge(b"\xff", window).is_err());
}
