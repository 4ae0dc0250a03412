//! What happened in a session, in order: commands with time, duration, status and size of their output, and what lies
//! between them. Not the player's timeline, which is about screens: `timeline`.
//!
//! Commands are known from the marks (OSC 133) of a shell that sends them: A prompt, B typing begins, C the command
//! runs, D it ended, with its status. Its text is what the screen showed from B to the end of the line, or else what was
//! typed, where that was recorded. While no mark has been seen, commands are *guessed*: the cursor waits behind what ends
//! like a prompt (`$ `, `# `, `% `, `> `…) with nothing after it; what stands there when the line ends is the command;
//! it ended when the next such prompt is there. A guess knows no status, takes a program's own prompts for the shell's,
//! and misses what is typed ahead. A session without a terminal is one command.
//!
//! All texts are as the recording has them, and not safe to print.

use hansard_schemas::cast::{CastHeader, Code, Event, EventData, Gap, Size};
use hansard_schemas::session::Kind;

use crate::screen::shell::ShellScreen;
use crate::screen::{LineFeed, Stream};
use crate::search::typed::Typed;

mod osc;

/// Entries that are kept of one session; a hostile recording can make one of a few bytes.
const ENTRIES: usize = 100_000;

/// Characters that are kept of a title, a directory or a marker.
const TEXT: usize = 1_000;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Event time, in milliseconds.
    pub at_ms: u64,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A command ran.
    Command(Command),
    /// A known file transfer: the whole session.
    Transfer(Command),
    /// The window got another title (OSC 0 or 2).
    Title(String),
    /// The shell went to another directory (OSC 7).
    Directory(String),
    /// A program took the whole screen, until the event time given.
    FullScreen(Option<u64>),
    /// A marker.
    Marker(String),
    /// Something is not recorded: what, and why.
    Gap(String),
}

/// A command.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Command {
    /// What was run; `None` when it was not to be seen.
    pub text: Option<String>,
    /// Event time at which it ended; `None` when nothing says so.
    pub end_ms: Option<u64>,
    /// Its exit status, where something says it.
    pub status: Option<u32>,
    /// Bytes that it put out, standard error included.
    pub output_bytes: u64,
    /// Whether it was found by its looks, and not by marks.
    pub guessed: bool,
}

/// Tells the story of one recording, event by event.
pub struct Teller {
    screen: ShellScreen,
    scanner: osc::Scanner,
    entries: Vec<Entry>,
    /// The entry of the command that runs.
    running: Option<usize>,
    /// The entry of the full-screen program that is there.
    full: Option<usize>,
    /// Whether a command is being typed behind a guessed prompt.
    prompted: bool,
    /// Whether the shell sends marks.
    marked: bool,
    /// Whether the session is one command, without a terminal.
    single: bool,
    typed: Typed,
    typed_line: Option<String>,
    title: String,
    directory: String,
    last_ms: u64,
    /// Entries that were too many.
    left_out: u64,
}

/// A story, told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Story {
    /// In order of time.
    pub entries: Vec<Entry>,
    /// How many more there were.
    pub left_out: u64,
}

impl Teller {
    /// Of a recording with this header, where it can be had.
    pub fn new(header: Option<&CastHeader>, size: Size, feed: LineFeed) -> Self {
        let kind = header.map_or(Kind::Interactive, |header| header.hansard.kind);
        let mut teller = Self {
            screen: ShellScreen::new(size, feed),
            scanner: osc::Scanner::default(),
            entries: Vec::new(),
            running: None,
            full: None,
            prompted: false,
            marked: false,
            single: kind != Kind::Interactive,
            typed: Typed::default(),
            typed_line: None,
            title: String::new(),
            directory: String::new(),
            last_ms: 0,
            left_out: 0,
        };
        if teller.single {
            let words = header.map(|header| header.hansard.claimed.command.join(" ")).unwrap_or_default();
            let text = Some(words).filter(|words| !words.is_empty()).or_else(|| header?.command.clone());
            let command = Command { text, ..Command::default() };
            let what = if kind == Kind::Transfer { What::Transfer(command) } else { What::Command(command) };
            teller.running = teller.add(0, what);
        }
        teller
    }

    /// Takes the next event.
    pub fn event(&mut self, event: &Event) {
        let at_ms = event.time_ms;
        self.last_ms = at_ms;
        match (event.code, &event.data) {
            (code @ (Code::Output | Code::Error), EventData::Bytes(raw)) => {
                let stream = if code == Code::Output { Stream::Output } else { Stream::Error };
                self.shown(stream, raw, at_ms);
            }
            (Code::Input, EventData::Bytes(raw)) => {
                let mut ended = Vec::new();
                self.typed.push(raw, at_ms, &mut ended);
                self.typed_line = ended.pop().map(|(line, _)| line).or(self.typed_line.take());
            }
            (Code::Resize, EventData::Text(size)) => {
                if let Ok(size) = size.parse() {
                    self.screen.resize(size);
                }
            }
            (Code::Marker, EventData::Text(text)) => drop(self.add(at_ms, What::Marker(text.clone()))),
            (Code::Gap, EventData::Text(text)) => {
                let gap = Gap::parse(text).map_or_else(|_| text.clone(), |gap| described(&gap));
                self.add(at_ms, What::Gap(gap));
            }
            (Code::Exit, EventData::Text(status)) if self.single => self.ended(at_ms, status.parse().ok()),
            _ => {}
        }
    }

    /// All events have been given.
    pub fn finish(mut self) -> Story {
        self.entries.sort_by_key(|entry| entry.at_ms);
        Story { entries: self.entries, left_out: self.left_out }
    }

    fn shown(&mut self, stream: Stream, raw: &[u8], at_ms: u64) {
        let mut rest = raw;
        while !rest.is_empty() {
            let (taken, said) = self.scanner.next(rest);
            let (piece, after) = rest.split_at(taken);
            self.screen.write(stream, piece);
            self.count(piece.len());
            self.switches(at_ms);
            if let Some(said) = said {
                self.said(&said, at_ms);
            }
            rest = after;
        }
        if !self.marked && !self.single {
            self.guess(at_ms);
        }
    }

    fn count(&mut self, bytes: usize) {
        if let Some(What::Command(command) | What::Transfer(command)) = self.running() {
            command.output_bytes += bytes as u64;
        }
    }

    fn switches(&mut self, at_ms: u64) {
        for full in self.screen.switches() {
            if full {
                self.full = self.add(at_ms, What::FullScreen(None));
            } else if let Some(entry) = self.full.take().and_then(|at| self.entries.get_mut(at)) {
                entry.what = What::FullScreen(Some(at_ms));
            }
        }
    }

    fn said(&mut self, said: &osc::Said, at_ms: u64) {
        let (number, rest) = said.text.split_once(';').unwrap_or((&said.text, ""));
        match number {
            "0" | "2" if rest != self.title => {
                self.title = rest.to_owned();
                self.add(at_ms, What::Title(rest.to_owned()));
            }
            "7" => {
                if let Some(path) = osc::directory(rest).filter(|path| *path != self.directory) {
                    self.directory.clone_from(&path);
                    self.add(at_ms, What::Directory(path));
                }
            }
            // A full-screen program's marks (a shell inside tmux) are not of this shell.
            "133" if !self.single && !self.screen.is_full() => {
                // It is no output of the command.
                if let Some(What::Command(command)) = self.running() {
                    command.output_bytes = command.output_bytes.saturating_sub(said.length as u64);
                }
                self.mark(rest, at_ms);
            }
            _ => {}
        }
    }

    fn mark(&mut self, mark: &str, at_ms: u64) {
        let mut words = mark.split(';');
        match words.next() {
            Some("A") => self.ended(at_ms, None),
            Some("B") => {
                self.ended(at_ms, None);
                self.screen.typing_begins(false);
                self.typed_line = None;
            }
            // Two that say it, the shell and a snippet, are one.
            Some("C") if self.marked && self.running.is_some() => {}
            Some("C") => {
                self.ended(at_ms, None);
                self.ran(at_ms, false);
            }
            Some("D") => self.ended(at_ms, words.next().and_then(|status| status.parse().ok())),
            _ => return,
        }
        self.marked = true;
        self.prompted = false;
    }

    /// By the looks of the screen.
    fn guess(&mut self, at_ms: u64) {
        if self.prompted && self.screen.is_fed() {
            self.prompted = false;
            self.ran(at_ms, true);
        }
        if !self.prompted && self.screen.is_at_prompt() {
            self.ended(at_ms, None);
            self.screen.typing_begins(true);
            self.typed_line = None;
            self.prompted = true;
        }
    }

    /// A command begins to run.
    fn ran(&mut self, at_ms: u64, guessed: bool) {
        let text = self.screen.typed().filter(|text| !text.is_empty()).or_else(|| self.typed_line.take());
        // An empty line at a prompt is nothing; a mark always is a command.
        if text.is_some() || !guessed {
            self.running = self.add(at_ms, What::Command(Command { text, guessed, ..Command::default() }));
        }
    }

    /// The command that runs has ended.
    fn ended(&mut self, at_ms: u64, status: Option<u32>) {
        if let Some(What::Command(command) | What::Transfer(command)) = self.running() {
            command.end_ms = Some(at_ms);
            command.status = status;
        }
        self.running = None;
    }

    fn running(&mut self) -> Option<&mut What> {
        self.running.and_then(|at| self.entries.get_mut(at)).map(|entry| &mut entry.what)
    }

    /// Adds an entry; says where it is.
    fn add(&mut self, at_ms: u64, mut what: What) -> Option<usize> {
        if let What::Title(text) | What::Directory(text) | What::Marker(text) | What::Gap(text) = &mut what
            && let Some((cut, _)) = text.char_indices().nth(TEXT)
        {
            text.truncate(cut);
        }
        if self.entries.len() >= ENTRIES {
            self.left_out += 1;
            return None;
        }
        self.entries.push(Entry { at_ms, what });
        Some(self.entries.len() - 1)
    }
}

impl What {
    /// The command that it is.
    pub fn command(&self) -> Option<&Command> {
        match self {
            Self::Command(command) | Self::Transfer(command) => Some(command),
            _ => None,
        }
    }

    /// Whether it takes time.
    pub fn lasts(&self) -> bool {
        matches!(self, Self::Command(_) | Self::Transfer(_) | Self::FullScreen(_))
    }

    /// The word of the document.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Command(_) => "command",
            Self::Transfer(_) => "transfer",
            Self::Title(_) => "title",
            Self::Directory(_) => "directory",
            Self::FullScreen(_) => "full-screen",
            Self::Marker(_) => "marker",
            Self::Gap(_) => "gap",
        }
    }

    /// What it says, as recorded.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Command(command) | Self::Transfer(command) => command.text.clone(),
            Self::Title(text) | Self::Directory(text) | Self::Marker(text) | Self::Gap(text) => Some(text.clone()),
            Self::FullScreen(_) => None,
        }
    }
}

/// A gap in words: `output dropped, 512 bytes (note)`.
fn described(gap: &Gap) -> String {
    let word = |value: serde_json::Result<serde_json::Value>| {
        value.ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
    };
    let mut text = format!("{} {}", word(serde_json::to_value(gap.what)), word(serde_json::to_value(gap.why)));
    if let Some(bytes) = gap.bytes {
        text.push_str(&format!(", {bytes} bytes"));
    }
    if let Some(note) = gap.note.as_ref().filter(|note| !note.is_empty()) {
        text.push_str(&format!(" ({note})"));
    }
    text
}

#[cfg(test)]
mod tests;
