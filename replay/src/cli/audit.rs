//! The arguments of `audit`.

use std::path::PathBuf;

use clap::Args;

use super::{Scope, StoreArgs};

const EXAMPLES: &str = "\
Names and what is signed are compared; `verify` reads the recordings themselves.
A signature is checked with: ssh-keygen -Y verify -n hansard-audit -f ALLOWED -I WHO -s FILE.sig < FILE

Examples:
  hansard-replay audit
  hansard-replay audit --since 2026-11-01 --until 2026-12-01 --host 'db-*'
  hansard-replay audit --events-from kafka://broker:9092/hansard --report november.json --sign ~/.ssh/id_ed25519";

/// `audit`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Audit {
    #[command(flatten)]
    #[allow(missing_docs, reason = "documented at its type")]
    pub store: StoreArgs,
    #[command(flatten)]
    #[allow(missing_docs, reason = "documented at its type")]
    pub scope: Scope,
    /// Take the events from this store: one that the recorded hosts cannot write over
    #[arg(long, value_name = "URL")]
    pub events_from: Option<String>,
    /// Write a report to this file, which must not exist yet
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Sign the report with this SSH key, into FILE.sig (needs ssh-keygen)
    #[arg(long, value_name = "KEY", requires = "report")]
    pub sign: Option<PathBuf>,
    /// Print one JSON document a line
    #[arg(long)]
    pub json: bool,
}
