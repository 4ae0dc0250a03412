//! Tees a program to plain files: what the integration tests run, and the least a recorder can do.
//!
//! `tee_demo [--exec | --front | --guard] [--input] [--full-ms FROM TO] [--fatal-after BYTES] [--end-ms MS] [--panic] OUT PROGRAM ARG…`
//! writes OUT.o, OUT.e and OUT.i (streams), OUT.log (the other messages), OUT.exit (how it ended).
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs::File;
use std::io::Write as _;

use hansard_tee::{
    Clock, Command, Exit, InputCapture, Message, Options, Outcome, Recorder, RecorderError, Stream, TeeError,
};

#[derive(Default)]
struct Arguments {
    exec: bool,
    front: bool,
    guard: bool,
    panics: bool,
    input: bool,
    full_us: (u64, u64),
    fatal_after: Option<u64>,
    end_us: Option<u64>,
    out: String,
}

struct Files {
    arguments: Arguments,
    output: File,
    error: File,
    input: File,
    log: File,
    bytes: u64,
    noticed: bool,
    now_us: u64,
}

impl Files {
    fn new(arguments: Arguments) -> Self {
        let file = |kind: &str| File::create(format!("{}.{kind}", arguments.out)).unwrap();
        let (output, error, input, log) = (file("o"), file("e"), file("i"), file("log"));
        Self { arguments, output, error, input, log, bytes: 0, noticed: false, now_us: 0 }
    }
}

impl Recorder for Files {
    fn submit(&mut self, time_us: u64, message: Message<'_>) -> Result<(), RecorderError> {
        let (from, to) = self.arguments.full_us;
        if (from..to).contains(&time_us) {
            let first = !std::mem::replace(&mut self.noticed, true);
            return Err(RecorderError::Full { notice: first.then(|| "[held]".into()) });
        }
        let refused = |error: std::io::Error| RecorderError::Fatal(error.to_string());
        match message {
            Message::Output { stream, bytes } => {
                assert!(!self.arguments.panics, "a recorder with a fault");
                self.bytes += bytes.len() as u64;
                if self.arguments.fatal_after.is_some_and(|limit| self.bytes > limit) {
                    return Err(RecorderError::Fatal("the limit of this test is reached".into()));
                }
                let file = if stream == Stream::Error { &mut self.error } else { &mut self.output };
                file.write_all(bytes).map_err(refused)
            }
            Message::Input { bytes, hidden } => {
                if hidden {
                    writeln!(self.log, "hidden {bytes:?}").map_err(refused)?;
                }
                self.input.write_all(bytes).map_err(refused)
            }
            Message::InputEnd => writeln!(self.log, "end").map_err(refused),
            Message::Resize { cols, rows } => writeln!(self.log, "size {cols}x{rows}").map_err(refused),
            Message::Notice { text } => {
                writeln!(self.log, "notice {text}").map_err(refused)?;
                self.output.write_all(text.as_bytes()).map_err(refused)
            }
        }
    }

    fn tick(&mut self, time_us: u64) -> Result<Option<u64>, RecorderError> {
        self.now_us = time_us;
        Ok(self.arguments.end_us)
    }

    fn must_end(&mut self) -> Option<Outcome> {
        self.arguments.end_us.filter(|at| self.now_us >= *at).map(|_| Outcome::MaxDuration)
    }
}

fn main() {
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
            "--fatal-after" => arguments.fatal_after = Some(text(&mut words).parse().unwrap()),
            "--end-ms" => arguments.end_us = Some(text(&mut words).parse::<u64>().unwrap() * 1000),
            out => break out.to_owned(),
        }
    };
    let _guardian = arguments.guard.then(|| hansard_tee::Guardian::start().unwrap());
    let command = Command::new(words.next().unwrap()).args(words);
    let input = if arguments.input { InputCapture::On } else { InputCapture::Off };
    let options = Options { input, clock: Clock::start() };
    let out = arguments.out.clone();
    let status = if arguments.front {
        let work = |worker: &mut hansard_tee::Worker| {
            let mut files = Files::new(arguments);
            conclude(&out, worker.relay(&mut files, options.clock))
        };
        hansard_tee::exec_front(&command, input, work).unwrap()
    } else {
        let exec = arguments.exec;
        let mut files = Files::new(arguments);
        let run = if exec { hansard_tee::exec } else { hansard_tee::interactive };
        conclude(&out, run(&command, &mut files, &options))
    };
    std::process::exit(status)
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
