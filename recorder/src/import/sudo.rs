//! sudo's I/O log: a folder with `timing`, a file for each stream, and `log.json` or `log`, which say who and what.
//!
//! A line of `timing` is a type, the delay since the line before in seconds, and what the type needs: bytes of a stream, a
//! size as `lines cols`, or a signal. Where the command had a terminal, what it wrote to pipes beside it is output, too:
//! sudoreplay shows it in the same place.

use serde::Deserialize;

use super::source::{MOST_BYTES, Source};
use super::{Clock, Event, Fault, Take, Told, digits, give};

/// Bytes of a stream that are given at once.
const PIECE: usize = 64 << 10;

/// The names of the streams' files, by the type of a line.
pub const STREAMS: [&str; 5] = ["stdin", "stdout", "stderr", "ttyin", "ttyout"];

/// The files of a log.
pub struct Files {
    /// When.
    pub timing: Source,
    /// `log.json`, since sudo 1.9.
    pub json: Option<Source>,
    /// `log`.
    pub log: Option<Source>,
    /// As [`STREAMS`] has them; those that are there.
    pub streams: [Option<Source>; 5],
}

/// `log.json`, as far as it is of use.
#[derive(Debug, Deserialize)]
struct Json {
    timestamp: Option<Timestamp>,
    submituser: Option<String>,
    submithost: Option<String>,
    command: Option<String>,
    #[serde(default)]
    runargv: Vec<String>,
    #[serde(default)]
    runenv: Vec<String>,
    columns: Option<u16>,
    lines: Option<u16>,
    exit_value: Option<u32>,
}

#[derive(Debug, Deserialize)]
struct Timestamp {
    seconds: i64,
    #[serde(default)]
    nanoseconds: i64,
}

/// Reads it.
pub fn read(files: Files, told: &mut Told, take: &mut Take<'_>) -> Result<(), Fault> {
    let Files { mut timing, json, log, mut streams } = files;
    match (json, log) {
        (Some(json), _) => tell_json(json, told)?,
        (None, Some(log)) => tell_log(log, told)?,
        (None, None) => {}
    }
    let on_terminal = |streams: &mut [Option<Source>; 5]| {
        let mut any = false;
        for stream in streams.iter_mut().skip(3).flatten() {
            any |= !stream.peek()?.is_empty();
        }
        Ok::<_, Fault>(any)
    };
    told.on_pipes = !on_terminal(&mut streams)?;
    let (mut clock, mut line, mut bytes) = (Clock::default(), Vec::new(), Vec::new());
    while let Some(whole) = timing.line(&mut line)? {
        let text = std::str::from_utf8(&line).map_err(|_| timing.bad_line("it is not text: no timing of sudo"))?;
        if text.is_empty() {
            continue;
        }
        if !whole {
            return Err(timing.bad_line("the file ends within a line"));
        }
        let words: Vec<&str> = text.split(' ').collect();
        let odd = || timing.bad_line("no `type delay …`: it is no timing of sudo");
        let (Some(kind), Some(Ok(delay))) =
            (words.first().and_then(|word| digits::<usize>(word)), words.get(1).map(|word| word.parse::<f64>()))
        else {
            return Err(odd());
        };
        let t_us = clock.after(delay).map_err(|what| timing.bad_line(what))?;
        match (kind, words.get(2), words.get(3)) {
            // 6 was type 4 in sudo 1.8.7.
            (0..=4 | 6, Some(count), None) => {
                let index = if kind == 6 { 4 } else { kind };
                let count: u64 = digits(count).ok_or_else(odd)?;
                let name = STREAMS.get(index).copied().unwrap_or_default();
                let mut stream = streams.get_mut(index).and_then(Option::as_mut);
                let mut left = count;
                while let (Some(stream), 1..) = (stream.as_deref_mut(), left) {
                    let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
                    stream.bytes(most, &mut bytes)?;
                    left -= bytes.len() as u64;
                    let event = match index {
                        0 | 3 => Event::Input(&bytes),
                        2 if told.on_pipes => Event::Error(&bytes),
                        _ => Event::Output(&bytes),
                    };
                    give(take, t_us, event)?;
                    if bytes.len() < most {
                        break;
                    }
                }
                if left > 0 {
                    return Err(
                        timing.bad_line(format!("it speaks of {count} bytes, and {name} ends {left} before that"))
                    );
                }
            }
            (5, Some(rows), Some(cols)) => {
                let (cols, rows) = digits(cols).zip(digits(rows)).ok_or_else(odd)?;
                give(take, t_us, Event::Resize { cols, rows })?;
            }
            (7, Some(signal), None) => give(take, t_us, Event::Marker(&format!("signal {signal}")))?,
            _ => return Err(odd()),
        }
    }
    Ok(())
}

fn all(source: &mut Source) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    source.bytes(MOST_BYTES, &mut bytes)?;
    Ok(bytes)
}

fn tell_json(mut json: Source, told: &mut Told) -> Result<(), Fault> {
    let text = all(&mut json)?;
    let log: Json = serde_json::from_slice(&text).map_err(|e| json.bad_at(0, format!("no log.json of sudo: {e}")))?;
    told.started_us = log
        .timestamp
        .and_then(|time| time.seconds.checked_mul(1_000_000).and_then(|us| us.checked_add(time.nanoseconds / 1_000)));
    (told.user, told.host) = (log.submituser, log.submithost);
    // What was run, and with which words: the first of them is but a name.
    told.command = log.command.into_iter().chain(log.runargv.into_iter().skip(1)).collect();
    told.term = log.runenv.iter().find_map(|entry| entry.strip_prefix("TERM=")).map(str::to_owned);
    told.size = log.columns.zip(log.lines).filter(|(cols, rows)| *cols > 0 && *rows > 0);
    told.exit = log.exit_value;
    Ok(())
}

/// Three lines: `time:user:runas:group:tty:lines:cols`, the working directory, the command.
fn tell_log(mut log: Source, told: &mut Told) -> Result<(), Fault> {
    let text = all(&mut log)?;
    let text = String::from_utf8_lossy(&text);
    let mut lines = text.lines();
    let words: Vec<&str> = lines.next().unwrap_or_default().split(':').collect();
    let started = words.first().and_then(|word| digits::<u32>(word));
    let started = started.ok_or_else(|| log.bad_at(0, "no log of sudo: it does not begin with a time"))?;
    told.started_us = Some(i64::from(started) * 1_000_000);
    told.user = words.get(1).map(|&word| word.to_owned());
    let number = |index: usize| words.get(index).and_then(|word| digits::<u16>(word)).filter(|n| *n > 0);
    told.size = number(6).zip(number(5));
    told.command = super::command_line(lines.nth(1).unwrap_or_default());
    Ok(())
}
