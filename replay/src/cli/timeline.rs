//! `timeline`, declared.

use clap::Args;

use super::{KeyArgs, StoreArgs};

const EXAMPLES: &str = "\
Commands are known exactly where the shell marks them (OSC 133): hansard.bash, hansard.zsh and
hansard.fish in /usr/share/hansard/shell make it do so. Else they are guessed, from what looks like
a prompt and what was entered behind it, and are shown as such: a guess has no status, and takes the
prompts of other programs for the shell's.

Examples:
  hansard-replay timeline latest
  hansard-replay timeline 9f3c --commands
  hansard-replay timeline 9f3c --json";

/// `timeline`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Timeline {
    /// The session: its id, the beginning or the end of it, or `latest`
    #[arg(value_name = "ID", default_value = "latest")]
    pub id: String,
    /// Only commands and transfers; not titles, directories, full-screen programs, markers and gaps
    #[arg(long)]
    pub commands: bool,
    /// Read even what verification refuses, as far as it opens
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
