//! How long a session may last, and be idle: a warning a minute before, then the end.
//!
//! Pure: times come in, steps go out. What counts as activity is what the user types, where that is seen; where it is not,
//! whatever is shown.

use std::time::Duration;

use hansard_tee::{Message, Outcome, Pipe};

/// The warning comes so long before the end, in microseconds; sooner than half of a short limit never.
const WARNING_US: u64 = 60_000_000;

/// What the limits ask for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Nothing,
    /// This text on the terminal.
    Warn(String),
    /// The end, and why.
    End(Outcome, String),
}

#[derive(Debug, Clone, Copy)]
struct Limit {
    us: u64,
    /// Since when it counts.
    since_us: u64,
    warned: bool,
}

impl Limit {
    fn warns_us(self) -> u64 {
        self.since_us + self.us.saturating_sub(WARNING_US).max(self.us / 2)
    }

    fn ends_us(self) -> u64 {
        self.since_us + self.us
    }
}

/// The limits of one session.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    idle: Option<Limit>,
    duration: Option<Limit>,
    sees_input: bool,
    over: bool,
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl Limits {
    /// Those of policy, for a session that is `elapsed_us` old, and whose input is seen or not.
    pub fn new(idle: Option<Duration>, duration: Option<Duration>, elapsed_us: u64, sees_input: bool) -> Self {
        let limit = |duration: Duration, since_us| Limit { us: micros(duration), since_us, warned: false };
        Self {
            idle: idle.map(|idle| limit(idle, elapsed_us)),
            duration: duration.map(|duration| limit(duration, 0)),
            sees_input,
            over: false,
        }
    }

    /// Something happens.
    pub fn happens(&mut self, time_us: u64, message: &Message<'_>) {
        if let Some(idle) = &mut self.idle
            && match message {
                Message::Input { .. } | Message::InputEnd => true,
                Message::Output { .. } => !self.sees_input,
                Message::Passing { pipe, .. } => pipe == &Pipe::Input || !self.sees_input,
                Message::Resize { .. } | Message::Rest { .. } => false,
            }
        {
            (idle.since_us, idle.warned) = (time_us, false);
        }
    }

    /// What is to be done at this time.
    pub fn step(&mut self, elapsed_us: u64) -> Step {
        if self.over {
            return Step::Nothing;
        }
        let kinds = [(Outcome::IdleTimeout, &mut self.idle), (Outcome::MaxDuration, &mut self.duration)];
        for (outcome, limit) in kinds {
            let Some(limit) = limit else { continue };
            let what = if outcome == Outcome::IdleTimeout { "idle" } else { "open" };
            if elapsed_us >= limit.ends_us() {
                self.over = true;
                let text = format!("this session ends: it was {what} for {}", words(limit.us));
                return Step::End(outcome, text);
            }
            if !limit.warned && elapsed_us >= limit.warns_us() {
                limit.warned = true;
                let left = limit.ends_us() - elapsed_us;
                let text = format!("this session ends in {}: it may be {what} for {}", words(left), words(limit.us));
                return Step::Warn(text);
            }
        }
        Step::Nothing
    }

    /// When there is something to do, if nothing happens.
    pub fn next_us(&self) -> Option<u64> {
        let next = |limit: &Limit| if limit.warned { limit.ends_us() } else { limit.warns_us() };
        let both = [&self.idle, &self.duration];
        both.into_iter().flatten().map(next).min().filter(|_| !self.over)
    }
}

/// Whole seconds, as people write them.
fn words(us: u64) -> String {
    humantime::format_duration(Duration::from_secs(us.div_ceil(1_000_000))).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000;

    fn typed(limits: &mut Limits, time_us: u64) {
        limits.happens(time_us, &Message::Input { bytes: b"x", hidden: false });
    }

    #[test]
    fn idleness_warns_a_minute_before_and_then_ends() {
        let mut limits = Limits::new(Some(Duration::from_secs(600)), None, 0, true);
        assert_eq!((limits.step(539 * S), limits.next_us()), (Step::Nothing, Some(540 * S)));
        assert!(
            matches!(limits.step(540 * S), Step::Warn(text) if text.contains("ends in 1m: it may be idle for 10m"))
        );
        assert_eq!(limits.step(541 * S), Step::Nothing);
        typed(&mut limits, 550 * S);
        assert_eq!((limits.step(600 * S), limits.next_us()), (Step::Nothing, Some(1_090 * S)));
        assert!(matches!(limits.step(1_090 * S), Step::Warn(_)));
        assert!(matches!(limits.step(1_150 * S), Step::End(Outcome::IdleTimeout, _)));
        assert_eq!((limits.step(1_151 * S), limits.next_us()), (Step::Nothing, None));
    }

    #[test]
    fn a_duration_ends_whatever_happens() {
        let mut limits = Limits::new(None, Some(Duration::from_secs(10)), 3 * S, true);
        typed(&mut limits, 9 * S);
        assert!(matches!(limits.step(5 * S), Step::Warn(text) if text.contains("ends in 5s")), "short: half of it");
        assert!(matches!(limits.step(10 * S), Step::End(Outcome::MaxDuration, _)));
    }

    #[test]
    fn output_and_sizes_are_no_activity_where_input_is_seen() {
        let output = Message::Output { stream: hansard_tee::Stream::Output, bytes: b"x" };
        for (sees_input, message, ends) in [
            (true, Message::Resize { cols: 1, rows: 1 }, true),
            (false, Message::Resize { cols: 1, rows: 1 }, true),
            (true, output, true),
            (false, output, false),
        ] {
            let mut limits = Limits::new(Some(Duration::from_secs(10)), None, 0, sees_input);
            limits.happens(9 * S, &message);
            limits.step(9 * S);
            assert_eq!(matches!(limits.step(10 * S), Step::End(..)), ends, "{message:?}");
        }
    }
}
