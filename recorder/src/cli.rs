//! What can be typed at `hansard-record`: a pure declaration, from which help, man pages and completions come.
//!
//! Not for what it means: the commands in `cmd` resolve it against the configuration.

mod import;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use self::import::{FormatArg, ImportArgs};

const AFTER: &str = "\
Exit status:
  the command's own; 128 + n when signal n ended it
  125  the recorder itself failed; the command was not started, or was ended
  126  the command cannot be executed
  127  the command was not found";

const RUN_EXAMPLES: &str = "\
Examples:
  hansard-record run                       record your shell
  hansard-record run -- make deploy        record one command
  hansard-record -- make deploy            the same
  hansard-record run --to file:///srv/rec --recipients-file /etc/hansard/recipients
  hansard-record run --reason 'INC-42: disk full' --label ticket=INC-42 -- bash";

/// Records shell sessions: sealed and signed while they run, delivered while they run.
#[derive(Debug, Parser)]
#[command(name = "hansard-record", version, after_help = AFTER, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do; without one, `run`.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The options of `run`.
    #[command(flatten)]
    pub run: RunArgs,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Record a command, or your shell
    Run(RunArgs),
    /// Deliver what the spool still holds, and close what was interrupted
    Ship(ShipArgs),
    /// Import a recording of another tool, sealed and signed as imported
    Import(ImportArgs),
    /// Show the effective configuration and try its parts
    Check(CheckArgs),
    /// Record the sessions of this host, for `hansard-shell`
    Agent(AgentArgs),
    /// Record a session without an agent, and say so everywhere; `hansard-shell` runs it
    #[command(hide = true)]
    BreakGlass(BreakGlassArgs),
    /// Show the sessions that the agent records
    Status(StatusArgs),
    /// End a session that the agent records
    Terminate(TerminateArgs),
    /// Ask the policy of the configuration
    Policy {
        /// What to ask.
        #[command(subcommand)]
        command: PolicyCommand,
    },
    /// Record every login of users: make hansard-shell their login shell
    Enroll(EnrollArgs),
    /// Give users their own login shell back
    Unenroll(UnenrollArgs),
    /// Print shell completions
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man {
        /// Write a page for every command into this folder instead
        #[arg(long, value_name = "DIR")]
        all: Option<PathBuf>,
    },
}

/// What can be asked of a policy.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Say which rule would decide about a session, and why
    Test(PolicyTestArgs),
}

/// How input typed at a terminal is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum InputMode {
    /// Not at all
    Off,
    /// Without what is typed at password prompts, best effort
    Masked,
    /// All of it, passwords too
    On,
}

/// Options of `run`.
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = RUN_EXAMPLES)]
pub struct RunArgs {
    /// Where the recording goes; may be given several times [default: file://~/.local/share/hansard]
    #[arg(long, value_name = "URL")]
    pub to: Vec<String>,
    /// Where lifecycle events go beside the stores, such as https://hooks.example.org/x or file:///var/log/events.ndjson;
    /// may be given several times
    #[arg(long, value_name = "URL")]
    pub notify: Vec<String>,
    /// Who can read it: an age or SSH public key; may be given several times
    #[arg(long, value_name = "KEY")]
    pub recipient: Vec<String>,
    /// A file of such keys, one a line
    #[arg(long, value_name = "FILE")]
    pub recipients_file: Option<PathBuf>,
    /// Whether typed input is recorded [default: off]
    #[arg(long, value_enum, value_name = "MODE")]
    pub input: Option<InputMode>,
    /// Whether bash, zsh and fish are started so that they mark their commands for `hansard-replay timeline` [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub shell_marks: Option<bool>,
    /// A label of the session, such as ticket=INC-42; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    pub label: Vec<String>,
    /// Why this session is opened
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    #[command(flatten)]
    /// What the other commands have too.
    pub place: PlaceArgs,
    /// Print nothing but errors
    #[arg(long, short)]
    pub quiet: bool,
    /// The command and its arguments; without one, your shell
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
    /// Why the agent does not record it: told as an event. Not for users to say.
    #[arg(skip)]
    pub unrecorded: Option<String>,
}

/// Where spool and configuration are.
#[derive(Debug, Clone, Default, Args)]
pub struct PlaceArgs {
    /// The spool directory [default: ~/.local/state/hansard/spool]
    #[arg(long, value_name = "DIR", env = "HANSARD_SPOOL", hide_env_values = true)]
    pub spool: Option<PathBuf>,
    /// The configuration file [default: ~/.config/hansard/record.toml, then /etc/hansard/record.toml]
    #[arg(long, value_name = "FILE", env = "HANSARD_RECORD_CONFIG", hide_env_values = true)]
    pub config: Option<PathBuf>,
}

/// Options of `ship`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  hansard-record ship\n  hansard-record ship --spool /var/spool/hansard --json\n\nExit status: 0 all delivered; 1 something is left; 125 the spool cannot be used"
)]
pub struct ShipArgs {
    #[command(flatten)]
    /// What the other commands have too.
    pub place: PlaceArgs,
    /// Print a JSON document
    #[arg(long)]
    pub json: bool,
    /// Print nothing but errors
    #[arg(long, short)]
    pub quiet: bool,
}

/// Options of `check`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  hansard-record check\n  hansard-record check --json | jq .findings\n\nExit status: 0 everything holds; 1 something does not; 125 the configuration cannot be read"
)]
pub struct CheckArgs {
    #[command(flatten)]
    /// What the other commands have too.
    pub place: PlaceArgs,
    /// Print a JSON document
    #[arg(long)]
    pub json: bool,
}

/// Options of `agent`.
#[derive(Debug, Args)]
#[command(
    after_help = "It logs to standard error; HANSARD_LOG=debug says more. SIGHUP has it read the configuration again, SIGTERM\nleaves the sessions that run to the next agent.\n\nExit status: 0 it was told to stop; 125 it cannot serve, or the configuration cannot be used"
)]
pub struct AgentArgs {
    #[command(flatten)]
    /// What the other commands have too.
    pub place: PlaceArgs,
    /// Only say whether the configuration can be used
    #[arg(long)]
    pub check_config: bool,
}

/// Options of `break-glass`.
#[derive(Debug, Args)]
pub struct BreakGlassArgs {
    /// Why there is no agent
    #[arg(long, value_name = "TEXT")]
    pub why: String,
    /// The shell is a login shell
    #[arg(long)]
    pub login: bool,
    /// What the shell was given
    #[arg(last = true, value_name = "ARGUMENTS")]
    pub command: Vec<OsString>,
}

/// Options of `status`.
#[derive(Debug, Args)]
#[command(
    after_help = "Only root and the agent's own user may ask.\n\nExit status: 0; 1 a sink is in trouble, or the agent refuses; 125 the agent cannot be asked"
)]
pub struct StatusArgs {
    #[command(flatten)]
    /// What the other commands have too.
    pub place: PlaceArgs,
    /// Print a JSON document
    #[arg(long)]
    pub json: bool,
    /// Print what was counted, in Prometheus' text format
    #[arg(long, conflicts_with = "json")]
    pub prometheus: bool,
}

/// Options of `terminate`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  hansard-record terminate 3f9c --reason 'leaving the building'\n\nExit status: 0; 1 there is no such session; 125 the agent cannot be asked"
)]
pub struct TerminateArgs {
    #[command(flatten)]
    /// What the other commands have too.
    pub place: PlaceArgs,
    /// The session: its id, or how that begins or ends
    #[arg(value_name = "ID")]
    pub session: String,
    /// Why; the user is shown it, and the recording holds it
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

const POLICY_EXAMPLES: &str = "\
Examples:
  hansard-record policy test --user ann --from 10.1.2.3
  hansard-record policy test --user ext-bob --group contractors --at 23:30
  hansard-record policy test --user ann --command 'rsync --server -logDtpre.iLsfxCIvu . x'
  hansard-record policy test --user ann --config ./record.toml --json | jq .decision

Exit status: 0 the session is allowed; 1 it is denied; 125 the configuration or the question cannot be used";

/// Options of `policy test`.
#[derive(Debug, Clone, Args)]
#[command(after_help = POLICY_EXAMPLES)]
pub struct PolicyTestArgs {
    /// Who opens the session
    #[arg(long, value_name = "NAME")]
    pub user: String,
    /// A group of theirs; may be given several times [default: those of the user database]
    #[arg(long, value_name = "NAME")]
    pub group: Vec<String>,
    /// The remote address, or `local` [default: local]
    #[arg(long, value_name = "ADDRESS")]
    pub from: Option<String>,
    /// How it is captured [default: interactive without a command; with one, transfer or exec, as the command is]
    #[arg(long, value_enum, value_name = "KIND")]
    pub kind: Option<KindArg>,
    /// The command line, as `ssh HOST COMMAND` sends it
    #[arg(long, value_name = "COMMAND")]
    pub command: Option<String>,
    /// When: 2026-11-24T09:30, or 09:30 for today; local time [default: now]
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// The configuration file [default: ~/.config/hansard/record.toml, then /etc/hansard/record.toml]
    #[arg(long, value_name = "FILE", env = "HANSARD_RECORD_CONFIG", hide_env_values = true)]
    pub config: Option<PathBuf>,
    /// Print a JSON document
    #[arg(long)]
    pub json: bool,
}

/// A kind of session, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KindArg {
    /// On a terminal
    Interactive,
    /// Without a terminal
    Exec,
    /// A known file transfer server
    Transfer,
}

const ENROLL_HELP: &str = "\
The user's present shell is kept in /etc/hansard/shells, and /usr/bin/hansard-shell becomes the login shell (by usermod).
Sessions that run already are not touched. Without an agent, enrolled users cannot log in.

/usr/bin/hansard-shell must never be listed in /etc/shells: chsh lets a user change away only from a shell that is.

Users of a directory (sssd, LDAP): first `enroll --remember USER --shell /bin/bash` on each host, then set the login shell
in the directory.

Examples:
  hansard-record enroll alice bob
  hansard-record enroll --shell /usr/bin/zsh alice
  hansard-record enroll --list --json | jq -r '.[] | select(.state != \"enrolled\") | .user'

Exit status: 0 every user is enrolled, was already, or is one whom nothing lets in (nologin, false); 1 some could not be
enrolled, the others are; 125 cannot work at all, nothing was changed";

/// Options of `enroll`.
#[derive(Debug, Args)]
#[command(after_help = ENROLL_HELP)]
pub struct EnrollArgs {
    /// Who
    #[arg(value_name = "USER", required_unless_present = "list", conflicts_with = "list")]
    pub users: Vec<String>,
    /// The shell that is run for them, in place of the one they have
    #[arg(long, value_name = "PATH", conflicts_with = "list")]
    pub shell: Option<PathBuf>,
    /// Only keep the shell: the login shell is set elsewhere, in a directory
    #[arg(long, requires = "shell", conflicts_with = "list")]
    pub remember: bool,
    /// Show who is enrolled
    #[arg(long)]
    pub list: bool,
    /// Print a JSON document
    #[arg(long, requires = "list")]
    pub json: bool,
}

/// Options of `unenroll`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  hansard-record unenroll alice\n  hansard-record unenroll --all\n\nExit status: 0 none of them has hansard-shell any more; 1 some still have; 125 cannot work at all, nothing was changed"
)]
pub struct UnenrollArgs {
    /// Who
    #[arg(value_name = "USER", required_unless_present = "all", conflicts_with = "all")]
    pub users: Vec<String>,
    /// Everybody who is enrolled
    #[arg(long)]
    pub all: bool,
}
