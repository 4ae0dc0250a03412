//! The search in one recording. Not for which recordings, nor for printing: `cmd::grep`.

use std::collections::VecDeque;

use hansard_schemas::cast::{Code, Events, Gap, GapWhat};

use super::Pattern;
use super::sieve::{Making, Sieve};
use super::typed::Typed;
use crate::cmd::play::shape;
use crate::recording::{Recording, Stopped};
use crate::report::Failure;
use crate::screen::Stream;
use crate::screen::lines::{Batch, Lines};

/// Text of lines that is searched in one go.
const BATCH: usize = 256 << 10;

/// Lines of full-screen programs that are searched in one go.
const FULL_SCREEN: usize = 100;
/// Most bytes that are shown before what came out is searched: few of them can draw much.
const PIECE: usize = 8 << 10;

/// What is looked for, and how much of it is wanted.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The pattern.
    pub pattern: Pattern,
    /// Whether what was typed is searched, instead of what was shown.
    pub input: bool,
    /// Lines before a match that are kept.
    pub before: usize,
    /// Lines after a match that are kept.
    pub after: usize,
    /// Matching lines after which the search ends.
    pub max: u64,
    /// Whether the lines are wanted, or only their number.
    pub text: bool,
}

/// Where a line stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On the primary screen, where text flows.
    Screen,
    /// On the alternate screen, on which full-screen programs draw.
    FullScreen,
    /// It was typed.
    Input,
}

impl Place {
    /// The word of the document.
    pub fn word(self) -> &'static str {
        match self {
            Self::Screen => "screen",
            Self::FullScreen => "full-screen",
            Self::Input => "input",
        }
    }
}

/// A line that matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// Event time, in milliseconds, from which the line stood there as it is.
    pub at_ms: u64,
    /// Where.
    pub place: Place,
    /// The line: characters that print, nothing else; of input, anything.
    pub text: String,
    /// The lines before it.
    pub before: Vec<String>,
    /// The lines after it.
    pub after: Vec<String>,
}

/// What a search gave.
#[derive(Debug, Default)]
pub struct Found {
    /// The lines, ordered by time; none when only their number was wanted.
    pub matches: Vec<Match>,
    /// How many lines match.
    pub count: u64,
    /// Bytes that were searched: of the streams, as recorded.
    pub bytes: u64,
    /// Whether anything typed was recorded.
    pub has_input: bool,
    /// Gaps in what was searched.
    pub gaps: u64,
    /// The sieve of all lines that were shown; `None` when it was not wanted, or not all was gone through.
    pub sieve: Option<Sieve>,
}

/// Searches a recording, and makes a sieve of all that was shown where that is wanted for the next search; `progress` is
/// told of bytes searched.
pub fn search(
    recording: &mut Recording,
    wanted: &Wanted,
    sieve: bool,
    progress: &dyn Fn(u64),
) -> Result<Found, Failure> {
    let (size, feed) = shape(recording);
    let mut search = Search {
        wanted,
        lines: Lines::new(size, feed),
        batch: Batch::default(),
        typed: Typed::default(),
        recent: VecDeque::new(),
        open: Vec::new(),
        sieve: (sieve && !wanted.input).then(Making::default),
        found: Found::default(),
    };
    let visited = recording.visit(&mut |_: &[u8], events: &Events| {
        let before = search.found.bytes;
        events.iter().for_each(|(time_ms, code, data)| search.event(time_ms, code, data));
        progress(search.found.bytes - before);
        if search.is_full() { Err(Full) } else { Ok(()) }
    });
    match visited {
        Ok(()) => {}
        Err(Stopped::Visitor(Full)) => return Ok(search.found.sorted()),
        Err(Stopped::Recording(error)) => return Err(error.into()),
    }
    Ok(search.finish().sorted())
}

/// As much was found as was wanted.
struct Full;

struct Search<'a> {
    wanted: &'a Wanted,
    lines: Lines,
    batch: Batch,
    typed: Typed,
    /// The last lines of earlier batches.
    recent: VecDeque<String>,
    /// Matches that want more lines after them.
    open: Vec<usize>,
    sieve: Option<Making>,
    found: Found,
}

impl Search<'_> {
    fn event(&mut self, time_ms: u64, code: Code, raw: &[u8]) {
        match code {
            Code::Output | Code::Error if !self.wanted.input => {
                let stream = if code == Code::Output { Stream::Output } else { Stream::Error };
                self.found.bytes += raw.len() as u64;
                for piece in raw.chunks(PIECE) {
                    self.lines.write(stream, piece, time_ms, &mut self.batch);
                    if self.batch.text.len() > BATCH || self.batch.full.len() > FULL_SCREEN {
                        self.look();
                    }
                }
            }
            Code::Input => {
                self.found.has_input = true;
                if self.wanted.input {
                    self.found.bytes += raw.len() as u64;
                    let mut ended = Vec::new();
                    self.typed.push(raw, time_ms, &mut ended);
                    self.typed_lines(ended);
                }
            }
            Code::Resize => {
                if let Some(size) = std::str::from_utf8(raw).ok().and_then(|size| size.parse().ok()) {
                    self.lines.resize(size, time_ms, &mut self.batch);
                }
            }
            Code::Gap => {
                let missing = match Gap::parse(&String::from_utf8_lossy(raw)).map(|gap| gap.what) {
                    Ok(GapWhat::Clock | GapWhat::Time) => false,
                    Ok(GapWhat::Input) => self.wanted.input,
                    Ok(GapWhat::Output | GapWhat::Error) => !self.wanted.input,
                    _ => true,
                };
                self.found.gaps += u64::from(missing);
            }
            _ => {}
        }
    }

    fn finish(mut self) -> Found {
        let mut ended = Vec::new();
        std::mem::take(&mut self.typed).finish(&mut ended);
        self.typed_lines(ended);
        let lines = std::mem::replace(&mut self.lines, Lines::empty());
        lines.finish(&mut self.batch);
        self.look();
        self.found.sieve = self.sieve.map(Making::end);
        self.found
    }

    fn is_full(&self) -> bool {
        self.found.count >= self.wanted.max && self.open.is_empty()
    }

    fn typed_lines(&mut self, ended: Vec<(String, u64)>) {
        for (text, at_ms) in ended {
            if self.wanted.pattern.is_in(&text) {
                self.add(Match { at_ms, place: Place::Input, text, before: Vec::new(), after: Vec::new() });
            }
        }
    }

    /// Counts a match; says which number it has if it is kept.
    fn add(&mut self, one: Match) -> Option<usize> {
        if self.found.count >= self.wanted.max {
            return None;
        }
        self.found.count += 1;
        self.found.matches.extend(self.wanted.text.then_some(one));
        self.wanted.text.then(|| self.found.matches.len() - 1)
    }

    /// Searches what has come out, and forgets it.
    fn look(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        if let Some(sieve) = &mut self.sieve {
            sieve.add(batch.text.as_bytes());
            batch.full.iter().for_each(|(text, _)| sieve.add(text.as_bytes()));
        }
        let line = |number: usize| {
            let start = number.checked_sub(1).and_then(|n| batch.marks.get(n)).map_or(0, |mark| mark.end + 1);
            batch.marks.get(number).and_then(|mark| batch.text.get(start..mark.end))
        };
        let Wanted { pattern, before, after, .. } = self.wanted;
        for at in std::mem::take(&mut self.open) {
            self.follow(at, (0..).map_while(line));
        }
        pattern.lines(
            &batch.text,
            |number| batch.marks.get(number).map(|mark| mark.end),
            |number| {
                let mut one = Match {
                    at_ms: batch.marks.get(number).map_or(0, |mark| mark.at_ms),
                    place: Place::Screen,
                    text: String::new(),
                    before: Vec::new(),
                    after: Vec::new(),
                };
                if self.wanted.text {
                    line(number).unwrap_or_default().clone_into(&mut one.text);
                    let here = number.saturating_sub(*before)..number;
                    let earlier = self.recent.len().saturating_sub(*before - here.len());
                    one.before = self.recent.iter().skip(earlier).cloned().collect();
                    one.before.extend(here.filter_map(line).map(str::to_owned));
                }
                if let Some(at) = self.add(one).filter(|_| *after > 0) {
                    self.follow(at, (number + 1..).map_while(line));
                }
                self.found.count < self.wanted.max
            },
        );
        let count = batch.marks.len();
        self.recent.extend((count.saturating_sub(*before)..count).filter_map(line).map(str::to_owned));
        self.recent.drain(..self.recent.len().saturating_sub(*before));
        for (text, at_ms) in &batch.full {
            if pattern.is_in(text) {
                let (before, after) = (Vec::new(), Vec::new());
                self.add(Match { at_ms: *at_ms, place: Place::FullScreen, text: text.clone(), before, after });
            }
        }
        self.batch = batch;
        self.batch.clear();
    }

    /// Lines that come after a match.
    fn follow<'b>(&mut self, at: usize, lines: impl Iterator<Item = &'b str>) {
        let Some(one) = self.found.matches.get_mut(at) else { return };
        let missing = self.wanted.after.saturating_sub(one.after.len());
        one.after.extend(lines.take(missing).map(str::to_owned));
        if one.after.len() < self.wanted.after {
            self.open.push(at);
        }
    }
}

impl Found {
    fn sorted(mut self) -> Self {
        self.matches.sort_by_key(|one| one.at_ms);
        self
    }
}
