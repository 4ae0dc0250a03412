//! What a gap says, in plain words: what is missing, how long or how much of it, and why.
//!
//! Everything that comes from the recording is escaped here.

use hansard_schemas::names::safe;
use serde::Deserialize;

/// The part of a gap's document that a reviewer is told.
#[derive(Deserialize)]
struct Told {
    what: String,
    why: String,
    bytes: Option<u64>,
    from_ms: Option<u64>,
    to_ms: Option<u64>,
    note: Option<String>,
}

/// The words for a gap's document; `None` when it is none.
pub fn words(document: &str) -> Option<String> {
    let told: Told = serde_json::from_str(document).ok()?;
    let span = told.from_ms.zip(told.to_ms).map(|(from, to)| length(to.saturating_sub(from)));
    let much = told.bytes.map(size);
    let (what, why) = (safe(&told.what), safe(&told.why));
    let mut note = told.note.filter(|note| !note.is_empty());
    let mut text = match (told.what.as_str(), told.why.as_str()) {
        (_, "masked") => joined(&format!("{what} masked"), span, much),
        (_, "bounded") => missing(much, &what, "over the limit", span),
        (_, "dropped") => missing(much, &what, "dropped", span),
        (_, "damaged") => missing(much, &what, "the journal was damaged", span),
        ("recorder", "restart") => joined("the recorder was restarted", span, much),
        (_, "suspended") => joined("the host was suspended", span, much),
        ("clock", "clock-step") => match note.as_deref().and_then(|note| note.parse::<i64>().ok()) {
            Some(step) => {
                note = None;
                let way = if step < 0 { "back" } else { "ahead" };
                format!("the wall clock was set {way} by {}", length(step.unsigned_abs()))
            }
            None => "the wall clock was set".into(),
        },
        _ => joined(&format!("{what} not recorded: {why}"), span, much),
    };
    if let Some(note) = note {
        text.push_str(&format!(" ({})", safe(&note)));
    }
    Some(format!("gap: {text}"))
}

fn missing(much: Option<String>, what: &str, why: &str, span: Option<String>) -> String {
    let much = much.map_or_else(|| what.to_owned(), |much| format!("{much} of {what}"));
    joined(&format!("{much} not recorded: {why}"), span, None)
}

fn joined(text: &str, span: Option<String>, much: Option<String>) -> String {
    let mut text = text.to_owned();
    if let Some(span) = span {
        text.push_str(&format!(" {span}"));
    }
    if let Some(much) = much {
        text.push_str(&format!(", {much}"));
    }
    text
}

/// `4 s`, `2 min 5 s`, `1 h 3 min`.
fn length(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0 => format!("{ms} ms"),
        1..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// `812 bytes`, `3.1 MB`.
fn size(bytes: u64) -> String {
    let (unit, name) = match bytes {
        0..1_000 => return format!("{bytes} byte{}", if bytes == 1 { "" } else { "s" }),
        1_000..1_000_000 => (1_000, "kB"),
        1_000_000..1_000_000_000 => (1_000_000, "MB"),
        _ => (1_000_000_000, "GB"),
    };
    let tenths = bytes / (unit / 10);
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn gaps_are_told_in_plain_words() {
        for (document, said) in [
            (r#"{"what":"input","why":"masked","from_ms":1000,"to_ms":5200}"#, "gap: input masked 4 s"),
            (r#"{"what":"input","why":"masked","bytes":1}"#, "gap: input masked, 1 byte"),
            (
                r#"{"what":"output","why":"bounded","bytes":3170000,"note":"transfer"}"#,
                "gap: 3.1 MB of output not recorded: over the limit (transfer)",
            ),
            (r#"{"what":"recorder","why":"restart","to_ms":9}"#, "gap: the recorder was restarted"),
            (
                r#"{"what":"clock","why":"clock-step","note":"-3723000"}"#,
                "gap: the wall clock was set back by 1 h 2 min",
            ),
            (
                r#"{"what":"time","why":"suspended","from_ms":0,"to_ms":125000}"#,
                "gap: the host was suspended 2 min 5 s",
            ),
            (
                "{\"what\":\"x\\u001b[2J\",\"why\":\"new\",\"note\":\"\\u202e\"}",
                "gap: x\\x1b[2J not recorded: new (\\u{202e})",
            ),
        ] {
            assert_eq!(words(document).as_deref(), Some(said), "{document}");
        }
        assert_eq!(words("no document"), None);
    }
}
