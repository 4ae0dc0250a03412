//! Trying a bucket: what it takes, refuses, and silently ignores.
//!
//! Some stores accept a second put under a name although it is forbidden, or ignore Object Lock; neither gives an error.
//! So the name of a probe is put twice, and its lock is read back where that is allowed.

use chrono::{DateTime, Utc};
use hansard_schemas::names::ProbeName;

use super::errors::{failed, status};
use super::key;
use super::sink::{Once, S3Sink};
use crate::{Finding, Level, Probe, SinkError};

/// How far a clock may be off before it is worth a word, in seconds. S3 refuses requests from 900 on.
const SKEW: i64 = 60;

/// Tries the place.
pub(super) fn run(sink: &S3Sink, probe: &Probe) -> Vec<Finding> {
    let mut findings = Vec::new();
    let add = |findings: &mut Vec<Finding>, part: &str, level: Level, what: String| {
        findings.push(Finding::new(part, level, what));
    };
    let options = &sink.connection.options;
    // A name of its own each time: an older one may have been put with other options.
    let word = format!("check-{}", Utc::now().timestamp_millis());
    let name = ProbeName { chain16: probe.chain16.clone(), word }.path();
    if let Err(error) = sink.once(&name, b"hansard check\n") {
        add(&mut findings, "put", Level::Failed, told(&error));
        return findings;
    }
    add(&mut findings, "put", Level::Ok, "it is reachable, the credentials hold and may put".into());
    let mode = if options.checksums { "when_supported" } else { "when_required" };
    add(&mut findings, "checksum", Level::Ok, format!("{mode} works"));
    match sink.once(&name, b"hansard check, other bytes\n") {
        Ok(Once::Taken) => {
            add(&mut findings, "conditional put", Level::Ok, "a second put under one name is refused".into());
        }
        Ok(Once::Stored) => {
            let what = "the store took other bytes under a name that was taken: whoever may put can overwrite there; \
                use a bucket with versioning, or another store";
            add(&mut findings, "conditional put", Level::Warning, what.into());
        }
        Err(error) => add(&mut findings, "conditional put", Level::Failed, told(&error)),
    }
    findings.extend(date(sink, &name).and_then(|date| clock(&date)));
    rights(sink, &name, &mut findings);
    versioning(sink, &mut findings);
    findings
}

fn told(error: &SinkError) -> String {
    match error.hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    }
}

/// The server's time, from its answer about an object that is not there: refusals come with all their headers.
fn date(sink: &S3Sink, name: &str) -> Option<String> {
    let name = format!("{name}-absent");
    let key = key(&sink.connection.options.prefix, &name).ok()?;
    let head = sink
        .connection
        .answer(&name, "look for", 0, |client, options| client.head_object().bucket(options.bucket).key(key).send());
    let answer = head.ok()?.err()?;
    answer.raw_response()?.headers().get("date").map(str::to_owned)
}

fn clock(date: &str) -> Option<Finding> {
    let server = DateTime::parse_from_rfc2822(date).ok()?;
    let off = (Utc::now() - server.with_timezone(&Utc)).num_seconds();
    Some(if off.abs() <= SKEW {
        Finding::new("clock", Level::Ok, "this machine's clock agrees with the server's")
    } else {
        let what = format!("this machine's clock is {} s {} the server's", off.abs(), side(off));
        Finding::new("clock", Level::Warning, what)
    })
}

fn side(off: i64) -> &'static str {
    if off > 0 { "ahead of" } else { "behind" }
}

/// Reading and listing, and the lock that reading shows.
fn rights(sink: &S3Sink, name: &str, findings: &mut Vec<Finding>) {
    let options = &sink.connection.options;
    let Ok(key) = key(&options.prefix, name) else { return };
    let head = sink
        .connection
        .answer(name, "read", 0, |client, options| client.head_object().bucket(options.bucket).key(key).send());
    let prefix = options.prefix.clone();
    let list = sink.connection.answer(name, "list", 0, |client, options| {
        client.list_objects_v2().bucket(options.bucket).prefix(prefix).max_keys(1).send()
    });
    let may_list = matches!(list, Ok(Ok(_)));
    let read = match head {
        Ok(Ok(head)) => Some(head),
        Ok(Err(error)) if matches!(status(&error), 401 | 403 | 404) => None,
        Ok(Err(error)) => return findings.push(finding_of("rights", &failed(name, "read", &error))),
        Err(error) => return findings.push(finding_of("rights", &error)),
    };
    let what = match (read.is_some(), may_list) {
        (false, false) => "put only: these credentials cannot read what was recorded, which is good",
        (true, true) => "these credentials may also read and list: a recorder needs to put only",
        (true, false) => "these credentials may also read: a recorder needs to put only",
        (false, true) => "these credentials may also list: a recorder needs to put only",
    };
    findings.push(Finding::new("rights", Level::Ok, what));
    let Some((mode, days)) = &options.lock else { return };
    findings.push(match read {
        None => Finding::new("object lock", Level::Warning, "asked for; whether it holds cannot be read back"),
        Some(head) => {
            let held = head.object_lock_mode().map(|held| held.as_str()) == Some(mode.as_str());
            let until = head.object_lock_retain_until_date().map(|date| date.secs());
            let long = until.is_some_and(|until| until >= Utc::now().timestamp() + (i64::from(*days) - 1) * 86_400);
            if held && long {
                Finding::new("object lock", Level::Ok, format!("{} for {days} days is in force", mode.as_str()))
            } else {
                let what = "the store took the object and ignored the lock: use a bucket with Object Lock switched on";
                Finding::new("object lock", Level::Failed, what)
            }
        }
    });
}

fn finding_of(part: &str, error: &SinkError) -> Finding {
    Finding::new(part, Level::Warning, told(error))
}

fn versioning(sink: &S3Sink, findings: &mut Vec<Finding>) {
    let answer = sink.connection.answer("the bucket", "ask about versions", 0, |client, options| {
        client.get_bucket_versioning().bucket(options.bucket).send()
    });
    let what = match answer {
        Ok(Ok(state)) => match state.status() {
            Some(state) if state.as_str() == "Enabled" => "on: what is overwritten stays readable",
            Some(_) => "suspended: what is overwritten or deleted is gone",
            None => "off: what is overwritten or deleted is gone",
        },
        Ok(Err(error)) if matches!(status(&error), 401 | 403) => "these credentials may not ask",
        Ok(Err(error)) if matches!(status(&error), 405 | 501) => "the store has none",
        Ok(Err(_)) | Err(_) => "not told",
    };
    findings.push(Finding::new("versioning", Level::Ok, what));
}
