//! The bytes for the reviewer's terminal: what changed on the screen, and the status line.
//!
//! The complete list of what is written: characters that print, cursor positions (`CSI row;col H`), colours and
//! attributes (`CSI … m`), erase to the end of a line and of the screen (`CSI K`, `CSI 2J`), cursor shown or hidden,
//! and on entering and leaving the alternate screen and line wrap. `tests` holds it to that list.

use std::fmt::Write as _;

use avt::{Cell, Color, Pen};

use crate::screen::Screen;

/// Takes the terminal over: alternate screen, no line wrap (the last cell of a line must not scroll), cursor hidden.
pub const ENTER: &str = "\x1b[?1049h\x1b[?7l\x1b[?25l\x1b[0m\x1b[2J";
/// The same when the alternate screen is on already.
pub const ENTER_AGAIN: &str = "\x1b[?7l\x1b[?25l\x1b[0m\x1b[2J";
/// Gives it back as it was.
pub const LEAVE: &str = "\x1b[0m\x1b[2J\x1b[?7h\x1b[?25h\x1b[?1049l";

/// Columns and rows of the reviewer's terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Columns.
    pub cols: usize,
    /// Rows, the status line among them.
    pub rows: usize,
}

/// Remembers what the reviewer's terminal shows, and writes the difference.
pub struct Painter {
    window: Window,
    colour: bool,
    shown: Vec<Vec<Cell>>,
    status: String,
    /// First column and row of the recorded screen that is shown.
    corner: (usize, usize),
}

impl Painter {
    /// For a terminal on which nothing is shown yet.
    pub fn new(window: Window, colour: bool) -> Self {
        Self { window, colour, shown: Vec::new(), status: String::new(), corner: (0, 0) }
    }

    /// The terminal has another size or shows something else: the next painting is a whole one.
    pub fn reset(&mut self, window: Window) {
        *self = Self::new(window, self.colour);
    }

    /// The terminal's size.
    pub fn window(&self) -> Window {
        self.window
    }

    /// First column and row of the recorded screen that is shown.
    #[cfg(test)]
    pub fn corner(&self) -> (usize, usize) {
        self.corner
    }

    /// What to say when there is more on the recorded screen than is in view.
    pub fn clip(&self, screen: &Screen) -> Option<String> {
        let (cols, rows) = screen.size();
        let ((left, top), room) = (self.follow(screen), self.view_rows());
        let hidden =
            |row: usize, col: usize| row < top || row >= top + room || col < left || col >= left + self.window.cols;
        let fits = cols <= self.window.cols && rows <= room;
        let cut = screen.is_clipped()
            || !fits
                && screen.rows().enumerate().any(|(row, cells)| {
                    cells.iter().enumerate().any(|(col, cell)| cell.char() != ' ' && hidden(row, col))
                });
        cut.then(|| format!("clipped: {cols}x{rows}"))
    }

    /// Writes what differs from what is shown.
    pub fn paint(&mut self, screen: &Screen, status: &str, out: &mut String) {
        let whole = self.shown.is_empty();
        out.push_str("\x1b[?25l\x1b[0m");
        if whole {
            out.push_str("\x1b[2J");
        }
        self.corner = self.follow(screen);
        let (left, top) = self.corner;
        let mut rows: Vec<Vec<Cell>> = Vec::with_capacity(self.view_rows());
        for cells in screen.rows().skip(top).take(self.view_rows()) {
            let end = cells.len().min(left + self.window.cols);
            rows.push(cells.get(left..end).unwrap_or_default().to_vec());
        }
        rows.resize_with(self.view_rows().max(1), Vec::new);
        for (row, cells) in rows.iter().enumerate().take(self.view_rows()) {
            let before = self.shown.get(row).map(Vec::as_slice).unwrap_or_default();
            // After erasing the whole screen, blank rows are there already.
            if before != cells {
                self.row(screen, row, before, cells, out);
            }
        }
        self.shown = rows;
        if whole || self.status != status {
            let _ = write!(out, "\x1b[{};1H\x1b[0;7m", self.window.rows);
            out.extend(status.chars().map(|ch| if crate::screen::characters::is_shown(ch) { ch } else { ' ' }));
            out.push_str("\x1b[0m");
            self.status = status.to_owned();
        }
        let (col, row, visible) = screen.cursor();
        if visible && row >= top && row - top < self.view_rows() && col >= left && col - left < self.window.cols {
            let _ = write!(out, "\x1b[{};{}H\x1b[?25h", row - top + 1, col - left + 1);
        }
    }

    /// Rows for the recorded screen: all but the status line, and on a terminal of one row none.
    fn view_rows(&self) -> usize {
        self.window.rows.saturating_sub(1)
    }

    /// The corner from which the cursor is in view; it stays while it can.
    fn follow(&self, screen: &Screen) -> (usize, usize) {
        let ((cols, rows), (col, row, _)) = (screen.size(), screen.cursor());
        (into_view(self.corner.0, col, cols, self.window.cols), into_view(self.corner.1, row, rows, self.view_rows()))
    }

    /// Draws the cells from the first to the last that differ.
    fn row(&self, screen: &Screen, row: usize, before: &[Cell], cells: &[Cell], out: &mut String) {
        let first = cells.iter().zip(before).position(|(new, old)| new != old).unwrap_or(cells.len().min(before.len()));
        // What was longer before, or is blank from here on, is erased.
        let filled = cells.iter().rposition(|cell| cell.char() != ' ' || !cell.pen().is_default());
        let filled = filled.map_or(0, |last| cells.len().min(last + usize::from(cells[last].width().max(1))));
        // A wide character starts in the cell before its second half.
        let first =
            if cells.get(first).is_some_and(|cell| cell.width() == 0) { first.saturating_sub(1) } else { first };
        let _ = write!(out, "\x1b[{};{}H", row + 1, first + 1);
        let mut pen: Option<Pen> = None;
        let mut sure = true;
        for (col, cell) in cells.iter().enumerate().take(filled).skip(first) {
            let width = usize::from(cell.width());
            if width == 0 && col > first {
                continue;
            }
            if !sure {
                let _ = write!(out, "\x1b[{};{}H", row + 1, col + 1);
            }
            if pen != Some(*cell.pen()) {
                self.attributes(cell.pen(), out);
                pen = Some(*cell.pen());
            }
            // Half a wide character, cut by the window's edge, is a blank.
            if width == 0 || col + width > cells.len() {
                out.push(' ');
                sure = true;
            } else {
                screen.spell(cell, out);
                // Terminals differ in the width of everything but ASCII: the next cell is put in its place anew.
                sure = cell.char().is_ascii();
            }
        }
        out.push_str("\x1b[0m");
        if filled < self.window.cols {
            let _ = write!(out, "\x1b[{};{}H\x1b[K", row + 1, filled + 1);
        }
    }

    fn attributes(&self, pen: &Pen, out: &mut String) {
        out.push_str("\x1b[0");
        for (set, code) in [
            (pen.is_bold(), ";1"),
            (pen.is_faint(), ";2"),
            (pen.is_italic(), ";3"),
            (pen.is_underline(), ";4"),
            (pen.is_inverse(), ";7"),
            (pen.is_strikethrough(), ";9"),
        ] {
            if set {
                out.push_str(code);
            }
        }
        if self.colour {
            colour(pen.foreground(), 30, out);
            colour(pen.background(), 40, out);
        }
        out.push('m');
    }
}

fn colour(colour: Option<Color>, base: u8, out: &mut String) {
    let _ = match colour {
        None => Ok(()),
        Some(Color::Indexed(n @ 0..=7)) => write!(out, ";{}", base + n),
        Some(Color::Indexed(n @ 8..=15)) => write!(out, ";{}", base + 60 + n - 8),
        Some(Color::Indexed(n)) => write!(out, ";{};5;{n}", base + 8),
        Some(Color::RGB(rgb)) => write!(out, ";{};2;{};{};{}", base + 8, rgb.r, rgb.g, rgb.b),
    };
}

/// Where a view of `room` must begin so that `at` lies in it, moving as little as possible.
fn into_view(begin: usize, at: usize, all: usize, room: usize) -> usize {
    if all <= room || room == 0 {
        return 0;
    }
    begin.clamp((at + 1).saturating_sub(room), at).min(all - room)
}
