//! `tail`.

use std::time::Duration;

use clap::Args;

use super::{KeyArgs, StoreArgs, interval};

const TAIL_EXAMPLES: &str = "\
On a terminal the screen is drawn as it is, and the status line says how far behind it is; q leaves.
With --lines or --json, or when standard output is not a terminal, lines of text are printed, each
when the cursor has passed it; what full-screen programs draw is left out. A recorder ships every few
seconds, so what is shown is that much late. Every segment is verified before it is shown; in a
recorder's spool the one that is being written is shown too, and verified when it is signed.

Exit status: 0 when the session ended as it should, 1 when it fell silent, was interrupted or is
refused.

Examples:
  hansard-replay tail
  hansard-replay tail 9f3c --interval 1
  hansard-replay tail --from spool:///var/lib/hansard/spool
  hansard-replay tail 9f3c -n 50 --lines | grep -i error";

/// `tail`
#[derive(Debug, Args)]
#[command(after_help = TAIL_EXAMPLES)]
pub struct Tail {
    /// The session: its id, the beginning or the end of it, or `latest`, the latest that runs
    #[arg(value_name = "ID", default_value = "latest")]
    pub id: String,
    /// Print lines of text instead of drawing the screen
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false", hide_possible_values = true)]
    pub lines: Option<bool>,
    /// Begin with this many lines [default: 10]
    #[arg(short = 'n', long = "last", value_name = "N")]
    pub last: Option<usize>,
    /// Look for news every so many seconds; less often while nothing comes [default: 2]
    #[arg(long, value_name = "SECONDS", value_parser = interval)]
    pub interval: Option<Duration>,
    /// Print one JSON document a line
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "documented at its type")]
    pub store: StoreArgs,
    #[command(flatten)]
    #[allow(missing_docs, reason = "documented at its type")]
    pub keys: KeyArgs,
}
