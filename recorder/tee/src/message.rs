//! What the tee and a recorder say to each other, and how a session ended.
//!
//! Messages go to the recorder with rising numbers, and the recorder says up to which number it has accepted them: in
//! bulk several are on their way at once, and only what was accepted is shown or passed on. A recorder may do its work
//! within the call, on a thread of its own, or at the other end of a socket. Not for how anything is stored: that is the
//! recorder's.

use std::os::fd::BorrowedFd;

use crate::stand_in::StandIn;

/// Which of the child's output streams; a terminal has only `Output`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output, or all that the inner terminal shows.
    Output,
    /// Standard error, where it is a pipe of its own.
    Error,
}

/// One of a session's pipes, where there is no terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pipe {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
    /// Standard input.
    Input,
}

impl From<Stream> for Pipe {
    fn from(stream: Stream) -> Self {
        match stream {
            Stream::Output => Self::Output,
            Stream::Error => Self::Error,
        }
    }
}

/// What a pipe came to that went over its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rest<'a> {
    /// When the limit was reached, in microseconds of the session.
    pub from_us: u64,
    /// Bytes neither in the head, which was submitted, nor in the tail.
    pub missing: u64,
    /// SHA-256 of all bytes of the pipe.
    pub sha256: [u8; 32],
    /// The last bytes, at most 64 KiB.
    pub tail: &'a [u8],
}

/// One thing to record, in the order in which it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Bytes about to be shown: never empty, at most 256 KiB, whole UTF-8 characters where the stream has them.
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
    /// A pipe is over its limit: what comes from here on passes without being submitted. Again once a second while it does.
    Passing {
        /// Which.
        pipe: Pipe,
        /// All its bytes until now.
        total: u64,
    },
    /// What a pipe that went over its limit came to; at the session's end.
    Rest {
        /// Which.
        pipe: Pipe,
        /// What it came to.
        rest: Rest<'a>,
    },
}

/// With so many bytes of an output stream on their way, from the read to the show, no more is read: memory is bounded,
/// and what a key stops should stop soon. One read more may be on top of it.
pub const WINDOW_BYTES: usize = 192 * 1024;

/// What a recorder says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A `write(2)` to the journal of every message up to this number has returned: their bytes may be shown.
    Accepted(u64),
    /// A text to show after what was accepted. The recorder has recorded it in this place; or, where it says that
    /// nothing can be recorded, will as soon as it can.
    Notice(String),
    /// The session must end now, and as this.
    Terminate(Outcome),
    /// What waits will not be accepted, and the child has ended ([`Recorder::last`] was called): the session ends as it
    /// would without it.
    LetGo,
    /// Nothing more will ever be accepted: the session ends.
    Failed(String),
}

/// The recording side. All calls come from the thread that runs the relay, and none waits for anything but a
/// `write(2)`.
pub trait Recorder {
    /// Takes message `number`: 1, 2, 3 and so on. `time_us` is microseconds of CLOCK_BOOTTIME since the session's start
    /// and never goes back.
    ///
    /// The message is the recorder's from now on: it is accepted once, however long that takes, and never offered again.
    /// The tee bounds what waits: [`WINDOW_BYTES`] of each output stream, some keys, and 512 messages.
    fn submit(&mut self, number: u64, time_us: u64, message: Message<'_>);

    /// What serves the user while a call of the relay does not return; to be asked to by another thread. Called once, if
    /// at all, before the child is started.
    fn lend(&mut self, stand_in: StandIn) {
        drop(stand_in);
    }

    /// The child has ended: nothing is to be waited for any more but what it has written, and that is little. What was kept
    /// back for the end of the session may be used for it. Called once, if at all.
    fn last(&mut self, time_us: u64) {
        let _ = time_us;
    }

    /// The relay is about to be stopped, because the user's shell asked for it (job control), and will be silent until it is
    /// continued.
    fn sleeps(&mut self) {}

    /// The next thing it has to say. Asked after every call, and when [`Recorder::news`] is readable, until there is none.
    fn reply(&mut self) -> Option<Reply>;

    /// Does what time brings (sync, cut by age, masked input, another try). Gives back the time of the next call, `None`
    /// for no need. Called at the latest then, and after submits and news, at most once a round of the relay.
    fn tick(&mut self, time_us: u64) -> Option<u64>;

    /// When [`Recorder::tick`] must come, where what was heard since the last one says sooner than that did. Asked after replies.
    fn due_us(&self) -> Option<u64> {
        None
    }

    /// Readable when there may be a reply that no call has brought. Asked each time before the relay waits; `None` when
    /// nothing can come by itself.
    fn news(&mut self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// Whether what goes to the child is submitted. What becomes of it (masking) is the recorder's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InputCapture {
    /// Input passes unseen; in exec sessions the child inherits standard input untouched.
    #[default]
    Off,
    /// Every byte is accepted before the child gets it.
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
