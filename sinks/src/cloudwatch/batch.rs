//! What one `PutLogEvents` may carry, by the constraints of its documentation.

use hansard_schemas::Timestamp;

/// Events of one request, at most.
const EVENTS: usize = 10_000;
/// Bytes of one request, at most: of all texts, and [`EACH`] more for every event.
const BYTES: usize = 1_048_576;
/// What an event counts beside its text.
const EACH: usize = 26;
/// Bytes of one event, at most. The service takes more by now; others that speak like it do not.
const EVENT: usize = 256 << 10;
/// The events of a request lie closer together than this.
const SPAN_MS: i64 = 24 * 3_600_000;

/// Longest text of an event.
pub const TEXT: usize = EVENT - EACH;

/// Events that go in one request.
#[derive(Debug, Default, Clone)]
pub struct Batch {
    events: Vec<(Timestamp, String)>,
    bytes: usize,
    /// The earliest and the latest of their times.
    span_ms: Option<(i64, i64)>,
}

impl Batch {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Adds an event, whose text is not empty and at most [`TEXT`] bytes; gives it back where it needs another request.
    pub fn add(&mut self, time: Timestamp, text: String) -> Result<(), (Timestamp, String)> {
        let at_ms = time.unix_ms();
        let (first, last) = self.span_ms.map_or((at_ms, at_ms), |(first, last)| (first.min(at_ms), last.max(at_ms)));
        let bytes = self.bytes + text.len() + EACH;
        let fits = bytes <= BYTES && self.events.len() < EVENTS && last - first < SPAN_MS;
        if !fits && !self.is_empty() {
            return Err((time, text));
        }
        (self.bytes, self.span_ms) = (bytes, Some((first, last)));
        self.events.push((time, text));
        Ok(())
    }

    /// The events in the order that is asked for: that of their times, and that in which they came.
    pub(super) fn in_order(&self) -> Vec<&(Timestamp, String)> {
        let mut events: Vec<_> = self.events.iter().collect();
        events.sort_by_key(|(time, _)| time.unix_ms());
        events
    }
}

#[cfg(test)]
mod tests {
    use hansard_schemas::Timestamp;

    use super::{BYTES, Batch, EVENTS, SPAN_MS, TEXT};

    fn time(ms: i64) -> Timestamp {
        Timestamp::new(chrono::DateTime::from_timestamp_millis(ms).unwrap())
    }

    fn fill(mut next: impl FnMut(usize) -> (i64, usize)) -> Batch {
        let mut batch = Batch::default();
        for n in 0.. {
            let (ms, bytes) = next(n);
            if batch.add(time(ms), "x".repeat(bytes)).is_err() {
                break;
            }
        }
        batch
    }

    #[test]
    fn a_request_has_no_more_than_the_service_takes() {
        let many = fill(|_| (5, 1));
        assert_eq!(many.events.len(), EVENTS);
        let large = fill(|_| (5, TEXT));
        assert_eq!(large.events.len(), 4);
        assert!(large.bytes == BYTES);
        let long = fill(|n| (n as i64 * SPAN_MS / 4, 1));
        assert_eq!(long.events.len(), 4);
        let back = fill(|n| ((10 - n as i64) * SPAN_MS / 4, 1));
        assert_eq!(back.events.len(), 4);
    }

    #[test]
    fn a_request_is_in_the_order_of_times_and_else_as_it_came() {
        let mut batch = Batch::default();
        for (ms, text) in [(7, "a"), (5, "b"), (7, "c"), (5, "d")] {
            batch.add(time(ms), text.into()).unwrap();
        }
        let order: Vec<&str> = batch.in_order().into_iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(order, ["b", "d", "a", "c"]);
    }
}
