//! How `grep` prints what it found: for people, or as JSON lines.

use std::io::{self, BufWriter, StdoutLock, Write};

use hansard_schemas::SessionId;
use hansard_schemas::names::safe;
use serde_json::json;

use super::grep::Searched;
use crate::cli::Grep;
use crate::report::json_line;
use crate::search::session::{Match, Place, Wanted};
use crate::wall::clock;

const BOLD_RED: &str = "\u{1b}[1;31m";
const MAGENTA: &str = "\u{1b}[35m";
const FAINT: &str = "\u{1b}[2m";
const RESET: &str = "\u{1b}[0m";

/// Prints sessions one after the other.
pub(super) struct Printer<'a> {
    out: BufWriter<StdoutLock<'a>>,
    args: &'a Grep,
    wanted: &'a Wanted,
    colour: bool,
    /// Whether something was printed that the next session is to stand apart from.
    apart: bool,
}

impl<'a> Printer<'a> {
    pub fn new(out: BufWriter<StdoutLock<'a>>, args: &'a Grep, wanted: &'a Wanted, colour: bool) -> Self {
        Self { out, args, wanted, colour, apart: false }
    }

    /// Prints what was found in a session.
    pub fn session(&mut self, id: SessionId, searched: &Searched) -> io::Result<()> {
        let count = searched.found.count;
        let json = self.args.json;
        if self.args.count {
            match json {
                true => writeln!(self.out, "{}", json_line(&json!({"session": id, "count": count})))?,
                false => writeln!(self.out, "{id} {count}")?,
            }
        } else if self.args.sessions && count > 0 {
            match json {
                true => writeln!(self.out, "{}", json_line(&json!({"session": id})))?,
                false => writeln!(self.out, "{id}")?,
            }
        } else if json {
            for one in &searched.found.matches {
                writeln!(self.out, "{}", json_line(&self.document(id, searched, one)))?;
            }
        } else if !searched.found.matches.is_empty() {
            self.text(id, searched)?;
        }
        // The next session may take long.
        self.out.flush()
    }

    /// All has been printed.
    pub fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn text(&mut self, id: SessionId, searched: &Searched) -> io::Result<()> {
        if std::mem::replace(&mut self.apart, true) {
            writeln!(self.out)?;
        }
        let who = searched.who.as_ref().map(|(host, user)| format!("  {}@{}", safe(user), safe(host)));
        let heading = self.paint(MAGENTA, &id.to_string());
        writeln!(self.out, "{heading}{}", who.unwrap_or_default())?;
        let (before, after) = (self.wanted.before, self.wanted.after);
        for (number, one) in searched.found.matches.iter().enumerate() {
            if number > 0 && before + after > 0 {
                writeln!(self.out, "--")?;
            }
            for line in &one.before {
                writeln!(self.out, "  {}", self.paint(FAINT, &safe(line)))?;
            }
            let place = if one.place == Place::FullScreen { "full-screen  " } else { "" };
            let (event, wall) = (clock(one.at_ms), searched.wall.at(one.at_ms).map(|time| time.to_string()));
            writeln!(self.out, "{event}  {}  {place}{}", wall.unwrap_or_default(), self.line(&one.text))?;
            for line in &one.after {
                writeln!(self.out, "  {}", self.paint(FAINT, &safe(line)))?;
            }
            writeln!(self.out, "    {}", self.paint(FAINT, &self.play(id, one.at_ms)))?;
        }
        Ok(())
    }

    /// The line, what matches in it in colour.
    fn line(&self, text: &str) -> String {
        if !self.colour {
            return safe(text);
        }
        let (mut line, mut at) = (String::new(), 0);
        for (start, end) in self.wanted.pattern.spans(text) {
            line.push_str(&safe(text.get(at..start).unwrap_or_default()));
            line.push_str(&self.paint(BOLD_RED, &safe(text.get(start..end).unwrap_or_default())));
            at = end;
        }
        line + &safe(text.get(at..).unwrap_or_default())
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colour { format!("{colour}{text}{RESET}") } else { text.to_owned() }
    }

    fn document(&self, id: SessionId, searched: &Searched, one: &Match) -> serde_json::Value {
        let who = searched.who.as_ref();
        json!({
            "session": id,
            "host": who.map(|(host, _)| host),
            "user": who.map(|(_, user)| user),
            "time_ms": one.at_ms,
            "time": searched.wall.at(one.at_ms),
            "place": one.place.word(),
            "text": one.text,
            "spans": self.wanted.pattern.spans(&one.text),
            "before": one.before,
            "after": one.after,
            "play": self.play(id, one.at_ms),
        })
    }

    /// The command that opens the session there.
    fn play(&self, id: SessionId, at_ms: u64) -> String {
        let from = self.args.store.from.as_ref().map(|from| format!(" --from {}", quoted(from))).unwrap_or_default();
        let force = if self.args.force { " --force" } else { "" };
        format!("hansard-replay play {id} --start-at {}.{:03}{from}{force}", at_ms / 1000, at_ms % 1000)
    }
}

/// As a shell reads it.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/:._-+=@%,".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        safe(text)
    } else {
        format!("'{}'", safe(&text.replace('\'', "'\\''")))
    }
}
