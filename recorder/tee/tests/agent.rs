//! The tee's end of the agent's socket, with an agent that answers as it is told to. Not for what an agent does: it has suites of
//! its own.
#![allow(clippy::unwrap_used)]

mod harness;

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Stdio;

use hansard_tee::wire::{FRAME_MAX, FromAgent, FromTee, VERSION, Welcome, split};
use harness::{Folder, sh, tee};

/// So many times the agent is there, and closes the connection: another process has the session still.
const TIMES: usize = 6;

/// A connection of the agent's.
struct Peer {
    socket: UnixStream,
    input: Vec<u8>,
}

impl Peer {
    fn accept(listener: &UnixListener) -> Self {
        Self { socket: listener.accept().unwrap().0, input: Vec::new() }
    }

    fn say(&mut self, frame: &FromAgent<'_>) {
        let mut bytes = Vec::new();
        frame.put(&mut bytes);
        self.socket.write_all(&bytes).unwrap();
    }

    /// The next frame, seen by `see`; `None` when the tee is gone.
    fn hear<T>(&mut self, see: impl FnOnce(FromTee<'_>) -> T) -> Option<T> {
        loop {
            if let Some((kind, body, length)) = split(&self.input, FRAME_MAX).unwrap() {
                let seen = see(FromTee::read(kind, body).unwrap());
                self.input.drain(..length);
                return Some(seen);
            }
            let mut bytes = [0; 4096];
            match self.socket.read(&mut bytes).unwrap() {
                0 => return None,
                count => self.input.extend_from_slice(&bytes[..count]),
            }
        }
    }
}

/// Begins a session, loses it, closes the connection of whoever comes back, takes it up in the end; gives what was shown.
fn agent(listener: &UnixListener, back: &Path) -> Vec<u8> {
    let mut first = Peer::accept(listener);
    first.say(&FromAgent::Greeting(VERSION, Vec::new()));
    first.hear(|frame| assert!(matches!(frame, FromTee::Hello(_)), "{frame:?}"));
    first.say(&FromAgent::Welcome(Welcome {
        version: VERSION,
        session: b"a session".to_vec(),
        token: b"a token".to_vec(),
        grace_ms: 20_000,
        ..Welcome::default()
    }));
    drop(first);
    for _ in 0..TIMES {
        let mut peer = Peer::accept(listener);
        peer.hear(|frame| assert!(matches!(frame, FromTee::Resume(_)), "{frame:?}"));
    }
    let mut peer = Peer::accept(listener);
    peer.hear(|frame| assert!(matches!(frame, FromTee::Resume(_)), "{frame:?}"));
    peer.say(&FromAgent::Resumed(0));
    std::fs::write(back, "").unwrap();
    let mut shown = Vec::new();
    while let Some(number) = peer.hear(|frame| match frame {
        FromTee::Message(number, _, hansard_tee::Message::Output { bytes, .. }) => {
            shown.extend_from_slice(bytes);
            Some(number)
        }
        _ => None,
    }) {
        if let Some(number) = number {
            peer.say(&FromAgent::Accepted(number));
        }
    }
    shown
}

#[test]
fn an_agent_that_closes_the_connection_is_asked_again_though_nothing_else_happens() {
    let folder = Folder::new();
    let (socket, back) = (folder.path("agent.sock"), folder.path("back"));
    let listener = UnixListener::bind(&socket).unwrap();
    // The child says nothing before the session is taken up: nothing else wakes the relay.
    let script = format!("until [ -e {} ]; do sleep 0.05; done; echo late", back.display());
    let mut run = tee(&folder, &["--exec", "--agent", socket.to_str().unwrap()]);
    let run = run.args(sh(&script)).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    // Not scoped: one that waits for a tee that has given up must not keep the test from failing.
    let agent = std::thread::spawn(move || agent(&listener, &back));
    let output = run.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"late\n"[..]), "{}", folder.exit());
    assert_eq!(agent.join().unwrap(), b"late\n");
}
