//! A recording as frames: what changed on the screen, row by row, at most thirty times a second, and the moments between
//! which a reviewer goes.
//!
//! A frame shows the screen exactly as it was after the last event it covers, and bears that event's time. Rows are kept
//! once however often they come back, so a screen that changes little costs little. Everything is bounded by
//! [`BYTES_MAX`]: past it, building stops with [`TooLarge`]. Not for how frames are shown: `page`.

use std::collections::HashMap;
use std::fmt::Write as _;

use avt::Cell;
use hansard_schemas::cast::{Code, Event, EventData, Size};
use serde_json::json;

use super::cells::{Ink, Run, Style, runs};
use crate::play::landmark;
use crate::screen::{LineFeed, Screen, Stream};
use crate::timeline::Landmark;

/// Between two frames, at least.
const FRAME_MS: u64 = 33;
/// Largest page, without its player; in memory it is a few times that while it is made. Browsers take some hundred MiB,
/// reviewers' patience less.
pub const BYTES_MAX: usize = 64 << 20;
/// Landmarks that get a place on the scrubber; more would be a line of ink.
const LANDMARKS_MAX: usize = 2000;
/// Characters of a landmark that are kept.
const LANDMARK_TEXT: usize = 400;

/// The frames would take more than [`BYTES_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLarge {
    /// Event time reached.
    pub at_ms: u64,
}

/// Collects frames.
pub struct Frames {
    screen: Screen,
    idle_limit_ms: Option<u64>,
    /// Event time, and time of playing with pauses cut, of the last event that counts.
    last: (u64, u64),
    /// When the first change since the last frame was.
    changed_ms: Option<u64>,
    /// What the last frame showed.
    shown: Vec<Vec<Cell>>,
    row_ids: HashMap<String, usize>,
    rows: String,
    style_ids: HashMap<Style, usize>,
    styles: String,
    frames: String,
    landmarks: Vec<String>,
    left_out: u64,
    limit: usize,
}

impl Frames {
    /// Of a screen of this shape; pauses are cut to the idle limit.
    pub fn new((size, feed): (Size, LineFeed), idle_limit_ms: Option<u64>) -> Self {
        let mut frames = Self {
            screen: Screen::new(size, feed),
            idle_limit_ms,
            last: (0, 0),
            changed_ms: None,
            shown: Vec::new(),
            row_ids: HashMap::new(),
            rows: String::new(),
            style_ids: HashMap::new(),
            styles: String::new(),
            frames: String::new(),
            landmarks: Vec::new(),
            left_out: 0,
            limit: BYTES_MAX,
        };
        // The empty row is the one that new rows begin as.
        frames.row(&[]);
        frames.frame();
        frames
    }

    /// Event time reached.
    pub fn at_ms(&self) -> u64 {
        self.last.0
    }

    /// Takes the next event.
    pub fn push(&mut self, event: &Event) -> Result<(), TooLarge> {
        if self.changed_ms.is_some_and(|changed_ms| event.time_ms >= changed_ms.saturating_add(FRAME_MS)) {
            self.frame();
            if self.bytes() > self.limit {
                return Err(TooLarge { at_ms: event.time_ms });
            }
        }
        let visible = match (event.code, &event.data) {
            (code @ (Code::Output | Code::Error), EventData::Bytes(raw)) => {
                let stream = if code == Code::Output { Stream::Output } else { Stream::Error };
                self.screen.write(stream, raw);
                true
            }
            (Code::Resize, EventData::Text(text)) => match text.parse::<Size>() {
                Ok(size) => {
                    self.screen.resize(size);
                    true
                }
                Err(_) => false,
            },
            (Code::Marker | Code::Gap | Code::Exit, EventData::Text(text)) => {
                self.advance(event.time_ms);
                self.landmark(event.code, text);
                false
            }
            _ => return Ok(()),
        };
        self.advance(event.time_ms);
        if visible {
            self.changed_ms.get_or_insert(event.time_ms);
        }
        Ok(())
    }

    /// All of it as members of a JSON object, without braces. `end_ms` is the event time at which the recording ends.
    pub fn finish(mut self, end_ms: u64) -> Result<String, TooLarge> {
        if self.changed_ms.is_some() {
            self.frame();
        }
        self.advance(end_ms);
        if self.bytes() > self.limit {
            return Err(TooLarge { at_ms: self.last.0 });
        }
        let (end_ms, length_ms) = self.last;
        // As lookup it has done its work, and is a third of all that is in memory.
        drop(std::mem::take(&mut self.row_ids));
        Ok(format!(
            "\"length\":{length_ms},\"end\":{end_ms},\"unmarked\":{},\n\"styles\":[\n{}],\n\"rows\":[\n{}],\n\
             \"frames\":[\n{}],\n\"marks\":[\n{}]",
            self.left_out,
            self.styles.trim_end_matches(",\n"),
            self.rows.trim_end_matches(",\n"),
            self.frames.trim_end_matches(",\n"),
            self.landmarks.join(",\n")
        ))
    }

    fn bytes(&self) -> usize {
        let marks: usize = self.landmarks.iter().map(String::len).sum();
        self.rows.len() + self.styles.len() + self.frames.len() + marks
    }

    /// Moves on, pauses cut.
    fn advance(&mut self, to_ms: u64) {
        let pause_ms = to_ms.saturating_sub(self.last.0);
        let played_ms = self.idle_limit_ms.map_or(pause_ms, |limit_ms| pause_ms.min(limit_ms));
        self.last = (self.last.0 + pause_ms, self.last.1 + played_ms);
    }

    /// Writes `[playing time, event time, columns, rows, cursor's column and row or -1, row, id, row, id…]`.
    fn frame(&mut self) {
        self.changed_ms = None;
        self.screen.settle();
        let now: Vec<Vec<Cell>> = self.screen.rows().map(<[Cell]>::to_vec).collect();
        let before = std::mem::take(&mut self.shown);
        let ((event_ms, played_ms), (cols, rows)) = (self.last, self.screen.size());
        let (col, row) = match self.screen.cursor() {
            (col, row, true) => (col as i64, row as i64),
            _ => (-1, -1),
        };
        let _ = write!(self.frames, "[{played_ms},{event_ms},{cols},{rows},{col},{row}");
        for (at, cells) in now.iter().enumerate() {
            if before.get(at) != Some(cells) {
                let id = self.row(cells);
                // Where there was no row there is the empty one.
                if id != 0 || at < before.len() {
                    let _ = write!(self.frames, ",{at},{id}");
                }
            }
        }
        self.frames.push_str("],\n");
        self.shown = now;
    }

    /// The number of a row of this content.
    fn row(&mut self, cells: &[Cell]) -> usize {
        let mut text = String::from("[");
        for Run { text: shown, cols, style } in runs(&self.screen, cells) {
            let style = self.style(style);
            let comma = if text.len() > 1 { "," } else { "" };
            let _ = write!(text, "{comma}{},{cols},{style}", inside_page(&json!(shown)));
        }
        text.push(']');
        let next = self.row_ids.len();
        *self.row_ids.entry(text).or_insert_with_key(|text| {
            self.rows.push_str(text);
            self.rows.push_str(",\n");
            next
        })
    }

    fn style(&mut self, style: Style) -> usize {
        let next = self.style_ids.len();
        *self.style_ids.entry(style).or_insert_with(|| {
            let Style { ink, paper, marks } = style;
            let _ = writeln!(self.styles, "[{},{},{marks}],", number(ink), number(paper));
            next
        })
    }

    fn landmark(&mut self, code: Code, text: &str) {
        if self.landmarks.len() >= LANDMARKS_MAX {
            self.left_out += 1;
            return;
        }
        let (at_ms, played_ms) = self.last;
        let text = landmark(&Landmark::said(at_ms, code, text.chars().take(LANDMARK_TEXT).collect()));
        let kind = match code {
            Code::Gap => "gap",
            Code::Exit => "exit",
            _ => "marker",
        };
        self.landmarks.push(format!("[{played_ms},{at_ms},\"{kind}\",{}]", inside_page(&json!(text))));
    }
}

/// -1 for text, -2 for paper, else 0xRRGGBB.
fn number(ink: Ink) -> i64 {
    match ink {
        Ink::Text => -1,
        Ink::Paper => -2,
        Ink::Colour(red, green, blue) => i64::from(red) << 16 | i64::from(green) << 8 | i64::from(blue),
    }
}

/// JSON that cannot end the element it stands in, nor begin another.
pub fn inside_page(value: &serde_json::Value) -> String {
    value.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

#[cfg(test)]
mod tests {
    use hansard_schemas::cast::{Code, Event, EventData, Size};
    use serde_json::Value;

    use super::{Frames, TooLarge};
    use crate::screen::LineFeed;

    fn output(time_ms: u64, raw: &str) -> Event {
        Event { time_ms, code: Code::Output, data: EventData::Bytes(raw.into()) }
    }

    fn frames(idle_limit_ms: Option<u64>) -> Frames {
        Frames::new((Size { cols: 10, rows: 2 }, LineFeed::Terminal), idle_limit_ms)
    }

    fn built(idle_limit_ms: Option<u64>, events: &[Event], end_ms: u64) -> Value {
        let mut frames = frames(idle_limit_ms);
        events.iter().for_each(|event| frames.push(event).unwrap());
        serde_json::from_str(&format!("{{{}}}", frames.finish(end_ms).unwrap())).unwrap()
    }

    #[test]
    fn a_frame_has_the_time_of_the_last_event_it_shows() {
        let events = [output(100, "a"), output(120, "b"), output(132, "c"), output(133, "d")];
        let data = built(None, &events, 500);
        let times: Vec<&Value> = data["frames"].as_array().unwrap().iter().map(|frame| &frame[1]).collect();
        assert_eq!(times, [0, 132, 133]);
        assert_eq!(data["rows"], serde_json::json!([[], ["abc", 3, 0], ["abcd", 4, 0]]));
        assert_eq!((&data["length"], &data["end"]), (&500.into(), &500.into()));
    }

    #[test]
    fn rows_that_come_back_are_kept_once() {
        let events = [output(100, "a"), output(200, "\r\x1b[K"), output(300, "a"), output(400, "\r\nb")];
        let data = built(None, &events, 400);
        assert_eq!(data["rows"], serde_json::json!([[], ["a", 1, 0], ["b", 1, 0]]));
        let rows = |at: usize| data["frames"][at].as_array().unwrap()[6..].to_vec();
        assert_eq!(
            [rows(0), rows(1), rows(2), rows(3), rows(4)].map(|row| Value::from(row).to_string()),
            ["[]", "[0,1]", "[0,0]", "[0,1]", "[1,2]"]
        );
    }

    #[test]
    fn pauses_are_cut_and_wall_clock_times_stay() {
        let marker = Event { time_ms: 20_000, code: Code::Marker, data: EventData::Text("</script><b>".into()) };
        let data = built(Some(1000), &[output(10_000, "a"), marker, output(20_500, "b")], 60_000);
        let times = |at: usize| (data["frames"][at][0].clone(), data["frames"][at][1].clone());
        assert_eq!(times(1), (1000.into(), 10_000.into()));
        assert_eq!(times(2), (2500.into(), 20_500.into()));
        assert_eq!(data["marks"], serde_json::json!([[2000, 20_000, "marker", "marker: </script><b>"]]));
        assert_eq!(data["length"], 3500);
    }

    #[test]
    fn too_much_is_an_error_that_says_where() {
        let mut frames = frames(None);
        frames.limit = 10_000;
        let pushed: Vec<_> = (0..1000).map(|n| frames.push(&output(n * 50, &format!("\r\n{n}")))).collect();
        let first = pushed.iter().position(Result::is_err).unwrap();
        assert!(first > 50);
        assert_eq!(pushed[first], Err(TooLarge { at_ms: first as u64 * 50 }));
    }

    #[test]
    fn nothing_recorded_ends_the_element_it_stands_in() {
        let mut frames = frames(None);
        frames.push(&output(1, "</b><!--")).unwrap();
        let text = frames.finish(1).unwrap();
        assert!(!text.contains(['<', '>', '&']), "{text}");
    }
}
