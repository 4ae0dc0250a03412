//! Looking for a picture or a text, forward or back, a turn at a time.
//!
//! Back means: from the keyframe before, on to where one was, remembering the last place that fits; and from the
//! keyframe before that, if none did. Not for what follows: `player`.

use crate::screen::touched::Pattern;
use crate::timeline::{Place, Source, SourceError, Step, Timeline};

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A text, where it comes to stand on the screen.
    Text(Pattern),
    /// A change of the screen.
    Picture,
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Towards the end.
    Forward,
    /// Towards the start.
    Back,
}

/// A place, and its event time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    /// What is shown ends here.
    pub place: Place,
    /// Event time, in microseconds.
    pub at_us: u64,
}

/// One search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunt {
    /// What is looked for.
    pub what: What,
    /// Which way.
    pub way: Way,
    /// Where it began, to go back to.
    pub origin: Spot,
    /// Back: up to where is looked now.
    until: Place,
    /// Back: the last place that fits so far.
    best: Option<Spot>,
    begun: bool,
}

/// What a turn of it gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Not yet.
    GoOn(usize),
    /// There. Forward it is shown already.
    At(Spot),
    /// Nowhere.
    Nowhere,
}

impl Hunt {
    /// From a place.
    pub fn new(what: What, way: Way, origin: Spot) -> Self {
        Self { what, way, origin, until: origin.place, best: None, begun: false }
    }

    /// One step. [`Found::GoOn`] says how many bytes it showed.
    pub fn step<S: Source>(&mut self, timeline: &mut Timeline<S>) -> Result<Found, SourceError> {
        match self.way {
            Way::Forward => match self.look(timeline)? {
                None => Ok(Found::Nowhere),
                Some(step) if self.fits(&step) => Ok(Found::At(spot(timeline))),
                Some(step) => Ok(Found::GoOn(step.bytes)),
            },
            Way::Back => self.step_back(timeline),
        }
    }

    fn step_back<S: Source>(&mut self, timeline: &mut Timeline<S>) -> Result<Found, SourceError> {
        if !std::mem::replace(&mut self.begun, true) && !timeline.rewind_before(self.until) {
            return Ok(Found::Nowhere);
        }
        if timeline.place() < self.until
            && let Some(step) = self.look(timeline)?
        {
            let spot = spot(timeline);
            // What is shown now is not what was before.
            let before = spot.place < self.origin.place && spot.place <= self.until;
            if before && self.fits(&step) {
                self.best = Some(spot);
            }
            return Ok(Found::GoOn(step.bytes));
        }
        if let Some(best) = self.best {
            return Ok(Found::At(best));
        }
        let Some(from) = timeline.index().before_place(self.until).map(|kept| kept.place) else {
            return Ok(Found::Nowhere);
        };
        self.until = from;
        Ok(if timeline.rewind_before(from) { Found::GoOn(0) } else { Found::Nowhere })
    }

    fn look<S: Source>(&self, timeline: &mut Timeline<S>) -> Result<Option<Step>, SourceError> {
        match &self.what {
            What::Text(pattern) => timeline.step_finding(pattern),
            What::Picture => timeline.step(),
        }
    }

    fn fits(&self, step: &Step) -> bool {
        match self.what {
            What::Text(_) => step.found,
            What::Picture => step.done && step.visible,
        }
    }
}

fn spot<S: Source>(timeline: &Timeline<S>) -> Spot {
    Spot { place: timeline.place(), at_us: timeline.last_ms().saturating_mul(1000) }
}
