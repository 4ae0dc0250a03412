//! What trying a place found, for `hansard-record check`.

use serde::Serialize;

/// Whether something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It holds.
    Ok,
    /// It works, and someone should know this of it.
    Warning,
    /// It does not hold.
    Failed,
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was tried, in a word or two: `reachable`, `conditional put`.
    pub part: String,
    /// Whether it holds.
    pub level: Level,
    /// What was seen and, where it does not hold, what to do.
    pub what: String,
}

impl Finding {
    /// A finding.
    pub fn new(part: &str, level: Level, what: impl Into<String>) -> Self {
        Self { part: part.into(), level, what: what.into() }
    }
}

/// What a place must do for the recorder that asks.
#[derive(Debug, Clone)]
pub struct Probe {
    /// First 16 hex digits of the host's chain: what is put lies under it.
    pub chain16: String,
    /// The largest segment that will come, in bytes.
    pub max_segment: u64,
}
