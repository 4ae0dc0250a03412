//! Lines that need no terminal to be read: text, colours, tabs, and what overwrites within one row.
//!
//! Most of what bulk output consists of. For such a line [`cook`] gives exactly the text that the emulated terminal
//! would give of it, and how many rows it takes; for all others it gives nothing, and the terminal is asked. That both
//! say the same is tested by a property (`tests`), not assumed.

use unicode_width::UnicodeWidthChar;

use super::LineFeed;
use super::characters::{Class, classify};

/// Appends the text of a line, given without its line feed, that begins in the first column of an empty row; gives the
/// rows that it takes. `None`, and nothing is appended, when only the terminal can tell. `tabs` says whether the tab stops are those of a new terminal.
pub fn cook(line: &[u8], cols: usize, feed: LineFeed, tabs: bool, out: &mut String) -> Option<usize> {
    let body = match (line.strip_suffix(b"\r"), feed) {
        (Some(body), _) => body,
        (None, LineFeed::NewLine) => line,
        // The next line would begin below the end of this one.
        (None, LineFeed::Terminal) => return None,
    };
    let text = std::str::from_utf8(body).ok()?;
    if body.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        return Some(push_rows(text, cols, out));
    }
    let mut row = Row::default();
    let mut rest = text;
    while let Some(ch) = rest.chars().next() {
        rest = &rest[ch.len_utf8()..];
        match ch {
            '\u{1b}' => rest = row.sequence(rest)?,
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
        let text: String = row.cells.iter().collect();
        return Some(push_rows(&text, cols, out));
    }
    let used = row.cells.iter().rposition(|ch| *ch != ' ').map_or(0, |last| last + 1);
    out.extend(row.cells.iter().take(used));
    Some(1)
}

/// Whether any of these bytes of such a line writes or erases: all but colours and movements do.
pub fn has_text(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        rest = match first {
            b'\r' | b'\t' | 0x8 => after,
            0x1b => match after.iter().position(u8::is_ascii_alphabetic).map(|end| after.split_at(end)) {
                Some((_, [b'm', left @ ..])) => left,
                _ => return true,
            },
            _ => return true,
        };
    }
    false
}

/// Text of one column a character, as rows joined again: blanks at the end go, but of the last row only, and of the row
/// before it the one blank behind which a wide character might have stood.
fn push_rows(text: &str, cols: usize, out: &mut String) -> usize {
    let start = out.len();
    let ascii = text.is_ascii();
    let columns = if ascii { text.len() } else { text.chars().count() };
    let above = columns.saturating_sub(1) / cols * cols;
    let cut = if ascii { Some(above) } else { text.char_indices().nth(above).map(|(at, _)| at) };
    let (wrapped, last) = text.split_at(cut.unwrap_or(0));
    out.push_str(text);
    let last = last.trim_end_matches(' ');
    let kept = if last.is_empty() { wrapped.strip_suffix(' ').unwrap_or(wrapped) } else { wrapped };
    out.truncate(start + kept.len() + last.len());
    above / cols + 1
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
    /// A colour, or an erasure to the right; the text after it.
    fn sequence<'a>(&mut self, rest: &'a str) -> Option<&'a str> {
        let rest = rest.strip_prefix('[')?;
        let end = rest.find(|ch: char| !matches!(ch, '0'..=':' | ';'))?;
        let (params, rest) = (&rest[..end], &rest[end..]);
        if let Some(rest) = rest.strip_prefix('m') {
            return Some(rest);
        }
        let rest = rest.strip_prefix('K').filter(|_| matches!(params, "" | "0"))?;
        if self.uneven {
            return None;
        }
        self.moved = true;
        self.cells.truncate(self.col);
        Some(rest)
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
        let mut out = String::new();
        let rows = cook(line.as_bytes(), cols, LineFeed::Terminal, true, &mut out)?;
        Some((out, rows))
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
    }

    #[test]
    fn what_needs_the_terminal_is_left_to_it() {
        for line in
            ["no return", "\x1b[2Aup\r", "\x1b]0;t\x07\r", "e\u{301}\r", "\u{202e}x\r", "bell\x07\r", "\x1b[1K\r"]
        {
            assert_eq!(cooked(line, 20), None, "{line:?}");
        }
        assert_eq!(cooked("日本語日本語\r", 5), None);
        assert_eq!(cooked("0123456\rx\r", 5), None);
        assert_eq!(cook(b"\xff\r", 20, LineFeed::Terminal, true, &mut String::new()), None);
    }

    #[test]
    fn colours_and_the_end_are_no_text() {
        assert!(!has_text(b"\x1b[0m\r") && !has_text(b"\r") && !has_text(b""));
        assert!(has_text(b"\x1b[0mx\r") && has_text(b" ") && has_text(b"\x1b[K"));
    }
}
