//! The effects of a rule, understood: what is allowed, and with what.
//!
//! Everything that cannot be is refused when the configuration is read: a session's start is no time to find out.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use hansard_schemas::names::safe;
use hansard_sinks::Address;

use super::rule::{Action, Record, RuleTable};
use crate::cli::InputMode;

/// Shortest and longest limit on a session. Shorter ones end it before a warning could be read; longer ones are none.
const LIMIT: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(30 * 86_400);
/// Most bytes of a text that is shown to the user: one screen.
const TEXT_MAX: usize = 4096;

/// What happens to a session that the rule matches.
#[derive(Debug, Clone)]
pub(super) enum Effect {
    Deny { message: Option<String> },
    Allow(Box<Allowed>),
}

/// With what a session begins; what is not given is as without rules.
#[derive(Debug, Clone)]
pub(super) struct Allowed {
    pub record: Record,
    pub input: Option<InputMode>,
    pub shell: Option<PathBuf>,
    pub shell_marks: Option<bool>,
    pub env: Option<Vec<String>>,
    pub banner: Option<String>,
    pub idle_timeout: Option<Duration>,
    pub max_duration: Option<Duration>,
    pub labels: BTreeMap<String, String>,
    pub sinks: Option<Vec<String>>,
}

impl Effect {
    /// `configured` are the addresses of all sinks.
    pub(super) fn new(rule: &RuleTable, configured: &[Address]) -> Result<Self, String> {
        match rule.action {
            None => Err("action is not given: write action = \"allow\" or action = \"deny\"".into()),
            Some(Action::Deny) => denied(rule),
            Some(Action::Allow) => allowed(rule, configured),
        }
    }
}

fn denied(rule: &RuleTable) -> Result<Effect, String> {
    let given = [
        ("record", rule.record.is_some()),
        ("input", rule.input.is_some()),
        ("shell", rule.shell.is_some()),
        ("shell_marks", rule.shell_marks.is_some()),
        ("env", rule.env.is_some()),
        ("banner", rule.banner.is_some()),
        ("idle_timeout", rule.idle_timeout.is_some()),
        ("max_duration", rule.max_duration.is_some()),
        ("labels", !rule.labels.is_empty()),
        ("sinks", rule.sinks.is_some()),
    ];
    if let Some((key, _)) = given.into_iter().find(|(_, given)| *given) {
        return Err(format!(
            "{key} is given beside action = \"deny\": a session that does not begin has none; leave it out"
        ));
    }
    let message = rule.message.as_deref().map(|message| shown("message", message)).transpose()?;
    Ok(Effect::Deny { message })
}

fn allowed(rule: &RuleTable, configured: &[Address]) -> Result<Effect, String> {
    if rule.message.is_some() {
        return Err("message is given beside action = \"allow\": it is shown on a denial; write banner".into());
    }
    if let Some(shell) = rule.shell.as_ref().filter(|shell| !is_whole(shell)) {
        return Err(format!("shell is {shell:?}: it must be an absolute path"));
    }
    if let Some(name) = rule.env.iter().flatten().find(|name| !is_variable(name)) {
        return Err(format!("env: {name:?} is no name of an environment variable"));
    }
    if rule.labels.contains_key("") {
        return Err("labels has one without a name".into());
    }
    Ok(Effect::Allow(Box::new(Allowed {
        record: rule.record.unwrap_or(Record::Full),
        input: rule.input,
        shell: rule.shell.clone(),
        shell_marks: rule.shell_marks,
        env: rule.env.clone(),
        banner: rule.banner.as_deref().map(|banner| shown("banner", banner)).transpose()?,
        idle_timeout: limited("idle_timeout", rule.idle_timeout)?,
        max_duration: limited("max_duration", rule.max_duration)?,
        labels: rule.labels.clone(),
        sinks: rule.sinks.as_deref().map(|sinks| chosen(sinks, configured)).transpose()?,
    })))
}

fn is_whole(path: &std::path::Path) -> bool {
    path.is_absolute() && !path.as_os_str().as_encoded_bytes().contains(&0)
}

fn is_variable(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// A text that the recorder itself writes on a terminal: it must not act on it.
fn shown(key: &str, text: &str) -> Result<String, String> {
    if text.len() > TEXT_MAX {
        return Err(format!("{key} has {} bytes: at most {TEXT_MAX} are shown", text.len()));
    }
    if let Some(line) = text.split('\n').find(|line| safe(line) != *line) {
        return Err(format!(
            "{key} holds characters that act on a terminal or hide in it: `{}`; line feeds are the only ones it may hold",
            safe(line)
        ));
    }
    Ok(text.to_owned())
}

fn limited(key: &str, value: Option<Duration>) -> Result<Option<Duration>, String> {
    match value {
        Some(value) if !LIMIT.contains(&value) => Err(format!(
            "{key} is {}: it must be from {} to {}",
            humantime::format_duration(value),
            humantime::format_duration(*LIMIT.start()),
            humantime::format_duration(*LIMIT.end())
        )),
        value => Ok(value),
    }
}

/// The configured addresses that these name: with the same options, or without any.
fn chosen(named: &[String], configured: &[Address]) -> Result<Vec<String>, String> {
    let mut all: Vec<&Address> = Vec::new();
    for text in named {
        let address = Address::parse(text).map_err(|e| format!("sinks: {e}"))?;
        let place = |of: &Address| (of.scheme(), of.body().trim_end_matches('/').to_owned());
        let bare = !text.contains('?');
        let is_same =
            |other: &&Address| other.as_str() == address.as_str() || (bare && place(other) == place(&address));
        let one = configured.iter().find(is_same).ok_or_else(|| {
            let known: Vec<String> = configured.iter().map(ToString::to_string).collect();
            let known = if known.is_empty() { "there is none".into() } else { known.join(", ") };
            format!("sinks: {address} is not among the sinks of this configuration ({known})")
        })?;
        if all.iter().any(|other| other.as_str() == one.as_str()) {
            return Err(format!("sinks: {address} is named twice"));
        }
        all.push(one);
    }
    // The same is asked of the whole configuration.
    if !all.iter().any(|one| one.required()) {
        return Err("sinks: none of these is required: nothing would have to arrive anywhere".into());
    }
    Ok(all.into_iter().map(|one| one.as_str().to_owned()).collect())
}
