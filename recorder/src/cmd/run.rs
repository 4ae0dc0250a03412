//! `run`: records a command or the user's shell.
//!
//! Resolves what was typed against the configuration, starts the recording, hands the terminal to the tee, and ends
//! with the command's own status. Not for how any of that is done.

use std::ffi::OsString;
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use hansard_schemas::cast::Size;
use hansard_schemas::session::{Stop, StopOutcome};
use hansard_tee::{Clock, Command, Exit, Guardian, InputCapture, Options, TeeError};
use indicatif::ProgressBar;

use crate::capture::stopping::stop_of;
use crate::capture::who::{Stated, Surroundings};
use crate::cli::{InputMode, RunArgs};
use crate::config::Config;
use crate::destinations::{self, Destination, Notify};
use crate::first_use::{self, OWN_PAST, Source};
use crate::live::{Live, Plan};
use crate::paths;
use crate::report::Failure;
use crate::ship::Status;

/// How long the end of a session may take before the terminal says what it waits for.
const PATIENCE: Duration = Duration::from_millis(500);

/// Runs the command.
pub fn run(args: RunArgs) -> Result<i32, Failure> {
    let (mut config, _) = Config::load(&args.place)?;
    let (quiet, unrecorded) = (args.quiet, args.unrecorded.clone());
    let stated = merge(&mut config, args)?;
    or_first_use_store(&mut config)?;
    let sinks = destinations::open(&config)?;
    let notify = destinations::open_notifies(&config, &sinks)?;
    let (recipients, source) = first_use::recipients(&config, true)?;
    let interactive = hansard_tee::on_terminal();
    announce(&source, quiet);
    let size = hansard_tee::terminal_size().map_or(Size { cols: 80, rows: 24 }, |(cols, rows)| Size { cols, rows });
    let mut command = command(&stated.command);
    if interactive && config.interactive.shell_marks {
        mark(&mut command, &config, quiet);
    }
    let input = if config.input.mode == InputMode::Off { InputCapture::Off } else { InputCapture::On };
    let plan = Plan { config, recipients, interactive, stated, around: Surroundings::look(), size, unrecorded };
    if interactive {
        on_terminal(&plan, sinks, notify, &command, input, quiet)
    } else {
        on_pipes(&plan, sinks, notify, &command, input, quiet)
    }
}

/// Flags win over the file; what only flags can say is given back.
pub(super) fn merge(config: &mut Config, args: RunArgs) -> Result<Stated, Failure> {
    if !args.to.is_empty() {
        config.to = args.to;
        config.sink.clear();
    }
    if !args.notify.is_empty() {
        config.notify = args.notify;
    }
    if !args.recipient.is_empty() || args.recipients_file.is_some() {
        config.recipients = args.recipient;
        config.recipients_file = args.recipients_file;
    }
    if let Some(mode) = args.input {
        config.input.mode = mode;
    }
    if let Some(marks) = args.shell_marks {
        config.interactive.shell_marks = marks;
    }
    for label in args.label {
        let (key, value) = label.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or_else(|| {
            Failure::new(format_args!("the label {label:?} has no KEY=VALUE form"))
                .hint("for example --label ticket=INC-42")
        })?;
        config.labels.insert(key.to_owned(), value.to_owned());
    }
    Ok(Stated { command: args.command, labels: config.labels.clone(), reason: args.reason, env: config.env.clone() })
}

/// Names the user's own store where no other is configured.
pub fn or_first_use_store(config: &mut Config) -> Result<(), Failure> {
    if config.to.is_empty() && config.sink.is_empty() {
        config.to.push(paths::store_dir()?.to_string_lossy().into_owned());
    }
    Ok(())
}

pub(super) fn announce(source: &Source, quiet: bool) {
    if let Source::OwnIdentity { path, new: true } = source
        && !quiet
    {
        eprintln!(
            "hansard-record: made an identity in {}: {OWN_PAST}\n\
             hansard-record: `hansard-replay play latest` plays recordings; --recipient seals them to somebody else",
            path.display()
        );
    }
}

/// The command to run: the given one, or the user's shell.
fn command(words: &[OsString]) -> Command {
    match words.split_first() {
        Some((program, args)) => Command::new(program).args(args.iter().cloned()),
        None => Command::new(shell()),
    }
}

/// Has a shell mark its commands; one that cannot is started all the same.
fn mark(command: &mut Command, config: &Config, quiet: bool) {
    if let Err((path, e)) = hansard_tee::put_marks(command, &config.interactive.shell_marks_dir)
        && !quiet
    {
        eprintln!("hansard-record: the shell will not mark its commands: cannot read {}: {e}", path.display());
    }
}

fn shell() -> OsString {
    let from_database = || {
        use uzers::os::unix::UserExt as _;
        uzers::get_user_by_uid(uzers::get_current_uid()).map(|user| user.shell().as_os_str().to_owned())
    };
    std::env::var_os("SHELL")
        .filter(|shell| !shell.is_empty())
        .or_else(from_database)
        .filter(|shell| !shell.is_empty())
        .unwrap_or_else(|| "/bin/sh".into())
}

fn on_terminal(
    plan: &Plan,
    sinks: Vec<Destination>,
    notify: Vec<Notify>,
    command: &Command,
    input: InputCapture,
    quiet: bool,
) -> Result<i32, Failure> {
    let guardian = Guardian::start().map_err(failed)?;
    let mut live = Live::start(plan, sinks, notify)?;
    if !quiet {
        eprintln!("hansard-record: session {} is recorded", live.session());
    }
    let clock = Clock::start();
    let exit = hansard_tee::interactive(command, &mut live.recorder, &Options { input, clock, limit: None });
    drop(guardian);
    finish(live, clock, exit, quiet)
}

/// The recording runs in a process of its own, so that this one can end when the command does, even where something
/// that the command left behind still writes and is still recorded.
fn on_pipes(
    plan: &Plan,
    sinks: Vec<Destination>,
    notify: Vec<Notify>,
    command: &Command,
    input: InputCapture,
    quiet: bool,
) -> Result<i32, Failure> {
    let status = hansard_tee::exec_front(command, input, |worker| {
        let recorded = Live::start(plan, sinks, notify).and_then(|mut live| {
            let clock = Clock::start();
            let exit = worker.relay(&mut live.recorder, clock, Some(plan.config.exec.stream_limit));
            finish(live, clock, exit, quiet)
        });
        recorded.unwrap_or_else(|failure| {
            // Standard error may be closed; the status says the same.
            let _ = std::io::stderr().write_all(failure.render().as_bytes());
            failure.code
        })
    });
    status.map(|status| status.code).map_err(failed)
}

fn failed(e: TeeError) -> Failure {
    let code = e.status();
    Failure { code, ..Failure::new(e) }
}

/// Ends the recording, whatever became of the command, and gives the command's status.
fn finish(live: Live, clock: Clock, exit: Result<Exit, TeeError>, quiet: bool) -> Result<i32, Failure> {
    let (stop, result) = match exit {
        Ok(exit) => (stop_of(&exit), Ok(exit.status)),
        Err(e) => {
            let status = e.status();
            let stop = Stop {
                outcome: StopOutcome::RecorderFailed,
                status: u32::try_from(status).unwrap_or(0),
                signal: None,
                left_behind: Vec::new(),
            };
            (stop, Err(failed(e)))
        }
    };
    let ended = live.end(clock.now_us(), stop, progress(quiet));
    match (result, ended) {
        (Ok(status), Ok(ended)) => {
            for sink in &ended.behind {
                behind(sink, &ended.session.to_string());
            }
            Ok(status)
        }
        // The command's own failure is what the user asked about; a recording that failed is worse.
        (_, Err(failure)) => Err(failure),
        (Err(failure), Ok(_)) => Err(failure),
    }
}

/// Shows what the end waits for, once it waits noticeably.
pub(super) fn progress(quiet: bool) -> impl FnMut(&[Status]) {
    let begun = Instant::now();
    let shown = std::io::stderr().is_terminal() && !quiet;
    let mut spinner = None;
    move |status| {
        if !shown || begun.elapsed() < PATIENCE {
            return;
        }
        let waiting: Vec<&str> = status.iter().filter(|s| !s.caught_up).map(|s| s.address.as_str()).collect();
        let spinner = spinner.get_or_insert_with(|| Spinner(ProgressBar::new_spinner()));
        spinner.0.set_message(format!("delivering to {}", waiting.join(", ")));
        spinner.0.tick();
    }
}

/// Takes its line back when it goes.
struct Spinner(ProgressBar);

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

pub(super) fn behind(sink: &Status, session: &str) {
    let why = sink.trouble.as_deref().unwrap_or("it has not answered in time");
    let failure = Failure::new(format_args!("session {session} is not all delivered to {}: {why}", sink.address))
        .hint("nothing is lost: the spool keeps it, and `hansard-record ship` delivers it");
    // What is said after the command must not change its status, even where nobody listens.
    let _ = std::io::stderr().write_all(failure.render().as_bytes());
}
