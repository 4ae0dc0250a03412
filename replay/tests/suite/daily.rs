//! What terminals show in bulk, made up: what is searched when a search is measured, and where one is compared.

use std::fmt::Write as _;

use crate::recorded::{Event, output};

/// A read of a terminal in bulk.
const READ: usize = 4 << 10;

/// Numbers that are the same each time.
pub struct Random(pub u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

/// Appends a line, or what belongs together.
pub type Make = fn(&mut Random, &mut String);

/// What is shown: plain log lines; builds in colour; all of it, between commands that are typed, with full screens.
pub const KINDS: &[(&str, &[(usize, Make)])] = &[
    ("a log, plain", &[(1, log)]),
    ("a build, in colour", &[(1, build)]),
    ("a day's work", &[(40, log), (30, build), (20, listing), (6, progress), (4, full_screen)]),
];

/// A session's events, of so many bytes: stretches of a screenful or many, after prompts that are typed.
pub fn session(random: &mut Random, makes: &[(usize, Make)], bytes: usize) -> Vec<Event> {
    let (mut events, mut at_ms, mut size) = (Vec::new(), 0, 0);
    let all: usize = makes.iter().map(|(share, _)| share).sum();
    while size < bytes {
        let mut prompt = String::from("\x1b[01;32mada@web1\x1b[00m:\x1b[01;34m~/src\x1b[00m$ ");
        for ch in "journalctl -u ssh\r\n".chars() {
            prompt.push(ch);
            at_ms += 120;
            size += prompt.len();
            events.push(output(at_ms, &prompt));
            prompt.clear();
        }
        let mut at = random.below(all);
        let make = makes.iter().find(|(share, _)| {
            let is = at < *share;
            at = at.saturating_sub(*share);
            is
        });
        let mut text = String::new();
        while text.len() < READ << random.below(6) {
            make.unwrap().1(random, &mut text);
        }
        for part in text.as_bytes().chunks(READ) {
            at_ms += 1;
            size += part.len();
            events.push(output(at_ms, part));
        }
    }
    events
}

const WORDS: &[&str] = &[
    "connection",
    "from",
    "accepted",
    "publickey",
    "session",
    "opened",
    "for",
    "user",
    "root",
    "by",
    "closed",
    "port",
    "error",
    "timeout",
    "reset",
    "peer",
    "retry",
    "request",
    "response",
    "status",
    "started",
    "service",
    "unit",
    "cache",
];

fn log(random: &mut Random, text: &mut String) {
    let (second, pid) = (random.below(60), 1000 + random.below(9000));
    write!(text, "Nov 24 10:{:02}:{second:02} web1 ", random.below(60)).unwrap();
    write!(text, "{}[{pid}]: ", random.one(&["sshd", "systemd", "kernel", "nginx", "postgres"])).unwrap();
    for _ in 0..4 + random.below(12) {
        write!(text, "{} ", random.one(WORDS)).unwrap();
    }
    write!(text, "{:x}\r\n", random.below(1 << 30)).unwrap();
}

fn build(random: &mut Random, text: &mut String) {
    let name = random.one(&["parser", "scanner", "reader", "writer", "segment", "chain", "index"]);
    let n = random.below(2000);
    match random.below(4) {
        0 => write!(text, "\x1b[1m\x1b[33mwarning\x1b[0m\x1b[1m: unused variable `{name}{n}`\x1b[0m\r\n").unwrap(),
        1 => write!(text, "  \x1b[1m\x1b[34m--> \x1b[0msrc/{name}.rs:{n}:{}\r\n", n % 80).unwrap(),
        2 => write!(text, "\x1b[1m\x1b[34m{n:4}\x1b[0m \x1b[1m\x1b[34m|\x1b[0m     let {name} = {n};\r\n").unwrap(),
        _ => write!(text, "\x1b[1m\x1b[32m   Compiling\x1b[0m {name} v0.{}.{}\r\n", n % 10, n % 7).unwrap(),
    }
}

fn listing(random: &mut Random, text: &mut String) {
    let name = random.one(&["README.md", "Cargo.toml", "src", "notes-ü.txt", "報告.pdf", "a b"]);
    write!(text, "-rw-r--r--  1 ada  staff  {:>9} Nov {:>2} 10:12 {name}\r\n", random.below(1 << 24), random.below(30))
        .unwrap();
}

fn progress(random: &mut Random, text: &mut String) {
    let name = random.one(&["vendor", "data", "image"]);
    for percent in 0..100 {
        write!(text, "\r{name}: {percent:3}% [{:<50}]\x1b[K", "#".repeat(percent / 2)).unwrap();
    }
    text.push_str("\r\n");
}

fn full_screen(random: &mut Random, text: &mut String) {
    text.push_str("\x1b[?1049h\x1b[22;0;0t\x1b[1;40r\x1b[H\x1b[2J");
    for row in 1..40 {
        write!(text, "\x1b[{row};1H\x1b[38;5;130m{row:>4} \x1b[0m").unwrap();
        let from = text.len();
        log(random, text);
        text.truncate((from + 100).min(text.len() - 2));
    }
    text.push_str("\x1b[?1049l\x1b[23;0;0t");
}
