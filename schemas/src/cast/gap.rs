//! Gaps (FORMAT.md, section 3.2): the document in the data of a `g` line.
//!
//! Written strictly. A reader of lines checks only that it is JSON, so that a word of a later version does not
//! close the recording.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Digest, Error, Result, json};

/// What is not recorded, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// What is missing.
    pub what: GapWhat,
    /// Why.
    pub why: GapWhy,
    /// How much, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Event time at which it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_ms: Option<u64>,
    /// Event time at which it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_ms: Option<u64>,
    /// Digest of all bytes of a bounded stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
    /// A few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What a gap is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the words are the documentation; FORMAT.md section 3.2")]
pub enum GapWhat {
    Input,
    Output,
    Error,
    Clock,
    Time,
    Recorder,
    Foreign,
}

/// Why there is a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the words are the documentation; FORMAT.md section 3.2")]
pub enum GapWhy {
    Masked,
    Bounded,
    Dropped,
    Damaged,
    ClockStep,
    Suspended,
    Restart,
    Ingest,
}

impl Gap {
    /// A gap without particulars.
    pub fn new(what: GapWhat, why: GapWhy) -> Self {
        Self { what, why, bytes: None, from_ms: None, to_ms: None, sha256: None, note: None }
    }

    /// The wall clock moved by this much against the elapsed time (GAP-1).
    pub fn clock_step(step_ms: i64) -> Self {
        Self { note: Some(step_ms.to_string()), ..Self::new(GapWhat::Clock, GapWhy::ClockStep) }
    }

    /// The data of the `g` line.
    pub fn to_data(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|e| Error::Unwritable(format!("gap: {e}")))
    }

    /// Reads the data of a `g` line.
    pub fn parse(data: &str) -> Result<Self> {
        json::parse(data.as_bytes()).map_err(|why| Error::BadLine(format!("gap: {why}")))
    }
}
