//! `forward`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{Filter, KeyArgs, StoreArgs, interval};

const FORWARD_EXAMPLES: &str = "\
Runs until it is stopped. Sessions that run are followed from their beginning, new ones as they come;
each segment is verified and opened here, with the reviewer's identity, and never on the hosts. What
leaves is the text of the screen in the clear: send it only where that may be read.

Lines are `TIME HOST USER SESSION LINE`, names encoded as in a store; over a network syslog has the
names in fields of their own. A line is sent when the cursor has passed it, with the time of the
host's clock, to a second. The state file holds how far each session was sent, and nothing that was
shown: a restart goes on there. Each line is sent at least once; those of the last round may come
twice after a crash. Objects that reach the store more than two days after their session began are
not looked for. A session that is refused is named on standard error and left out. A log stream of
CloudWatch is made where it is missing, its group is not.

Examples:
  hansard-replay forward --json | vector
  hansard-replay forward --host 'db*' --kind interactive --to syslog
  hansard-replay forward --json --to 'cloudwatch://hansard/prod?region=eu-west-1'
  hansard-replay forward --to syslog://logs.example.org:514 --state /var/lib/hansard/forward.json";

/// `forward`
#[derive(Debug, Args)]
#[command(after_help = FORWARD_EXAMPLES)]
pub struct Forward {
    /// Where to: `-` is standard output, `syslog` is /dev/log, syslog://HOST:PORT is UDP, syslog+tcp://HOST:PORT is TCP,
    /// cloudwatch://GROUP/STREAM is a stream of CloudWatch Logs, with the options region, profile and endpoint
    #[arg(long, value_name = "WHERE", default_value = "-")]
    pub to: String,
    /// Keep the place in this file [default: ~/.config/hansard/forward.json]
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// Look for news every so many seconds; less often while nothing comes
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = interval)]
    pub interval: Duration,
    /// Send one JSON document a line
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "documented at its type")]
    pub filter: Filter,
    #[command(flatten)]
    #[allow(missing_docs, reason = "documented at its type")]
    pub store: StoreArgs,
    #[command(flatten)]
    #[allow(missing_docs, reason = "documented at its type")]
    pub keys: KeyArgs,
}
