//! Which cells of a screen were printed on, and whether a text stands there: what searching looks at.
//!
//! Only what was just printed can be new, so a search costs no look at the whole screen for every line. A text that is
//! broken over two rows is not found; nor is one that only came together because other text was erased.

use std::collections::BTreeMap;

use avt::observer::{Observation, Observer};
use avt::parser::Function;
use avt::{Line, Operation};
use unicode_width::UnicodeWidthChar;

use super::{Screen, Stream};

/// A text that is searched for: what a row must contain. Without capitals it fits both cases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    exact: bool,
}

impl Pattern {
    /// Of a text that was typed; `None` when there is nothing in it.
    pub fn new(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self { text: text.to_owned(), exact: text.chars().any(char::is_uppercase) })
    }

    /// The text, as typed.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Collects the cells that are printed on.
#[derive(Debug, Default)]
pub struct Touched {
    /// First column, and the one after the last, of each row that was printed on.
    rows: BTreeMap<usize, (usize, usize)>,
    /// The cells of the operation that is being done: lines that it moved up are moved without it.
    fresh: Option<(usize, usize, usize)>,
}

impl Touched {
    fn commit(&mut self) {
        if let Some((row, first, end)) = self.fresh.take() {
            let range = self.rows.entry(row).or_insert((first, end));
            *range = (range.0.min(first), range.1.max(end));
        }
    }
}

impl Observer for Touched {
    type Output = ();

    fn before(&mut self, _: &mut Observation<'_>, _: &Operation) {
        self.commit();
    }

    fn after(&mut self, context: &mut Observation<'_>, operation: &Operation) {
        let cells = match operation {
            Operation::Function(Function::Print(ch)) => ch.width().unwrap_or(1).max(1),
            Operation::Function(Function::Rep(n)) => usize::from(*n) + 1,
            _ => return,
        };
        let cursor = context.terminal().cursor();
        self.fresh = Some((cursor.row, cursor.col.saturating_sub(cells), cursor.col));
    }

    fn evicted(&mut self, _: &mut Observation<'_>, _: &Line) {
        let rows = std::mem::take(&mut self.rows);
        self.rows = rows.into_iter().filter_map(|(row, range)| Some((row.checked_sub(1)?, range))).collect();
    }

    fn end(&mut self, _: &mut Observation<'_>) {}
}

impl Screen {
    /// Shows bytes, and says whether a text now stands where they printed.
    pub fn write_finding(&mut self, stream: Stream, raw: &[u8], pattern: &Pattern) -> bool {
        let mut touched = Touched::default();
        self.write_with(stream, raw, &mut touched);
        self.settle_with(&mut touched);
        touched.commit();
        let mut rows = touched.rows.into_iter().peekable();
        if rows.peek().is_none() {
            return false;
        }
        let lines: Vec<&[avt::Cell]> = self.rows().collect();
        rows.any(|(row, range)| lines.get(row).is_some_and(|cells| self.stands(cells, range, pattern)))
    }

    /// Whether a text stands in a row so that it has a part in these columns.
    fn stands(&self, cells: &[avt::Cell], (first, end): (usize, usize), pattern: &Pattern) -> bool {
        let mut text = String::new();
        // The column in which each byte of the text stands.
        let mut cols: Vec<usize> = Vec::new();
        let mut spelled = String::new();
        for (col, cell) in cells.iter().enumerate().filter(|(_, cell)| cell.width() > 0) {
            spelled.clear();
            self.spell(cell, &mut spelled);
            if pattern.exact {
                text.push_str(&spelled);
            } else {
                text.extend(spelled.chars().flat_map(char::to_lowercase));
            }
            cols.resize(text.len(), col);
        }
        let found = text.match_indices(pattern.text.as_str());
        let mut found = found.filter_map(|(at, part)| Some((*cols.get(at)?, *cols.get(at + part.len() - 1)?)));
        found.any(|(from, to)| from < end && to >= first)
    }
}
