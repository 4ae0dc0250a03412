//! What is known of a recording once it was gone through: screens to go on from, and moments to go to.
//!
//! The timeline makes it while it reads, can take over what another pass has made, and `cache` keeps it. Not for
//! reading: it holds no events.

use std::sync::Arc;

use hansard_schemas::cast::Code;

use crate::screen::Keyframe;

/// Output between two keyframes, at least. Replaying it takes some ten milliseconds.
const KEYFRAME_BYTES: u64 = 1 << 20;
/// Segments between two keyframes, at most, however little is in them: each has to be read and checked.
const KEYFRAME_SEGMENTS: usize = 16;
/// Keyframes that are kept; at more, every second one is dropped and they come half as often. At 24x80 one has some
/// KiB.
const KEYFRAMES: usize = 1024;
/// Bytes of all keyframes; over that they are thinned too. A hostile recording can make one of some MiB.
const KEYFRAMES_BYTES: usize = 64 << 20;
/// Moments that are kept: an hour of a busy shell has some hundreds. Those after are found by reading on.
const LANDMARKS: usize = 65_536;

/// A place between two pieces of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    /// Which of the segments that are read, from 0.
    pub segment: usize,
    /// Event in the segment.
    pub event: usize,
    /// Byte in the event.
    pub byte: usize,
}

/// What kind of moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A marker or a gap.
    Stop,
    /// A command was begun, or a prompt came where the shell does not mark commands.
    Command,
    /// Output after a pause.
    Burst,
    /// The exit status.
    Exit,
}

/// A moment that a reviewer may want to go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Landmark {
    /// Its event time.
    pub at_ms: u64,
    /// What it is.
    pub kind: Kind,
    /// `m`, `g`, `x`, or `o` where output is what there is.
    pub code: Code,
    /// The data of a marker, gap or exit status, as recorded: not safe to print.
    pub text: String,
}

impl Landmark {
    /// A marker, a gap or an exit status, with its data as recorded.
    pub fn said(at_ms: u64, code: Code, text: String) -> Self {
        Self { at_ms, kind: if code == Code::Exit { Kind::Exit } else { Kind::Stop }, code, text }
    }
}

/// What has to be known of the past to tell commands and bursts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Trail {
    /// Event time of the last output.
    pub output_ms: Option<u64>,
    /// Whether the shell marks the begin of commands.
    pub executes: bool,
}

/// A screen to go on from.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Where reading goes on.
    pub place: Place,
    /// Event time of the last event before.
    pub at_ms: u64,
    /// What was before.
    pub trail: Trail,
    /// The screen.
    pub keyframe: Arc<Keyframe>,
}

/// Keyframes and landmarks of the part of a recording that was gone through.
#[derive(Debug, Clone)]
pub struct Index {
    /// In order of their places; the first is the empty screen.
    pub keyframes: Vec<Kept>,
    /// In order of time.
    pub landmarks: Vec<Landmark>,
    /// The furthest place reached.
    pub frontier: Place,
    /// What has been gone through, as event time.
    pub reached_ms: u64,
    /// Whether that is all of it.
    pub complete: bool,
    /// Twice as much each time that keyframes had to be dropped.
    pub scale: u32,
}

impl Index {
    /// Of nothing, with the screen that everything begins with.
    pub fn new(first: Option<Keyframe>) -> Self {
        let first = first.map(|first| Kept {
            place: Place::default(),
            at_ms: 0,
            trail: Trail::default(),
            keyframe: Arc::new(first),
        });
        Self {
            keyframes: first.into_iter().collect(),
            landmarks: Vec::new(),
            frontier: Place::default(),
            reached_ms: 0,
            complete: false,
            scale: 1,
        }
    }

    /// Whether the way from the last keyframe, in bytes and segments, is long enough for another one.
    pub fn wants(&self, bytes: u64, place: Place) -> bool {
        let segment = self.keyframes.last().map_or(0, |last| last.place.segment);
        bytes >= KEYFRAME_BYTES.saturating_mul(self.scale.into())
            || place.segment.saturating_sub(segment) >= KEYFRAME_SEGMENTS.saturating_mul(self.scale as usize)
    }

    /// Keeps a screen, and drops every second one when there are too many.
    pub fn keep(&mut self, kept: Kept) {
        self.keyframes.push(kept);
        let bytes: usize = self.keyframes.iter().map(|kept| kept.keyframe.bytes()).sum();
        if self.keyframes.len() > KEYFRAMES || bytes > KEYFRAMES_BYTES {
            self.thin();
        }
    }

    /// Drops every second keyframe; from now on they come half as often.
    pub fn thin(&mut self) {
        let mut index = 0;
        self.keyframes.retain(|_| {
            index += 1;
            index % 2 == 1
        });
        self.scale = self.scale.saturating_mul(2);
    }

    /// Keeps a moment.
    pub fn note(&mut self, landmark: Landmark) {
        if self.landmarks.len() < LANDMARKS {
            self.landmarks.push(landmark);
        }
    }

    /// Takes over what another pass over the same recording found, if it came further.
    pub fn adopt(&mut self, other: &Self) {
        if other.frontier <= self.frontier && (self.complete || !other.complete) {
            return;
        }
        let (frontier, scale) = (other.frontier, other.scale);
        self.keyframes = other.keyframes.clone();
        self.landmarks.clone_from(&other.landmarks);
        (self.frontier, self.scale, self.complete) = (frontier.max(self.frontier), scale, other.complete);
        self.reached_ms = self.reached_ms.max(other.reached_ms);
    }

    /// The last keyframe at or before an event time.
    pub fn at_time(&self, to_ms: u64) -> Option<&Kept> {
        self.keyframes[..self.keyframes.partition_point(|kept| kept.at_ms <= to_ms)].last()
    }

    /// The last keyframe at or before a place.
    pub fn at_place(&self, place: Place) -> Option<&Kept> {
        self.keyframes[..self.keyframes.partition_point(|kept| kept.place <= place)].last()
    }

    /// The last keyframe strictly before a place.
    pub fn before_place(&self, place: Place) -> Option<&Kept> {
        self.keyframes[..self.keyframes.partition_point(|kept| kept.place < place)].last()
    }

    /// The last landmark of a kind strictly before an event time, in the part gone through.
    pub fn landmark_before(&self, kind: Kind, at_ms: u64) -> Option<&Landmark> {
        let before = &self.landmarks[..self.landmarks.partition_point(|landmark| landmark.at_ms < at_ms)];
        before.iter().rev().find(|landmark| landmark.kind == kind)
    }

    /// The first landmark of a kind strictly after an event time, in the part gone through.
    pub fn landmark_after(&self, kind: Kind, at_ms: u64) -> Option<&Landmark> {
        let after = self.landmarks.get(self.landmarks.partition_point(|landmark| landmark.at_ms <= at_ms)..)?;
        after.iter().find(|landmark| landmark.kind == kind)
    }
}
