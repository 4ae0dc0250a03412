//! Playing a recording on a terminal: clock, keys, drawing.
//!
//! `player` is the state machine and knows no terminal; `paint` makes the bytes for one; `terminal` is the real one,
//! taken over and given back; `run` joins them. What the screen shows at a moment is not decided here: `timeline`.

mod gap;
mod help;
mod hunt;
mod keys;
mod paint;
mod player;
mod prompt;
mod run;
mod status;
mod terminal;

pub use player::Settings;
pub use run::{Ended, News, PlayError, require_terminal, run, still};
pub use status::clock;

#[cfg(test)]
mod tests;
