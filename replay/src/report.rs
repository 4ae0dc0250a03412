//! Every way out: what is printed on standard error, and the exit status.
//!
//! Two lines: what happened, on what; what to do. Strings from stores and recordings are escaped here, once more
//! than needed rather than once too seldom.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::process::ExitCode;

use hansard_schemas::Error;
use hansard_schemas::names::{Printable, safe};
use hansard_sinks::SinkError;

/// Exit statuses, as the help lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// All is fine.
    Fine = 0,
    /// Verification failed, or nothing was found.
    Failed = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// The store cannot be reached.
    Store = 3,
    /// No usable key.
    NoKey = 4,
}

/// Result of a command.
pub type Outcome<T = Exit> = Result<T, Failure>;

/// Why a command ended early.
#[derive(Debug)]
pub struct Failure {
    /// The exit status.
    pub exit: Exit,
    /// What happened, on what. Empty when there is nothing to say: a reader that went away.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// What clap has to say, already laid out: help and version go to standard output.
    clap: Option<Box<clap::Error>>,
}

impl Failure {
    /// One with an exit status.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hint: None, clap: None }
    }

    /// Wrong usage or configuration.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Verification failed, or nothing was found.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The two lines.
    pub fn rendered(&self) -> String {
        let mut text = format!("hansard-replay: error: {}\n", safe(&self.message));
        if let Some(hint) = &self.hint {
            let _ = writeln!(text, "hansard-replay: hint: {}", safe(hint));
        }
        text
    }
}

impl From<clap::Error> for Failure {
    fn from(error: clap::Error) -> Self {
        use clap::error::ErrorKind;
        if !error.use_stderr() {
            return Self { exit: Exit::Fine, message: String::new(), hint: None, clap: Some(Box::new(error)) };
        }
        if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
            return Self { exit: Exit::Usage, message: String::new(), hint: None, clap: Some(Box::new(error)) };
        }
        // Clap lays out paragraphs: what is wrong, perhaps a tip, usage, where to find help.
        let text = error.render().to_string();
        let mut paragraphs = text.split("\n\n").map(|one| one.split_whitespace().collect::<Vec<_>>().join(" "));
        let what = paragraphs.next().unwrap_or_default();
        let tip = paragraphs.find_map(|one| one.strip_prefix("tip: ").map(str::to_owned));
        Self::usage(what.trim_start_matches("error: "))
            .hint(tip.unwrap_or_else(|| "--help shows how it is used".into()))
    }
}

/// Of writing output. A closed pipe is a quiet success.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::new(Exit::Fine, "");
        }
        Self::usage(format!("cannot write: {error}"))
    }
}

impl From<SinkError> for Failure {
    fn from(error: SinkError) -> Self {
        let message = error.to_string();
        if let Some(hint) = error.hint() {
            return Self::new(Exit::Store, message).hint(hint);
        }
        match error {
            SinkError::BadAddress { .. } => Self::usage(message),
            SinkError::NotThere { .. } => Self::new(Exit::Store, message)
                .hint("name the store with --from URL; `hansard-record check` says where recordings go"),
            SinkError::TooLarge { .. } | SinkError::NotAFile { .. } | SinkError::BadName { .. } => {
                Self::failed(message)
            }
            _ => Self::new(Exit::Store, message),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::NoRecipient { .. } => Self::new(Exit::NoKey, message)
                .hint("give the identity of one of these with --identity FILE, or in HANSARD_IDENTITY"),
            Error::UnusableKey(_) => Self::new(Exit::NoKey, message),
            Error::UnsupportedVersion(_) => Self::failed(message).hint("read it with a newer hansard-replay"),
            _ => Self::failed(message),
        }
    }
}

/// A JSON document as one line that is safe on a terminal: what `safe` would escape stands as `\u` escapes, so the
/// value stays exact.
pub fn json_line(value: &serde_json::Value) -> String {
    let text = value.to_string();
    let mut line = String::with_capacity(text.len());
    let mut printable = Printable::default();
    for character in text.chars() {
        // Outside strings everything is printable ASCII.
        if printable.takes(character) {
            line.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            let _ = write!(line, "\\u{unit:04x}");
        }
    }
    line
}

/// Prints a line that is neither data nor an error.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "hansard-replay: note: {}", safe(text));
}

/// Prints a failure that does not end the program.
pub fn print(failure: &Failure) {
    let _ = io::stderr().lock().write_all(failure.rendered().as_bytes());
}

/// Prints what is to be said and gives the exit status.
pub fn finish(outcome: Outcome) -> ExitCode {
    let exit = match outcome {
        Ok(exit) => exit,
        Err(failure) => {
            if let Some(error) = &failure.clap {
                // Nothing is left to do when this cannot be printed.
                let _ = error.print();
            } else if !failure.message.is_empty() {
                print(&failure);
            }
            failure.exit
        }
    };
    ExitCode::from(exit as u8)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::json_line;

    #[test]
    fn json_is_exact_and_safe_on_a_terminal() {
        let value = json!({"name": "é\u{202e}\u{9b}2J\u{7f}\u{e0041}\u{1b}"});
        let line = json_line(&value);
        assert_eq!(line, r#"{"name":"é\u202e\u009b2J\u007f\udb40\udc41\u001b"}"#);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap(), value);
        // Marks as in writing stay; a pile of them would cover other lines.
        let piled = json!({"name": "e\u{301}\u{323}a\u{300}\u{300}\u{300}\u{300}\u{300}b"});
        let line = json_line(&piled);
        assert!(line.contains("e\u{301}\u{323}a") && line.contains("\u{300}\\u0300b"), "{line}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap(), piled);
    }
}
