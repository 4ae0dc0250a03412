//! Recordings of other tools, read as a stream of events: one file a format.
//!
//! A reader gives its events to a closure as it comes to them, so that no recording is held in memory, and says of a fault
//! in which file and where in it. Not for what becomes of the events: that is `cmd::import`; nothing here knows of the rest
//! of the recorder.

pub mod asciicast;
pub mod asciicast1;
pub mod origin;
pub mod script;
pub mod source;
pub mod sudo;
pub mod survey;
pub mod tlog;
pub mod ttyrec;

use std::ops::ControlFlow;

/// What happened in the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// Bytes that the terminal got, or standard output.
    Output(&'a [u8]),
    /// Bytes of standard error.
    Error(&'a [u8]),
    /// Bytes that were typed or piped in.
    Input(&'a [u8]),
    /// So many bytes of input, in a file that is not at hand.
    InputElsewhere(u64),
    /// The terminal has a new size.
    Resize {
        /// Columns.
        cols: u16,
        /// Rows.
        rows: u16,
    },
    /// A marker, or something that is best said as one.
    Marker(&'a str),
    /// Something that has no place in a recording here; in words.
    Foreign(String),
    /// The source lacks something in this place; in words.
    Missing(String),
}

/// What a source says of itself. Claims, all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// The terminal's size at the start: columns and rows.
    pub size: Option<(u16, u16)>,
    /// The terminal's type.
    pub term: Option<String>,
    /// The command.
    pub command: Vec<String>,
    /// Its title.
    pub title: Option<String>,
    /// When it began, in microseconds since 1970.
    pub started_us: Option<i64>,
    /// Who.
    pub user: Option<String>,
    /// Where.
    pub host: Option<String>,
    /// The exit status; 128 + n for signal n.
    pub exit: Option<u32>,
    /// It had pipes, and no terminal.
    pub on_pipes: bool,
}

/// Takes an event at its time, in microseconds since the start; times do not go back. `Break` ends the reading.
pub type Take<'t> = dyn FnMut(u64, Event<'_>) -> ControlFlow<()> + 't;

/// Why a source was not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// What it holds cannot be understood.
    #[error("{file}, {place}: {what}")]
    Bad {
        /// The file.
        file: String,
        /// Line or byte, in words.
        place: String,
        /// What is wrong.
        what: String,
    },
    /// It cannot be read.
    #[error("{file}: {error}")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        error: std::io::Error,
    },
    /// Whoever took the events wanted no more.
    #[error("reading was ended")]
    Ended,
}

/// Gives an event on.
fn give(take: &mut Take<'_>, t_us: u64, event: Event<'_>) -> Result<(), Fault> {
    match take(t_us, event) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Fault::Ended),
    }
}

/// Seconds above which a time is no time: the most that an interval of the format holds.
const MOST_SECONDS: f64 = 9_007_199_254.0;

/// The source's clock, in microseconds since its start. It never goes back.
#[derive(Debug, Default)]
struct Clock {
    us: u64,
}

impl Clock {
    /// So many seconds later.
    fn after(&mut self, seconds: f64) -> Result<u64, String> {
        let us = self.us.saturating_add(micros(seconds)?);
        if us > micros(MOST_SECONDS)? {
            return Err(format!("{seconds} s later is past all times"));
        }
        self.us = us;
        Ok(us)
    }

    /// So many seconds after the start; where that is earlier than the last, it is the last.
    fn at(&mut self, seconds: f64) -> Result<u64, String> {
        self.us = self.us.max(micros(seconds)?);
        Ok(self.us)
    }
}

fn micros(seconds: f64) -> Result<u64, String> {
    if !(0.0..=MOST_SECONDS).contains(&seconds) {
        return Err(format!("{seconds} is no time in seconds"));
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is within bounds")]
    Ok((seconds * 1e6).round() as u64)
}

/// Seconds since 1970 as microseconds; `None` for what is no date.
fn unix_us(seconds: f64) -> Option<i64> {
    micros(seconds).ok().and_then(|us| i64::try_from(us).ok())
}

/// A number that is written with digits only.
fn digits<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// `COLSxROWS`.
fn size(text: &str) -> Option<(u16, u16)> {
    let (cols, rows) = text.split_once('x')?;
    Some((digits(cols)?, digits(rows)?))
}

/// What the JSON reader has to say of a line, whose number is said elsewhere.
fn json(e: &serde_json::Error) -> String {
    let text = e.to_string();
    format!("{}, at column {}", text.split(" at line ").next().unwrap_or_default(), e.column())
}

/// A command line of one text.
fn command_line(text: &str) -> Vec<String> {
    if text.is_empty() { Vec::new() } else { vec![text.to_owned()] }
}

#[cfg(test)]
mod tests;
