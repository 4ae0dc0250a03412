//! `play`: a verified recording on the reviewer's terminal.

use hansard_schemas::cast::{Event, Size};
use hansard_schemas::session::Kind;

use crate::cli::Play;
use crate::context::Context;
use crate::play::{self, PlayError, Settings};
use crate::recording::{Recording, RecordingError};
use crate::report::{Exit, Failure, Outcome, note};
use crate::screen::LineFeed;
use crate::timeline::{Source, SourceError};

/// Plays a session.
pub fn run(context: &Context, args: &Play) -> Outcome {
    play::require_terminal().map_err(failure)?;
    let recording = context.recording(&args.id, &args.store, &args.keys, args.force)?;
    let (size, feed) = shape(&recording);
    let settings = Settings {
        speed: args.speed,
        idle_limit: args.idle_limit,
        start_at: args.start_at.unwrap_or_default(),
        quit_at_end: args.quit_at_end,
        verdict: recording.doubts(),
        colour: context.colour(),
    };
    let mut opened = Opened::new(recording)?;
    let ended = play::run(&mut opened, size, feed, &settings);
    for trouble in opened.recording.troubles() {
        note(trouble);
    }
    ended.map_err(failure)?.finish();
    Ok(Exit::Fine)
}

/// Size of the first screen, and whether line feeds come with carriage returns.
pub fn shape(recording: &Recording) -> (Size, LineFeed) {
    match recording.header() {
        Some(header) => {
            let feed = if header.hansard.kind == Kind::Interactive { LineFeed::Terminal } else { LineFeed::NewLine };
            (Size { cols: header.term.cols, rows: header.term.rows }, feed)
        }
        // Forced, and the beginning is gone.
        None => (Size { cols: 0, rows: 0 }, LineFeed::Terminal),
    }
}

/// A recording as the timeline reads it.
pub struct Opened {
    recording: Recording,
    end_ms: u64,
}

impl Opened {
    /// Of an open recording; reads its last segment, for the length.
    pub fn new(mut recording: Recording) -> Outcome<Self> {
        let end_ms = recording.end_ms()?;
        Ok(Self { recording, end_ms })
    }

    /// What was left out so far because it could not be opened; only when forced.
    pub fn troubles(&self) -> &[String] {
        self.recording.troubles()
    }
}

impl Source for &mut Opened {
    fn segments(&self) -> usize {
        self.recording.segments()
    }

    fn end_ms(&self) -> u64 {
        self.end_ms
    }

    fn load(&mut self, segment: usize) -> Result<Vec<Event>, SourceError> {
        Ok(self.recording.load(segment)?)
    }
}

fn failure(error: PlayError) -> Failure {
    match error {
        PlayError::NotATerminal => Failure::usage("cannot play: standard output is not a terminal")
            .hint("play on a terminal, or read it with `hansard-replay export --as txt`"),
        PlayError::Terminal(error) => Failure::usage(format!("cannot use the terminal: {error}")),
        PlayError::Source(error) => match error.downcast::<RecordingError>() {
            Ok(error) => (*error).into(),
            Err(error) => Failure::failed(error.to_string()),
        },
    }
}
