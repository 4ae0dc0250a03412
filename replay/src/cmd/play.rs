//! `play`: a verified recording on the reviewer's terminal.

use hansard_schemas::cast::{Event, Size};
use hansard_schemas::session::Kind;
use hansard_sinks::TimeRange;

use crate::cache::Cache;
use crate::cache::beside::{Beside, Work};
use crate::cache::warm::{self, Start};
use crate::cli::Play;
use crate::context::Context;
use crate::play::{self, News, PlayError, Settings};
use crate::recording::{Recording, RecordingError};
use crate::report::{Exit, Failure, Outcome, note};
use crate::screen::LineFeed;
use crate::timeline::{Source, SourceError};

/// Plays a session.
pub fn run(context: &Context, args: &Play) -> Outcome {
    play::require_terminal().map_err(failure)?;
    let desk = context.desk(&args.store, &args.keys, &TimeRange::default())?;
    let session = desk.find(&args.id)?.session.clone();
    // What is wrong with a recording is looked at anew each time that it is forced.
    let defaults = &context.defaults().play;
    let no_cache = args.no_cache.or(defaults.no_cache).unwrap_or(false);
    let cache = context.cache_path().filter(|_| !no_cache && !args.force).map(Cache::of_keyframes);
    let Start { evidence, known, unread } = warm::start(&desk, &session, cache.as_ref())?;
    let recording = desk.open_examined(evidence.clone(), args.force)?.tell();
    let (size, feed) = shape(&recording);
    let header = recording.header();
    let settings = Settings {
        speed: args.speed.or(defaults.speed).unwrap_or(1.0),
        idle_limit: args.idle_limit.or(defaults.idle_limit),
        start_at: args.start_at.unwrap_or_default(),
        quit_at_end: args.quit_at_end.or(defaults.quit_at_end).unwrap_or(false),
        verdict: doubts(&recording),
        colour: context.colour(),
        started_ms: header.map(|header| header.hansard.started.unix_ms()),
        who: header.map(|header| format!("{}@{}", header.hansard.kernel.user_in_words(), header.hansard.host)),
        index: known.as_ref().map(|(index, _)| index.clone()),
    };
    let (index, end_ms) = known.map_or((None, None), |(index, end_ms)| (Some(index), end_ms));
    let mut opened = Opened::new(recording, end_ms)?;
    let source = Opened::new(desk.open_again(evidence.clone(), args.force)?, Some(opened.end_ms))?;
    let work = Work { desk, session, evidence, unread, index, source, size, feed, cache };
    let beside = Beside::begin(work).map_err(|e| Failure::failed(format!("cannot begin a thread: {e}")))?;
    let mut refused = None;
    let ended = play::run(&mut opened, size, feed, &settings, &mut || {
        // Asked first: what is found after is not lost between the two.
        let done = beside.is_done();
        if let Some(failure) = beside.refused() {
            let message = failure.message.clone();
            refused = Some(failure);
            return News::Refused(message.into());
        }
        match beside.index() {
            Some(index) => News::Index(Box::new(index)),
            None if done => News::Done,
            None => News::Busy,
        }
    });
    for trouble in opened.recording.troubles() {
        note(trouble);
    }
    if let Some(failure) = refused {
        return Err(failure);
    }
    let checked = beside.leave();
    if !checked {
        note("left before all segments were checked again; `hansard-replay verify` does");
    }
    ended.map_err(failure)?.finish();
    Ok(Exit::Fine)
}

/// What stands beside the picture all the time: what is wrong with the recording, and that another tool made it.
fn doubts(recording: &Recording) -> Option<String> {
    let imported = recording.header().is_some_and(|header| header.hansard.claimed.imported().is_some());
    let words: Vec<String> = recording.doubts().into_iter().chain(imported.then(|| "imported".to_owned())).collect();
    (!words.is_empty()).then(|| words.join("; "))
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
    /// Of an open recording; reads its last segment, for the length, unless that is known.
    pub fn new(mut recording: Recording, end_ms: Option<u64>) -> Outcome<Self> {
        let end_ms = match end_ms {
            Some(end_ms) => end_ms,
            None => recording.end_ms()?,
        };
        Ok(Self { recording, end_ms })
    }

    /// What was left out so far because it could not be opened; only when forced.
    pub fn troubles(&self) -> &[String] {
        self.recording.troubles()
    }
}

impl Source for Opened {
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
