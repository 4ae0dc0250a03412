//! asciicast versions 2 and 3: a header line, then `[time, code, data]` lines.
//!
//! Version 2 counts times from the start, version 3 from the event before; version 3 has comments. Codes that asciicast does
//! not have, and those that only Hansard writes, are foreign: what they say of the bytes before them is not believed. Not
//! for version 1, which is one document.

use serde::Deserialize;
use serde_json::Value;

use super::source::Source;
use super::{Clock, Event, Fault, Take, Told, command_line, give, json, size, unix_us};

/// The header of either version, as far as it is of use.
#[derive(Debug, Deserialize)]
struct Header {
    version: u64,
    width: Option<u16>,
    height: Option<u16>,
    term: Option<Term>,
    timestamp: Option<f64>,
    command: Option<String>,
    title: Option<String>,
    env: Option<serde_json::Map<String, Value>>,
}

#[derive(Debug, Deserialize)]
struct Term {
    cols: u16,
    rows: u16,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// Reads version 2 or 3.
pub fn read(mut source: Source, told: &mut Told, take: &mut Take<'_>) -> Result<(), Fault> {
    let mut line = Vec::new();
    source.line(&mut line)?;
    let header: Header =
        serde_json::from_slice(&line).map_err(|e| source.bad_line(format!("the header: {}", json(&e))))?;
    let version = header.version;
    if !(2..=3).contains(&version) {
        return Err(source.bad_line(format!("asciicast version {version} is not known")));
    }
    tell(header, told);
    let mut clock = Clock::default();
    while let Some(whole) = source.line(&mut line)? {
        if line.is_empty() || (version == 3 && line.starts_with(b"#")) {
            continue;
        }
        let (time, code, data): (f64, String, Value) = serde_json::from_slice(&line).map_err(|e| match whole {
            true => source.bad_line(format!("no event: {}", json(&e))),
            false => source.bad_line("the file ends within an event"),
        })?;
        let t_us = if version == 2 { clock.at(time) } else { clock.after(time) };
        let t_us = t_us.map_err(|what| source.bad_line(what))?;
        event(t_us, &code, &data, told, take)?;
    }
    Ok(())
}

fn tell(header: Header, told: &mut Told) {
    let term = header.term;
    told.size = term.as_ref().map(|term| (term.cols, term.rows)).or(header.width.zip(header.height));
    let of_env = header.env.as_ref().and_then(|env| env.get("TERM")).and_then(Value::as_str).map(str::to_owned);
    told.term = term.and_then(|term| term.kind).or(of_env);
    told.command = command_line(&header.command.unwrap_or_default());
    told.title = header.title;
    told.started_us = header.timestamp.and_then(unix_us);
}

fn event(t_us: u64, code: &str, data: &Value, told: &mut Told, take: &mut Take<'_>) -> Result<(), Fault> {
    let text = data.as_str();
    match (code, text) {
        ("o", Some(text)) if !text.is_empty() => give(take, t_us, Event::Output(text.as_bytes())),
        ("i", Some(text)) if !text.is_empty() => give(take, t_us, Event::Input(text.as_bytes())),
        ("o" | "i", Some(_)) => Ok(()),
        ("m", Some(text)) => give(take, t_us, Event::Marker(text)),
        ("r", Some(text)) if size(text).is_some() => {
            let (cols, rows) = size(text).unwrap_or_default();
            give(take, t_us, Event::Resize { cols, rows })
        }
        ("x", Some(text)) if text.parse::<u32>().is_ok() => {
            told.exit = text.parse().ok();
            // Not an event here, and later than the last: the end has a time, too.
            give(take, t_us, Event::Output(&[]))
        }
        _ => give(take, t_us, Event::Foreign(format!("an event of code {code:?}"))),
    }
}
