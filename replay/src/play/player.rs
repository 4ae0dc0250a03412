//! The player as a state machine: times and keys go in, a screen and a wake-up time come out.
//!
//! It knows no terminal and no clock: callers bring `now`, so that every rule can be tested. Not for pixels (`paint`)
//! and waits (`run`).

use std::time::Duration;

use hansard_schemas::cast::Size;

use super::keys::Key;
use super::status;
use crate::screen::{LineFeed, Screen};
use crate::timeline::{Landmark, Source, SourceError, Step, Timeline};

/// Bytes shown in one turn at most, so that keys are heard and the screen is drawn in the middle of a burst.
const TURN_BYTES: usize = 128 << 10;
/// Events in one turn at most, for events without bytes.
const TURN_EVENTS: usize = 4096;
/// What one size change counts in a turn: the emulator lays all lines out anew.
const RESIZE_BYTES: usize = 4 << 10;
/// How long a marker stays in the status line.
const NOTICE: Duration = Duration::from_secs(4);
/// Speeds that the keys go through.
const SPEEDS: [f64; 13] = [0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 16.0, 32.0, 64.0];
/// Slowest and fastest speed that may be asked for.
pub const SPEED_RANGE: std::ops::RangeInclusive<f64> = 0.01..=1000.0;

/// How to play.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Times the recorded speed.
    pub speed: f64,
    /// Longest pause that is played; longer ones are cut to it.
    pub idle_limit: Option<Duration>,
    /// Where to begin.
    pub start_at: Duration,
    /// Leave at the end, instead of staying for a look back.
    pub quit_at_end: bool,
    /// What is wrong with the recording, for the status line; `None` when it is complete.
    pub verdict: Option<String>,
    /// Whether colours are drawn.
    pub colour: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { speed: 1.0, idle_limit: None, start_at: Duration::ZERO, quit_at_end: false, verdict: None, colour: true }
    }
}

/// What the player is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Time goes on.
    Playing,
    /// Time stands.
    Paused,
    /// On the way somewhere, as fast as it goes.
    Seeking {
        /// Where to.
        goal: Goal,
        /// What to do there.
        then: Then,
    },
    /// At the end.
    Ended,
}

/// Where a seek goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// An event time.
    Time(u64),
    /// The first marker or gap after an event time.
    MarkerAfter(u64),
    /// The next event that changes the screen.
    Event,
}

/// What follows a seek.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Play.
    Play,
    /// Stand.
    Pause,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Call again at once: there is more to show.
    Now,
    /// Call again after this long, or at a key.
    After(Duration),
    /// Nothing happens before a key.
    Key,
    /// Leave.
    Quit,
}

/// A recording being played.
pub struct Player<S> {
    timeline: Timeline<S>,
    mode: Mode,
    speed: f64,
    idle_limit_us: Option<u64>,
    quit_at_end: bool,
    /// Event time that is shown, in microseconds.
    head_us: u64,
    /// Event time from which the present pause is counted.
    idle_from_us: u64,
    last_now: Duration,
    notice: Option<(String, Duration)>,
    /// What to say when a seek arrives.
    on_arrival: Option<&'static str>,
    /// Whether the keys are shown.
    pub help: bool,
    /// What is wrong with the recording.
    pub verdict: Option<String>,
}

impl<S: Source> Player<S> {
    /// At the start of a recording.
    pub fn new(source: S, size: Size, feed: LineFeed, settings: &Settings, now: Duration) -> Self {
        let mut player = Self {
            timeline: Timeline::new(source, size, feed),
            mode: Mode::Playing,
            speed: settings.speed.clamp(*SPEED_RANGE.start(), *SPEED_RANGE.end()),
            idle_limit_us: settings.idle_limit.map(micros),
            quit_at_end: settings.quit_at_end,
            head_us: 0,
            idle_from_us: 0,
            last_now: now,
            notice: None,
            on_arrival: None,
            help: false,
            verdict: settings.verdict.clone(),
        };
        if settings.start_at > Duration::ZERO {
            player.go(micros(settings.start_at) / 1000, Then::Play);
        }
        player
    }

    /// The screen to draw.
    pub fn screen(&mut self) -> &Screen {
        self.timeline.screen()
    }

    /// What the player is doing.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Times the recorded speed.
    pub fn speed(&self) -> f64 {
        self.speed
    }

    /// Event time that is shown. On the way somewhere: how far it has come.
    pub fn at_ms(&self) -> u64 {
        if matches!(self.mode, Mode::Seeking { .. }) { self.timeline.last_ms() } else { self.head_us / 1000 }
    }

    /// Event time at which the recording ends.
    pub fn end_ms(&self) -> u64 {
        self.timeline.end_ms()
    }

    /// What was just passed: a marker, a gap, the exit status. Safe to print.
    pub fn notice(&self, now: Duration) -> Option<&str> {
        self.notice
            .as_ref()
            .filter(|(_, until)| now < *until || self.mode != Mode::Playing)
            .map(|(text, _)| text.as_str())
    }

    /// Does what a key says. `Next::Quit` or `Next::Now`.
    pub fn key(&mut self, key: Key, now: Duration) -> Next {
        let then = match self.mode {
            // From the end one goes back to see it once more.
            Mode::Playing | Mode::Ended | Mode::Seeking { then: Then::Play, .. } => Then::Play,
            Mode::Paused | Mode::Seeking { then: Then::Pause, .. } => Then::Pause,
        };
        match key {
            Key::Quit => return Next::Quit,
            Key::Pause => match &mut self.mode {
                Mode::Seeking { then, .. } => *then = if *then == Then::Play { Then::Pause } else { Then::Play },
                mode @ Mode::Playing => *mode = Mode::Paused,
                mode @ Mode::Paused => *mode = Mode::Playing,
                Mode::Ended => self.go(0, Then::Play),
            },
            Key::Seek(seconds) => {
                let from = match self.mode {
                    Mode::Seeking { goal: Goal::Time(to), .. } => to,
                    _ => self.at_ms(),
                };
                if self.mode != Mode::Ended || seconds < 0 {
                    self.go(from.saturating_add_signed(seconds.saturating_mul(1000)), then);
                }
            }
            Key::Home => self.go(0, then),
            Key::End => self.go(self.end_ms(), then),
            Key::Step if self.mode == Mode::Ended => {}
            Key::Step => self.mode = Mode::Seeking { goal: Goal::Event, then: Then::Pause },
            Key::NextMarker if self.mode == Mode::Ended => {}
            Key::NextMarker => {
                let at_ms = self.at_ms();
                match self.timeline.landmark_after(at_ms).map(|mark| mark.at_ms) {
                    Some(to) => self.go(to, then),
                    None => self.mode = Mode::Seeking { goal: Goal::MarkerAfter(at_ms), then },
                }
            }
            Key::PreviousMarker => {
                // Just after a marker, "the one before" is the one before that.
                let near = if then == Then::Play { 1500 } else { 0 };
                let at_ms = self.at_ms();
                let to = self.timeline.landmark_before(at_ms.saturating_sub(near)).map_or(0, |mark| mark.at_ms);
                self.go(to, then);
            }
            Key::Faster => self.speed = SPEEDS.into_iter().find(|speed| *speed > self.speed).unwrap_or(self.speed),
            Key::Slower => {
                self.speed = SPEEDS.into_iter().rev().find(|speed| *speed < self.speed).unwrap_or(self.speed)
            }
            Key::Normal => self.speed = 1.0,
            Key::Help => self.help = !self.help,
            Key::Redraw => {}
        }
        self.last_now = now;
        Next::Now
    }

    /// Lets the time since the last call pass without playing: after a stop of the whole program.
    pub fn skip_time(&mut self, now: Duration) {
        self.last_now = now;
    }

    /// Shows what is due at `now`.
    pub fn advance(&mut self, now: Duration) -> Result<Next, SourceError> {
        let elapsed = now.saturating_sub(self.last_now);
        self.last_now = now;
        match self.mode {
            Mode::Playing => self.play(elapsed, now),
            Mode::Seeking { goal, then } => self.travel(goal, then, now),
            Mode::Paused => Ok(Next::Key),
            Mode::Ended if self.quit_at_end => Ok(Next::Quit),
            Mode::Ended => Ok(Next::Key),
        }
    }

    fn play(&mut self, elapsed: Duration, now: Duration) -> Result<Next, SourceError> {
        let mut head_us = self.head_us.saturating_add((elapsed.as_micros() as f64 * self.speed) as u64);
        let mut left = Turn::new();
        loop {
            let Some(next_ms) = self.timeline.next_ms()? else {
                self.end();
                return Ok(Next::Now);
            };
            let next_us = next_ms.saturating_mul(1000);
            // Event time at which the next event is due, when a longer pause is cut.
            let due_us = match self.idle_limit_us {
                Some(limit) => next_us.min(self.idle_from_us.saturating_add(limit)),
                None => next_us,
            };
            if head_us < due_us {
                self.head_us = head_us;
                let wait_us = (due_us - head_us) as f64 / self.speed;
                return Ok(Next::After(Duration::from_micros(wait_us.ceil().min(1e15) as u64)));
            }
            if left.is_spent() {
                // Behind: time waits for the screen instead of running away from it.
                self.head_us = next_us.max(self.head_us);
                self.idle_from_us = self.head_us;
                return Ok(Next::Now);
            }
            head_us = next_us.saturating_add(head_us - due_us);
            self.idle_from_us = next_us;
            if let Some(step) = self.timeline.step()? {
                left.spend(&step);
                self.head_us = next_us.max(self.head_us);
                self.notice_of(step, now);
            }
        }
    }

    fn travel(&mut self, goal: Goal, then: Then, now: Duration) -> Result<Next, SourceError> {
        let mut left = Turn::new();
        loop {
            let Some(next_ms) = self.timeline.next_ms()? else {
                match goal {
                    Goal::Time(to_ms) if to_ms < self.end_ms() => self.arrive(to_ms, then, now),
                    Goal::MarkerAfter(at_ms) => {
                        self.go(at_ms, then);
                        self.on_arrival = Some("no marker after this");
                    }
                    Goal::Time(_) | Goal::Event => self.end(),
                }
                return Ok(Next::Now);
            };
            if let Goal::Time(to_ms) = goal
                && next_ms > to_ms
            {
                self.arrive(to_ms, then, now);
                return Ok(Next::Now);
            }
            if left.is_spent() {
                return Ok(Next::Now);
            }
            let Some(step) = self.timeline.step()? else { continue };
            left.spend(&step);
            let arrived = match goal {
                Goal::Time(_) => false,
                Goal::MarkerAfter(at_ms) => step.at_ms > at_ms && step.landmark.as_ref().is_some_and(Landmark::is_stop),
                Goal::Event => step.done && (step.visible || step.landmark.is_some()),
            };
            self.notice_of(step, now);
            if arrived {
                self.arrive(self.timeline.last_ms(), then, now);
                return Ok(Next::Now);
            }
        }
    }

    fn go(&mut self, to_ms: u64, then: Then) {
        let to_ms = to_ms.min(self.end_ms());
        self.timeline.rewind(to_ms);
        (self.notice, self.on_arrival) = (None, None);
        self.mode = Mode::Seeking { goal: Goal::Time(to_ms), then };
    }

    fn arrive(&mut self, at_ms: u64, then: Then, now: Duration) {
        if let Some(text) = self.on_arrival.take() {
            self.notice = Some((text.into(), now.saturating_add(NOTICE)));
        }
        self.head_us = at_ms.saturating_mul(1000);
        self.idle_from_us = self.head_us;
        self.mode = if then == Then::Play { Mode::Playing } else { Mode::Paused };
    }

    fn end(&mut self) {
        self.head_us = self.end_ms().saturating_mul(1000);
        self.mode = Mode::Ended;
    }

    fn notice_of(&mut self, step: Step, now: Duration) {
        if let Some(landmark) = step.landmark {
            self.notice = Some((status::landmark(&landmark), now.saturating_add(NOTICE)));
        }
    }
}

/// What may still be shown in this turn.
struct Turn {
    bytes: usize,
    events: usize,
}

impl Turn {
    fn new() -> Self {
        Self { bytes: TURN_BYTES, events: TURN_EVENTS }
    }

    fn is_spent(&self) -> bool {
        self.bytes == 0 || self.events == 0
    }

    fn spend(&mut self, step: &Step) {
        let resize = if step.visible && step.bytes == 0 { RESIZE_BYTES } else { 0 };
        self.bytes = self.bytes.saturating_sub(step.bytes + resize);
        self.events = self.events.saturating_sub(1);
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
