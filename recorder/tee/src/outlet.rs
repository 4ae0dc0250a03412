//! Writing to a descriptor that others share, without waiting and without changing it for them.
//!
//! O_NONBLOCK belongs to the open file, which the shell and every other process on it would get too; so what can be
//! opened anew is, sockets are told per call, and the rest gets writes that do not wait.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use rustix::io::Errno;
use rustix::net::SendFlags;

/// A shared pipe that is ready takes this much at once (PIPE_BUF), and a terminal is not held up longer by it.
const SMALL: usize = 4096;

/// Bytes of a pipe in bulk.
const WIDE: usize = 256 * 1024;

enum Way {
    /// Our own open file, non-blocking.
    Own,
    Socket,
    /// Shared; a write may wait, so only a little and only when ready.
    Shared,
    /// A regular file or a device without an end to wait for.
    Ready,
}

/// Where a stream is shown.
pub(crate) struct Outlet {
    fd: OwnedFd,
    way: Way,
}

impl Outlet {
    /// For one of our standard descriptors, of which it keeps a duplicate.
    pub(crate) fn new(fd: BorrowedFd<'_>) -> io::Result<Self> {
        let kind = FileType::from_raw_mode(fstat(fd)?.st_mode);
        let (fd, way) = match kind {
            FileType::Fifo => match reopen(fd, OFlags::WRONLY) {
                Ok(own) => (own, Way::Own),
                Err(_) => (duplicate(fd)?, Way::Shared),
            },
            FileType::CharacterDevice if rustix::termios::isatty(fd) => match reopen(fd, OFlags::WRONLY) {
                Ok(own) => (own, Way::Own),
                Err(_) => (duplicate(fd)?, Way::Shared),
            },
            FileType::Socket => (duplicate(fd)?, Way::Socket),
            _ => (duplicate(fd)?, Way::Ready),
        };
        Ok(Self { fd, way })
    }

    /// Writes what fits now: 0 for nothing. An error means that the other end is gone.
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let small = bytes.get(..SMALL).unwrap_or(bytes);
        let result = match self.way {
            Way::Own | Way::Ready => rustix::io::write(&self.fd, bytes),
            Way::Socket => rustix::net::send(&self.fd, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL),
            Way::Shared if !writable(self.fd.as_fd()) => Ok(0),
            Way::Shared => rustix::io::write(&self.fd, small),
        };
        match result {
            Ok(count) => Ok(count),
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            Err(e) => Err(e.into()),
        }
    }
}

impl AsFd for Outlet {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Another open file on the same pipe or terminal, our own and non-blocking.
pub(crate) fn reopen(fd: BorrowedFd<'_>, access: OFlags) -> io::Result<OwnedFd> {
    use std::os::fd::AsRawFd as _;
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    Ok(open(path, access | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Another descriptor of the same open file, above the standard ones and close-on-exec.
pub(crate) fn duplicate(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    Ok(rustix::io::fcntl_dupfd_cloexec(fd, 3)?)
}

/// Makes a pipe of ours hold more, for bulk: each time that it is full or empty costs a change of processes.
pub(crate) fn widen(pipe: &OwnedFd) {
    // Refused to a user who has many such; it works as it is.
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, WIDE);
}

fn writable(fd: BorrowedFd<'_>) -> bool {
    use rustix::event::{PollFd, PollFlags, poll};
    let mut one = [PollFd::from_borrowed_fd(fd, PollFlags::OUT)];
    poll(&mut one, Some(&crate::clock::timespec(0))).is_ok() && !one[0].revents().is_empty()
}
