//! The status line: where we are, how fast, what was passed, and what is wrong with the recording.
//!
//! All text that comes from the recording is escaped here, and cut to the terminal's width in columns.

use chrono::DateTime;
use hansard_schemas::cast::Code;
use hansard_schemas::names::safe;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::gap;
use super::player::{Mode, Player, Then};
use crate::timeline::{Landmark, Source};
pub use crate::wall::tenths as clock;

/// Makes the line, exactly `cols` wide.
pub fn line<S: Source>(player: &mut Player<S>, notice: Option<&str>, clip: Option<&str>, cols: usize) -> String {
    let state = match player.mode() {
        Mode::Playing => "playing",
        Mode::Paused | Mode::Seeking { then: Then::Pause, .. } => "paused",
        Mode::Seeking { then: Then::Play, .. } => "seeking",
        Mode::Hunting { .. } => "searching",
        Mode::Ended => "end",
    };
    if let Some(prompt) = player.prompt() {
        return fit(&format!(" {}", prompt.shown()), cols);
    }
    let mut left = format!(" {state} {}/{} {}x", clock(player.at_ms()), clock(player.end_ms()), player.speed());
    let wall = player.started_ms.and_then(|started| {
        let at_ms = started.checked_add(i64::try_from(player.at_ms()).ok()?)?;
        Some(DateTime::from_timestamp_millis(at_ms)?.format("  %Y-%m-%d %H:%M:%S UTC").to_string())
    });
    left.push_str(&wall.unwrap_or_default());
    // What is wrong comes before everything that a recording says of itself, and is the last to be cut.
    let wrong = player.verdict.as_deref().map(|verdict| format!("[{}]", safe(verdict)));
    let who = player.who.as_deref().map(safe);
    let hint = Some(if player.help { "any key goes back" } else { "h keys" });
    let mut line = left;
    for part in [wrong.as_deref(), notice, who.as_deref(), clip, hint].into_iter().flatten() {
        line.push_str("  ");
        line.push_str(part);
    }
    fit(&line, cols)
}

/// What a marker, gap or exit status says, fit to be printed.
pub fn landmark(landmark: &Landmark) -> String {
    let text = safe(&landmark.text);
    match landmark.code {
        Code::Marker => format!("marker: {text}"),
        Code::Exit => format!("exit status {text}"),
        Code::Gap => gap::words(&landmark.text).unwrap_or_else(|| format!("gap: {text}")),
        _ => text,
    }
}

/// Cuts or fills to a width in columns.
pub(super) fn fit(text: &str, cols: usize) -> String {
    let mut out = String::new();
    let whole = text.width() <= cols;
    let room = if whole { cols } else { cols.saturating_sub(1) };
    let mut used = 0;
    for ch in text.chars() {
        // Marks are left out: the painter writes single characters here.
        let width = ch.width().unwrap_or(0);
        if width == 0 {
            continue;
        }
        if used + width > room {
            break;
        }
        used += width;
        out.push(ch);
    }
    if !whole && cols > 0 {
        out.push('…');
        used += 1;
    }
    out.extend(std::iter::repeat_n(' ', cols.saturating_sub(used)));
    out
}
