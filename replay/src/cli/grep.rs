//! `grep`, declared.

use clap::Args;

use super::{KeyArgs, Selection, StoreArgs};

const EXAMPLES: &str = "\
What is searched is what the screen showed: without control sequences, wrapped lines joined, as
`export --as txt` has it; and each line that full-screen programs drew. A line's time is when it was
last written to. What was overwritten before it scrolled away, as the first states of a progress
bar, is not found.

A session that was searched before is not read again where it cannot have what is looked for; how
many there were is said at the end.

Exit status: 0 found, 1 nothing found; and as elsewhere when a session could not be searched, which
does not keep the others from being searched.

Examples:
  hansard-replay grep 'rm -rf' --since 2026-11-01
  hansard-replay grep -i 'permission denied' --host 'web*' --user ada
  hansard-replay grep -F '10.0.0.7' 9f3c latest -C 2
  hansard-replay grep --input '^sudo ' --json
  hansard-replay grep -l 'BEGIN .* PRIVATE KEY'";

/// `grep`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Grep {
    /// What to look for: a regular expression, in the syntax of the Rust crate `regex`
    #[arg(value_name = "PATTERN")]
    pub pattern: String,
    #[command(flatten)]
    #[allow(missing_docs, reason = "documented at its type")]
    pub selection: Selection,
    /// Upper and lower case are the same
    #[arg(short, long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false", hide_possible_values = true)]
    pub ignore_case: Option<bool>,
    /// Look for the pattern as it stands
    #[arg(short = 'F', long)]
    pub fixed_strings: bool,
    /// Search what was typed, where that was recorded, instead of what was shown
    #[arg(long)]
    pub input: bool,
    /// Print only how many lines match in each session
    #[arg(short, long, conflicts_with = "sessions")]
    pub count: bool,
    /// Print only the sessions in which a line matches
    #[arg(short = 'l', long)]
    pub sessions: bool,
    /// Show so many lines after each match; full-screen programs have none
    #[arg(short = 'A', long, value_name = "N")]
    pub after_context: Option<usize>,
    /// Show so many lines before each match
    #[arg(short = 'B', long, value_name = "N")]
    pub before_context: Option<usize>,
    /// Show so many lines before and after each match [default: 0]
    #[arg(short = 'C', long, value_name = "N")]
    pub context: Option<usize>,
    /// Go on to the next session after so many matching lines
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max: Option<u64>,
    /// Keep nothing of what was gone through for the next search, sealed, under ~/.cache/hansard, and use nothing
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false", hide_possible_values = true)]
    pub no_cache: Option<bool>,
    /// Search even what verification refuses, as far as it opens
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "documented at its type")]
    pub store: StoreArgs,
    #[command(flatten)]
    #[allow(missing_docs, reason = "documented at its type")]
    pub keys: KeyArgs,
    /// Print one JSON document a line
    #[arg(long)]
    pub json: bool,
}
