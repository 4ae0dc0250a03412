//! A row of the virtual terminal as runs of text of one look, for pictures outside terminals.
//!
//! What leaves is what [`Screen::spell`] lets out, each run with the columns it takes: a picture that gives every run its
//! place keeps the grid, whatever widths its font has. Not for markup: `still`, `page`.

use avt::{Cell, Color, Pen};

use crate::screen::Screen;

/// A colour of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ink {
    /// That of plain text.
    Text,
    /// That of the empty screen.
    Paper,
    /// Red, green, blue.
    Colour(u8, u8, u8),
}

/// How a run looks. Inverse video has been resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Style {
    /// Of the characters.
    pub ink: Ink,
    /// Behind them.
    pub paper: Ink,
    /// Bold, faint, italic, underlined, struck through: bits 0 to 4.
    pub marks: u8,
}

impl Style {
    /// Bit of [`Style::marks`].
    pub const BOLD: u8 = 1;
    /// Bit of [`Style::marks`].
    pub const FAINT: u8 = 2;
    /// Bit of [`Style::marks`].
    pub const ITALIC: u8 = 4;
    /// Bit of [`Style::marks`].
    pub const UNDERLINE: u8 = 8;
    /// Bit of [`Style::marks`].
    pub const STRIKE: u8 = 16;

    /// That of cells nobody has written to.
    pub const PLAIN: Self = Self { ink: Ink::Text, paper: Ink::Paper, marks: 0 };

    fn of(pen: &Pen) -> Self {
        let mut ink = pen.foreground().map_or(Ink::Text, colour);
        let mut paper = pen.background().map_or(Ink::Paper, colour);
        if pen.is_inverse() {
            (ink, paper) = (paper, ink);
        }
        let marks = [
            (pen.is_bold(), Self::BOLD),
            (pen.is_faint(), Self::FAINT),
            (pen.is_italic(), Self::ITALIC),
            (pen.is_underline(), Self::UNDERLINE),
            (pen.is_strikethrough(), Self::STRIKE),
        ];
        let marks = marks.iter().filter(|(set, _)| *set).fold(0, |all, (_, bit)| all | bit);
        Self { ink, paper, marks }
    }
}

/// Cells side by side that look the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Characters that print.
    pub text: String,
    /// Columns they take.
    pub cols: usize,
    /// Their look.
    pub style: Style,
}

/// The runs of a row from its first column, without the plain blanks at its end. Fonts differ in the width of everything
/// but ASCII, so a run is either ASCII or not, and a wide character is one by itself.
pub fn runs(screen: &Screen, cells: &[Cell]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut open = None;
    let mut spelled = String::new();
    for (col, cell) in cells.iter().enumerate() {
        let width = usize::from(cell.width());
        // The second half of a wide character; without its first half it is a blank.
        if width == 0 && col > 0 && cells.get(col - 1).is_some_and(|before| before.width() == 2) {
            continue;
        }
        spelled.clear();
        if width == 0 || col + width > cells.len() {
            spelled.push(' ');
        } else {
            screen.spell(cell, &mut spelled);
        }
        let cols = width.max(1).min(cells.len() - col);
        let key = (cols == 1).then(|| (Style::of(cell.pen()), spelled.is_ascii()));
        match runs.last_mut().filter(|_| key.is_some() && key == open) {
            Some(run) => {
                run.text.push_str(&spelled);
                run.cols += cols;
            }
            None => runs.push(Run { text: spelled.clone(), cols, style: Style::of(cell.pen()) }),
        }
        open = key;
    }
    if let Some(last) = runs.last_mut().filter(|last| last.style == Style::PLAIN) {
        let kept = last.text.trim_end_matches(' ').len();
        last.cols -= last.text.len() - kept;
        last.text.truncate(kept);
        if last.text.is_empty() {
            runs.pop();
        }
    }
    runs
}

/// The sixteen colours of xterm.
const NAMED: [(u8, u8, u8); 16] = [
    (0, 0, 0),
    (205, 0, 0),
    (0, 205, 0),
    (205, 205, 0),
    (0, 0, 238),
    (205, 0, 205),
    (0, 205, 205),
    (229, 229, 229),
    (127, 127, 127),
    (255, 0, 0),
    (0, 255, 0),
    (255, 255, 0),
    (92, 92, 255),
    (255, 0, 255),
    (0, 255, 255),
    (255, 255, 255),
];

fn colour(colour: Color) -> Ink {
    let (red, green, blue) = match colour {
        Color::RGB(rgb) => (rgb.r, rgb.g, rgb.b),
        Color::Indexed(n) => match (NAMED.get(usize::from(n)), n) {
            (Some(named), _) => *named,
            // A cube of six steps each, then 24 greys.
            (None, 16..=231) => {
                let step = |n: u8| if n == 0 { 0 } else { 55 + n * 40 };
                let n = n - 16;
                (step(n / 36), step(n / 6 % 6), step(n % 6))
            }
            (None, _) => {
                let grey = 8 + (n.max(232) - 232) * 10;
                (grey, grey, grey)
            }
        },
    };
    Ink::Colour(red, green, blue)
}

#[cfg(test)]
mod tests {
    use hansard_schemas::cast::Size;

    use super::{Ink, Run, Style, runs};
    use crate::screen::{LineFeed, Screen, Stream};

    fn first_row(raw: &str) -> Vec<Run> {
        let mut screen = Screen::new(Size { cols: 20, rows: 2 }, LineFeed::Terminal);
        screen.write(Stream::Output, raw.as_bytes());
        screen.settle();
        let row = screen.rows().next().unwrap().to_vec();
        runs(&screen, &row)
    }

    fn run(text: &str, cols: usize, style: Style) -> Run {
        Run { text: text.into(), cols, style }
    }

    #[test]
    fn runs_keep_the_grid() {
        let plain = Style::PLAIN;
        assert_eq!(first_row("ab  "), [run("ab", 2, plain)]);
        assert_eq!(first_row("  "), []);
        let mixed =
            [run("a", 1, plain), run("日", 2, plain), run("本", 2, plain), run("é│", 2, plain), run(" b", 2, plain)];
        assert_eq!(first_row("a日本é│ b"), mixed);
        assert_eq!(first_row("e\u{301}x"), [run("e\u{301}", 1, plain), run("x", 1, plain)]);
    }

    #[test]
    fn looks_are_resolved() {
        let bold_red = Style { ink: Ink::Colour(205, 0, 0), paper: Ink::Paper, marks: Style::BOLD };
        assert_eq!(first_row("\x1b[1;31mx"), [run("x", 1, bold_red)]);
        let inverse = Style { ink: Ink::Paper, paper: Ink::Text, marks: Style::UNDERLINE };
        // Blanks that show are kept.
        assert_eq!(first_row("\x1b[4;7mx \x1b[0m y"), [run("x ", 2, inverse), run(" y", 2, Style::PLAIN)]);
        let cube = Style { ink: Ink::Colour(255, 135, 0), paper: Ink::Colour(238, 238, 238), marks: 0 };
        assert_eq!(first_row("\x1b[38;5;208;48;5;255mx"), [run("x", 1, cube)]);
        let exact = Style { ink: Ink::Colour(1, 2, 3), paper: Ink::Paper, marks: 0 };
        assert_eq!(first_row("\x1b[38;2;1;2;3mx"), [run("x", 1, exact)]);
    }
}
