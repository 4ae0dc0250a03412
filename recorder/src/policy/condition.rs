//! The conditions of a rule, understood: what each wants of a session, and what it finds.

use chrono::Timelike as _;
use hansard_schemas::session::Kind;

use super::hours::{Days, Hours, day_name};
use super::network::{LOCAL, Origin};
use super::pattern::{Glob, ProgramGlob};
use super::rule::{Many, RuleTable};
use super::{Subject, command, transfer};

/// One condition: of its values, one must hold.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    /// Its key in the configuration.
    pub key: &'static str,
    /// Its values as they are written.
    pub wanted: Vec<String>,
    test: Test,
}

#[derive(Debug, Clone)]
enum Test {
    User(Vec<Glob>),
    Group(Vec<String>),
    From(Vec<Origin>),
    Kind(Vec<Kind>),
    Label(Vec<(String, String)>),
    Command(Vec<ProgramGlob>),
    Hour(Vec<Hours>),
    Day(Vec<Days>),
}

impl Condition {
    /// All conditions of a rule, in the order in which they are told. The error names the key.
    pub(super) fn all(rule: &RuleTable) -> Result<Vec<Self>, String> {
        let given = [
            read("user", &rule.user, Glob::new, Test::User)?,
            read("group", &rule.group, group, Test::Group)?,
            read("from", &rule.from, Origin::new, Test::From)?,
            read("kind", &rule.kind, kind, Test::Kind)?,
            read("label", &rule.label, label, Test::Label)?,
            read("command", &rule.command, ProgramGlob::new, Test::Command)?,
            read("hour", &rule.hour, Hours::new, Test::Hour)?,
            read("day", &rule.day, Days::new, Test::Day)?,
        ];
        Ok(given.into_iter().flatten().collect())
    }

    pub(super) fn holds(&self, subject: &Subject<'_>) -> bool {
        match &self.test {
            Test::User(wanted) => wanted.iter().any(|glob| glob.matches(subject.user)),
            Test::Group(wanted) => subject.groups.iter().any(|group| wanted.contains(group)),
            Test::From(wanted) => wanted.iter().any(|origin| origin.holds(subject.from)),
            Test::Kind(wanted) => wanted.contains(&subject.kind),
            Test::Label(wanted) => wanted.iter().any(|(key, value)| subject.labels.get(key) == Some(value)),
            Test::Command(wanted) => {
                let found = programs(subject);
                wanted.iter().any(|glob| found.iter().any(|program| glob.matches(program)))
            }
            Test::Hour(wanted) => wanted.iter().any(|hours| hours.holds(subject.local)),
            Test::Day(wanted) => wanted.iter().any(|days| days.holds(subject.local)),
        }
    }

    /// What the session has in this place.
    pub(super) fn found(&self, subject: &Subject<'_>) -> String {
        match &self.test {
            Test::User(_) => subject.user.to_owned(),
            Test::Group(_) if subject.groups.is_empty() => "none".into(),
            Test::Group(_) => subject.groups.join(", "),
            Test::From(_) => subject.from.map_or_else(|| LOCAL.into(), |from| from.to_string()),
            Test::Kind(_) => subject.kind.as_str().into(),
            Test::Label(_) if subject.labels.is_empty() => "none".into(),
            Test::Label(_) => {
                subject.labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(", ")
            }
            Test::Command(_) => match (subject.command, programs(subject)) {
                (None, _) => "none (a login)".into(),
                (Some(_), found) if found.is_empty() => {
                    "unclear (not plain words, or no absolute path or bare name)".into()
                }
                (Some(_), found) => found.join(" or "),
            },
            Test::Hour(_) => format!("{:02}:{:02}", subject.local.hour(), subject.local.minute()),
            Test::Day(_) => day_name(subject.local).into(),
        }
    }
}

/// What a session's command line runs, under each name that a rule may have for it.
fn programs(subject: &Subject<'_>) -> Vec<String> {
    let Some(line) = subject.command else { return Vec::new() };
    // A transfer is not run by its line, but from the fixed places of its program.
    match (subject.kind, transfer::names(line)) {
        (Kind::Transfer, Some(names)) => names.into_iter().map(str::to_owned).collect(),
        _ => command::program(line).into_iter().collect(),
    }
}

fn read<T>(
    key: &'static str,
    given: &Option<Many>,
    one: impl Fn(&str) -> Result<T, String>,
    test: impl FnOnce(Vec<T>) -> Test,
) -> Result<Option<Condition>, String> {
    let Some(Many(wanted)) = given else { return Ok(None) };
    if wanted.is_empty() {
        return Err(format!("{key} is an empty list, which nothing matches: leave it out, or name what it is for"));
    }
    let values: Result<_, String> = wanted.iter().map(|text| one(text)).collect();
    let test = test(values.map_err(|why| format!("{key}: {why}"))?);
    Ok(Some(Condition { key, wanted: wanted.clone(), test }))
}

fn group(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains('*') || text.chars().any(char::is_control) {
        return Err(format!("{text:?} is no name of a group"));
    }
    Ok(text.to_owned())
}

fn kind(text: &str) -> Result<Kind, String> {
    [Kind::Interactive, Kind::Exec, Kind::Transfer]
        .into_iter()
        .find(|kind| kind.as_str() == text)
        .ok_or_else(|| format!("{text:?} is no kind: write interactive, exec or transfer"))
}

fn label(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .filter(|(key, _)| !key.is_empty())
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .ok_or_else(|| format!("{text:?} has no key=value form"))
}
