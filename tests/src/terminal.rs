//! A terminal owned by the test: it keeps every byte it was sent, types, resizes, stops reading, hangs up.
//!
//! The test holds both ends, so the terminal outlives whatever runs on it: what was displayed before a kill is
//! known exactly. Programs are started on it by `seat`, which makes it their controlling terminal.

use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::{Termios, Winsize, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize};

use crate::call::Call;
use crate::{SOON, process, programs};

/// What the terminal has got.
#[derive(Default)]
struct Seen {
    bytes: Vec<u8>,
    /// After how many bytes each read ended, and when.
    reads: Vec<(usize, Instant)>,
    /// While set, the terminal reads nothing: a person who pressed Ctrl-S, or a slow line.
    held: bool,
    ended: bool,
}

type Shared = Arc<(Mutex<Seen>, Condvar)>;

/// A terminal, 80 by 24 until resized.
pub struct Terminal {
    master: Option<Arc<OwnedFd>>,
    slave: Option<OwnedFd>,
    name: String,
    /// Closing it ends the reading thread, so that the last holder of the master can go.
    stop: Option<OwnedFd>,
    shared: Shared,
    reader: Option<JoinHandle<()>>,
    child: Option<Child>,
}

fn lock(shared: &Shared) -> MutexGuard<'_, Seen> {
    shared.0.lock().expect("no reader panics")
}

fn read_all(master: &OwnedFd, stop: &OwnedFd, shared: &Shared) {
    let mut buffer = vec![0; 256 << 10];
    loop {
        {
            let mut seen = lock(shared);
            while seen.held {
                seen = shared.1.wait(seen).expect("no reader panics");
            }
        }
        let mut fds = [PollFd::new(master, PollFlags::IN), PollFd::new(stop, PollFlags::IN)];
        if poll(&mut fds, None).is_err() {
            continue;
        }
        if !fds[1].revents().is_empty() {
            break;
        }
        match rustix::io::read(master, &mut buffer) {
            // EIO: the last holder of the other end has closed it, and everything it wrote was read.
            Ok(0) | Err(rustix::io::Errno::IO) => break,
            Ok(n) => {
                let mut seen = lock(shared);
                seen.bytes.extend_from_slice(&buffer[..n]);
                let length = seen.bytes.len();
                seen.reads.push((length, Instant::now()));
                shared.1.notify_all();
            }
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            Err(e) => panic!("the terminal: {e}"),
        }
    }
    lock(shared).ended = true;
    shared.1.notify_all();
}

impl Terminal {
    /// A new terminal on which nothing runs.
    pub fn open() -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = rustix::pty::openpt(flags).expect("a terminal");
        rustix::pty::grantpt(&master).expect("a terminal");
        rustix::pty::unlockpt(&master).expect("a terminal");
        let name = rustix::pty::ptsname(&master, Vec::new()).expect("its name").into_string().expect("a path");
        let slave =
            rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).expect("its end");
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).expect("its size");
        let (stopped, stop) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).expect("a pipe");
        let (master, shared) = (Arc::new(master), Shared::default());
        let reader = std::thread::spawn({
            let (master, shared) = (Arc::clone(&master), Arc::clone(&shared));
            move || read_all(&master, &stopped, &shared)
        });
        Self {
            master: Some(master),
            slave: Some(slave),
            name,
            stop: Some(stop),
            shared,
            reader: Some(reader),
            child: None,
        }
    }

    /// A terminal on which `call` runs.
    pub fn running(call: &Call) -> Self {
        let mut terminal = Self::open();
        terminal.run(call);
        terminal
    }

    /// A terminal that changes nothing on the way (no echo, no signals, no CR before LF), on which `call` runs.
    pub fn raw_running(call: &Call) -> Self {
        let mut terminal = Self::open();
        terminal.set_modes(Termios::make_raw);
        terminal.run(call);
        terminal
    }

    fn slave(&self) -> &OwnedFd {
        self.slave.as_ref().expect("a terminal that is open")
    }

    fn master(&self) -> &OwnedFd {
        self.master.as_ref().expect("a terminal that is open")
    }

    /// Starts a program in a session of its own with this as its controlling terminal.
    pub fn run(&mut self, call: &Call) {
        let seat = call.clone().within(programs::own("seat"), [""; 0]);
        let end = || Stdio::from(self.slave().try_clone().expect("its end"));
        let child = seat.command().stdin(end()).stdout(end()).stderr(end()).spawn().expect("seat runs");
        self.child = Some(child);
    }

    /// The process id of what runs on it.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("something runs").id()
    }

    /// Types.
    pub fn type_in(&self, bytes: impl AsRef<[u8]>) {
        let mut bytes = bytes.as_ref();
        while !bytes.is_empty() {
            let n = rustix::io::write(self.master(), bytes).expect("typed");
            bytes = &bytes[n..];
        }
    }

    /// Everything displayed so far.
    pub fn bytes(&self) -> Vec<u8> {
        lock(&self.shared).bytes.clone()
    }

    /// Everything displayed so far, for messages.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&lock(&self.shared).bytes).into_owned()
    }

    /// How many bytes were displayed so far.
    pub fn shown(&self) -> usize {
        lock(&self.shared).bytes.len()
    }

    /// After how many bytes each read of the terminal ended, and when.
    pub fn reads(&self) -> Vec<(usize, Instant)> {
        lock(&self.shared).reads.clone()
    }

    /// Waits until what was displayed satisfies `holds`; false when `limit` has passed or nothing more can come.
    pub fn waits(&self, limit: Duration, holds: impl Fn(&[u8]) -> bool) -> bool {
        let until = Instant::now() + limit;
        let mut seen = lock(&self.shared);
        loop {
            if holds(&seen.bytes) {
                return true;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || seen.ended {
                return false;
            }
            seen = self.shared.1.wait_timeout(seen, left).expect("no reader panics").0;
        }
    }

    /// Waits until `text` was displayed, and fails when that does not happen soon.
    pub fn wait_text(&self, text: &str) {
        self.wait_text_after(0, text);
    }

    /// Waits until `text` was displayed after the first `from` bytes.
    pub fn wait_text_after(&self, from: usize, text: &str) {
        let there = self.waits(SOON, |bytes| find(&bytes[from.min(bytes.len())..], text.as_bytes()).is_some());
        assert!(there, "`{text}` was not displayed; what was:\n{}", self.text());
    }

    /// Changes the size, as a person does who drags the window.
    pub fn resize(&self, cols: u16, rows: u16) {
        let size = Winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(self.master(), size).expect("its size");
    }

    /// Its size, columns and rows.
    pub fn size(&self) -> (u16, u16) {
        let size = tcgetwinsize(self.master()).expect("its size");
        (size.ws_col, size.ws_row)
    }

    /// Its modes.
    pub fn modes(&self) -> Termios {
        tcgetattr(self.slave()).expect("its modes")
    }

    /// Changes its modes.
    pub fn set_modes(&self, change: impl FnOnce(&mut Termios)) {
        let mut modes = self.modes();
        change(&mut modes);
        tcsetattr(self.slave(), rustix::termios::OptionalActions::Now, &modes).expect("its modes");
    }

    /// The process group in the foreground.
    pub fn foreground(&self) -> Option<u32> {
        let group = rustix::termios::tcgetpgrp(self.slave()).ok()?;
        u32::try_from(group.as_raw_nonzero().get()).ok()
    }

    /// Stops or goes on reading: while held, what is written to the terminal fills it and then waits.
    pub fn hold(&self, held: bool) {
        lock(&self.shared).held = held;
        self.shared.1.notify_all();
    }

    /// Waits for the end of what runs on it.
    pub fn ended(&mut self, limit: Duration) -> ExitStatus {
        let text = self.text();
        let child = self.child.as_mut().expect("something runs");
        process::ended_within(child, limit).unwrap_or_else(|| {
            let _ = child.kill();
            panic!(
                "it did not end within {limit:?}; displayed:\n{}",
                text.chars().rev().take(2000).collect::<Vec<_>>().iter().rev().collect::<String>()
            )
        })
    }

    /// The status of what ran on it, as a shell would show it.
    pub fn status(&mut self, limit: Duration) -> i32 {
        use std::os::unix::process::ExitStatusExt;
        let status = self.ended(limit);
        status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
    }

    /// Everything that was ever displayed: closes this end of the terminal and reads to the end. Whatever runs
    /// on it must have ended.
    pub fn drained(mut self) -> Vec<u8> {
        self.slave = None;
        self.hold(false);
        let until = Instant::now() + SOON;
        let mut seen = lock(&self.shared);
        while !seen.ended {
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "something still holds the terminal");
            seen = self.shared.1.wait_timeout(seen, left).expect("no reader panics").0;
        }
        std::mem::take(&mut seen.bytes)
    }

    /// Hangs up: the terminal is gone for whoever is on it.
    pub fn hang_up(&mut self) {
        self.hold(false);
        self.stop = None;
        if let Some(reader) = self.reader.take() {
            reader.join().expect("no reader panics");
        }
        self.master = None;
    }

    /// The path of the program's end.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A second holder of the program's end, for programs that are started by other means.
    pub fn end(&self) -> OwnedFd {
        self.slave().as_fd().try_clone_to_owned().expect("its end")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(child) = self.child.as_mut() {
            if child.try_wait().is_ok_and(|status| status.is_none()) {
                let _ = child.kill();
            }
            let _ = child.wait();
        }
        self.slave = None;
        self.hang_up();
    }
}

/// Where `needle` begins in `bytes`.
pub fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len().max(1)).position(|window| window == needle)
}

/// What a program showed: without the lines that the recorder added, which begin so, each between line breaks. A terminal
/// that has its own modes back makes `\r\r\n` of both.
pub fn without_notices(shown: &[u8], begin: &str) -> Vec<u8> {
    let begin = [b"\r\n", begin.as_bytes()].concat();
    let mut left = shown.to_vec();
    while let Some(at) = find(&left, &begin) {
        let end = find(&left[at + 2..], b"\r\n").map_or(left.len(), |n| at + 2 + n + 2);
        let cooked = at > 0 && left[at - 1] == b'\r' && left[..end].ends_with(b"\r\r\n");
        left.drain(at - usize::from(cooked)..end);
    }
    left
}
