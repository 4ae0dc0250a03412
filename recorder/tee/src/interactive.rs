//! Interactive sessions: a program on a terminal of its own, copied to and from the user's.
//!
//! One thread and one poll: a keystroke costs the copy and what the recorder does, no wake-up of anyone. What a
//! recorder has not accepted stays here and is not shown; input, signals, sizes and hang-ups pass all the same. Not for
//! the last seconds of a session: `ending`.

use std::io;
use std::os::fd::AsFd as _;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::child::{Change, Child, is_stopped_by};
use crate::clock::{Clock, timespec};
use crate::command::Command;
use crate::ending::Ending;
use crate::error::{Attempt as _, TeeError};
use crate::hold::{Due, Gather};
use crate::link::{Link, earliest};
use crate::message::{Exit, InputCapture, Message, Outcome, Recorder, Stream};
use crate::queue::Queue;
use crate::signals::{Signal, Signals};
use crate::sys::{self, Source};
use crate::terminal::{Inner, Outer};
use crate::typed::Typed;

/// While more than this waits for the user's terminal, nothing more is read: what a key stops should stop soon.
const SHOWN_BYTES: usize = 128 * 1024;
/// After the child's end: how long what its terminal holds is read.
const DRAIN_US: u64 = 500_000;
/// After the child's end: with nothing new for so long, it held no more (a process left behind keeps it open).
const QUIET_US: u64 = 30_000;
/// In the background: how often to look whether the terminal is ours again (shells say so by SIGCONT; some do not).
const BACKGROUND_US: u64 = 500_000;

/// How a session is run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether input is submitted.
    pub input: InputCapture,
    /// Whose time goes with every message.
    pub clock: Clock,
}

/// Runs the program on a terminal of its own until it ends, or the session has to.
///
/// Blocks signals as [`prepare`](crate::prepare) does and leaves them so: what came meanwhile must not interrupt the
/// closing of the record.
pub fn interactive(command: &Command, recorder: &mut dyn Recorder, options: &Options) -> Result<Exit, TeeError> {
    let program = command.prepare().map_err(|e| TeeError::of_exec(&command.program, e))?;
    let signals = Signals::new()?;
    let mut outer = Outer::open()?;
    let inner = Inner::like(&mut outer)?;
    let foreground = outer.is_ours();
    if foreground {
        outer.make_raw().attempt("set the terminal's modes")?;
    }
    let mut session = Session {
        link: Link::new(recorder, options.clock),
        input: options.input,
        signals,
        outer,
        inner: Some(inner),
        child: Child::new(0),
        gather: Gather::new(),
        gather_us: None,
        shown: Queue::default(),
        typed: Typed::default(),
        size_owed: false,
        foreground,
        hung_up: false,
        read_us: 0,
    };
    // What the recorder has to say first is shown first.
    let ends = session.link.tick()?;
    session.show();
    if let Some(outcome) = ends {
        return Ok(Exit { status: 125, signal: None, outcome, left_behind: Vec::new() });
    }
    session.start(command, &program)?;
    let relayed = session.relay();
    session.finish(relayed)
}

pub(crate) struct Session<'r> {
    pub(crate) link: Link<'r>,
    input: InputCapture,
    pub(crate) signals: Signals,
    pub(crate) outer: Outer,
    /// Gone once it has been hung up.
    pub(crate) inner: Option<Inner>,
    pub(crate) child: Child,
    pub(crate) gather: Gather,
    /// When the gather wants to be looked at again.
    gather_us: Option<u64>,
    pub(crate) shown: Queue,
    typed: Typed,
    /// A size that the recorder has not accepted yet.
    size_owed: bool,
    foreground: bool,
    pub(crate) hung_up: bool,
    /// The last read of something.
    read_us: u64,
}

#[derive(Default)]
struct Ready {
    signals: bool,
    outer: bool,
    inner: bool,
}

impl Session<'_> {
    fn start(&mut self, command: &Command, program: &sys::Program) -> Result<(), TeeError> {
        let Some(slave) = self.inner.as_mut().and_then(|inner| inner.slave.take()) else { return Ok(()) };
        let slave_source = Source::From(slave.as_fd());
        // An error stream that was sent elsewhere stays there.
        let error = if rustix::termios::isatty(rustix::stdio::stderr()) { slave_source } else { Source::Inherited };
        let stdio = [slave_source, slave_source, error];
        let pid =
            sys::spawn(program, stdio, Some(slave.as_fd())).map_err(|e| TeeError::of_exec(&command.program, e))?;
        self.child = Child::new(pid);
        sys::close_passed_on();
        Ok(())
    }

    /// Copies until the session ends, and says why it did.
    fn relay(&mut self) -> Result<Ending, TeeError> {
        let mut gone_us = None;
        loop {
            self.link.look_at_clock();
            if self.hung_up {
                return Ok(Ending::Forced(Outcome::Disconnected));
            }
            if self.child.gone.is_some() {
                let gone_us = *gone_us.get_or_insert(self.link.now_us);
                if self.has_drained(gone_us)? {
                    return Ok(Ending::ByItself);
                }
            }
            let ready = self.wait(gone_us)?;
            self.link.look_at_clock();
            if ready.signals {
                self.take_signals()?;
            }
            if ready.inner {
                self.read_inner();
            }
            self.submit_output(false)?;
            self.show();
            if ready.outer {
                self.read_outer()?;
            }
            self.feed()?;
            if self.size_owed {
                self.submit_size()?;
            }
            if let Some(outcome) = self.link.tick()? {
                return Ok(Ending::Forced(outcome));
            }
            self.show();
        }
    }

    fn wait(&mut self, gone_us: Option<u64>) -> Result<Ready, TeeError> {
        let mut wake = earliest(self.link.wake_us(), self.gather_us);
        if let Some(gone) = gone_us {
            // Once past, the rest waits for the user's terminal or for the recorder.
            let drained = (gone + DRAIN_US).min(self.read_us.max(gone) + QUIET_US);
            wake = earliest(wake, Some(drained).filter(|at| *at > self.link.now_us));
        }
        if !self.foreground {
            wake = earliest(wake, Some(self.link.now_us + BACKGROUND_US));
        }
        let mut outer = PollFlags::empty();
        outer.set(PollFlags::IN, self.foreground && gone_us.is_none() && self.typed.has_room());
        let mut inner = PollFlags::empty();
        let room = gone_us.is_some() || self.shown.len() < SHOWN_BYTES;
        inner.set(PollFlags::IN, room && self.gather.has_room());
        inner.set(PollFlags::OUT, !self.typed.queue.is_empty());

        let mut fds = Vec::with_capacity(4);
        fds.push(PollFd::new(&self.signals.fd.0, PollFlags::IN));
        fds.push(PollFd::new(&self.outer.input, outer));
        if !self.shown.is_empty() {
            fds.push(PollFd::new(&self.outer.output, PollFlags::OUT));
        }
        let inner_at = fds.len();
        if let Some(pair) = &self.inner
            && !inner.is_empty()
        {
            fds.push(PollFd::new(&pair.master, inner));
        }
        let timeout = wake.map(|at| timespec(at.saturating_sub(self.link.now_us)));
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(e) => return Err(e).attempt("wait for the terminal"),
        }
        let came = |at: usize| fds.get(at).map_or(PollFlags::empty(), PollFd::revents);
        let ready = Ready {
            signals: !came(0).is_empty(),
            outer: came(1).intersects(PollFlags::IN),
            inner: came(inner_at).intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR),
        };
        if came(1).intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
            self.hung_up = true;
        }
        drop(fds);
        if !self.foreground {
            self.come_forward();
        }
        Ok(ready)
    }

    /// One read of what the child shows.
    pub(crate) fn read_inner(&mut self) {
        let Some(inner) = &mut self.inner else { return };
        match self.gather.read(&inner.master, self.link.now_us) {
            Ok(1..) => self.read_us = self.link.now_us,
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            // Nobody has the far side open: at the end, or until the child opens its terminal again.
            Ok(0) | Err(_) if self.child.gone.is_some() => self.inner = None,
            Ok(0) | Err(_) => inner.hold_open(),
        }
    }

    /// Reads what the child's terminal holds, as far as there is room.
    pub(crate) fn read_queued(&mut self) {
        while self.gather.has_room() {
            let before = self.gather.front(usize::MAX).len();
            self.read_inner();
            if self.gather.front(usize::MAX).len() == before {
                break;
            }
        }
    }

    /// Gives the recorder what is due and queues what it accepted.
    pub(crate) fn submit_output(&mut self, last: bool) -> Result<(), TeeError> {
        self.gather_us = None;
        loop {
            let count = match self.gather.due(self.link.now_us, last) {
                Due::Nothing => return Ok(()),
                Due::At(us) => {
                    self.gather_us = Some(us);
                    return Ok(());
                }
                Due::Now(count) => count,
            };
            let bytes = self.gather.front(count);
            if !self.link.offer(Message::Output { stream: Stream::Output, bytes })? {
                return Ok(());
            }
            let past = if self.shown.is_empty() { self.outer.output.write(bytes) } else { Ok(0) };
            match past {
                Ok(written) => self.shown.push(bytes.get(written..).unwrap_or_default()),
                Err(_) => self.hung_up = true,
            }
            self.gather.taken(count, self.link.now_us);
        }
    }

    /// Writes to the user's terminal what it takes.
    pub(crate) fn show(&mut self) {
        for text in self.link.show.drain(..) {
            self.shown.push(text.as_bytes());
        }
        while !self.shown.is_empty() {
            match self.outer.output.write(self.shown.front()) {
                Ok(0) => return,
                Ok(count) => self.shown.taken(count),
                Err(_) => {
                    self.hung_up = true;
                    self.shown.clear();
                }
            }
        }
    }

    fn read_outer(&mut self) -> Result<(), TeeError> {
        let mut bytes = [0; 4096];
        let count = match rustix::io::read(&self.outer.input, &mut bytes) {
            Ok(0) | Err(Errno::IO) => {
                // Also said to a background process that may not be stopped.
                self.hung_up = self.outer.is_gone();
                self.foreground = self.foreground && !self.hung_up && self.outer.is_ours();
                return Ok(());
            }
            Ok(count) => count,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
            Err(e) => return Err(e).attempt("read from the terminal"),
        };
        let (Some(inner), Some(bytes)) = (&self.inner, bytes.get(..count)) else { return Ok(()) };
        let leader = self.child.pid;
        let stops =
            inner.suspends_by(bytes) && inner.foreground() == Some(leader) && is_stopped_by(leader, libc::SIGTSTP);
        match self.input {
            InputCapture::Off => self.typed.pass(inner, bytes),
            InputCapture::On => self.typed.take(inner, bytes, &mut self.link)?,
        }
        if stops {
            // The kernel spares the leader's group this stop, because in its session nobody could continue it. We can.
            self.child.signal_group(libc::SIGSTOP);
        }
        Ok(())
    }

    /// Writes to the child what it takes.
    fn feed(&mut self) -> Result<(), TeeError> {
        self.typed.offer_held(&mut self.link)?;
        if let Some(inner) = &self.inner {
            self.typed.write(inner);
        }
        Ok(())
    }

    fn take_signals(&mut self) -> Result<(), TeeError> {
        while let Some(signal) = self.signals.next() {
            match signal.number {
                libc::SIGCHLD => {}
                libc::SIGWINCH => self.resize(),
                libc::SIGCONT => self.resume(),
                libc::SIGHUP if !sys::Original::get().ignores(libc::SIGHUP) => self.hung_up = true,
                _ => self.pass_on(signal),
            }
        }
        while let Some(change) = self.child.poll() {
            match change {
                Change::Stopped(_) => self.suspend()?,
                Change::Gone(_) => return Ok(()),
            }
        }
        Ok(())
    }

    /// A signal sent to us is meant for what the user sees.
    fn pass_on(&mut self, signal: Signal) {
        let group = self.inner.as_ref().and_then(Inner::foreground).filter(|group| *group > 1);
        let passed = group.is_some_and(|group| sys::kill(-group, signal.number).is_ok());
        if !passed {
            self.child.signal_group(signal.number);
        }
    }

    fn resize(&mut self) {
        if let (Ok(size), Some(inner)) = (self.outer.size(), &self.inner) {
            inner.set_size(size);
            self.size_owed = true;
        }
    }

    fn submit_size(&mut self) -> Result<(), TeeError> {
        let Ok(size) = self.outer.size() else { return Ok(()) };
        self.size_owed = !self.link.offer(Message::Resize { cols: size.ws_col, rows: size.ws_row })?;
        Ok(())
    }

    /// The child has stopped (a shell's `suspend`): so does the recorder, with the terminal as it was found, for the
    /// shell outside to take over.
    fn suspend(&mut self) -> Result<(), TeeError> {
        // What it wrote before it stopped belongs on the screen before the shell's prompt.
        self.read_queued();
        self.submit_output(true)?;
        self.show();
        self.outer.restore();
        if !sys::Original::get().ignores(libc::SIGTSTP) {
            sys::pause_by(libc::SIGTSTP, true);
        }
        // Continued, which SIGCONT then tells too; or not stopped, because there is no shell outside that could.
        self.link.look_at_clock();
        self.come_forward();
        Ok(())
    }

    /// Continued, maybe after others had the terminal.
    fn resume(&mut self) {
        self.come_forward();
        self.resize();
        if self.child.stopped {
            self.child.stopped = false;
            self.child.signal_group(libc::SIGCONT);
        }
    }

    fn come_forward(&mut self) {
        self.foreground = self.outer.is_ours();
        if self.foreground {
            // Refused only by a terminal that is gone, which the next read tells.
            let _ = self.outer.make_raw();
        }
    }

    /// After the child's end: whether all that it showed has been read, accepted and shown.
    fn has_drained(&mut self, gone_us: u64) -> Result<bool, TeeError> {
        let now = self.link.now_us;
        let quiet = now >= self.read_us.max(gone_us) + QUIET_US;
        if self.inner.is_some() && !quiet && now < gone_us + DRAIN_US {
            return Ok(false);
        }
        // Whoever else has it open may write for ever.
        self.inner = None;
        self.submit_output(true)?;
        self.show();
        Ok(self.gather.is_empty() && self.shown.is_empty() && self.link.is_settled())
    }
}
