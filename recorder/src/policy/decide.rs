//! From a configuration to a policy, and from a session that is about to begin to what happens to it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use chrono::NaiveDateTime;
use hansard_schemas::names::safe;
use hansard_schemas::session::Kind;
use serde::Serialize;

use super::condition::Condition;
use super::effect::{Allowed, Effect};
use super::rule::{Record, RuleTable};
use crate::cli::InputMode;
use crate::config::{Config, maybe_duration};
use crate::destinations;

/// Longest name of a rule: it stands in messages and events.
const NAME_MAX: usize = 100;

/// A session that is about to begin. Every field must come from where the user has no say (peer credentials, user
/// database, the socket of sshd), but for `command`, which is what the user asks for.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    /// The user's name.
    pub user: &'a str,
    /// The user's number.
    pub uid: u32,
    /// Names of all groups that the process is in.
    pub groups: &'a [String],
    /// The remote address; `None` where there is none. Who does not know it must not say `None`.
    pub from: Option<IpAddr>,
    /// How it would be captured.
    pub kind: Kind,
    /// Labels of the host.
    pub labels: &'a BTreeMap<String, String>,
    /// The command line, as `-c` got it; `None` for a login.
    pub command: Option<&'a str>,
    /// The local time.
    pub local: NaiveDateTime,
}

/// What happens to a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// The rule that decides; `None` where none matches.
    pub rule: Option<String>,
    /// Whether the session may begin.
    pub allow: bool,
    /// What the user is told on a denial, where the rule says.
    pub message: Option<String>,
    /// How much is recorded.
    pub record: Record,
    /// Whether typed input is recorded; always off unless `record` is full.
    pub input: InputMode,
    /// The shell in place of the user's own.
    pub shell: Option<PathBuf>,
    /// Whether the shell is started so that it marks its commands; never where no content is recorded.
    pub shell_marks: bool,
    /// Names of environment variables to record.
    pub env: Vec<String>,
    /// What the terminal shows first.
    pub banner: Option<String>,
    /// The session ends after this long without input, or, where none is recorded, without output.
    #[serde(serialize_with = "maybe_duration::serialize")]
    pub idle_timeout: Option<Duration>,
    /// The session ends after this long.
    #[serde(serialize_with = "maybe_duration::serialize")]
    pub max_duration: Option<Duration>,
    /// Labels of the session: those of the configuration and those of the rule, which win.
    pub labels: BTreeMap<String, String>,
    /// The sinks that take the recording, as `hansard_sinks::Address::as_str` has them; `None` for all of them.
    pub sinks: Option<Vec<String>>,
}

/// A rule, understood.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub name: String,
    pub conditions: Vec<Condition>,
    pub effect: Effect,
}

impl Rule {
    fn new(number: usize, table: &RuleTable, configured: &[hansard_sinks::Address]) -> Result<Self, String> {
        let name = table.name.clone().unwrap_or_else(|| format!("rule {number}"));
        let known = if table.name.is_some() { format!("rule {number} ({})", safe(&name)) } else { name.clone() };
        let in_rule = |why: String| format!("{known}: {why}");
        if name.is_empty() || name.len() > NAME_MAX || safe(&name) != name {
            return Err(in_rule(format!("name must have 1 to {NAME_MAX} bytes, without control characters")));
        }
        let conditions = Condition::all(table).map_err(in_rule)?;
        let effect = Effect::new(table, configured).map_err(in_rule)?;
        Ok(Self { name, conditions, effect })
    }

    /// The first condition that does not hold.
    pub(super) fn missed(&self, subject: &Subject<'_>) -> Option<&Condition> {
        self.conditions.iter().find(|condition| !condition.holds(subject))
    }

    fn wants(&self, key: &str) -> bool {
        self.conditions.iter().any(|condition| condition.key == key)
    }
}

/// The rules of a configuration, in order, and what holds without any.
#[derive(Debug, Clone)]
pub struct Policy {
    pub(super) rules: Vec<Rule>,
    input: InputMode,
    shell_marks: bool,
    env: Vec<String>,
    labels: BTreeMap<String, String>,
}

impl Policy {
    /// Understands the rules of a configuration. The error says which rule cannot be, and why.
    pub fn new(config: &Config) -> Result<Self, String> {
        let choose = config.rule.iter().any(|rule| rule.sinks.is_some());
        let configured = if choose { destinations::addresses(config).map_err(|e| e.to_string())? } else { Vec::new() };
        let rules: Result<Vec<Rule>, String> =
            config.rule.iter().zip(1..).map(|(table, number)| Rule::new(number, table, &configured)).collect();
        let rules = rules?;
        let mut names = BTreeSet::new();
        if let Some(twice) = rules.iter().find(|rule| !names.insert(&rule.name)) {
            return Err(format!("two rules are called {:?}: give each a name of its own", twice.name));
        }
        let (input, env, labels) = (config.input.mode, config.env.clone(), config.labels.clone());
        Ok(Self { rules, input, shell_marks: config.interactive.shell_marks, env, labels })
    }

    /// Whether there are rules at all.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether some session's shell would be started so that it marks its commands.
    pub fn marks_shells(&self) -> bool {
        let by_rule = |rule: &Rule| matches!(&rule.effect, Effect::Allow(with) if with.shell_marks == Some(true));
        self.shell_marks || self.rules.iter().any(by_rule)
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether some rule has this condition (`group`, `from`, …): who cannot say what it asks for must not guess.
    pub fn asks_for(&self, key: &str) -> bool {
        self.rules.iter().any(|rule| rule.wants(key))
    }

    /// What happens to this session: what the first rule says whose conditions all hold.
    pub fn decide(&self, subject: &Subject<'_>) -> Decision {
        self.of_rule(self.rules.iter().find(|rule| rule.missed(subject).is_none()))
    }

    pub(super) fn of_rule(&self, rule: Option<&Rule>) -> Decision {
        let without = Decision {
            rule: rule.map(|rule| rule.name.clone()),
            allow: true,
            message: None,
            record: Record::Full,
            input: self.input,
            shell: None,
            shell_marks: self.shell_marks,
            env: self.env.clone(),
            banner: None,
            idle_timeout: None,
            max_duration: None,
            labels: self.labels.clone(),
            sinks: None,
        };
        match rule.map(|rule| &rule.effect) {
            None => without,
            Some(Effect::Deny { message }) => Decision {
                allow: false,
                message: message.clone(),
                record: Record::None,
                input: InputMode::Off,
                shell_marks: false,
                ..without
            },
            Some(Effect::Allow(with)) => allowed(without, with),
        }
    }

    /// What is no error, and yet hardly what somebody meant.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        let mut for_all: Option<&str> = None;
        for rule in &self.rules {
            let mut say = |what: &str| remarks.push(format!("{}: {what}", rule.name));
            if let Some(before) = for_all {
                say(&format!("never decides: {before}, before it, has no conditions"));
            }
            if rule.conditions.is_empty() {
                for_all.get_or_insert(&rule.name);
            }
            match &rule.effect {
                Effect::Deny { .. } if rule.wants("command") => {
                    say(
                        "denies by command, which whoever writes the command differently gets round: deny the rest, allow by command",
                    );
                }
                Effect::Allow(with) => {
                    if with.record != Record::Full && with.input.is_some_and(|input| input != InputMode::Off) {
                        let record = with.record.as_str();
                        say(&format!("no input is recorded, whatever `input` says: record is {record:?}"));
                    }
                    if with.record != Record::Full && rule.wants("command") && with.shell.is_none() {
                        say(
                            "records less for a command that the user's own shell runs, after the user's start files: \
                             name a `shell` that reads none, such as /bin/dash, or make it `kind = \"transfer\"`",
                        );
                    }
                }
                Effect::Deny { .. } => {}
            }
        }
        remarks
    }
}

fn allowed(without: Decision, with: &Allowed) -> Decision {
    let mut labels = without.labels;
    labels.extend(with.labels.clone());
    Decision {
        record: with.record,
        input: if with.record == Record::Full { with.input.unwrap_or(without.input) } else { InputMode::Off },
        shell: with.shell.clone(),
        shell_marks: matches!(with.record, Record::Full | Record::Output)
            && with.shell_marks.unwrap_or(without.shell_marks),
        env: with.env.clone().unwrap_or(without.env),
        banner: with.banner.clone(),
        idle_timeout: with.idle_timeout,
        max_duration: with.max_duration,
        labels,
        sinks: with.sinks.clone(),
        ..without
    }
}
