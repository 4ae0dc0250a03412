//! The lines that a recording showed, each with its time: what `grep` searches.
//!
//! Of the primary screen exactly the lines of [`Transcript`](super::transcript::Transcript), in its order: as they leave
//! at the top, and as the screen stands at the end; wrapped rows are joined. The time of a line is the event time at
//! which it was last written to or erased in: from then on it stood there as it is given. Of the alternate screen, on
//! which full-screen programs draw, each line as it stood whenever drawing went on elsewhere; one that only moves or is
//! drawn again is given once. What was overwritten on the primary screen before it left (a progress bar's first states)
//! is not given, as it is not in the transcript.
//!
//! The emulated terminal reads some tens of MiB a second. So while plain lines come ([`plain`](super::plain)), it is not
//! asked: they wait, and only the last of them, as many as fill the screen, are shown to it before the next thing that
//! needs it. What is on the screen then is the same as if it had seen them all.

use avt::ScreenKind;
use avt::parser::{Function, State};
use hansard_schemas::cast::Size;

use super::plain::{cook, csi, has_text};
use super::watch::Watch;
use super::{LineFeed, Screen, Stream, bounded};

/// Text of waiting lines at which all but a screenful is let go.
const WAITING: usize = 128 << 10;
/// A line without end is not waited for longer.
const PARTIAL: usize = 64 << 10;

/// A line's place in [`Batch::text`], and its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Where it ends, without its line feed.
    pub end: usize,
    /// Its event time, in milliseconds.
    pub at_ms: u64,
}

/// Lines as they come out. The caller empties it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Lines of the primary screen, each with a line feed.
    pub text: String,
    /// One for each of them.
    pub marks: Vec<Mark>,
    /// Lines of the alternate screen, with their event times.
    pub full: Vec<(String, u64)>,
}

impl Batch {
    /// Forgets what it holds.
    pub fn clear(&mut self) {
        self.text.clear();
        self.marks.clear();
        self.full.clear();
    }

    /// The lines of the primary screen and their event times.
    pub fn lines(&self) -> impl Iterator<Item = (&str, u64)> {
        let starts = std::iter::once(0).chain(self.marks.iter().map(|mark| mark.end + 1));
        starts.zip(&self.marks).map(|(start, mark)| (self.text.get(start..mark.end).unwrap_or_default(), mark.at_ms))
    }
}

/// A line that waits.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    /// Where it ends in the raw bytes, line feed included.
    raw_end: usize,
    /// Where its text ends, without line feed.
    end: usize,
    rows: usize,
    at_ms: u64,
}

/// Bytes that came together.
#[derive(Debug, Clone, Copy)]
struct Piece {
    /// Where they end in the raw bytes.
    raw_end: usize,
    at_ms: u64,
    stream: Stream,
}

/// Plain lines that the terminal has not been shown.
struct Plain {
    raw: Vec<u8>,
    /// Their text, UTF-8: a `String` would be checked line by line, which takes longer than all else that is done with it.
    text: Vec<u8>,
    waiting: Vec<Waiting>,
    pieces: Vec<Piece>,
    /// When the line that has no end yet was last written to.
    partial_ms: u64,
    /// Whether what was on the terminal, and some of the plain lines after it, have been let go.
    begun: bool,
}

impl Plain {
    fn is_between_lines(&self) -> bool {
        self.raw.len() == self.waiting.last().map_or(0, |line| line.raw_end)
    }

    /// What the raw bytes end with came at this time.
    fn came(&mut self, stream: Stream, at_ms: u64) {
        let raw_end = self.raw.len();
        match self.pieces.last_mut().filter(|piece| (piece.stream, piece.at_ms) == (stream, at_ms)) {
            Some(piece) => piece.raw_end = raw_end,
            None => self.pieces.push(Piece { raw_end, at_ms, stream }),
        }
    }
}

/// Cells below the cursor that are looked at to see whether plain lines may come; a real screen has fewer.
const CELLS_BELOW: usize = 64 << 10;

/// The lines of one recording.
pub struct Lines {
    screen: Screen,
    watch: Watch,
    plain: Option<Plain>,
    last_ms: u64,
    /// Bytes for which plain lines are not looked for, because the terminal was found in a state that changes them.
    wary: usize,
    /// See [`WAITING`]. In tests less, or 0: no plain lines are looked for at all.
    waiting: usize,
}

impl Lines {
    /// Of an empty screen.
    pub fn new(size: Size, feed: LineFeed) -> Self {
        let screen = Screen::new(size, feed);
        let watch = Watch::new(screen.size().1);
        Self { screen, watch, plain: None, last_ms: 0, wary: 0, waiting: WAITING }
    }

    /// Of nothing, to leave behind where another one was.
    pub fn empty() -> Self {
        Self::new(Size { cols: 1, rows: 1 }, LineFeed::Terminal)
    }

    /// Shows bytes at an event time, and gives the lines that left.
    pub fn write(&mut self, stream: Stream, raw: &[u8], at_ms: u64, out: &mut Batch) {
        let mut rest = raw;
        while !rest.is_empty() {
            if self.plain.is_none() {
                self.begin(at_ms);
            }
            if self.plain.is_some() {
                rest = self.wait(stream, rest, at_ms, out);
                continue;
            }
            rest = self.show_line(stream, rest, at_ms);
        }
        self.take(out);
    }

    /// Takes another size, and gives the lines that left.
    pub fn resize(&mut self, size: Size, at_ms: u64, out: &mut Batch) {
        let (cols, rows, _) = bounded(size);
        // Every segment begins with the size, mostly the one there is.
        if (cols, rows) == self.screen.size() && self.plain.as_ref().is_some_and(Plain::is_between_lines) {
            return;
        }
        self.end_plain(out);
        self.at(at_ms);
        self.screen.resize_with(size, &mut self.watch);
        self.watch.end_resize(self.screen.size().1);
        self.take(out);
    }

    /// Gives what is left on the screen.
    pub fn finish(mut self, out: &mut Batch) {
        self.end_plain(out);
        self.at(self.last_ms);
        self.screen.end_with(&mut self.watch);
        self.watch.look(&self.screen.terminal);
        self.watch.leave_rest(&self.screen.terminal);
        self.take(out);
    }

    /// Begins to wait if the terminal stands at the beginning of an empty line with nothing below.
    fn begin(&mut self, at_ms: u64) {
        let screen = &self.screen;
        let terminal = &screen.terminal;
        let cursor = terminal.cursor();
        let (cols, rows) = screen.size();
        if self.waiting == 0
            || cols * (rows - cursor.row) > CELLS_BELOW
            || self.wary > 0
            || cursor.col != 0
            || screen.held.is_some()
            || screen.parser.state != State::Ground
            || screen.output.is_inside()
            || screen.error.is_inside()
            || terminal.active_screen_kind() != ScreenKind::Primary
        {
            return;
        }
        let above = cursor.row.checked_sub(1).and_then(|row| terminal.primary_screen().line(row));
        let empty = |line: &avt::Line| !line.is_wrapped() && line.chars().all(|ch| ch == ' ');
        if above.map_or(self.watch.leaving.is_inside(), avt::Line::is_wrapped)
            || !terminal.primary_screen().visible_lines().skip(cursor.row).all(empty)
        {
            return;
        }
        self.plain = Some(Plain {
            raw: Vec::new(),
            text: Vec::new(),
            waiting: Vec::new(),
            pieces: Vec::new(),
            partial_ms: at_ms,
            begun: false,
        });
    }

    /// Takes plain lines; the first that is not one, and the rest of the bytes, are given back, and waiting is over.
    fn wait<'a>(&mut self, stream: Stream, raw: &'a [u8], at_ms: u64, out: &mut Batch) -> &'a [u8] {
        let (cols, feed, tabs) = (self.screen.size().0, self.screen.feed, self.watch.usual_tabs);
        let mut rest = raw;
        while let Some(plain) = &mut self.plain {
            let begun = plain.waiting.last().map_or(0, |line| line.raw_end);
            let partial = plain.raw.len() > begun;
            let end = memchr::memchr(b'\n', rest);
            let piece = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
            let other = partial && plain.pieces.last().is_some_and(|piece| piece.stream != stream);
            if other || plain.raw.len() - begun + piece.len() > PARTIAL {
                self.end_plain(out);
                return self.show_line(stream, rest, at_ms);
            }
            let line_ms = if !partial || has_text(piece) { at_ms } else { plain.partial_ms };
            let known = plain.raw.len();
            let Some(end) = end else {
                plain.raw.extend_from_slice(piece);
                plain.partial_ms = line_ms;
                plain.came(stream, at_ms);
                return &[];
            };
            let (line, after) = rest.split_at(end + 1);
            plain.raw.extend_from_slice(line);
            let whole = plain.raw.get(begun..plain.raw.len() - 1).unwrap_or_default();
            let Some(rows) = cook(whole, cols, feed, tabs, &mut plain.text) else {
                plain.raw.truncate(known);
                self.end_plain(out);
                return self.show_line(stream, rest, at_ms);
            };
            let (raw_end, end) = (plain.raw.len(), plain.text.len());
            plain.text.push(b'\n');
            plain.waiting.push(Waiting { raw_end, end, rows, at_ms: line_ms });
            plain.came(stream, at_ms);
            rest = after;
            if rest.is_empty() || (end > self.waiting && !self.let_go(out)) {
                return rest;
            }
        }
        rest
    }

    /// Lets go of all waiting lines but a screenful. False when the terminal is in a state that could change them: it
    /// has been shown them instead.
    fn let_go(&mut self, out: &mut Batch) -> bool {
        let rows = self.screen.size().1;
        let Some(plain) = &mut self.plain else { return false };
        let (mut kept_rows, mut kept) = (0, plain.waiting.len());
        while kept > 0 && kept_rows < rows {
            kept -= 1;
            kept_rows += plain.waiting.get(kept).map_or(0, |line| line.rows);
        }
        // All of what is on the screen now must be pushed off it by what goes.
        let gone_rows: usize = plain.waiting.iter().take(kept).map(|line| line.rows).sum();
        if !plain.begun && gone_rows < rows {
            return true;
        }
        if !plain.begun {
            if self.watch.bent && !is_straight(&self.screen.terminal.dump()) {
                self.wary = self.waiting * 4;
                self.show_plain();
                return false;
            }
            plain.begun = true;
            self.watch.bent = false;
            self.watch.leave(&self.screen.terminal, self.screen.terminal.cursor().row);
            take(&mut self.watch, &self.screen, out);
        }
        let Some(last) = kept.checked_sub(1).and_then(|at| plain.waiting.get(at)).copied() else { return true };
        // The pen does not change text, but which blank rows count as written.
        let gone = plain.raw.get(..last.raw_end).unwrap_or_default();
        let colours = colours(gone);
        if !colours.is_empty() {
            self.screen.write_with(Stream::Output, &colours, &mut self.watch);
        }
        let base = out.text.len();
        out.text
            .push_str(plain.text.get(..=last.end).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default());
        out.marks.extend(plain.waiting.drain(..kept).map(|line| Mark { end: base + line.end, at_ms: line.at_ms }));
        plain.text.drain(..=last.end);
        plain.raw.drain(..last.raw_end);
        for line in &mut plain.waiting {
            line.raw_end -= last.raw_end;
            line.end -= last.end + 1;
        }
        plain.pieces.retain_mut(|piece| {
            piece.raw_end = piece.raw_end.saturating_sub(last.raw_end);
            piece.raw_end > 0
        });
        true
    }

    /// Waiting is over: what need not be shown is let go, and the terminal shown the rest.
    fn end_plain(&mut self, out: &mut Batch) {
        let few = self.screen.size().1 * 3;
        let many =
            self.plain.as_ref().is_some_and(|plain| plain.waiting.iter().map(|line| line.rows).sum::<usize>() > few);
        if !many || self.let_go(out) {
            self.show_plain();
        }
    }

    /// Shows the terminal what it must know of what waited.
    fn show_plain(&mut self) {
        let Some(plain) = self.plain.take() else { return };
        if plain.begun {
            // What is on it has been given out; what waits fills it.
            let rows = self.screen.size().1;
            self.watch.skip = usize::MAX;
            let feeds = std::iter::once(Function::Cr).chain(std::iter::repeat_n(Function::Lf, rows * 2));
            self.screen.terminal.execute_with(feeds, &mut self.watch);
            self.watch.skip = rows - 1;
        }
        let mut start = 0;
        for piece in &plain.pieces {
            self.show(piece.stream, plain.raw.get(start..piece.raw_end).unwrap_or_default(), piece.at_ms);
            start = piece.raw_end;
        }
    }

    /// Shows the terminal as much as goes to the end of a line, where plain ones may begin; gives the rest.
    fn show_line<'a>(&mut self, stream: Stream, raw: &'a [u8], at_ms: u64) -> &'a [u8] {
        let (line, rest) = raw.split_at(memchr::memchr(b'\n', raw).map_or(raw.len(), |at| at + 1));
        self.show(stream, line, at_ms);
        self.wary = self.wary.saturating_sub(line.len());
        rest
    }

    fn show(&mut self, stream: Stream, raw: &[u8], at_ms: u64) {
        if raw.is_empty() {
            return;
        }
        self.at(at_ms);
        self.screen.write_with(stream, raw, &mut self.watch);
        self.last_ms = at_ms;
    }

    /// What comes now is of this time; what the screen still holds came before.
    fn at(&mut self, at_ms: u64) {
        self.watch.held_ms = self.screen.held.map(|_| self.last_ms);
        self.watch.now_ms = at_ms;
    }

    fn take(&mut self, out: &mut Batch) {
        take(&mut self.watch, &self.screen, out);
    }
}

/// Moves out what left, clusters spelled.
fn take(watch: &mut Watch, screen: &Screen, out: &mut Batch) {
    let mut start = 0;
    for left in watch.left.drain(..) {
        let line = watch.leaving.text.get(start..left.end).unwrap_or_default().trim_end_matches('\n');
        line.chars().for_each(|ch| screen.clusters.spell(ch, &mut out.text));
        out.marks.push(Mark { end: out.text.len(), at_ms: left.at_ms });
        out.text.push('\n');
        start = left.end;
    }
    watch.leaving.text.drain(..start);
    for (line, at_ms) in watch.full.seen.drain(..) {
        let mut text = String::new();
        line.chars().for_each(|ch| screen.clusters.spell(ch, &mut text));
        out.full.push((text, at_ms));
    }
}

/// The colour sequences of plain lines, from the last one that resets all.
fn colours(raw: &[u8]) -> Vec<u8> {
    let mut found = Vec::new();
    for at in memchr::memrchr_iter(0x1b, raw) {
        let Some((_, sequence)) = raw.split_at_checked(at + 1) else { continue };
        if let Some((parameters, b'm', _)) = csi(sequence) {
            found.push(parameters);
            if matches!(parameters, b"" | b"0") {
                break;
            }
        }
    }
    found.iter().rev().flat_map(|parameters| [b"\x1b[", *parameters, b"m"]).flatten().copied().collect()
}

/// Whether a terminal that this dump restores writes text as it comes: from left to right, wrapping, scrolling as a
/// whole, with the usual characters. Unsure is no.
fn is_straight(dump: &str) -> bool {
    !dump.match_indices('\u{1b}').any(|(at, _)| {
        let rest = &dump[at + 1..];
        if rest.starts_with("(0") || rest.starts_with(")0") {
            return true;
        }
        let end = rest.find(|ch: char| ch.is_ascii_alphabetic()).map_or(rest.len(), |end| end + 1);
        let sequence = &rest[..end];
        matches!(sequence, "[?7l" | "[4h" | "[20h") || sequence.ends_with('r')
    }) && !dump.contains('\u{e}')
}

#[cfg(test)]
mod tests;
