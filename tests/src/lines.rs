//! A program that runs on and prints lines: waited for one by one, and ended.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::call::Call;
use crate::{SOON, process, wait_until};

/// A program, the lines that it has printed, and those that it has yet to print.
pub struct Lines {
    child: Child,
    lines: Receiver<String>,
    said: Arc<Mutex<String>>,
    listener: Option<JoinHandle<()>>,
    /// What was printed and looked at.
    pub seen: Vec<String>,
}

impl Lines {
    /// Starts it.
    pub fn start(call: &Call) -> Self {
        let mut command = call.command();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{}: {e}", call.program.display()));
        let (send, lines) = channel();
        let out = BufReader::new(child.stdout.take().expect("a pipe"));
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        let err = BufReader::new(child.stderr.take().expect("a pipe"));
        let said = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&said);
        let listener = std::thread::spawn(move || {
            for line in err.lines().map_while(Result::ok) {
                *heard.lock().unwrap_or_else(PoisonError::into_inner) += &format!("{line}\n");
            }
        });
        Self { child, lines, said, listener: Some(listener), seen: Vec::new() }
    }

    /// Waits until a line has these words.
    pub fn expect(&mut self, words: &str, limit: Duration) {
        self.expect_times(words, 1, limit);
    }

    /// Waits until so many lines have these words.
    pub fn expect_times(&mut self, words: &str, times: usize, limit: Duration) {
        let begun = Instant::now();
        while self.seen.iter().filter(|line| line.contains(words)).count() < times {
            match self.lines.recv_timeout(limit.saturating_sub(begun.elapsed())) {
                Ok(line) => self.seen.push(line),
                Err(_) => {
                    let _ = self.child.kill();
                    let said = self.said();
                    panic!("`{words}` was not printed: {:#?}\n{said}", self.seen);
                }
            }
        }
    }

    /// Waits until it has said these words on standard error.
    pub fn expect_said(&self, words: &str, limit: Duration) {
        wait_until(&format!("`{words}` is said"), limit, || self.said().contains(words).then_some(()));
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        process::send(self.child.id(), Signal::TERM);
    }

    /// Waits until it has ended: all lines, its status, and what it said on standard error.
    pub fn end(mut self) -> (Vec<String>, Option<i32>, String) {
        let status = process::ended(&mut self.child, SOON);
        self.listener.take().map(JoinHandle::join);
        let said = self.said();
        let mut seen = std::mem::take(&mut self.seen);
        seen.extend(self.lines.iter());
        (seen, status.code(), said)
    }

    /// What it has said on standard error by now.
    pub fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
