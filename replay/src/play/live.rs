//! The screen of a session that goes on, drawn as it comes.
//!
//! What has come is shown at once and in whole: there is no time to go back and forth in, `play` has that. Whoever
//! follows the session does so elsewhere and sends what is new, so that keys are heard while a store is slow.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use chrono::Utc;
use hansard_schemas::Timestamp;
use hansard_schemas::cast::{Code, Event, EventData, Size};
use hansard_schemas::names::safe;

use super::keys::{Key, Keys};
use super::paint::Painter;
use super::run::{Ended, PlayError, require_terminal};
use super::status;
use super::terminal::{Signal, Terminal};
use crate::screen::{LineFeed, Screen, Stream};
use crate::timeline::Landmark;

/// How often the clock of the status line moves, and news are looked for.
const TICK: Duration = Duration::from_millis(100);
/// Bytes shown in one turn at most, so that keys are heard in the middle of a burst.
const TURN_BYTES: usize = 128 << 10;
/// Events in one turn at most.
const TURN_EVENTS: usize = 4096;
/// How long a marker stays in the status line.
const NOTICE: Duration = Duration::from_secs(4);

/// What is new.
#[derive(Debug)]
pub enum Update {
    /// Events, and when the last of them was, by the host's clock.
    Events(Vec<Event>, Timestamp),
    /// What can be said of the session by now; safe to print.
    Word(String),
}

struct Live {
    screen: Screen,
    due: VecDeque<Event>,
    shown: Option<Timestamp>,
    word: String,
    notice: Option<(String, Instant)>,
}

/// Draws until the reviewer leaves, or, which is `None`, until nothing more comes: the sender has gone.
pub fn watch(size: Size, feed: LineFeed, colour: bool, updates: &Receiver<Update>) -> Result<Option<Ended>, PlayError> {
    require_terminal()?;
    let mut terminal = Terminal::enter()?;
    let mut painter = Painter::new(terminal.window(), colour);
    let mut keys = Keys::default();
    let screen = Screen::new(size, feed);
    let mut live = Live { screen, due: VecDeque::new(), shown: None, word: String::new(), notice: None };
    let mut open = true;
    loop {
        // One segment at a time is in memory, beside the one that waits in the channel.
        while open && live.due.is_empty() {
            match updates.try_recv() {
                Ok(Update::Events(events, end)) => {
                    live.due = events.into();
                    live.shown = Some(end);
                }
                Ok(Update::Word(word)) => live.word = word,
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => open = false,
            }
        }
        live.turn();
        let mut out = String::new();
        live.picture(&mut painter, &mut out);
        terminal.write(out.as_bytes())?;
        if !open && live.due.is_empty() {
            terminal.leave();
            return Ok(None);
        }
        let heard = terminal.wait(Some(if live.due.is_empty() { TICK } else { Duration::ZERO }))?;
        for signal in &heard.signals {
            match signal {
                Signal::End(number) => {
                    terminal.leave();
                    return Ok(Some(Ended::Signal(*number)));
                }
                Signal::Suspend => terminal.suspend()?,
                Signal::Continued => terminal.resume()?,
                Signal::Resized => {}
            }
            painter.reset(terminal.window());
        }
        if heard.gone {
            return Ok(Some(Ended::Gone));
        }
        keys.push(&heard.bytes);
        while let Some(key) = keys.next(false) {
            match key {
                Key::Quit => {
                    terminal.leave();
                    return Ok(Some(Ended::Left));
                }
                Key::Redraw => painter.reset(terminal.window()),
                _ => {}
            }
        }
    }
}

impl Live {
    /// Shows some of what is due.
    fn turn(&mut self) {
        let (mut bytes, mut events) = (0, 0);
        while bytes < TURN_BYTES
            && events < TURN_EVENTS
            && let Some(event) = self.due.pop_front()
        {
            bytes += self.show(&event);
            events += 1;
        }
        self.screen.settle();
    }

    fn show(&mut self, event: &Event) -> usize {
        match (event.code, &event.data) {
            (code @ (Code::Output | Code::Error), EventData::Bytes(raw)) => {
                let stream = if code == Code::Output { Stream::Output } else { Stream::Error };
                self.screen.write(stream, raw);
                raw.len()
            }
            (Code::Resize, EventData::Text(text)) => {
                if let Ok(size) = text.parse() {
                    self.screen.resize(size);
                }
                // The emulator lays all lines out anew.
                4 << 10
            }
            (code @ (Code::Marker | Code::Gap | Code::Exit), EventData::Text(text)) => {
                let text = text.chars().take(400).collect();
                let mark = status::landmark(&Landmark::said(event.time_ms, code, text));
                self.notice = Some((mark, Instant::now()));
                0
            }
            _ => 0,
        }
    }

    fn picture(&self, painter: &mut Painter, out: &mut String) {
        let behind = match self.shown {
            Some(shown) => format!("LIVE, up to {} s behind", seconds_since(shown)),
            None => "LIVE, nothing yet".into(),
        };
        let notice = self.notice.as_ref().filter(|(_, since)| since.elapsed() < NOTICE);
        let clip = painter.clip(&self.screen);
        let mut line = format!(" {behind}  [{}]", safe(&self.word));
        for part in [notice.map(|(text, _)| text.as_str()), clip.as_deref(), Some("q leaves")].into_iter().flatten() {
            line.push_str("  ");
            line.push_str(part);
        }
        let status = status::fit(&line, painter.window().cols);
        painter.paint(&self.screen, &status, out);
    }
}

/// Seconds since a time by another clock; 0 where that is ahead.
fn seconds_since(time: Timestamp) -> i64 {
    (Utc::now() - time.time()).num_seconds().max(0)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use hansard_schemas::cast::{Code, Event, EventData, Size};

    use super::{Live, TURN_BYTES};
    use crate::screen::{LineFeed, Screen};

    #[test]
    fn a_burst_is_shown_in_turns_and_nothing_of_it_is_left_out() {
        let screen = Screen::new(Size { cols: 20, rows: 40 }, LineFeed::Terminal);
        // Each fills a turn, and leaves one line.
        let event = |n: usize| {
            let text = format!("{}line {n}\r\n", "\0".repeat(TURN_BYTES));
            Event { time_ms: 0, code: Code::Output, data: EventData::Bytes(text.into_bytes()) }
        };
        let due: VecDeque<Event> = (0..30).map(event).collect();
        let mut live = Live { screen, due, shown: None, word: String::new(), notice: None };
        let mut turns = 0;
        while !live.due.is_empty() {
            live.turn();
            turns += 1;
        }
        assert_eq!(turns, 30);
        for (n, row) in live.screen.rows().take(30).enumerate() {
            let text: String = row.iter().map(|cell| cell.char()).collect();
            assert_eq!(text.trim_end(), format!("line {n}"));
        }
    }
}
