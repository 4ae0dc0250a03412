//! `import`: brings a recording of another tool in, as a session that says so.
//!
//! The source is hashed and read through before anything is begun, read again into the session, and hashed again at the
//! end. Not for the formats, which are in `import`.

mod feeding;
mod named;

use std::io::Write as _;
use std::path::Path;

use hansard_schemas::cast::Size;
use hansard_schemas::session::Identity;
use hansard_schemas::{Digest, SessionId, Timestamp};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use self::feeding::{Fed, Feeding, missing, stop};
use self::named::{SourceFile, is_taken};
use super::run::{announce, behind, merge, or_first_use_store, progress};
use crate::capture::imported::Imported;
use crate::capture::who::{Stated, Surroundings, identify};
use crate::cli::{FormatArg, ImportArgs, InputMode, RunArgs};
use crate::config::Config;
use crate::destinations;
use crate::first_use;
use crate::import::Fault;
use crate::import::origin::{Format, Origin, digest, head};
use crate::import::source::Tally;
use crate::import::survey::Survey;
use crate::live::{self, Ended};
use crate::report::{EXIT_FINDINGS, Failure};
use crate::services::{Begun, Choices, Opening, Services, blocked};
use crate::ship::{Choice, Status};

/// Where a source does not say its size.
const SIZE: Size = Size { cols: 80, rows: 24 };

/// Runs the command.
pub fn run(args: ImportArgs) -> Result<i32, Failure> {
    let (mut config, _) = Config::load(&args.place)?;
    let stated = merge(&mut config, as_of_run(&args))?;
    if let Some(key) = stated.labels.keys().find(|key| is_taken(key)) {
        return Err(Failure::new(format_args!("the label {key} says where an import comes from"))
            .hint("give it another name: import and import.* are set by `import` itself"));
    }
    or_first_use_store(&mut config)?;
    let origin = origin(&args)?;
    let (files, length) = hashed(&origin)?;
    let looked = bar(&args, length, "looking through");
    let tally = Tally::default();
    let survey = Survey::of(&origin, &tally, || looked.set_position(tally.bytes()));
    looked.finish_and_clear();
    admit(&args, &survey)?;

    let sinks = destinations::open(&config)?;
    let notify = destinations::open_notifies(&config, &sinks)?;
    let (recipients, source) = first_use::recipients(&config, true)?;
    announce(&source, args.quiet || args.json);
    let services = Services::start(config, sinks, notify)?;
    let now = Timestamp::new(chrono::Utc::now());
    let session = services.new_session(now);
    let identity = identity(&services, session, now, stated, &origin, &files, &survey);
    let told_size = survey.told.size.filter(|(cols, rows)| *cols > 0 && *rows > 0);
    let begun = services.begin(Opening {
        identity,
        size: told_size.map_or(SIZE, |(cols, rows)| Size { cols, rows }),
        term: survey.told.term.clone(),
        places: Choice::default(),
        choices: Choices {
            recipients: recipients.into(),
            input: InputMode::Off,
            on_pipes: survey.told.on_pipes,
            on_terminal: false,
        },
    })?;
    // What others left is taken along; a thread that cannot be had takes nothing from this session.
    let _ = services.take_leftovers();
    let marker = named::marker(&origin, &files, &survey.told);
    let feeding = Feeding { origin: &origin, survey: &survey, input: args.input, marker };
    let (fed, ended) = feed(&args, &services, begun, &feeding, &files, length)?;
    if let Fed::Changed(why) = fed {
        let what = format_args!("{} changed while it was imported as session {session}: {why}", origin.path.display());
        return Err(Failure::new(what).hint("that session is closed and says so; import a copy that nobody writes to"));
    }
    report(&args, &origin, &files, &survey, &ended)
}

/// What `run` would be told.
fn as_of_run(args: &ImportArgs) -> RunArgs {
    RunArgs {
        to: args.to.clone(),
        recipient: args.recipient.clone(),
        recipients_file: args.recipients_file.clone(),
        label: args.label.clone(),
        reason: args.reason.clone(),
        ..RunArgs::default()
    }
}

/// What the file is.
fn origin(args: &ImportArgs) -> Result<Origin, Failure> {
    let path = &args.file;
    let metadata =
        std::fs::metadata(path).map_err(|e| Failure::new(format_args!("cannot read {}: {e}", path.display())))?;
    if !metadata.is_file() && !metadata.is_dir() {
        return Err(not_regular(path));
    }
    let format = match (args.format, &args.timing) {
        (Some(format), _) => of_arg(format),
        (None, Some(_)) => Format::Script,
        (None, None) if metadata.is_dir() => Format::Sudo,
        (None, None) => Format::of(&head(path).map_err(bad)?).ok_or_else(|| {
            Failure::new(format_args!("{} is in no format that is known", path.display()))
                .hint("see `hansard-record import --help` for the formats, and say which it is with --format")
        })?,
    };
    match (format, &args.timing) {
        (Format::Script, None) => {
            return Err(Failure::new(format_args!("{} is of script, whose times are in another file", path.display()))
                .hint("name that file with --timing: script wrote it because of --log-timing, --timing or -t"));
        }
        (Format::Script, Some(_)) | (_, None) => {}
        (_, Some(_)) => {
            return Err(Failure::new("--timing is for recordings of script").hint("leave it out, or --format"));
        }
    }
    if format == Format::Sudo && !path.join("timing").is_file() {
        return Err(Failure::new(format_args!(
            "there is no I/O log of sudo in {}: it has no file `timing`",
            path.display()
        ))
        .hint("name the folder of one session, such as /var/log/sudo-io/00/00/01"));
    }
    Ok(Origin { format, path: path.clone(), timing: args.timing.clone(), typed: args.typed.clone() })
}

fn of_arg(format: FormatArg) -> Format {
    match format {
        FormatArg::Asciicast1 => Format::Asciicast1,
        FormatArg::Asciicast2 => Format::Asciicast2,
        FormatArg::Asciicast3 => Format::Asciicast3,
        FormatArg::Script => Format::Script,
        FormatArg::Ttyrec => Format::Ttyrec,
        FormatArg::Tlog => Format::Tlog,
        FormatArg::Sudo => Format::Sudo,
    }
}

fn bad(fault: Fault) -> Failure {
    Failure::new(format_args!("cannot import {fault}"))
}

fn not_regular(path: &Path) -> Failure {
    Failure::new(format_args!("{} is no regular file", path.display()))
        .hint("it is read twice: save it to a file first")
}

/// The files of the source with their digests, and how many bytes they have together.
fn hashed(origin: &Origin) -> Result<(Vec<SourceFile>, u64), Failure> {
    let (mut files, mut all) = (Vec::new(), 0);
    for path in origin.files() {
        // A pipe would be empty when it is read again, and a folder cannot be read at all.
        if !Path::is_file(&path) {
            return Err(not_regular(&path));
        }
        let (sha256, length) = digest(&path).map_err(bad)?;
        files.push(SourceFile { name: named::last_name(&path), sha256: Digest(sha256) });
        all += length;
    }
    Ok((files, all))
}

/// Refuses what cannot be imported as it was asked for.
fn admit(args: &ImportArgs, survey: &Survey) -> Result<(), Failure> {
    if args.input && survey.typed.elsewhere > 0 {
        let what = format_args!("{} bytes of what was typed lie in another file", survey.typed.elsewhere);
        return Err(Failure::new(what).hint("name that file with --typed, or leave --input out"));
    }
    let Some(fault) = &survey.fault else { return Ok(()) };
    let failure = Failure::new(format_args!("cannot import {fault}"));
    match (fault, survey.events) {
        (Fault::Bad { .. }, 1..) if args.partial => Ok(()),
        (Fault::Bad { .. }, events @ 1..) => Err(failure.hint(format_args!(
            "nothing was recorded; --partial imports the {events} events before that, and says in the recording what is missing"
        ))),
        (Fault::Bad { .. }, 0) => Err(failure.hint("nothing was recorded; if it is of another format, say which with --format")),
        _ => Err(failure.hint("nothing was recorded")),
    }
}

fn identity(
    services: &Services,
    session: SessionId,
    now: Timestamp,
    mut stated: Stated,
    origin: &Origin,
    files: &[SourceFile],
    survey: &Survey,
) -> Identity {
    let told = &survey.told;
    stated.labels.extend(named::labels(origin, files, told, survey.fault.is_some()));
    let mut identity = identify(session, now, services.host(), !told.on_pipes, &stated, &Surroundings::look());
    identity.claimed.command = named::command(told);
    identity
}

/// Feeds the session, ends it, and waits for the sinks a while.
fn feed(
    args: &ImportArgs,
    services: &Services,
    begun: Begun,
    feeding: &Feeding<'_>,
    files: &[SourceFile],
    length: u64,
) -> Result<(Fed, Ended), Failure> {
    let Begun { session, handle } = begun;
    let bar = bar(args, length, "importing");
    let mut imported = Imported::over(session, |why| {
        if let Some(why) = why {
            bar.suspend(|| eprintln!("hansard-record: waiting: {why}"));
        }
    });
    let id = handle.session();
    let failed = |e| blocked(e).hint(format_args!("session {id} is unfinished: {}", live::HINT));
    let mut fed = feeding.feed(&mut imported, &bar).map_err(failed)?;
    let same =
        hashed(feeding.origin).is_ok_and(|(now, _)| now.iter().map(|f| f.sha256).eq(files.iter().map(|f| f.sha256)));
    if let (Fed::Whole(_), false) = (&fed, same) {
        fed = Fed::Changed("its SHA-256 is another".into());
    }
    let t_ms = feeding.survey.end_us / 1_000;
    if let Fed::Changed(why) = &fed {
        imported
            .gap(t_ms, &missing(t_ms, &format!("the source changed while it was imported: {why}")))
            .map_err(failed)?;
    }
    let stop = stop(&fed, feeding.survey.told.exit);
    let exit = (stop.outcome == hansard_schemas::session::StopOutcome::Exited).then_some(stop.status);
    imported.end(t_ms, exit, &stop).map_err(failed)?;
    bar.finish_and_clear();
    let ended = live::wait_for_the_end(&handle, services, progress(args.quiet || args.json))?;
    Ok((fed, ended))
}

fn bar(args: &ImportArgs, length: u64, doing: &'static str) -> ProgressBar {
    // indicatif draws nothing where standard error is no terminal.
    let hidden = args.json || args.quiet;
    let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(length), target);
    if let Ok(style) = ProgressStyle::with_template("{bar:24} {bytes}/{total_bytes} {msg}") {
        bar.set_style(style);
    }
    bar.set_message(doing);
    bar
}

/// Says what was imported; the exit code.
fn report(
    args: &ImportArgs,
    origin: &Origin,
    files: &[SourceFile],
    survey: &Survey,
    ended: &Ended,
) -> Result<i32, Failure> {
    let session = ended.session.to_string();
    let fault = survey.fault.as_ref().map(Fault::to_string);
    let mut out = std::io::stdout().lock();
    let said = if args.json {
        let sha256: serde_json::Map<_, _> =
            files.iter().map(|file| (file.name.clone(), file.sha256.to_string().into())).collect();
        let document = serde_json::json!({
            "session": session,
            "format": origin.format.as_str(),
            "file": named::file_name(origin),
            "sha256": sha256,
            "started": named::started(&survey.told),
            "duration_ms": survey.end_us / 1_000,
            "events": survey.events,
            "output_bytes": survey.output_bytes,
            "input_bytes": survey.typed.bytes,
            "input_imported": args.input && survey.typed.bytes > 0,
            "missing": fault,
            "delivered": ended.behind.is_empty(),
            "behind": ended.behind.iter().map(|sink| &sink.address).collect::<Vec<_>>(),
        });
        writeln!(out, "{document:#}")
    } else {
        writeln!(out, "{session}")
    };
    match said {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => return Err(Failure::new(e)),
        _ => {}
    }
    if !args.json && !args.quiet {
        summary(origin, survey, args.input);
    }
    if let (Some(fault), false) = (&fault, args.json) {
        eprint!(
            "{}",
            Failure::new(format_args!("session {session} is not all of its source: {fault}"))
                .hint("what comes before that is imported, and the recording says what is missing")
                .render()
        );
    }
    ended.behind.iter().filter(|_| !args.json).for_each(|sink: &Status| behind(sink, &session));
    Ok(if fault.is_some() || !ended.behind.is_empty() { EXIT_FINDINGS } else { 0 })
}

fn summary(origin: &Origin, survey: &Survey, input: bool) {
    let seconds = std::time::Duration::from_millis(survey.end_us / 1_000);
    let text = format!(
        "imported {} from {}: {} bytes of output in {}",
        named::file_name(origin),
        origin.format.as_str(),
        survey.output_bytes,
        humantime::format_duration(seconds),
    );
    eprintln!("hansard-record: {}", hansard_schemas::names::safe(&text));
    if survey.typed.bytes > 0 && !input {
        eprintln!("hansard-record: {} bytes of what was typed are left out; --input imports them", survey.typed.bytes);
    }
}
