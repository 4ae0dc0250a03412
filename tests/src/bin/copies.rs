//! The least that could stand in an agent's place: copies what each session shows into a file and accepts it.
//!
//! `copies SOCKET FILE`. No encryption, no compression, no sync, no chain: what `load` measures over it is what sockets and
//! scheduling cost on the machine. Not for being good at it: a thread a session.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};

use hansard_tee::wire::{FRAME_MAX, FromAgent, FromTee, VERSION, Welcome, split};
use hansard_tee::{Message, Outcome};

fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [socket, file] = args.as_slice() else {
        eprintln!("usage: copies SOCKET FILE");
        std::process::exit(2);
    };
    let file = File::options().create(true).append(true).open(file)?;
    for connection in UnixListener::bind(socket)?.incoming() {
        let (connection, file) = (connection?, file.try_clone()?);
        std::thread::Builder::new().stack_size(128 << 10).spawn(move || {
            // Whoever is gone wants nothing more.
            let _ = serve(&connection, &file);
        })?;
    }
    Ok(())
}

fn say(mut to: &UnixStream, frame: &FromAgent<'_>) -> io::Result<()> {
    let mut bytes = Vec::new();
    frame.put(&mut bytes);
    to.write_all(&bytes)
}

fn serve(mut connection: &UnixStream, mut file: &File) -> io::Result<()> {
    say(connection, &FromAgent::Greeting(VERSION, Vec::new()))?;
    let (mut input, mut bytes) = (Vec::new(), vec![0; 16 << 10]);
    loop {
        let count = connection.read(&mut bytes)?;
        if count == 0 {
            return Ok(());
        }
        input.extend_from_slice(&bytes[..count]);
        let mut taken = 0;
        while let Some((kind, body, length)) = split(&input[taken..], FRAME_MAX).map_err(io::Error::other)? {
            match FromTee::read(kind, body).map_err(io::Error::other)? {
                FromTee::Hello(_) => {
                    let welcome = Welcome { version: VERSION, session: b"a copy".to_vec(), ..Welcome::default() };
                    say(connection, &FromAgent::Welcome(welcome))?;
                }
                FromTee::Message(number, _, message) => {
                    if let Message::Output { bytes, .. } = message {
                        file.write_all(bytes)?;
                    }
                    say(connection, &FromAgent::Accepted(number))?;
                }
                FromTee::Exit(..) => say(connection, &FromAgent::Ended)?,
                FromTee::Resume(_) => say(connection, &FromAgent::Terminate(Outcome::Terminated))?,
                FromTee::Last(_) | FromTee::Alive | FromTee::Sleeps | FromTee::Control(_) => {}
            }
            taken += length;
        }
        input.drain(..taken);
    }
}
