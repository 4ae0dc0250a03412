//! Stands in for a relay that is inside a call of its recorder and does not come back, as on a disk that hangs.
//!
//! Only what must pass all the same: the keys that interrupt, quit or suspend, the size of the window, a hang-up. What else
//! is typed is kept for the relay, in its place. It has no thread: a recorder that watches its own calls lends one. Not for
//! a program that leads its session and is to be stopped by a key: the relay does that, once it is back.

use std::collections::VecDeque;
use std::fmt;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::termios::{tcgetpgrp, tcgetwinsize};

use crate::clock::timespec;
use crate::outlet::duplicate;
use crate::sys;
use crate::terminal::{Inner, Outer};

/// How long it waits for a key before it looks at the rest; and the least that a call has to take.
const ROUND_US: u64 = 50_000;

/// More than this is not kept: what comes after it stays with the terminal.
const ROOM_BYTES: usize = 64 * 1024;

/// What the relay and its stand-in share.
#[derive(Clone, Default)]
pub struct StandIn(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Odd while the relay is inside a call.
    calls: AtomicU64,
    lent: Mutex<Option<Lent>>,
}

/// Both terminals, while there is a session.
struct Lent {
    input: Arc<OwnedFd>,
    inner: Inner,
    child: i32,
    kept: VecDeque<Kept>,
    has_hung_up: bool,
}

/// Typed while the relay was away.
pub(crate) struct Kept {
    pub(crate) bytes: Vec<u8>,
    /// The child has it already.
    pub(crate) passed: bool,
}

impl fmt::Debug for StandIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StandIn")
    }
}

impl StandIn {
    fn lock(&self) -> MutexGuard<'_, Option<Lent>> {
        self.0.lent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session begins.
    pub(crate) fn lend(&self, outer: &Outer, inner: &Inner, child: i32) -> std::io::Result<()> {
        let inner = Inner { master: duplicate(inner.master.as_fd())?, slave: None };
        let input = Arc::new(duplicate(outer.input.as_fd())?);
        *self.lock() = Some(Lent { input, inner, child, kept: VecDeque::new(), has_hung_up: false });
        Ok(())
    }

    /// The inner terminal is to be closed.
    pub(crate) fn retire(&self) {
        *self.lock() = None;
    }

    /// The relay enters a call of the recorder.
    pub(crate) fn away(&self) {
        self.0.calls.fetch_add(1, Ordering::AcqRel);
    }

    /// The relay is back from it.
    pub(crate) fn back(&self) {
        self.0.calls.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether something was typed while the relay was away.
    pub(crate) fn has_kept(&self) -> bool {
        self.lock().as_ref().is_some_and(|lent| !lent.kept.is_empty())
    }

    /// The oldest of it.
    pub(crate) fn take(&self) -> Option<Kept> {
        self.lock().as_mut()?.kept.pop_front()
    }

    /// Serves for as long as one and the same call of the relay lasts, and this is wanted. For a thread that the recorder
    /// has for telling that a call does not return; returns at once where the relay is not inside one.
    pub fn serve(&self, wanted: impl Fn() -> bool) {
        let call = self.0.calls.load(Ordering::Acquire);
        let lasts = || call % 2 == 1 && self.0.calls.load(Ordering::Acquire) == call;
        while wanted() && lasts() {
            let Some(input) = self.lock().as_ref().map(|lent| Arc::clone(&lent.input)) else { return };
            let mut fds = [PollFd::new(&input, PollFlags::IN)];
            if poll(&mut fds, Some(&timespec(ROUND_US))).is_err() {
                return;
            }
            let came = fds[0].revents();
            // Under the lock, which the relay takes before it reads: while the call lasts, nobody else does.
            let mut lent = self.lock();
            let Some(lent) = lent.as_mut().filter(|_| lasts()) else { return };
            lent.resize();
            if came.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
                return lent.hang_up();
            }
            if came.contains(PollFlags::IN) && !lent.read() {
                return;
            }
        }
    }
}

impl Lent {
    /// One read of what is typed; false where nothing can be read.
    fn read(&mut self) -> bool {
        // From the background, a read would stop us.
        let ours = tcgetpgrp(&*self.input).map_or(true, |group| group.as_raw_nonzero().get() == sys::own_group());
        let mut bytes = [0; 4096];
        let room = self.kept.iter().map(|kept| kept.bytes.len()).sum::<usize>() < ROOM_BYTES;
        let count = if ours && room { rustix::io::read(&*self.input, &mut bytes).unwrap_or(0) } else { 0 };
        let Some(bytes) = bytes.get(..count).filter(|bytes| !bytes.is_empty()) else { return false };
        for part in bytes.chunk_by(|a, b| self.inner.signals_by(*a) == self.inner.signals_by(*b)) {
            let signals = part.first().is_some_and(|byte| self.inner.signals_by(*byte));
            let passed = signals && rustix::io::write(&self.inner.master, part).is_ok_and(|count| count == part.len());
            self.kept.push_back(Kept { bytes: part.to_vec(), passed });
        }
        true
    }

    fn resize(&self) {
        if let (Ok(size), Ok(known)) = (tcgetwinsize(&*self.input), tcgetwinsize(&self.inner.master))
            && (size.ws_col, size.ws_row) != (known.ws_col, known.ws_row)
        {
            // The relay records it, once it is back.
            self.inner.set_size(size);
        }
    }

    /// As the kernel does it. The relay then ends the session.
    fn hang_up(&mut self) {
        if std::mem::replace(&mut self.has_hung_up, true) {
            return;
        }
        for group in [self.inner.foreground().unwrap_or(0), self.child] {
            if group > 1 {
                let _ = sys::kill(-group, libc::SIGHUP);
                let _ = sys::kill(-group, libc::SIGCONT);
            }
        }
    }
}
