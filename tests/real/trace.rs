//! strace around a recorder: what it asked the kernel for, in order; and faults put between it and the kernel.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use hansard_tests::call::Call;
use hansard_tests::{SOON, process, programs, wait_until};
use rustix::process::Signal;

/// One finished system call.
#[derive(Debug, Clone)]
pub struct Line {
    /// Its name.
    pub name: String,
    /// Everything between the parentheses.
    pub args: String,
    /// What came back; none while it had not.
    pub result: Option<i64>,
    /// Lines of the log at which it began and ended: another call that ended before this began was over by then.
    pub span: (usize, usize),
}

impl Line {
    /// The path of the descriptor that is the first argument (`3</a/path>`).
    pub fn path(&self) -> &str {
        let first = self.args.split(',').next().unwrap_or_default();
        first.split_once('<').map_or("", |(_, rest)| rest.trim_end_matches('>'))
    }
}

/// The same call under strace, with its descriptors' paths, into `log`.
pub fn traced(call: Call, log: &Path, calls: &str) -> Call {
    let filter = format!("trace={calls}");
    let args = ["-f", "-y", "-s", "0", "-e", &filter, "-e", "signal=none", "-o"];
    let mut words: Vec<std::ffi::OsString> = args.iter().map(Into::into).collect();
    words.push(log.into());
    words.push("--".into());
    call.within(programs::outside("strace"), words)
}

/// The finished calls of a log, in the order in which they finished; calls that never did come last.
pub fn lines(log: &Path) -> Vec<Line> {
    let text = std::fs::read_to_string(log).expect("a log");
    let mut begun: Vec<(String, Line)> = Vec::new();
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let Some((pid, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(resumed) = rest.strip_prefix("<... ") {
            let result = resumed.rsplit_once(" = ").and_then(|(_, r)| r.split(' ').next()?.parse().ok());
            if let Some(place) = begun.iter().position(|(p, _)| p == pid) {
                let (_, mut line) = begun.remove(place);
                line.result = result;
                line.span.1 = number;
                found.push(line);
            }
            continue;
        }
        let Some((name, rest)) = rest.split_once('(') else { continue };
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            continue;
        }
        if let Some(args) = rest.strip_suffix(" <unfinished ...>") {
            begun.push((
                pid.into(),
                Line { name: name.into(), args: args.into(), result: None, span: (number, usize::MAX) },
            ));
        } else if let Some((args, result)) = rest.rsplit_once(" = ") {
            let result = result.split(' ').next().and_then(|r| r.parse().ok());
            let args = args.trim_end().trim_end_matches(')').into();
            found.push(Line { name: name.into(), args, result, span: (number, number) });
        }
    }
    found.extend(begun.into_iter().map(|(_, line)| line));
    found
}

/// strace attached to a running recorder, doing something to its calls on one file; detaches when dropped.
pub struct Fault {
    strace: Child,
}

impl Fault {
    /// From now on `inject` (as strace's `-e inject=`) happens to calls of `pid` on `file`.
    pub fn on(pid: u32, file: &Path, calls: &str, inject: &str, log: &Path) -> Self {
        let strace = std::process::Command::new(programs::outside("strace"))
            .args([
                "-f",
                "-y",
                "-p",
                &pid.to_string(),
                "-e",
                &format!("trace={calls}"),
                "-e",
                &format!("inject={inject}"),
                "-P",
            ])
            .arg(file)
            .arg("-o")
            .arg(log)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("strace runs");
        wait_until("strace is attached to every thread", SOON, || {
            let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?;
            tasks
                .flatten()
                .all(|task| {
                    let status = std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
                    status
                        .lines()
                        .any(|l| l.strip_prefix("TracerPid:").is_some_and(|t| t.trim() == strace.id().to_string()))
                })
                .then_some(())
        });
        Self { strace }
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        process::send(self.strace.id(), Signal::INT);
        let _ = self.strace.wait();
    }
}

/// The open segment's file in a spool, waited for.
pub fn open_segment(spool: &Path) -> PathBuf {
    wait_until("an open segment", SOON, || {
        process::files_below(spool).into_iter().rfind(|file| file.extension().is_some_and(|e| e == "journal"))
    })
}
