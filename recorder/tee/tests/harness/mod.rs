//! A real terminal with the demonstration recorder on it, and the files that it leaves.
//!
//! Each test has its own folder, which stays when the test fails. Not for pipes: std's Command does those.
#![allow(dead_code)]

use std::ffi::OsStr;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// Nothing here takes seconds; a busy machine may.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What a test's shell with job control asks by.
pub const PROMPT: &str = "outer$ ";

/// Where a test's recording goes.
pub struct Folder {
    dir: tempfile::TempDir,
}

impl Folder {
    pub fn new() -> Self {
        Self { dir: tempfile::Builder::new().prefix("tee-").disable_cleanup(false).tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The path that the demonstration gets as OUT.
    pub fn out(&self) -> PathBuf {
        self.path("out")
    }

    pub fn output(&self) -> Vec<u8> {
        fs::read(self.path("out.o")).unwrap()
    }

    pub fn error(&self) -> Vec<u8> {
        fs::read(self.path("out.e")).unwrap()
    }

    pub fn input(&self) -> Vec<u8> {
        fs::read(self.path("out.i")).unwrap()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path("out.log")).unwrap()
    }

    pub fn exit(&self) -> String {
        fs::read_to_string(self.path("out.exit")).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("kept: {}", self.dir.path().display());
            self.dir.disable_cleanup(true);
        }
    }
}

pub fn demo() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let demo = test.parent().and_then(Path::parent).unwrap().join("examples/tee_demo");
    assert!(demo.exists(), "cargo test builds the examples; {} is missing", demo.display());
    demo
}

/// The demonstration with these options, recording into the folder; the program's words are still to be added.
pub fn tee(folder: &Folder, options: &[&str]) -> Command {
    let mut command = Command::new(demo());
    command.args(options).arg(folder.out());
    command
}

/// A terminal as its emulator sees it.
pub struct Terminal {
    pub master: OwnedFd,
    pub seen: Vec<u8>,
    pub child: Child,
}

impl Terminal {
    /// Runs the command as the leader of a session on a new terminal of 80 by 24.
    pub fn run(command: &Command) -> Self {
        Self::run_at(command, 80, 24)
    }

    pub fn run_at(command: &Command, cols: u16, rows: u16) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).unwrap();
        unlockpt(&master).unwrap();
        let slave = ioctl_tiocgptpeer(&master, flags).unwrap();
        tcsetwinsize(&master, Winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let mut whole = Command::new("setsid");
        whole.arg("--ctty").arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            whole.env(key, value.unwrap());
        }
        if let Some(dir) = command.get_current_dir() {
            whole.current_dir(dir);
        }
        let error = slave.try_clone().unwrap();
        let child = whole.stdin(slave.try_clone().unwrap()).stdout(slave).stderr(error).spawn().unwrap();
        drop(whole);
        Self { master, seen: Vec::new(), child }
    }

    pub fn type_in(&self, text: impl AsRef<[u8]>) {
        let mut text = text.as_ref();
        while !text.is_empty() {
            text = &text[rustix::io::write(&self.master, text).unwrap()..];
        }
    }

    pub fn resize(&self, cols: u16, rows: u16) {
        tcsetwinsize(&self.master, Winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    }

    /// Reads what is there, waiting at most so long; false at the end.
    pub fn read(&mut self, wait: Duration) -> bool {
        let mut fds = [PollFd::new(&self.master, PollFlags::IN)];
        let timeout = rustix::time::Timespec::try_from(wait).unwrap();
        if poll(&mut fds, Some(&timeout)).unwrap() == 0 {
            return true;
        }
        let mut bytes = [0; 65536];
        match rustix::io::read(&self.master, &mut bytes) {
            Ok(count) if count > 0 => self.seen.extend_from_slice(&bytes[..count]),
            _ => return false,
        }
        true
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }

    /// Reads until the text has come after what a previous call waited for.
    pub fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !contains(&self.seen, text.as_bytes()) {
            assert!(Instant::now() < deadline, "never came: {text:?}; seen: {}", self.text());
            if !self.read(Duration::from_millis(100)) {
                assert!(contains(&self.seen, text.as_bytes()), "ended without {text:?}; seen: {}", self.text());
            }
        }
    }

    /// Reads until the shell of a test asks for a line, and forgets all before.
    pub fn wait_for_prompt(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.seen.ends_with(PROMPT.as_bytes()) {
            assert!(Instant::now() < deadline, "no prompt; seen: {}", self.text());
            self.read(Duration::from_millis(100));
        }
        self.forget();
    }

    /// Forgets what was seen, so that the next wait is for something new.
    pub fn forget(&mut self) {
        self.seen.clear();
    }

    /// Reads to the end and gives back how the program ended.
    pub fn finish(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                while self.read(Duration::from_millis(20)) && !self.at_end() {}
                return status;
            }
            assert!(Instant::now() < deadline, "does not end; seen: {}", self.text());
            if !self.read(Duration::from_millis(20)) {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    fn at_end(&self) -> bool {
        let mut fds = [PollFd::new(&self.master, PollFlags::IN)];
        let none = rustix::time::Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
        poll(&mut fds, Some(&none)).unwrap() == 0
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// A shell with job control.
pub fn shell() -> Terminal {
    let mut command = Command::new("bash");
    command.args(["--norc", "--noprofile", "-i"]).env("PS1", PROMPT).env("HISTFILE", "/dev/null");
    let mut terminal = Terminal::run(&command);
    terminal.wait_for_prompt();
    terminal
}

/// Waits until it is so.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Sends a signal by kill(1), as another process would.
pub fn kill(signal: &str, pid: impl std::fmt::Display) {
    let status = Command::new("kill").arg(format!("-{signal}")).arg("--").arg(pid.to_string()).status().unwrap();
    assert!(status.success());
}

pub fn sh(script: impl AsRef<OsStr>) -> [std::ffi::OsString; 3] {
    ["sh".into(), "-c".into(), script.as_ref().to_owned()]
}
