//! What travels on the agent's socket: frames, each a length, a kind and a body, in the machine-independent order of
//! [`PROTOCOL.md`](../PROTOCOL.md).
//!
//! Both sides are here, so that one test holds them together. Bytes only: no socket, no clock. What cannot be read is an
//! error and never a guess; the other side is not trusted with any length before it is bounded.

mod bytes;

pub use self::bytes::WireError;
use self::bytes::{In, Out, Result, flag, outcome, outcome_byte, pipe, pipe_byte, size, size_bytes};
use crate::message::{Exit, LeftBehind, Message, Outcome, Rest, Stream};

/// The protocol's version; a side that speaks a newer one still speaks every older one that was released.
pub const VERSION: u16 = 1;

/// Most bytes of a frame behind its length: a message of 256 KiB and what goes with it.
pub const FRAME_MAX: usize = 320 * 1024;

/// Most bytes of the first frame, from which the agent knows nobody yet.
pub const FIRST_MAX: usize = 128 * 1024;

/// What a tee says first of a new session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hello {
    /// The newest version that it speaks.
    pub version: u16,
    /// It has a terminal (its descriptor goes with this frame), rather than pipes.
    pub terminal: bool,
    /// Columns and rows.
    pub size: (u16, u16),
    /// Its own argv, `argv[0]` first.
    pub argv: Vec<Vec<u8>>,
    /// Its working directory.
    pub cwd: Vec<u8>,
    /// `NAME=VALUE` of the variables that the agent's greeting asked for.
    pub env: Vec<Vec<u8>>,
    /// CLOCK_BOOTTIME at the session's start, in microseconds.
    pub start_us: u64,
    /// What the file named by `SSH_USER_AUTH` says.
    pub ssh_user_auth: Option<Vec<u8>>,
}

/// What a tee says first of a session whose agent went away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resume {
    /// The newest version that it speaks.
    pub version: u16,
    /// The session's id, as text.
    pub session: Vec<u8>,
    /// What the agent gave it for this.
    pub token: Vec<u8>,
    /// Number of the last message that was accepted.
    pub accepted: u64,
    /// Columns and rows, as they are now.
    pub size: (u16, u16),
    /// CLOCK_BOOTTIME at the session's start, in microseconds.
    pub start_us: u64,
    /// A text that was shown while no agent could record it.
    pub shown: Option<Vec<u8>>,
}

/// What an agent answers to a new session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Welcome {
    /// The version that both speak from now on.
    pub version: u16,
    /// The session's id, as text; empty where the policy is that it is not recorded.
    pub session: Vec<u8>,
    /// To be given back by [`Resume`].
    pub token: Vec<u8>,
    /// The program to run.
    pub program: Vec<u8>,
    /// Its argv, `argv[0]` first.
    pub argv: Vec<Vec<u8>>,
    /// The variables that the program gets of its environment, as `passes` reads them; empty: all of it.
    pub env: Vec<Vec<u8>>,
    /// Whether input is submitted.
    pub input: bool,
    /// How many bytes of each pipe are submitted.
    pub stream_limit: Option<u64>,
    /// How long output is held for an agent that is away, in milliseconds.
    pub grace_ms: u32,
    /// To be shown before anything else, recorded already.
    pub banner: Vec<u8>,
    /// The folder of the files that make a shell mark its commands; `None` where it is not to.
    pub marks: Option<Vec<u8>>,
}

/// Why there is no session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// By policy, rather than because nothing can be recorded.
    pub denied: bool,
    /// What the user is told.
    pub text: Vec<u8>,
}

/// One frame from a tee.
#[derive(Debug, PartialEq, Eq)]
pub enum FromTee<'a> {
    /// A session begins.
    Hello(Hello),
    /// A session goes on.
    Resume(Resume),
    /// A message of the session: number, microseconds since its start, and what it is.
    Message(u64, u64, Message<'a>),
    /// The child has ended; the time.
    Last(u64),
    /// The session has ended; the time, and how.
    Exit(u64, Exit),
    /// It is there.
    Alive,
    /// It will stop, as the user's shell asked for (job control), and be silent meanwhile.
    Sleeps,
    /// An operator's request, JSON.
    Control(&'a [u8]),
}

/// One frame from the agent.
#[derive(Debug, PartialEq, Eq)]
pub enum FromAgent<'a> {
    /// The first: its version, and names of variables that it wants to know.
    Greeting(u16, Vec<&'a [u8]>),
    /// The session is recorded.
    Welcome(Welcome),
    /// There will be none.
    Refused(Refused),
    /// The session goes on; messages up to this number are recorded.
    Resumed(u64),
    /// Messages up to this number are recorded.
    Accepted(u64),
    /// A text to show, recorded already.
    Notice(&'a [u8]),
    /// The session must end, as this.
    Terminate(Outcome),
    /// What waits will not be accepted, and the child has ended.
    LetGo,
    /// Nothing more will be accepted.
    Failed(&'a [u8]),
    /// The session's end is recorded.
    Ended,
    /// The answer to an operator's request, JSON.
    Answer(&'a [u8]),
}

/// Kinds of frames. Numbers are never used again for anything else.
mod kind {
    pub(super) const HELLO: u8 = 1;
    pub(super) const RESUME: u8 = 2;
    pub(super) const OUTPUT: u8 = 3;
    pub(super) const INPUT: u8 = 4;
    pub(super) const INPUT_END: u8 = 5;
    pub(super) const RESIZE: u8 = 6;
    pub(super) const LAST: u8 = 7;
    pub(super) const EXIT: u8 = 8;
    pub(super) const ALIVE: u8 = 9;
    pub(super) const SLEEPS: u8 = 10;
    pub(super) const CONTROL: u8 = 11;
    pub(super) const PASSING: u8 = 12;
    pub(super) const REST: u8 = 13;
    pub(super) const GREETING: u8 = 129;
    pub(super) const WELCOME: u8 = 130;
    pub(super) const REFUSED: u8 = 131;
    pub(super) const RESUMED: u8 = 132;
    pub(super) const ACCEPTED: u8 = 133;
    pub(super) const NOTICE: u8 = 134;
    pub(super) const TERMINATE: u8 = 135;
    pub(super) const LET_GO: u8 = 136;
    pub(super) const FAILED: u8 = 137;
    pub(super) const ENDED: u8 = 138;
    pub(super) const ANSWER: u8 = 139;
}

/// Fields of the frames that may grow: a number, a length, a value. Unknown ones are passed over.
mod field {
    pub(super) const VERSION: u8 = 1;
    pub(super) const TERMINAL: u8 = 2;
    pub(super) const SIZE: u8 = 3;
    pub(super) const ARG: u8 = 4;
    pub(super) const CWD: u8 = 5;
    pub(super) const ENV: u8 = 6;
    pub(super) const START: u8 = 7;
    pub(super) const SSH_USER_AUTH: u8 = 8;
    pub(super) const SESSION: u8 = 9;
    pub(super) const TOKEN: u8 = 10;
    pub(super) const ACCEPTED: u8 = 11;
    pub(super) const SHOWN: u8 = 12;
    pub(super) const PROGRAM: u8 = 13;
    pub(super) const INPUT: u8 = 14;
    pub(super) const GRACE: u8 = 15;
    pub(super) const BANNER: u8 = 16;
    pub(super) const DENIED: u8 = 17;
    pub(super) const TEXT: u8 = 18;
    pub(super) const STREAM_LIMIT: u8 = 19;
    pub(super) const MARKS: u8 = 20;
}

/// Takes one whole frame off the front of `bytes`: its kind, its body, and how long it is altogether. `None` where more
/// must come first; an error for a frame that is longer than `max`, or empty.
pub fn split(bytes: &[u8], max: usize) -> Result<Option<(u8, &[u8], usize)>> {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_le_bytes(*length) as usize;
    if length == 0 || length > max {
        return Err(WireError("a frame of impossible length"));
    }
    let Some(frame) = rest.get(..length) else { return Ok(None) };
    let Some((kind, body)) = frame.split_first() else { return Ok(None) };
    Ok(Some((*kind, body, 4 + length)))
}

/// Appends a message's frame.
pub fn put_message(to: &mut Vec<u8>, number: u64, time_us: u64, message: Message<'_>) {
    let begin = |to, kind| Out::begin(to, kind).raw(&number.to_le_bytes()).raw(&time_us.to_le_bytes());
    match message {
        Message::Output { stream, bytes } => {
            begin(to, kind::OUTPUT).raw(&[u8::from(stream == Stream::Error)]).raw(bytes).end();
        }
        Message::Input { bytes, hidden } => begin(to, kind::INPUT).raw(&[u8::from(hidden)]).raw(bytes).end(),
        Message::InputEnd => begin(to, kind::INPUT_END).end(),
        Message::Resize { cols, rows } => begin(to, kind::RESIZE).raw(&size_bytes((cols, rows))).end(),
        Message::Passing { pipe, total } => {
            begin(to, kind::PASSING).raw(&[pipe_byte(pipe)]).raw(&total.to_le_bytes()).end();
        }
        Message::Rest { pipe, rest: Rest { from_us, missing, sha256, tail } } => begin(to, kind::REST)
            .raw(&[pipe_byte(pipe)])
            .raw(&from_us.to_le_bytes())
            .raw(&missing.to_le_bytes())
            .raw(&sha256)
            .raw(tail)
            .end(),
    }
}

impl FromTee<'_> {
    /// Appends the frame.
    pub fn put(&self, to: &mut Vec<u8>) {
        match self {
            Self::Hello(hello) => {
                let out = Out::begin(to, kind::HELLO)
                    .field(field::VERSION, &hello.version.to_le_bytes())
                    .field(field::TERMINAL, &[u8::from(hello.terminal)])
                    .field(field::SIZE, &size_bytes(hello.size))
                    .field(field::CWD, &hello.cwd)
                    .field(field::START, &hello.start_us.to_le_bytes())
                    .fields(field::ARG, &hello.argv)
                    .fields(field::ENV, &hello.env);
                out.fields(field::SSH_USER_AUTH, &hello.ssh_user_auth).end();
            }
            Self::Resume(resume) => Out::begin(to, kind::RESUME)
                .field(field::VERSION, &resume.version.to_le_bytes())
                .field(field::SESSION, &resume.session)
                .field(field::TOKEN, &resume.token)
                .field(field::ACCEPTED, &resume.accepted.to_le_bytes())
                .field(field::SIZE, &size_bytes(resume.size))
                .field(field::START, &resume.start_us.to_le_bytes())
                .fields(field::SHOWN, &resume.shown)
                .end(),
            Self::Message(number, time_us, message) => put_message(to, *number, *time_us, *message),
            Self::Last(time_us) => Out::begin(to, kind::LAST).raw(&time_us.to_le_bytes()).end(),
            Self::Exit(time_us, exit) => {
                let mut out = Out::begin(to, kind::EXIT)
                    .raw(&time_us.to_le_bytes())
                    .raw(&exit.status.to_le_bytes())
                    .raw(&exit.signal.unwrap_or(0).to_le_bytes())
                    .raw(&[outcome_byte(exit.outcome)]);
                for left in &exit.left_behind {
                    let command = left.command.as_bytes();
                    let command = command.get(..command.len().min(255)).unwrap_or_default();
                    let length = u8::try_from(command.len()).unwrap_or(0);
                    out = out.raw(&left.pid.to_le_bytes()).raw(&[length]).raw(command);
                }
                out.end();
            }
            Self::Alive => Out::begin(to, kind::ALIVE).end(),
            Self::Sleeps => Out::begin(to, kind::SLEEPS).end(),
            Self::Control(json) => Out::begin(to, kind::CONTROL).raw(json).end(),
        }
    }
}

impl<'b> FromTee<'b> {
    /// Reads a frame's body.
    pub fn read(kind: u8, body: &'b [u8]) -> Result<Self> {
        let mut body = In(body);
        let read = match kind {
            kind::HELLO => Self::Hello(Self::hello(&mut body)?),
            kind::RESUME => Self::Resume(Self::resume(&mut body)?),
            kind::OUTPUT | kind::INPUT | kind::INPUT_END | kind::RESIZE | kind::PASSING | kind::REST => {
                let (number, time_us) = (body.u64()?, body.u64()?);
                Self::Message(number, time_us, Self::message(kind, &mut body)?)
            }
            kind::LAST => Self::Last(body.u64()?),
            kind::EXIT => Self::Exit(body.u64()?, Self::exit(&mut body)?),
            kind::ALIVE => Self::Alive,
            kind::SLEEPS => Self::Sleeps,
            kind::CONTROL => Self::Control(body.rest()),
            _ => return Err(WireError("an unknown kind of frame from a tee")),
        };
        body.end().map(|()| read)
    }

    fn message(kind: u8, body: &mut In<'b>) -> Result<Message<'b>> {
        Ok(match kind {
            kind::OUTPUT => {
                let stream = if body.u8()? == 0 { Stream::Output } else { Stream::Error };
                match body.rest() {
                    [] => return Err(WireError("output without bytes")),
                    bytes => Message::Output { stream, bytes },
                }
            }
            kind::INPUT => Message::Input { hidden: body.u8()? != 0, bytes: body.rest() },
            kind::INPUT_END => Message::InputEnd,
            kind::PASSING => Message::Passing { pipe: pipe(body.u8()?)?, total: body.u64()? },
            kind::REST => {
                let pipe = pipe(body.u8()?)?;
                let (from_us, missing, sha256) = (body.u64()?, body.u64()?, body.array()?);
                Message::Rest { pipe, rest: Rest { from_us, missing, sha256, tail: body.rest() } }
            }
            _ => Message::Resize { cols: body.u16()?, rows: body.u16()? },
        })
    }

    fn hello(body: &mut In<'_>) -> Result<Hello> {
        let mut hello = Hello::default();
        while let Some((number, value)) = body.field()? {
            match number {
                field::VERSION => hello.version = In(value).u16()?,
                field::TERMINAL => hello.terminal = flag(value),
                field::SIZE => hello.size = size(value)?,
                field::ARG => hello.argv.push(value.to_vec()),
                field::CWD => hello.cwd = value.to_vec(),
                field::ENV => hello.env.push(value.to_vec()),
                field::START => hello.start_us = In(value).u64()?,
                field::SSH_USER_AUTH => hello.ssh_user_auth = Some(value.to_vec()),
                _ => {}
            }
        }
        Ok(hello)
    }

    fn resume(body: &mut In<'_>) -> Result<Resume> {
        let mut resume = Resume::default();
        while let Some((number, value)) = body.field()? {
            match number {
                field::VERSION => resume.version = In(value).u16()?,
                field::SESSION => resume.session = value.to_vec(),
                field::TOKEN => resume.token = value.to_vec(),
                field::ACCEPTED => resume.accepted = In(value).u64()?,
                field::SIZE => resume.size = size(value)?,
                field::START => resume.start_us = In(value).u64()?,
                field::SHOWN => resume.shown = Some(value.to_vec()),
                _ => {}
            }
        }
        Ok(resume)
    }

    fn exit(body: &mut In<'_>) -> Result<Exit> {
        let status = i32::from_le_bytes(body.array()?);
        let signal = Some(i32::from_le_bytes(body.array()?)).filter(|signal| *signal > 0);
        let outcome = outcome(body.u8()?)?;
        let mut left_behind = Vec::new();
        while !body.0.is_empty() {
            let pid = i32::from_le_bytes(body.array()?);
            let length = usize::from(body.u8()?);
            let command = String::from_utf8_lossy(body.take(length)?).into_owned();
            left_behind.push(LeftBehind { pid, command });
        }
        Ok(Exit { status, signal, outcome, left_behind })
    }
}

impl FromAgent<'_> {
    /// Appends the frame.
    pub fn put(&self, to: &mut Vec<u8>) {
        match self {
            Self::Greeting(version, names) => {
                let out = Out::begin(to, kind::GREETING).field(field::VERSION, &version.to_le_bytes());
                names.iter().fold(out, |out, name| out.field(field::ENV, name)).end();
            }
            Self::Welcome(welcome) => Out::begin(to, kind::WELCOME)
                .field(field::VERSION, &welcome.version.to_le_bytes())
                .field(field::SESSION, &welcome.session)
                .field(field::TOKEN, &welcome.token)
                .field(field::PROGRAM, &welcome.program)
                .fields(field::ARG, &welcome.argv)
                .fields(field::ENV, &welcome.env)
                .field(field::INPUT, &[u8::from(welcome.input)])
                .fields(field::STREAM_LIMIT, &welcome.stream_limit.map(|limit| limit.to_le_bytes().to_vec()))
                .field(field::GRACE, &welcome.grace_ms.to_le_bytes())
                .field(field::BANNER, &welcome.banner)
                .fields(field::MARKS, &welcome.marks)
                .end(),
            Self::Refused(refused) => Out::begin(to, kind::REFUSED)
                .field(field::DENIED, &[u8::from(refused.denied)])
                .field(field::TEXT, &refused.text)
                .end(),
            Self::Resumed(number) => Out::begin(to, kind::RESUMED).raw(&number.to_le_bytes()).end(),
            Self::Accepted(number) => Out::begin(to, kind::ACCEPTED).raw(&number.to_le_bytes()).end(),
            Self::Notice(text) => Out::begin(to, kind::NOTICE).raw(text).end(),
            Self::Terminate(outcome) => Out::begin(to, kind::TERMINATE).raw(&[outcome_byte(*outcome)]).end(),
            Self::LetGo => Out::begin(to, kind::LET_GO).end(),
            Self::Failed(text) => Out::begin(to, kind::FAILED).raw(text).end(),
            Self::Ended => Out::begin(to, kind::ENDED).end(),
            Self::Answer(json) => Out::begin(to, kind::ANSWER).raw(json).end(),
        }
    }
}

impl<'b> FromAgent<'b> {
    /// Reads a frame's body.
    pub fn read(kind: u8, body: &'b [u8]) -> Result<Self> {
        let mut body = In(body);
        let read = match kind {
            kind::GREETING => {
                let (mut version, mut names) = (0, Vec::new());
                while let Some((number, value)) = body.field()? {
                    match number {
                        field::VERSION => version = In(value).u16()?,
                        field::ENV => names.push(value),
                        _ => {}
                    }
                }
                Self::Greeting(version, names)
            }
            kind::WELCOME => Self::Welcome(Self::welcome(&mut body)?),
            kind::REFUSED => {
                let mut refused = Refused { denied: false, text: Vec::new() };
                while let Some((number, value)) = body.field()? {
                    match number {
                        field::DENIED => refused.denied = flag(value),
                        field::TEXT => refused.text = value.to_vec(),
                        _ => {}
                    }
                }
                Self::Refused(refused)
            }
            kind::RESUMED => Self::Resumed(body.u64()?),
            kind::ACCEPTED => Self::Accepted(body.u64()?),
            kind::NOTICE => Self::Notice(body.rest()),
            kind::TERMINATE => Self::Terminate(outcome(body.u8()?)?),
            kind::LET_GO => Self::LetGo,
            kind::FAILED => Self::Failed(body.rest()),
            kind::ENDED => Self::Ended,
            kind::ANSWER => Self::Answer(body.rest()),
            _ => return Err(WireError("an unknown kind of frame from an agent")),
        };
        body.end().map(|()| read)
    }

    fn welcome(body: &mut In<'_>) -> Result<Welcome> {
        let mut welcome = Welcome::default();
        while let Some((number, value)) = body.field()? {
            match number {
                field::VERSION => welcome.version = In(value).u16()?,
                field::SESSION => welcome.session = value.to_vec(),
                field::TOKEN => welcome.token = value.to_vec(),
                field::PROGRAM => welcome.program = value.to_vec(),
                field::ARG => welcome.argv.push(value.to_vec()),
                field::ENV => welcome.env.push(value.to_vec()),
                field::INPUT => welcome.input = flag(value),
                field::STREAM_LIMIT => welcome.stream_limit = Some(In(value).u64()?),
                field::GRACE => welcome.grace_ms = In(value).u32()?,
                field::BANNER => welcome.banner = value.to_vec(),
                field::MARKS => welcome.marks = Some(value.to_vec()),
                _ => {}
            }
        }
        Ok(welcome)
    }
}
