//! The keys, on a screen of their own.

use hansard_schemas::cast::Size;

use super::paint::Window;
use crate::screen::{LineFeed, Screen, Stream};

const KEYS: [(&str, &str); 17] = [
    ("space p", "pause, or go on"),
    ("\u{2190} \u{2192}", "5 seconds back, ahead; with Shift or Control a minute"),
    ("\u{2193} \u{2191}", "a minute back, ahead"),
    ("PgUp PgDn", "ten minutes back, ahead"),
    ("g", "go to a time: 1:02:03, 2:03 or seconds, then Enter"),
    ("0 Home", "to the start"),
    ("G $ End", "to the end"),
    (", .", "one picture back, on"),
    ("[ ]", "marker or gap before, after"),
    ("{ }", "command before, after (where the shell marks them, OSC 133)"),
    ("( )", "output after a pause of 2 seconds: before, after"),
    ("/", "search for a text on the screen, then Enter; any key stops it"),
    ("n N", "where it comes next, where it came before"),
    ("- + 1", "slower, faster, as recorded"),
    ("Ctrl-L", "draw again"),
    ("h ?", "these keys; any key goes back"),
    ("q", "leave"),
];

/// The screen that lists the keys.
pub fn screen(window: Window) -> Screen {
    let bounded = |n: usize| u16::try_from(n.max(1)).unwrap_or(u16::MAX);
    let size = Size { cols: bounded(window.cols), rows: bounded(window.rows.saturating_sub(1)) };
    let mut screen = Screen::new(size, LineFeed::NewLine);
    let lines: Vec<String> = KEYS.iter().map(|(keys, what)| format!("  {keys:<10} {what}")).collect();
    // Without line wrap: on a narrow terminal the ends are cut, and no line is lost.
    let text = format!("\x1b[?7l{}", lines.join("\n"));
    screen.write(Stream::Output, text.as_bytes());
    screen.settle();
    screen
}
