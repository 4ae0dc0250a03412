//! `script` of util-linux with timing: what was shown in one file, when in another; typed input in a third, or with the
//! output in one.
//!
//! Classic timing has lines `delay bytes`; advanced timing (since 2.35) has `X delay …`, where X says what: `O` output, `I`
//! input, `S` signal, `H` a fact. A log's first line says when it began, and its last, outside of any timing, when and
//! how it ended: both are script's own.

use super::source::Source;
use super::{Clock, Event, Fault, Take, Told, command_line, give};

/// Bytes of a log that are given at once.
const PIECE: usize = 64 << 10;
/// Most bytes of a log's last line.
const LAST_LINE: usize = 4 << 10;
const BEGINS: &[u8] = b"Script started on ";
const ENDS: &[u8] = b"\nScript done on ";

/// The files of a recording.
pub struct Files {
    /// What was shown; with what was typed, where script was told `--log-io`.
    pub output: Source,
    /// When.
    pub timing: Source,
    /// What was typed, where that is a file of its own.
    pub input: Option<Source>,
}

/// Reads them.
pub fn read(files: Files, told: &mut Told, take: &mut Take<'_>) -> Result<(), Fault> {
    let Files { mut output, mut timing, mut input } = files;
    if let Some(text) = first_line(&mut output)? {
        tell(&text, told);
    }
    if let Some(input) = &mut input {
        first_line(input)?;
    }
    let (mut clock, mut line, mut logs) = (Clock::default(), Vec::new(), Logs::default());
    while let Some(whole) = timing.line(&mut line)? {
        let text = std::str::from_utf8(&line).map_err(|_| timing.bad_line("it is not text: no timing of script"))?;
        if text.is_empty() {
            continue;
        }
        let entry = match parse(text) {
            // A cut number is a number, too.
            Some(entry) if whole => entry,
            _ if !whole => return Err(timing.bad_line("the file ends within a line")),
            _ => return Err(timing.bad_line("no `delay bytes` and no `O|I|S|H delay …`: it is no timing of script")),
        };
        let t_us = clock.after(entry.delay).map_err(|what| timing.bad_line(what))?;
        match entry.what {
            What::Output(count) => pass(&mut output, count, |piece| give(take, t_us, Event::Output(piece)))
                .and_then(|missing| complete(&timing, &output, count, missing))?,
            What::Input(count) => {
                let from = if logs.is_one() { Some(&mut output) } else { input.as_mut() };
                match from {
                    Some(from) => pass(from, count, |piece| give(take, t_us, Event::Input(piece)))
                        .and_then(|missing| complete(&timing, from, count, missing))?,
                    None => give(take, t_us, Event::InputElsewhere(count))?,
                }
            }
            What::Signal(text) => signal(text, t_us, take)?,
            What::Fact(name, value) => fact(name, value, &mut logs, told),
        }
    }
    rest(&mut output, clock.us, told, take)
}

/// Which files the timing names.
#[derive(Debug, Default)]
struct Logs {
    output: Option<String>,
    input: Option<String>,
}

impl Logs {
    fn is_one(&self) -> bool {
        self.output.is_some() && self.output == self.input
    }
}

#[derive(Debug, PartialEq)]
struct Entry<'a> {
    delay: f64,
    what: What<'a>,
}

#[derive(Debug, PartialEq)]
enum What<'a> {
    Output(u64),
    Input(u64),
    Signal(&'a str),
    Fact(&'a str, &'a str),
}

fn parse(line: &str) -> Option<Entry<'_>> {
    let (first, rest) = line.split_once(' ')?;
    if let Ok(delay) = first.parse() {
        return Some(Entry { delay, what: What::Output(super::digits(rest.trim())?) });
    }
    let (delay, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let delay = delay.parse().ok()?;
    let what = match first {
        "O" => What::Output(super::digits(rest.trim())?),
        "I" => What::Input(super::digits(rest.trim())?),
        "S" => What::Signal(rest),
        "H" => {
            let (name, value) = rest.split_once(' ').unwrap_or((rest, ""));
            What::Fact(name, value)
        }
        _ => return None,
    };
    Some(Entry { delay, what })
}

/// Takes a log's first line, if it is script's own.
fn first_line(log: &mut Source) -> Result<Option<String>, Fault> {
    if !log.peek()?.starts_with(BEGINS) {
        return Ok(None);
    }
    let mut line = Vec::new();
    log.line(&mut line)?;
    Ok(Some(String::from_utf8_lossy(&line).into_owned()))
}

/// Gives `count` bytes on, in pieces. How many are missing.
fn pass(log: &mut Source, count: u64, mut piece: impl FnMut(&[u8]) -> Result<(), Fault>) -> Result<u64, Fault> {
    let (mut left, mut bytes) = (count, Vec::new());
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        log.bytes(most, &mut bytes)?;
        left -= bytes.len() as u64;
        if !bytes.is_empty() {
            piece(&bytes)?;
        }
        if bytes.len() < most {
            break;
        }
    }
    Ok(left)
}

fn complete(timing: &Source, log: &Source, count: u64, missing: u64) -> Result<(), Fault> {
    if missing == 0 {
        return Ok(());
    }
    Err(timing.bad_line(format!("it speaks of {count} bytes, and {} ends {missing} before that", log.name())))
}

fn signal(text: &str, t_us: u64, take: &mut Take<'_>) -> Result<(), Fault> {
    let number = |name: &str| text.split(' ').find_map(|word| word.strip_prefix(name)).and_then(super::digits);
    match (text.starts_with("SIGWINCH"), number("COLS="), number("ROWS=")) {
        (true, Some(cols), Some(rows)) => give(take, t_us, Event::Resize { cols, rows }),
        _ => give(take, t_us, Event::Marker(&format!("signal {text}"))),
    }
}

fn fact(name: &str, value: &str, logs: &mut Logs, told: &mut Told) {
    let (cols, rows) = told.size.unwrap_or((0, 0));
    match name {
        "START_TIME" => told.started_us = date(value).or(told.started_us),
        "TERM" => told.term = Some(value.to_owned()),
        "COLUMNS" => told.size = super::digits(value).map(|cols| (cols, rows)),
        "LINES" => told.size = super::digits(value).map(|rows| (cols, rows)),
        "COMMAND" => told.command = command_line(value),
        "OUTPUT_LOG" => logs.output = Some(value.to_owned()),
        "INPUT_LOG" => logs.input = Some(value.to_owned()),
        "EXIT_CODE" => told.exit = super::digits(value),
        _ => {}
    }
}

/// `Script started on DATE [COMMAND="…" TERM="…" TTY="…" COLUMNS="80" LINES="24"]`.
fn tell(line: &str, told: &mut Told) {
    let line = line.strip_prefix("Script started on ").unwrap_or(line);
    let (start, facts) = line.split_once(" [").unwrap_or((line, ""));
    told.started_us = date(start);
    let value = |name: &str| {
        let (_, rest) = facts.split_once(&format!("{name}=\""))?;
        rest.split_once('"').map(|(value, _)| value)
    };
    told.term = value("TERM").map(str::to_owned);
    told.command = command_line(value("COMMAND").unwrap_or_default());
    told.size = value("COLUMNS").and_then(super::digits).zip(value("LINES").and_then(super::digits));
}

/// `2026-11-28 21:55:32+00:00`.
fn date(text: &str) -> Option<i64> {
    chrono::DateTime::parse_from_str(text.trim(), "%Y-%m-%d %H:%M:%S%:z").ok().map(|time| time.timestamp_micros())
}

/// What follows in the output after all that has a time: script's own last line; or what it wrote before it could say
/// when.
fn rest(log: &mut Source, t_us: u64, told: &mut Told, take: &mut Take<'_>) -> Result<(), Fault> {
    let (mut bytes, mut says) = (Vec::new(), false);
    loop {
        log.bytes(PIECE, &mut bytes)?;
        if bytes.is_empty() {
            return Ok(());
        }
        if !says && bytes.starts_with(ENDS) && bytes.len() < LAST_LINE {
            let line = String::from_utf8_lossy(&bytes);
            let code = line.split_once("COMMAND_EXIT_CODE=\"").and_then(|(_, rest)| rest.split_once('"'));
            told.exit = code.and_then(|(code, _)| super::digits(code)).or(told.exit);
            return Ok(());
        }
        if !std::mem::replace(&mut says, true) {
            give(take, t_us, Event::Marker("the source has no times for what follows"))?;
        }
        give(take, t_us, Event::Output(&bytes))?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_both_timings_are_told_apart() {
        assert_eq!(parse("0.5 12"), Some(Entry { delay: 0.5, what: What::Output(12) }));
        assert_eq!(parse("I 0.25 4"), Some(Entry { delay: 0.25, what: What::Input(4) }));
        let signal = "SIGWINCH ROWS=30 COLS=100";
        assert_eq!(parse("S 0.1 SIGWINCH ROWS=30 COLS=100"), Some(Entry { delay: 0.1, what: What::Signal(signal) }));
        assert_eq!(parse("H 0.0 COMMAND a b"), Some(Entry { delay: 0.0, what: What::Fact("COMMAND", "a b") }));
        for bad in ["", "0.5", "0.5 -1", "O 0.5", "X 0.5 1", "0.5 1 2"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
