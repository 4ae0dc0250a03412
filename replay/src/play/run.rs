//! The loop that joins player, painter and terminal.
//!
//! It alone reads the clock. One turn: signals and keys, then what is due, then a picture, at most sixty a second.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use hansard_schemas::cast::Size;

use super::help;
use super::keys::{ESCAPE_WAIT, Key, Keys};
use super::paint::{Painter, Window};
use super::player::{Next, Player, Settings};
use super::status;
use super::terminal::{Signal, Terminal, die_of};
use crate::screen::LineFeed;
use crate::timeline::{Index, Source, SourceError};

/// Between two pictures, at least: more a second nobody sees, and slow lines choke on.
const FRAME: Duration = Duration::from_millis(16);
/// Between two pictures while there is more to show: the rest of the time goes to showing it.
const BUSY_FRAME: Duration = Duration::from_millis(50);
/// How often the status line's clock moves.
const TICK: Duration = Duration::from_millis(100);

/// Why playing failed.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// There is no terminal to draw on.
    #[error("standard output is not a terminal")]
    NotATerminal,
    /// The terminal cannot be taken over or written to.
    #[error("cannot use the terminal")]
    Terminal(#[from] io::Error),
    /// The recording cannot be read further.
    #[error("{0}")]
    Source(SourceError),
}

/// How playing ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The reviewer left, or the end was reached.
    Left,
    /// The terminal is gone.
    Gone,
    /// By a signal; the terminal has been given back.
    Signal(i32),
}

impl Ended {
    /// Dies of the signal that ended playing, if one did, so that shells see what happened.
    pub fn finish(self) {
        if let Self::Signal(number) = self {
            die_of(number);
        }
    }
}

/// Fails unless there is a terminal to draw on: asked before a recording is read for nothing.
pub fn require_terminal() -> Result<(), PlayError> {
    if io::stdout().is_terminal() { Ok(()) } else { Err(PlayError::NotATerminal) }
}

/// What comes from the work that goes on beside playing.
#[derive(Debug)]
pub enum News {
    /// Nothing more will come.
    Done,
    /// Nothing yet.
    Busy,
    /// What another pass over the recording found.
    Index(Box<Index>),
    /// The recording must not be shown any longer.
    Refused(SourceError),
}

/// Plays a recording on the terminal until the reviewer leaves, or until the news are that it is refused.
pub fn run<S: Source>(
    source: S,
    size: Size,
    feed: LineFeed,
    settings: &Settings,
    news: &mut dyn FnMut() -> News,
) -> Result<Ended, PlayError> {
    require_terminal()?;
    let mut terminal = Terminal::enter()?;
    let begin = Instant::now();
    let mut player = Player::new(source, size, feed, settings, Duration::ZERO);
    let mut painter = Painter::new(terminal.window(), settings.colour);
    let mut keys = Keys::default();
    let mut typed: Option<Key> = None;
    // Since when the rest of a sequence has been waited for.
    let mut waiting: Option<Duration> = None;
    let mut drawn: Option<Duration> = None;
    loop {
        let busy = match news() {
            News::Refused(error) => return Err(PlayError::Source(error)),
            News::Index(index) => {
                player.adopt(&index);
                true
            }
            News::Busy => true,
            News::Done => false,
        };
        let now = begin.elapsed();
        let next = player.advance(now).map_err(PlayError::Source)?;
        if next == Next::Quit {
            // The last picture may have been put off.
            draw(&mut player, &mut painter, now, &mut terminal)?;
            terminal.leave();
            return Ok(Ended::Left);
        }
        let since = drawn.map_or(Duration::MAX, |drawn| now.saturating_sub(drawn));
        let frame = if next == Next::Now { BUSY_FRAME } else { FRAME };
        let due = if since >= frame {
            draw(&mut player, &mut painter, now, &mut terminal)?;
            drawn = Some(now);
            TICK
        } else {
            frame - since
        };
        let timeout = match next {
            Next::Now | Next::Quit => Some(Duration::ZERO),
            Next::After(wait) => Some(wait.min(due)),
            // Nothing moves: one more picture if the last one was put off, then quiet.
            Next::Key if due < TICK => Some(due),
            // A refusal has to be heard.
            Next::Key if busy => Some(TICK),
            Next::Key => None,
        };
        let timeout = match keys.next(player.prompt().is_some()) {
            Some(key) => {
                typed = Some(key);
                Some(Duration::ZERO)
            }
            None if keys.is_waiting() => Some(timeout.map_or(ESCAPE_WAIT, |t| t.min(ESCAPE_WAIT))),
            None => timeout,
        };
        let heard = terminal.wait(timeout)?;
        for signal in &heard.signals {
            match signal {
                Signal::End(number) => {
                    terminal.leave();
                    return Ok(Ended::Signal(*number));
                }
                Signal::Suspend => terminal.suspend()?,
                Signal::Continued => terminal.resume()?,
                Signal::Resized => {}
            }
            painter.reset(terminal.window());
            player.skip_time(begin.elapsed());
            drawn = None;
        }
        if heard.gone {
            return Ok(Ended::Gone);
        }
        if typed.is_none() && heard.bytes.is_empty() && keys.is_waiting() {
            let waited = waiting.get_or_insert(now);
            if begin.elapsed().saturating_sub(*waited) >= ESCAPE_WAIT {
                typed = keys.give_up();
            }
        } else {
            waiting = None;
        }
        keys.push(&heard.bytes);
        // One a turn, so that two quick steps are two.
        if let Some(key) = typed.take().or_else(|| keys.next(player.prompt().is_some())) {
            if key == Key::Redraw {
                painter.reset(terminal.window());
            }
            if player.key(key, begin.elapsed()) == Next::Quit {
                terminal.leave();
                return Ok(Ended::Left);
            }
            drawn = None;
        }
    }
}

/// What playing shows at a moment on a terminal of some columns and rows: the bytes of one whole picture.
pub fn still<S: Source>(
    source: S,
    size: Size,
    feed: LineFeed,
    settings: &Settings,
    (cols, rows): (usize, usize),
) -> Result<String, SourceError> {
    let mut player = Player::new(source, size, feed, settings, Duration::ZERO);
    let mut painter = Painter::new(Window { cols, rows }, settings.colour);
    while player.advance(Duration::ZERO)? == Next::Now {}
    let mut out = String::new();
    picture(&mut player, &mut painter, Duration::ZERO, &mut out);
    Ok(out)
}

fn draw<S: Source>(
    player: &mut Player<S>,
    painter: &mut Painter,
    now: Duration,
    terminal: &mut Terminal,
) -> io::Result<()> {
    let mut out = String::new();
    picture(player, painter, now, &mut out);
    terminal.write(out.as_bytes())
}

/// Makes the bytes of one picture.
pub fn picture<S: Source>(player: &mut Player<S>, painter: &mut Painter, now: Duration, out: &mut String) {
    if player.help {
        let keys = help::screen(painter.window());
        let status = status::line(player, None, None, painter.window().cols);
        painter.paint(&keys, &status, out);
        return;
    }
    let clip = painter.clip(player.screen());
    let notice = player.notice(now).map(str::to_owned);
    let status = status::line(player, notice.as_deref(), clip.as_deref(), painter.window().cols);
    painter.paint(player.screen(), &status, out);
}
