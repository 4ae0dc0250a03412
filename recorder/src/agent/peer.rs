//! Who is at the other end of the socket, by the kernel's word.
//!
//! The socket says process, user and group; `/proc` says the rest about that process, which is held by a descriptor so
//! that its number cannot be another's meanwhile. What the peer itself says is a claim and kept apart (`identity`).

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::socket_peercred;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};

use super::sockets;

/// How many ancestors are looked at for the sshd that opened the session.
const ANCESTORS: usize = 16;
/// How often it is looked for processes that were started while others were being stopped.
const ROUNDS: usize = 8;

/// A process at the other end.
#[derive(Debug)]
pub struct Peer {
    /// Its id.
    pub pid: i32,
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    process: OwnedFd,
}

/// What `/proc` says of a process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// Its name, as the kernel has it.
    pub name: String,
    /// Its parent.
    pub ppid: i32,
    /// Its real user.
    pub uid: u32,
    /// Its supplementary groups.
    pub groups: Vec<u32>,
}

impl Peer {
    /// The process that connected.
    pub fn of(socket: impl AsFd) -> io::Result<Self> {
        let cred = socket_peercred(socket)?;
        let process = pidfd_open(cred.pid, PidfdFlags::NONBLOCK)?;
        Ok(Self { pid: cred.pid.as_raw_nonzero().get(), uid: cred.uid.as_raw(), gid: cred.gid.as_raw(), process })
    }

    /// Whether it still runs.
    pub fn lives(&self) -> bool {
        let mut fds = [PollFd::new(&self.process, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ended| ended == 0)
    }

    /// Ends it at once.
    pub fn kill(&self) -> io::Result<()> {
        Ok(pidfd_send_signal(&self.process, Signal::KILL)?)
    }

    /// Ends it and all that it started, and they. Who is stopped starts and awaits nothing any more: the numbers stay whose
    /// they are, and after some rounds nobody is left to be found.
    pub fn kill_all(&self) -> io::Result<()> {
        pidfd_send_signal(&self.process, Signal::STOP)?;
        let mut stopped = HashSet::from([self.pid]);
        for _ in 0..ROUNDS {
            let new: Vec<Pid> = below(&stopped).into_iter().filter_map(Pid::from_raw).collect();
            if new.is_empty() {
                break;
            }
            for pid in new {
                // One that is gone needs no end; one that is not ours to end stays, as it would at a logout.
                let _ = kill_process(pid, Signal::STOP);
                stopped.insert(pid.as_raw_nonzero().get());
            }
        }
        stopped.remove(&self.pid);
        for pid in stopped.into_iter().filter_map(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
        self.kill()
    }
}

/// Reads `/proc/PID/status`.
pub fn status(pid: i32) -> Option<Status> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some(parse_status(&text))
}

/// The processes that descend from one of these, without them.
fn below(these: &HashSet<i32>) -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let mut others: Vec<(i32, i32)> = pids.filter_map(|pid| Some((pid, status(pid)?.ppid))).collect();
    let (mut known, mut found) = (these.clone(), Vec::new());
    loop {
        let before = found.len();
        others.retain(|(pid, parent)| {
            let is_below = !known.contains(pid) && known.contains(parent);
            if is_below {
                known.insert(*pid);
                found.push(*pid);
            }
            !is_below
        });
        if found.len() == before {
            return found;
        }
    }
}

fn parse_status(text: &str) -> Status {
    let mut status = Status::default();
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        let mut words = value.split_whitespace();
        match key {
            "Name" => status.name = value.trim().to_owned(),
            "PPid" => status.ppid = words.next().and_then(|word| word.parse().ok()).unwrap_or(0),
            "Uid" => status.uid = words.next().and_then(|word| word.parse().ok()).unwrap_or(u32::MAX),
            "Groups" => status.groups = words.filter_map(|word| word.parse().ok()).collect(),
            _ => {}
        }
    }
    status
}

/// Session leader and terminal of a process, from `/proc/PID/stat`: fields 6 and 7.
pub fn session_and_terminal(pid: i32) -> Option<(i32, i32)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold anything, parentheses too: the last one ends it.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let session = fields.nth(3)?.parse().ok()?;
    Some((session, fields.next()?.parse().ok()?))
}

/// Where a session comes from, proved: an ancestor that is root's sshd holds the socket that `SSH_CONNECTION` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The far end.
    pub remote: SocketAddr,
    /// The peer was started by sshd itself, so that what sshd told it reached it unchanged.
    pub direct: bool,
}

/// The addresses of `SSH_CONNECTION`: remote and local.
pub fn ssh_connection(text: &str) -> Option<(SocketAddr, SocketAddr)> {
    let mut words = text.split_whitespace();
    let mut end = || Some(SocketAddr::new(sockets::plain(words.next()?.parse().ok()?), words.next()?.parse().ok()?));
    Some((end()?, end()?))
}

/// Looks for the sshd that holds the connection which the peer claims.
pub fn origin(pid: i32, claimed: &str) -> Option<Origin> {
    let (remote, local) = ssh_connection(claimed)?;
    let inodes = sockets::between(local, remote);
    let mut at = status(pid)?.ppid;
    for generation in 0..ANCESTORS {
        let ancestor = status(at).filter(|_| at > 1)?;
        // Of a session with its privileges separated the parent is the user's sshd, which nobody may trace, and its parent
        // root's; of root's own session the parent is root's.
        if ancestor.uid == 0 && is_sshd(&ancestor.name) && holds(at, &inodes) {
            return Some(Origin { remote, direct: generation < 2 && is_sshd(&status(status(pid)?.ppid)?.name) });
        }
        at = ancestor.ppid;
    }
    None
}

fn is_sshd(name: &str) -> bool {
    matches!(name, "sshd" | "sshd-session" | "sshd-auth")
}

/// Whether the process has one of these sockets open. What may not be looked at proves nothing.
fn holds(pid: i32, inodes: &HashSet<u64>) -> bool {
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    files.filter_map(|file| std::fs::read_link(file.path()).ok()).any(|target| {
        let inode = target.to_str().and_then(|text| text.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
        inode.is_some_and(|inode: u64| inodes.contains(&inode))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_found_by_both_its_ends() {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = std::net::TcpStream::connect(server.local_addr().unwrap()).unwrap();
        let (held, _) = server.accept().unwrap();
        let (local, remote) = (held.local_addr().unwrap(), held.peer_addr().unwrap());
        assert_eq!(remote, client.local_addr().unwrap());
        let inodes = sockets::between(local, remote);
        assert_eq!(inodes.len(), 1);
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(holds(own, &inodes));
        drop(held);
        assert!(!holds(own, &inodes));
        // Nobody's sshd: this process is its own and none of root's.
        let claimed = format!("{} {} {} {}", remote.ip(), remote.port(), local.ip(), local.port());
        assert_eq!(ssh_connection(&claimed), Some((remote, local)));
        assert_eq!(origin(own, &claimed), None);
    }

    #[test]
    fn what_is_no_connection_is_none() {
        for bad in ["", "1.2.3.4", "1.2.3.4 x 1.2.3.4 22", "a 1 b 2", "1.2.3.4 70000 1.2.3.4 22"] {
            assert_eq!(ssh_connection(bad), None, "{bad}");
        }
        let mapped = ssh_connection("::ffff:10.0.0.1 5 fe80::1 22").unwrap();
        assert_eq!(mapped.0.ip(), std::net::IpAddr::from([10, 0, 0, 1]));
    }

    #[test]
    fn a_status_is_read_whatever_its_name_is() {
        let text = "Name:\tss hd)\nPPid:\t7\nUid:\t5\t6\t6\t6\nGroups:\t1 20 300 \n";
        let groups = vec![1, 20, 300];
        assert_eq!(parse_status(text), Status { name: "ss hd)".into(), ppid: 7, uid: 5, groups });
        let own = i32::try_from(std::process::id()).unwrap();
        assert_eq!(status(own).unwrap().uid, rustix::process::getuid().as_raw());
        assert!(session_and_terminal(own).is_some());
    }
}
