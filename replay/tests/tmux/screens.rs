//! Screens as vttest draws them, and writing that is not Latin: streams written here, step by step.

use super::{COLS, ROWS, assert_as_tmux};

/// Cursor movements, margins, wrapping, tabs, character sets, insertion and deletion, after vttest's menus 1, 2, 3 and 8.
fn vttest() -> String {
    let (cols, rows) = (COLS, ROWS);
    let mut out = String::new();
    // Menu 1: a frame of E, one of + and one of *, drawn by every way of moving there is.
    out.push_str("\x1b[2J\x1b[H\x1b#8\x1b[9;10H\x1b[1J\x1b[18;60H\x1b[0J\x1b[1K\x1b[9;71H\x1b[0K");
    for row in 10..=16 {
        out.push_str(&format!("\x1b[{row};10H\x1b[1K\x1b[{row};71H\x1b[0K"));
    }
    out.push_str("\x1b[17;30H\x1b[2K");
    for col in 1..=cols {
        out.push_str(&format!("\x1b[{rows};{col}f*\x1b[1;{col}f*"));
    }
    out.push_str("\x1b[2;2H");
    for _ in 2..rows {
        out.push_str("+\x1b[1D\x1bD");
    }
    out.push_str(&format!("\x1b[{};{}H", rows - 1, cols - 1));
    for _ in 2..rows {
        out.push_str("+\x1b[1D\x1bM");
    }
    out.push_str("\x1b[2;1H");
    for _ in 2..rows {
        out.push_str(&format!("*\x1b[{cols}G*\x1b[10D\x1bE"));
    }
    out.push_str("\x1b[2;10H\x1b[42D\x1b[2C");
    (3..cols - 1).for_each(|_| out.push_str("+\x1b[0C\x1b[2D\x1b[1C"));
    out.push_str("\x1b[10;20HThe screen should be cleared,\x1b[5A\x1b[3B\x1b[20D\x1b7 and have a frame\x1b8around it");
    // Controls inside of sequences, leading zeros.
    out.push_str("\x1b[20;5HA\x1b[2\x08CB\x1b[\r2CC\x1b[4\x0bAD\x1b[0000020;0000040HE\x1b[00000000002CF");
    // Menu 2: wrapping, tabs, margins with jumps outside of them, origin mode.
    out.push_str("\x1b[2J\x1b[1;1H\x1b[?7h");
    out.push_str(&"*".repeat(usize::from(cols) * 2));
    out.push_str("\x1b[3;1H\x1b[3g\x1b[1;1H");
    (1..cols).step_by(3).for_each(|_| out.push_str("\x1b[3C\x1bH"));
    out.push_str("\x1b[1;4H");
    (4..cols - 1).step_by(6).for_each(|_| out.push_str("\x1b[0g\x1b[6C"));
    out.push_str("\x1b[5;1H");
    (1..=13).for_each(|n| out.push_str(&format!("\t{n}")));
    for down in [false, true] {
        out.push_str("\x1b[12;13r\x1b[2J\x1b[?6h");
        for n in 1..=20 {
            match down {
                true => out.push_str(&format!("\x1b[1;1H\x1bMwent down {n}\r\n")),
                false => out.push_str(&format!("\x1b[2;1H\nwent up {n}\r")),
            }
        }
        out.push_str("\x1b[?6l\x1b[1;1Habove\x1b[24;1Hbelow\x1b[?6h\x1b[24;70Hinside\x1b[?6l\x1b[r");
    }
    out.push_str("\x1b[2J\x1b[1;1H\x1b[23;24r\x1b[?6h\x1b[2Jonly\x1b[2;1Hhere\x1b[?6l\x1b[r");
    // A full line, and everything that may follow it.
    for (row, next) in
        ["\r|", "\x08|", "\x1b[C|", "\x1b[A|", "\t|", "\t\t||", "\x1b[K|", "\x1b7\x1b8|", "\n|", "|"].iter().enumerate()
    {
        out.push_str(&format!("\x1b[{};1H{}{next}", 2 * row + 1, "x".repeat(usize::from(cols))));
    }
    // Menu 3: line drawing, by both shifts.
    out.push_str("\x1b[2J\x1b[H\x1b(0lqqwqqk\x1b(B text\r\n\x1b)0\x0ex  x  x\x0f text\r\n\x1b(0mqqvqqj`afgjklmnopqrstuvwxyz{|}~\x1b(B");
    // Menu 8: insertion and deletion of lines and characters, insert mode.
    out.push_str("\x1b[2J\x1b[H");
    for row in 0..rows {
        let letter = char::from(b'A' + row as u8);
        out.push_str(&format!("\x1b[{};1H{}", row + 1, letter.to_string().repeat(usize::from(cols))));
    }
    out.push_str("\x1b[4;1HThis is 20 lines\x1b[2;23r\x1b[?6h\x1b[1;1H\x1b[999M\x1b[?6l\x1b[r\x1b[2;1HB\x1b[1D\x1b[4h");
    out.push_str(&"*".repeat(usize::from(cols) - 2));
    out.push_str("\x1b[4l\x1b[2;2H\x1b[78P\x1b[24;1H\x1b[5L\x1b[1;1H\x1b[3L\x1b[5;10H\x1b[4P\x1b[6;10H\x1b[4@|\x1b[7;10H\x1b[4X|");
    for row in 8..rows {
        out.push_str(&format!("\x1b[{row};1H{}\x1b[{row};{row}H\x1b[{row}P\x1b[{row}@", "0123456789".repeat(8)));
    }
    out
}

/// Chinese, Japanese, Korean, accents, emoji: at the edge of a line, overwritten in half. Left out is
/// insert mode (`CSI 4 h`), where the emulator makes room of one column for a character of two.
fn writing() -> String {
    let mut out = String::new();
    for n in 0..6 {
        let pad = "-".repeat(73 + n);
        out.push_str(&format!("{pad}日本語 中文字 한국어\r\n"));
    }
    out.push_str(
        "Ünïcödé, e\u{301}a\u{308}o\u{302}\u{323} Ελληνικά Кириллица \u{e44}\u{e17}\u{e22} \u{928}\u{93e}\r\n",
    );
    out.push_str("emoji: 😀 🚀 🎉 ✅ ❌ ⚡ 🐧, counted: 🔟 ⏳ 🀄\r\n");
    // Written over: the other half goes, too. What is erased, deleted or inserted begins before a character here: behind
    // its first half tmux leaves that half standing, and here both go.
    for (row, edit) in ["x", "日", "\x1b[2X", "\x1b[2P", "\x1b[2@", "\x1b[1D\x1b[1K", "\x1b[K"].iter().enumerate() {
        let (row, col) = (row + 10, if row < 2 { 6 } else { 5 });
        out.push_str(&format!("\x1b[{row};1H{}\x1b[{row};{col}H{edit}", "漢字かな😀🚀".repeat(4)));
    }
    out.push_str("\x1b[17;79H한\x1b[18;80H글\x1b[20;80Hx界\x1b[22;1H日本\x1b[22;3H語\r\n全角ＡＢＣ ﾊﾝｶｸ ｱｲｳ");
    out
}

#[test]
fn vttest_like_screens_show_what_tmux_shows() {
    assert_as_tmux("vttest", vttest().as_bytes());
}

#[test]
fn cjk_and_emoji_show_what_tmux_shows() {
    assert_as_tmux("writing", writing().as_bytes());
}
