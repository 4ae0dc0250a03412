//! The virtual terminal: recorded output goes in, cells of plain characters come out.
//!
//! This is the wall between a recording and the reviewer (promise 9). Escape sequences end here; what leaves is
//! characters that print, with a colour. Every function of the emulated terminal passes through [`Screen::execute`],
//! where what could be abused is bounded (sizes, repetitions) or replaced (format characters). Not for drawing:
//! that is `play::paint`; not for time: that is `timeline`.

use avt::observer::Observer;
use avt::parser::{Function, Osc, ShellIntegration, State};
use avt::{Cell, Line, Parser, Terminal};
use hansard_schemas::cast::Size;
use hansard_schemas::exact::Decoder;

use self::characters::{Class, Clusters, REPLACEMENT, classify};

pub mod characters;
pub mod lines;
pub mod live_lines;
mod plain;
pub mod shell;
pub mod touched;
pub mod transcript;
mod watch;

/// Assumed where a recording says 0 columns or rows: a session without a terminal, or one that never learnt its size.
const FALLBACK: Size = Size { cols: 80, rows: 24 };
/// Widest emulated screen. Real terminals stay under 1,000; the format allows 65,535.
const COLS_MAX: usize = 4096;
/// Most cells of an emulated screen: some 5 MiB a buffer. A recording that claims 65,535x65,535 would otherwise
/// ask for a hundred GiB, and each "clear screen" of a few bytes would cost what it takes to fill it.
const CELLS_MAX: usize = 256 << 10;

/// Which of a session's two output streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// `o`.
    Output,
    /// `e`.
    Error,
}

/// How line feeds are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineFeed {
    /// As a terminal does: down only. The recorded PTY already put the carriage returns in.
    Terminal,
    /// Down and to the first column: the session had pipes, and no PTY to put carriage returns in.
    NewLine,
}

/// A screen's state from which playing can go on; see [`Screen::keyframe`].
#[derive(Debug, Clone)]
pub struct Keyframe {
    size: (usize, usize),
    clipped: bool,
    dump: String,
    /// What the private characters of the dump stand for: another screen has other ones.
    clusters: Vec<(char, String)>,
}

impl Keyframe {
    /// From what [`Keyframe::parts`] gave. `None` when no screen has this size.
    pub fn from_parts(
        size: (usize, usize),
        clipped: bool,
        dump: String,
        clusters: Vec<(char, String)>,
    ) -> Option<Self> {
        let cells = size.0.checked_mul(size.1)?;
        ((1..=COLS_MAX).contains(&size.0) && (1..=CELLS_MAX).contains(&cells)).then_some(())?;
        Some(Self { size, clipped, dump, clusters })
    }

    /// Columns and rows, whether they were cut, what draws the screen, and its clusters.
    #[allow(clippy::type_complexity, reason = "what from_parts takes")]
    pub fn parts(&self) -> ((usize, usize), bool, &str, &[(char, String)]) {
        (self.size, self.clipped, &self.dump, &self.clusters)
    }

    /// Bytes it takes.
    pub fn bytes(&self) -> usize {
        self.dump.len()
    }
}

/// The emulated terminal of one recording.
pub struct Screen {
    terminal: Terminal,
    parser: Parser,
    output: Decoder,
    error: Decoder,
    clusters: Clusters,
    /// The last character printed, not yet in the terminal because marks may follow it.
    held: Option<char>,
    feed: LineFeed,
    clipped: bool,
    /// Marks of the shell since they were last taken.
    marks: Marks,
}

/// What a shell said of itself (OSC 133).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Marks {
    /// A prompt began.
    pub prompt: bool,
    /// A command was begun.
    pub executed: bool,
    /// A command ended; with its exit status where the shell gave one.
    pub finished: Option<Option<u8>>,
}

impl Screen {
    /// An empty screen of the recorded size.
    pub fn new(size: Size, feed: LineFeed) -> Self {
        let (cols, rows, clipped) = bounded(size);
        Self {
            terminal: blank(cols, rows),
            parser: Parser::new(),
            output: Decoder::default(),
            error: Decoder::default(),
            clusters: Clusters::default(),
            held: None,
            feed,
            clipped,
            marks: Marks::default(),
        }
    }

    /// What the shell said of itself since this was last asked.
    pub fn take_marks(&mut self) -> Marks {
        std::mem::take(&mut self.marks)
    }

    /// Shows raw bytes of a stream. Call [`Screen::settle`] before looking at the cells.
    pub fn write(&mut self, stream: Stream, raw: &[u8]) {
        self.write_with(stream, raw, &mut ());
    }

    /// As [`Screen::write`], and tells an observer, which sees lines leave at the top.
    pub fn write_with<O: Observer>(&mut self, stream: Stream, raw: &[u8], observer: &mut O) {
        let decoder = match stream {
            Stream::Output => &mut self.output,
            Stream::Error => &mut self.error,
        };
        let text = decoder.push(raw);
        self.show(&text, observer);
    }

    /// Takes the recorded terminal's new size.
    pub fn resize(&mut self, size: Size) {
        self.resize_with(size, &mut ());
    }

    /// As [`Screen::resize`], and tells an observer.
    pub fn resize_with<O: Observer>(&mut self, size: Size, observer: &mut O) {
        self.settle_with(observer);
        let (cols, rows, clipped) = bounded(size);
        self.clipped = clipped;
        self.terminal.resize_with(cols, rows, observer);
    }

    /// Puts a held character on the screen.
    pub fn settle(&mut self) {
        self.settle_with(&mut ());
    }

    pub(super) fn settle_with<O: Observer>(&mut self, observer: &mut O) {
        if let Some(ch) = self.held.take() {
            self.terminal.execute_with(Function::Print(ch), observer);
        }
    }

    /// Columns and rows of the emulated screen.
    pub fn size(&self) -> (usize, usize) {
        self.terminal.size()
    }

    /// Whether the recorded size is larger than what is emulated.
    pub fn is_clipped(&self) -> bool {
        self.clipped
    }

    /// Column and row of the cursor, and whether it is shown. A column after the last one is where a line is full.
    pub fn cursor(&self) -> (usize, usize, bool) {
        let cursor = self.terminal.cursor();
        (cursor.col.min(self.size().0.saturating_sub(1)), cursor.row, cursor.visible)
    }

    /// The rows of cells, from the top.
    pub fn rows(&self) -> impl Iterator<Item = &[Cell]> {
        self.terminal.screen().visible_lines().map(Line::cells)
    }

    /// Appends what a cell shows: characters that print, nothing else.
    pub fn spell(&self, cell: &Cell, out: &mut String) {
        self.clusters.spell(cell.char(), out);
    }

    /// The streams are over: what was held, or is the first part of a character, is shown.
    fn end_with<O: Observer>(&mut self, observer: &mut O) {
        for text in [self.output.finish(), self.error.finish()] {
            self.show(&text, observer);
        }
        self.settle_with(observer);
    }

    /// The state now, or `None` in the middle of an escape sequence or a character, from where it could not go on.
    pub fn keyframe(&mut self) -> Option<Keyframe> {
        if self.parser.state != State::Ground || self.output.is_inside() || self.error.is_inside() {
            return None;
        }
        self.settle();
        let dump = self.terminal.dump();
        let mut clusters: Vec<(char, String)> = Vec::new();
        for ch in dump.chars() {
            if let Some(text) = self.clusters.text(ch)
                && clusters.iter().all(|(known, _)| *known != ch)
            {
                clusters.push((ch, text.to_owned()));
            }
        }
        Some(Keyframe { size: self.terminal.size(), clipped: self.clipped, dump, clusters })
    }

    /// Goes back (or on) to a keyframe of this recording, made by this screen or another one.
    pub fn restore(&mut self, keyframe: &Keyframe) {
        self.terminal = blank(keyframe.size.0, keyframe.size.1);
        let own: Vec<(char, char)> =
            keyframe.clusters.iter().map(|(ch, text)| (*ch, self.clusters.intern(text))).collect();
        if own.iter().all(|(theirs, ours)| theirs == ours) {
            self.terminal.feed(keyframe.dump.as_str());
        } else {
            let translated = |ch| own.iter().find(|(theirs, _)| *theirs == ch).map_or(ch, |(_, ours)| *ours);
            self.terminal.feed(keyframe.dump.chars().map(translated).collect::<String>().as_str());
        }
        self.marks = Marks::default();
        self.parser = Parser::new();
        self.output = Decoder::default();
        self.error = Decoder::default();
        self.held = None;
        self.clipped = keyframe.clipped;
    }

    fn show<O: Observer>(&mut self, text: &str, observer: &mut O) {
        let mut rest = text;
        while let Some(ch) = rest.chars().next() {
            // Most of what is shown is plain text, which needs no parser; its last character may yet get marks.
            // Inside a sequence it is not even counted: a long string would be gone through again for each of its characters.
            let ground = self.parser.state == State::Ground;
            let plain = if ground { rest.bytes().take_while(|byte| matches!(byte, b' '..=b'~')).count() } else { 0 };
            if plain > 1 {
                self.settle_with(observer);
                self.terminal.execute_with(rest[..plain - 1].chars().map(Function::Print), &mut *observer);
                rest = &rest[plain - 1..];
                self.held = rest.chars().next();
                rest = &rest[1..];
                continue;
            }
            if let Some(function) = self.parser.feed(ch) {
                self.execute(function, observer);
            }
            rest = &rest[ch.len_utf8()..];
        }
    }

    fn execute<O: Observer>(&mut self, function: Function, observer: &mut O) {
        match function {
            Function::Print(ch) => self.print(ch, observer),
            // A repetition of 65,535 takes six bytes; more than the screen holds changes nothing that is seen.
            Function::Rep(n) => {
                self.settle_with(observer);
                let (cols, rows) = self.terminal.size();
                let most = u16::try_from(cols.saturating_mul(rows)).unwrap_or(u16::MAX);
                self.terminal.execute_with(Function::Rep(n.min(most)), observer);
            }
            // Scrolled or moved by more than there is, nothing is left; but each line would be made and thrown away.
            Function::Su(n) => self.bounded(n, Function::Su, observer),
            Function::Sd(n) => self.bounded(n, Function::Sd, observer),
            Function::Il(n) => self.bounded(n, Function::Il, observer),
            Function::Dl(n) => self.bounded(n, Function::Dl, observer),
            Function::Ich(n) => self.bounded(n, Function::Ich, observer),
            Function::Dch(n) => self.bounded(n, Function::Dch, observer),
            Function::Ech(n) => self.bounded(n, Function::Ech, observer),
            Function::Cht(n) => self.bounded(n, Function::Cht, observer),
            Function::Cbt(n) => self.bounded(n, Function::Cbt, observer),
            Function::Osc(Osc::ShellIntegration(mark)) => match mark {
                ShellIntegration::PromptStart => self.marks.prompt = true,
                ShellIntegration::CommandStart => {}
                ShellIntegration::CommandExecuted => self.marks.executed = true,
                ShellIntegration::CommandFinished { exit_status } => self.marks.finished = Some(exit_status),
            },
            // Behind a full line the next character wraps, as on other terminals; the emulator would go back a column.
            Function::Ht => {
                self.settle_with(observer);
                if self.terminal.cursor().col < self.terminal.size().0 {
                    self.terminal.execute_with(Function::Ht, observer);
                }
            }
            Function::Lf if self.feed == LineFeed::NewLine => {
                self.settle_with(observer);
                self.terminal.execute_with([Function::Cr, Function::Lf], observer);
            }
            other => {
                self.settle_with(observer);
                self.terminal.execute_with(other, observer);
            }
        }
    }

    /// Does something as often as it makes a difference on a screen of this size.
    fn bounded<O: Observer>(&mut self, n: u16, function: fn(u16) -> Function, observer: &mut O) {
        self.settle_with(observer);
        let (cols, rows) = self.terminal.size();
        let most = match function(n) {
            Function::Su(_) | Function::Sd(_) | Function::Il(_) | Function::Dl(_) => rows,
            _ => cols,
        };
        self.terminal.execute_with(function(n.min(u16::try_from(most).unwrap_or(u16::MAX))), observer);
    }

    fn print<O: Observer>(&mut self, ch: char, observer: &mut O) {
        let ch = match classify(ch) {
            Class::Plain => ch,
            Class::Replace => REPLACEMENT,
            Class::Drop => return,
            Class::Mark => {
                // A mark that follows nothing (its base was drawn long ago, or never) has no cell to stand in.
                self.held = self.held.map(|base| self.clusters.join(base, ch));
                return;
            }
        };
        self.settle_with(observer);
        self.held = Some(ch);
    }
}

fn blank(cols: usize, rows: usize) -> Terminal {
    Terminal::new(cols.max(1), rows.max(1)).unwrap_or_else(|_| unreachable!("both are at least 1"))
}

/// Columns, rows, and whether the recorded size had to be cut.
fn bounded(size: Size) -> (usize, usize, bool) {
    let size = if size.cols == 0 || size.rows == 0 { FALLBACK } else { size };
    let cols = usize::from(size.cols).min(COLS_MAX);
    let rows = usize::from(size.rows).min(CELLS_MAX / cols);
    (cols, rows, cols < usize::from(size.cols) || rows < usize::from(size.rows))
}

#[cfg(test)]
pub mod tests;
