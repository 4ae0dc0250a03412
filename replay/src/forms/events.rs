//! One JSON document a line for each event, for programs that count, index and compare.
//!
//! Every line has `time_ms` (milliseconds since the start of the session), `time` (wall clock, UTC; `null` when the
//! beginning of the recording is gone), `code` (the letter of FORMAT.md, section 3) and `event` (its word). Streams have
//! `text`, and `base64` beside it where the bytes are not UTF-8; the rest is parsed. Lines are safe on a terminal.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hansard_schemas::Timestamp;
use hansard_schemas::cast::{Code, Event, EventData, Size};
use serde_json::{Value, json};

use crate::report::json_line;
use crate::wall;

/// Appends the line of an event; its wall-clock time is by the clock at the start of the session.
pub fn line(event: &Event, started: Option<Timestamp>, out: &mut String) {
    let time = started.and_then(|started| wall::after(started, event.time_ms));
    let (code, word) = word(event.code);
    let mut value = json!({"time_ms": event.time_ms, "time": time, "code": code, "event": word});
    let particulars = match (event.code, &event.data) {
        (_, EventData::Bytes(raw)) => match std::str::from_utf8(raw) {
            Ok(text) => json!({"text": text}),
            Err(_) => json!({"text": String::from_utf8_lossy(raw), "base64": STANDARD.encode(raw)}),
        },
        (Code::Resize, EventData::Text(text)) => match text.parse::<Size>() {
            Ok(size) => json!({"cols": size.cols, "rows": size.rows}),
            Err(_) => json!({"text": text}),
        },
        (Code::Marker, EventData::Text(label)) => json!({"label": label}),
        // As it stands: a word of a later version is kept.
        (Code::Gap, EventData::Text(text)) => {
            json!({"gap": serde_json::from_str::<Value>(text).unwrap_or_else(|_| json!(text))})
        }
        (Code::Exit, EventData::Text(text)) => json!({"status": text.parse::<u32>().ok()}),
        (_, EventData::Text(text)) => json!({"text": text}),
    };
    if let (Some(members), Value::Object(particulars)) = (value.as_object_mut(), particulars) {
        members.extend(particulars);
    }
    out.push_str(&json_line(&value));
    out.push('\n');
}

fn word(code: Code) -> (String, &'static str) {
    let (letter, word) = match code {
        Code::Output => ('o', "output"),
        Code::Input => ('i', "input"),
        Code::Error => ('e', "error"),
        Code::Resize => ('r', "resize"),
        Code::Marker => ('m', "marker"),
        Code::Exit => ('x', "exit"),
        Code::Gap => ('g', "gap"),
        Code::Exact => ('b', "exact"),
        Code::Other(letter) => (char::from(letter), "other"),
    };
    (letter.into(), word)
}

#[cfg(test)]
mod tests {
    use super::{Code, Event, EventData, line};

    #[test]
    fn every_event_is_one_document() {
        let started = "2026-11-28T21:00:59.999Z".parse().ok();
        let mut out = String::new();
        for (time_ms, code, data) in [
            (0, Code::Resize, EventData::Text("80x24".into())),
            (2, Code::Output, EventData::Bytes("é\u{9b}2J\u{1b}".into())),
            (3, Code::Error, EventData::Bytes(vec![0xff, b'x'])),
            (4, Code::Gap, EventData::Text(r#"{"what":"clock","why":"clock-step","note":"-5"}"#.into())),
            (5, Code::Marker, EventData::Text("here".into())),
            (3_600_000, Code::Exit, EventData::Text("130".into())),
        ] {
            line(&Event { time_ms, code, data }, started, &mut out);
        }
        let expected = [
            r#"{"code":"r","cols":80,"event":"resize","rows":24,"time":"2026-11-28T21:00:59.999Z","time_ms":0}"#,
            r#"{"code":"o","event":"output","text":"é\u009b2J\u001b","time":"2026-11-28T21:01:00.001Z","time_ms":2}"#,
            r#"{"base64":"/3g=","code":"e","event":"error","text":"�x","time":"2026-11-28T21:01:00.002Z","time_ms":3}"#,
            r#"{"code":"g","event":"gap","gap":{"note":"-5","what":"clock","why":"clock-step"},"time":"2026-11-28T21:01:00.003Z","time_ms":4}"#,
            r#"{"code":"m","event":"marker","label":"here","time":"2026-11-28T21:01:00.004Z","time_ms":5}"#,
            r#"{"code":"x","event":"exit","status":130,"time":"2026-11-28T22:00:59.999Z","time_ms":3600000}"#,
        ];
        assert_eq!(out.lines().collect::<Vec<_>>(), expected);
    }
}
