//! asciicast v2, for players that know no v3: a header line, then `[seconds since the start, code, data]`.
//!
//! Version 2 has output, input, markers and sizes. What it lacks is translated where a viewer would miss it, left out
//! where not, and counted, so that it can be said: [`Lost`]. The exact record is the recording.

use hansard_schemas::cast::{CastHeader, Code, Event, EventData, Size};
use serde_json::json;

use crate::play::landmark;
use crate::timeline::Landmark;

/// Where the recording says 0, as without a terminal; players refuse a screen without cells.
const FALLBACK: Size = Size { cols: 80, rows: 24 };

/// What of a recording has no place in version 2.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// Events whose bytes are no UTF-8: U+FFFD stands for what is not.
    pub inexact: u64,
    /// Events of standard error, written as output.
    pub errors: u64,
    /// Gaps, written as markers.
    pub gaps: u64,
    /// Exit statuses, left out.
    pub exits: u64,
}

impl Lost {
    /// One line for the operator; `None` where nothing was lost.
    pub fn told(&self) -> Option<String> {
        let parts = [
            (self.inexact, "events whose exact bytes are lost, being no UTF-8"),
            (self.errors, "events of standard error written as output"),
            (self.gaps, "gaps written as markers"),
            (self.exits, "exit statuses left out"),
        ];
        let parts: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{what}: {n}")).collect();
        (!parts.is_empty()).then(|| format!("asciicast v2 cannot say all of it: {}; --as cast can", parts.join("; ")))
    }
}

/// The first line, with its line feed. `end_ms` is the event time at which the recording ends.
pub fn header(header: Option<&CastHeader>, end_ms: u64) -> String {
    let size = header.map_or(FALLBACK, |header| Size { cols: header.term.cols, rows: header.term.rows });
    let size = if size.cols == 0 || size.rows == 0 { FALLBACK } else { size };
    let mut value = json!({
        "version": 2,
        "width": size.cols,
        "height": size.rows,
        "duration": end_ms as f64 / 1000.0,
    });
    if let (Some(header), Some(members)) = (header, value.as_object_mut()) {
        let identity = &header.hansard;
        let mut env = identity.claimed.env.clone();
        if let Some(kind) = &header.term.kind {
            env.insert("TERM".into(), kind.clone());
        }
        members.insert("timestamp".into(), json!(header.timestamp));
        members.insert("title".into(), json!(format!("{} {}", identity.host, identity.session)));
        members.insert("env".into(), json!(env));
        if let Some(command) = &header.command {
            members.insert("command".into(), json!(command));
        }
    }
    format!("{value}\n")
}

/// Appends the line of an event, and counts what it loses.
pub fn line(event: &Event, lost: &mut Lost, out: &mut String) {
    let (code, data) = match (event.code, &event.data) {
        (code @ (Code::Output | Code::Error | Code::Input), EventData::Bytes(raw)) => {
            let text = String::from_utf8_lossy(raw);
            lost.inexact += u64::from(matches!(text, std::borrow::Cow::Owned(_)));
            lost.errors += u64::from(code == Code::Error);
            (if code == Code::Input { "i" } else { "o" }, text.into_owned())
        }
        (Code::Resize, EventData::Text(size)) => ("r", size.clone()),
        (Code::Marker, EventData::Text(label)) => ("m", label.clone()),
        (Code::Gap, EventData::Text(gap)) => {
            lost.gaps += 1;
            let gap = Landmark::said(event.time_ms, Code::Gap, gap.clone());
            ("m", landmark(&gap))
        }
        (Code::Exit, _) => {
            lost.exits += 1;
            return;
        }
        _ => return,
    };
    let (seconds, ms) = (event.time_ms / 1000, event.time_ms % 1000);
    out.push_str(&format!("[{seconds}.{ms:03}, \"{code}\", {}]\n", json!(data)));
}

#[cfg(test)]
mod tests {
    use super::{Code, Event, EventData, Lost, header, line};

    #[test]
    fn what_version_2_lacks_is_translated_or_left_out_and_counted() {
        let bytes = |code, raw: &[u8]| Event { time_ms: 61_005, code, data: EventData::Bytes(raw.to_vec()) };
        let text = |code, text: &str| Event { time_ms: 0, code, data: EventData::Text(text.into()) };
        let (mut lost, mut out) = (Lost::default(), String::new());
        for event in [
            bytes(Code::Output, b"\x1b[1m\"caf\xc3\xa9\"\r\n"),
            bytes(Code::Error, b"a\xff"),
            bytes(Code::Input, b"x"),
            text(Code::Resize, "100x30"),
            text(Code::Marker, "here"),
            text(Code::Gap, r#"{"what":"output","why":"dropped","bytes":12}"#),
            text(Code::Exit, "0"),
        ] {
            line(&event, &mut lost, &mut out);
        }
        let expected = [
            r#"[61.005, "o", "\u001b[1m\"café\"\r\n"]"#,
            "[61.005, \"o\", \"a\u{fffd}\"]",
            r#"[61.005, "i", "x"]"#,
            r#"[0.000, "r", "100x30"]"#,
            r#"[0.000, "m", "here"]"#,
            r#"[0.000, "m", "gap: 12 bytes of output not recorded: dropped"]"#,
        ];
        assert_eq!(out.lines().collect::<Vec<_>>(), expected);
        assert_eq!(lost, Lost { inexact: 1, errors: 1, gaps: 1, exits: 1 });
        assert!(lost.told().is_some_and(|told| told.contains("gaps written as markers: 1")));
        assert_eq!(Lost::default().told(), None);
    }

    #[test]
    fn a_screen_without_cells_is_24_by_80() {
        assert_eq!(header(None, 1500), "{\"duration\":1.5,\"height\":24,\"version\":2,\"width\":80}\n");
    }
}
