//! Draws a moment of a replay as SVG, for the README: `cargo run -p hansard-replay --example picture -- ID TIME COLSxROWS`.
//!
//! The bytes are the player's own; a virtual terminal takes them in place of a real one, and its cells become text.
//! Not a general export: one picture, one palette.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use avt::{Color, Pen};
use hansard_replay::cli::{Colour, KeyArgs, StoreArgs};
use hansard_replay::cmd::play::{Opened, shape};
use hansard_replay::context::Context;
use hansard_replay::play::{Settings, still};
use hansard_replay::report::{Exit, Failure, Outcome, finish};
use hansard_replay::screen::{LineFeed, Screen, Stream};
use hansard_schemas::cast::Size;

/// Width and height of a cell in SVG units.
const CELL: (f64, f64) = (8.4, 18.0);
const MARGIN: f64 = 14.0;
const INK: &str = "#d8dee9";
const PAPER: &str = "#1b1f27";
const PALETTE: [&str; 16] = [
    "#3b4252", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d8dee9", "#5c6370", "#ff7b86",
    "#b5e890", "#ffd68a", "#7fc1ff", "#dd9bf0", "#7fd5df", "#ffffff",
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    finish(draw(&arguments))
}

fn draw(arguments: &[String]) -> Outcome {
    let usage = || Failure::usage("usage: picture ID SECONDS COLSxROWS > picture.svg");
    let [id, seconds, size] = arguments else { return Err(usage()) };
    let start_at = seconds.parse().ok().and_then(|s| Duration::try_from_secs_f64(s).ok()).ok_or_else(usage)?;
    let size: Size = size.parse().map_err(|_| usage())?;
    let context = Context::new(Some(Colour::Always), None, "picture")?;
    let recording = context.recording(id, &StoreArgs::default(), &KeyArgs::default(), false)?;
    let (recorded, feed) = shape(&recording);
    let settings = Settings { start_at, verdict: recording.doubts(), ..Settings::default() };
    let mut opened = Opened::new(recording, None)?;
    let window = (usize::from(size.cols), usize::from(size.rows));
    let bytes = still(&mut opened, recorded, feed, &settings, window).map_err(|e| Failure::failed(e.to_string()))?;
    let mut screen = Screen::new(size, LineFeed::Terminal);
    screen.write(Stream::Output, bytes.as_bytes());
    screen.settle();
    print!("{}", svg(&screen));
    Ok(Exit::Fine)
}

fn svg(screen: &Screen) -> String {
    let (cols, rows) = screen.size();
    let (width, height) = (cols as f64 * CELL.0 + 2.0 * MARGIN, rows as f64 * CELL.1 + 2.0 * MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.1} {height:.1}\" width=\"{width:.0}\" \
         font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{PAPER}\"/>\n"
    );
    for (row, cells) in screen.rows().enumerate() {
        let mut col = 0;
        while col < cells.len() {
            let pen = *cells[col].pen();
            let end = (col..cells.len()).find(|at| *cells[*at].pen() != pen).unwrap_or(cells.len());
            let mut text = String::new();
            cells[col..end].iter().filter(|cell| cell.width() > 0).for_each(|cell| screen.spell(cell, &mut text));
            run(&mut out, (col, row), end - col, &text, &pen);
            col = end;
        }
    }
    if let (col, row, true) = screen.cursor() {
        let (x, y) = (MARGIN + col as f64 * CELL.0, MARGIN + row as f64 * CELL.1);
        let _ = writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{}\" height=\"{}\" fill=\"{INK}\" opacity=\"0.6\"/>",
            CELL.0, CELL.1
        );
    }
    out.push_str("</svg>\n");
    out
}

/// Cells of one pen.
fn run(out: &mut String, (col, row): (usize, usize), cells: usize, text: &str, pen: &Pen) {
    let (x, y) = (MARGIN + col as f64 * CELL.0, MARGIN + row as f64 * CELL.1);
    let width = cells as f64 * CELL.0;
    let (mut ink, mut paper) = (pen.foreground().map(colour), pen.background().map(colour));
    if pen.is_inverse() {
        (ink, paper) = (Some(paper.unwrap_or_else(|| PAPER.into())), Some(ink.unwrap_or_else(|| INK.into())));
    }
    if let Some(paper) = paper {
        let _ = writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{}\" fill=\"{paper}\"/>",
            CELL.1
        );
    }
    let shown = text.trim_end();
    if shown.is_empty() {
        return;
    }
    let mut style = format!("fill=\"{}\"", ink.as_deref().unwrap_or(INK));
    for (set, attribute) in [
        (pen.is_bold(), " font-weight=\"bold\""),
        (pen.is_italic(), " font-style=\"italic\""),
        (pen.is_underline(), " text-decoration=\"underline\""),
        (pen.is_faint(), " opacity=\"0.6\""),
    ] {
        if set {
            style.push_str(attribute);
        }
    }
    // The length keeps columns in line whatever font there is.
    let kept = cells - (text.chars().count() - shown.chars().count());
    let escaped = shown.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let (base, length) = (y + 13.5, kept as f64 * CELL.0);
    let _ = writeln!(
        out,
        "<text x=\"{x:.1}\" y=\"{base:.1}\" textLength=\"{length:.1}\" xml:space=\"preserve\" {style}>{escaped}</text>"
    );
}

fn colour(colour: Color) -> String {
    match colour {
        Color::Indexed(n @ 0..=15) => PALETTE[usize::from(n)].into(),
        Color::Indexed(n @ 16..=231) => {
            let step = |v: u8| if v == 0 { 0 } else { 55 + 40 * v };
            let n = n - 16;
            format!("#{:02x}{:02x}{:02x}", step(n / 36), step(n / 6 % 6), step(n % 6))
        }
        Color::Indexed(n) => format!("#{0:02x}{0:02x}{0:02x}", 8 + 10 * (n - 232)),
        Color::RGB(rgb) => format!("#{:02x}{:02x}{:02x}", rgb.r, rgb.g, rgb.b),
    }
}
