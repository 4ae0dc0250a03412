//! The part of Hansard on the user's terminal: a program is run, what it shows is given to a [`Recorder`], and only
//! what the recorder accepted is shown.
//!
//! [`interactive`] puts a terminal in between, [`exec`] pipes. Not for what a recording looks like, where it is kept, or
//! who may record: this crate knows none of that and has the smallest possible dependency tree.

mod agent;
mod bound;
mod child;
mod clock;
mod command;
mod connection;
mod ending;
mod error;
mod exec;
mod feed;
mod front;
mod guardian;
mod interactive;
mod lane;
mod link;
mod marks;
mod memory;
mod message;
mod outlet;
mod passage;
mod queue;
pub mod settings;
mod signals;
mod stand_in;
mod surroundings;
mod sys;
mod terminal;
mod typed;
pub mod wire;

pub use agent::{Agent, Begun, NoSession, begin};
pub use clock::Clock;
pub use command::{Command, remember_descriptors};
pub use error::TeeError;
pub use exec::exec;
pub use front::{Status, Worker, exec_front};
pub use guardian::Guardian;
pub use interactive::{Options, interactive};
pub use marks::{MARK_FILES, put_marks};
pub use memory::{lock_all_memory, lock_memory};
pub use message::{
    Exit, InputCapture, LeftBehind, Message, Outcome, Pipe, Recorder, Reply, Rest, Stream, WINDOW_BYTES,
};
pub use signals::{end_by, prepare, release};
pub use stand_in::StandIn;
pub use surroundings::{drop_group, keep_variables, passes, restore_variables, set_shell_variable, ssh_user_auth};
pub use terminal::{on_terminal, terminal_size};
