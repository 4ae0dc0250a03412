//! `export`: what a session was, as a file; evidence, as a folder.
//!
//! Streams are written as they are read: one segment and the events of one block are in memory. Each block is
//! authenticated before anything of it is written; when a later one is refused, what was written before stays, and the
//! message says how far it goes. Pictures are made first and written then. Existing files are never written to, and
//! bytes that could act on a terminal never go to one.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use hansard_schemas::cast::{Code, Events};
use hansard_schemas::names::safe;
use hansard_schemas::verdict::{Judgement, Verdict};
use hansard_sinks::TimeRange;
use indicatif::{ProgressBar, ProgressStyle};

use super::play::{Opened, shape};
use super::verify;
use crate::cli::{Export, Form, Stream};
use crate::context::Context;
use crate::desk::Desk;
use crate::forms::bundle::{Bundle, agree};
use crate::forms::frames::{BYTES_MAX, Frames, TooLarge};
use crate::forms::guide::{self, Guide};
use crate::forms::page::{self, About};
use crate::forms::still::{self, Caption};
use crate::forms::stream::{Chosen, Exporter};
use crate::forms::target::{Target, require_free};
use crate::play::clock;
use crate::recording::{Recording, RecordingError};
use crate::report::{Exit, Failure, Outcome, note};
use crate::screen::Stream as Shown;
use crate::timeline::{SourceError, Timeline};
use crate::wall;

/// Exports a session.
pub fn run(context: &Context, args: &Export) -> Outcome {
    let chosen = chosen(args)?;
    check(args)?;
    if let Some(path) = &args.output {
        require_free(path)?;
    }
    let desk = context.desk(&args.store, &args.keys, &TimeRange::default())?;
    let opened = desk.open(desk.find(&args.id)?, args.force)?;
    opened.notes.iter().for_each(|text| note(text));
    let recording = opened.recording;
    match (args.form, chosen) {
        (_, Some(chosen)) => stream(recording, chosen, args.output.as_deref()),
        (Form::Svg, _) => svg(recording, args),
        (Form::Evidence, _) => evidence(&desk, recording, opened.notes, args.output.as_deref()),
        _ => html(recording, args),
    }
}

/// What an option asks of a form that it does not have, and what may not go to a terminal.
fn check(args: &Export) -> Outcome<()> {
    if args.at.is_some() && args.form != Form::Svg {
        return Err(Failure::usage("--at is the moment of a still").hint("use it with --as svg"));
    }
    if args.idle_limit.is_some() && args.form != Form::Html {
        return Err(Failure::usage("only a page can cut its pauses").hint("use --idle-limit with --as html"));
    }
    if args.output.is_some() {
        return Ok(());
    }
    if args.form == Form::Evidence {
        return Err(Failure::usage("evidence is a folder, and needs a name").hint("name a new folder with -o FOLDER"));
    }
    if !matches!(args.form, Form::Txt | Form::Json) && io::stdout().is_terminal() {
        return Err(Failure::usage("will not write a recording's own bytes to a terminal: they could act on it")
            .hint("write to a file with -o FILE, or into a pipe; --as txt is safe to look at"));
    }
    Ok(())
}

/// The stream that is meant; `None` for forms that are none.
fn chosen(args: &Export) -> Outcome<Option<Chosen>> {
    let all = |what: &str| match args.stream {
        None => Ok(()),
        Some(_) => Err(Failure::usage(format!("{what} holds all streams: leave out --stream"))),
    };
    match args.form {
        Form::Raw | Form::Txt => {}
        Form::Cast | Form::Cast2 => all("a cast")?,
        Form::Json => all("the list of events")?,
        Form::Html => all("a page")?,
        Form::Svg => all("a still")?,
        Form::Evidence => all("evidence")?,
    }
    Ok(Some(match (args.form, args.stream) {
        (Form::Raw, None | Some(Stream::Output)) => Chosen::Raw(Code::Output),
        (Form::Raw, Some(Stream::Error)) => Chosen::Raw(Code::Error),
        (Form::Raw, Some(Stream::Input)) => Chosen::Raw(Code::Input),
        (Form::Cast, _) => Chosen::Cast,
        (Form::Cast2, _) => Chosen::Cast2,
        (Form::Json, _) => Chosen::Json,
        (Form::Txt, None) => Chosen::Txt(None),
        (Form::Txt, Some(Stream::Output)) => Chosen::Txt(Some(Shown::Output)),
        (Form::Txt, Some(Stream::Error)) => Chosen::Txt(Some(Shown::Error)),
        (Form::Txt, Some(Stream::Input)) => {
            return Err(
                Failure::usage("input was not shown, so it has no text form").hint("use --as raw --stream input")
            );
        }
        (Form::Html | Form::Svg | Form::Evidence, _) => return Ok(None),
    }))
}

fn stream(mut recording: Recording, form: Chosen, output: Option<&Path>) -> Outcome {
    let mut target = Target::open(output)?;
    let bar = bar(&mut recording, output.is_some())?;
    let header = recording.header().cloned();
    let mut exporter = Exporter::new(form, header.as_ref(), shape(&recording), &mut target);
    if let Chosen::Cast2 = form {
        exporter.begin(header.as_ref(), recording.end_ms()?)?;
    }
    let visited = recording.visit(&mut |lines: &[u8], events: &Events| {
        exporter.block(lines, &events.to_vec())?;
        bar.set_position(exporter.at_ms);
        Ok::<_, io::Error>(())
    });
    bar.finish_and_clear();
    // What was on the screen when it broke off is part of what is good.
    let finished = exporter.finish();
    let outcome = visited.map_err(Failure::from).and_then(|()| Ok(finished?));
    let Exporter { at_ms, written, gaps, lost, .. } = exporter;
    let flushed = target.finish();
    for trouble in recording.troubles() {
        note(trouble);
    }
    if let Err(mut failure) = outcome {
        // A reader that went away is no failure, and needs no account.
        if failure.exit != Exit::Fine {
            failure.message =
                format!("{}; what was written ends there: {written} bytes, up to {}", failure.message, clock(at_ms));
        }
        return Err(failure);
    }
    flushed?;
    if gaps > 0 {
        note(&format!("the recording says that something is missing here: {}", counted(gaps, "gap")));
    }
    if let Some(lost) = lost.told() {
        note(&lost);
    }
    if written == 0 {
        note("nothing of this was recorded: the export is empty");
    }
    Ok(Exit::Fine)
}

fn svg(recording: Recording, args: &Export) -> Outcome {
    let (size, feed) = shape(&recording);
    let (header, doubts) = (recording.header().cloned(), recording.doubts());
    let session = recording.evidence().session.session;
    let mut opened = Opened::new(recording, None)?;
    let mut timeline = Timeline::new(&mut opened, size, feed);
    let end_ms = timeline.end_ms();
    let at_ms = args.at.map_or(end_ms, |at| u64::try_from(at.as_millis()).unwrap_or(u64::MAX));
    if at_ms > end_ms {
        note(&format!("the recording ends at {}: the still is of its end", clock(end_ms)));
    }
    let at_ms = at_ms.min(end_ms);
    while timeline.next_ms().map_err(source)?.is_some_and(|next_ms| next_ms <= at_ms) {
        timeline.step().map_err(source)?;
    }
    let started = header.as_ref().map(|header| header.hansard.started);
    let time =
        started.and_then(|started| wall::after(started, at_ms)).map(|time| format!("  {time}")).unwrap_or_default();
    let host = header.as_ref().map(|header| format!("  {}", safe(&header.hansard.host))).unwrap_or_default();
    let lines = vec![format!("{session}{host}"), format!("at {} of {}{time}", clock(at_ms), clock(end_ms))];
    let picture = still::svg(timeline.screen(), &Caption { lines, doubts: doubts.map(|doubts| safe(&doubts)) });
    drop(timeline);
    opened.troubles().iter().for_each(|trouble| note(trouble));
    let mut target = Target::open(args.output.as_deref())?;
    target.write_all(picture.as_bytes())?;
    target.finish()?;
    Ok(Exit::Fine)
}

fn source(error: SourceError) -> Failure {
    match error.downcast::<RecordingError>() {
        Ok(error) => (*error).into(),
        Err(error) => Failure::failed(error.to_string()),
    }
}

impl From<TooLarge> for Failure {
    fn from(TooLarge { at_ms }: TooLarge) -> Self {
        let limit = BYTES_MAX >> 20;
        Self::failed(format!("a page of this recording would be over {limit} MiB: it is full at {}", clock(at_ms)))
            .hint("nothing was written; --as cast has no such limit, and `hansard-replay play` plays it")
    }
}

fn html(mut recording: Recording, args: &Export) -> Outcome {
    let bar = bar(&mut recording, args.output.is_some())?;
    let end_ms = recording.end_ms()?;
    let limit_ms = args.idle_limit.map(|limit| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
    let mut frames = Frames::new(shape(&recording), limit_ms);
    let visited = recording.visit(&mut |_: &[u8], events: &Events| {
        events.to_vec().iter().try_for_each(|event| frames.push(event))?;
        bar.set_position(frames.at_ms());
        Ok::<_, TooLarge>(())
    });
    bar.finish_and_clear();
    recording.troubles().iter().for_each(|trouble| note(trouble));
    visited?;
    let frames = frames.finish(end_ms)?;
    let about = about(&recording);
    let mut target = Target::open(args.output.as_deref())?;
    page::write(&about, &frames, &mut target)?;
    target.finish()?;
    Ok(Exit::Fine)
}

fn about(recording: &Recording) -> About {
    let session = recording.evidence().session.session;
    let mut title = session.to_string();
    let mut started_ms = None;
    if let Some(header) = recording.header() {
        let identity = &header.hansard;
        let user = identity.kernel.user_in_words();
        let command = header.command.as_ref().map(|command| format!(": {command}")).unwrap_or_default();
        title = format!("{user} on {}{command} ({session})", identity.host);
        started_ms = Some(identity.started.unix_ms());
    }
    // Those that could not be opened are as missing as any.
    let left_out = recording.troubles().iter().map(|trouble| format!("left out: {trouble}"));
    let doubts: Vec<String> = recording.doubts().into_iter().chain(left_out).collect();
    About { title, started_ms, doubts: (!doubts.is_empty()).then(|| doubts.join("; ")) }
}

fn evidence(desk: &Desk, mut recording: Recording, notes: Vec<String>, output: Option<&Path>) -> Outcome {
    let Some(path) = output else { return Err(Failure::usage("evidence is a folder, and needs a name")) };
    let bundle = Bundle::new(path)?;
    let ours = fill(bundle, desk, &mut recording, notes).map_err(|mut failure| {
        failure.message = format!("{}; the folder {} is not finished", failure.message, path.display());
        failure.hint("it has no manifest: remove it; --force exports what can be opened")
    })?;
    let theirs = recording.judgement();
    if !agree(&ours, theirs) {
        let (ours, theirs) = (&ours.verdict, &theirs.verdict);
        let what = format!("{}: the folder verifies as `{ours}`, the store as `{theirs}`", path.display());
        return Err(
            Failure::failed(what).hint("the store may have changed meanwhile: export it anew into another folder")
        );
    }
    Ok(Exit::Fine)
}

/// Puts everything into the folder, and gives the judgement on what is there then.
fn fill(mut bundle: Bundle, desk: &Desk, recording: &mut Recording, mut marks: Vec<String>) -> Outcome<Judgement> {
    let bar = bar(recording, true)?;
    let copied = bundle.copy(&*desk.store, recording.evidence())?;
    let (header, shape) = (recording.header().cloned(), shape(recording));
    let mut files = [bundle.file("session.cast")?, bundle.file("session.txt")?].map(io::BufWriter::new);
    let [cast, txt] = &mut files;
    let mut cast = Exporter::new(Chosen::Cast, header.as_ref(), shape, cast);
    let mut txt = Exporter::new(Chosen::Txt(None), header.as_ref(), shape, txt);
    recording.visit(&mut |lines: &[u8], events: &Events| {
        let events = events.to_vec();
        cast.block(lines, &events)?;
        txt.block(lines, &events)?;
        bar.set_position(cast.at_ms);
        Ok::<_, io::Error>(())
    })?;
    bar.finish_and_clear();
    txt.finish()?;
    let gaps = cast.gaps;
    for file in files {
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    }
    let judgement = recording.judgement();
    let ours = bundle.examine(&recording.evidence().session, desk.now())?;
    let standing = ours.chain.and_then(|chain| desk.seen.standings.get(&chain));
    let imported = header.as_ref().and_then(|header| header.hansard.claimed.imported());
    bundle.put("verify.json", verify::report(&ours, standing, imported).as_bytes())?;
    if gaps > 0 {
        let missing = format!("the recording says that something is missing here: {}", counted(gaps, "gap"));
        note(&missing);
        marks.push(missing);
    }
    for trouble in recording.troubles() {
        note(trouble);
        marks.push(format!("left out of the readable copies: {trouble}"));
    }
    marks.extend(judgement.chain_faults.iter().map(|fault| format!("after its end: {fault}")));
    marks.extend(judgement.notes.iter().chain(&copied.left_out).cloned());
    let guide = Guide {
        session: judgement.session.to_string(),
        host: judgement.host.clone(),
        chain: ours.chain.map(|chain| chain.to_string()),
        verdict: judgement.verdict.to_string(),
        complete: judgement.verdict == Verdict::Complete && judgement.ok(),
        marks,
        segments: copied.segments.len(),
        chain_objects: copied.chain_objects,
        made: desk.now().to_string(),
    };
    bundle.put("README.txt", guide::text(&guide).as_bytes())?;
    bundle.seal()?;
    Ok(ours.judgement)
}

fn counted(n: u64, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// Only beside a file: on a terminal that shows the export it would be drawn over it.
fn bar(recording: &mut Recording, to_file: bool) -> Outcome<ProgressBar> {
    if !to_file || !io::stderr().is_terminal() {
        return Ok(ProgressBar::hidden());
    }
    let bar = ProgressBar::new(recording.end_ms()?);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {percent}%") {
        bar.set_style(style);
    }
    Ok(bar)
}
