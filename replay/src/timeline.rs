//! A recording as a place in time: the next event, and the way back to any earlier moment.
//!
//! A screen depends on everything that was shown before it, and a recording stores no screens. So while events go
//! by, the timeline keeps a keyframe of the screen now and then (`index`), and seeking replays from the nearest one.
//! Segments are read one at a time. Not for clocks and keys: `play::player`.

use hansard_schemas::cast::{Code, Event, EventData, Size};

pub use crate::index::{Index, Kind, Landmark, Place};
use crate::index::{Kept, Trail};
use crate::screen::touched::Pattern;
use crate::screen::{LineFeed, Screen, Stream};

/// What a source of segments can fail with.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// The segments of one recording, in order, as they are read for playing.
pub trait Source {
    /// How many segments there are.
    fn segments(&self) -> usize;
    /// Event time at which the recording ends.
    fn end_ms(&self) -> u64;
    /// All events of a segment, checked. Event times are those of the session.
    fn load(&mut self, segment: usize) -> Result<Vec<Event>, SourceError>;
}

/// Most bytes of one event that are shown in one go, so that a key pressed meanwhile is heard.
const PIECE: usize = 4 << 10;
/// The same while a text is searched for: no more than what fits on a small screen, so that nothing scrolls by.
const FINDING_PIECE: usize = 256;
/// A pause after which output is the begin of something.
const BURST_MS: u64 = 2_000;
/// Characters of a landmark's text that are kept: more than a status line shows.
const LANDMARK_TEXT: usize = 400;

/// What [`Timeline::step`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Event time of the event.
    pub at_ms: u64,
    /// Bytes shown.
    pub bytes: usize,
    /// Whether the screen may have changed.
    pub visible: bool,
    /// Whether the event is done, or more of it follows.
    pub done: bool,
    /// The marker, gap or exit status that it is, or the command or burst that begins with it.
    pub landmarks: Vec<Landmark>,
    /// Whether the text that is searched for has come.
    pub found: bool,
}

impl Step {
    /// Whether it is a moment of this kind.
    pub fn is(&self, kind: Kind) -> bool {
        self.landmarks.iter().any(|landmark| landmark.kind == kind)
    }
}

/// A recording, its screen, and the place reached.
pub struct Timeline<S> {
    source: S,
    screen: Screen,
    loaded: Option<(usize, Vec<Event>)>,
    place: Place,
    /// Event time of the last event shown.
    last_ms: u64,
    trail: Trail,
    /// Bytes shown since the last keyframe.
    since: u64,
    index: Index,
}

impl<S: Source> Timeline<S> {
    /// At the start of a recording, with nothing shown.
    pub fn new(source: S, size: Size, feed: LineFeed) -> Self {
        let mut screen = Screen::new(size, feed);
        let index = Index::new(screen.keyframe());
        Self {
            source,
            screen,
            loaded: None,
            place: Place::default(),
            last_ms: 0,
            trail: Trail::default(),
            since: 0,
            index,
        }
    }

    /// The screen as it is now.
    pub fn screen(&mut self) -> &Screen {
        self.screen.settle();
        &self.screen
    }

    /// Event time at which the recording ends.
    pub fn end_ms(&self) -> u64 {
        self.source.end_ms()
    }

    /// Event time of the last event shown, or of where it was gone to.
    pub fn last_ms(&self) -> u64 {
        self.last_ms
    }

    /// What was shown ends here.
    pub fn place(&self) -> Place {
        self.place
    }

    /// What is known of the part gone through.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Takes over what another pass over the same recording found.
    pub fn adopt(&mut self, index: &Index) {
        self.index.adopt(index);
    }

    /// Event time of the next event; `None` at the end.
    pub fn next_ms(&mut self) -> Result<Option<u64>, SourceError> {
        Ok(if self.ready()? { self.event().map(|event| event.time_ms) } else { None })
    }

    /// Shows the next event, or the next piece of a long one; `None` at the end.
    pub fn step(&mut self) -> Result<Option<Step>, SourceError> {
        self.step_to(None, None)
    }

    /// The same in smaller pieces, and says whether a text has come.
    pub fn step_finding(&mut self, pattern: &Pattern) -> Result<Option<Step>, SourceError> {
        self.step_to(Some(pattern), None)
    }

    /// The same, and no further than to a place.
    pub fn step_until(&mut self, place: Place) -> Result<Option<Step>, SourceError> {
        self.step_to(None, Some(place))
    }

    fn step_to(&mut self, pattern: Option<&Pattern>, until: Option<Place>) -> Result<Option<Step>, SourceError> {
        if !self.ready()? {
            return Ok(None);
        }
        let Some((_, events)) = &self.loaded else { return Ok(None) };
        let Some(event) = events.get(self.place.event) else { return Ok(None) };
        let events = events.len();
        let at_ms = event.time_ms;
        let mut step = Step { at_ms, bytes: 0, visible: false, done: true, landmarks: Vec::new(), found: false };
        match (event.code, &event.data) {
            (code @ (Code::Output | Code::Error), EventData::Bytes(raw)) => {
                let stream = if code == Code::Output { Stream::Output } else { Stream::Error };
                let rest = raw.get(self.place.byte..).unwrap_or_default();
                let here = until.filter(|to| (to.segment, to.event) == (self.place.segment, self.place.event));
                let most = here.map_or(PIECE, |to| PIECE.min(to.byte.saturating_sub(self.place.byte)));
                let piece = match pattern {
                    Some(_) => line(rest),
                    None => rest.get(..most).unwrap_or(rest),
                };
                match pattern {
                    Some(pattern) => step.found = self.screen.write_finding(stream, piece, pattern),
                    None => self.screen.write(stream, piece),
                }
                step.bytes = piece.len();
                step.visible = true;
                step.done = self.place.byte + piece.len() >= raw.len();
                let marks = self.screen.take_marks();
                self.trail.executes |= marks.executed;
                let moment = |kind| Landmark { at_ms, kind, code: Code::Output, text: String::new() };
                if marks.executed || marks.prompt && !self.trail.executes {
                    step.landmarks.push(moment(Kind::Command));
                }
                if self.trail.output_ms.is_none_or(|before| at_ms.saturating_sub(before) >= BURST_MS) {
                    step.landmarks.push(moment(Kind::Burst));
                }
                self.trail.output_ms = Some(at_ms);
            }
            (Code::Resize, EventData::Text(text)) => {
                if let Ok(size) = text.parse::<Size>() {
                    self.screen.resize(size);
                    step.visible = true;
                }
            }
            (code @ (Code::Marker | Code::Gap | Code::Exit), EventData::Text(text)) => {
                let kind = if code == Code::Exit { Kind::Exit } else { Kind::Stop };
                let text = text.chars().take(LANDMARK_TEXT).collect();
                step.landmarks.push(Landmark { at_ms, kind, code, text });
            }
            _ => {}
        }
        self.last_ms = at_ms;
        self.since += step.bytes as u64;
        if step.done {
            // One place has one name: after the last event of a segment is before the first of the next.
            let (segment, event) = (self.place.segment, self.place.event + 1);
            let over = event >= events && segment + 1 < self.source.segments();
            self.place = if over {
                Place { segment: segment + 1, ..Place::default() }
            } else {
                Place { segment, event, byte: 0 }
            };
        } else {
            self.place.byte += step.bytes;
        }
        if self.place > self.index.frontier {
            self.index.frontier = self.place;
            self.index.reached_ms = at_ms;
            step.landmarks.iter().filter(|landmark| landmark.kind != Kind::Exit).for_each(|landmark| {
                self.index.note(landmark.clone());
            });
        }
        if self.index.wants(self.since, self.place) {
            self.remember();
        }
        Ok(Some(step))
    }

    /// Goes to the last keyframe at or before an event time, unless what is shown now lies nearer before it.
    pub fn rewind(&mut self, to_ms: u64) {
        let Some(kept) = self.index.at_time(to_ms).cloned() else { return };
        // Where several events share the target's time, "before it" is only sure when the time is lower, or nothing
        // after the target has been shown: which `last_ms <= to_ms` says.
        if self.last_ms > to_ms || self.place < kept.place {
            self.restore(&kept);
        }
    }

    /// The same for a place.
    pub fn rewind_to(&mut self, place: Place) {
        let Some(kept) = self.index.at_place(place).cloned() else { return };
        if self.place > place || self.place < kept.place {
            self.restore(&kept);
        }
    }

    /// Goes to the last keyframe strictly before a place; false at the start.
    pub fn rewind_before(&mut self, place: Place) -> bool {
        let Some(kept) = self.index.before_place(place).cloned() else { return false };
        self.restore(&kept);
        true
    }

    fn restore(&mut self, kept: &Kept) {
        self.screen.restore(&kept.keyframe);
        (self.place, self.last_ms, self.trail, self.since) = (kept.place, kept.at_ms, kept.trail, 0);
    }

    fn event(&self) -> Option<&Event> {
        self.loaded.as_ref().and_then(|(_, events)| events.get(self.place.event))
    }

    /// Makes the event at `place` the loaded one; false at the end of the recording.
    fn ready(&mut self) -> Result<bool, SourceError> {
        while self.place.segment < self.source.segments() {
            if self.loaded.as_ref().is_none_or(|(segment, _)| *segment != self.place.segment) {
                // The old segment's events go before the new one's come: one segment is in memory at a time.
                self.loaded = None;
                self.loaded = Some((self.place.segment, self.source.load(self.place.segment)?));
            }
            if self.event().is_some() {
                return Ok(true);
            }
            if self.place.segment + 1 >= self.source.segments() {
                break;
            }
            self.place = Place { segment: self.place.segment + 1, event: 0, byte: 0 };
        }
        self.index.complete |= self.place >= self.index.frontier;
        Ok(false)
    }

    fn remember(&mut self) {
        if self.index.keyframes.last().is_some_and(|kept| kept.place >= self.place) {
            // Passing again over what has its keyframes.
            self.since = 0;
            return;
        }
        // In the middle of a sequence or of an event there is none: the next piece tries again.
        if self.place.byte != 0 {
            return;
        }
        let Some(keyframe) = self.screen.keyframe() else { return };
        let (place, at_ms, trail) = (self.place, self.last_ms, self.trail);
        self.index.keep(Kept { place, at_ms, trail, keyframe: keyframe.into() });
        self.since = 0;
    }
}

/// As much of an event as ends before the next line feed, so that a line is looked at before it moves.
fn line(rest: &[u8]) -> &[u8] {
    let most = rest.get(..FINDING_PIECE).unwrap_or(rest);
    let end = most.iter().skip(1).position(|byte| *byte == b'\n').map_or(most.len(), |at| at + 1);
    most.get(..end).unwrap_or(most)
}

impl<S: Source> Source for &mut S {
    fn segments(&self) -> usize {
        (**self).segments()
    }

    fn end_ms(&self) -> u64 {
        (**self).end_ms()
    }

    fn load(&mut self, segment: usize) -> Result<Vec<Event>, SourceError> {
        (**self).load(segment)
    }
}
