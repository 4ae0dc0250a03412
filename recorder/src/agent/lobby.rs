//! Connections that have not said yet what they want: greeted, bounded in number and patience, and handed on with their
//! first frame.
//!
//! One thread, whoever connects: garbage, silence and floods cost a buffer and a little time. Not for what a frame asks:
//! `starting`.

use std::collections::HashMap;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use hansard_tee::wire::{self, FromAgent, FromTee, Refused};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use super::peer::Peer;

/// How long a connection may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections that may be waited for at once, in all and of one user.
const WAITING: (usize, usize) = (4096, 1024);
const READ_BYTES: usize = 16 * 1024;

/// A connection with its first frame, whole.
pub struct Arrival {
    /// The connection; it does not block.
    pub socket: UnixStream,
    /// Who is there.
    pub peer: Peer,
    /// The first frame: kind and body.
    pub frame: (u8, Vec<u8>),
    /// What came after it.
    pub rest: Vec<u8>,
    /// The terminal that was passed on with it.
    pub terminal: Option<OwnedFd>,
}

struct Waiting {
    socket: UnixStream,
    peer: Peer,
    input: Vec<u8>,
    terminal: Option<OwnedFd>,
    until: Instant,
}

/// Serves the socket until the receiver of arrivals is gone. `names` are the variables that the greeting asks for.
pub fn serve(listener: &UnixListener, names: &[String], arrivals: &Sender<Arrival>) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut greeting = Vec::new();
    FromAgent::Greeting(wire::VERSION, names.iter().map(String::as_bytes).collect()).put(&mut greeting);
    let mut waiting: Vec<Waiting> = Vec::new();
    loop {
        let mut fds = vec![PollFd::new(listener, PollFlags::IN)];
        fds.extend(waiting.iter().map(|one| PollFd::new(&one.socket, PollFlags::IN)));
        let pause = Timespec { tv_sec: 1, tv_nsec: 0 };
        match poll(&mut fds, (!waiting.is_empty()).then_some(&pause)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        let came: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(fds);
        let now = Instant::now();
        let mut kept = Vec::with_capacity(waiting.len());
        for (mut one, came) in waiting.drain(..).zip(came.iter().skip(1)) {
            match if *came { one.read() } else { Ok(None) } {
                Ok(Some(frame)) => {
                    if arrivals.send(one.arrives(frame)).is_err() {
                        return Ok(());
                    }
                }
                Ok(None) if now < one.until => kept.push(one),
                // Gone, silent for too long, or no tee.
                Ok(None) | Err(_) => {}
            }
        }
        waiting = kept;
        if came.first() == Some(&true) {
            accept(listener, &greeting, &mut waiting);
        }
    }
}

/// Takes all that wait to be accepted.
fn accept(listener: &UnixListener, greeting: &[u8], waiting: &mut Vec<Waiting>) {
    let mut of: HashMap<u32, usize> = HashMap::new();
    for one in waiting.iter() {
        *of.entry(one.peer.uid).or_default() += 1;
    }
    while let Ok((socket, _)) = listener.accept() {
        // A peer that is gone already wants nothing.
        let Ok(peer) = Peer::of(&socket) else { continue };
        if socket.set_nonblocking(true).is_err() {
            continue;
        }
        let count = of.entry(peer.uid).or_default();
        if waiting.len() >= WAITING.0 || *count >= WAITING.1 {
            let text = b"too many sessions are being started; try again".to_vec();
            let mut frame = Vec::new();
            FromAgent::Refused(Refused { denied: true, text }).put(&mut frame);
            let _ = rustix::io::write(&socket, &frame);
            continue;
        }
        *count += 1;
        // An empty socket has room for it, or is gone.
        let _ = rustix::io::write(&socket, greeting);
        waiting.push(Waiting { socket, peer, input: Vec::new(), terminal: None, until: Instant::now() + PATIENCE });
    }
}

impl Waiting {
    /// Reads what has come; the first frame's length when it is whole.
    fn read(&mut self) -> io::Result<Option<usize>> {
        let mut bytes = [0; READ_BYTES];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        loop {
            let mut ancillary = RecvAncillaryBuffer::new(&mut space);
            let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
            let got = recvmsg(self.socket.as_fd(), &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, flags);
            let count = match got {
                Ok(got) => got.bytes,
                Err(Errno::AGAIN | Errno::INTR) => return Ok(None),
                Err(e) => return Err(e.into()),
            };
            for message in ancillary.drain() {
                if let RecvAncillaryMessage::ScmRights(passed) = message {
                    self.terminal = passed.last().or(self.terminal.take());
                }
            }
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.input.extend_from_slice(bytes.get(..count).unwrap_or_default());
            if let Some((_, _, length)) = wire::split(&self.input, wire::FIRST_MAX).map_err(io::Error::other)? {
                return Ok(Some(length));
            }
        }
    }

    fn arrives(mut self, length: usize) -> Arrival {
        let rest = self.input.split_off(length);
        let kind = self.input.get(4).copied().unwrap_or(0);
        let body = self.input.split_off(5);
        Arrival { socket: self.socket, peer: self.peer, frame: (kind, body), rest, terminal: self.terminal }
    }
}

impl Arrival {
    /// What it wants, if that can be read.
    pub fn wants(&self) -> Result<FromTee<'_>, wire::WireError> {
        FromTee::read(self.frame.0, &self.frame.1)
    }
}
