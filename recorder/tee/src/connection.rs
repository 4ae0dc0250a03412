//! One connection to the agent's socket: bytes out, frames in, nothing that waits.
//!
//! Not for what frames mean, nor for what happens when it breaks: `agent` knows both.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
    connect, send, sendmsg, socket_with,
};

use crate::clock::timespec;
use crate::wire::{self, WireError};

const READ_BYTES: usize = 16 * 1024;

/// A connected socket and what of the next frame has come.
pub(crate) struct Connection {
    socket: OwnedFd,
    input: Vec<u8>,
    /// Up to here the frames were taken.
    taken: usize,
}

impl Connection {
    /// Connects; an agent that is not there is an error at once, as is one whose queue is full.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        connect(&socket, &SocketAddrUnix::new(path)?)?;
        Ok(Self { socket, input: Vec::new(), taken: 0 })
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Writes what the socket takes now; 0 where it is full.
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match send(&self.socket, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            Ok(count) => Ok(count),
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            Err(e) => Err(e.into()),
        }
    }

    /// Writes all of `bytes`, the descriptor with the first of them. For the first frame, which an empty socket takes.
    pub(crate) fn write_with(&self, bytes: &[u8], passed: Option<BorrowedFd<'_>>, wait_us: u64) -> io::Result<()> {
        let passed = passed.map(|fd| [fd]);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if let Some(passed) = &passed
            && !ancillary.push(SendAncillaryMessage::ScmRights(passed))
        {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let count = sendmsg(&self.socket, &[IoSlice::new(bytes)], &mut ancillary, SendFlags::NOSIGNAL)?;
        let mut rest = bytes.get(count..).unwrap_or_default();
        while !rest.is_empty() {
            let mut fds = [PollFd::new(&self.socket, PollFlags::OUT)];
            if poll(&mut fds, Some(&timespec(wait_us)))? == 0 {
                return Err(io::ErrorKind::TimedOut.into());
            }
            rest = rest.get(self.write(rest)?..).unwrap_or_default();
        }
        Ok(())
    }

    /// Reads what has come; the end of the stream is an error.
    pub(crate) fn read(&mut self) -> io::Result<()> {
        self.input.drain(..std::mem::take(&mut self.taken));
        loop {
            self.input.reserve(READ_BYTES);
            match rustix::io::read(&self.socket, spare_capacity(&mut self.input)) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) if count < READ_BYTES => return Ok(()),
                Ok(_) => {}
                Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// The next whole frame that was read: its kind and its body.
    pub(crate) fn frame(&mut self) -> Result<Option<(u8, &[u8])>, WireError> {
        let bytes = self.input.get(self.taken..).unwrap_or_default();
        Ok(wire::split(bytes, wire::FRAME_MAX)?.map(|(kind, body, length)| {
            self.taken += length;
            (kind, body)
        }))
    }

    /// Waits until something can be read, at most so long; false where nothing came.
    pub(crate) fn wait(&self, at_most_us: u64) -> bool {
        let mut fds = [PollFd::new(&self.socket, PollFlags::IN)];
        poll(&mut fds, Some(&timespec(at_most_us))).is_ok_and(|count| count > 0)
    }
}
