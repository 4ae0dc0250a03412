//! The player as a state machine: times and keys go in, a screen and a wake-up time come out.
//!
//! It knows no terminal and no clock: callers bring `now`, so that every rule can be tested. Not for pixels (`paint`)
//! and waits (`run`).

use std::time::Duration;

use hansard_schemas::cast::Size;
use hansard_schemas::names::safe;

use super::hunt::{Found, Hunt, Spot, Way, What};
use super::keys::Key;
use super::prompt::{Prompt, Typed};
use super::status;
use crate::screen::touched::Pattern;
use crate::screen::{LineFeed, Screen};
use crate::timeline::{Index, Kind, Source, SourceError, Step, Timeline};

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
    /// Wall-clock time of the start, in milliseconds since 1970; `None` when it is not known.
    pub started_ms: Option<i64>,
    /// User and host, as recorded: not safe to print.
    pub who: Option<String>,
    /// What is known of the recording from before.
    pub index: Option<Index>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            speed: 1.0,
            idle_limit: None,
            start_at: Duration::ZERO,
            quit_at_end: false,
            verdict: None,
            colour: true,
            started_ms: None,
            who: None,
            index: None,
        }
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
    /// Looking for a picture or a text, as fast as it goes.
    Hunting {
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
    /// The first moment of a kind after an event time.
    After(Kind, u64),
    /// The next event that changes the screen.
    Event,
    /// Exactly there.
    Spot(Spot),
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
    on_arrival: Option<String>,
    hunt: Option<Hunt>,
    prompt: Option<Prompt>,
    /// What was searched for last.
    pattern: Option<Pattern>,
    /// Whether the keys are shown.
    pub help: bool,
    /// Wall-clock time of the start, in milliseconds since 1970.
    pub started_ms: Option<i64>,
    /// User and host, as recorded.
    pub who: Option<String>,
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
            hunt: None,
            prompt: None,
            pattern: None,
            help: false,
            started_ms: settings.started_ms,
            who: settings.who.clone(),
            verdict: settings.verdict.clone(),
        };
        if let Some(index) = &settings.index {
            player.adopt(index);
        }
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
        match self.mode {
            Mode::Seeking { .. } | Mode::Hunting { .. } => self.timeline.last_ms(),
            _ => self.head_us / 1000,
        }
    }

    /// Event time at which the recording ends.
    pub fn end_ms(&self) -> u64 {
        self.timeline.end_ms()
    }

    /// What is being typed, if something is.
    pub fn prompt(&self) -> Option<&Prompt> {
        self.prompt.as_ref()
    }

    /// Takes over what another pass over the same recording found.
    pub fn adopt(&mut self, index: &Index) {
        self.timeline.adopt(index);
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
        self.last_now = now;
        if self.prompt.is_some() {
            self.type_key(key, now);
            return Next::Now;
        }
        if matches!(self.mode, Mode::Hunting { .. }) && key != Key::Redraw {
            self.stop_hunting();
            return if key == Key::Quit { Next::Quit } else { Next::Now };
        }
        if self.help && key != Key::Redraw {
            self.help = false;
            return if key == Key::Quit { Next::Quit } else { Next::Now };
        }
        let then = self.then();
        match key {
            Key::Quit => return Next::Quit,
            Key::Pause => match &mut self.mode {
                Mode::Seeking { then, .. } | Mode::Hunting { then } => {
                    *then = if *then == Then::Play { Then::Pause } else { Then::Play };
                }
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
            Key::GoTo => self.prompt = Some(Prompt::time()),
            Key::Find => self.prompt = Some(Prompt::text()),
            Key::Home => self.go(0, then),
            Key::End => self.go(self.end_ms(), then),
            Key::Step if self.mode == Mode::Ended => {}
            Key::Step => self.mode = Mode::Seeking { goal: Goal::Event, then: Then::Pause },
            Key::StepBack => self.hunt(What::Picture, Way::Back, Then::Pause),
            Key::NextMarker => self.next_moment(Kind::Stop, then),
            Key::NextCommand => self.next_moment(Kind::Command, then),
            Key::NextBurst => self.next_moment(Kind::Burst, then),
            Key::PreviousMarker => self.previous_moment(Kind::Stop, then),
            Key::PreviousCommand => self.previous_moment(Kind::Command, then),
            Key::PreviousBurst => self.previous_moment(Kind::Burst, then),
            Key::FindNext | Key::FindPrevious => match self.pattern.clone() {
                Some(pattern) => {
                    let way = if key == Key::FindNext { Way::Forward } else { Way::Back };
                    self.hunt(What::Text(pattern), way, Then::Pause);
                }
                None => self.say("/ searches for a text first".into(), now),
            },
            Key::Faster => self.speed = SPEEDS.into_iter().find(|speed| *speed > self.speed).unwrap_or(self.speed),
            Key::Slower => {
                self.speed = SPEEDS.into_iter().rev().find(|speed| *speed < self.speed).unwrap_or(self.speed)
            }
            Key::Normal => self.speed = 1.0,
            Key::Help => self.help = true,
            Key::Redraw | Key::Cancel | Key::Char(_) | Key::Enter | Key::Erase | Key::Other => {}
        }
        Next::Now
    }

    /// What follows a jump: play where one played, also from the end, from where one goes back to see it once more.
    fn then(&self) -> Then {
        match self.mode {
            Mode::Playing | Mode::Ended | Mode::Seeking { then: Then::Play, .. } => Then::Play,
            Mode::Paused | Mode::Seeking { then: Then::Pause, .. } => Then::Pause,
            Mode::Hunting { then } => then,
        }
    }

    fn type_key(&mut self, key: Key, now: Duration) {
        let Some(prompt) = &mut self.prompt else { return };
        match prompt.key(key) {
            Typed::More => {}
            Typed::Left => self.prompt = None,
            Typed::Time(to_ms) => {
                self.prompt = None;
                self.go(to_ms, self.then());
            }
            Typed::Text(text) => {
                self.prompt = None;
                // Nothing typed: what was searched for last.
                self.pattern = Pattern::new(&text).or(self.pattern.take());
                if let Some(pattern) = self.pattern.clone() {
                    self.hunt(What::Text(pattern), Way::Forward, Then::Pause);
                }
            }
            Typed::Wrong(text) => {
                self.prompt = None;
                self.say(text, now);
            }
        }
    }

    fn say(&mut self, text: String, now: Duration) {
        self.notice = Some((text, now.saturating_add(NOTICE)));
    }

    fn next_moment(&mut self, kind: Kind, then: Then) {
        if self.mode == Mode::Ended {
            return;
        }
        let at_ms = self.at_ms();
        match self.timeline.index().landmark_after(kind, at_ms).map(|mark| mark.at_ms) {
            Some(to) => self.go(to, then),
            None => self.mode = Mode::Seeking { goal: Goal::After(kind, at_ms), then },
        }
    }

    fn previous_moment(&mut self, kind: Kind, then: Then) {
        // Just after a moment, "the one before" is the one before that.
        let near = if then == Then::Play { 1500 } else { 0 };
        let before = self.timeline.index().landmark_before(kind, self.at_ms().saturating_sub(near));
        self.go(before.map_or(0, |mark| mark.at_ms), then);
    }

    fn hunt(&mut self, what: What, way: Way, then: Then) {
        let at_us = match self.mode {
            Mode::Seeking { .. } | Mode::Hunting { .. } => self.timeline.last_ms().saturating_mul(1000),
            _ => self.head_us,
        };
        self.notice = None;
        self.hunt = Some(Hunt::new(what, way, Spot { place: self.timeline.place(), at_us }));
        self.mode = Mode::Hunting { then };
    }

    /// Back to where the search began.
    fn stop_hunting(&mut self) {
        if let Some(hunt) = self.hunt.take() {
            self.go_to_spot(hunt.origin, Then::Pause);
            self.on_arrival = Some("search stopped".into());
        }
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
            Mode::Hunting { then } => self.look(then, now),
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
                self.end(now);
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
                self.notice_of(&step, now);
            }
        }
    }

    fn travel(&mut self, goal: Goal, then: Then, now: Duration) -> Result<Next, SourceError> {
        let mut left = Turn::new();
        loop {
            let Some(next_ms) = self.timeline.next_ms()? else {
                match goal {
                    Goal::Time(to_ms) if to_ms < self.end_ms() => self.arrive(to_ms.saturating_mul(1000), then, now),
                    Goal::After(kind, at_ms) => {
                        self.go(at_ms, then);
                        self.on_arrival = Some(format!("no {} after this", word(kind)));
                    }
                    Goal::Spot(spot) if spot.at_us < self.end_ms().saturating_mul(1000) => {
                        self.arrive(spot.at_us, then, now);
                    }
                    Goal::Time(_) | Goal::Event | Goal::Spot(_) => self.end(now),
                }
                return Ok(Next::Now);
            };
            if let Goal::Time(to_ms) = goal
                && next_ms > to_ms
            {
                self.arrive(to_ms.saturating_mul(1000), then, now);
                return Ok(Next::Now);
            }
            if let Goal::Spot(spot) = goal
                && self.timeline.place() >= spot.place
            {
                self.arrive(spot.at_us, then, now);
                return Ok(Next::Now);
            }
            if left.is_spent() {
                return Ok(Next::Now);
            }
            let step = match goal {
                Goal::Spot(spot) => self.timeline.step_until(spot.place)?,
                _ => self.timeline.step()?,
            };
            let Some(step) = step else { continue };
            left.spend(&step);
            let arrived = match goal {
                Goal::Time(_) | Goal::Spot(_) => false,
                Goal::After(kind, at_ms) => step.at_ms > at_ms && step.is(kind),
                Goal::Event => step.done && (step.visible || !step.landmarks.is_empty()),
            };
            self.notice_of(&step, now);
            if arrived {
                let at_ms = self.timeline.last_ms();
                // All of a moment is shown, as when one comes back to it.
                match goal {
                    Goal::After(..) => self.mode = Mode::Seeking { goal: Goal::Time(at_ms), then },
                    _ => self.arrive(at_ms.saturating_mul(1000), then, now),
                }
                return Ok(Next::Now);
            }
        }
    }

    fn go(&mut self, to_ms: u64, then: Then) {
        let to_ms = to_ms.min(self.end_ms());
        self.timeline.rewind(to_ms);
        (self.notice, self.on_arrival, self.hunt) = (None, None, None);
        self.mode = Mode::Seeking { goal: Goal::Time(to_ms), then };
    }

    fn go_to_spot(&mut self, spot: Spot, then: Then) {
        self.timeline.rewind_to(spot.place);
        (self.notice, self.on_arrival, self.hunt) = (None, None, None);
        self.mode = Mode::Seeking { goal: Goal::Spot(spot), then };
    }

    /// A turn of a search.
    fn look(&mut self, then: Then, now: Duration) -> Result<Next, SourceError> {
        let mut left = Turn::new();
        while !left.is_spent() {
            let Some(hunt) = &mut self.hunt else {
                self.mode = Mode::Paused;
                return Ok(Next::Now);
            };
            match hunt.step(&mut self.timeline)? {
                Found::GoOn(bytes) => left.spend_bytes(bytes),
                Found::At(spot) => {
                    let said = matches!(hunt.what, What::Text(_)).then(|| "found".to_owned());
                    self.go_to_spot(spot, then);
                    self.on_arrival = said;
                    return Ok(Next::Now);
                }
                Found::Nowhere => {
                    let (what, way, origin) = (hunt.what.clone(), hunt.way, hunt.origin);
                    match what {
                        What::Text(pattern) => {
                            self.go_to_spot(origin, then);
                            let side = if way == Way::Forward { "after" } else { "before" };
                            self.on_arrival = Some(format!("not found {side} this: {}", safe(pattern.text())));
                        }
                        What::Picture => self.go(0, then),
                    }
                    return Ok(Next::Now);
                }
            }
        }
        self.say("searching, any key stops".into(), now);
        Ok(Next::Now)
    }

    fn arrive(&mut self, at_us: u64, then: Then, now: Duration) {
        if let Some(text) = self.on_arrival.take() {
            self.say(text, now);
        }
        self.head_us = at_us;
        self.idle_from_us = self.head_us;
        self.mode = if then == Then::Play { Mode::Playing } else { Mode::Paused };
    }

    fn end(&mut self, now: Duration) {
        if let Some(text) = self.on_arrival.take() {
            self.say(text, now);
        }
        self.head_us = self.end_ms().saturating_mul(1000);
        self.mode = Mode::Ended;
    }

    fn notice_of(&mut self, step: &Step, now: Duration) {
        if let Some(landmark) = step.landmarks.iter().find(|one| matches!(one.kind, Kind::Stop | Kind::Exit)) {
            self.say(status::landmark(landmark), now);
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
        self.spend_bytes(step.bytes + resize);
    }

    fn spend_bytes(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        self.events = self.events.saturating_sub(1);
    }
}

/// What the moments of a kind are called.
fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Stop => "marker",
        Kind::Command => "command",
        Kind::Burst => "output after a pause",
        Kind::Exit => "exit",
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
