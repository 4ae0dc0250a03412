//! `export`: the forms, and what can be asked of each.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use clap_complete::ArgValueCandidates;

use super::{KeyArgs, StoreArgs, duration};
use crate::completing::sessions;

const EXAMPLES: &str = "\
Examples:
  hansard-replay export latest --as cast -o session.cast
  hansard-replay export 9f3c --as raw > bytes
  hansard-replay export 9f3c --as raw --stream error
  hansard-replay export 9f3c --as txt | less
  hansard-replay export 9f3c --as json | jq 'select(.event == \"gap\")'
  hansard-replay export 9f3c --as html --idle-limit 2 -o session.html
  hansard-replay export 9f3c --as svg --at 1:30 -o still.svg
  hansard-replay export 9f3c --as evidence -o case-17";

/// `export`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Export {
    /// The session: its id, the beginning or the end of it, or `latest`
    #[arg(value_name = "ID", default_value = "latest", add = ArgValueCandidates::new(sessions))]
    pub id: String,
    /// In which form
    #[arg(long = "as", value_name = "FORM", value_enum)]
    pub form: Form,
    /// Which stream; without it raw is the output, and txt all that was shown
    #[arg(long, value_name = "STREAM", value_enum)]
    pub stream: Option<Stream>,
    /// The moment of a still: seconds, M:SS or H:MM:SS [default: the end]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub at: Option<Duration>,
    /// Cut pauses of a page to this many seconds
    #[arg(long, value_name = "SECONDS", value_parser = duration)]
    pub idle_limit: Option<Duration>,
    /// Write to this file (evidence: folder), which must not exist yet, instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Export even what verification refuses, as far as it opens
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "documented at its type")]
    pub store: StoreArgs,
    #[command(flatten)]
    #[allow(missing_docs, reason = "documented at its type")]
    pub keys: KeyArgs,
}

/// Forms of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// The exact bytes of one stream
    Raw,
    /// asciicast v3
    Cast,
    /// asciicast v2, for players that know no v3
    Cast2,
    /// The lines that could be read on the screen, without control sequences or full-screen programs
    Txt,
    /// One JSON document a line for each event
    Json,
    /// One file that plays in a browser, without network
    Html,
    /// A still of the screen at --at
    Svg,
    /// A folder for a third party: the recording as stored, how to check it, and what was found
    Evidence,
}

/// Streams of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Stream {
    /// What the terminal, or standard output, got
    Output,
    /// Standard error, of a session without a terminal
    Error,
    /// What was typed or piped in, where it was recorded
    Input,
}
