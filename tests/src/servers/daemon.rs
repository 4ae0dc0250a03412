//! A server process that a test owns: killed, stopped, gone on with, started again with its data, and never left behind.
//!
//! `setpriv` asks the kernel to kill it with the test's process, whatever ends that; its folder, and with it its data and
//! log, is removed with it, and kept when the test fails.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::{process, programs};

/// How long a server may take to answer: a JVM beside other builds on two cores.
const START: Duration = Duration::from_secs(120);

/// A server process and the folder it lives in.
pub struct Daemon {
    name: &'static str,
    folder: Option<tempfile::TempDir>,
    root: PathBuf,
    child: Mutex<Option<Child>>,
    /// Removes the folder when this process has ended without dropping, as happens to what a whole suite shares.
    sweeper: Option<Child>,
}

/// A server that a test treats as a bad day would.
pub trait Server {
    /// Its process.
    fn daemon(&self) -> &Daemon;

    /// Starts it, again with its data and on its ports, and waits until it answers.
    fn restart(&self);

    /// `kill -9`.
    fn kill(&self) {
        self.daemon().kill();
    }

    /// Leaves it hanging: its connections stay open and nothing is said.
    fn freeze(&self) {
        self.daemon().freeze();
    }

    /// Lets it go on.
    fn thaw(&self) {
        self.daemon().thaw();
    }
}

/// Starts processes on a thread that lives as long as this process: the kernel's "kill it with its parent" means the
/// thread that started it, and a test's thread ends with the test.
fn spawn(command: Command) -> Child {
    type Order = (Command, Sender<std::io::Result<Child>>);
    static STARTER: OnceLock<Mutex<Sender<Order>>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (orders, received) = channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in received {
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(orders)
    });
    let (answer, answered) = channel();
    let program = command.get_program().to_owned();
    starter.lock().unwrap_or_else(PoisonError::into_inner).send((command, answer)).expect("the starter lives");
    answered.recv().expect("the starter answers").unwrap_or_else(|e| panic!("{}: {e}", program.display()))
}

impl Daemon {
    /// A server that is not started yet, with an empty folder.
    pub fn new(name: &'static str) -> Self {
        let folder =
            tempfile::Builder::new().prefix(&format!("hansard-{name}-")).tempdir().expect("a temporary folder");
        let root = folder.path().canonicalize().expect("its path");
        Self { name, folder: Some(folder), root, child: Mutex::new(None), sweeper: None }
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.root
    }

    /// Leaves the folder to a process that removes it when this one has ended.
    pub fn swept(mut self) -> Self {
        let mut sweeper = Command::new("/bin/sh");
        // The second rm is for what the server wrote while it was dying.
        sweeper.args(["-c", "read -r _; rm -rf -- \"$1\"; sleep 1; rm -rf -- \"$1\"", "sh"]).arg(&self.root);
        sweeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        self.sweeper = Some(sweeper.spawn().expect("/bin/sh"));
        self
    }

    /// Starts it. Its words go to `log` in its folder.
    pub fn start(&self, program: &Path, args: &[String], env: &[(&str, &str)]) {
        let mut child = self.child();
        assert!(child.is_none(), "{} runs already", self.name);
        let log = File::options().create(true).append(true).open(self.root.join("log")).expect("its log");
        let mut command = Command::new(programs::outside("setpriv"));
        command.args(["--pdeathsig", "KILL", "--"]).arg(program).args(args).envs(env.iter().copied());
        command.current_dir(&self.root).stdin(Stdio::null());
        command.stdout(log.try_clone().expect("its log")).stderr(log);
        *child = Some(spawn(command));
    }

    /// Waits until `answers` gives something; fails with the end of its log when the process ends or time is up.
    pub fn answers<T>(&self, what: &str, mut answers: impl FnMut() -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(value) = answers() {
                return value;
            }
            let ended = self.child().as_mut().and_then(|c| c.try_wait().ok().flatten());
            let why = match ended {
                Some(status) => format!("it ended with {status}"),
                None if started.elapsed() > START => format!("not within {START:?}: {what}"),
                None => {
                    // The interval of a poll, not a guess at how long a start takes.
                    std::thread::sleep(Duration::from_millis(20));
                    continue;
                }
            };
            panic!("{} does not start: {why}; its log ends:\n{}", self.name, self.log_end());
        }
    }

    /// The last lines of its log, for messages.
    pub fn log_end(&self) -> String {
        let log = std::fs::read(self.root.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log[log.len().saturating_sub(4000)..]).into_owned()
    }

    fn child(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pid(&self) -> u32 {
        self.child().as_ref().map(Child::id).unwrap_or_else(|| panic!("{} does not run", self.name))
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&self) {
        let mut child = self.child().take().unwrap_or_else(|| panic!("{} does not run", self.name));
        child.kill().expect("killed");
        child.wait().expect("its end");
    }

    /// Stops it where it is: its connections stay open and nothing answers.
    pub fn freeze(&self) {
        process::send(self.pid(), Signal::STOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        process::send(self.pid(), Signal::CONT);
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(mut child) = self.child().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking()
            && let Some(folder) = self.folder.take()
        {
            eprintln!("the folder of {} is kept: {}", self.name, folder.keep().display());
        }
        if let Some(mut sweeper) = self.sweeper.take() {
            let _ = sweeper.stdin.take().map(|mut pipe| pipe.write_all(b"\n"));
            let _ = sweeper.wait();
        }
    }
}
