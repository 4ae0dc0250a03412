//! The reviewer's configuration: `replay.toml`, and where identities and known chains lie.
//!
//! Unknown keys are errors that name the nearest known one. Not for the command line: `context` joins the two.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use hansard_schemas::ChainId;
use serde::Deserialize;

use crate::report::Failure;

mod defaults;

pub use self::defaults::Defaults;

/// Keys beside those of [`Defaults`].
const KEYS: [&str; 5] = ["audit", "from", "hosts", "identities", "stores"];
const AUDIT: [&str; 2] = ["events", "required"];

/// What is wrong, and what to do.
type Mistake = (String, Option<String>);

/// What `replay.toml` says.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Config {
    /// The store that is read when none is named: an address or one of `stores`.
    pub from: Option<String>,
    /// Identity files.
    pub identities: Vec<PathBuf>,
    /// Names for addresses.
    pub stores: BTreeMap<String, String>,
    /// Host chains that are believed, by the host's name: as `keys trust` pins them.
    pub hosts: BTreeMap<String, ChainId>,
    /// Who is told of what is looked at.
    pub audit: Audit,
    /// Options that are not given.
    #[serde(skip)]
    pub defaults: Defaults,
}

/// Who is told of what is looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Audit {
    /// Addresses of places that take events: webhooks, topics, buckets, files.
    pub events: Vec<String>,
    /// Nothing is shown unless all of them have taken the event.
    pub required: bool,
}

impl Config {
    /// Reads the text of a configuration. `Err` is what is wrong, and what to do.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        let table: toml::Table =
            toml::from_str(text).map_err(|e| (e.to_string().trim_end().replace('\n', " "), None))?;
        let mut keys: Vec<&str> = KEYS.into_iter().chain(Defaults::keys()).collect();
        keys.sort_unstable();
        only(&table, "", &keys)?;
        if let Some(toml::Value::Table(audit)) = table.get("audit") {
            only(audit, "audit.", &AUDIT)?;
        }
        let defaults = Defaults::read(&table)?;
        let config: Self = table.try_into().map_err(|e: toml::de::Error| (e.message().to_owned(), None))?;
        let config = Self { defaults, ..config };
        if let Some(name) = config.stores.keys().find(|name| name.is_empty() || name.contains([':', '/'])) {
            return Err((format!("`{name}` cannot be the name of a store: it has a colon or slash"), None));
        }
        if config.audit.required && config.audit.events.is_empty() {
            let hint = "name the places that are told under `audit.events`, or leave `audit.required` out";
            return Err(("`audit.required` is set, and `audit.events` names no place".into(), Some(hint.into())));
        }
        Ok(config)
    }

    /// Reads a file. One that was not asked for may be missing.
    pub fn load(path: &Path, asked: bool) -> Result<Self, Failure> {
        let name = path.display();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && !asked => return Ok(Self::default()),
            Err(e) => return Err(Failure::usage(format!("{name}: cannot read the configuration: {e}"))),
        };
        Self::parse(&text).map_err(|(message, hint)| {
            let failure = Failure::usage(format!("{name}: {message}"));
            match hint {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        })
    }

    /// The address that a name, or an address, stands for.
    pub fn resolve(&self, name: &str) -> Result<String, Failure> {
        if name.contains([':', '/']) {
            return Ok(name.into());
        }
        if let Some(address) = self.stores.get(name) {
            return Ok(address.clone());
        }
        let names: Vec<&str> = self.stores.keys().map(String::as_str).collect();
        let failure = Failure::usage(format!("no store is called `{name}`"));
        Err(match nearest(name, &names) {
            Some(near) => failure.hint(format!("did you mean `{near}`")),
            None if names.is_empty() => {
                failure.hint("give an address such as file:///srv/hansard, or name it under [stores] in replay.toml")
            }
            None => failure.hint(format!("the stores are: {}", names.join(", "))),
        })
    }
}

/// Refuses keys that a table does not have.
fn only(table: &toml::Table, begin: &str, keys: &[&str]) -> Result<(), Mistake> {
    let Some(key) = table.keys().find(|key| !keys.contains(&key.as_str())) else { return Ok(()) };
    let hint = match nearest(key, keys) {
        Some(near) => format!("did you mean `{begin}{near}`"),
        None => format!("the keys are: {}", keys.join(", ")),
    };
    Err((format!("unknown key `{begin}{key}`"), Some(hint)))
}

/// The known word most like `word`, if one is like it at all.
fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let near = known.iter().map(|k| (strsim::damerau_levenshtein(word, k), *k)).min()?;
    (near.0 <= 1 + word.chars().count() / 3).then_some(near.1)
}

/// Where things lie, after the XDG rules: a relative or empty variable counts as unset.
#[derive(Debug, Clone)]
pub struct Places {
    /// `~/.config/hansard`.
    pub config: Option<PathBuf>,
    /// `~/.local/share/hansard`, where an unconfigured recorder stores.
    pub data: Option<PathBuf>,
    /// `~/.cache/hansard`, for what can be made again.
    pub cache: Option<PathBuf>,
}

impl Places {
    /// From the environment.
    pub fn from_env() -> Self {
        Self::new(|name| std::env::var_os(name))
    }

    fn new(var: impl Fn(&str) -> Option<OsString>) -> Self {
        let absolute = |name: &str| var(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let home = absolute("HOME");
        let place = |name: &str, below: &str| {
            absolute(name).or_else(|| home.as_ref().map(|home| home.join(below))).map(|path| path.join("hansard"))
        };
        Self {
            config: place("XDG_CONFIG_HOME", ".config"),
            data: place("XDG_DATA_HOME", ".local/share"),
            cache: place("XDG_CACHE_HOME", ".cache"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, Places};

    #[test]
    fn a_configuration_is_read() {
        let text = "from = \"prod\"\nidentities = [\"/k.txt\"]\n[stores]\nprod = \"file:///srv/h\"\n";
        let config = Config::parse(text).unwrap();
        assert_eq!(config.resolve("prod").unwrap(), "file:///srv/h");
        assert_eq!(config.resolve("/plain").unwrap(), "/plain");
        assert_eq!(config.identities, [std::path::PathBuf::from("/k.txt")]);
    }

    #[test]
    fn unknown_keys_and_stores_name_the_nearest() {
        let (message, hint) = Config::parse("identites = []").unwrap_err();
        assert_eq!((message.as_str(), hint.as_deref()), ("unknown key `identites`", Some("did you mean `identities`")));
        let (_, hint) = Config::parse("zzzzzzzz = 1").unwrap_err();
        assert_eq!(
            hint.as_deref(),
            Some("the keys are: audit, color, from, grep, hosts, identities, ls, play, stores, tail, verify")
        );
        let (message, hint) = Config::parse("[audit]\nrequire = true").unwrap_err();
        assert_eq!(message, "unknown key `audit.require`");
        assert_eq!(hint.as_deref(), Some("did you mean `audit.required`"));
        let config = Config::parse("[stores]\nprod = \"file:///x\"").unwrap();
        let failure = config.resolve("prd").unwrap_err();
        assert_eq!(failure.hint.as_deref(), Some("did you mean `prod`"));
        for bad in [
            "from = 1",
            "stores = []",
            "[stores]\n\"a/b\" = \"x\"",
            "from",
            "from = \"a\"\nfrom = \"b\"",
            "[audit]\nrequired = true",
            "[hosts]\nweb1 = \"abc\"",
        ] {
            assert!(Config::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn places_follow_xdg_and_ignore_relative_ones() {
        let places = Places::new(|name| match name {
            "HOME" => Some("/home/u".into()),
            "XDG_CONFIG_HOME" => Some("relative".into()),
            "XDG_DATA_HOME" => Some("/data".into()),
            _ => None,
        });
        assert_eq!(places.config.unwrap().to_str(), Some("/home/u/.config/hansard"));
        assert_eq!(places.data.unwrap().to_str(), Some("/data/hansard"));
        assert_eq!(places.cache.unwrap().to_str(), Some("/home/u/.cache/hansard"));
    }
}
