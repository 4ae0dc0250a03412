//! `tail`: a session whose segments come while it is followed.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::store::{Host, Said, Session, World, put};

/// Until something must have been seen.
pub const SOON: Duration = Duration::from_secs(30);

/// A host that began a minute ago, and a session of it that is open.
pub fn running(world: &World, name: &str, segments: usize) -> (Host, Session) {
    let now = u64::try_from(chrono::Utc::now().timestamp_millis()).unwrap();
    let mut host = Host::at(name, now - 60_000);
    let session = host.record(&host.plan(world, segments));
    (host, session)
}

/// Puts one segment into the store.
pub fn arrive(world: &World, session: &Session, number: usize) {
    put(world, &session.name(number), &session.segments[number].bytes);
}

/// A program that runs on, and the lines that it prints.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    pub seen: Vec<String>,
}

impl Running {
    pub fn start(world: &World, args: &[&str]) -> Self {
        let mut child = world.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (send, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        Self { child, lines, seen: Vec::new() }
    }

    /// Waits for a line with these words.
    pub fn expect(&mut self, words: &str) {
        let begun = Instant::now();
        while !self.seen.iter().any(|line| line.contains(words)) {
            match self.lines.recv_timeout(SOON.saturating_sub(begun.elapsed())) {
                Ok(line) => self.seen.push(line),
                Err(_) => {
                    let _ = self.child.kill();
                    let mut err = String::new();
                    let _ = self.child.stderr.take().unwrap().read_to_string(&mut err);
                    panic!("`{words}` was not printed: {:#?}\n{err}", self.seen);
                }
            }
        }
    }

    /// Waits for one more line.
    pub fn next(&mut self) {
        self.seen.push(self.lines.recv_timeout(SOON).expect("one more line"));
    }

    pub fn id(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    /// Waits for the end; all lines, and what was said beside them.
    pub fn end(mut self) -> Said {
        let mut err = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        let code = self.child.wait().unwrap().code().expect("ended by a signal");
        self.seen.extend(self.lines.iter());
        Said { code, out: self.seen.join("\n"), err }
    }
}

#[test]
fn lines_come_with_their_segments_and_the_end_with_the_last() {
    let world = World::new();
    let (mut host, session) = running(&world, "web1", 3);
    host.save(&world);
    arrive(&world, &session, 0);
    let mut tail = Running::start(&world, &["tail", "latest", "--lines", "--interval", "0.1"]);
    tail.expect("segment 0: café");
    assert_eq!(tail.seen, ["segment 0: café"]);
    arrive(&world, &session, 1);
    tail.expect("segment 1: café");
    // The last segment, and later the entry that ends the session.
    let before = host.entries.len();
    host.end(&session);
    arrive(&world, &session, 2);
    tail.expect("segment 2: café");
    host.save_entries(&world, &host.entries[before..]);
    let said = tail.end();
    said.expect(0, &["running as of", "the session has ended: exited; complete"]);
    let texts: Vec<&str> = said.out.lines().filter(|line| line.contains("segment")).collect();
    assert_eq!(texts.len(), 3, "{said:?}");
    assert!(said.out.ends_with("[exit status 0]\n\u{fffd}x"), "{said:?}");
    // What has ended is shown with its last lines.
    let said = world.run(&["tail", &session.id.to_string(), "-n", "2", "--json"]);
    said.expect(0, &["\"kind\":\"ended\"", "\"ok\":true", "exit status 0"]);
    assert_eq!(said.out.lines().count(), 3, "{said:?}");
    world.run(&["tail"]).expect(1, &["no session runs", "hint"]);
}

#[test]
fn segments_are_shown_in_order_whatever_the_order_in_which_they_come() {
    let world = World::new();
    let (mut host, session) = running(&world, "web1", 4);
    host.checkpoint(&[]);
    host.entries.pop();
    host.save(&world);
    arrive(&world, &session, 0);
    let mut tail = Running::start(&world, &["tail", "--lines", "--interval", "0.1"]);
    tail.expect("segment 0");
    arrive(&world, &session, 2);
    std::thread::sleep(Duration::from_millis(600));
    arrive(&world, &session, 1);
    tail.expect("segment 2");
    let order: Vec<&str> = tail.seen.iter().map(String::as_str).filter(|line| line.contains("segment")).collect();
    assert!(order.len() == 3 && order[1].ends_with("segment 1: café"), "{order:?}");
    drop(tail.child.kill());
}

#[test]
fn a_segment_that_contradicts_stops_it_and_nothing_of_it_is_shown() {
    let world = World::new();
    let (host, session) = running(&world, "web1", 3);
    host.save(&world);
    arrive(&world, &session, 0);
    let mut tail = Running::start(&world, &["tail", "--lines", "--interval", "0.1"]);
    tail.expect("segment 0");
    let mut bytes = session.segments[1].bytes.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    put(&world, &session.name(1), &bytes);
    let said = tail.end();
    said.expect(1, &["is refused: altered: segment 1", "hint"]);
    assert!(!said.out.contains("segment 1"), "{said:?}");

    // One of another session, signed and whole, in the place of the next.
    let world = World::new();
    let (mut host, session) = running(&world, "web1", 2);
    let other = host.record(&host.plan(&world, 2));
    host.save(&world);
    arrive(&world, &session, 0);
    let mut tail = Running::start(&world, &["tail", &session.id.to_string(), "--lines", "--interval", "0.1"]);
    tail.expect("segment 0");
    let name = session.name(1);
    put(&world, &name, &other.segments[1].bytes);
    tail.end().expect(1, &["is refused"]);
}

#[test]
fn what_fell_silent_is_said_with_the_time() {
    let world = World::new();
    let mut host = Host::new("web1");
    let mut plan = host.plan(&world, 2);
    plan.closed = false;
    let session = host.record(&plan);
    host.checkpoint(&[&session]);
    session.save(&world);
    host.save(&world);
    let said = world.run(&["tail", &session.id.to_string(), "--lines"]);
    said.expect(1, &["segment 1", "the session is silent since", &host.last().time.to_string()]);
    world.run(&["tail", "--lines"]).expect(1, &["no session runs"]);
    world.remove_identity();
    world.run(&["tail", &session.id.to_string(), "--lines"]).expect(4, &["no identity at hand"]);
}

#[test]
fn on_a_terminal_the_screen_is_drawn_live() {
    let world = World::new();
    let (mut host, session) = running(&world, "web1", 2);
    host.save(&world);
    arrive(&world, &session, 0);
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    tcsetwinsize(&master, Winsize { ws_row: 25, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let end = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let on = |end: &std::os::fd::OwnedFd| Stdio::from(end.try_clone().unwrap());
    let start = || {
        let mut command = world.command(&["tail", "--interval", "0.1"]);
        command.stdin(on(&end)).stdout(on(&end)).stderr(Stdio::piped()).spawn().unwrap()
    };
    let (send, bytes) = channel();
    let mut reads = File::from(master.try_clone().unwrap());
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(n) = reads.read(&mut buffer) {
            if send.send(buffer[..n].to_vec()).is_err() {
                return;
            }
        }
    });
    let mut shown = String::new();
    let mut wait = |words: &str| {
        let begun = Instant::now();
        while !shown.contains(words) {
            let more = bytes.recv_timeout(SOON.saturating_sub(begun.elapsed()));
            shown.push_str(&String::from_utf8_lossy(&more.unwrap_or_else(|_| panic!("no `{words}` in {shown:?}"))));
        }
        std::mem::take(&mut shown)
    };
    let mut tail = start();
    wait("\x1b[?1049h");
    wait("segment 0: caf");
    wait("LIVE, up to ");
    arrive(&world, &session, 1);
    wait("segment 1: caf");
    let before = host.entries.len();
    host.end(&session);
    host.save_entries(&world, &host.entries[before..]);
    wait("\x1b[?1049l");
    let mut err = String::new();
    tail.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!(tail.wait().unwrap().code(), Some(0), "{err}");
    assert!(err.contains("the session has ended: exited; complete"), "{err}");

    // And one that goes on is left with a key.
    let (host, session) = running(&world, "web2", 2);
    host.save(&world);
    arrive(&world, &session, 0);
    let mut tail = start();
    wait("segment 0: caf");
    File::from(master.try_clone().unwrap()).write_all(b"q").unwrap();
    wait("\x1b[?1049l");
    assert_eq!(tail.wait().unwrap().code(), Some(0));
}
