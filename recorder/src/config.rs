//! The configuration file: one TOML document, every key known, bounded and shown by `check`.
//!
//! Command-line flags win over the file, the file over the defaults. Not for first-use decisions: `first_use`.

mod agent;
mod interactive;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::agent::{Agent, needs_restart};
pub use self::interactive::Interactive;

use crate::cli::{InputMode, PlaceArgs};
use crate::destinations::SinkTable;
use crate::paths;
use crate::policy::{Policy, RuleTable};
use crate::report::{Failure, io};

/// Names of environment variables that a recording may hold; nothing else is read.
pub const ENV_ALLOWED: &[&str] = &["TERM", "LANG", "LC_ALL", "SHELL", "TZ", "COLORTERM"];

/// The effective configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Store addresses.
    pub to: Vec<String>,
    /// Store addresses with their options as tables.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sink: Vec<SinkTable>,
    /// Addresses that lifecycle events go to, beside the stores.
    pub notify: Vec<String>,
    /// Public keys of reviewers.
    pub recipients: Vec<String>,
    /// A file of such keys.
    pub recipients_file: Option<PathBuf>,
    /// Labels of every session.
    pub labels: BTreeMap<String, String>,
    /// Names of environment variables to record.
    pub env: Vec<String>,
    /// Typed input.
    pub input: Input,
    /// Sessions on a terminal.
    pub interactive: Interactive,
    /// Sessions without a terminal.
    pub exec: Exec,
    /// The journal on disk.
    pub journal: Journal,
    /// The spool directory.
    pub spool: Spool,
    /// Delivery.
    pub ship: Ship,
    /// Lifecycle events.
    pub events: Events,
    /// The daemon.
    pub agent: Agent,
    /// Rules of the agent's policy, in order; a recorder without an agent has none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rule: Vec<RuleTable>,
}

/// `[events]`. They are not encrypted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Events {
    /// Whether they hold the command and its arguments, which may be secrets.
    pub command: bool,
}

/// `[input]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Input {
    /// Whether typed input is recorded.
    pub mode: InputMode,
    /// Regular expressions over the last line of output; a match masks input. Case does not matter.
    pub prompt_patterns: Vec<String>,
}

/// `[exec]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Exec {
    /// Bytes of each stream that are recorded whole; then tail, length and SHA-256.
    pub stream_limit: u64,
}

/// `[journal]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Journal {
    /// How often what is written is made durable; bounds what a power failure takes.
    #[serde(with = "duration")]
    pub sync_interval: Duration,
    /// After how long a write that does not return is shown to the user.
    #[serde(with = "duration")]
    pub stall: Duration,
    /// Stored size at which a segment closes.
    pub max_segment: u64,
    /// zstd level of bulk output, 1 to 19.
    pub level: i32,
}

/// What happens when the spool is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Full {
    /// Running sessions wait, visibly; new ones do not start.
    Block,
    /// Running sessions go on over the quota; new ones do not start.
    RefuseNew,
    /// Output is shown and not recorded; a gap says how much.
    DropWithGap,
}

/// `[spool]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Spool {
    /// The directory.
    pub dir: Option<PathBuf>,
    /// Most bytes it may hold.
    pub quota: u64,
    /// What happens then.
    pub full: Full,
    /// Bytes kept free for each session, so that it can be closed on a full disk.
    pub reserve: u64,
}

/// `[ship]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ship {
    /// Age at which a segment closes and travels; on object stores 30 s after a session's first minute, unless the
    /// address has an `interval` of its own.
    #[serde(with = "duration")]
    pub interval: Duration,
    /// How long the end of a session waits for delivery.
    #[serde(with = "duration")]
    pub final_wait: Duration,
    /// Delivery that is later than this is told, to the user and as an event.
    #[serde(with = "duration")]
    pub behind: Duration,
    /// Output is held while delivery to a required sink is later than this; never, where it is not given.
    #[serde(with = "maybe_duration", skip_serializing_if = "Option::is_none")]
    pub max_lag: Option<Duration>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            to: Vec::new(),
            sink: Vec::new(),
            notify: Vec::new(),
            recipients: Vec::new(),
            recipients_file: None,
            labels: BTreeMap::new(),
            env: ENV_ALLOWED.iter().map(ToString::to_string).collect(),
            input: Input::default(),
            interactive: Interactive::default(),
            exec: Exec::default(),
            journal: Journal::default(),
            spool: Spool::default(),
            ship: Ship::default(),
            events: Events::default(),
            agent: Agent::default(),
            rule: Vec::new(),
        }
    }
}

impl Default for Input {
    fn default() -> Self {
        Self {
            mode: InputMode::Off,
            prompt_patterns: [
                r"pass(word|phrase|code)\b[^\n]*[:：>]\s*$",
                r"\b(pin|otp|token|verification code|one-time code)\b[^\n]*[:：>]\s*$",
                r"(contraseña|mot de passe|passwort|kennwort|senha|パスワード|密码|密碼|пароль)[^\n]*[:：>]\s*$",
            ]
            .map(String::from)
            .to_vec(),
        }
    }
}

impl Default for Exec {
    fn default() -> Self {
        Self { stream_limit: 64 << 20 }
    }
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            sync_interval: Duration::from_secs(1),
            stall: Duration::from_secs(5),
            max_segment: hansard_schemas::limits::SEGMENT_DEFAULT,
            level: 3,
        }
    }
}

impl Default for Spool {
    fn default() -> Self {
        // 10 GiB: days of busy sessions while a store is away; small beside a system disk.
        // 512 KiB: the pending block, the exit line, the footer and the trailer, with room.
        Self { dir: None, quota: 10 << 30, full: Full::Block, reserve: 512 << 10 }
    }
}

impl Default for Ship {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(5),
            final_wait: Duration::from_secs(10),
            behind: Duration::from_secs(60),
            max_lag: None,
        }
    }
}

mod duration {
    //! Durations as people write them: `5s`, `1m 30s`.
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(*value))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text).map_err(|e| de::Error::custom(format_args!("{text:?} is no duration: {e}")))
    }
}

pub(crate) mod maybe_duration {
    //! The same, where none is a value.
    use std::time::Duration;

    use serde::{Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => super::duration::serialize(value, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        super::duration::deserialize(deserializer).map(Some)
    }
}

/// Reads a configuration from its text. `Err` says what is wrong and, for an unknown key, which known one is nearest.
pub fn parse(text: &str) -> Result<Config, (String, Option<String>)> {
    let config: Config = toml::from_str(text).map_err(|e| {
        let message = e.message().to_string();
        let line = e.span().map_or(0, |s| text[..s.start.min(text.len())].matches('\n').count() + 1);
        (format!("line {line}: {message}"), nearest(&message))
    })?;
    config.validate().map_err(|message| (message, None))?;
    Ok(config)
}

/// `unknown field `x`, expected one of `a`, `b`` names what is known; picks the nearest.
fn nearest(message: &str) -> Option<String> {
    let rest = message.strip_prefix("unknown field `")?;
    let (unknown, known) = rest.split_once('`')?;
    known
        .split('`')
        .skip(1)
        .step_by(2)
        .max_by(|a, b| strsim::jaro_winkler(unknown, a).total_cmp(&strsim::jaro_winkler(unknown, b)))
        .map(|known| format!("the nearest known key is `{known}`"))
}

impl Config {
    fn validate(&self) -> Result<(), String> {
        let bounded = |name: &str, value: Duration, low: u64, high: u64| {
            let ms = value.as_millis();
            (u128::from(low)..=u128::from(high)).contains(&ms).then_some(()).ok_or_else(|| {
                format!("{name} is {}: it must be from {low} ms to {high} ms", humantime::format_duration(value))
            })
        };
        bounded("journal.sync_interval", self.journal.sync_interval, 10, 60_000)?;
        bounded("journal.stall", self.journal.stall, 100, 600_000)?;
        bounded("ship.interval", self.ship.interval, 100, 3_600_000)?;
        bounded("ship.final_wait", self.ship.final_wait, 0, 3_600_000)?;
        bounded("ship.behind", self.ship.behind, 1_000, 86_400_000)?;
        if let Some(max_lag) = self.ship.max_lag {
            bounded("ship.max_lag", max_lag, 1_000, 86_400_000)?;
        }
        let size = |name: &str, value: u64, low: u64, high: u64| {
            (low..=high)
                .contains(&value)
                .then_some(())
                .ok_or_else(|| format!("{name} is {value}: it must be from {low} to {high} bytes"))
        };
        size("journal.max_segment", self.journal.max_segment, 64 << 10, 64 << 20)?;
        size("spool.quota", self.spool.quota, 1 << 20, u64::MAX)?;
        size("exec.stream_limit", self.exec.stream_limit, 64 << 10, u64::MAX)?;
        // Half of it must hold the tails of three streams, all of it the largest block besides.
        size("spool.reserve", self.spool.reserve, 512 << 10, 64 << 20)?;
        if !(1..=19).contains(&self.journal.level) {
            return Err(format!("journal.level is {}: it must be from 1 to 19", self.journal.level));
        }
        self.agent.validate()?;
        self.interactive.validate()?;
        crate::capture::masking::Prompts::new(&self.input.prompt_patterns)?;
        Policy::new(self).map(drop)
    }

    /// The configuration that these flags name, or the first of the usual files that exists, or the defaults.
    pub fn load(place: &PlaceArgs) -> Result<(Self, Option<PathBuf>), Failure> {
        let found = match &place.config {
            Some(path) => Some(path.clone()),
            None => paths::config_dir()
                .ok()
                .map(|dir| dir.join("record.toml"))
                .into_iter()
                .chain([PathBuf::from(paths::SYSTEM_CONFIG)])
                .find(|path| path.exists()),
        };
        let mut config = match &found {
            Some(path) => Self::read(path)?,
            None => Self::default(),
        };
        if let Some(dir) = &place.spool {
            config.spool.dir = Some(dir.clone());
        }
        Ok((config, found))
    }

    fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(io("read the configuration", path))?;
        parse(&text).map_err(|(what, hint)| {
            let failure = Failure::new(format_args!("{}: {what}", path.display()));
            failure.hint(
                hint.unwrap_or_else(|| {
                    "correct the file; `hansard-record check` shows the effective configuration".into()
                }),
            )
        })
    }

    /// The spool directory: configured, or the user's own.
    pub fn spool_dir(&self) -> Result<PathBuf, Failure> {
        match &self.spool.dir {
            Some(dir) => std::path::absolute(dir).map_err(io("resolve", dir)),
            None => paths::spool_dir(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_name_the_nearest() {
        let (what, hint) = parse("[ship]\nintervall = \"5s\"\n").unwrap_err();
        assert!(what.starts_with("line 2: unknown field `intervall`"), "{what}");
        assert_eq!(hint.as_deref(), Some("the nearest known key is `interval`"));
        let (_, hint) = parse("recipient = []\n").unwrap_err();
        assert_eq!(hint.as_deref(), Some("the nearest known key is `recipients`"));
    }

    #[test]
    fn values_are_bounded() {
        for bad in [
            "[ship]\ninterval = \"0s\"",
            "[journal]\nlevel = 99",
            "[journal]\nmax_segment = 1",
            "[input]\nprompt_patterns = ['(']",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(parse("").is_ok());
    }
}
