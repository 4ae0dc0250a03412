//! What a session that is followed shows, as lines with their times.

use hansard_schemas::Timestamp;
use hansard_schemas::cast::{Code, EventData, Size};

use super::Arrived;
use crate::play::landmark;
use crate::screen::live_lines::LiveLines;
use crate::screen::{LineFeed, Stream};
use crate::timeline::Landmark;

/// Between two looks for lines that are done, by the recording's own time: also the precision of a line's time.
const LOOK_MS: u64 = 1_000;
/// Characters of a marker or gap that are kept.
const MARK: usize = 400;

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// When it was done, by the host's clock.
    pub time: Timestamp,
    /// Whether it is no text of the screen, but a marker, a gap or the exit status.
    pub mark: bool,
    /// The text, safe to print.
    pub text: String,
}

/// Reads lines off the segments of one session. The same segments give the same lines.
pub struct Reader {
    lines: LiveLines,
    time: Option<Timestamp>,
}

impl Reader {
    /// Of a session whose terminal has this size at first.
    pub fn new(size: Size, feed: LineFeed) -> Self {
        Self { lines: LiveLines::new(size, feed), time: None }
    }

    /// Appends the lines of a segment.
    pub fn read(&mut self, arrived: &Arrived, out: &mut Vec<Shown>) {
        if let Some(left) = &arrived.left {
            self.take(out, LiveLines::take);
            let (first, last) = (left.start, left.end.saturating_sub(1));
            let text = format!("segments {first} to {last} had left the spool before they could be read");
            out.push(Shown { time: arrived.wall(arrived.offset_ms), mark: true, text });
        }
        let mut looked_ms = None;
        for event in &arrived.events {
            let second = event.time_ms / LOOK_MS;
            if looked_ms.is_some_and(|looked| looked != second) {
                self.take(out, LiveLines::take);
            }
            looked_ms = Some(second);
            self.time = Some(arrived.wall(event.time_ms));
            match (event.code, &event.data) {
                (Code::Output, EventData::Bytes(raw)) => self.lines.write(Stream::Output, raw),
                (Code::Error, EventData::Bytes(raw)) => self.lines.write(Stream::Error, raw),
                (Code::Resize, EventData::Text(text)) => {
                    if let Ok(size) = text.parse() {
                        self.lines.resize(size);
                    }
                }
                (code @ (Code::Marker | Code::Gap | Code::Exit), EventData::Text(text)) => {
                    self.take(out, LiveLines::take);
                    let text = text.chars().take(MARK).collect();
                    let text = landmark(&Landmark::said(event.time_ms, code, text));
                    out.extend(self.time.map(|time| Shown { time, mark: true, text }));
                }
                _ => {}
            }
        }
        self.take(out, LiveLines::pause);
    }

    /// Appends the line on which the cursor stands: nothing has come for a while.
    pub fn still(&mut self, out: &mut Vec<Shown>) {
        self.take(out, LiveLines::still);
    }

    /// Appends what is left: the session has ended.
    pub fn finish(&mut self, out: &mut Vec<Shown>) {
        self.take(out, LiveLines::finish);
    }

    fn take(&mut self, out: &mut Vec<Shown>, from: impl FnOnce(&mut LiveLines, &mut Vec<String>)) {
        let Some(time) = self.time else { return };
        let mut lines = Vec::new();
        from(&mut self.lines, &mut lines);
        out.extend(lines.into_iter().map(|text| Shown { time, mark: false, text }));
    }
}
