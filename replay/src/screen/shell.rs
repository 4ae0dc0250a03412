//! What the emulated terminal tells of a shell on it: the text between two moments, waiting prompts, and when
//! full-screen programs come and go. What that means is decided in `story`.

use avt::observer::{Observation, Observer};
use avt::parser::Function;
use avt::{Anchor, Operation, Position, ScreenKind, Terminal};
use hansard_schemas::cast::Size;

use super::{LineFeed, Screen, Stream};

/// What a prompt ends with, before the blank behind which one types: those of the usual shells and of many programs.
const PROMPT_ENDS: [char; 7] = ['$', '#', '%', '>', '❯', '»', 'λ'];
/// Characters of a command's text that are kept; a pasted script is longer, and is on the screen.
const TEXT_MAX: usize = 4096;

/// A terminal on which a shell is watched.
pub struct ShellScreen {
    screen: Screen,
    watch: Watch,
}

/// A place that stays where it is in the text when rows move: its row, held at the first column, since what is erased to
/// the right takes anchors there with it, and shells do that at each key.
struct Spot {
    row: Anchor,
    col: usize,
}

#[derive(Default)]
struct Watch {
    /// Where typing begins.
    start: Option<Spot>,
    /// Where the cursor last stood when a line was ended.
    end: Option<Spot>,
    /// Whether a line feed came since typing began.
    fed: bool,
    /// Whether the first end of a line is kept, or the last.
    first: bool,
    /// Whether a full-screen program is on the screen, each time that this changed.
    switches: Vec<bool>,
    full: bool,
}

impl ShellScreen {
    /// An empty one.
    pub fn new(size: Size, feed: LineFeed) -> Self {
        Self { screen: Screen::new(size, feed), watch: Watch::default() }
    }

    /// Shows bytes.
    pub fn write(&mut self, stream: Stream, raw: &[u8]) {
        self.screen.write_with(stream, raw, &mut self.watch);
    }

    /// Takes another size.
    pub fn resize(&mut self, size: Size) {
        self.screen.resize_with(size, &mut self.watch);
    }

    /// Whether full-screen programs came (true) or went since this was last asked, in order.
    pub fn switches(&mut self) -> Vec<bool> {
        std::mem::take(&mut self.watch.switches)
    }

    /// Whether a full-screen program has the screen.
    pub fn is_full(&self) -> bool {
        self.watch.full
    }

    /// Typing begins here. What was typed ends where the cursor stands at the end of the first line that ends
    /// (`first`), or of the last one before [`ShellScreen::typed`].
    pub fn typing_begins(&mut self, first: bool) {
        self.screen.settle_with(&mut self.watch);
        let full = self.watch.full;
        let watch = &mut self.watch;
        *watch = Watch { first, full, switches: std::mem::take(&mut watch.switches), ..Watch::default() };
        let terminal = &mut self.screen.terminal;
        let cursor = terminal.cursor_position();
        let row = terminal.anchor_at(Position { col: 0, ..cursor });
        watch.start = row.filter(|_| !full).map(|row| Spot { row, col: cursor.col });
    }

    /// Whether a line feed came since typing began.
    pub fn is_fed(&self) -> bool {
        self.watch.fed
    }

    /// What stands where typing began, up to where it ended; `None` when it is not on the screen (any more). Characters
    /// that print, and line feeds between lines.
    pub fn typed(&mut self) -> Option<String> {
        let (start, end) = (self.watch.start.take()?, self.watch.end.take()?);
        let terminal = &self.screen.terminal;
        let [start, end] = [start, end].map(|spot| {
            let row = terminal.resolve(&spot.row)?;
            Some(Position { col: row.col + spot.col, ..row })
        });
        let (start, end) = (start?, end?);
        let (first, last) = (usize::try_from(start.row).ok()?, usize::try_from(end.row).ok()?);
        let mut text = String::new();
        let rows = terminal.primary_screen().visible_lines().enumerate().skip(first);
        for (row, line) in rows.take_while(|(row, _)| *row <= last) {
            let from = if row == first { start.col } else { 0 };
            let to = if row == last { end.col.min(line.cells().len()) } else { line.cells().len() };
            let cells = line.cells().get(from..to).unwrap_or_default();
            let begun = text.len();
            cells.iter().filter(|cell| cell.width() > 0).for_each(|cell| self.screen.spell(cell, &mut text));
            if !line.is_wrapped() && row != last {
                text.truncate(begun + text[begun..].trim_end().len());
                text.push('\n');
            }
            if text.len() > TEXT_MAX {
                let cut = text.floor_char_boundary(TEXT_MAX);
                text.truncate(cut);
                break;
            }
        }
        Some(text.trim().to_owned())
    }

    /// Whether the cursor stands behind what looks like a prompt, with nothing after it.
    pub fn is_at_prompt(&mut self) -> bool {
        self.screen.settle_with(&mut self.watch);
        let cursor = self.screen.terminal.cursor();
        let Some(line) = self.screen.terminal.screen().line(cursor.row) else { return false };
        let mut cells = line.cells().iter().map(avt::Cell::char);
        let before: Vec<char> = cells.by_ref().take(cursor.col).collect();
        !self.watch.full
            && matches!(before.as_slice(), [.., end, ' '] if PROMPT_ENDS.contains(end))
            && cells.all(|ch| ch == ' ')
    }
}

impl Watch {
    fn ends_line(&mut self, context: &mut Observation<'_>) {
        let cursor = context.terminal().cursor();
        // The return of a line that was ended already, or the prompt's own.
        if self.start.is_none() || cursor.col == 0 || self.full || (self.first && self.fed) {
            return;
        }
        let position = context.terminal().cursor_position();
        let row = context.anchor_at(Position { col: 0, ..position });
        self.end = row.map(|row| Spot { row, col: position.col });
    }
}

fn is_full(terminal: &Terminal) -> bool {
    terminal.active_screen_kind() == ScreenKind::Alternate
}

impl Observer for Watch {
    type Output = ();

    fn before(&mut self, context: &mut Observation<'_>, operation: &Operation) {
        match operation {
            Operation::Function(Function::Cr) => self.ends_line(context),
            Operation::Function(Function::Lf | Function::Nel) => {
                self.ends_line(context);
                self.fed |= self.start.is_some() && !self.full;
            }
            _ => {}
        }
    }

    fn after(&mut self, context: &mut Observation<'_>, operation: &Operation) {
        if matches!(operation, Operation::Function(Function::Decset(_) | Function::Decrst(_) | Function::Ris)) {
            let full = is_full(context.terminal());
            if std::mem::replace(&mut self.full, full) != full {
                self.switches.push(full);
            }
        }
    }

    fn end(&mut self, _: &mut Observation<'_>) {}
}
