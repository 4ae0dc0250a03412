//! The running program: how it ends or stops, and what it leaves behind.

use rustix::process::{Pid, WaitOptions, waitpid};

use crate::message::LeftBehind;
use crate::sys;

/// What became of the child since the last look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Stopped(i32),
    Gone(Gone),
}

/// How the child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone {
    /// Its exit code, or 128 + the signal.
    pub(crate) status: i32,
    pub(crate) signal: Option<i32>,
}

/// A child of ours that has not been waited for.
pub(crate) struct Child {
    pub(crate) pid: i32,
    pub(crate) stopped: bool,
    pub(crate) gone: Option<Gone>,
}

impl Child {
    pub(crate) fn new(pid: i32) -> Self {
        Self { pid, stopped: false, gone: None }
    }

    /// Looks without waiting.
    pub(crate) fn poll(&mut self) -> Option<Change> {
        if self.gone.is_some() {
            return None;
        }
        let options = WaitOptions::NOHANG | WaitOptions::UNTRACED | WaitOptions::CONTINUED;
        loop {
            let status = match waitpid(Pid::from_raw(self.pid), options) {
                Ok(Some((_, status))) => status,
                Ok(None) => return None,
                Err(rustix::io::Errno::INTR) => continue,
                // Someone else has waited for it: all that is known is that it is gone.
                Err(_) => return Some(self.is_gone(Gone { status: 125, signal: None })),
            };
            if let Some(signal) = status.stopping_signal() {
                self.stopped = true;
                return Some(Change::Stopped(signal));
            }
            if let Some(signal) = status.terminating_signal() {
                return Some(self.is_gone(Gone { status: 128 + signal, signal: Some(signal) }));
            }
            if let Some(code) = status.exit_status() {
                return Some(self.is_gone(Gone { status: code, signal: None }));
            }
            self.stopped = false;
        }
    }

    fn is_gone(&mut self, gone: Gone) -> Change {
        self.gone = Some(gone);
        Change::Gone(gone)
    }

    /// Sends it a signal while its id is surely its own.
    pub(crate) fn signal(&self, signal: i32) {
        if self.gone.is_none() {
            // Not allowed (it runs as another user) is as it would be for whoever sent it.
            let _ = sys::kill(self.pid, signal);
        }
    }

    /// Sends a signal to the process group that it leads, if it does.
    pub(crate) fn signal_group(&self, signal: i32) {
        if self.gone.is_none() && sys::kill(-self.pid, signal).is_err() {
            self.signal(signal);
        }
    }
}

/// Whether the process would be stopped by this signal: it neither catches nor ignores nor blocks it.
pub(crate) fn is_stopped_by(pid: i32, signal: i32) -> bool {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else { return false };
    let bit = 1u64 << (signal - 1);
    ["SigCgt:", "SigIgn:", "SigBlk:"].iter().all(|key| {
        let set = status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
        u64::from_str_radix(set.trim(), 16).is_ok_and(|set| set & bit == 0)
    })
}

/// Processes that still belong to the session which `leader` led.
pub(crate) fn left_in_session(leader: i32) -> Vec<LeftBehind> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let mut left: Vec<LeftBehind> = entries
        .flatten()
        .filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read(entry.path().join("stat")).ok()?;
            let (command, state, session) = parse_stat(&stat)?;
            (pid != leader && session == leader && state != b'Z').then_some(LeftBehind { pid, command })
        })
        .collect();
    left.sort_by_key(|process| process.pid);
    left
}

/// Name, state and session of /proc/PID/stat. The name may hold anything, brackets and blanks too.
fn parse_stat(stat: &[u8]) -> Option<(String, u8, i32)> {
    let open = stat.iter().position(|b| *b == b'(')?;
    let close = stat.iter().rposition(|b| *b == b')')?;
    let name = String::from_utf8_lossy(stat.get(open + 1..close)?).into_owned();
    let mut fields = std::str::from_utf8(stat.get(close + 1..)?).ok()?.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    // ppid, pgrp, session
    let session = fields.nth(2)?.parse().ok()?;
    Some((name, state, session))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let stat = b"123 (a) b (c)) S 1 22 333 34816 22 4194304 0";
        assert_eq!(parse_stat(stat), Some(("a) b (c)".into(), b'S', 333)));
        assert_eq!(parse_stat(b"123 (cut"), None);
        assert_eq!(parse_stat(b"123 (x) S 1"), None);
    }
}
