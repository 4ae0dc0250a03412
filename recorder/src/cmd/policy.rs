//! `policy test`: which rule decides about a session, and why.
//!
//! Asks the same code as the agent does, and starts nothing. Not for what the kernel says of a real session: here
//! everything is as it was typed, and the groups are those of the user database.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::io::Write as _;
use std::net::IpAddr;

use chrono::{Local, NaiveDateTime, NaiveTime};
use hansard_schemas::names::safe;
use hansard_schemas::session::Kind;
use hansard_sinks::address::redacted;

use crate::cli::{InputMode, KindArg, PlaceArgs, PolicyTestArgs};
use crate::config::Config;
use crate::policy::transfer::transfer;
use crate::policy::{Decision, Explanation, Missed, Policy, Subject};
use crate::report::{EXIT_FINDINGS, Failure};

/// The number of a user that the database does not know: the kernel's "nobody in particular".
const UNKNOWN_UID: u32 = u32::MAX;

/// Runs the command.
pub fn test(args: &PolicyTestArgs) -> Result<i32, Failure> {
    let place = PlaceArgs { spool: None, config: args.config.clone() };
    let (config, file) = Config::load(&place)?;
    let policy = Policy::new(&config).map_err(Failure::new)?;
    let (uid, groups) = who(args, &policy)?;
    let subject = Subject {
        user: &args.user,
        uid,
        groups: &groups,
        from: from(args.from.as_deref())?,
        kind: kind(args)?,
        labels: &config.labels,
        command: args.command.as_deref(),
        local: at(args.at.as_deref(), Local::now().naive_local())?,
    };
    let mut explanation = policy.explain(&subject);
    for address in explanation.decision.sinks.iter_mut().flatten() {
        *address = redacted(address);
    }
    let source = file.map_or_else(|| "none; these are the defaults".into(), |path| path.display().to_string());
    let text = if args.json {
        let document = serde_json::json!({
            "configuration": source,
            "session": {
                "user": subject.user,
                "groups": groups,
                "from": subject.from,
                "kind": subject.kind.as_str(),
                "command": subject.command,
                "labels": subject.labels,
                "local": subject.local.format("%Y-%m-%dT%H:%M:%S").to_string(),
            },
            "rules": explanation.rules,
            "decision": explanation.decision,
            "remarks": policy.remarks(),
        });
        format!("{document:#}\n")
    } else {
        told(&source, &subject, &explanation, &policy)
    };
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => return Err(Failure::new(e)),
        _ => {}
    }
    Ok(if explanation.decision.allow { 0 } else { EXIT_FINDINGS })
}

/// The user's number and groups.
fn who(args: &PolicyTestArgs, policy: &Policy) -> Result<(u32, Vec<String>), Failure> {
    // A C string ends at a NUL; uzers takes none that holds one.
    let known = Some(&args.user).filter(|name| !name.contains('\0')).and_then(uzers::get_user_by_name);
    let uid = known.as_ref().map_or(UNKNOWN_UID, uzers::User::uid);
    if !args.group.is_empty() {
        return Ok((uid, args.group.clone()));
    }
    let Some(user) = known else {
        if policy.asks_for("group") {
            return Err(Failure::new(format_args!("the user database has no user {}", args.user))
                .hint("a rule asks for groups: name those of this user with --group"));
        }
        return Ok((uid, Vec::new()));
    };
    let groups = user.groups().unwrap_or_default();
    Ok((uid, groups.iter().map(|group| group.name().to_string_lossy().into_owned()).collect()))
}

fn from(text: Option<&str>) -> Result<Option<IpAddr>, Failure> {
    match text {
        None | Some("local") => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| {
            Failure::new(format_args!("{text} is no address"))
                .hint("write --from 192.0.2.7, --from 2001:db8::7 or --from local")
        }),
    }
}

fn kind(args: &PolicyTestArgs) -> Result<Kind, Failure> {
    let is_transfer = args.command.as_deref().is_some_and(|line| transfer(line).is_some());
    match (args.kind, &args.command) {
        (Some(KindArg::Interactive), _) | (None, None) => Ok(Kind::Interactive),
        (Some(KindArg::Exec), _) => Ok(Kind::Exec),
        (Some(KindArg::Transfer), _) => Ok(Kind::Transfer),
        (None, Some(_)) => Ok(if is_transfer { Kind::Transfer } else { Kind::Exec }),
    }
}

/// A local time: a day with a time, or a time of today.
fn at(text: Option<&str>, now: NaiveDateTime) -> Result<NaiveDateTime, Failure> {
    let Some(text) = text else { return Ok(now) };
    let whole = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"];
    let today = ["%H:%M:%S", "%H:%M"];
    whole
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .or_else(|| {
            let time = today.iter().find_map(|form| NaiveTime::parse_from_str(text, form).ok())?;
            Some(now.date().and_time(time))
        })
        .ok_or_else(|| {
            Failure::new(format_args!("{text} is no time")).hint("write --at 2026-11-24T09:30, or --at 09:30 for today")
        })
}

/// For people: everything that was typed or configured is escaped.
fn told(source: &str, subject: &Subject<'_>, explanation: &Explanation, policy: &Policy) -> String {
    let mut out = String::new();
    let mut line = |what: &str, text: &dyn Display| {
        let _ = writeln!(out, "{what:13} {}", safe(&text.to_string()));
    };
    line("configuration", &source);
    line("user", &subject.user);
    line("groups", &or_none(subject.groups.join(", ")));
    line("from", &subject.from.map_or_else(|| "local".into(), |from| from.to_string()));
    line("kind", &subject.kind.as_str());
    line("command", &subject.command.unwrap_or("none (a login)"));
    line("labels", &or_none(pairs(subject.labels)));
    line("at", &subject.local.format("%a %Y-%m-%d %H:%M"));
    let width = explanation.rules.iter().map(|step| step.rule.chars().count()).max().unwrap_or(0);
    let _ = writeln!(out);
    for step in &explanation.rules {
        let why = step.missed.as_ref().map_or_else(|| "matches".into(), missed);
        let _ = writeln!(out, "  {:width$}  {}", step.rule, safe(&why));
    }
    if explanation.rules.is_empty() {
        let _ = writeln!(out, "  there are no rules");
    }
    out.push('\n');
    out.push_str(&decided(&explanation.decision));
    for remark in policy.remarks() {
        let _ = writeln!(out, "remark        {}", safe(&remark));
    }
    out
}

fn missed(missed: &Missed) -> String {
    let wanted = match &missed.wanted[..] {
        [one] => one.clone(),
        several => format!("one of {}", several.join(", ")),
    };
    format!("does not: {} is {}, not {wanted}", missed.condition, missed.found)
}

fn decided(decision: &Decision) -> String {
    let mut out = String::new();
    let rule = decision.rule.as_deref().unwrap_or("no rule matches");
    let verdict = if decision.allow { "allowed" } else { "DENIED" };
    let _ = writeln!(out, "{verdict:13} {rule}");
    let mut line = |what: &str, text: Option<String>| {
        if let Some(text) = text {
            let _ = writeln!(out, "  {what:11} {}", safe(&text));
        }
    };
    line("message", decision.message.clone());
    if !decision.allow {
        return out;
    }
    line("record", Some(decision.record.as_str().into()));
    line("input", Some(input(decision.input).into()));
    line("shell", Some(decision.shell.as_ref().map_or_else(|| "the user's".into(), |path| path.display().to_string())));
    line("shell marks", Some(if decision.shell_marks { "yes" } else { "no" }.into()));
    line("env", Some(or_none(decision.env.join(", "))));
    line("banner", decision.banner.clone());
    let limit = |value: Option<std::time::Duration>| {
        value.map_or_else(|| "none".into(), |value| humantime::format_duration(value).to_string())
    };
    line("idle", Some(limit(decision.idle_timeout)));
    line("duration", Some(limit(decision.max_duration)));
    line("labels", Some(or_none(pairs(&decision.labels))));
    line("sinks", Some(decision.sinks.as_ref().map_or_else(|| "all".into(), |sinks| sinks.join(", "))));
    out
}

fn input(mode: InputMode) -> &'static str {
    match mode {
        InputMode::Off => "off",
        InputMode::Masked => "masked",
        InputMode::On => "on",
    }
}

fn pairs(labels: &BTreeMap<String, String>) -> String {
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(", ")
}

fn or_none(text: String) -> String {
    if text.is_empty() { "none".into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_days_with_a_time_or_times_of_today() {
        let now = NaiveDateTime::parse_from_str("2026-11-24T12:00:00", "%Y-%m-%dT%H:%M:%S").unwrap();
        for (text, expected) in [
            ("2026-11-28T09:30", "2026-11-28 09:30:00"),
            ("2026-11-28 09:30:15", "2026-11-28 09:30:15"),
            ("23:30", "2026-11-24 23:30:00"),
        ] {
            assert_eq!(at(Some(text), now).unwrap().to_string(), expected, "{text}");
        }
        for bad in ["", "noon", "24:00", "2026-13-01T00:00", "2026-11-28"] {
            assert!(at(Some(bad), now).is_err(), "{bad}");
        }
        assert_eq!(at(None, now).unwrap(), now);
    }
}
