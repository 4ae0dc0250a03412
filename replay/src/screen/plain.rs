//! Lines that need no terminal to be read: text, colours, tabs, and what overwrites within one row.
//!
//! Most of what bulk output consists of. For such a line [`cook`] gives exactly the text that the emulated terminal
//! would give of it, and how many rows it takes; for all others it gives nothing, and the terminal is asked. That both
//! say the same is tested by a property (`tests`), not assumed.

use unicode_width::UnicodeWidthChar;

use super::LineFeed;
use super::characters::{Class, classify};

/// Appends the text of a line, given without its line feed, that begins in the first column of an empty row with nothing
/// below it; gives the rows that it takes. `None`, and nothing is appended, when only the terminal can tell. `tabs` says
/// whether the tab stops are those of a new terminal.
pub fn cook(line: &[u8], cols: usize, feed: LineFeed, tabs: bool, out: &mut Vec<u8>) -> Option<usize> {
    let body = match (line.strip_suffix(b"\r"), feed) {
        (Some(body), _) => body,
        (None, LineFeed::NewLine) => line,
        // The next line would begin below the end of this one.
        (None, LineFeed::Terminal) => return None,
    };
    let start = out.len();
    if push_still(body, out).is_some() {
        return Some(end_rows(out, start, cols, None));
    }
    out.truncate(start);
    let text = std::str::from_utf8(body).ok()?;
    let mut row = Row::default();
    let mut rest = text;
    while let Some(ch) = rest.chars().next() {
        let run = printable(rest.as_bytes());
        if run > 0 {
            row.put_all(rest.get(..run)?, cols)?;
            rest = rest.get(run..)?;
            continue;
        }
        if let Some(after) = silent(rest.as_bytes()) {
            rest = rest.get(rest.len() - after.len()..)?;
            continue;
        }
        rest = &rest[ch.len_utf8()..];
        match ch {
            '\u{1b}' => rest = row.sequence(rest, cols)?,
            '\r' => row.go(0, cols)?,
            '\u{8}' => row.go(if row.col == cols { cols.checked_sub(2)? } else { row.col.saturating_sub(1) }, cols)?,
            '\t' if row.col == cols || !tabs => return None,
            '\t' => {
                let next = (row.col / 8 + 1) * 8;
                row.go(if next < cols { next } else { cols - 1 }, cols)?;
            }
            _ => row.put(ch, cols)?,
        }
    }
    if row.cells.len() > cols {
        let above = (row.cells.len() - 1) / cols * cols;
        let text: String = row.cells.iter().collect();
        out.extend_from_slice(text.as_bytes());
        let wrapped: usize = row.cells.iter().take(above).map(|ch| ch.len_utf8()).sum();
        return Some(end_rows(out, start, cols, Some((above, wrapped))));
    }
    let used = row.cells.iter().rposition(|ch| *ch != ' ').map_or(0, |last| last + 1);
    let text: String = row.cells.iter().take(used).collect();
    out.extend_from_slice(text.as_bytes());
    Some(1)
}

/// Whether any of these bytes of such a line writes or erases: all but movements and what is silent do.
pub fn has_text(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        rest = match (first, silent(rest)) {
            (b'\r' | b'\t' | 0x8, _) => after,
            (_, Some(after)) => after,
            (0x1b, None) => match csi(after) {
                Some((_, b'C' | b'D' | b'G', after)) => after,
                _ => return true,
            },
            _ => return true,
        };
    }
    false
}

/// Appends the text of a line that has only what prints in ASCII, and what is silent: nearly all lines, so this is quick.
fn push_still(body: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut rest = body;
    loop {
        let (text, after) = rest.split_at(printable(rest));
        out.extend_from_slice(text);
        if after.is_empty() {
            return Some(());
        }
        rest = silent(after)?;
    }
}

/// How many bytes at the start print, in ASCII.
fn printable(bytes: &[u8]) -> usize {
    const WIDE: usize = 32;
    // Without a branch a byte, so that the compiler takes many at once.
    let any_other = |block: &[u8]| block.iter().fold(false, |any, byte| any | !matches!(byte, b' '..=b'~'));
    let (blocks, tail) = bytes.as_chunks::<WIDE>();
    let whole = blocks.iter().position(|block| any_other(block)).unwrap_or(blocks.len()) * WIDE;
    let rest = bytes.get(whole..).unwrap_or(tail);
    whole + rest.iter().position(|byte| !matches!(byte, b' '..=b'~')).unwrap_or(rest.len())
}

/// What follows something at the start that shows nothing, moves nothing, and has no effect on what is shown after it: a
/// bell, colours, titles and other strings to the system, and modes of keys, mouse and cursor.
fn silent(bytes: &[u8]) -> Option<&[u8]> {
    match bytes {
        // The character set that is there in any case: other ones are not for plain lines.
        [0x07, after @ ..] | [0x1b, b'=' | b'>', after @ ..] | [0x1b, b'(', b'B', after @ ..] => Some(after),
        [0x1b, b']', string @ ..] => match string.get(printable(string)..)? {
            [0x07, after @ ..] | [0x1b, b'\\', after @ ..] => Some(after),
            _ => None,
        },
        [0x1b, b'[', b'?', mode @ ..] => {
            let end = mode.iter().position(|byte| !byte.is_ascii_digit())?;
            let (mode, after) = mode.split_at(end);
            let is_silent = matches!(
                mode,
                b"1" | b"12" | b"25" | b"1000" | b"1002" | b"1003" | b"1004" | b"1006" | b"2004" | b"2026"
            );
            match after {
                [b'h' | b'l', after @ ..] if is_silent => Some(after),
                _ => None,
            }
        }
        [0x1b, sequence @ ..] => match csi(sequence)? {
            (_, b'm', after) => Some(after),
            _ => None,
        },
        _ => None,
    }
}

/// Parameters, final byte and what follows of a control sequence, given after its escape.
pub fn csi(bytes: &[u8]) -> Option<(&[u8], u8, &[u8])> {
    let bytes = bytes.strip_prefix(b"[")?;
    let end = bytes.iter().position(|byte| !matches!(byte, b'0'..=b':' | b';'))?;
    let (parameters, rest) = bytes.split_at(end);
    let (last, after) = rest.split_first()?;
    Some((parameters, *last, after))
}

/// Ends text of one column a character, from `start`, as rows joined again, and gives how many: blanks at the end go, but of
/// the last row only, and of the row before it the one blank behind which a wide character might have stood. `above` is how
/// many characters stand in the rows before the last one, and how many bytes they are; in ASCII that is not needed.
fn end_rows(out: &mut Vec<u8>, start: usize, cols: usize, above: Option<(usize, usize)>) -> usize {
    let columns = out.len() - start;
    let ascii = if columns <= cols { 0 } else { (columns - 1) / cols * cols };
    let (above, wrapped) = above.unwrap_or((ascii, ascii));
    let last = out.get(start + wrapped..).unwrap_or_default();
    let blanks = last.iter().rev().take_while(|byte| **byte == b' ').count();
    let is_blank_before = || out.get(start..start + wrapped).is_some_and(|rows| rows.ends_with(b" "));
    let gone = blanks + usize::from(blanks == last.len() && is_blank_before());
    out.truncate(out.len() - gone);
    if above == 0 { 1 } else { above / cols + 1 }
}

/// The cells of a row that is being written; of several, as long as nothing goes back.
#[derive(Default)]
struct Row {
    cells: Vec<char>,
    col: usize,
    /// Something other than text moved the cursor or erased.
    moved: bool,
    /// It has characters of other widths than one, whose columns `cells` does not count.
    uneven: bool,
}

impl Row {
    /// An erasure to the right, or a movement in the row; the text after it.
    fn sequence<'a>(&mut self, rest: &'a str, cols: usize) -> Option<&'a str> {
        let (parameters, last, after) = csi(rest.as_bytes())?;
        let after = rest.get(rest.len() - after.len()..)?;
        if let b'K' | b'J' = last {
            // Below there is nothing to be erased.
            if self.uneven || !matches!(parameters, b"" | b"0") {
                return None;
            }
            self.moved = true;
            self.cells.truncate(self.col);
            return Some(after);
        }
        let parameter = std::str::from_utf8(parameters).ok()?;
        let n = if parameter.is_empty() { 0 } else { parameter.parse::<u16>().ok()? };
        let n = usize::from(n.max(1));
        if self.col == cols {
            return None;
        }
        let col = match last {
            b'C' => self.col + n,
            b'D' => self.col.saturating_sub(n),
            b'G' => n - 1,
            _ => return None,
        };
        self.go(col.min(cols - 1), cols)?;
        Some(after)
    }

    /// The cursor goes to a column of this row.
    fn go(&mut self, col: usize, cols: usize) -> Option<()> {
        // Which row that would be, and what is overwritten there, is for the terminal to say.
        if self.cells.len() > cols || self.col > cols || self.uneven {
            return None;
        }
        self.moved = true;
        self.col = col;
        Some(())
    }

    /// Text in ASCII.
    fn put_all(&mut self, text: &str, cols: usize) -> Option<()> {
        if self.col + text.len() > cols && (self.moved || self.uneven) || self.moved && self.uneven {
            return None;
        }
        if self.uneven {
            self.cells.extend(text.chars());
        } else {
            self.cells.resize(self.cells.len().max(self.col), ' ');
            let over = text.len().min(self.cells.len() - self.col);
            let (overwriting, behind) = text.split_at_checked(over)?;
            self.cells.iter_mut().skip(self.col).zip(overwriting.chars()).for_each(|(cell, ch)| *cell = ch);
            self.cells.extend(behind.chars());
        }
        self.col += text.len();
        Some(())
    }

    fn put(&mut self, ch: char, cols: usize) -> Option<()> {
        if classify(ch) != Class::Plain {
            return None;
        }
        let width = ch.width().unwrap_or(1);
        self.uneven |= width != 1;
        if self.col + width > cols && (self.moved || self.uneven) {
            return None;
        }
        if self.moved && self.uneven {
            return None;
        }
        if self.cells.len() < self.col && !self.uneven {
            self.cells.resize(self.col, ' ');
        }
        match self.cells.get_mut(self.col) {
            Some(cell) if !self.uneven => *cell = ch,
            _ => self.cells.push(ch),
        }
        self.col += width;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::{LineFeed, cook, has_text};

    fn cooked(line: &str, cols: usize) -> Option<(String, usize)> {
        let mut out = Vec::new();
        let rows = cook(line.as_bytes(), cols, LineFeed::Terminal, true, &mut out)?;
        Some((String::from_utf8(out).unwrap(), rows))
    }

    #[test]
    fn text_colours_tabs_and_overwriting_are_read() {
        let read = |line: &str| cooked(line, 20);
        assert_eq!(read("plain  \r"), Some(("plain".into(), 1)));
        assert_eq!(read("\x1b[1;31mred\x1b[m\r"), Some(("red".into(), 1)));
        assert_eq!(read("a\tb\r"), Some(("a       b".into(), 1)));
        assert_eq!(read(" 10%\r 99%\x1b[K\r"), Some((" 99%".into(), 1)));
        assert_eq!(read("abc\u{8}d\r"), Some(("abd".into(), 1)));
        assert_eq!(read("日本語\r"), Some(("日本語".into(), 1)));
        assert_eq!(read("0123456789012345678901\r"), Some(("0123456789012345678901".into(), 2)));
        assert_eq!(read("\r"), Some((String::new(), 1)));
        assert_eq!(read("\x1b[?2004h\x1b]0;ada@web1: ~\x07$ \x1b(Bls\x07\x1b[?2004l\r"), Some(("$ ls".into(), 1)));
        assert_eq!(read("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\x1b=\x1b>\r"), Some(("link".into(), 1)));
        assert_eq!(read("abcdef\x1b[2D\x1b[Jx\x1b[3Cy\x1b[2GB\r"), Some(("aBcdx   y".into(), 1)));
        assert_eq!(read("é\x1b[31mü\r"), Some(("éü".into(), 1)));
    }

    #[test]
    fn what_needs_the_terminal_is_left_to_it() {
        for line in [
            "no return",
            "\x1b[2Aup\r",
            "\x1b]0;\u{e9}\x07\r",
            "e\u{301}\r",
            "\u{202e}x\r",
            "\x1b[1K\r",
            "\x1b[?7l\r",
            "\x1b]0;never ended\r",
            "\x1bP$q\x1b\\\r",
            "\x1b(0\r",
            "\x1b[1;2G\r",
            "\x1b[2J\r",
            "\x1b[?25h\x1b[",
        ] {
            assert_eq!(cooked(line, 20), None, "{line:?}");
        }
        assert_eq!(cooked("日本語日本語\r", 5), None);
        assert_eq!(cooked("0123456\rx\r", 5), None);
        assert_eq!(cook(b"\xff\r", 20, LineFeed::Terminal, true, &mut Vec::new()), None);
    }

    #[test]
    fn colours_and_the_end_are_no_text() {
        assert!(!has_text(b"\x1b[0m\r") && !has_text(b"\r") && !has_text(b""));
        assert!(!has_text(b"\x1b]0;title\x07\x1b[2C\x07\x1b[?25l"));
        assert!(has_text(b"\x1b[0mx\r") && has_text(b" ") && has_text(b"\x1b[K"));
    }
}
