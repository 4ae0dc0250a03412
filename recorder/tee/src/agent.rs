//! The agent as a tee sees it: a [`Recorder`] at the other end of a socket, which may go away and come back.
//!
//! What was submitted is kept until the agent says that it is in its journal. When the connection breaks it is made anew,
//! the agent says how far its journal goes, and the rest is sent again: no byte is lost and none recorded twice. Not for
//! the relay, which knows nothing of it.

use std::collections::VecDeque;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use crate::clock::Clock;
use crate::connection::Connection;
use crate::error::TeeError;
use crate::message::{Exit, Message, Recorder, Reply};
use crate::terminal::terminal_size;
use crate::wire::{FromAgent, FromTee, Hello, Refused, Resume, VERSION, Welcome, put_message};

/// How often the agent hears that we are there. It hangs up a tee that is silent for 5 s.
const ALIVE_US: u64 = 2_000_000;
/// First and longest pause between two tries to reach an agent that is away.
const TRIES_US: (u64, u64) = (20_000, 1_000_000);
/// An agent that has been away for so long is spoken of: restarts are faster.
const SPEAKS_US: u64 = 2_000_000;
/// How long a connected agent may take to take a session up again.
const RESUME_US: u64 = 30_000_000;
/// An agent that is there has at least so long to answer a start.
const LEAST_US: u64 = 1_000_000;
/// How soon a full socket is tried again, where no answer comes that would tell.
const FULL_US: u64 = 2_000;

/// Shown while output is held, and recorded once there is an agent again.
const HELD: &str = "\r\nhansard: output is held: the recording agent does not answer\r\n";

/// Why there is no recorded session.
#[derive(Debug)]
pub enum NoSession {
    /// No agent answers; what was tried last.
    Away(String),
    /// It refuses.
    Refused(Refused),
}

/// What the agent made of a start.
pub struct Begun {
    /// The recorder; `None` where the policy is that this session is not recorded.
    pub recorder: Option<Agent>,
    /// What to run, and how.
    pub welcome: Welcome,
}

/// Asks the agent for a session, waiting for it at most `wait_us`: one that is away, or goes away before it has answered, may
/// be about to come back. `hello` gets the names of the variables that it wants to know; the terminal is lent to it with the
/// answer.
pub fn begin(
    socket: &Path,
    wait_us: u64,
    clock: Clock,
    terminal: Option<BorrowedFd<'_>>,
    hello: impl Fn(&[Vec<u8>]) -> Hello,
) -> Result<Begun, NoSession> {
    let waiting = Clock::start();
    let mut pause = TRIES_US.0;
    loop {
        let left_us = wait_us.saturating_sub(waiting.now_us());
        match ask(socket, left_us, clock, terminal, &hello) {
            Err(NoSession::Away(_)) if left_us > 0 => {
                std::thread::sleep(std::time::Duration::from_micros(pause.min(left_us)));
                pause = (pause * 2).min(TRIES_US.1);
            }
            answered => return answered,
        }
    }
}

fn ask(
    socket: &Path,
    left_us: u64,
    clock: Clock,
    terminal: Option<BorrowedFd<'_>>,
    hello: impl Fn(&[Vec<u8>]) -> Hello,
) -> Result<Begun, NoSession> {
    let away = |what: &str, e: &dyn std::fmt::Display| NoSession::Away(format!("{what} {}: {e}", socket.display()));
    let lost = |e: io::Error| away("talking to", &e);
    let mut connection = Connection::open(socket).map_err(|e| away("connecting to", &e))?;
    let left_us = left_us.max(LEAST_US);
    let names = {
        let (kind, body) = next(&mut connection, left_us).map_err(lost)?;
        match FromAgent::read(kind, &body) {
            Ok(FromAgent::Greeting(_, names)) => names.into_iter().map(<[u8]>::to_vec).collect::<Vec<_>>(),
            Ok(FromAgent::Refused(refused)) => return Err(NoSession::Refused(refused)),
            _ => return Err(away("talking to", &"it does not speak the agent's protocol")),
        }
    };
    let mut frame = Vec::new();
    FromTee::Hello(hello(&names)).put(&mut frame);
    connection.write_with(&frame, terminal, left_us).map_err(lost)?;
    let (kind, body) = next(&mut connection, left_us).map_err(lost)?;
    match FromAgent::read(kind, &body) {
        Ok(FromAgent::Welcome(welcome)) => {
            let recorder = (!welcome.session.is_empty()).then(|| Agent::new(socket, connection, clock, &welcome));
            Ok(Begun { recorder, welcome })
        }
        Ok(FromAgent::Refused(refused)) => Err(NoSession::Refused(refused)),
        _ => Err(away("talking to", &"it answered something else")),
    }
}

/// Waits for the next frame.
fn next(connection: &mut Connection, at_most_us: u64) -> io::Result<(u8, Vec<u8>)> {
    let waiting = Clock::start();
    loop {
        let frame = connection.frame().map_err(io::Error::other)?;
        if let Some((kind, body)) = frame {
            return Ok((kind, body.to_vec()));
        }
        let left_us = at_most_us.saturating_sub(waiting.now_us());
        if left_us == 0 {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time"));
        }
        if connection.wait(left_us) {
            connection.read()?;
        }
    }
}

/// One frame that was not accepted, or not even sent.
struct Frame {
    /// Of the message that it holds; of others, the last message's before it.
    number: u64,
    bytes: Vec<u8>,
}

/// The frame of the session's end has no message's number: it is kept until the agent has said that it is recorded.
const EXIT: u64 = u64::MAX;

enum Line {
    Up(Connection),
    /// Connected again since this time, and waiting for how far the journal goes.
    Resuming(Connection, u64),
    /// Gone; the time of the next try.
    Down(u64),
}

/// The recording side of one session.
pub struct Agent {
    socket: PathBuf,
    clock: Clock,
    session: Vec<u8>,
    token: Vec<u8>,
    grace_us: u64,
    line: Line,
    /// The next pause between two tries.
    pause_us: u64,
    /// Since when there is no agent.
    lost_us: Option<u64>,
    /// It was spoken of.
    spoke: bool,
    /// The text was shown and is to be recorded.
    shown: bool,
    frames: VecDeque<Frame>,
    /// The first of them that was not sent whole, and how much of it was.
    next: usize,
    offset: usize,
    number: u64,
    accepted: u64,
    last_us: Option<u64>,
    alive_us: u64,
    now_us: u64,
    ended: bool,
    failed: bool,
    replies: VecDeque<Reply>,
}

impl Agent {
    fn new(socket: &Path, connection: Connection, clock: Clock, welcome: &Welcome) -> Self {
        Self {
            socket: socket.to_owned(),
            clock,
            session: welcome.session.clone(),
            token: welcome.token.clone(),
            grace_us: u64::from(welcome.grace_ms) * 1_000,
            line: Line::Up(connection),
            pause_us: TRIES_US.0,
            lost_us: None,
            spoke: false,
            shown: false,
            frames: VecDeque::new(),
            next: 0,
            offset: 0,
            number: 0,
            accepted: 0,
            last_us: None,
            alive_us: 0,
            now_us: 0,
            ended: false,
            failed: false,
            replies: VecDeque::new(),
        }
    }

    /// Tells the agent how the session ended, and waits until that is recorded, as long as the grace allows.
    pub fn end(&mut self, exit: &Exit) -> Result<(), TeeError> {
        let mut bytes = Vec::new();
        self.now_us = self.now_us.max(self.clock.now_us());
        FromTee::Exit(self.now_us, exit.clone()).put(&mut bytes);
        self.frames.push_back(Frame { number: EXIT, bytes });
        self.flush();
        loop {
            self.hear();
            // Nobody is left to be shown anything.
            let failed = self.replies.drain(..).find_map(|reply| match reply {
                Reply::Failed(text) => Some(text),
                _ => None,
            });
            if self.ended {
                return Ok(());
            }
            if let Some(text) = failed {
                return Err(TeeError::Recorder(text));
            }
            if self.failed {
                return Err(TeeError::Recorder("the recording agent has given the session up".into()));
            }
            self.now_us = self.now_us.max(self.clock.now_us());
            let wake_us = self.time_passes().unwrap_or(self.now_us + ALIVE_US);
            let left_us = wake_us.saturating_sub(self.now_us).max(1);
            match &self.line {
                Line::Up(connection) | Line::Resuming(connection, _) => {
                    connection.wait(left_us);
                }
                Line::Down(..) => std::thread::sleep(std::time::Duration::from_micros(left_us)),
            }
        }
    }

    /// Sends what the socket takes.
    fn flush(&mut self) {
        let Line::Up(connection) = &self.line else { return };
        while let Some(frame) = self.frames.get(self.next) {
            match connection.write(frame.bytes.get(self.offset..).unwrap_or_default()) {
                Ok(0) => return,
                Ok(count) => {
                    self.offset += count;
                    if self.offset == frame.bytes.len() {
                        self.next += 1;
                        self.offset = 0;
                    }
                }
                Err(_) => return self.lose(),
            }
        }
        self.forget_accepted();
    }

    /// What was sent and accepted is not needed any more.
    fn forget_accepted(&mut self) {
        while self.next > 0 && self.frames.front().is_some_and(|frame| frame.number <= self.accepted) {
            self.frames.pop_front();
            self.next -= 1;
        }
    }

    fn is_full(&self) -> bool {
        self.next < self.frames.len()
    }

    fn lose(&mut self) {
        self.line = match self.line {
            // It answers and does not take the session up, yet: asked again and again, it would not be faster.
            Line::Resuming(..) => self.down(),
            _ => Line::Down(self.now_us),
        };
        self.lost_us.get_or_insert(self.now_us);
        // All of a frame goes to the next agent, or nothing.
        self.offset = 0;
    }

    /// Gone, and to be tried again after a pause, each longer than the last.
    fn down(&mut self) -> Line {
        let at_us = self.now_us + self.pause_us;
        self.pause_us = (self.pause_us * 2).min(TRIES_US.1);
        Line::Down(at_us)
    }

    /// Takes what the agent says.
    fn hear(&mut self) {
        let (Line::Up(connection) | Line::Resuming(connection, _)) = &mut self.line else { return };
        let mut heard = connection.read();
        let mut frames = Vec::new();
        loop {
            match connection.frame() {
                Ok(Some((kind, body))) => match FromAgent::read(kind, body) {
                    Ok(frame) => frames.push(Heard::of(frame)),
                    Err(e) => heard = Err(io::Error::other(e)),
                },
                Ok(None) => break,
                Err(e) => {
                    heard = Err(io::Error::other(e));
                    break;
                }
            }
        }
        frames.into_iter().flatten().for_each(|heard| self.take(heard));
        if heard.is_err() && !self.ended {
            self.lose();
        }
    }

    fn take(&mut self, heard: Heard) {
        match heard {
            Heard::Reply(Reply::Accepted(number)) => self.accept(number),
            Heard::Reply(reply) => {
                self.failed |= matches!(reply, Reply::Failed(_));
                self.replies.push_back(reply);
            }
            Heard::Resumed(number) => self.resumed(number),
            Heard::Ended => self.ended = true,
        }
    }

    fn accept(&mut self, number: u64) {
        // A number that was never sent would let out what nobody has recorded.
        let number = number.min(self.number);
        if number > self.accepted {
            self.accepted = number;
            self.replies.push_back(Reply::Accepted(number));
            self.forget_accepted();
        }
    }

    /// The agent has all messages up to this one, and nothing of what comes after it.
    fn resumed(&mut self, number: u64) {
        match std::mem::replace(&mut self.line, Line::Down(self.now_us)) {
            Line::Resuming(connection, _) => self.line = Line::Up(connection),
            other => {
                self.line = other;
                return;
            }
        }
        (self.next, self.offset, self.lost_us, self.spoke, self.shown) = (self.frames.len(), 0, None, false, false);
        self.pause_us = TRIES_US.0;
        self.accept(number);
        self.frames.retain(|frame| frame.number > self.accepted);
        (self.next, self.alive_us) = (0, self.now_us + ALIVE_US);
        if let Some(last_us) = self.last_us {
            let mut bytes = Vec::new();
            FromTee::Last(last_us).put(&mut bytes);
            let at = self.frames.iter().position(|frame| frame.number == EXIT).unwrap_or(self.frames.len());
            self.frames.insert(at, Frame { number: self.number, bytes });
        }
        self.flush();
    }

    fn control(&mut self, frame: &FromTee<'_>) {
        let mut bytes = Vec::new();
        frame.put(&mut bytes);
        self.frames.push_back(Frame { number: self.number, bytes });
        self.flush();
    }

    /// Does what time brings: a sign of life, another try to reach the agent, the end of patience.
    fn time_passes(&mut self) -> Option<u64> {
        if self.failed || self.ended {
            return None;
        }
        match &self.line {
            Line::Up(_) if self.is_full() => {
                self.flush();
                if self.is_full() {
                    return Some(self.now_us + FULL_US);
                }
            }
            Line::Up(_) => {}
            Line::Resuming(_, since_us) => {
                if self.now_us > since_us + RESUME_US {
                    self.lose();
                }
            }
            Line::Down(at_us) => {
                if self.now_us >= *at_us {
                    self.reconnect();
                }
            }
        }
        let Some(lost_us) = self.lost_us else {
            if self.now_us >= self.alive_us {
                self.alive_us = self.now_us + ALIVE_US;
                self.control(&FromTee::Alive);
            }
            return Some(self.alive_us);
        };
        let over_us = lost_us + self.grace_us;
        if self.now_us >= over_us {
            self.failed = true;
            self.replies.push_back(Reply::Failed("the recording agent has not come back in time".into()));
            return None;
        }
        if !self.spoke && self.now_us >= lost_us + SPEAKS_US {
            (self.spoke, self.shown) = (true, true);
            self.replies.push_back(Reply::Notice(HELD.into()));
            if let Line::Resuming(..) = self.line {
                // It was not told of the text, and would not record it: begun anew, with the text.
                self.line = Line::Down(self.now_us);
            }
        }
        let speaks_us = if self.spoke { over_us } else { lost_us + SPEAKS_US };
        let retry_us = if let Line::Down(at_us) = self.line { at_us } else { over_us };
        Some(retry_us.min(speaks_us).min(over_us))
    }

    fn reconnect(&mut self) {
        let opened = Connection::open(&self.socket).and_then(|connection| {
            let resume = Resume {
                version: VERSION,
                session: self.session.clone(),
                token: self.token.clone(),
                accepted: self.accepted,
                size: terminal_size().unwrap_or_default(),
                start_us: self.clock.start_us(),
                shown: self.shown.then(|| HELD.as_bytes().to_vec()),
            };
            let mut frame = Vec::new();
            FromTee::Resume(resume).put(&mut frame);
            let stdin = rustix::stdio::stdin();
            let terminal = rustix::termios::isatty(stdin).then_some(stdin);
            connection.write_with(&frame, terminal, 0).map(|()| connection)
        });
        self.line = match opened {
            Ok(connection) => Line::Resuming(connection, self.now_us),
            Err(_) => self.down(),
        };
    }
}

/// A frame of the agent, as far as a running session wants to know it.
enum Heard {
    Reply(Reply),
    Resumed(u64),
    Ended,
}

impl Heard {
    fn of(frame: FromAgent<'_>) -> Option<Self> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Some(Self::Reply(match frame {
            FromAgent::Accepted(number) => Reply::Accepted(number),
            FromAgent::Notice(bytes) => Reply::Notice(text(bytes)),
            FromAgent::Terminate(outcome) => Reply::Terminate(outcome),
            FromAgent::LetGo => Reply::LetGo,
            FromAgent::Failed(bytes) => Reply::Failed(text(bytes)),
            FromAgent::Refused(refused) => Reply::Failed(text(&refused.text)),
            FromAgent::Resumed(number) => return Some(Self::Resumed(number)),
            FromAgent::Ended => return Some(Self::Ended),
            FromAgent::Greeting(..) | FromAgent::Welcome(_) | FromAgent::Answer(_) => return None,
        }))
    }
}

impl Recorder for Agent {
    fn submit(&mut self, number: u64, time_us: u64, message: Message<'_>) {
        (self.now_us, self.number) = (self.now_us.max(time_us), number);
        let mut bytes = Vec::new();
        put_message(&mut bytes, number, time_us, message);
        self.frames.push_back(Frame { number, bytes });
        self.flush();
    }

    fn last(&mut self, time_us: u64) {
        self.now_us = self.now_us.max(time_us);
        self.last_us = Some(time_us);
        self.control(&FromTee::Last(time_us));
    }

    fn sleeps(&mut self) {
        self.control(&FromTee::Sleeps);
    }

    fn reply(&mut self) -> Option<Reply> {
        if self.replies.is_empty() {
            self.hear();
        }
        self.replies.pop_front()
    }

    fn tick(&mut self, time_us: u64) -> Option<u64> {
        self.now_us = self.now_us.max(time_us);
        self.time_passes()
    }

    fn due_us(&self) -> Option<u64> {
        match self.line {
            Line::Down(at_us) if !self.failed && !self.ended => Some(at_us),
            _ => None,
        }
    }

    fn news(&mut self) -> Option<BorrowedFd<'_>> {
        match &self.line {
            Line::Up(connection) | Line::Resuming(connection, _) => Some(connection.fd()),
            Line::Down(..) => None,
        }
    }
}
