//! The agent's end of a session's socket: frames in, frames out, buffers that are gone while nothing happens.
//!
//! Not for what a frame means: `recorded`.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use hansard_tee::wire::{self, FromAgent, WireError};
use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use rustix::net::{SendFlags, send};

/// Most bytes that are read of one session before the others have their turn.
const TURN_BYTES: usize = 256 * 1024;
/// More than this is not kept for a tee that does not read.
const OUT_MAX: usize = 1 << 20;

/// A connection.
pub struct Line {
    socket: UnixStream,
    input: Vec<u8>,
    taken: usize,
    out: Vec<u8>,
    sent: usize,
}

impl Line {
    /// Over a socket that does not block, of which `input` was read already.
    pub fn new(socket: UnixStream, input: Vec<u8>) -> Self {
        Self { socket, input, taken: 0, out: Vec::new(), sent: 0 }
    }

    /// Reads at most a turn's worth; true where there may be more.
    pub fn read(&mut self) -> io::Result<bool> {
        self.input.drain(..std::mem::take(&mut self.taken));
        let until = self.input.len() + TURN_BYTES;
        while self.input.len() < until {
            self.input.reserve(64 * 1024);
            match rustix::io::read(&self.socket, spare_capacity(&mut self.input)) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(Errno::AGAIN) => return Ok(false),
                Err(Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(true)
    }

    /// Takes the next whole frame: its kind and its body.
    pub fn frame(&mut self) -> Result<Option<(u8, &[u8])>, WireError> {
        let bytes = self.input.get(self.taken..).unwrap_or_default();
        Ok(wire::split(bytes, wire::FRAME_MAX)?.map(|(kind, body, length)| {
            self.taken += length;
            (kind, body)
        }))
    }

    /// Lets go of the memory of frames that were taken: an idle session has none.
    pub fn rest(&mut self) {
        if self.taken == self.input.len() {
            (self.input, self.taken) = (Vec::new(), 0);
        }
    }

    /// Adds a frame to what is to be sent.
    pub fn say(&mut self, frame: &FromAgent<'_>) {
        frame.put(&mut self.out);
    }

    /// Sends what the socket takes; true where something is left. An error where the tee is gone, or takes nothing.
    pub fn flush(&mut self) -> io::Result<bool> {
        while self.sent < self.out.len() {
            match send(&self.socket, self.out.get(self.sent..).unwrap_or_default(), SendFlags::NOSIGNAL) {
                Ok(count) => self.sent += count,
                Err(Errno::AGAIN) if self.out.len() - self.sent > OUT_MAX => return Err(io::ErrorKind::TimedOut.into()),
                Err(Errno::AGAIN) => return Ok(true),
                Err(Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        (self.out, self.sent) = (Vec::new(), 0);
        Ok(false)
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
