//! `surroundings FILE`: writes down everything that a process has from its parent, one fact a line.
//!
//! Run once with and once without the recorder, the two files must be the same. What differs between any two
//! processes (ids, inode numbers of pipes, names of terminals) is left out or reduced to its kind. Signals that
//! are ignored are not here: this program's own start-up ignores SIGPIPE; tests ask `cat /proc/self/status`.

use std::fmt::Write as _;
use std::fs;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(file) = std::env::args_os().nth(1) else {
        eprintln!("surroundings: no file to write to");
        return ExitCode::FAILURE;
    };
    // Before anything else opens a descriptor.
    let descriptors = descriptors();
    let mut facts = String::new();
    for (name, value) in std::env::vars_os() {
        let _ = writeln!(facts, "env {name:?}={value:?}");
    }
    let _ = writeln!(facts, "args {:?}", std::env::args_os().skip(2).collect::<Vec<_>>());
    let _ = writeln!(facts, "dir {:?}", std::env::current_dir());
    for limit in fs::read_to_string("/proc/self/limits").unwrap_or_default().lines() {
        let _ = writeln!(facts, "limit {limit}");
    }
    for name in ["oom_score_adj", "cgroup", "timerslack_ns", "coredump_filter", "personality", "loginuid"] {
        let value = fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
        let _ = writeln!(facts, "{name} {}", value.trim());
    }
    let priority = rustix::process::getpriority_process(None);
    let _ = writeln!(facts, "priority {priority:?}");
    facts.push_str(&descriptors);
    facts.push_str(&terminal());
    match fs::write(file, facts) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("surroundings: {e}");
            ExitCode::FAILURE
        }
    }
}

/// O_LARGEFILE and O_CLOEXEC, as the terminal was opened: a descriptor that is here has survived an exec, and no program
/// behaves otherwise for them.
const OF_OPENING: u32 = 0o2_100_000;

fn descriptors() -> String {
    let mut numbers: Vec<u32> = fs::read_dir("/proc/self/fd")
        .map(|entries| entries.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect())
        .unwrap_or_default();
    numbers.sort_unstable();
    let mut facts = String::new();
    for number in numbers {
        // The folder that was being read is gone by now and so is not an inherited descriptor.
        let Ok(target) = fs::read_link(format!("/proc/self/fd/{number}")) else { continue };
        let target = target.to_string_lossy();
        let kind = match &*target {
            t if t.starts_with("/dev/pts/") => "a terminal",
            t if t.starts_with("pipe:") => "a pipe",
            t if t.starts_with("socket:") => "a socket",
            t => t,
        };
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap_or_default();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap_or_default().trim();
        let flags = u32::from_str_radix(flags, 8).unwrap_or(u32::MAX) & !OF_OPENING;
        let _ = writeln!(facts, "descriptor {number} {kind} {flags:o}");
    }
    facts
}

fn terminal() -> String {
    let stdin = std::io::stdin();
    let Ok(modes) = rustix::termios::tcgetattr(&stdin) else { return "terminal none\n".into() };
    let size = rustix::termios::tcgetwinsize(&stdin).map(|s| (s.ws_col, s.ws_row, s.ws_xpixel, s.ws_ypixel));
    let own = u32::try_from(rustix::process::getpgrp().as_raw_nonzero().get()).ok();
    let foreground = rustix::termios::tcgetpgrp(&stdin).ok().and_then(|g| u32::try_from(g.as_raw_nonzero().get()).ok());
    let leader = rustix::process::getsid(None).is_ok_and(|s| s == rustix::process::getpid());
    let mut facts = format!("terminal modes {modes:?}\nterminal size {size:?}\n");
    let _ = writeln!(facts, "terminal in the foreground {}", own == foreground);
    let _ = writeln!(facts, "terminal controls {}", fs::File::open("/dev/tty").is_ok());
    let _ = writeln!(facts, "session leader {leader}");
    facts
}
