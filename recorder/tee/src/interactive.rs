//! Interactive sessions: a program on a terminal of its own, copied to and from the user's.
//!
//! One thread and one poll: a keystroke costs the copy and what the recorder does, no wake-up of anyone. In bulk the
//! recorder works on what was submitted while the next is read and the last is shown. What it has not accepted stays here
//! and is not shown; input, signals, sizes and hang-ups pass all the same. Not for the last seconds of a session:
//! `ending`.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsFd as _;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::child::{Change, Child, is_stopped_by};
use crate::clock::{Clock, timespec};
use crate::command::Command;
use crate::ending::{Ending, LAST_WORDS_US};
use crate::error::{Attempt as _, TeeError};
use crate::link::{Link, Passed, earliest};
use crate::message::{Exit, InputCapture, Message, Outcome, Recorder, Stream};
use crate::passage::{Due, Passage};
use crate::signals::{Signal, Signals};
use crate::sys::{self, Source};
use crate::terminal::{Inner, Outer};
use crate::typed::Typed;

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
    /// How many bytes of each pipe are submitted; of what comes after them, the recorder hears what it came to. A terminal
    /// has no limit.
    pub limit: Option<u64>,
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
        passage: Passage::new(),
        gather_us: None,
        typed: Typed::default(),
        size: SizeState::Recorded,
        foreground,
        hung_up: false,
        read_us: 0,
    };
    // What the recorder has to say first is shown first.
    let ends = session.link.tick()?;
    session.settle()?;
    if let Some(outcome) = ends {
        return Ok(Exit { status: 125, signal: None, outcome, left_behind: Vec::new() });
    }
    session.link.lend();
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
    pub(crate) passage: Passage,
    /// When the passage wants to be looked at again.
    gather_us: Option<u64>,
    typed: Typed,
    size: SizeState,
    foreground: bool,
    pub(crate) hung_up: bool,
    /// The last read of something.
    read_us: u64,
}

/// What the recorder knows of the size. While one is on its way no other is: a window that is dragged has many.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SizeState {
    Recorded,
    OnItsWay,
    Owed,
    OwedAfter,
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
        if let Some(inner) = &self.inner {
            self.link.stand_in.lend(&self.outer, inner, pid).attempt("open the terminal")?;
        }
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
            self.submit_output(false);
            self.settle()?;
            self.take_kept()?;
            if ready.outer {
                self.read_outer()?;
            }
            if let Some(inner) = &self.inner {
                self.typed.hurry(inner, self.link.now_us);
                self.typed.write(inner);
            }
            self.submit_size()?;
            if let Some(outcome) = self.link.tick()? {
                return Ok(Ending::Forced(outcome));
            }
            self.settle()?;
        }
    }

    fn wait(&mut self, gone_us: Option<u64>) -> Result<Ready, TeeError> {
        let mut wake = earliest(earliest(self.link.wake_us(), self.gather_us), self.typed.wake_us());
        if let Some(gone) = gone_us {
            // Once past, the rest waits for the user's terminal or for the recorder.
            let drained = (gone + DRAIN_US).min(self.read_us.max(gone) + QUIET_US);
            wake = earliest(wake, Some(drained).filter(|at| *at > self.link.now_us));
        }
        if !self.foreground {
            wake = earliest(wake, Some(self.link.now_us + BACKGROUND_US));
        }
        let mut outer = PollFlags::empty();
        let input_room = self.typed.has_room() && self.link.has_room();
        outer.set(PollFlags::IN, self.foreground && gone_us.is_none() && input_room);
        let mut inner = PollFlags::empty();
        let to_show = self.passage.to_show().len();
        let room = if gone_us.is_some() { self.passage.has_room_at_the_end() } else { self.passage.has_room() };
        inner.set(PollFlags::IN, room);
        if !room {
            self.passage.is_not_read(self.link.now_us);
        }
        inner.set(PollFlags::OUT, !self.typed.queue.is_empty());

        if self.link.stand_in.has_kept() {
            wake = Some(self.link.now_us);
        }
        let timeout = wake.map(|at| timespec(at.saturating_sub(self.link.now_us)));
        let mut fds = Vec::with_capacity(5);
        fds.push(PollFd::new(&self.signals.fd.0, PollFlags::IN));
        fds.push(PollFd::new(&self.outer.input, outer));
        if to_show > 0 {
            fds.push(PollFd::new(&self.outer.output, PollFlags::OUT));
        }
        let inner_at = fds.len();
        if let Some(pair) = &self.inner
            && !inner.is_empty()
        {
            fds.push(PollFd::new(&pair.master, inner));
        }
        let news_at = fds.len();
        if let Some(news) = self.link.news() {
            fds.push(PollFd::from_borrowed_fd(news, PollFlags::IN));
        }
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(e) => return Err(e).attempt("wait for the terminal"),
        }
        let came = |at: usize| fds.get(at).map_or(PollFlags::empty(), PollFd::revents);
        let news = !came(news_at).is_empty();
        let ready = Ready {
            signals: !came(0).is_empty(),
            outer: came(1).intersects(PollFlags::IN),
            inner: inner_at < news_at && came(inner_at).intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR),
        };
        if came(1).intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
            self.hung_up = true;
        }
        drop(fds);
        if news {
            self.link.has_news();
        }
        if !self.foreground {
            self.come_forward();
        }
        Ok(ready)
    }

    /// One read of what the child shows; how much there was.
    fn read_inner(&mut self) -> usize {
        let Some(inner) = &mut self.inner else { return 0 };
        match self.passage.read(&inner.master, self.link.now_us) {
            Ok(count @ 1..) => {
                self.read_us = self.link.now_us;
                return count;
            }
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            // Nobody has the far side open: at the end, or until the child opens its terminal again.
            Ok(0) | Err(_) if self.child.gone.is_some() => self.close_inner(),
            Ok(0) | Err(_) => inner.hold_open(),
        }
        0
    }

    /// Nobody of us has it open any more.
    pub(crate) fn close_inner(&mut self) {
        self.link.stand_in.retire();
        self.inner = None;
    }

    /// Reads what the child's terminal holds, as far as there is room.
    pub(crate) fn read_queued(&mut self) {
        while self.passage.has_room_at_the_end() && self.read_inner() > 0 {}
    }

    /// Gives the recorder what is due.
    pub(crate) fn submit_output(&mut self, last: bool) {
        self.gather_us = None;
        while self.link.has_room() {
            match self.passage.due(self.link.now_us, last) {
                Due::Nothing => return,
                Due::At(us) => {
                    self.gather_us = Some(us);
                    return;
                }
                Due::Now(count) => {
                    let bytes = self.passage.front(count);
                    self.link.submit(Message::Output { stream: Stream::Output, bytes });
                    self.passage.submitted(count, self.link.now_us);
                }
            }
        }
    }

    /// Lets go on what was accepted.
    pub(crate) fn settle(&mut self) -> Result<(), TeeError> {
        self.link.hear()?;
        while let Some(passed) = self.link.passed() {
            match passed {
                Passed::Output(_, count) => self.passage.accept(count),
                Passed::Notice(text) => self.passage.insert(&text),
                Passed::Input => self.typed.accepted(self.inner.as_ref()),
                Passed::Resize => {
                    let owed = self.size == SizeState::OwedAfter;
                    self.size = if owed { SizeState::Owed } else { SizeState::Recorded };
                }
                // Only exec sessions have one.
                Passed::InputEnd | Passed::Fact => {}
            }
        }
        self.show();
        Ok(())
    }

    /// Writes to the user's terminal what it takes.
    fn show(&mut self) {
        while !self.passage.to_show().is_empty() {
            match self.outer.output.write(self.passage.to_show()) {
                Ok(0) => return,
                Ok(count) => self.passage.show(count),
                Err(_) => {
                    self.hung_up = true;
                    self.passage.show(usize::MAX);
                }
            }
        }
    }

    /// Submits all that was read and shows it, waiting for recorder and terminal so long at most.
    pub(crate) fn show_all(&mut self, at_most_us: u64) -> Result<(), TeeError> {
        let clock = Clock::start();
        loop {
            self.link.look_at_clock();
            self.submit_output(true);
            self.settle()?;
            let left_us = at_most_us.saturating_sub(clock.now_us());
            if self.hung_up || self.passage.is_empty() || left_us == 0 {
                return Ok(());
            }
            let mut fds = Vec::with_capacity(2);
            if !self.passage.to_show().is_empty() {
                fds.push(PollFd::new(&self.outer.output, PollFlags::OUT));
            }
            if let Some(news) = self.link.news() {
                fds.push(PollFd::from_borrowed_fd(news, PollFlags::IN));
            }
            let _ = poll(&mut fds, Some(&timespec(left_us)));
        }
    }

    fn read_outer(&mut self) -> Result<(), TeeError> {
        let mut bytes = [const { MaybeUninit::<u8>::uninit() }; 4096];
        let bytes = match rustix::io::read(&self.outer.input, &mut bytes) {
            Ok((bytes, _)) if !bytes.is_empty() => bytes,
            Ok(_) | Err(Errno::IO) => {
                // Also said to a background process that may not be stopped.
                self.hung_up = self.outer.is_gone();
                self.foreground = self.foreground && !self.hung_up && self.outer.is_ours();
                return Ok(());
            }
            Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
            Err(e) => return Err(e).attempt("read from the terminal"),
        };
        // What was typed while we were away came before this.
        self.take_kept()?;
        self.typed_in(bytes)
    }

    /// What the stand-in has kept.
    fn take_kept(&mut self) -> Result<(), TeeError> {
        while let Some(kept) = self.link.stand_in.take() {
            match (kept.passed, self.input) {
                (false, _) => self.typed_in(&kept.bytes)?,
                (true, InputCapture::Off) => {}
                (true, InputCapture::On) => self.typed.submit_passed(&kept.bytes, &mut self.link),
            }
        }
        Ok(())
    }

    fn typed_in(&mut self, bytes: &[u8]) -> Result<(), TeeError> {
        let Some(inner) = &self.inner else { return Ok(()) };
        let leader = self.child.pid;
        let stops =
            inner.suspends_by(bytes) && inner.foreground() == Some(leader) && is_stopped_by(leader, libc::SIGTSTP);
        match self.input {
            InputCapture::Off => self.typed.pass(inner, bytes),
            InputCapture::On => {
                self.typed.submit(inner, bytes, &mut self.link);
                self.settle()?;
            }
        }
        if stops {
            // The kernel spares the leader's group this stop, because in its session nobody could continue it. We can.
            self.child.signal_group(libc::SIGSTOP);
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
            let on_its_way = matches!(self.size, SizeState::OnItsWay | SizeState::OwedAfter);
            self.size = if on_its_way { SizeState::OwedAfter } else { SizeState::Owed };
        }
    }

    fn submit_size(&mut self) -> Result<(), TeeError> {
        if self.size != SizeState::Owed || !self.link.has_room() {
            return Ok(());
        }
        let Ok(size) = self.outer.size() else { return Ok(()) };
        self.size = SizeState::OnItsWay;
        self.link.submit(Message::Resize { cols: size.ws_col, rows: size.ws_row });
        self.settle()
    }

    /// The child has stopped (a shell's `suspend`): so does the recorder, with the terminal as it was found, for the
    /// shell outside to take over.
    fn suspend(&mut self) -> Result<(), TeeError> {
        // What it wrote before it stopped belongs on the screen before the shell's prompt.
        self.read_queued();
        self.show_all(LAST_WORDS_US)?;
        self.outer.restore();
        self.link.sleeps();
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
        self.close_inner();
        self.submit_output(true);
        self.link.last();
        self.settle()?;
        Ok(self.link.lets_go() || self.passage.is_empty() && self.link.is_settled())
    }
}
