//! What is typed in the status line: a time to go to, or a text to search for.
//!
//! Not for what is done with it: `player`.

use super::keys::Key;

/// Characters that are taken: more fits in no status line.
const LONGEST: usize = 200;

/// Which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    Time,
    Text,
}

/// A line being typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    kind: For,
    text: String,
}

/// What a key made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// It goes on.
    More,
    /// It was given up.
    Left,
    /// An event time, in milliseconds.
    Time(u64),
    /// A text; empty: the last one again.
    Text(String),
    /// It is no time; what to say.
    Wrong(String),
}

impl Prompt {
    /// For a time.
    pub fn time() -> Self {
        Self { kind: For::Time, text: String::new() }
    }

    /// For a text.
    pub fn text() -> Self {
        Self { kind: For::Text, text: String::new() }
    }

    /// What to show; its text is the reviewer's own and not escaped.
    pub fn shown(&self) -> String {
        match self.kind {
            For::Time => format!("go to (1:02:03, 2:03 or seconds): {}_", self.text),
            For::Text => format!("search: {}_", self.text),
        }
    }

    /// Takes a key.
    pub fn key(&mut self, key: Key) -> Typed {
        match key {
            Key::Char(ch) if self.text.chars().count() < LONGEST => self.text.push(ch),
            Key::Erase if self.text.pop().is_none() => return Typed::Left,
            Key::Cancel => return Typed::Left,
            Key::Enter => {
                let text = std::mem::take(&mut self.text);
                return match self.kind {
                    For::Text => Typed::Text(text),
                    For::Time if text.is_empty() => Typed::Left,
                    For::Time => match crate::cli::duration(text.trim()) {
                        Ok(to) => Typed::Time(u64::try_from(to.as_millis()).unwrap_or(u64::MAX)),
                        Err(form) => Typed::Wrong(format!("no time: the form is {form}")),
                    },
                };
            }
            _ => {}
        }
        Typed::More
    }
}
