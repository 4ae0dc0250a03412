//! The lines of text of a session that goes on: each once, as soon as it is done.
//!
//! A line is done when the cursor has passed it. One that is written over afterwards is given again, as it then stands; one
//! on which the cursor stays is given when nothing came to it for a whole segment, or when the end does. Of the primary
//! screen, as for `transcript`. What comes out depends on what goes in and in which pieces, and on no clock, so
//! that whoever goes on after a restart sees the same lines.

use std::collections::VecDeque;

use avt::{Line, ScreenKind};
use hansard_schemas::cast::Size;

use super::transcript::Leaving;
use super::{LineFeed, Screen, Stream};

/// A screen whose lines are given while it is written to.
pub struct LiveLines {
    screen: Screen,
    leaving: Leaving,
    /// Of the lines that have not left at the top, from there: those that were given, as they were.
    given: VecDeque<String>,
    /// How many lines have left and were taken.
    gone: usize,
    /// The cursor's line when the last segment ended: which one of all, and how it stood.
    stood: Option<(usize, String)>,
}

impl LiveLines {
    /// Of an empty screen.
    pub fn new(size: Size, feed: LineFeed) -> Self {
        let screen = Screen::new(size, feed);
        Self { screen, leaving: Leaving::default(), given: VecDeque::new(), gone: 0, stood: None }
    }

    /// Shows bytes.
    pub fn write(&mut self, stream: Stream, raw: &[u8]) {
        self.screen.write_with(stream, raw, &mut self.leaving);
    }

    /// Takes another size.
    pub fn resize(&mut self, size: Size) {
        self.screen.resize_with(size, &mut self.leaving);
    }

    /// Appends the lines that are done.
    pub fn take(&mut self, out: &mut Vec<String>) {
        self.screen.settle_with(&mut self.leaving);
        let done = self.cursor_line();
        self.give(done, out);
    }

    /// A segment has ended: appends what is done, and the cursor's line if nothing came to it since the last one did.
    pub fn pause(&mut self, out: &mut Vec<String>) {
        self.take(out);
        let here = self.here();
        if here.is_some() && here == self.stood {
            self.still(out);
        }
        self.stood = here;
    }

    /// Appends the cursor's line, unless that was given as it is.
    pub fn still(&mut self, out: &mut Vec<String>) {
        self.take(out);
        if self.here().is_some() {
            let done = self.cursor_line().saturating_add(1);
            self.give(done, out);
        }
    }

    /// The session has ended: appends all that is left.
    pub fn finish(&mut self, out: &mut Vec<String>) {
        self.screen.end_with(&mut self.leaving);
        self.give(usize::MAX, out);
    }

    /// The rows of the screen as it stands, safe to print, without the empty ones below the last text.
    pub fn standing(&self) -> Vec<String> {
        let rows = self.screen.rows().map(|cells| {
            let mut text = String::new();
            cells.iter().filter(|cell| cell.width() > 0).for_each(|cell| self.screen.spell(cell, &mut text));
            text.trim_end().to_owned()
        });
        let mut rows: Vec<String> = rows.collect();
        while rows.last().is_some_and(String::is_empty) {
            rows.pop();
        }
        rows
    }

    /// The number of the line on which the cursor is: of those that left, were not taken yet, and are on the screen. While
    /// the alternate screen is shown the other one stands still: all of it that was not given yet is done.
    fn cursor_line(&self) -> usize {
        let left = self.leaving.text.matches('\n').count();
        let terminal = &self.screen.terminal;
        if terminal.active_screen_kind() == ScreenKind::Alternate {
            return usize::MAX;
        }
        let above = terminal.primary_screen().all_lines().take(terminal.cursor().row);
        left + above.filter(|line: &&Line| !line.is_wrapped()).count()
    }

    /// All lines that left and were not taken yet, and those on the screen.
    fn all(&self) -> Vec<String> {
        let mut all = self.leaving.clone();
        all.rest(&self.screen.terminal);
        all.text.lines().map(|line| line.trim_end_matches(' ').to_owned()).collect()
    }

    /// The cursor's line, unless it is empty: which one of all, and its text.
    fn here(&self) -> Option<(usize, String)> {
        let at = self.cursor_line();
        let line = self.all().into_iter().nth(at).filter(|line| !line.is_empty())?;
        Some((self.gone + at, line))
    }

    /// Appends the first `done` lines, but for those that were given as they are; and lets go those that left.
    fn give(&mut self, done: usize, out: &mut Vec<String>) {
        let all = self.all();
        self.given.truncate(all.len());
        for (at, line) in all.iter().enumerate().take(done) {
            match self.given.get_mut(at) {
                Some(given) if given == line => continue,
                Some(given) => given.clone_from(line),
                None => self.given.push_back(line.clone()),
            }
            let mut text = String::with_capacity(line.len());
            line.chars().for_each(|ch| self.screen.clusters.spell(ch, &mut text));
            out.push(text);
        }
        let left = self.leaving.text.matches('\n').count();
        self.given.drain(..left.min(self.given.len()));
        self.gone += left;
        let end = self.leaving.text.rfind('\n').map_or(0, |at| at + 1);
        self.leaving.text.drain(..end);
    }
}

#[cfg(test)]
mod tests {
    use hansard_schemas::cast::Size;

    use super::LiveLines;
    use crate::screen::{LineFeed, Stream};

    fn lines(rows: u16) -> LiveLines {
        LiveLines::new(Size { cols: 10, rows }, LineFeed::Terminal)
    }

    fn after(lines: &mut LiveLines, text: &str) -> Vec<String> {
        let mut out = Vec::new();
        lines.write(Stream::Output, text.as_bytes());
        lines.take(&mut out);
        out
    }

    #[test]
    fn a_line_is_given_once_when_the_cursor_has_passed_it() {
        let mut lines = lines(3);
        assert_eq!(after(&mut lines, "$ "), [""; 0]);
        assert_eq!(after(&mut lines, "ls\r\none\r\ntw"), ["$ ls", "one"]);
        assert_eq!(after(&mut lines, "o\r\n"), ["two"]);
        // They leave at the top now, and are not given again.
        assert_eq!(after(&mut lines, "3\r\n4\r\n5\r\n6\r\n7\r\n8"), ["3", "4", "5", "6", "7"]);
        let mut out = Vec::new();
        lines.finish(&mut out);
        assert_eq!(out, ["8"]);
        lines.finish(&mut out);
        assert_eq!(out, ["8"]);
    }

    #[test]
    fn what_is_written_over_is_given_as_it_then_stands() {
        let mut lines = lines(5);
        assert_eq!(after(&mut lines, "10%\r50%\r100%\r\n"), ["100%"]);
        assert_eq!(after(&mut lines, "a\r\nb\r\n"), ["a", "b"]);
        assert_eq!(after(&mut lines, "\x1b[2AA\r\n\r\n"), ["A"]);
    }

    #[test]
    fn a_cleared_screen_loses_nothing_and_repeats_nothing() {
        let mut lines = lines(5);
        assert_eq!(after(&mut lines, "one\r\ntwo\r\n$ clear"), ["one", "two"]);
        let out = after(&mut lines, "\r\n\x1b[H\x1b[2J\x1b[3J$ one\r\n");
        assert_eq!(out, ["$ clear", "$ one"]);
        // A line that is like the first one before the clearing is another one.
        assert_eq!(after(&mut lines, "\x1b[H\x1b[2J$ one\r\n"), ["$ one"]);
        assert_eq!(after(&mut lines, "x\r\n\x1bcy\r\nz"), ["x", "y"]);
    }

    #[test]
    fn wrapped_rows_are_one_line_also_when_half_of_it_has_left() {
        let mut lines = lines(3);
        assert_eq!(after(&mut lines, "0123456789abcdefghij0123"), [""; 0]);
        assert_eq!(after(&mut lines, "456789abcdefghij0123456789"), [""; 0]);
        assert_eq!(after(&mut lines, "!\r\nx\r\n"), ["0123456789abcdefghij0123456789abcdefghij0123456789!", "x"]);
    }

    #[test]
    fn the_line_of_the_cursor_is_given_when_it_stands_still() {
        let mut lines = lines(3);
        let mut out = Vec::new();
        lines.write(Stream::Output, b"Sure? ");
        lines.pause(&mut out);
        assert_eq!(out, [""; 0]);
        lines.pause(&mut out);
        lines.pause(&mut out);
        assert_eq!(out, ["Sure?"]);
        assert_eq!(after(&mut lines, "yes\r\n"), ["Sure? yes"]);
        // The same words again, in another line, have only just come.
        lines.write(Stream::Output, b"Sure? ");
        lines.pause(&mut out);
        lines.write(Stream::Output, b"no\r\nSure? ");
        lines.pause(&mut out);
        assert_eq!(out, ["Sure?", "Sure? no"]);
    }

    #[test]
    fn full_screen_programs_are_left_out_and_what_was_below_is_done() {
        let mut lines = lines(4);
        assert_eq!(after(&mut lines, "$ vi"), [""; 0]);
        assert_eq!(after(&mut lines, "\x1b[?1049h\x1b[Hsecret picture\r\n"), ["$ vi"]);
        assert_eq!(after(&mut lines, "\x1b[?1049l\r\n$ x\r\n"), ["$ x"]);
    }

    #[test]
    fn what_is_given_is_safe() {
        let mut lines = lines(4);
        let out = after(&mut lines, "a\x1b]0;title\x07\u{202e}\u{9b}b\r\n");
        assert!(out.iter().all(|line| line.chars().all(|ch| !ch.is_control() && ch != '\u{202e}')), "{out:?}");
        assert_eq!(lines.standing().len(), 1);
    }
}
