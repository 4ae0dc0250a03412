//! What can be typed at `import`. Not for what it means: `cmd::import`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::PlaceArgs;

const HELP: &str = "\
Formats, found by how the file begins: asciicast 1, 2 and 3; script of util-linux, with its timing in --timing; ttyrec;
tlog's JSON messages, of one recording; the folder of a sudo I/O log, also compressed.

What is written is a session like any other: sealed to the recipients, signed, in this host's chain, in the spool and
delivered. Times of events are the source's; wall-clock times are those of the import, for nothing proves the others. It
bears labels that say so (import, import.file, import.sha256, import.started and others), and begins with a marker.

The file is read through first. One that is damaged or cut off is refused, with the place, and nothing is recorded;
--partial takes what comes before that place, and says so in the recording.

What was typed may hold passwords: it is left out, with a gap that says how much, unless --input is given.

Examples:
  hansard-record import demo.cast
  hansard-record import --timing typescript.timing typescript
  hansard-record import /var/log/sudo-io/00/00/01 --label ticket=INC-42
  hansard-record import old.ttyrec --json | jq -r .session

Exit status: 0 all of it is imported and delivered; 1 it is imported, not all of it or not delivered everywhere yet; 125
it is not imported";

/// Options of `import`.
#[derive(Debug, Clone, Args)]
#[command(after_help = HELP)]
pub struct ImportArgs {
    /// The recording: a file, or the folder of a sudo I/O log
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The timing file of script
    #[arg(long, value_name = "FILE")]
    pub timing: Option<PathBuf>,
    /// What was typed, as script --log-in wrote it
    #[arg(long, value_name = "FILE", requires_all = ["timing", "input"])]
    pub typed: Option<PathBuf>,
    /// What the file is [default: by how it begins]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<FormatArg>,
    /// Import what was typed, too; it may hold passwords
    #[arg(long)]
    pub input: bool,
    /// Of a damaged recording, import what comes before the damage
    #[arg(long)]
    pub partial: bool,
    /// Where the recording goes; may be given several times [default: file://~/.local/share/hansard]
    #[arg(long, value_name = "URL")]
    pub to: Vec<String>,
    /// Who can read it: an age or SSH public key; may be given several times
    #[arg(long, value_name = "KEY")]
    pub recipient: Vec<String>,
    /// A file of such keys, one a line
    #[arg(long, value_name = "FILE")]
    pub recipients_file: Option<PathBuf>,
    /// A label of the session, such as ticket=INC-42; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    pub label: Vec<String>,
    /// Why it is imported
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    #[command(flatten)]
    /// What the other commands have too.
    pub place: PlaceArgs,
    /// Print a JSON document
    #[arg(long)]
    pub json: bool,
    /// Print nothing but errors and the session's id
    #[arg(long, short)]
    pub quiet: bool,
}

/// A format, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    /// asciicast 1: one JSON document
    #[value(name = "asciicast-1")]
    Asciicast1,
    /// asciicast 2
    #[value(name = "asciicast-2")]
    Asciicast2,
    /// asciicast 3
    #[value(name = "asciicast-3")]
    Asciicast3,
    /// script of util-linux; needs --timing
    Script,
    /// ttyrec
    Ttyrec,
    /// JSON messages of tlog
    Tlog,
    /// The folder of a sudo I/O log
    Sudo,
}
