//! One output stream of an exec session: the child's pipe, the recorder, where it was to go.
//!
//! Not for the order between two streams: two pipes have none.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};

use crate::bound::Bound;
use crate::link::Link;
use crate::message::{Message, Stream};
use crate::outlet::{self, Outlet};
use crate::passage::{Due, Passage};

/// A stream on its way.
pub(crate) struct Lane {
    stream: Stream,
    from: Option<OwnedFd>,
    to: Option<Outlet>,
    passage: Passage,
    bound: Option<Bound>,
    pub(crate) gather_us: Option<u64>,
}

/// Where a lane's descriptors stand in a round's poll.
#[derive(Clone, Copy, Default)]
pub(crate) struct Places {
    from: Option<usize>,
    to: Option<usize>,
}

impl Lane {
    /// Of which so many bytes are recorded as they come.
    pub(crate) fn new(stream: Stream, from: OwnedFd, to: BorrowedFd<'_>, limit: Option<u64>) -> io::Result<Self> {
        // The pipe's other end is another open file, so this does not reach the child.
        rustix::io::ioctl_fionbio(&from, true)?;
        let to = Some(Outlet::new(to)?);
        let bound = limit.map(|limit| Bound::new(stream.into(), limit));
        Ok(Self { stream, from: Some(from), to, passage: Passage::new(), bound, gather_us: None })
    }

    /// Nothing more comes, and all that came is recorded and written.
    pub(crate) fn is_done(&self) -> bool {
        self.from.is_none() && self.is_drained()
    }

    /// All that came so far is recorded and written.
    pub(crate) fn is_drained(&self) -> bool {
        self.passage.is_empty()
    }

    pub(crate) fn watch<'a>(&'a self, fds: &mut Vec<PollFd<'a>>) -> Places {
        let mut places = Places::default();
        if let Some(from) = &self.from
            && self.passage.has_room()
        {
            places.from = Some(fds.len());
            fds.push(PollFd::new(from, PollFlags::IN));
        }
        if let Some(to) = &self.to {
            // Without OUT, too: that its reader is gone is told unasked.
            let events = if self.passage.to_show().is_empty() { PollFlags::empty() } else { PollFlags::OUT };
            places.to = Some(fds.len());
            fds.push(PollFd::from_borrowed_fd(to.as_fd(), events));
        }
        places
    }

    /// Reads once if there is something; gives back whether there was, or might have been: nobody has asked.
    pub(crate) fn read(&mut self, places: Places, came: &[PollFlags], now_us: u64) -> bool {
        let flags = |at: Option<usize>| at.and_then(|at| came.get(at)).copied().unwrap_or(PollFlags::empty());
        if flags(places.to).intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL) {
            self.close_outer();
        }
        let Some(from) = &self.from else { return false };
        if places.from.is_none() {
            self.passage.is_not_read(now_us);
            return true;
        }
        if flags(places.from).is_empty() {
            return false;
        }
        match self.passage.read(from, now_us) {
            Ok(1..) => {}
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Ok(0) | Err(_) => self.from = None,
        }
        true
    }

    /// Gives the recorder what is due.
    pub(crate) fn submit(&mut self, link: &mut Link<'_>) {
        self.gather_us = None;
        while link.has_room() {
            let room = self.bound.as_ref().map_or(usize::MAX, Bound::room);
            if let Some(bound) = self.bound.as_mut().filter(|_| room == 0) {
                let gathered = self.passage.front(self.passage.gathered());
                if let (true, Some(from)) = (bound.push(gathered, link.now_us), &self.from) {
                    outlet::widen(from);
                }
                self.passage.pass_on();
                return bound.tell(link);
            }
            match self.passage.due(link.now_us, self.from.is_none()) {
                Due::Nothing => return,
                Due::At(us) => {
                    self.gather_us = Some(us);
                    return;
                }
                Due::Now(count) => {
                    let count = count.min(room);
                    let bytes = self.passage.front(count);
                    if let Some(bound) = &mut self.bound {
                        bound.push(bytes, link.now_us);
                    }
                    link.submit(Message::Output { stream: self.stream, bytes });
                    self.passage.submitted(count, link.now_us);
                }
            }
        }
    }

    /// Nothing of it is relayed any more: the recorder hears what it came to, where it does not have all of it.
    pub(crate) fn finish(&mut self, link: &mut Link<'_>) {
        self.bound.take().into_iter().for_each(|bound| bound.finish(link));
    }

    /// So many bytes of what was submitted are accepted.
    pub(crate) fn accept(&mut self, count: usize) {
        self.passage.accept(count);
    }

    /// Shows the recorder's own text on this stream.
    pub(crate) fn insert(&mut self, text: &str) {
        self.passage.insert(text);
    }

    /// Writes what was accepted.
    pub(crate) fn write(&mut self) {
        while !self.passage.to_show().is_empty() {
            // Nobody reads it: it is recorded, and gone.
            let written = self.to.as_ref().map_or(Ok(usize::MAX), |to| to.write(self.passage.to_show()));
            match written {
                Ok(0) => return,
                Ok(count) => self.passage.show(count),
                Err(_) => self.close_outer(),
            }
        }
        if self.from.is_none() && self.passage.is_empty() {
            self.release();
        }
    }

    /// Nobody reads it any more: the child is to be told by its next write, as without us.
    fn close_outer(&mut self) {
        self.from = None;
        self.release();
    }

    /// Lets go of where it went, so that whoever waits for its end sees it.
    fn release(&mut self) {
        if self.to.take().is_some() && self.stream == Stream::Output {
            forget_standard(1);
        }
    }
}

/// Puts /dev/null in the place of a standard descriptor, whose number must not be given to another file.
pub(crate) fn forget_standard(number: i32) {
    use rustix::fs::{Mode, OFlags, open};
    let Ok(null) = open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) else { return };
    // Refused only where descriptors cannot be duplicated; then it stays as it was.
    let _ = match number {
        0 => rustix::stdio::dup2_stdin(null),
        1 => rustix::stdio::dup2_stdout(null),
        _ => rustix::stdio::dup2_stderr(null),
    };
}
