//! A recording as a place in time: the next event, and the way back to any earlier moment.
//!
//! A screen depends on everything that was shown before it, and a recording stores no screens. So while events go
//! by, the timeline keeps a keyframe of the screen now and then, and seeking replays from the nearest one. Segments
//! are read one at a time. Not for clocks and keys: `play::player`.

use hansard_schemas::cast::{Code, Event, EventData, Size};

use crate::screen::{Keyframe, LineFeed, Screen, Stream};

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
/// Output between two keyframes, at least. Replaying it takes some ten milliseconds.
const KEYFRAME_BYTES: u64 = 1 << 20;
/// Keyframes that are kept; at more, every second one is dropped and they come half as often. At 24x80 one has some
/// KiB.
const KEYFRAMES: usize = 512;
/// Bytes of all keyframes; over that they are thinned too. A hostile recording can make one of some MiB.
const KEYFRAMES_BYTES: usize = 64 << 20;
/// Characters of a landmark's text that are kept: more than a status line shows.
const LANDMARK_TEXT: usize = 400;

/// A place between two pieces of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Place {
    segment: usize,
    event: usize,
    byte: usize,
}

/// A moment that a reviewer may want to go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Landmark {
    /// Its event time.
    pub at_ms: u64,
    /// `m`, `g` or `x`.
    pub code: Code,
    /// Its data, as recorded: not safe to print.
    pub text: String,
}

impl Landmark {
    /// Whether one goes from one to the next of these: markers and gaps. The exit status stands at the end anyway.
    pub fn is_stop(&self) -> bool {
        matches!(self.code, Code::Marker | Code::Gap)
    }
}

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
    /// The marker, gap or exit status that it is.
    pub landmark: Option<Landmark>,
}

/// A recording, its screen, and the place reached.
pub struct Timeline<S> {
    source: S,
    screen: Screen,
    loaded: Option<(usize, Vec<Event>)>,
    place: Place,
    /// Event time of the last event shown.
    last_ms: u64,
    keyframes: Vec<(Place, u64, Keyframe)>,
    spacing: u64,
    /// Bytes shown since the last keyframe.
    since: u64,
    /// The markers and gaps before `frontier`.
    landmarks: Vec<Landmark>,
    /// The furthest place reached.
    frontier: Place,
}

impl<S: Source> Timeline<S> {
    /// At the start of a recording, with nothing shown.
    pub fn new(source: S, size: Size, feed: LineFeed) -> Self {
        let mut screen = Screen::new(size, feed);
        let keyframes = screen.keyframe().map(|first| (Place::default(), 0, first)).into_iter().collect();
        Self {
            source,
            screen,
            loaded: None,
            place: Place::default(),
            last_ms: 0,
            keyframes,
            spacing: KEYFRAME_BYTES,
            since: 0,
            landmarks: Vec::new(),
            frontier: Place::default(),
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

    /// Event time of the last event shown, or of where [`Timeline::rewind`] went.
    pub fn last_ms(&self) -> u64 {
        self.last_ms
    }

    /// Event time of the next event; `None` at the end.
    pub fn next_ms(&mut self) -> Result<Option<u64>, SourceError> {
        Ok(if self.ready()? { self.event().map(|event| event.time_ms) } else { None })
    }

    /// Shows the next event, or the next piece of a long one; `None` at the end.
    pub fn step(&mut self) -> Result<Option<Step>, SourceError> {
        if !self.ready()? {
            return Ok(None);
        }
        let Some((_, events)) = &self.loaded else { return Ok(None) };
        let Some(event) = events.get(self.place.event) else { return Ok(None) };
        let mut step = Step { at_ms: event.time_ms, bytes: 0, visible: false, done: true, landmark: None };
        match (event.code, &event.data) {
            (code @ (Code::Output | Code::Error), EventData::Bytes(raw)) => {
                let stream = if code == Code::Output { Stream::Output } else { Stream::Error };
                let end = raw.len().min(self.place.byte + PIECE);
                let piece = raw.get(self.place.byte..end).unwrap_or_default();
                self.screen.write(stream, piece);
                step.bytes = piece.len();
                step.visible = true;
                step.done = end == raw.len();
            }
            (Code::Resize, EventData::Text(text)) => {
                if let Ok(size) = text.parse::<Size>() {
                    self.screen.resize(size);
                    step.visible = true;
                }
            }
            (code @ (Code::Marker | Code::Gap | Code::Exit), EventData::Text(text)) => {
                step.landmark =
                    Some(Landmark { at_ms: event.time_ms, code, text: text.chars().take(LANDMARK_TEXT).collect() });
            }
            _ => {}
        }
        self.last_ms = step.at_ms;
        self.since += step.bytes as u64;
        if step.done {
            self.place = Place { segment: self.place.segment, event: self.place.event + 1, byte: 0 };
        } else {
            self.place.byte += step.bytes;
        }
        if self.place > self.frontier {
            self.frontier = self.place;
            self.landmarks.extend(step.landmark.clone().filter(Landmark::is_stop));
        }
        if self.since >= self.spacing {
            self.remember();
        }
        Ok(Some(step))
    }

    /// Goes to the last keyframe at or before an event time, unless what is shown now lies nearer before it.
    pub fn rewind(&mut self, to_ms: u64) {
        let Some(found) = self.keyframes.partition_point(|(_, at_ms, _)| *at_ms <= to_ms).checked_sub(1) else {
            return;
        };
        let (place, at_ms, keyframe) = &self.keyframes[found];
        let ahead = self.last_ms <= to_ms && self.place >= *place;
        // Where several events share the target's time, "before it" is only sure when the time is lower, or nothing
        // after the target has been shown: which `last_ms <= to_ms` says.
        if ahead {
            return;
        }
        self.screen.restore(keyframe);
        (self.place, self.last_ms, self.since) = (*place, *at_ms, 0);
    }

    /// The last landmark strictly before an event time, among those already passed.
    pub fn landmark_before(&self, at_ms: u64) -> Option<&Landmark> {
        self.landmarks[..self.landmarks.partition_point(|landmark| landmark.at_ms < at_ms)].last()
    }

    /// The first landmark strictly after an event time, among those already passed.
    pub fn landmark_after(&self, at_ms: u64) -> Option<&Landmark> {
        self.landmarks.get(self.landmarks.partition_point(|landmark| landmark.at_ms <= at_ms))
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
                return Ok(false);
            }
            self.place = Place { segment: self.place.segment + 1, event: 0, byte: 0 };
        }
        Ok(false)
    }

    fn remember(&mut self) {
        if self.keyframes.last().is_some_and(|(place, ..)| *place >= self.place) {
            // Passing again over what has its keyframes.
            self.since = 0;
            return;
        }
        // In the middle of a sequence or of an event there is none: the next piece tries again.
        if self.place.byte != 0 {
            return;
        }
        let Some(keyframe) = self.screen.keyframe() else { return };
        self.keyframes.push((self.place, self.last_ms, keyframe));
        self.since = 0;
        let bytes: usize = self.keyframes.iter().map(|(.., keyframe)| keyframe.bytes()).sum();
        if self.keyframes.len() > KEYFRAMES || bytes > KEYFRAMES_BYTES {
            let mut index = 0;
            self.keyframes.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.spacing = self.spacing.saturating_mul(2);
        }
    }
}
