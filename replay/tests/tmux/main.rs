//! The player's screen and tmux's, given the same bytes: what `capture-pane` says is what is drawn.
//!
//! `cargo test -p hansard-replay --features outside --test tmux`; needs tmux, vim, htop, top and script. Each stream is cut
//! at ten places and compared at each. Not for colours: `capture-pane -p` has none.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hansard_replay::screen::{LineFeed, Screen, Stream};
use hansard_schemas::cast::Size;

mod programs;
mod screens;

const COLS: u16 = 80;
const ROWS: u16 = 24;
const POSITIONS: usize = 10;

/// A tmux server of our own, gone with the test.
struct Tmux {
    folder: tempfile::TempDir,
}

impl Tmux {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn call(&self, args: &[&str]) -> String {
        let socket = self.folder.path().join("socket");
        let mut command = Command::new("tmux");
        command.env_remove("TMUX").env("LC_ALL", "C.UTF-8").args(["-u", "-f", "/dev/null", "-S"]).arg(socket);
        let output = command.args(args).stderr(Stdio::inherit()).output().expect("tmux");
        assert!(output.status.success(), "tmux {args:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The rows that tmux shows of these bytes.
    fn rows(&self, name: &str, bytes: &[u8]) -> Vec<String> {
        let (file, done) = (self.folder.path().join(name), self.folder.path().join(format!("{name}.done")));
        std::fs::write(&file, bytes).unwrap();
        let run = format!("stty raw -echo; cat '{}'; : > '{}'; exec sleep 600", file.display(), done.display());
        let (cols, rows) = (COLS.to_string(), ROWS.to_string());
        // The window must have its size before anything is shown.
        self.call(&[
            "start-server",
            ";",
            "set",
            "-g",
            "status",
            "off",
            ";",
            "set",
            "-s",
            "exit-empty",
            "off",
            ";",
            "new-session",
            "-d",
            "-s",
            name,
            "-x",
            &cols,
            "-y",
            &rows,
            &run,
        ]);
        let until = Instant::now() + Duration::from_secs(60);
        while !done.exists() {
            assert!(Instant::now() < until, "tmux did not show {name}");
            std::thread::sleep(Duration::from_millis(5));
        }
        // `cat` has written all; the server has read it when nothing changes any more.
        let mut last = String::new();
        let mut same = 0;
        while same < 4 {
            let now = self.call(&["capture-pane", "-p", "-t", name]);
            same = if now == last { same + 1 } else { 0 };
            last = now;
            std::thread::sleep(Duration::from_millis(25));
        }
        self.call(&["kill-session", "-t", name]);
        last.lines().map(|row| row.trim_end().to_owned()).collect()
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let socket = self.folder.path().join("socket");
        let _ = Command::new("tmux").arg("-S").arg(socket).arg("kill-server").stderr(Stdio::null()).status();
    }
}

fn rows(bytes: &[u8]) -> Vec<String> {
    let mut screen = Screen::new(Size { cols: COLS, rows: ROWS }, LineFeed::Terminal);
    screen.write(Stream::Output, bytes);
    screen.settle();
    let row = |cells: &[avt::Cell]| {
        let mut out = String::new();
        cells.iter().filter(|cell| cell.width() > 0).for_each(|cell| screen.spell(cell, &mut out));
        out.trim_end().to_owned()
    };
    screen.rows().map(row).collect()
}

fn padded(mut rows: Vec<String>) -> Vec<String> {
    rows.resize(usize::from(ROWS), String::new());
    rows
}

/// Compares at ten places; gives the differences.
fn compare(tmux: &Tmux, name: &str, bytes: &[u8]) -> Vec<String> {
    let mut wrong = Vec::new();
    for n in 1..=POSITIONS {
        let cut = &bytes[..bytes.len() * n / POSITIONS];
        let (theirs, ours) = (padded(tmux.rows(&format!("{name}-{n}"), cut)), padded(rows(cut)));
        for (row, (theirs, ours)) in theirs.iter().zip(&ours).enumerate().filter(|(_, (a, b))| a != b) {
            wrong.push(format!("{name} at {} bytes, row {row}:\n  tmux: {theirs:?}\n  ours: {ours:?}", cut.len()));
        }
    }
    wrong
}

struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// What vttest does: functions that move, erase, insert, delete or scroll, in no order. Left out is where tmux and others
/// are seen to differ: line wrap switched off (`DECRC` switches it on again here, and not in tmux); a repetition (`REP`)
/// that reaches the end of a line (tmux cuts it there, here it wraps); lines inserted or deleted with the cursor outside of
/// the margins (tmux moves all down to the end of the screen, here what is above the top margin goes to the bottom one;
/// xterm and others do nothing).
fn generated(seed: u64) -> Vec<u8> {
    let mut numbers = Numbers(seed);
    let mut text = String::new();
    for step in 0..400 {
        let (n, m) = (numbers.below(30), numbers.below(90));
        text.push_str(&match numbers.below(26) {
            0 => format!("\x1b[{n};{m}H"),
            1 => format!("\x1b[{}J", numbers.below(3)),
            2 => format!("\x1b[{}K", numbers.below(3)),
            3 => format!("\x1b[r\x1b[{n};{m}H\x1b[{}L", numbers.below(5)),
            4 => format!("\x1b[r\x1b[{n};{m}H\x1b[{}M", numbers.below(5)),
            5 => format!("\x1b[{}@", numbers.below(9)),
            6 => format!("\x1b[{}P", numbers.below(9)),
            7 => format!("\x1b[{}X", numbers.below(9)),
            8 => format!("\x1b[{};{}r", 1 + numbers.below(10), 12 + numbers.below(12)),
            9 => "\x1bM".repeat(numbers.below(4) as usize),
            10 => "\x1bD\x1bE".into(),
            11 => format!("\x1b[{}S", numbers.below(3)),
            12 => format!("\x1b[{}T", numbers.below(3)),
            13 => format!("\x1b[{}{}", numbers.below(9), ["A", "B", "C", "D", "E", "F"][numbers.below(6) as usize]),
            14 => format!("\x1b[{m}G\x1b[{n}d"),
            15 => "\t|".into(),
            16 => "\x1b7".into(),
            17 => "\x1b8".into(),
            19 => format!("\rx\x1b[{}b", numbers.below(20)),
            20 => "日本 e\u{301}\u{323}!".into(),
            21 => "\r\n".repeat(n as usize % 4),
            22 => format!("\x1b[3{}mcolour\x1b[0m", numbers.below(8)),
            _ => format!("step {step} {} ", "abcdefgh".repeat(n as usize % 12)),
        });
    }
    text.into_bytes()
}

/// Fails where what is drawn at one of ten places is not what tmux shows.
fn assert_as_tmux(name: &str, bytes: &[u8]) {
    let wrong = compare(&Tmux::new(), name, bytes);
    assert!(wrong.is_empty(), "{} rows differ\n{}", wrong.len(), wrong[..wrong.len().min(12)].join("\n"));
}

#[test]
fn generated_streams_show_what_tmux_shows() {
    let tmux = Tmux::new();
    let wrong: Vec<String> =
        (1..=12).flat_map(|seed| compare(&tmux, &format!("seed{seed}"), &generated(seed))).collect();
    assert!(wrong.is_empty(), "{} rows differ\n{}", wrong.len(), wrong[..wrong.len().min(12)].join("\n"));
}
