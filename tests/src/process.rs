//! What the kernel says about processes, and ending them: descendants, peak memory, kills by id.

use std::fs;
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

/// The parent of a process, from `/proc`; none when it is gone.
fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in parentheses and may hold anything, so the fields are counted from the last one.
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

/// All processes below `root`, parents before children.
pub fn descendants(root: u32) -> Vec<u32> {
    let all: Vec<(u32, u32)> = fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid: u32| Some((pid, parent(pid)?)))
        .collect();
    let mut found = vec![root];
    let mut next = 0;
    while next < found.len() {
        let above = found[next];
        found.extend(all.iter().filter(|(pid, parent)| *parent == above && *pid != above).map(|(pid, _)| *pid));
        next += 1;
    }
    found.remove(0);
    found
}

/// `root` and those of its descendants that run the same executable: a recorder, however many processes it is, and what
/// watches over its terminal.
pub fn same_program(root: u32) -> Vec<u32> {
    alike(root, |pid| fs::read_link(format!("/proc/{pid}/exe")).ok())
}

/// `root` and those of its descendants that have the same name: what `pkill` and `killall` take for the recorder.
pub fn same_name(root: u32) -> Vec<u32> {
    alike(root, |pid| status_field(pid, "Name"))
}

/// `root` and those of its descendants that are in the same session.
pub fn same_session(root: u32) -> Vec<u32> {
    alike(root, |pid| rustix::process::getsid(Pid::from_raw(pid.try_into().ok()?)).ok())
}

fn alike<T: PartialEq>(root: u32, of: impl Fn(u32) -> Option<T>) -> Vec<u32> {
    let Some(wanted) = of(root) else { return vec![root] };
    let others = descendants(root).into_iter().filter(|pid| of(*pid).is_some_and(|found| found == wanted));
    std::iter::once(root).chain(others).collect()
}

/// Kills one process of a recorder, the first.
pub fn kill_first(root: u32) {
    send(root, Signal::KILL);
}

/// Sends a signal; a process that is already gone is no error.
pub fn send(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.try_into().expect("a process id")).expect("a process id");
    let _ = kill_process(pid, signal);
}

/// Kills every process of the recorder whose first process is `root`.
pub fn kill_recorder(root: u32) {
    kill_all(&same_name(root));
}

/// Kills processes at one instant as far as that can be: all are stopped first, so that none sees another die.
pub fn kill_all(all: &[u32]) {
    if all.len() > 1 {
        all.iter().for_each(|pid| send(*pid, Signal::STOP));
    }
    all.iter().for_each(|pid| send(*pid, Signal::KILL));
}

/// Waits for a child's end, at most `limit`; a child that does not end is killed and fails the test.
pub fn ended(child: &mut Child, limit: Duration) -> ExitStatus {
    ended_within(child, limit).unwrap_or_else(|| {
        let pid = child.id();
        let waits = fs::read_to_string(format!("/proc/{pid}/wchan")).unwrap_or_default();
        let _ = child.kill();
        panic!("process {pid} did not end within {limit:?} (it waited in {waits})")
    })
}

/// Waits for a child's end, at most `limit`; none when it still runs.
pub fn ended_within(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    if let Some(status) = child.try_wait().expect("a child") {
        return Some(status);
    }
    let pid = Pid::from_raw(child.id().try_into().expect("a process id")).expect("a process id");
    let handle = pidfd_open(pid, PidfdFlags::empty()).expect("a handle on a child");
    let until = Instant::now() + limit;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).expect("a time");
        match poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&timeout)) {
            Ok(0) => return None,
            Ok(_) => return Some(child.wait().expect("a child that has ended")),
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => panic!("poll: {e}"),
        }
    }
}

/// A field of `/proc/PID/status`, without its name; none when the process is gone.
pub fn status_field(pid: u32, name: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(|v| v.trim().to_owned()))
}

/// A line of `/proc/PID/status` without signals 32 and 33: the C library keeps them for itself in any program with threads,
/// and lets nobody ask for or restore what the parent had said of them.
pub fn without_library_signals(line: &str) -> String {
    const OF_THE_LIBRARY: u64 = 0b11 << 31;
    match line.split_once(":\t") {
        Some((name, mask)) if name.starts_with("Sig") => match u64::from_str_radix(mask, 16) {
            Ok(mask) => format!("{name}:\t{:016x}", mask & !OF_THE_LIBRARY),
            Err(_) => line.to_owned(),
        },
        _ => line.to_owned(),
    }
}

/// The most memory a process has held so far, in bytes.
pub fn peak_memory(pid: u32) -> Option<u64> {
    let field = status_field(pid, "VmHWM")?;
    Some(field.split(' ').next()?.parse::<u64>().ok()? * 1024)
}

/// Every file below a folder, sorted by path.
pub fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(_) => found.push(entry.path()),
                Err(_) => {}
            }
        }
    }
    found.sort();
    found
}
