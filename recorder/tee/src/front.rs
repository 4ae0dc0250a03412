//! Exec sessions in two processes, so that the end of the command and the end of its output can be two moments.
//!
//! `sh -c 'sleep 5 & echo hi'` returns to its shell at once, while whoever reads its output to the end waits for the
//! sleep. The front is the command's parent and ends with its status; the worker has recorder and streams, and goes on
//! behind it while a process that the command left holds the output open. The fork comes before there is anything
//! secret in memory, and before any thread.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::Pid;

use crate::child::Gone;
use crate::clock::{Clock, timespec};
use crate::command::Command;
use crate::ending::{GRACE_US, KILLED_US};
use crate::error::{Attempt as _, TeeError};
use crate::exec::{Keeper, Ours, Relay, Streams, Theirs, Watch, exit, pipes, start};
use crate::lane::forget_standard;
use crate::link::Link;
use crate::message::{Exit, InputCapture, Outcome, Recorder};
use crate::signals::Signals;
use crate::sys;

/// What the two say to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    /// Worker: the recorder stands, start the command.
    Ready,
    /// Front: it runs, as this process.
    Started(i32),
    /// Front: it could not be started; the error number.
    Refused(i32),
    /// Front: it has ended; status, and signal or 0.
    Gone(i32, i32),
    /// Worker: all it wrote is written, but others hold its output open.
    StillOpen,
    /// Worker: the session has to end, end the command.
    End,
    /// Worker: everything is done; the status to end with.
    Done(i32),
}

const WORD_BYTES: usize = 9;

impl Word {
    fn send(self, mut to: &UnixStream) -> io::Result<()> {
        let (tag, a, b) = match self {
            Self::Ready => (b'R', 0, 0),
            Self::Started(pid) => (b'S', pid, 0),
            Self::Refused(errno) => (b'E', errno, 0),
            Self::Gone(status, signal) => (b'G', status, signal),
            Self::StillOpen => (b'O', 0, 0),
            Self::End => (b'K', 0, 0),
            Self::Done(status) => (b'D', status, 0),
        };
        let mut bytes = [tag; WORD_BYTES];
        bytes[1..5].copy_from_slice(&i32::to_ne_bytes(a));
        bytes[5..].copy_from_slice(&i32::to_ne_bytes(b));
        to.write_all(&bytes)
    }

    /// Waits for one; an error when the other process is gone.
    fn receive(mut from: &UnixStream) -> io::Result<Self> {
        let mut bytes = [0; WORD_BYTES];
        from.read_exact(&mut bytes)?;
        let [tag, a0, a1, a2, a3, b0, b1, b2, b3] = bytes;
        let (a, b) = (i32::from_ne_bytes([a0, a1, a2, a3]), i32::from_ne_bytes([b0, b1, b2, b3]));
        match tag {
            b'R' => Ok(Self::Ready),
            b'S' => Ok(Self::Started(a)),
            b'E' => Ok(Self::Refused(a)),
            b'G' => Ok(Self::Gone(a, b)),
            b'O' => Ok(Self::StillOpen),
            b'K' => Ok(Self::End),
            b'D' => Ok(Self::Done(a)),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// Runs the command as a child of this process, and `work` in a worker process: it makes its recorder, calls
/// [`Worker::relay`], closes the record, and gives back the status to end with.
///
/// Gives back how this process is to end, at once. Afterwards its standard streams are /dev/null: only
/// the command and the worker have the real ones. Must be called before any thread is started.
pub fn exec_front(
    command: &Command,
    input: InputCapture,
    work: impl FnOnce(&mut Worker) -> i32,
) -> Result<Status, TeeError> {
    let program = command.prepare().map_err(|e| TeeError::of_exec(&command.program, e))?;
    let signals = Signals::new()?;
    let (theirs, ours) = pipes(input).attempt("make pipes")?;
    let (front, worker) = UnixStream::pair().attempt("make a socket")?;
    match sys::fork().attempt("start a process")? {
        sys::Side::Child => {
            drop((theirs, front, signals));
            sys::close_passed_on();
            if input == InputCapture::Off {
                forget_standard(0);
            }
            let front = rustix::process::getppid();
            let mut worker = Worker { socket: worker, ours: Some(ours), program: command.program.clone(), front };
            let status = work(&mut worker);
            // A front that is gone needs no status.
            let _ = Word::Done(status).send(&worker.socket);
            std::process::exit(status)
        }
        sys::Side::Parent => {
            // With the work goes what only the worker is to hold open.
            drop((ours, worker, work));
            Ok(Front { socket: front, signals }.run(command, &program, theirs))
        }
    }
}

/// The status of a session whose worker is gone.
const WORKER_LOST: i32 = 125;

/// How a front is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The status of the command or, where it did not run, of the recorder.
    pub code: i32,
    /// The signal that killed the command, where that is all there is to say.
    pub signal: Option<i32>,
}

impl Status {
    fn of(code: i32, gone: Option<Gone>) -> Self {
        Self { code, signal: gone.filter(|gone| gone.status == code).and_then(|gone| gone.signal) }
    }
}

struct Front {
    socket: UnixStream,
    signals: Signals,
}

impl Front {
    fn run(self, command: &Command, program: &sys::Program, theirs: Theirs) -> Status {
        match Word::receive(&self.socket) {
            Ok(Word::Ready) => {}
            Ok(Word::Done(status)) => return Status::of(status, None),
            Ok(_) | Err(_) => return Status::of(WORKER_LOST, None),
        }
        let child = match start(command, program, theirs) {
            Ok(child) => child,
            Err(error) => {
                let _ = Word::Refused(errno_of(&error)).send(&self.socket);
                let status = match Word::receive(&self.socket) {
                    Ok(Word::Done(status)) => status,
                    Ok(_) | Err(_) => error.status(),
                };
                return Status::of(status, None);
            }
        };
        let _ = Word::Started(child.pid).send(&self.socket);
        forget_standard(1);
        forget_standard(2);
        Self::watch(&self.socket, Watch { signals: self.signals, child })
    }

    fn watch(socket: &UnixStream, mut watch: Watch) -> Status {
        let mut told = false;
        let mut worker_lives = true;
        loop {
            // Its errors are only those of a keeper that is another process.
            let _ = watch.look();
            if let Some(gone) = watch.child.gone {
                if !worker_lives {
                    return Status::of(WORKER_LOST, None);
                }
                if !told {
                    told = true;
                    let _ = Word::Gone(gone.status, gone.signal.unwrap_or(0)).send(socket);
                }
            }
            let mut fds = vec![PollFd::new(&watch.signals.fd.0, PollFlags::IN)];
            if worker_lives {
                fds.push(PollFd::new(socket, PollFlags::IN));
            }
            // An interrupted wait is as good as any other.
            let _ = poll(&mut fds, None);
            if fds.get(1).is_none_or(|fd| fd.revents().is_empty()) {
                continue;
            }
            match Word::receive(socket) {
                Ok(Word::Done(status)) => return Status::of(status, watch.child.gone),
                Ok(Word::StillOpen) => {
                    let code = watch.child.gone.map_or(WORKER_LOST, |gone| gone.status);
                    return Status::of(code, watch.child.gone);
                }
                Ok(Word::End) => watch.end(),
                Ok(_) => {}
                // Killed: the command's next write tells it, as when any reader goes away.
                Err(_) => worker_lives = false,
            }
        }
    }
}

fn errno_of(error: &TeeError) -> i32 {
    match error {
        TeeError::NotExecutable { source, .. } | TeeError::System { source, .. } => {
            source.raw_os_error().unwrap_or(libc::EINVAL)
        }
        TeeError::NotFound { .. } | TeeError::Recorder(_) => libc::ENOENT,
    }
}

/// The worker's side: streams without a child.
pub struct Worker {
    socket: UnixStream,
    ours: Option<Ours>,
    program: OsString,
    /// The process that starts the command.
    front: Option<Pid>,
}

impl Worker {
    /// Has the command started, and relays until it has ended and its output is closed. `limit` bytes of each pipe are
    /// submitted. To be called once.
    pub fn relay(&mut self, recorder: &mut dyn Recorder, clock: Clock, limit: Option<u64>) -> Result<Exit, TeeError> {
        let ours = self.ours.take().ok_or_else(|| TeeError::Recorder("the session has been relayed already".into()))?;
        let streams = Streams::new(ours, limit).attempt("open the standard streams")?;
        let mut relay = Relay { link: Link::new(recorder, clock), streams, told_open: false };
        if let Some(outcome) = relay.tick()? {
            return Ok(exit(Some(Gone { status: WORKER_LOST, signal: None }), Some(outcome)));
        }
        let lost = "reach the process that starts the command";
        Word::Ready.send(&self.socket).attempt(lost)?;
        let command = match Word::receive(&self.socket).attempt(lost)? {
            Word::Refused(errno) => {
                return Err(TeeError::of_exec(&self.program, io::Error::from_raw_os_error(errno)));
            }
            Word::Started(pid) => Pid::from_raw(pid),
            _ => None,
        };
        let mut keeper = Distant { socket: &self.socket, gone: None, command, front: self.front };
        let relayed = relay.run(&mut keeper);
        let Relay { mut link, streams, .. } = relay;
        // Closes the pipes, should it have to end before the child.
        drop(streams);
        let outcome = match &relayed {
            Ok(outcome) => *outcome,
            Err(_) => Some(Outcome::Terminated),
        };
        if keeper.gone.is_none() {
            keeper.end(&mut link);
        }
        let gone = keeper.gone;
        relayed?;
        Ok(exit(gone, outcome))
    }
}

/// The child, as the front tells of it.
struct Distant<'a> {
    socket: &'a UnixStream,
    gone: Option<Gone>,
    command: Option<Pid>,
    front: Option<Pid>,
}

impl Keeper for Distant<'_> {
    fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn look(&mut self) -> Result<(), TeeError> {
        match Word::receive(self.socket) {
            Ok(Word::Gone(status, signal)) => {
                self.gone = Some(Gone { status, signal: (signal > 0).then_some(signal) });
            }
            Ok(_) => {}
            // The front was killed. How the command ends is nobody's to know any more; what it says is still recorded.
            Err(_) => {
                self.gone.get_or_insert(Gone { status: 128 + libc::SIGKILL, signal: None });
            }
        }
        Ok(())
    }

    fn is_gone(&self) -> bool {
        self.gone.is_some()
    }

    fn still_open(&mut self) {
        // A front that is gone waits for nothing.
        let _ = Word::StillOpen.send(self.socket);
    }
}

impl Distant<'_> {
    /// Has the command ended. The recorder hears meanwhile that we are there.
    fn end(&mut self, link: &mut Link<'_>) {
        let clock = Clock::start();
        // A front that is gone has no command any more that it could end.
        let _ = Word::End.send(self.socket);
        while self.gone.is_none() {
            let left_us = (GRACE_US + 2 * KILLED_US).saturating_sub(clock.now_us());
            if left_us == 0 {
                return self.end_both();
            }
            let mut fds = [PollFd::new(self.socket, PollFlags::IN)];
            if poll(&mut fds, Some(&timespec(link.stays(left_us)))).is_ok_and(|count| count > 0) {
                let _ = self.look();
            }
        }
    }

    /// The front does not do it: it was stopped. While it is our parent, the command is its child or a zombie, and both
    /// numbers are theirs.
    fn end_both(&self) {
        let front = self.front.filter(|front| rustix::process::getppid() == Some(*front));
        for pid in front.and(self.command).into_iter().chain(front) {
            // Not allowed where the command runs as another user: then nobody of his may end it.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_arrive_as_sent() {
        let (here, there) = UnixStream::pair().expect("a socket pair");
        let words = [
            Word::Ready,
            Word::Started(77),
            Word::Refused(13),
            Word::Gone(143, 15),
            Word::StillOpen,
            Word::End,
            Word::Done(-1),
        ];
        for word in words {
            word.send(&here).expect("room for nine bytes");
            assert_eq!(Word::receive(&there).expect("the word"), word);
        }
        drop(here);
        assert!(Word::receive(&there).is_err());
    }
}
