//! The command line, declared and nothing else: help, man page and completions come from here.
//!
//! What the arguments mean is decided in `cmd`.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::ArgValueCandidates;

use crate::completing::sessions;

mod audit;
mod export;
mod forward;
mod grep;
mod selection;
mod tail;
mod timeline;

pub use self::audit::Audit;
pub use self::export::{Export, Form, Stream};
pub use self::forward::Forward;
pub use self::grep::Grep;
pub use self::selection::{Filter, Scope, Selection};
pub use self::tail::Tail;
pub use self::timeline::Timeline;

/// Slower is a still picture, faster than a thousandfold is a jump.
const SPEEDS: std::ops::RangeInclusive<f64> = 0.01..=1000.0;

/// Shortest interval at which a store is asked for news.
const SHORTEST: Duration = Duration::from_millis(100);

const ABOUT: &str = "Bring recorded sessions back: list, play, export, verify";

const EXITS: &str = "\
Exit status:
  0  all is fine
  1  verification failed, or nothing was found
  2  wrong usage or configuration
  3  the store cannot be reached
  4  no usable key

Examples:
  hansard-replay ls
  hansard-replay play latest
  hansard-replay verify --from file:///srv/hansard";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "hansard-replay", version, about = ABOUT, after_help = EXITS, max_term_width = 100)]
pub struct Cli {
    /// Use colour: auto, the default, means on a terminal, unless NO_COLOR is set
    #[arg(long, global = true, value_name = "WHEN", value_enum)]
    pub color: Option<Colour>,

    /// Read this configuration instead of ~/.config/hansard/replay.toml
    #[arg(long, global = true, value_name = "FILE", env = "HANSARD_REPLAY_CONFIG")]
    pub config: Option<PathBuf>,

    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

impl Verb {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ls(_) => "ls",
            Self::Show(_) => "show",
            Self::Play(_) => "play",
            Self::Grep(_) => "grep",
            Self::Timeline(_) => "timeline",
            Self::Tail(_) => "tail",
            Self::Forward(_) => "forward",
            Self::Export(_) => "export",
            Self::Verify(_) => "verify",
            Self::Audit(_) => "audit",
            Self::Keygen(_) => "keygen",
            Self::Keys(_) => "keys",
            Self::Completions(_) => "completions",
            Self::Man { .. } => "man",
        }
    }
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List the sessions of a store
    Ls(Ls),
    /// Show who and what a session was, and what can be said of it
    Show(Show),
    /// Play a session on this terminal
    Play(Play),
    /// Find what sessions showed, or what was typed in them
    Grep(Grep),
    /// List what was done in a session: its commands, and what lies between them
    Timeline(Timeline),
    /// Follow a session that runs
    Tail(Tail),
    /// Send what the sessions that run show, line by line
    Forward(Forward),
    /// Write what a session showed to a file
    Export(Export),
    /// Prove that recordings are whole; needs no private key
    Verify(Verify),
    /// Hold host chains, events and stored objects against each other: what is missing
    Audit(Audit),
    /// Make an identity that can open recordings sealed to it
    Keygen(Keygen),
    /// Decide which host chains to believe
    Keys(Keys),
    /// Print a completion script
    Completions(Completions),
    /// Print the manual page
    Man {
        /// Write a page for every command into this folder instead
        #[arg(long, value_name = "DIR")]
        all: Option<PathBuf>,
    },
}

/// Where to read from.
#[derive(Debug, Clone, Default, Args)]
pub struct StoreArgs {
    /// Read from this store: file:///absolute/path, s3://BUCKET/PREFIX, kafka://HOST:PORT/PREFIX, a recorder's
    /// spool:///path, or a name from the configuration
    #[arg(long, value_name = "URL", env = "HANSARD_FROM")]
    pub from: Option<String>,
}

/// What to open with.
#[derive(Debug, Clone, Default, Args)]
pub struct KeyArgs {
    /// Open with this identity file: age or unencrypted OpenSSH private keys; can be given several times
    #[arg(long, value_name = "FILE")]
    pub identity: Vec<PathBuf>,
    /// Say why you look at it, to those whom `audit.events` of the configuration names
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

const LS_EXAMPLES: &str = "\
The list is a convenience and no evidence: `verify` checks. It is made from names alone, which say
who, where and when, and whether an end was announced; what was run and how much of it there is
takes opening each session, with --long.

Examples:
  hansard-replay ls
  hansard-replay ls --running
  hansard-replay ls --since 2026-11-01 --user ada --json
  hansard-replay ls -l --host 'web*'";

/// `ls`
#[derive(Debug, Args)]
#[command(after_help = LS_EXAMPLES)]
pub struct Ls {
    #[command(flatten)]
    #[allow(missing_docs, reason = "documented at its type")]
    pub store: StoreArgs,
    #[command(flatten)]
    #[allow(missing_docs, reason = "documented at its type")]
    pub keys: KeyArgs,
    #[command(flatten)]
    #[allow(missing_docs, reason = "documented at its type")]
    pub filter: Filter,
    /// Only sessions that run
    #[arg(long)]
    pub running: bool,
    /// Read the chains, list the segments and open the first line: states by chain, sizes, commands
    #[arg(short, long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false", hide_possible_values = true)]
    pub long: Option<bool>,
    /// Print one JSON document a line
    #[arg(long)]
    pub json: bool,
}

const SHOW_EXAMPLES: &str = "\
Examples:
  hansard-replay show latest
  hansard-replay show 9f3c --json";

/// `show`
#[derive(Debug, Args)]
#[command(after_help = SHOW_EXAMPLES)]
pub struct Show {
    /// The session: its id, the beginning or the end of it, or `latest`
    #[arg(value_name = "ID", default_value = "latest", add = ArgValueCandidates::new(sessions))]
    pub id: String,
    #[command(flatten)]
    #[allow(missing_docs, reason = "documented at its type")]
    pub store: StoreArgs,
    #[command(flatten)]
    #[allow(missing_docs, reason = "documented at its type")]
    pub keys: KeyArgs,
    /// Print a JSON document
    #[arg(long)]
    pub json: bool,
}

const PLAY_EXAMPLES: &str = "\
Examples:
  hansard-replay play latest
  hansard-replay play 9f3c --speed 2 --idle-limit 1
  hansard-replay play 9f3c --start-at 1:30";

/// `play`
#[derive(Debug, Args)]
#[command(after_help = PLAY_EXAMPLES)]
pub struct Play {
    /// The session: its id, the beginning or the end of it, or `latest`
    #[arg(value_name = "ID", default_value = "latest", add = ArgValueCandidates::new(sessions))]
    pub id: String,
    /// Play this many times as fast [default: 1]
    #[arg(long, value_name = "F", value_parser = speed)]
    pub speed: Option<f64>,
    /// Cut pauses to this many seconds
    #[arg(long, value_name = "SECONDS", value_parser = duration)]
    pub idle_limit: Option<Duration>,
    /// Begin at this time: seconds, M:SS or H:MM:SS
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub start_at: Option<Duration>,
    /// Leave at the end instead of waiting for a key
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false", hide_possible_values = true)]
    pub quit_at_end: Option<bool>,
    /// Keep no screens of it for the next time, sealed, under ~/.cache/hansard, and use none
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false", hide_possible_values = true)]
    pub no_cache: Option<bool>,
    /// Play even what verification refuses, as far as it opens
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "documented at its type")]
    pub store: StoreArgs,
    #[command(flatten)]
    #[allow(missing_docs, reason = "documented at its type")]
    pub keys: KeyArgs,
}

const VERIFY_EXAMPLES: &str = "\
Verdicts that are fine: complete, running, recovered. With --strict only complete is.

Examples:
  hansard-replay verify
  hansard-replay verify latest --strict
  hansard-replay verify --from file:///srv/hansard --json
  hansard-replay verify session.hrec --from file:///srv/hansard";

/// `verify`
#[derive(Debug, Args)]
#[command(after_help = VERIFY_EXAMPLES)]
pub struct Verify {
    /// Sessions (as elsewhere), or files .hrec and .hseg; without any, everything in the store
    #[arg(value_name = "ID|FILE", conflicts_with = "all", add = ArgValueCandidates::new(sessions))]
    pub what: Vec<String>,
    /// Everything in the store, which is what is verified when nothing is named
    #[arg(long)]
    pub all: bool,
    /// Fail unless every verdict is `complete`
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false", hide_possible_values = true)]
    pub strict: Option<bool>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "documented at its type")]
    pub store: StoreArgs,
    /// Print one JSON document a line
    #[arg(long)]
    pub json: bool,
}

const KEYGEN_EXAMPLES: &str = "\
Prints the recipient, which recorders are given; the identity stays with the reviewer.

Examples:
  hansard-replay keygen
  hansard-replay keygen -o reviewer.txt";

/// `keygen`
#[derive(Debug, Args)]
#[command(after_help = KEYGEN_EXAMPLES)]
pub struct Keygen {
    /// Write the identity to this file, which must not exist yet [default: ~/.config/hansard/identity.txt]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `keys`
#[derive(Debug, Args)]
pub struct Keys {
    /// What to do.
    #[command(subcommand)]
    pub verb: KeysVerb,
}

/// The verbs of `keys`.
#[derive(Debug, Subcommand)]
pub enum KeysVerb {
    /// Pin a host chain: believe it, whatever other chain the host had
    Trust(Trust),
    /// List the host chains that were seen or pinned
    List(List),
}

const TRUST_EXAMPLES: &str = "\
Compare the chain id with what the host's administrator reads off the host itself.

Examples:
  hansard-replay keys trust 5d1f0c…(64 digits) --host web1";

/// `keys trust`
#[derive(Debug, Args)]
#[command(after_help = TRUST_EXAMPLES)]
pub struct Trust {
    /// The chain id, 64 hex digits; its beginning is enough for one that was seen before
    #[arg(value_name = "CHAIN")]
    pub chain: String,
    /// The host that it is of
    #[arg(long, value_name = "NAME")]
    pub host: Option<String>,
}

const LIST_EXAMPLES: &str = "\
Examples:
  hansard-replay keys list --json";

/// `keys list`
#[derive(Debug, Args)]
#[command(after_help = LIST_EXAMPLES)]
pub struct List {
    /// Print one JSON document a line
    #[arg(long)]
    pub json: bool,
}

const COMPLETIONS_EXAMPLES: &str = "\
Completes the ids of sessions, too: the newest of the store that is read by default.
The script asks the program at each Tab, so make it anew with each version.

Examples:
  hansard-replay completions bash > ~/.local/share/bash-completion/completions/hansard-replay
  hansard-replay completions zsh > ~/.zfunc/_hansard-replay
  hansard-replay completions fish > ~/.config/fish/completions/hansard-replay.fish";

/// `completions`
#[derive(Debug, Args)]
#[command(after_help = COMPLETIONS_EXAMPLES)]
pub struct Completions {
    /// Of which shell
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: clap_complete::Shell,
}

fn time(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Ok(day.and_time(NaiveTime::MIN).and_utc());
    }
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.to_utc())
        .map_err(|_| "the form is 2026-11-22 or 2026-11-22T09:30:00Z".into())
}

pub(crate) fn speed(text: &str) -> Result<f64, String> {
    let wrong = || format!("a number from {} to {}", SPEEDS.start(), SPEEDS.end());
    text.parse::<f64>().ok().filter(|speed| SPEEDS.contains(speed)).ok_or_else(wrong)
}

/// As [`duration`], and not so short that a store is asked without end.
pub(crate) fn interval(text: &str) -> Result<Duration, String> {
    let interval = duration(text)?;
    if interval < SHORTEST { Err("0.1 seconds or more".into()) } else { Ok(interval) }
}

/// Seconds with a fraction, `M:SS` or `H:MM:SS`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "seconds, M:SS or H:MM:SS".to_owned();
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (whole, seconds) = text.rsplit_once(':').map_or((None, text), |(whole, seconds)| (Some(whole), seconds));
    if !plain(&seconds.replacen('.', "", 1)) {
        return Err(wrong());
    }
    let mut minutes: u64 = 0;
    if let Some(whole) = whole {
        let parts: Vec<&str> = whole.split(':').collect();
        if parts.len() > 2 || !parts.iter().all(|part| plain(part)) {
            return Err(wrong());
        }
        for part in parts {
            let part: u64 = part.parse().map_err(|_| wrong())?;
            minutes = minutes.checked_mul(60).and_then(|m| m.checked_add(part)).ok_or_else(wrong)?;
        }
    }
    let seconds = seconds.parse::<f64>().ok().and_then(|s| Duration::try_from_secs_f64(s).ok()).ok_or_else(wrong)?;
    let minutes = minutes.checked_mul(60).map(Duration::from_secs).ok_or_else(wrong)?;
    seconds.checked_add(minutes).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::CommandFactory;

    use super::{Cli, duration};

    #[test]
    fn the_declaration_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times_are_seconds_or_clock_like() {
        for (text, ms) in [("90", 90_000), ("1.5", 1500), ("1:30", 90_000), ("1:02:03.25", 3_723_250), ("0", 0)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "-1", "1:", ":1", "1:2:3:4", "1e3", "x", "inf", "99999999999999999999"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
