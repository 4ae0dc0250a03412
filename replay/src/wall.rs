//! Times as reviewers read them: event times, and the wall-clock times that they were.

use chrono::TimeDelta;
use hansard_schemas::Timestamp;

use crate::recording::Recording;

/// So much later; `None` where no time is that late.
pub fn after(start: Timestamp, elapsed_ms: u64) -> Option<Timestamp> {
    let elapsed = TimeDelta::try_milliseconds(i64::try_from(elapsed_ms).ok()?)?;
    start.time().checked_add_signed(elapsed).map(Timestamp::new)
}

/// The wall clock of a session, by its segments: each says when it began, so a clock that was set meanwhile is followed.
#[derive(Debug, Default)]
pub struct Wall(Vec<(u64, Timestamp)>);

impl Wall {
    /// Of a recording.
    pub fn of(recording: &Recording) -> Self {
        Self(recording.evidence().segments().map(|(_, segment)| (segment.offset_ms, segment.start)).collect())
    }

    /// The wall-clock time of an event time; `None` before the first segment there is.
    pub fn at(&self, at_ms: u64) -> Option<Timestamp> {
        let (offset_ms, start) = self.0.iter().rev().find(|(offset_ms, _)| *offset_ms <= at_ms)?;
        after(*start, at_ms - offset_ms)
    }
}

/// `1:02:03.456`, without hours where there are none.
pub fn clock(ms: u64) -> String {
    let (thousandths, seconds) = (ms % 1000, ms / 1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}.{thousandths:03}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}.{thousandths:03}"),
    }
}

/// The same to a tenth of a second, for what moves: `1:02:03.4`.
pub fn tenths(ms: u64) -> String {
    let mut text = clock(ms);
    text.truncate(text.len().saturating_sub(2));
    text
}

#[cfg(test)]
mod tests {
    use super::{clock, tenths};

    #[test]
    fn event_times_have_hours_where_there_are_some() {
        assert_eq!((clock(0), tenths(0)), ("0:00.000".into(), "0:00.0".into()));
        assert_eq!((clock(59_999), tenths(59_999)), ("0:59.999".into(), "0:59.9".into()));
        assert_eq!((clock(3_723_456), tenths(3_723_456)), ("1:02:03.456".into(), "1:02:03.4".into()));
    }
}
