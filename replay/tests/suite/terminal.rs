//! A terminal of the test's own: what runs on it is typed to, and every byte that it is sent is kept.
//!
//! It answers nothing. Not for judging what it was sent: `painted`.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// Until something must have been seen: a loaded machine, a debug build.
const SOON: Duration = Duration::from_secs(60);

/// A terminal on which a program runs.
pub struct Terminal {
    child: Child,
    /// Our holding of the program's end, so that nothing is lost when the program ends.
    end: Option<OwnedFd>,
    keys: File,
    reader: Option<JoinHandle<()>>,
    reads: Receiver<Vec<u8>>,
    log: Vec<u8>,
    /// Up to where was waited.
    seen: usize,
}

impl Terminal {
    /// Starts a program on a terminal of so many columns and rows.
    pub fn running(mut command: Command, (cols, rows): (u16, u16)) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        tcsetwinsize(&master, Winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let end = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let on = || Stdio::from(end.try_clone().unwrap());
        let child = command.stdin(on()).stdout(on()).stderr(on()).spawn().unwrap();
        let (send, reads) = channel();
        let mut from = File::from(master.try_clone().unwrap());
        let reader = std::thread::spawn(move || {
            let mut buffer = vec![0; 64 << 10];
            // Ends with EIO, when the last holder of the other end has closed it and all was read.
            while let Ok(n) = from.read(&mut buffer) {
                if send.send(buffer[..n].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { child, end: Some(end), keys: File::from(master), reader: Some(reader), reads, log: Vec::new(), seen: 0 }
    }

    /// Types.
    pub fn type_in(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until this was sent, after what was waited for before.
    pub fn wait(&mut self, words: &str) {
        let begun = Instant::now();
        loop {
            let new = &self.log[self.seen..];
            if let Some(at) = new.windows(words.len()).position(|window| window == words.as_bytes()) {
                self.seen += at + words.len();
                return;
            }
            let more = self.reads.recv_timeout(SOON.saturating_sub(begun.elapsed()));
            let more = more.unwrap_or_else(|_| panic!("no {words:?} in …{:?}", end_of(new)));
            self.log.extend(more);
        }
    }

    /// Waits for the program's end; gives its exit code and every byte that the terminal was ever sent.
    pub fn finish(mut self) -> (i32, Vec<u8>) {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            // What is sent has to be taken, or it would never end.
            self.log.extend(self.reads.recv_timeout(Duration::from_millis(5)).unwrap_or_default());
            if begun.elapsed() > SOON {
                let _ = self.child.kill();
                panic!("it did not end: …{:?}", end_of(&self.log));
            }
        };
        self.end = None;
        self.reader.take().map(JoinHandle::join);
        self.log.extend(self.reads.try_iter().flatten());
        (status.code().expect("ended by a signal"), self.log)
    }
}

/// The end of what was sent, for messages.
fn end_of(log: &[u8]) -> String {
    String::from_utf8_lossy(&log[log.len().saturating_sub(600)..]).into_owned()
}
