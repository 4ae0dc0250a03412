//! Times as reviewers read them: event times to the millisecond, and the wall-clock times that they were.

use chrono::TimeDelta;
use hansard_schemas::Timestamp;

use crate::recording::Recording;

/// The wall clock of a session, by its segments: each says when it began, so a clock that was set meanwhile is followed.
#[derive(Debug)]
pub(super) struct Wall(Vec<(u64, Timestamp)>);

impl Wall {
    pub fn of(recording: &Recording) -> Self {
        Self(recording.evidence().segments().map(|(_, segment)| (segment.offset_ms, segment.start)).collect())
    }

    /// The wall-clock time of an event time; `None` before the first segment there is.
    pub fn at(&self, at_ms: u64) -> Option<Timestamp> {
        let (offset_ms, start) = self.0.iter().rev().find(|(offset_ms, _)| *offset_ms <= at_ms)?;
        let later = TimeDelta::try_milliseconds(i64::try_from(at_ms - offset_ms).ok()?)?;
        Some(Timestamp::new(start.time().checked_add_signed(later)?))
    }
}

/// `1:02:03.456`, without hours where there are none.
pub(super) fn clock(ms: u64) -> String {
    let (thousandths, seconds) = (ms % 1000, ms / 1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}.{thousandths:03}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}.{thousandths:03}"),
    }
}
