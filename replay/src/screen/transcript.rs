//! The lines of text that a recording showed, as they leave the screen at the top and as it stands at the end.
//!
//! Of the primary screen, where text flows: what full-screen programs draw on the alternate one is pictures, not
//! lines, and is left out. Escape sequences are gone; characters are those that [`Screen::spell`] lets out.

use avt::observer::{Observation, Observer};
use avt::parser::Function;
use avt::{Line, Operation, Terminal};
use hansard_schemas::cast::Size;

use super::{LineFeed, Screen, Stream};

/// A screen whose lines are collected.
pub struct Transcript {
    screen: Screen,
    leaving: Leaving,
}

impl Transcript {
    /// Of an empty screen.
    pub fn new(size: Size, feed: LineFeed) -> Self {
        Self { screen: Screen::new(size, feed), leaving: Leaving::default() }
    }

    /// Of nothing, to leave behind where another one was.
    pub fn empty() -> Self {
        Self::new(Size { cols: 1, rows: 1 }, LineFeed::Terminal)
    }

    /// Shows bytes, and appends the lines that left.
    pub fn write(&mut self, stream: Stream, raw: &[u8], out: &mut String) {
        self.screen.write_with(stream, raw, &mut self.leaving);
        self.take(out);
    }

    /// Takes another size, and appends the lines that left.
    pub fn resize(&mut self, size: Size, out: &mut String) {
        self.screen.resize_with(size, &mut self.leaving);
        self.take(out);
    }

    /// Appends what is left on the screen.
    pub fn finish(mut self, out: &mut String) {
        self.screen.end_with(&mut self.leaving);
        self.leaving.rest(&self.screen.terminal);
        self.leaving.end();
        self.take(out);
    }

    fn take(&mut self, out: &mut String) {
        for ch in self.leaving.text.chars() {
            if ch == '\n' { out.push(ch) } else { self.screen.clusters.spell(ch, out) }
        }
        self.leaving.text.clear();
    }
}

/// Lines that left the screen, with clusters still as their private characters.
#[derive(Clone, Default)]
pub(super) struct Leaving {
    pub(super) text: String,
    /// Whether the last row that left goes on in the next one.
    pub(super) inside: bool,
    /// Whether that row ended in a blank. If the next one begins with a wide character, it only did not fit there.
    blank: bool,
}

impl Leaving {
    /// Whether the last row that left goes on in the next one.
    pub(super) fn is_inside(&self) -> bool {
        self.inside
    }

    /// No row follows; says whether that ends a line.
    pub(super) fn end(&mut self) -> bool {
        let inside = std::mem::take(&mut self.inside);
        self.blank = false;
        if inside {
            self.text.push('\n');
        }
        inside
    }

    pub(super) fn push(&mut self, line: &Line) {
        let start = self.text.len();
        if std::mem::take(&mut self.blank) && line.cells().first().is_none_or(|cell| cell.width() != 2) {
            self.text.push(' ');
        }
        self.text.extend(line.chars());
        self.inside = line.is_wrapped();
        if self.inside {
            self.blank = self.text[start..].ends_with(' ');
            if self.blank {
                self.text.pop();
            }
        } else {
            let end = start + self.text[start..].trim_end_matches(' ').len();
            self.text.truncate(end);
            self.text.push('\n');
        }
    }

    /// All that is on the primary screen, without the empty rows below the last text.
    pub(super) fn rest(&mut self, terminal: &Terminal) {
        let lines: Vec<&Line> = terminal.primary_screen().all_lines().collect();
        let blank = |line: &&Line| line.chars().all(|ch| ch == ' ');
        let used = lines.iter().rposition(|line| !blank(line)).map_or(0, |last| last + 1);
        for line in &lines[..used] {
            self.push(line);
        }
    }
}

impl Observer for Leaving {
    type Output = ();

    fn before(&mut self, context: &mut Observation<'_>, operation: &Operation) {
        // A full reset wipes the screen without letting its lines leave.
        if matches!(operation, Operation::Function(Function::Ris)) {
            self.rest(context.terminal());
            self.end();
        }
    }

    fn evicted(&mut self, _: &mut Observation<'_>, line: &Line) {
        self.push(line);
    }

    fn end(&mut self, _: &mut Observation<'_>) {}
}
