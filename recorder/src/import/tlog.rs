//! tlog: JSON messages, one a line, of one recording.
//!
//! `timing` says how `in_txt`, `in_bin`, `out_txt` and `out_bin` interleave: `+N` waits N ms, `<N` and `>N` are N characters
//! of input and output, `[N/M` and `]N/M` are N characters of text that stand for M bytes of the `bin`, `=CxR` is a size.
//! Characters are counted, not bytes; `pos` is where a message begins, in ms.

use serde::Deserialize;

use super::source::Source;
use super::{Clock, Event, Fault, Take, Told, give, json, size, unix_us};

#[derive(Debug, Deserialize)]
struct Message {
    host: Option<String>,
    rec: String,
    user: Option<String>,
    term: Option<String>,
    id: u64,
    pos: f64,
    time: Option<f64>,
    timing: String,
    in_txt: String,
    in_bin: Vec<u8>,
    out_txt: String,
    out_bin: Vec<u8>,
}

/// Reads it.
pub fn read(mut source: Source, told: &mut Told, take: &mut Take<'_>) -> Result<(), Fault> {
    let (mut clock, mut line) = (Clock::default(), Vec::new());
    let mut before: Option<(String, u64)> = None;
    let mut shown = None;
    while let Some(whole) = source.line(&mut line)? {
        if line.is_empty() {
            continue;
        }
        let message: Message = serde_json::from_slice(&line).map_err(|e| match whole {
            true => source.bad_line(format!("no message of tlog: {}", json(&e))),
            false => source.bad_line("the file ends within a message"),
        })?;
        let begun_us = clock.at(message.pos / 1e3).map_err(|what| source.bad_line(what))?;
        let expected = match &before {
            Some((rec, _)) if *rec != message.rec => {
                let what = format!(
                    "another recording begins here: {} after {rec}; each must be a file of its own",
                    message.rec
                );
                return Err(source.bad_line(what));
            }
            Some((_, id)) => id.saturating_add(1),
            None => {
                told.started_us = message.time.and_then(|time| unix_us(time - message.pos / 1e3));
                (told.host, told.user, told.term) = (message.host.clone(), message.user.clone(), message.term.clone());
                1
            }
        };
        if message.id < expected {
            return Err(source.bad_line(format!("message {} follows message {}", message.id, expected - 1)));
        }
        if message.id > expected {
            let what = format!("messages {expected} to {} of tlog are missing", message.id - 1);
            give(take, begun_us, Event::Missing(what))?;
        }
        play(&message, &mut clock, &mut shown, told, take).map_err(|e| match e {
            Trouble::Fault(fault) => fault,
            Trouble::Said(what) => source.bad_line(what),
        })?;
        before = Some((message.rec, message.id));
    }
    Ok(())
}

enum Trouble {
    Fault(Fault),
    Said(String),
}

impl From<String> for Trouble {
    fn from(what: String) -> Self {
        Self::Said(what)
    }
}

/// One direction of a message: what is left of its text and bytes, and what was taken and not given on.
struct Stream<'a> {
    text: &'a str,
    bytes: &'a [u8],
    pending: Vec<u8>,
}

impl<'a> Stream<'a> {
    fn new(text: &'a str, bytes: &'a [u8]) -> Self {
        Self { text, bytes, pending: Vec::new() }
    }

    fn characters(&mut self, count: usize) -> Result<&'a str, String> {
        let mut ends = self.text.char_indices().map(|(at, _)| at).chain([self.text.len()]);
        let taken = ends.nth(count).and_then(|end| self.text.split_at_checked(end));
        let (taken, rest) = taken.ok_or("its timing speaks of more characters than its text has")?;
        self.text = rest;
        Ok(taken)
    }

    fn exact(&mut self, characters: usize, count: usize) -> Result<(), String> {
        self.characters(characters)?;
        let taken = self.bytes.split_at_checked(count);
        let (taken, rest) = taken.ok_or("its timing speaks of more bytes than it has")?;
        self.bytes = rest;
        self.pending.extend_from_slice(taken);
        Ok(())
    }
}

fn play(
    message: &Message,
    clock: &mut Clock,
    shown: &mut Option<(u16, u16)>,
    told: &mut Told,
    take: &mut Take<'_>,
) -> Result<(), Trouble> {
    let mut input = Stream::new(&message.in_txt, &message.in_bin);
    let mut output = Stream::new(&message.out_txt, &message.out_bin);
    let mut rest = message.timing.as_str();
    let mut last = ' ';
    while let Some(kind) = rest.chars().next() {
        let after = rest.get(kind.len_utf8()..).unwrap_or_default();
        let end = after.find(|c: char| !c.is_ascii_digit() && c != '/' && c != 'x').unwrap_or(after.len());
        let (value, next) = after.split_at(end);
        rest = next;
        // What comes at one time is one event, so that a character in two parts is whole.
        let side = |kind| matches!(kind, '<' | '[');
        if matches!(kind, '+' | '=') || side(kind) != side(last) {
            flush(clock.us, &mut input, &mut output, take).map_err(Trouble::Fault)?;
        }
        let odd = || format!("its timing has {kind}{value}, which is not understood");
        let one = || super::digits::<usize>(value).filter(|_| !value.is_empty()).ok_or_else(odd);
        let two = || {
            let (a, b) = value.split_once('/').ok_or_else(odd)?;
            Ok::<_, String>((super::digits(a).ok_or_else(odd)?, super::digits(b).ok_or_else(odd)?))
        };
        match kind {
            '+' => {
                let ms: u32 = super::digits(value).ok_or_else(odd)?;
                clock.after(f64::from(ms) / 1e3)?;
            }
            '<' => {
                let text = input.characters(one()?)?;
                input.pending.extend_from_slice(text.as_bytes());
            }
            '>' => {
                let text = output.characters(one()?)?;
                output.pending.extend_from_slice(text.as_bytes());
            }
            '[' => two().and_then(|(characters, count)| input.exact(characters, count))?,
            ']' => two().and_then(|(characters, count)| output.exact(characters, count))?,
            '=' => {
                let (cols, rows) = size(value).ok_or_else(odd)?;
                told.size.get_or_insert((cols, rows));
                // Every message says it again.
                if shown.replace((cols, rows)).is_some_and(|before| before != (cols, rows)) {
                    give(take, clock.us, Event::Resize { cols, rows }).map_err(Trouble::Fault)?;
                }
            }
            _ => return Err(odd().into()),
        }
        last = kind;
    }
    flush(clock.us, &mut input, &mut output, take).map_err(Trouble::Fault)?;
    if !(input.text.is_empty() && output.text.is_empty() && input.bytes.is_empty() && output.bytes.is_empty()) {
        return Err("its timing does not speak of all that it holds".to_owned().into());
    }
    Ok(())
}

fn flush<'a>(t_us: u64, input: &mut Stream<'a>, output: &mut Stream<'a>, take: &mut Take<'_>) -> Result<(), Fault> {
    for (stream, is_input) in [(input, true), (output, false)] {
        if !stream.pending.is_empty() {
            let bytes = std::mem::take(&mut stream.pending);
            give(take, t_us, if is_input { Event::Input(&bytes) } else { Event::Output(&bytes) })?;
        }
    }
    Ok(())
}
