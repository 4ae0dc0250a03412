//! What the user is told when something fails: two lines and an exit code.
//!
//! Not for messages of a healthy run; those are written where they arise.

use std::fmt;

use hansard_schemas::names::safe;

/// The recorder's own failure, as `env` and `timeout` report theirs.
pub const EXIT_RECORDER: i32 = 125;
/// `ship` left something, `check` found something, or `import` could not import or deliver all.
pub const EXIT_FINDINGS: i32 = 1;

/// A failure on its way to the user: what happened, on what, and what to do.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What happened, on what; lower case, no full stop.
    pub what: String,
    /// What to do next.
    pub hint: Option<String>,
    /// The process's exit code.
    pub code: i32,
}

impl Failure {
    /// A failure of the recorder.
    pub fn new(what: impl fmt::Display) -> Self {
        Self { what: what.to_string(), hint: None, code: EXIT_RECORDER }
    }

    /// With what to do next.
    pub fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// With what to do next, where nothing better was said.
    pub fn hint_if_none(self, hint: impl fmt::Display) -> Self {
        if self.hint.is_some() { self } else { self.hint(hint) }
    }

    /// The lines as they are printed, each with its line feed.
    pub fn render(&self) -> String {
        let mut text = format!("hansard-record: error: {}\n", safe(&self.what));
        if let Some(hint) = &self.hint {
            text.push_str(&format!("hansard-record: hint: {}\n", safe(hint)));
        }
        text
    }
}

/// Context for an I/O error: `io("open", path)`.
pub fn io<'a>(doing: &'a str, path: &'a std::path::Path) -> impl FnOnce(std::io::Error) -> Failure + 'a {
    move |e| Failure::new(format_args!("cannot {doing} {}: {e}", path.display()))
}
