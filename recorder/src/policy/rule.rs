//! `[[rule]]` of the configuration: conditions and effects as they are written, one table a rule.
//!
//! Only their form is known here. What they mean, and whether they can be, is `Policy::new`'s.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::cli::InputMode;
use crate::config::maybe_duration;

/// One value or a list of them; shown as a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Many(pub Vec<String>);

impl<'de> Deserialize<'de> for Many {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Many;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text or a list of texts")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Many, E> {
                Ok(Many(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Many, A::Error> {
                let mut all = Vec::new();
                while let Some(text) = list.next_element()? {
                    all.push(text);
                }
                Ok(Many(all))
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

/// Whether a session that a rule matches may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It begins.
    Allow,
    /// It does not.
    Deny,
}

/// How much of a session is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Record {
    /// Output, and input as the input mode says.
    Full,
    /// Output only.
    Output,
    /// That it began and how it ended; no content.
    Events,
    /// Nothing.
    None,
}

impl Record {
    /// The word of the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Output => "output",
            Self::Events => "events",
            Self::None => "none",
        }
    }
}

/// One `[[rule]]`. All conditions that are given must hold; of a condition's values one.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RuleTable {
    /// What it is called; `rule N` where it has no name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Condition: names of users; `*` stands for any characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<Many>,
    /// Condition: names of groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Many>,
    /// Condition: networks the session comes from, or `local`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Many>,
    /// Condition: `interactive`, `exec`, `transfer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Many>,
    /// Condition: `key=value` of the host's labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<Many>,
    /// Condition: the program of the command line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Many>,
    /// Condition: ranges of hours, local time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hour: Option<Many>,
    /// Condition: days of the week.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<Many>,
    /// Whether the session may begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// What the user is told on a denial.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How much is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<Record>,
    /// Whether typed input is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<InputMode>,
    /// The shell that is started in place of the user's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shell: Option<PathBuf>,
    /// Whether the shell is started so that it marks its commands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shell_marks: Option<bool>,
    /// Names of environment variables to record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<Vec<String>>,
    /// What the terminal shows first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub banner: Option<String>,
    /// The session ends after this long without input, or, where none is recorded, without output.
    #[serde(with = "maybe_duration", skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<Duration>,
    /// The session ends after this long.
    #[serde(with = "maybe_duration", skip_serializing_if = "Option::is_none")]
    pub max_duration: Option<Duration>,
    /// The sinks that take the recording, of those that are configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sinks: Option<Vec<String>>,
    /// Labels of the session, beside those of the host.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}
