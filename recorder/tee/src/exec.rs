//! Exec sessions: no terminal in between; pipes for the child's output, kept apart.
//!
//! The child stays in our process group and session. Not for a child that another process started: `front` uses the
//! same relay for that.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::child::{Change, Child, Gone};
use crate::clock::timespec;
use crate::command::Command;
use crate::ending::{GRACE_US, KILLED_US, wait_for};
use crate::error::{Attempt as _, TeeError};
use crate::feed::{self, Feed};
use crate::interactive::Options;
use crate::lane::{self, Lane, forget_standard};
use crate::link::{Link, Passed, earliest};
use crate::message::{Exit, InputCapture, Outcome, Recorder, Stream};
use crate::signals::Signals;
use crate::sys::{self, Original, Source};

/// Runs the program with pipes in between until it has ended and its output is closed.
///
/// Blocks signals as [`prepare`](crate::prepare) does and leaves them so. Standard output of this process is /dev/null
/// once the child's has ended, so that whoever waits for its end sees it; standard error stays, for messages.
pub fn exec(command: &Command, recorder: &mut dyn Recorder, options: &Options) -> Result<Exit, TeeError> {
    let program = command.prepare().map_err(|e| TeeError::of_exec(&command.program, e))?;
    let signals = Signals::new()?;
    let (theirs, ours) = pipes(options.input).attempt("make pipes")?;
    let streams = Streams::new(ours, options.limit).attempt("open the standard streams")?;
    let mut relay = Relay { link: Link::new(recorder, options.clock), streams, told_open: false };
    if let Some(outcome) = relay.tick()? {
        return Ok(Exit { status: 125, signal: None, outcome, left_behind: Vec::new() });
    }
    let child = start(command, &program, theirs)?;
    let mut watch = Watch { signals, child };
    let relayed = relay.run(&mut watch);
    // Closes the pipes, should it have to end before the child.
    drop(relay);
    let outcome = match &relayed {
        Ok(outcome) => *outcome,
        Err(_) => Some(Outcome::Terminated),
    };
    if watch.child.gone.is_none() {
        watch.end();
    }
    relayed?;
    Ok(exit(watch.child.gone, outcome))
}

/// How the session ended, for a child that went by itself or had to.
pub(crate) fn exit(gone: Option<Gone>, outcome: Option<Outcome>) -> Exit {
    let gone = gone.unwrap_or(Gone { status: 128 + libc::SIGTERM, signal: None });
    let by_itself = if gone.signal.is_some() { Outcome::Signalled } else { Outcome::Exited };
    Exit { status: gone.status, signal: gone.signal, outcome: outcome.unwrap_or(by_itself), left_behind: Vec::new() }
}

/// The child's ends; `None` for what it inherits.
pub(crate) struct Theirs([Option<OwnedFd>; 3]);

/// Our ends.
pub(crate) struct Ours {
    input: Option<OwnedFd>,
    output: Option<OwnedFd>,
    error: Option<OwnedFd>,
}

/// Pipes for every standard stream that was open.
pub(crate) fn pipes(input: InputCapture) -> io::Result<(Theirs, Ours)> {
    let original = Original::get();
    let pipe = |number: u8, wanted: bool| -> io::Result<(Option<OwnedFd>, Option<OwnedFd>)> {
        if !wanted || original.was_closed(number) {
            return Ok((None, None));
        }
        let (read, write) = io::pipe()?;
        Ok((Some(read.into()), Some(write.into())))
    };
    let (their_input, our_input) = pipe(0, input == InputCapture::On)?;
    let (our_output, their_output) = pipe(1, true)?;
    let (our_error, their_error) = pipe(2, true)?;
    let ours = Ours { input: our_input, output: our_output, error: our_error };
    Ok((Theirs([their_input, their_output, their_error]), ours))
}

/// Starts the child and lets go of all that is only the child's.
pub(crate) fn start(command: &Command, program: &sys::Program, theirs: Theirs) -> Result<Child, TeeError> {
    let stdio = theirs.0.each_ref().map(|fd| fd.as_ref().map_or(Source::Inherited, |fd| Source::From(fd.as_fd())));
    let pid = sys::spawn(program, stdio, None).map_err(|e| TeeError::of_exec(&command.program, e))?;
    sys::close_passed_on();
    forget_standard(0);
    Ok(Child::new(pid))
}

/// All that flows.
pub(crate) struct Streams {
    lanes: [Option<Lane>; 2],
    feed: Option<Feed>,
}

impl Streams {
    /// `limit` bytes of each are recorded as they come.
    pub(crate) fn new(ours: Ours, limit: Option<u64>) -> io::Result<Self> {
        let lane = |stream, from, to| Lane::new(stream, from, to, limit);
        let output = ours.output.map(|from| lane(Stream::Output, from, rustix::stdio::stdout())).transpose()?;
        let error = ours.error.map(|from| lane(Stream::Error, from, rustix::stdio::stderr())).transpose()?;
        Ok(Self { lanes: [output, error], feed: ours.input.map(|to| Feed::new(to, limit)).transpose()? })
    }

    fn lanes(&self) -> impl Iterator<Item = &Lane> {
        self.lanes.iter().flatten()
    }
}

/// Who knows what becomes of the child.
pub(crate) trait Keeper {
    /// Readable when there is news.
    fn fd(&self) -> BorrowedFd<'_>;
    /// Takes the news; an error when nothing more can be known.
    fn look(&mut self) -> Result<(), TeeError>;
    fn is_gone(&self) -> bool;
    /// The child is gone and what it wrote is written, but others still hold its output open.
    fn still_open(&mut self) {}
}

/// The streams with the recorder between.
pub(crate) struct Relay<'r> {
    pub(crate) link: Link<'r>,
    pub(crate) streams: Streams,
    /// `still_open` has been called.
    pub(crate) told_open: bool,
}

impl Relay<'_> {
    /// Relays until the child is gone and its output closed (`None`), or the recorder ends the session.
    pub(crate) fn run(&mut self, keeper: &mut impl Keeper) -> Result<Option<Outcome>, TeeError> {
        let outcome = self.relay(keeper);
        self.tell_rests();
        outcome
    }

    /// What pipes came to that went over their limits, once of each.
    fn tell_rests(&mut self) {
        self.streams.lanes.iter_mut().flatten().for_each(|lane| lane.finish(&mut self.link));
        self.streams.feed.iter_mut().for_each(|feed| feed.finish(&mut self.link));
    }

    fn relay(&mut self, keeper: &mut impl Keeper) -> Result<Option<Outcome>, TeeError> {
        loop {
            self.link.look_at_clock();
            if keeper.is_gone() {
                if let Some(mut feed) = self.streams.feed.take() {
                    feed.stop();
                    feed.finish(&mut self.link);
                }
                self.link.last();
                let done = self.streams.lanes().all(Lane::is_done);
                if done {
                    self.tell_rests();
                }
                if self.link.lets_go() || done && self.link.is_settled() {
                    return Ok(None);
                }
            }
            let gone = keeper.is_gone();
            let moved = self.round(keeper)?;
            // One that has ended in the meantime is not open, though the last of it was only now accepted.
            let open = || self.streams.lanes().all(Lane::is_drained) && !self.streams.lanes().all(Lane::is_done);
            if gone && !moved && !self.told_open && open() {
                self.told_open = true;
                keeper.still_open();
            }
            if let Some(outcome) = self.tick()? {
                return Ok(Some(outcome));
            }
        }
    }

    /// Waits for something and serves it; whether the child's output had, or may have, anything.
    fn round(&mut self, keeper: &mut impl Keeper) -> Result<bool, TeeError> {
        let gathers = self.streams.lanes().fold(None, |wake, lane| earliest(wake, lane.gather_us));
        let mut wake = earliest(self.link.wake_us(), gathers);
        if keeper.is_gone() && !self.told_open && self.streams.lanes().all(Lane::is_drained) {
            // Whatever the child wrote is in the pipe already, so one look without waiting tells.
            wake = Some(self.link.now_us);
        }
        let timeout = wake.map(|at| timespec(at.saturating_sub(self.link.now_us)));
        let mut fds = Vec::with_capacity(9);
        fds.push(PollFd::from_borrowed_fd(keeper.fd(), PollFlags::IN));
        let lanes = self.streams.lanes.each_ref().map(|lane| lane.as_ref().map(|lane| lane.watch(&mut fds)));
        let feed: Option<feed::Places> = self.streams.feed.as_ref().map(|feed| feed.watch(&mut fds));
        let news_at = fds.len();
        if let Some(news) = self.link.news() {
            fds.push(PollFd::from_borrowed_fd(news, PollFlags::IN));
        }
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(e) => return Err(e).attempt("wait for the streams"),
        }
        let came: Vec<PollFlags> = fds.iter().map(PollFd::revents).collect();
        drop(fds);
        self.link.look_at_clock();
        if came.get(news_at).is_some_and(|flags| !flags.is_empty()) {
            self.link.has_news();
        }
        if came.first().is_some_and(|flags| !flags.is_empty()) {
            keeper.look()?;
        }
        let mut moved = false;
        for (lane, places) in self.streams.lanes.iter_mut().zip(lanes) {
            if let (Some(lane), Some(places)) = (lane, places) {
                let places: lane::Places = places;
                moved |= lane.read(places, &came, self.link.now_us);
                lane.submit(&mut self.link);
            }
        }
        if let (Some(feed), Some(places)) = (&mut self.streams.feed, feed) {
            feed.serve(places, &came, &mut self.link);
        }
        self.settle()?;
        Ok(moved)
    }

    /// Lets go on what was accepted.
    fn settle(&mut self) -> Result<(), TeeError> {
        self.link.hear()?;
        let Streams { lanes, feed } = &mut self.streams;
        while let Some(passed) = self.link.passed() {
            let [output, error] = lanes;
            match (passed, feed.as_mut()) {
                (Passed::Output(stream, count), _) => {
                    let lane = if stream == Stream::Output { output } else { error };
                    lane.iter_mut().for_each(|lane| lane.accept(count));
                }
                (Passed::Notice(text), _) => error.iter_mut().for_each(|lane| lane.insert(&text)),
                (Passed::Input, Some(feed)) => feed.accepted(),
                (Passed::InputEnd, Some(feed)) => feed.end_accepted(),
                // The child is gone; or a size, which only terminals have.
                (Passed::Input | Passed::InputEnd | Passed::Resize | Passed::Fact, _) => {}
            }
        }
        lanes.iter_mut().flatten().for_each(Lane::write);
        feed.iter_mut().for_each(Feed::write);
        Ok(())
    }

    pub(crate) fn tick(&mut self) -> Result<Option<Outcome>, TeeError> {
        let outcome = self.link.tick()?;
        self.settle()?;
        Ok(outcome)
    }
}

/// The child and the signals of the process that started it.
pub(crate) struct Watch {
    pub(crate) signals: Signals,
    pub(crate) child: Child,
}

impl Keeper for Watch {
    fn fd(&self) -> BorrowedFd<'_> {
        self.signals.fd.0.as_fd()
    }

    fn look(&mut self) -> Result<(), TeeError> {
        while let Some(signal) = self.signals.next() {
            match (signal.number, signal.sender) {
                (libc::SIGCHLD, _) => {}
                (libc::SIGCONT, _) => {
                    if self.child.stopped {
                        self.child.stopped = false;
                        self.child.signal(libc::SIGCONT);
                    }
                }
                // The kernel told the whole group, so the child knows; and one that signals its group means itself.
                (_, None) => {}
                (_, Some(sender)) if sender == self.child.pid => {}
                (number, Some(_)) => self.child.signal(number),
            }
        }
        while let Some(change) = self.child.poll() {
            // Ctrl-Z: the shell waits for us to stop. Other stop signals to the group have stopped us already, and one to
            // the child alone is not for us.
            if change == Change::Stopped(libc::SIGTSTP) && !Original::get().ignores(libc::SIGTSTP) {
                sys::pause_by(libc::SIGTSTP, false);
            }
        }
        Ok(())
    }

    fn is_gone(&self) -> bool {
        self.child.gone.is_some()
    }
}

impl Watch {
    /// Ends a child that would go on.
    pub(crate) fn end(&mut self) {
        self.child.signal(libc::SIGTERM);
        self.child.signal(libc::SIGCONT);
        if !wait_for(&mut self.child, &self.signals, GRACE_US) {
            self.child.signal(libc::SIGKILL);
            wait_for(&mut self.child, &self.signals, KILLED_US);
        }
    }
}
