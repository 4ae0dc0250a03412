//! Standard input of an exec session, where it is captured: read, recorded, given to the child by a pipe.
//!
//! What a child leaves unread in a file is given back, so that the next reader of it goes on there. Not for input that
//! is off: the child then has standard input itself.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{FileType, OFlags, SeekFrom, fstat, seek};
use rustix::io::Errno;
use rustix::net::RecvFlags;

use crate::bound::Bound;
use crate::link::Link;
use crate::message::{Message, Pipe};
use crate::outlet::{self, duplicate, reopen};
use crate::queue::Queue;
use crate::sys;

const READ_BYTES: usize = 64 * 1024;

/// Standard input on its way.
pub(crate) struct Feed {
    from: OwnedFd,
    kind: FileType,
    to: Option<OwnedFd>,
    /// After the end of a file: the pipe once more, to see what the child leaves in it.
    left: Option<OwnedFd>,
    /// Read, not accepted yet.
    held: Vec<u8>,
    /// It is submitted.
    submitted: bool,
    queue: Queue,
    bound: Option<Bound>,
    end: End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    NotYet,
    Seen,
    Submitted,
    /// Accepted: the child may be told.
    Accepted,
}

/// Where its descriptors stand in a round's poll.
#[derive(Clone, Copy, Default)]
pub(crate) struct Places {
    from: Option<usize>,
    to: Option<usize>,
}

impl Feed {
    /// From our standard input to this pipe; so many bytes are recorded as they come.
    pub(crate) fn new(to: OwnedFd, limit: Option<u64>) -> io::Result<Self> {
        let stdin = rustix::stdio::stdin();
        let kind = FileType::from_raw_mode(fstat(stdin)?.st_mode);
        let own = match kind {
            // Others may read from it too, so that "ready" may be over by the time of our read.
            FileType::Fifo | FileType::CharacterDevice => {
                reopen(stdin, OFlags::RDONLY).or_else(|_| duplicate(stdin))?
            }
            _ => duplicate(stdin)?,
        };
        rustix::io::ioctl_fionbio(&to, true)?;
        Ok(Self {
            from: own,
            kind,
            to: Some(to),
            left: None,
            held: Vec::new(),
            submitted: false,
            queue: Queue::default(),
            bound: limit.map(|limit| Bound::new(Pipe::Input, limit)),
            end: End::NotYet,
        })
    }

    fn is_open(&self) -> bool {
        self.to.is_some()
    }

    pub(crate) fn watch<'a>(&'a self, fds: &mut Vec<PollFd<'a>>) -> Places {
        let mut places = Places::default();
        let Some(to) = &self.to else { return places };
        if self.end == End::NotYet && self.held.is_empty() && self.queue.is_empty() {
            places.from = Some(fds.len());
            fds.push(PollFd::new(&self.from, PollFlags::IN));
        }
        let events = if self.queue.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
        places.to = Some(fds.len());
        fds.push(PollFd::from_borrowed_fd(to.as_fd(), events));
        places
    }

    /// Reads, and gives the recorder what was read.
    pub(crate) fn serve(&mut self, places: Places, came: &[PollFlags], link: &mut Link<'_>) {
        let flags = |at: Option<usize>| at.and_then(|at| came.get(at)).copied().unwrap_or(PollFlags::empty());
        if flags(places.to).intersects(PollFlags::ERR) {
            // The child has closed its standard input.
            self.stop();
        }
        if self.is_open() && !flags(places.from).is_empty() {
            self.read();
        }
        if !self.held.is_empty() && !self.submitted {
            let mut head = self.held.len();
            if let Some(bound) = &mut self.bound {
                head = head.min(bound.room());
                if let (true, Some(to)) = (bound.push(&self.held, link.now_us), &self.to) {
                    outlet::widen(to);
                }
            }
            match self.held.get(..head) {
                // All of it is beyond the limit, and need not be accepted.
                Some([]) | None => self.accepted(),
                Some(bytes) => {
                    self.submitted = true;
                    link.submit(Message::Input { bytes, hidden: false });
                }
            }
            self.bound.iter_mut().for_each(|bound| bound.tell(link));
        }
        if self.end == End::Seen && self.held.is_empty() {
            self.end = End::Submitted;
            link.submit(Message::InputEnd);
        }
    }

    /// What was read is accepted.
    pub(crate) fn accepted(&mut self) {
        self.queue.append(&mut self.held);
        self.submitted = false;
    }

    /// So is the end.
    pub(crate) fn end_accepted(&mut self) {
        self.end = End::Accepted;
    }

    /// Nothing of it is relayed any more: the recorder hears what it came to, where it does not have all of it.
    pub(crate) fn finish(&mut self, link: &mut Link<'_>) {
        self.bound.take().into_iter().for_each(|bound| bound.finish(link));
    }

    fn read(&mut self) {
        self.held.reserve_exact(READ_BYTES);
        let result = match self.kind {
            FileType::Socket => {
                let room = rustix::buffer::spare_capacity(&mut self.held);
                rustix::net::recv(&self.from, room, RecvFlags::DONTWAIT).map(|(count, _)| count)
            }
            _ => rustix::io::read(&self.from, rustix::buffer::spare_capacity(&mut self.held)),
        };
        match result {
            Ok(1..) | Err(Errno::AGAIN | Errno::INTR) => {}
            Ok(0) | Err(_) => self.end = End::Seen,
        }
    }

    /// Writes to the child what it takes.
    pub(crate) fn write(&mut self) {
        while let Some(to) = &self.to
            && !self.queue.is_empty()
        {
            match rustix::io::write(to, self.queue.front()) {
                Ok(count) => self.queue.taken(count),
                Err(Errno::AGAIN | Errno::INTR) => return,
                Err(_) => self.stop(),
            }
        }
        if self.end == End::Accepted
            && let Some(to) = self.to.take()
            && self.kind == FileType::RegularFile
        {
            // A reading end of ours, which hides from nobody that the child has closed its own: all is written.
            self.left = reopen(to.as_fd(), OFlags::RDONLY).ok();
        }
    }

    /// The child reads no more: what it left of a file is given back.
    pub(crate) fn stop(&mut self) {
        let Some(pipe) = self.to.take().or(self.left.take()) else { return };
        let left = sys::queue_of(&pipe) + self.queue.len() as u64 + self.held.len() as u64;
        self.queue.clear();
        self.held.clear();
        if self.kind == FileType::RegularFile
            && left > 0
            && let Ok(left) = i64::try_from(left)
        {
            // The offset belongs to the open file, so the shell's next command sees it.
            let _ = seek(&self.from, SeekFrom::Current(-left));
        }
    }
}
