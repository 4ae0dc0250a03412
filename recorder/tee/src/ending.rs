//! The end of an interactive session: hanging up inside, the wait for the child, what is left behind.

use rustix::event::{PollFd, PollFlags, poll};

use crate::child::{Child, Gone, left_in_session};
use crate::clock::{Clock, timespec};
use crate::error::TeeError;
use crate::interactive::Session;
use crate::message::{Exit, LeftBehind, Outcome};
use crate::signals::Signals;
use crate::sys;

/// What came before a forced end, or a stop, is recorded and written for so long.
pub(crate) const LAST_WORDS_US: u64 = 500_000;
/// What hangs up or is asked to end gets so long to do it.
pub(crate) const GRACE_US: u64 = 5_000_000;
/// What is killed ends at once, unless it hangs in the kernel; then nobody waits for it.
pub(crate) const KILLED_US: u64 = 1_000_000;
/// Processes that the hang-up is just ending are not left behind.
const SETTLE_US: u64 = 20_000;

/// Why the relay ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    /// The child has ended, and all that it showed is shown.
    ByItself,
    /// The child may still run.
    Forced(Outcome),
}

impl Session<'_> {
    /// Ends what still runs and gives the terminal back.
    pub(crate) fn finish(mut self, relayed: Result<Ending, TeeError>) -> Result<Exit, TeeError> {
        let outcome = match &relayed {
            Ok(Ending::ByItself) => None,
            Ok(Ending::Forced(outcome)) => {
                self.last_words();
                Some(*outcome)
            }
            Err(_) => Some(Outcome::Terminated),
        };
        self.hang_up(relayed.is_ok());
        self.outer.restore();
        relayed?;
        let gone = self.child.gone.unwrap_or(Gone { status: 128 + libc::SIGHUP, signal: None });
        let by_itself = if gone.signal.is_some() { Outcome::Signalled } else { Outcome::Exited };
        Ok(Exit {
            status: gone.status,
            signal: gone.signal,
            outcome: outcome.unwrap_or(by_itself),
            left_behind: left_behind(self.child.pid),
        })
    }

    /// Before a forced end: what the child's terminal holds is recorded, and what was accepted is shown.
    fn last_words(&mut self) {
        self.read_queued();
        // A recorder that cannot take them keeps the session from nothing.
        let _ = self.show_all(LAST_WORDS_US);
    }

    /// As the kernel does when a terminal goes away; what has not ended after the grace is killed.
    fn hang_up(&mut self, recorder_works: bool) {
        let foreground = self.inner.as_ref().and_then(|inner| inner.foreground());
        self.close_inner();
        if self.child.gone.is_some() {
            return;
        }
        self.child.signal_group(libc::SIGCONT);
        if self.wait_for_child(GRACE_US, recorder_works) {
            return;
        }
        if let Some(group) = foreground.filter(|group| *group > 1) {
            let _ = sys::kill(-group, libc::SIGKILL);
        }
        self.child.signal_group(libc::SIGKILL);
        self.wait_for_child(KILLED_US, recorder_works);
    }

    /// Waits until the child is gone, at most so long. A recorder that works hears meanwhile that we are there.
    fn wait_for_child(&mut self, at_most_us: u64, recorder_works: bool) -> bool {
        let clock = Clock::start();
        loop {
            let left_us = at_most_us.saturating_sub(clock.now_us());
            let pause_us = if recorder_works { self.link.stays(left_us) } else { left_us };
            if wait_for(&mut self.child, &self.signals, pause_us) || left_us == 0 {
                return self.child.gone.is_some();
            }
        }
    }
}

/// Waits until the child is gone, at most so long.
pub(crate) fn wait_for(child: &mut Child, signals: &Signals, at_most_us: u64) -> bool {
    let clock = Clock::start();
    loop {
        while signals.next().is_some() {}
        while child.poll().is_some() {}
        let left_us = at_most_us.saturating_sub(clock.now_us());
        if child.gone.is_some() || left_us == 0 {
            return child.gone.is_some();
        }
        let mut fds = [PollFd::new(&signals.fd.0, PollFlags::IN)];
        let _ = poll(&mut fds, Some(&timespec(left_us)));
    }
}

fn left_behind(leader: i32) -> Vec<LeftBehind> {
    let clock = Clock::start();
    loop {
        let left = left_in_session(leader);
        if left.is_empty() || clock.now_us() >= SETTLE_US {
            return left;
        }
        let _ = poll(&mut [], Some(&timespec(SETTLE_US / 4)));
    }
}
