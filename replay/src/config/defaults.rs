//! What a command does where its options are not given: one table a command, its keys named as the options.
//!
//! Read by hand, through the parsers of the command line: what is no speed there is none here, and a mistake is told with
//! the key that it stands behind. Not for what holds if neither says anything: that is in `cmd`.

use std::time::Duration;

use clap::ValueEnum as _;
use toml::{Table, Value};

use super::{Mistake, only};
use crate::cli::{self, Colour};

/// The tables, and the keys of each.
const TABLES: [(&str, &[&str]); 5] = [
    ("grep", &["context", "ignore_case", "no_cache"]),
    ("ls", &["long"]),
    ("play", &["idle_limit", "no_cache", "quit_at_end", "speed"]),
    ("tail", &["interval", "last", "lines"]),
    ("verify", &["strict"]),
];

/// Options that are not given.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Defaults {
    /// `--color`.
    pub color: Option<Colour>,
    /// Of `grep`.
    pub grep: Grep,
    /// Of `ls`.
    pub ls: Ls,
    /// Of `play`.
    pub play: Play,
    /// Of `tail`.
    pub tail: Tail,
    /// Of `verify`.
    pub verify: Verify,
}

/// Of `grep`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grep {
    /// `--context`.
    pub context: Option<usize>,
    /// `--ignore-case`.
    pub ignore_case: Option<bool>,
    /// `--no-cache`.
    pub no_cache: Option<bool>,
}

/// Of `ls`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ls {
    /// `--long`.
    pub long: Option<bool>,
}

/// Of `play`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Play {
    /// `--idle-limit`.
    pub idle_limit: Option<Duration>,
    /// `--no-cache`.
    pub no_cache: Option<bool>,
    /// `--quit-at-end`.
    pub quit_at_end: Option<bool>,
    /// `--speed`.
    pub speed: Option<f64>,
}

/// Of `tail`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tail {
    /// `--interval`.
    pub interval: Option<Duration>,
    /// `--last`.
    pub last: Option<usize>,
    /// `--lines`.
    pub lines: Option<bool>,
}

/// Of `verify`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verify {
    /// `--strict`.
    pub strict: Option<bool>,
}

impl Defaults {
    /// The names of the tables, and `color`.
    pub fn keys() -> impl Iterator<Item = &'static str> {
        TABLES.iter().map(|(name, _)| *name).chain(["color"])
    }

    /// Reads them out of a whole configuration.
    pub fn read(config: &Table) -> Result<Self, Mistake> {
        for (name, keys) in TABLES {
            match config.get(name) {
                Some(Value::Table(table)) => only(table, &format!("{name}."), keys)?,
                Some(_) => return Err((format!("`{name}` is no table"), None)),
                None => {}
            }
        }
        Ok(Self {
            color: get(config, "", "color", colour)?,
            grep: Grep {
                context: get(config, "grep", "context", count)?,
                ignore_case: get(config, "grep", "ignore_case", yes_or_no)?,
                no_cache: get(config, "grep", "no_cache", yes_or_no)?,
            },
            ls: Ls { long: get(config, "ls", "long", yes_or_no)? },
            play: Play {
                idle_limit: get(config, "play", "idle_limit", |value| text(value, cli::duration))?,
                no_cache: get(config, "play", "no_cache", yes_or_no)?,
                quit_at_end: get(config, "play", "quit_at_end", yes_or_no)?,
                speed: get(config, "play", "speed", |value| text(value, cli::speed))?,
            },
            tail: Tail {
                interval: get(config, "tail", "interval", |value| text(value, cli::interval))?,
                last: get(config, "tail", "last", count)?,
                lines: get(config, "tail", "lines", yes_or_no)?,
            },
            verify: Verify { strict: get(config, "verify", "strict", yes_or_no)? },
        })
    }
}

/// What stands at a key of a table (or of the file itself), if anything does.
fn get<T>(
    config: &Table,
    table: &str,
    key: &str,
    read: impl FnOnce(&Value) -> Result<T, String>,
) -> Result<Option<T>, Mistake> {
    let (place, name) = match table {
        "" => (Some(config), key.to_owned()),
        _ => (config.get(table).and_then(Value::as_table), format!("{table}.{key}")),
    };
    let Some(value) = place.and_then(|place| place.get(key)) else { return Ok(None) };
    read(value)
        .map(Some)
        .map_err(|form| (format!("`{name}` is {value}, which it cannot be"), Some(format!("it is {form}"))))
}

fn yes_or_no(value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| "true or false".into())
}

fn count(value: &Value) -> Result<usize, String> {
    value.as_integer().and_then(|n| usize::try_from(n).ok()).ok_or_else(|| "a number from 0".into())
}

/// A number, or a text, as the command line takes it.
fn text<T>(value: &Value, parse: fn(&str) -> Result<T, String>) -> Result<T, String> {
    match value {
        Value::String(text) => parse(text),
        value => parse(&value.to_string()),
    }
}

fn colour(value: &Value) -> Result<Colour, String> {
    let word = value.as_str().and_then(|word| Colour::from_str(word, false).ok());
    word.ok_or_else(|| "\"auto\", \"always\" or \"never\"".into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Colour;
    use crate::config::Config;

    #[test]
    fn each_key_is_read_as_its_option_is() {
        let text = "color = \"never\"\n[play]\nspeed = 2\nidle_limit = \"1:30\"\nquit_at_end = true\nno_cache = false\n\
            [ls]\nlong = true\n[tail]\ninterval = 0.5\nlast = 50\nlines = true\n[verify]\nstrict = true\n\
            [grep]\ncontext = 3\nignore_case = true\nno_cache = true\n";
        let defaults = Config::parse(text).unwrap().defaults;
        assert_eq!(defaults.color, Some(Colour::Never));
        assert_eq!(defaults.grep.no_cache, Some(true));
        assert_eq!((defaults.play.speed, defaults.play.idle_limit), (Some(2.0), Some(Duration::from_secs(90))));
        assert_eq!((defaults.play.quit_at_end, defaults.play.no_cache), (Some(true), Some(false)));
        assert_eq!((defaults.ls.long, defaults.verify.strict), (Some(true), Some(true)));
        assert_eq!((defaults.tail.interval, defaults.tail.last), (Some(Duration::from_millis(500)), Some(50)));
        assert_eq!((defaults.tail.lines, defaults.grep.context), (Some(true), Some(3)));
        assert_eq!(Config::parse("").unwrap().defaults, super::Defaults::default());
    }

    #[test]
    fn a_mistake_is_told_with_its_key() {
        for (text, message, hint) in [
            ("[play]\nsped = 2", "unknown key `play.sped`", "did you mean `play.speed`"),
            (
                "[play]\nzzzzzzzz = 2",
                "unknown key `play.zzzzzzzz`",
                "the keys are: idle_limit, no_cache, quit_at_end, speed",
            ),
            ("[plya]\nspeed = 2", "unknown key `plya`", "did you mean `play`"),
            ("[play]\nspeed = 5000", "`play.speed` is 5000, which it cannot be", "it is a number from 0.01 to 1000"),
            (
                "[play]\nidle_limit = -1",
                "`play.idle_limit` is -1, which it cannot be",
                "it is seconds, M:SS or H:MM:SS",
            ),
            ("[tail]\ninterval = 0.01", "`tail.interval` is 0.01, which it cannot be", "it is 0.1 seconds or more"),
            ("[tail]\nlast = \"all\"", "`tail.last` is \"all\", which it cannot be", "it is a number from 0"),
            ("[ls]\nlong = 1", "`ls.long` is 1, which it cannot be", "it is true or false"),
            ("color = \"red\"", "`color` is \"red\", which it cannot be", "it is \"auto\", \"always\" or \"never\""),
        ] {
            let (said, what_to_do) = Config::parse(text).unwrap_err();
            assert_eq!((said.as_str(), what_to_do.as_deref()), (message, Some(hint)), "{text}");
        }
        assert_eq!(Config::parse("play = 2").unwrap_err().0, "`play` is no table");
    }
}
