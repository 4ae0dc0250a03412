//! Event lines (FORMAT.md, section 3): the asciicast v3 plaintext of a recording.
//!
//! [`Encoder`] writes lines, [`LineReader`] reads those of one segment, [`CastHeader`] is the first line of the
//! first. Not for how lines are packed and sealed: `segment`.

mod encode;
mod gap;
mod header;
mod read;
mod string;

pub use encode::Encoder;
pub use gap::{Gap, GapWhat, GapWhy};
pub use header::{CastHeader, Term};
pub use read::{Event, EventData, Events, LineReader};

use std::fmt;
use std::str::FromStr;

/// The largest interval of one event line, in milliseconds (CAST-2).
pub const INTERVAL_MAX_MS: u64 = 9_007_199_254_999;

/// What an event line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// `o`: output.
    Output,
    /// `i`: input.
    Input,
    /// `r`: size of the terminal.
    Resize,
    /// `m`: marker.
    Marker,
    /// `x`: exit status.
    Exit,
    /// `e`: standard error of a session without a terminal.
    Error,
    /// `b`: exact bytes of the line before.
    Exact,
    /// `g`: gap.
    Gap,
    /// Another lower-case letter: skipped by readers, written by nobody (CAST-5).
    Other(u8),
}

impl Code {
    /// The letter.
    pub fn as_char(self) -> char {
        char::from(self.as_byte())
    }

    /// The letter as a byte.
    pub(crate) fn as_byte(self) -> u8 {
        match self {
            Self::Output => b'o',
            Self::Input => b'i',
            Self::Resize => b'r',
            Self::Marker => b'm',
            Self::Exit => b'x',
            Self::Error => b'e',
            Self::Exact => b'b',
            Self::Gap => b'g',
            Self::Other(letter) => letter,
        }
    }

    /// The code of a letter; `None` when it is not a lower-case ASCII letter.
    pub fn from_char(letter: char) -> Option<Self> {
        Some(match letter {
            'o' => Self::Output,
            'i' => Self::Input,
            'r' => Self::Resize,
            'm' => Self::Marker,
            'x' => Self::Exit,
            'e' => Self::Error,
            'b' => Self::Exact,
            'g' => Self::Gap,
            'a'..='z' => Self::Other(u8::try_from(letter).ok()?),
            _ => return None,
        })
    }

    /// Whether its data is a stream's bytes.
    pub fn is_stream(self) -> bool {
        matches!(self, Self::Output | Self::Input | Self::Error)
    }
}

/// Size of a terminal. Zero is possible: terminals say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Size {
    /// Columns.
    pub cols: u16,
    /// Rows.
    pub rows: u16,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.cols, self.rows)
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text
            .split_once('x')
            .and_then(|(cols, rows)| Some(Self { cols: cols.parse().ok()?, rows: rows.parse().ok()? }));
        // Round trip: signs and leading zeros have another form.
        parsed.filter(|size| size.to_string() == text).ok_or_else(|| "not a size: the form is 80x24".into())
    }
}
