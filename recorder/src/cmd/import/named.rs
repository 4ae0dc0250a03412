//! What a session says of the recording that it was imported from: labels, the command, the marker at its beginning.
//!
//! `kernel` of its identity is whoever imports, at the time of the import; what the source says is a claim. Labels are in
//! lifecycle events, too, which are not encrypted: of paths only names are in them.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, SecondsFormat};
use hansard_schemas::Digest;
use hansard_schemas::session::IMPORT;

use crate::import::Told;
use crate::import::origin::{Format, Origin};

/// Most characters of a claim in a label: what is longer is cut, and ends in `…`.
const CLAIM: usize = 256;
/// The same of the command, all of its words.
const COMMAND: usize = 4 << 10;

/// One file of the source.
pub(super) struct SourceFile {
    /// Its name, without folders.
    pub(super) name: String,
    /// SHA-256 of what lies on the disk.
    pub(super) sha256: Digest,
}

/// The labels that every import bears. Nobody else can give them.
pub(super) fn labels(origin: &Origin, files: &[SourceFile], told: &Told, partial: bool) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let mut say = |key: &str, value: String| {
        labels.insert(if key.is_empty() { IMPORT.to_owned() } else { format!("{IMPORT}.{key}") }, value);
    };
    say("", origin.format.as_str().to_owned());
    say("file", clip(&file_name(origin), CLAIM));
    match files {
        [one] => say("sha256", one.sha256.to_string()),
        several => {
            several.iter().for_each(|file| say(&format!("sha256.{}", clip(&file.name, CLAIM)), file.sha256.to_string()))
        }
    }
    let claims = [("started", started(told)), ("user", told.user.clone()), ("host", told.host.clone())];
    for (key, value) in claims {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            say(key, clip(&value, CLAIM));
        }
    }
    if partial {
        say("partial", "yes".to_owned());
    }
    labels
}

/// Whether a label is one of those.
pub(super) fn is_taken(key: &str) -> bool {
    key.strip_prefix(IMPORT).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The command, as the source has it.
pub(super) fn command(told: &Told) -> Vec<String> {
    let mut left = COMMAND;
    let words = told.command.iter().map_while(|word| {
        let word = (left > 0).then(|| clip(word, left))?;
        left = left.saturating_sub(word.len() + 1);
        Some(word)
    });
    words.collect()
}

/// The first line that a reader sees.
pub(super) fn marker(origin: &Origin, files: &[SourceFile], told: &Told) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut text =
        format!("imported by hansard-record {version} from {} {}", origin.format.as_str(), file_name(origin));
    if let Some(title) = &told.title {
        text.push_str(&format!(", titled {}", clip(title, CLAIM)));
    }
    match started(told) {
        Some(started) => text.push_str(&format!(", which says that it began at {started}")),
        None => text.push_str(", which does not say when it began"),
    }
    for file in files {
        text.push_str(&format!("; sha256 {} {}", file.sha256, clip(&file.name, CLAIM)));
    }
    text
}

/// When the source says that it began.
pub(super) fn started(told: &Told) -> Option<String> {
    let time = DateTime::from_timestamp_micros(told.started_us?)?;
    Some(time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// Of a sudo log the last three folders are its name.
pub(super) fn file_name(origin: &Origin) -> String {
    let parts: Vec<_> = origin.path.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    let count = if origin.format == Format::Sudo { 3 } else { 1 };
    parts.get(parts.len().saturating_sub(count)..).unwrap_or_default().join("/")
}

/// A file's name without its folders.
pub(super) fn last_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn clip(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_bounded_and_whole_where_it_is_short() {
        let told =
            |command: &[&str]| Told { command: command.iter().map(|&w| w.to_owned()).collect(), ..Told::default() };
        assert_eq!(command(&told(&["sh", "-c", "x"])), ["sh", "-c", "x"]);
        let long = "ä".repeat(5_000);
        let cut = command(&told(&["sh", &long, "never"]));
        assert_eq!(cut.len(), 2);
        assert!(cut[1].ends_with("ä…") && cut[1].chars().count() < 4_097);
    }
}
