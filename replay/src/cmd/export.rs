//! `export`: what a session was, as a file.
//!
//! Streaming: one segment and the events of one block are in memory. Each block is authenticated before anything of
//! it is written; when a later one is refused, what was written before stays, and the message says how far it goes.
//! Existing files are never written to, and bytes that could act on a terminal never go to one.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use hansard_schemas::cast::{Code, Event, EventData, Gap, GapWhat, Size};
use indicatif::{ProgressBar, ProgressStyle};

use super::play::shape;
use crate::cli::{Export, Form, Stream};
use crate::context::Context;
use crate::play::clock;
use crate::recording::Recording;
use crate::report::{Exit, Failure, Outcome, note};
use crate::screen::Stream as Shown;
use crate::screen::transcript::Transcript;

/// Exports a session.
pub fn run(context: &Context, args: &Export) -> Outcome {
    let form = chosen(args)?;
    if args.output.is_none() && args.form != Form::Txt && io::stdout().is_terminal() {
        return Err(Failure::usage("will not write a recording's own bytes to a terminal: they could act on it")
            .hint("write to a file with -o FILE, or into a pipe; --as txt is safe to look at"));
    }
    let mut recording = context.recording(&args.id, &args.store, &args.keys, args.force)?;
    let mut target = Target::open(args.output.as_deref())?;
    let bar = bar(&mut recording, args.output.is_some())?;
    let mut exporter = Exporter::new(&recording, form, &mut target);
    let visited = recording.visit(&mut |lines: &[u8], events| {
        exporter.block(lines, events)?;
        bar.set_position(exporter.at_ms);
        Ok::<_, io::Error>(())
    });
    bar.finish_and_clear();
    // What was on the screen when it broke off is part of what is good.
    let finished = exporter.finish();
    let outcome = visited.map_err(Failure::from).and_then(|()| Ok(finished?));
    let (at_ms, written, gaps) = (exporter.at_ms, exporter.written, exporter.gaps);
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
        note(&format!(
            "the recording says that something is missing here: {gaps} gap{}",
            if gaps == 1 { "" } else { "s" }
        ));
    }
    if written == 0 {
        note("nothing of this was recorded: the export is empty");
    }
    Ok(Exit::Fine)
}

/// What exactly is exported.
#[derive(Debug, Clone, Copy)]
enum Chosen {
    Raw(Code),
    Cast,
    /// One stream, or both as they came.
    Txt(Option<Shown>),
}

fn chosen(args: &Export) -> Outcome<Chosen> {
    Ok(match (args.form, args.stream) {
        (Form::Raw, None | Some(Stream::Output)) => Chosen::Raw(Code::Output),
        (Form::Raw, Some(Stream::Error)) => Chosen::Raw(Code::Error),
        (Form::Raw, Some(Stream::Input)) => Chosen::Raw(Code::Input),
        (Form::Cast, None) => Chosen::Cast,
        (Form::Cast, Some(_)) => return Err(Failure::usage("a cast holds all streams: leave out --stream")),
        (Form::Txt, None) => Chosen::Txt(None),
        (Form::Txt, Some(Stream::Output)) => Chosen::Txt(Some(Shown::Output)),
        (Form::Txt, Some(Stream::Error)) => Chosen::Txt(Some(Shown::Error)),
        (Form::Txt, Some(Stream::Input)) => {
            return Err(
                Failure::usage("input was not shown, so it has no text form").hint("use --as raw --stream input")
            );
        }
    })
}

/// Turns blocks into the bytes of the chosen form.
struct Exporter<'a> {
    form: Chosen,
    transcript: Transcript,
    target: &'a mut Target,
    /// Event time reached.
    at_ms: u64,
    written: u64,
    /// Gaps in what is exported.
    gaps: u64,
}

impl<'a> Exporter<'a> {
    fn new(recording: &Recording, form: Chosen, target: &'a mut Target) -> Self {
        let (size, feed) = shape(recording);
        let size = match form {
            // A stream alone was never on a screen of a size.
            Chosen::Txt(Some(_)) if size.cols == 0 => Size { cols: 80, rows: 24 },
            _ => size,
        };
        Self { form, transcript: Transcript::new(size, feed), target, at_ms: 0, written: 0, gaps: 0 }
    }

    fn block(&mut self, lines: &[u8], events: Vec<Event>) -> io::Result<()> {
        let mut text = String::new();
        if let Chosen::Cast = self.form {
            self.write(lines)?;
        }
        for event in events {
            self.at_ms = event.time_ms;
            match (self.form, event.code, &event.data) {
                (_, Code::Gap, EventData::Text(data)) => self.gaps += u64::from(self.is_missing(data)),
                (Chosen::Raw(code), _, EventData::Bytes(raw)) if event.code == code => self.write(raw)?,
                (Chosen::Txt(_), Code::Resize, EventData::Text(size)) => {
                    if let Ok(size) = size.parse() {
                        self.transcript.resize(size, &mut text);
                    }
                }
                (Chosen::Txt(only), Code::Output | Code::Error, EventData::Bytes(raw)) => {
                    let stream = if event.code == Code::Output { Shown::Output } else { Shown::Error };
                    if only.is_none_or(|only| only == stream) {
                        self.transcript.write(stream, raw, &mut text);
                    }
                }
                _ => {}
            }
        }
        self.write(text.as_bytes())
    }

    fn finish(&mut self) -> io::Result<()> {
        if let Chosen::Txt(_) = self.form {
            let rest = std::mem::replace(&mut self.transcript, Transcript::empty());
            let mut text = String::new();
            rest.finish(&mut text);
            self.write(text.as_bytes())?;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.target.out.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Whether a gap is of what is exported. One that cannot be read might be.
    fn is_missing(&self, data: &str) -> bool {
        let Ok(gap) = Gap::parse(data) else { return true };
        match gap.what {
            GapWhat::Clock | GapWhat::Time => false,
            GapWhat::Input => matches!(self.form, Chosen::Raw(Code::Input) | Chosen::Cast),
            GapWhat::Output => {
                !matches!(self.form, Chosen::Raw(Code::Input | Code::Error) | Chosen::Txt(Some(Shown::Error)))
            }
            GapWhat::Error => {
                !matches!(self.form, Chosen::Raw(Code::Input | Code::Output) | Chosen::Txt(Some(Shown::Output)))
            }
            _ => true,
        }
    }
}

/// Where the export goes.
struct Target {
    out: BufWriter<Box<dyn Write>>,
    file: Option<File>,
}

impl Target {
    fn open(path: Option<&Path>) -> Outcome<Self> {
        let Some(path) = path else {
            return Ok(Self { out: BufWriter::with_capacity(256 << 10, Box::new(io::stdout())), file: None });
        };
        let name = path.display();
        // Content of a recording is for those who could open it: nobody else may read the file.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = file.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                Failure::usage(format!("{name} exists already")).hint("choose another name: exports never overwrite")
            }
            _ => Failure::usage(format!("{name}: cannot create the file: {error}")),
        })?;
        let copy = file.try_clone()?;
        Ok(Self { out: BufWriter::with_capacity(256 << 10, Box::new(copy)), file: Some(file) })
    }

    fn finish(mut self) -> io::Result<()> {
        self.out.flush()?;
        if let Some(file) = self.file {
            file.sync_all()?;
        }
        Ok(())
    }
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
