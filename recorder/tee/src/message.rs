//! What the tee and a recorder say to each other, and how a session ended.
//!
//! The tee shows only what `submit` accepted. Called in place in standalone use; an agent's socket is one more
//! implementation. Not for how anything is stored: that is the recorder's.

use std::fmt;

/// Which of the child's output streams; a terminal has only `Output`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output, or all that the inner terminal shows.
    Output,
    /// Standard error, where it is a pipe of its own.
    Error,
}

/// One thing to record, in the order in which it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Bytes about to be shown: never empty, at most [`GATHER_BYTES`], whole UTF-8 characters where the stream has them.
    Output {
        /// Where they come from.
        stream: Stream,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// Bytes about to be given to the child; sent only with [`InputCapture::On`].
    Input {
        /// The bytes as typed or piped.
        bytes: &'a [u8],
        /// The inner terminal was canonical with echo off when they were read: most likely a secret.
        hidden: bool,
    },
    /// The child's input has ended; sent only with [`InputCapture::On`] in exec sessions.
    InputEnd,
    /// The terminal has a new size.
    Resize {
        /// Columns, as the outer terminal says (0 is possible).
        cols: u16,
        /// Rows.
        rows: u16,
    },
    /// The recorder's own text, about to be shown (or, after [`RecorderError::Full`], shown already).
    Notice {
        /// The exact text that the terminal gets.
        text: &'a str,
    },
}

/// The most bytes one [`Message::Output`] carries.
pub const GATHER_BYTES: usize = 256 * 1024;

/// Why a message was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecorderError {
    /// No room now: the tee holds the output and offers the same message again after ticks.
    Full {
        /// To be shown at once, unrecorded for now; the tee submits it as a [`Message::Notice`] once there is room.
        notice: Option<String>,
    },
    /// It never will be: the session ends.
    Fatal(String),
}

impl fmt::Display for RecorderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { .. } => f.write_str("no room in the journal"),
            Self::Fatal(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for RecorderError {}

/// The recording side. All calls come from the thread that runs the relay.
pub trait Recorder {
    /// Takes one message. `time_us` is microseconds of CLOCK_BOOTTIME since the session's start and never goes back.
    ///
    /// After `Ok` the message is accepted: a `write(2)` of it to the journal has returned. After `Full` nothing of it is kept.
    fn submit(&mut self, time_us: u64, message: Message<'_>) -> Result<(), RecorderError>;

    /// Does what time brings (sync, cut by age, masked input). Gives back the time of the next call, `None` for no need.
    ///
    /// Called at the latest then, and after submits, at most once a round of the relay; `Err(Full)` counts as a wish to
    /// be called again soon.
    fn tick(&mut self, time_us: u64) -> Result<Option<u64>, RecorderError>;

    /// A text to show now (banner, warning). Asked after every tick; the tee submits it as a notice, then shows it.
    fn notice(&mut self) -> Option<String> {
        None
    }

    /// Whether the session must end now, and as what (idle timeout, maximum duration). Asked after every tick.
    fn must_end(&mut self) -> Option<Outcome> {
        None
    }
}

/// Whether what goes to the child is submitted. What becomes of it (masking) is the recorder's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InputCapture {
    /// Input passes unseen; in exec sessions the child inherits standard input untouched.
    #[default]
    Off,
    /// Every byte is submitted before the child gets it.
    On,
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The child exited by itself.
    Exited,
    /// A signal killed the child.
    Signalled,
    /// The terminal went away.
    Disconnected,
    /// The recorder, or who administers it, ended the session.
    Terminated,
    /// Nothing happened for too long.
    IdleTimeout,
    /// It lasted as long as sessions may.
    MaxDuration,
}

/// A process of the session that outlived it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftBehind {
    /// Its process id.
    pub pid: i32,
    /// Its name, as the kernel gives it (at most 15 bytes, anything in them).
    pub command: String,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// What a shell would call its status: the exit code, or 128 + the signal's number.
    pub status: i32,
    /// The signal that killed the child.
    pub signal: Option<i32>,
    /// Why it ended.
    pub outcome: Outcome,
    /// Processes of the child's session that still run.
    pub left_behind: Vec<LeftBehind>,
}
