//! A still: the recorded screen at one moment as an SVG that needs nothing else, with a line below that says what it is.
//!
//! No script, no link, no font of its own. Every run of cells has its place and its width, so the grid holds whatever
//! font there is.

use std::fmt::Write as _;

use super::cells::{Ink, Run, Style, runs};
use crate::screen::Screen;

/// Width and height of a cell and size of the type, in pixels; the columns of common fonts are 0.6 of their size.
const CELL: (usize, usize) = (9, 18);
const TYPE: usize = 15;
/// Where letters stand, below the top of their cell.
const BASELINE: usize = 14;
/// Around the screen.
const MARGIN: usize = 9;
const PAPER: &str = "#1b1b1b";
const INK: &str = "#d8d8d8";
/// Of the lines below the screen, and of what is wrong with the recording.
const CAPTION: &str = "#9a9a9a";
const DOUBT: &str = "#ff7b72";
/// Lines for what is wrong; a judgement with dozens of faults goes on in the verify report.
const DOUBT_LINES: usize = 12;

/// What stands below the screen. All of it is safe to show.
pub struct Caption {
    /// Session and host; moment.
    pub lines: Vec<String>,
    /// What a viewer must know of the recording; goes on in further lines where one is too short.
    pub doubts: Option<String>,
}

/// The picture.
pub fn svg(screen: &Screen, caption: &Caption) -> String {
    let (cols, rows) = screen.size();
    let columns = cols.max(40);
    let below: Vec<(String, &str)> = caption
        .lines
        .iter()
        .flat_map(|line| wrapped(line, columns, 2))
        .map(|line| (line, CAPTION))
        .chain(caption.doubts.iter().flat_map(|doubts| wrapped(doubts, columns, DOUBT_LINES)).map(|line| (line, DOUBT)))
        .collect();
    let (width, height) = (columns * CELL.0 + 2 * MARGIN, (rows + below.len()) * CELL.1 + 3 * MARGIN);
    let mut out = String::new();
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         role=\"img\" xml:space=\"preserve\" font-family=\"ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace\" \
         font-size=\"{TYPE}\">"
    );
    let _ = writeln!(out, "<title>{}</title>", escaped(&caption.lines.join("  ")));
    let _ = writeln!(out, "<style>text{{white-space:pre}}</style>");
    let _ = writeln!(out, "<rect width=\"100%\" height=\"100%\" fill=\"{PAPER}\"/>");
    for (row, cells) in screen.rows().enumerate() {
        let mut col = 0;
        for run in runs(screen, cells) {
            draw(&run, MARGIN + col * CELL.0, MARGIN + row * CELL.1, &mut out);
            col += run.cols;
        }
    }
    let (col, row, visible) = screen.cursor();
    if visible {
        let (x, y) = (MARGIN + col * CELL.0, MARGIN + row * CELL.1);
        let _ = writeln!(
            out,
            "<rect class=\"cursor\" x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"{INK}\"/>",
            CELL.0, CELL.1
        );
    }
    for (at, (line, colour)) in below.iter().enumerate() {
        let y = 2 * MARGIN + (rows + at) * CELL.1 + BASELINE;
        let _ = writeln!(
            out,
            "<text class=\"caption\" x=\"{MARGIN}\" y=\"{y}\" font-size=\"13\" fill=\"{colour}\">{}</text>",
            escaped(line)
        );
    }
    out.push_str("</svg>\n");
    out
}

fn draw(run: &Run, x: usize, y: usize, out: &mut String) {
    let width = run.cols * CELL.0;
    if run.style.paper != Ink::Paper {
        let fill = fill(run.style.paper);
        let _ = writeln!(out, "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{}\" fill=\"{fill}\"/>", CELL.1);
    }
    let has = |mark: u8| run.style.marks & mark != 0;
    let lined = has(Style::UNDERLINE) || has(Style::STRIKE);
    if !lined && run.text.bytes().all(|byte| byte == b' ') {
        // A blank of one look stands for itself in no picture, but for its place in the text that is copied out.
        let _ = writeln!(out, "<text x=\"{x}\" y=\"{}\">{}</text>", y + BASELINE, run.text);
        return;
    }
    let mut looks = String::new();
    if has(Style::BOLD) {
        looks.push_str(" font-weight=\"bold\"");
    }
    if has(Style::ITALIC) {
        looks.push_str(" font-style=\"italic\"");
    }
    if has(Style::FAINT) {
        looks.push_str(" opacity=\"0.6\"");
    }
    if lined {
        let under = if has(Style::UNDERLINE) { "underline" } else { "" };
        let through = if has(Style::STRIKE) { "line-through" } else { "" };
        let _ = write!(looks, " text-decoration=\"{}\"", [under, through].join(" ").trim());
    }
    let (y, fill, text) = (y + BASELINE, fill(run.style.ink), escaped(&run.text));
    let _ = writeln!(
        out,
        "<text x=\"{x}\" y=\"{y}\" textLength=\"{width}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"{fill}\"{looks}>{text}</text>"
    );
}

fn fill(ink: Ink) -> String {
    match ink {
        Ink::Text => INK.into(),
        Ink::Paper => PAPER.into(),
        Ink::Colour(red, green, blue) => format!("#{red:02x}{green:02x}{blue:02x}"),
    }
}

/// Lines of at most so many characters.
fn wrapped(text: &str, columns: usize, most: usize) -> impl Iterator<Item = String> {
    let all: Vec<char> = text.chars().collect();
    let mut lines: Vec<String> = all.chunks(columns).take(most).map(|line| line.iter().collect()).collect();
    if all.len() > columns * most
        && let Some(last) = lines.last_mut()
    {
        last.pop();
        last.push('…');
    }
    lines.into_iter()
}

/// Text inside XML. Cells hold nothing that XML cannot, and what comes from elsewhere has been made safe; whatever would
/// still be no character of XML is replaced.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for ch in text.chars() {
        match ch {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\0'..='\x1f' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => out.push(char::REPLACEMENT_CHARACTER),
            ch => out.push(ch),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use hansard_schemas::cast::Size;

    use super::{Caption, svg};
    use crate::screen::{LineFeed, Screen, Stream};

    fn drawn(raw: &str, doubts: Option<&str>) -> String {
        let mut screen = Screen::new(Size { cols: 40, rows: 2 }, LineFeed::Terminal);
        screen.write(Stream::Output, raw.as_bytes());
        screen.settle();
        svg(&screen, &Caption { lines: vec!["web1".into(), "at 0:01.0".into()], doubts: doubts.map(str::to_owned) })
    }

    #[test]
    fn every_byte_of_a_small_still() {
        insta::assert_snapshot!(drawn("\x1b[1;31mr<&>\x1b[0m \x1b[7mi\x1b[0m\r\n日x\x1b[4;38;5;208mu", None));
    }

    #[test]
    fn what_is_recorded_is_text_and_nothing_else() {
        let picture = drawn("<script>alert(1)</script>\"'&lt;", Some("cut after 3 <b>"));
        assert!(picture.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;lt;"), "{picture}");
        assert!(picture.contains("cut after 3 &lt;b&gt;"), "{picture}");
        for word in ["<script", "href", "<b>", "url("] {
            assert!(!picture.contains(word), "{word} in {picture}");
        }
    }

    #[test]
    fn what_is_wrong_is_on_lines_of_its_own() {
        let doubts = "wrong ".repeat(20);
        assert_eq!(drawn("x", Some(&doubts)).matches("#ff7b72").count(), 3);
    }
}
