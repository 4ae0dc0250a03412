//! The part of Hansard on the user's terminal: a program is run, what it shows is given to a [`Recorder`], and only
//! what the recorder accepted is shown.
//!
//! [`interactive`] puts a terminal in between, [`exec`] pipes. Not for what a recording looks like, where it is kept, or
//! who may record: this crate knows none of that and has the smallest possible dependency tree.

mod child;
mod clock;
mod command;
mod ending;
mod error;
mod exec;
mod feed;
mod front;
mod guardian;
mod interactive;
mod lane;
mod link;
mod memory;
mod message;
mod outlet;
mod passage;
mod queue;
mod signals;
mod stand_in;
mod sys;
mod terminal;
mod typed;

pub use clock::Clock;
pub use command::{Command, remember_descriptors};
pub use error::TeeError;
pub use exec::exec;
pub use front::{Worker, exec_front};
pub use guardian::Guardian;
pub use interactive::{Options, interactive};
pub use memory::{lock_all_memory, lock_memory};
pub use message::{Exit, InputCapture, LeftBehind, Message, Outcome, Recorder, Reply, Stream, WINDOW_BYTES};
pub use signals::{end_by, prepare, release};
pub use stand_in::StandIn;
pub use terminal::{on_terminal, terminal_size};
