//! `timeline`: what was done in a session, as a table or as JSON lines.
//!
//! What a command was is decided in `story`; here it is only printed, every text escaped.

use std::convert::Infallible;
use std::io::{self, BufWriter, Write};

use hansard_schemas::cast::Events;
use hansard_schemas::names::safe;
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use serde_json::json;

use super::play::shape;
use crate::cli::Timeline;
use crate::context::Context;
use crate::recording::Recording;
use crate::report::{Exit, Failure, Outcome, json_line, note};
use crate::story::{Command, Entry, Story, Teller, What};
use crate::wall::{Wall, clock};

/// Tells what happened.
pub fn run(context: &Context, args: &Timeline) -> Outcome {
    let mut recording = context.recording(&args.id, &args.store, &args.keys, args.force)?;
    let wall = Wall::of(&recording);
    let mut story = told(&mut recording)?;
    if args.commands {
        story.entries.retain(|entry| entry.what.command().is_some());
    }
    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        for entry in &story.entries {
            writeln!(out, "{}", json_line(&document(entry, &wall)))?;
        }
    } else {
        table(&mut out, &story, &wall)?;
    }
    out.flush()?;
    notes(&recording, &story);
    Ok(Exit::Fine)
}

/// Reads all of it.
fn told(recording: &mut Recording) -> Outcome<Story> {
    let (size, feed) = shape(recording);
    let mut teller = Teller::new(recording.header(), size, feed);
    let bar = bar();
    let visited = recording.visit(&mut |_: &[u8], events: &Events| {
        events.to_vec().iter().for_each(|event| teller.event(event));
        if let Some(last_ms) = events.last_ms() {
            bar.set_message(clock(last_ms));
            bar.tick();
        }
        Ok::<_, Infallible>(())
    });
    bar.finish_and_clear();
    visited.map_err(|stopped| match stopped {
        crate::recording::Stopped::Recording(error) => Failure::from(error),
        crate::recording::Stopped::Visitor(never) => match never {},
    })?;
    Ok(teller.finish())
}

fn notes(recording: &Recording, story: &Story) {
    for trouble in recording.troubles() {
        note(trouble);
    }
    let guessed = story.entries.iter().filter_map(|entry| entry.what.command()).filter(|one| one.guessed).count();
    if guessed > 0 {
        note(&format!("{guessed} of the commands are guessed: where they stand, the shell sent no marks"));
    }
    if story.left_out > 0 {
        note(&format!("{} more entries are left out: a timeline has that many at most", story.left_out));
    }
    if story.entries.is_empty() {
        note("nothing of this was found in the session");
    }
}

fn document(entry: &Entry, wall: &Wall) -> serde_json::Value {
    let Entry { at_ms, what } = entry;
    let end_ms = match what {
        What::FullScreen(end_ms) => *end_ms,
        what => what.command().and_then(|command| command.end_ms),
    };
    let mut document = json!({
        "time_ms": at_ms,
        "time": wall.at(*at_ms),
        "what": what.word(),
        "text": what.text(),
    });
    if let Some(command) = what.command() {
        document["status"] = json!(command.status);
        document["output_bytes"] = json!(command.output_bytes);
        document["guessed"] = json!(command.guessed);
    }
    if what.lasts() {
        document["duration_ms"] = json!(end_ms.map(|end_ms| end_ms.saturating_sub(*at_ms)));
    }
    document
}

fn table(out: &mut impl Write, story: &Story, wall: &Wall) -> io::Result<()> {
    if story.entries.is_empty() {
        return Ok(());
    }
    let head = ["TIME", "STARTED", "DURATION", "STATUS", "OUTPUT", "WHAT"].map(str::to_owned);
    let lines: Vec<[String; 6]> =
        std::iter::once(head).chain(story.entries.iter().map(|entry| cells(entry, wall))).collect();
    let width = |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..6).map(|column| width(column).unwrap_or(0)).collect();
    for line in &lines {
        let mut text = String::new();
        for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
            // Numbers stand to the right; the last column has no end.
            let cell = match column {
                1 | 5 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            };
            text.push_str(&cell);
            text.push_str("  ");
        }
        writeln!(out, "{}", text.trim_end())?;
    }
    Ok(())
}

fn cells(entry: &Entry, wall: &Wall) -> [String; 6] {
    let Entry { at_ms, what } = entry;
    let lasted = |end_ms: Option<u64>| end_ms.map_or_else(|| "-".into(), |end_ms| clock(end_ms.saturating_sub(*at_ms)));
    let text = what.text().map(|text| safe(&text));
    let (duration, status, output, what) = match what {
        What::Command(command) | What::Transfer(command) => {
            let Command { end_ms, status, output_bytes, guessed, .. } = command;
            let status = status.map_or_else(|| "-".into(), |status| status.to_string());
            let kind = if matches!(what, What::Transfer(_)) { "transfer: " } else { "" };
            let mark = if *guessed { "  (guessed)" } else { "" };
            let text = text.unwrap_or_else(|| "(not to be seen)".into());
            (lasted(*end_ms), status, HumanBytes(*output_bytes).to_string(), format!("{kind}{text}{mark}"))
        }
        What::FullScreen(end_ms) => (lasted(*end_ms), String::new(), String::new(), "full screen".into()),
        other => {
            let text = format!("{}: {}", other.word(), text.unwrap_or_default());
            (String::new(), String::new(), String::new(), text)
        }
    };
    let started =
        wall.at(*at_ms).map_or_else(|| "-".into(), |time| time.time().format("%Y-%m-%d %H:%M:%S").to_string());
    [clock(*at_ms), started, duration, status, output, what]
}

/// Hidden by itself where standard error is no terminal.
fn bar() -> ProgressBar {
    ProgressBar::new_spinner().with_style(
        ProgressStyle::with_template("reading {spinner} up to {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner()),
    )
}
