//! What [`Lines`](super::lines::Lines) sees of the emulated terminal: lines that leave it, when each was written, and
//! what full-screen programs draw.
//!
//! A row's time is that of the event that last wrote to it or erased in it. Rows move when the screen scrolls, so their
//! times move with them; after a change of size they are found again by their text.

use std::collections::VecDeque;

use avt::observer::{Observation, Observer};
use avt::parser::Function;
use avt::{Line, Operation, ScreenKind, Terminal};

use super::transcript::Leaving;

/// How far ahead a line is looked for after a change of size: lines keep their order, and few are lost.
const AHEAD: usize = 64;
/// Cells of a wrapped line on the alternate screen that are read together: more than a real screen has. A hostile
/// recording has screens of thousands of rows, and asks for them with each key.
const JOINED: usize = 16 << 10;
/// Rows of the alternate screen of which it is remembered what stood there.
const REMEMBERED: usize = 512;

/// A line that left, by where it ends in [`Leaving`]'s text, and its time.
#[derive(Debug, Clone, Copy)]
pub struct Left {
    pub end: usize,
    pub at_ms: u64,
}

/// The observer.
pub struct Watch {
    pub leaving: Leaving,
    /// Lines that left and are whole.
    pub left: Vec<Left>,
    /// Latest time of the rows of the line that is leaving.
    line_ms: u64,
    /// Time of each row of the primary screen, from the top.
    written: VecDeque<u64>,
    /// Event time of what is written now.
    pub now_ms: u64,
    /// Event time of the character that the screen still holds, which is the next to be printed.
    pub held_ms: Option<u64>,
    print_ms: u64,
    /// Rows that scroll: the first and the last.
    margins: (usize, usize),
    /// Row and column of the cursor before what is being done.
    before: (usize, usize),
    /// Rows of the screen.
    rows: usize,
    /// Lines of the screen and their times, while its size changes.
    times: VecDeque<(String, u64)>,
    /// Rows that will leave and are to be passed over.
    pub skip: usize,
    resizing: bool,
    /// Whether the tab stops are those of a new terminal.
    pub usual_tabs: bool,
    /// Whether something may have changed how text is written: wrapping, inserting, margins, character sets.
    pub bent: bool,
    pub full: FullScreen,
}

/// What was drawn on the alternate screen.
#[derive(Default)]
pub struct FullScreen {
    /// Lines as they stood there, with their times, in order.
    pub seen: Vec<(String, u64)>,
    /// The row that is being drawn, and since when it is as it is.
    drawing: Option<(usize, u64)>,
    /// What was last seen in each row: a line that only moves, or is drawn again, is no new one.
    last: Vec<String>,
}

impl Watch {
    pub fn new(rows: usize) -> Self {
        Self {
            leaving: Leaving::default(),
            left: Vec::new(),
            line_ms: 0,
            written: std::iter::repeat_n(0, rows).collect(),
            now_ms: 0,
            held_ms: None,
            print_ms: 0,
            margins: (0, rows.saturating_sub(1)),
            before: (0, 0),
            rows,
            times: VecDeque::new(),
            skip: 0,
            resizing: false,
            usual_tabs: true,
            bent: false,
            full: FullScreen::default(),
        }
    }

    /// The rows from the top down to `until`, exclusive, leave.
    pub fn leave(&mut self, terminal: &Terminal, until: usize) {
        for (row, line) in terminal.primary_screen().visible_lines().take(until).enumerate() {
            self.push(line, self.written.get(row).copied().unwrap_or(self.now_ms));
        }
    }

    /// All that is on the primary screen leaves, without the empty rows below the last text.
    pub fn leave_rest(&mut self, terminal: &Terminal) {
        let blank = |line: &Line| line.chars().all(|ch| ch == ' ');
        let rows: Vec<&Line> = terminal.primary_screen().visible_lines().collect();
        let used = rows.iter().rposition(|line| !blank(line)).map_or(0, |last| last + 1);
        self.leave(terminal, used);
        if self.leaving.end() {
            self.left.push(Left { end: self.leaving.text.len(), at_ms: self.line_ms });
            self.line_ms = 0;
        }
    }

    /// What is being drawn on the alternate screen has been seen.
    pub fn look(&mut self, terminal: &Terminal) {
        if let Some((row, at_ms)) = self.full.drawing.take() {
            self.full.look(terminal, row, at_ms);
        }
    }

    /// After a change of size.
    pub fn end_resize(&mut self, rows: usize) {
        self.resizing = false;
        // As the terminal does it.
        if self.written.len() != rows || self.rows != rows {
            self.written.resize(rows, self.now_ms);
            self.margins = (0, rows.saturating_sub(1));
        }
        self.rows = rows;
    }

    fn push(&mut self, line: &Line, at_ms: u64) {
        self.leaving.push(line);
        self.line_ms = self.line_ms.max(at_ms);
        if !self.leaving.is_inside() {
            self.left.push(Left { end: self.leaving.text.len(), at_ms: self.line_ms });
            self.line_ms = 0;
        }
    }

    fn touch(&mut self, row: usize, at_ms: u64) {
        if let Some(time) = self.written.get_mut(row) {
            *time = at_ms;
        }
    }

    /// Rows move inside the primary screen: up for a positive number.
    fn rotate(&mut self, top: usize, bottom: usize, by: isize) {
        let rows = self.written.make_contiguous();
        let Some(rows) = rows.get_mut(top..(bottom + 1)) else { return };
        let n = by.unsigned_abs().min(rows.len());
        if by > 0 { rows.rotate_left(n) } else { rows.rotate_right(n) }
    }

    /// After a resize: of each row of the primary screen, those that will leave among them.
    fn find_times(&mut self, terminal: &Terminal) {
        let mut times = std::mem::take(&mut self.times);
        self.written.clear();
        let (mut text, mut rows) = (String::new(), 0);
        for line in terminal.primary_screen().all_lines() {
            text.extend(line.chars());
            rows += 1;
            if line.is_wrapped() {
                continue;
            }
            let found = times.iter().take(AHEAD).position(|(known, _)| known == text.trim_end());
            let at_ms = found.and_then(|at| times.drain(..=at).next_back()).map_or(self.now_ms, |(_, at_ms)| at_ms);
            self.written.extend(std::iter::repeat_n(at_ms, std::mem::take(&mut rows)));
            text.clear();
        }
        self.written.extend(std::iter::repeat_n(self.now_ms, rows));
    }

    /// Before a resize: the lines on the screen and their times, to find them again by.
    fn times_by_text(&self, terminal: &Terminal) -> VecDeque<(String, u64)> {
        let mut lines = VecDeque::new();
        let (mut text, mut at_ms) = (String::new(), 0);
        for (row, line) in terminal.primary_screen().visible_lines().enumerate() {
            text.extend(line.chars());
            at_ms = self.written.get(row).copied().unwrap_or(0).max(at_ms);
            if !line.is_wrapped() {
                lines.push_back((text.trim_end().to_owned(), std::mem::take(&mut at_ms)));
                text.clear();
            }
        }
        lines
    }
}

impl FullScreen {
    /// Drawing goes on in another row.
    fn go_on(&mut self, terminal: &Terminal, row: usize) {
        let Some((drawn, at_ms)) = self.drawing.take() else { return };
        let wrapped = terminal.screen().line(drawn).is_some_and(Line::is_wrapped);
        // Of a line that wraps into this row not all is drawn.
        if !(wrapped && row == drawn + 1) {
            self.look(terminal, drawn, at_ms);
        }
    }

    fn look(&mut self, terminal: &Terminal, row: usize, at_ms: u64) {
        if terminal.active_screen_kind() != ScreenKind::Alternate {
            return;
        }
        let screen = terminal.screen();
        let (cols, rows) = terminal.size();
        let far = (JOINED / cols / 2).max(1);
        let ends = |row: &usize| !screen.line(*row).is_some_and(Line::is_wrapped);
        let top = row.saturating_sub(far);
        let first = (top..row).rev().find(ends).map_or(top, |above| above + 1);
        let last = (row..rows.min(row + far)).find(ends).unwrap_or(row);
        let mut text = String::new();
        for line in screen.visible_lines().skip(first).take(last + 1 - first) {
            text.extend(line.chars());
        }
        text.truncate(text.trim_end_matches(' ').len());
        let known = text.is_empty() || self.last.contains(&text);
        if self.last.len() <= row && row < REMEMBERED {
            self.last.resize(row + 1, String::new());
        }
        if let Some(last) = self.last.get_mut(row) {
            last.clone_from(&text);
        }
        if !known {
            self.seen.push((text, at_ms));
        }
    }
}

/// Whether it may show something other than the row that is being drawn, or take that row away.
fn ends_a_row(function: &Function) -> bool {
    !matches!(
        function,
        Function::Print(_)
            | Function::Rep(_)
            | Function::Sgr(_)
            | Function::Cr
            | Function::Bs
            | Function::Ht
            | Function::Cuf(_)
            | Function::Cub(_)
            | Function::Cha(_)
            | Function::Si
            | Function::So
            | Function::Osc(_)
            | Function::Gzd4(_)
            | Function::G1d4(_)
    )
}

impl Observer for Watch {
    type Output = ();

    fn before(&mut self, context: &mut Observation<'_>, operation: &Operation) {
        let terminal = context.terminal();
        let cursor = terminal.cursor();
        let row = cursor.row;
        self.before = (row, cursor.col);
        match operation {
            Operation::Function(Function::Print(_)) => {
                self.print_ms = self.held_ms.take().unwrap_or(self.now_ms);
                if self.full.drawing.is_some_and(|(drawn, _)| drawn != row) {
                    self.full.go_on(terminal, row);
                }
            }
            Operation::Function(function) => {
                self.print_ms = self.now_ms;
                if self.full.drawing.is_some() && ends_a_row(function) {
                    self.look(terminal);
                }
                // A full reset wipes the screen without letting its lines leave.
                if matches!(function, Function::Ris) {
                    self.leave_rest(terminal);
                }
            }
            Operation::Resize { .. } => {
                self.look(terminal);
                self.resizing = true;
                self.times = self.times_by_text(terminal);
                self.full.last.clear();
            }
        }
    }

    fn after(&mut self, context: &mut Observation<'_>, operation: &Operation) {
        let terminal = context.terminal();
        let row = terminal.cursor().row;
        let primary = terminal.active_screen_kind() == ScreenKind::Primary;
        let Operation::Function(function) = operation else {
            self.find_times(terminal);
            return;
        };
        if matches!(function, Function::Hts | Function::Tbc(_) | Function::Ctc(_)) {
            self.usual_tabs = false;
        }
        self.bent |= matches!(
            function,
            Function::Decset(_)
                | Function::Decrst(_)
                | Function::Sm(_)
                | Function::Rm(_)
                | Function::Decstbm(..)
                | Function::Gzd4(_)
                | Function::G1d4(_)
                | Function::So
                | Function::Si
                | Function::Decrc
                | Function::Scorc
        );
        if !primary {
            if matches!(function, Function::Print(_) | Function::Rep(_)) {
                self.full.drawing = Some((row, self.print_ms));
            } else if matches!(function, Function::Decset(_)) {
                self.full.last.clear();
            }
            return;
        }
        let (top, bottom) = self.margins;
        let signed = |n: u16| isize::try_from(n.max(1)).unwrap_or(1);
        let last = self.written.len().saturating_sub(1);
        let below = if row <= bottom { bottom } else { last };
        // What scrolls off at the top of the screen is told by `evicted`.
        let scrolls = top > 0 && self.before.0 == bottom && row == bottom;
        match function {
            Function::Print(_) => {
                // It wrapped.
                if scrolls && terminal.cursor().col < self.before.1 {
                    self.rotate(top, bottom, 1);
                }
                self.touch(row, self.print_ms);
            }
            Function::El(_) | Function::Ech(_) | Function::Dch(_) | Function::Ich(_) | Function::Rep(_) => {
                self.touch(row, self.now_ms);
            }
            Function::Ed(_) => self.touch(row, self.now_ms),
            Function::Lf | Function::Nel if scrolls => self.rotate(top, bottom, 1),
            Function::Ri if self.before.0 == top => self.rotate(top, bottom, -1),
            Function::Su(n) if top > 0 => self.rotate(top, bottom, signed(*n)),
            Function::Sd(n) => self.rotate(top, bottom, -signed(*n)),
            Function::Il(n) => self.rotate(row, below, -signed(*n)),
            Function::Dl(n) if row > 0 => self.rotate(row, below, signed(*n)),
            Function::Decstbm(first, end) => {
                let first = usize::from(*first).max(1) - 1;
                let end = if *end == 0 { last } else { (usize::from(*end) - 1).min(last) };
                if first < end {
                    self.margins = (first, end);
                }
            }
            Function::Ris | Function::Decstr => self.margins = (0, last),
            _ => {}
        }
    }

    fn resized(&mut self, _: usize, _: usize) {
        self.usual_tabs = false;
    }

    fn evicted(&mut self, _: &mut Observation<'_>, line: &Line) {
        let at_ms = self.written.pop_front().unwrap_or(self.now_ms);
        if !self.resizing {
            let bottom = self.margins.1.min(self.written.len());
            // A character that wrapped may have been held since an earlier event.
            self.written.insert(bottom, self.print_ms);
        }
        if self.skip > 0 {
            self.skip -= 1;
            return;
        }
        self.push(line, at_ms);
    }

    fn end(&mut self, _: &mut Observation<'_>) {}
}
