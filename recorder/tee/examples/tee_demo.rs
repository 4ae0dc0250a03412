//! Tees a program to plain files: what the integration tests run, and the least a recorder can do.
//!
//! `tee_demo [--exec | --front | --guard] [--input] [--full-ms FROM TO] [--late-us US] [--fatal-after BYTES] [--end-ms MS] [--limit BYTES] [--panic] [--agent SOCKET] OUT PROGRAM ARG…`
//! writes OUT.o, OUT.e and OUT.i (streams), OUT.log (the other messages), OUT.exit (how it ended);
//! with an agent, all but the last is the agent's.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use hansard_tee::wire::{Hello, VERSION};
use hansard_tee::{Clock, Command, Exit, InputCapture, Message, Options, Outcome, Recorder, Reply, Stream, TeeError};

#[derive(Default)]
struct Arguments {
    exec: bool,
    front: bool,
    guard: bool,
    panics: bool,
    input: bool,
    late: Option<Duration>,
    full_us: (u64, u64),
    fatal_after: Option<u64>,
    end_us: Option<u64>,
    limit: Option<u64>,
    agent: Option<String>,
    out: String,
}

/// A message that outlives its call.
enum Kept {
    Output(Stream, Vec<u8>),
    Input(Vec<u8>, bool),
    InputEnd,
    Resize(u16, u16),
    Passing,
    Rest(Vec<u8>),
}

impl Kept {
    fn new(message: Message<'_>) -> Self {
        match message {
            Message::Output { stream, bytes } => Self::Output(stream, bytes.to_vec()),
            Message::Input { bytes, hidden } => Self::Input(bytes.to_vec(), hidden),
            Message::InputEnd => Self::InputEnd,
            Message::Resize { cols, rows } => Self::Resize(cols, rows),
            Message::Passing { .. } => Self::Passing,
            Message::Rest { rest, .. } => Self::Rest(rest.tail.to_vec()),
        }
    }
}

struct Files {
    panics: bool,
    fatal_after: Option<u64>,
    output: File,
    error: File,
    input: File,
    log: File,
    bytes: u64,
}

impl Files {
    fn new(arguments: &Arguments) -> Self {
        let file = |kind: &str| File::create(format!("{}.{kind}", arguments.out)).unwrap();
        let (output, error, input, log) = (file("o"), file("e"), file("i"), file("log"));
        let Arguments { panics, fatal_after, .. } = *arguments;
        Self { panics, fatal_after, output, error, input, log, bytes: 0 }
    }

    fn notice(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.log, "notice {text}")?;
        self.output.write_all(text.as_bytes())
    }

    fn write(&mut self, message: &Kept) -> io::Result<()> {
        match message {
            Kept::Output(stream, bytes) => {
                assert!(!self.panics, "a recorder with a fault");
                self.bytes += bytes.len() as u64;
                if self.fatal_after.is_some_and(|limit| self.bytes > limit) {
                    return Err(io::Error::other("the limit of this test is reached"));
                }
                let file = if *stream == Stream::Error { &mut self.error } else { &mut self.output };
                file.write_all(bytes)
            }
            Kept::Input(bytes, hidden) => {
                if *hidden {
                    writeln!(self.log, "hidden {bytes:?}")?;
                }
                self.input.write_all(bytes)
            }
            Kept::InputEnd => writeln!(self.log, "end"),
            Kept::Resize(cols, rows) => writeln!(self.log, "size {cols}x{rows}"),
            Kept::Passing => writeln!(self.log, "passing"),
            Kept::Rest(tail) => writeln!(self.log, "rest with a tail of {} bytes", tail.len()),
        }
    }

    fn take(&mut self, number: u64, message: &Kept) -> Reply {
        self.write(message).map_or_else(|error| Reply::Failed(error.to_string()), |()| Reply::Accepted(number))
    }
}

/// Accepts within the call, but for a stretch of time without room.
struct InPlace {
    files: Files,
    full_us: (u64, u64),
    end_us: Option<u64>,
    held: VecDeque<(u64, Kept)>,
    replies: VecDeque<Reply>,
}

const HELD: &str = "[held]";

impl Recorder for InPlace {
    fn submit(&mut self, number: u64, time_us: u64, message: Message<'_>) {
        let message = Kept::new(message);
        if (self.full_us.0..self.full_us.1).contains(&time_us) || !self.held.is_empty() {
            if self.held.is_empty() {
                self.replies.push_back(Reply::Notice(HELD.into()));
            }
            self.held.push_back((number, message));
        } else {
            self.replies.push_back(self.files.take(number, &message));
        }
    }

    fn reply(&mut self) -> Option<Reply> {
        self.replies.pop_front()
    }

    fn tick(&mut self, time_us: u64) -> Option<u64> {
        if time_us >= self.full_us.1 && !self.held.is_empty() {
            self.files.notice(HELD).unwrap();
            for (number, message) in std::mem::take(&mut self.held) {
                self.replies.push_back(self.files.take(number, &message));
            }
        }
        if self.end_us.is_some_and(|at| time_us >= at) {
            self.replies.push_back(Reply::Terminate(Outcome::MaxDuration));
            self.end_us = None;
        }
        let room = (!self.held.is_empty()).then_some(self.full_us.1);
        self.end_us.into_iter().chain(room).min()
    }
}

/// Accepts on a thread of its own, some time after the call.
struct Late {
    messages: Sender<(u64, Kept)>,
    replies: Receiver<Reply>,
    news: io::PipeReader,
}

impl Late {
    fn new(mut files: Files, late: Duration) -> Self {
        let (messages, incoming) = channel::<(u64, Kept)>();
        let (outgoing, replies) = channel();
        let (news, mut tell) = io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&news, true).unwrap();
        std::thread::spawn(move || {
            for (number, message) in incoming {
                std::thread::sleep(late);
                let reply = files.take(number, &message);
                // The session may have ended.
                let _ = outgoing.send(reply).map_err(io::Error::other).and_then(|()| tell.write_all(b"!"));
            }
        });
        Self { messages, replies, news }
    }
}

impl Recorder for Late {
    fn submit(&mut self, number: u64, _: u64, message: Message<'_>) {
        self.messages.send((number, Kept::new(message))).unwrap();
    }

    fn reply(&mut self) -> Option<Reply> {
        // Before the look: what comes after it is told anew.
        let _ = self.news.read(&mut [0; 64]);
        self.replies.try_recv().ok()
    }

    fn tick(&mut self, _: u64) -> Option<u64> {
        None
    }

    fn news(&mut self) -> Option<BorrowedFd<'_>> {
        Some(self.news.as_fd())
    }
}

fn recorder(arguments: &Arguments, clock: Clock) -> Box<dyn Recorder> {
    if let Some(socket) = &arguments.agent {
        let hello = |_: &[Vec<u8>]| Hello { version: VERSION, start_us: clock.start_us(), ..Hello::default() };
        let Ok(begun) = hansard_tee::begin(socket.as_ref(), 1_000_000, clock, None, hello) else { panic!("no agent") };
        return Box::new(begun.recorder.unwrap());
    }
    let files = Files::new(arguments);
    match arguments.late {
        Some(late) => Box::new(Late::new(files, late)),
        None => Box::new(InPlace {
            files,
            full_us: arguments.full_us,
            end_us: arguments.end_us,
            held: VecDeque::new(),
            replies: VecDeque::new(),
        }),
    }
}

fn main() {
    hansard_tee::remember_descriptors();
    let library = Careless::open();
    hansard_tee::prepare();
    let mut words = std::env::args_os().skip(1);
    let mut arguments = Arguments::default();
    let text = |words: &mut std::iter::Skip<std::env::ArgsOs>| words.next().unwrap().into_string().unwrap();
    arguments.out = loop {
        match text(&mut words).as_str() {
            "--exec" => arguments.exec = true,
            "--front" => arguments.front = true,
            "--panic" => arguments.panics = true,
            "--guard" => arguments.guard = true,
            "--input" => arguments.input = true,
            "--full-ms" => {
                let mut ms = || text(&mut words).parse::<u64>().unwrap() * 1000;
                arguments.full_us = (ms(), ms());
            }
            "--late-us" => arguments.late = Some(Duration::from_micros(text(&mut words).parse().unwrap())),
            "--fatal-after" => arguments.fatal_after = Some(text(&mut words).parse().unwrap()),
            "--agent" => arguments.agent = Some(text(&mut words)),
            "--limit" => arguments.limit = Some(text(&mut words).parse().unwrap()),
            "--end-ms" => arguments.end_us = Some(text(&mut words).parse::<u64>().unwrap() * 1000),
            out => break out.to_owned(),
        }
    };
    let _guardian = arguments.guard.then(|| hansard_tee::Guardian::start().unwrap());
    let command = Command::new(words.next().unwrap()).args(words);
    let input = if arguments.input { InputCapture::On } else { InputCapture::Off };
    let options = Options { input, clock: Clock::start(), limit: arguments.limit };
    let out = arguments.out.clone();
    let status = if arguments.front {
        let work = |worker: &mut hansard_tee::Worker| {
            let mut recorder = recorder(&arguments, options.clock);
            conclude(&out, worker.relay(recorder.as_mut(), options.clock, options.limit))
        };
        hansard_tee::exec_front(&command, input, work).unwrap().code
    } else {
        let exec = arguments.exec;
        let mut recorder = recorder(&arguments, options.clock);
        let run = if exec { hansard_tee::exec } else { hansard_tee::interactive };
        conclude(&out, run(&command, recorder.as_mut(), &options))
    };
    library.assert_alive();
    std::process::exit(status)
}

/// A library's pipe without close-on-exec (librdkafka has such): no child may get it, and nobody may close it.
struct Careless(std::os::fd::OwnedFd, std::os::fd::OwnedFd);

impl Careless {
    fn open() -> Self {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        Self(reader, writer)
    }

    fn assert_alive(&self) {
        let mut byte = [0];
        assert_eq!(rustix::io::write(&self.1, b"x"), Ok(1), "a library's descriptor was closed");
        assert_eq!((rustix::io::read(&self.0, &mut byte), byte), (Ok(1), *b"x"));
    }
}

fn conclude(out: &str, result: Result<Exit, TeeError>) -> i32 {
    let (status, text) = match result {
        Ok(exit) => {
            let left: Vec<_> = exit.left_behind.iter().map(|process| process.command.as_str()).collect();
            (exit.status, format!("{} {:?} {:?} {left:?}", exit.status, exit.signal, exit.outcome))
        }
        Err(error) => (error.status(), format!("error {error}")),
    };
    let written = std::fs::write(format!("{out}.exit"), text);
    assert!(written.is_ok(), "cannot write the end of {:?}: {written:?}", std::env::args_os());
    status
}
