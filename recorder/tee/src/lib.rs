//! The part of Hansard on the user's terminal: a program is run, what it shows is given to a [`Recorder`], and only
//! what the recorder accepted is shown.
//!
//! Not for what a recording looks like, where it is kept, or who may record: this crate knows none of that and has the
//! smallest possible dependency tree.

mod message;

pub use message::{Exit, GATHER_BYTES, InputCapture, LeftBehind, Message, Outcome, Recorder, RecorderError, Stream};
