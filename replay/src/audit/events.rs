//! Events: each held against the chain whose line it carries, and each session against the events that it should have.

use std::collections::{BTreeMap, BTreeSet};

use hansard_schemas::chain::{Chain, Entry};
use hansard_schemas::event::{Event, What};
use hansard_schemas::names::EventName;
use hansard_schemas::{ChainId, SessionId};

use super::sessions::{Said, Sessions};
use super::{About, Facts, Finding, Told, shown};

/// A session that ended so recently may have its event on the way.
const GRACE_MS: i64 = 300_000;

pub(super) fn reconcile(facts: &Facts, chains: &[(&Chain, Sessions)], found: &mut Vec<Finding>) {
    let mut by_chain: BTreeMap<&str, Vec<&Told>> = BTreeMap::new();
    facts.events.iter().for_each(|told| by_chain.entry(&told.name.chain16).or_default().push(told));
    for (chain, sessions) in chains {
        let host = chain.host().map(|(host, _)| host);
        let told = by_chain.remove(&*chain.id.short()).unwrap_or_default();
        if facts.wants(host) {
            let mut about = About::new(found, host, shown(chain.id));
            told.iter().for_each(|told| document(chain, told, &mut about));
            missing(facts, sessions, &told, &mut about);
        }
    }
    for (chain16, told) in by_chain {
        for told in told {
            let host = EventName::plain(&told.name.host);
            if facts.wants(Some(&host)) && told.name.event != "viewed" {
                let what = format!("a `{}` event is there, and of its chain nothing", told.name.event);
                About::new(found, Some(&host), Some(chain16.into())).defect(
                    "event-without-chain",
                    told.name.session,
                    what,
                );
            }
        }
    }
}

/// Holds one event against the chain.
fn document(chain: &Chain, told: &Told, about: &mut About<'_>) {
    let (name, id) = (&told.name, told.name.session);
    let event = match &told.event {
        Ok(event) => event,
        Err(why) => return about.defect("event-unreadable", id, format!("{}: {why}", name.path())),
    };
    if event.what.word() != name.event || session_of(event) != id {
        return about.defect("event-contradicts", id, format!("{}: it says something else than its name", name.path()));
    }
    let line = match &event.what {
        What::Started(data) => &data.entry,
        What::Stopped(data) => &data.entry,
        What::Checkpoint(data) => &data.entry,
        What::Denied(data) => {
            return about.notice(
                "denied",
                id,
                format!("{} was refused a session at {}: {}", data.who.user_or_uid(), event.time, data.why),
            );
        }
        What::Unrecorded(data) => {
            return about.defect(
                "unrecorded",
                id,
                format!("{} worked without a record, at {}: {}", data.who.user_or_uid(), event.time, data.why),
            );
        }
        What::Stalled(data) => {
            return about.notice(
                "stalled",
                id,
                format!("the terminal of {} did not answer at {}: {}", data.who.user_or_uid(), event.time, data.why),
            );
        }
        What::Behind(_) | What::Failing(_) | What::Recovered(_) | What::Viewed(_) => return,
    };
    entry(chain, name, line, chain.id, about);
}

/// Holds the chain line in an event against the chain.
fn entry(chain: &Chain, name: &EventName, line: &str, id: ChainId, about: &mut About<'_>) {
    let session = name.session;
    let Ok(entry) = Entry::parse(format!("{line}\n").as_bytes()) else {
        return about.defect("event-contradicts", session, format!("{}: the chain line in it is none", name.path()));
    };
    if entry.chain != id {
        return about.defect(
            "event-contradicts",
            session,
            format!("{}: the line in it is of chain {}", name.path(), entry.chain),
        );
    }
    match chain.get(entry.seq) {
        Some(there) if there.digest == entry.digest => {}
        Some(_) => about.defect(
            "event-contradicts",
            session,
            format!("{}: entry {} in it is not the one in the store", name.path(), entry.seq),
        ),
        None => about.defect(
            "chain-behind-events",
            session,
            format!("an event carries entry {} of the chain, which the store does not hold", entry.seq),
        ),
    }
}

fn session_of(event: &Event) -> Option<SessionId> {
    match &event.what {
        What::Started(data) => Some(data.who.session),
        What::Stopped(data) => Some(data.who.session),
        What::Behind(data) | What::Failing(data) | What::Recovered(data) => Some(data.who.session),
        What::Denied(data) | What::Unrecorded(data) | What::Stalled(data) => Some(data.who.session),
        What::Viewed(data) => Some(data.session),
        What::Checkpoint(_) => None,
    }
}

/// Events without a session, and sessions without their events.
fn missing(facts: &Facts, said: &Sessions, told: &[&Told], about: &mut About<'_>) {
    let of = |word: &str| -> BTreeSet<SessionId> {
        told.iter().filter(|told| told.name.event == word).filter_map(|told| told.name.session).collect()
    };
    let (started, stopped) = (of("started"), of("stopped"));
    for session in started.union(&stopped) {
        if !said.get(session).is_some_and(Said::started) {
            about.defect("event-without-session", Some(*session), "events tell of it, and its chain does not");
        }
    }
    if started.is_empty() && stopped.is_empty() {
        // A host may send its events elsewhere; where it sends some here, it sends all.
        if said.iter().any(|(session, said)| said.started() && facts.range.contains(*session)) {
            about.notice("no-events", None, "no event of its sessions is here: name where they are with --events-from");
        }
        return;
    }
    for (session, said) in said {
        if !said.started() || !facts.range.contains(*session) {
            continue;
        }
        let old = |time: hansard_schemas::Timestamp| facts.now.unix_ms() - time.unix_ms() > GRACE_MS;
        if !started.contains(session) && old(hansard_schemas::Timestamp::new(session.time())) {
            about.defect("event-missing", Some(*session), "no event tells that it started");
        }
        if !stopped.contains(session) && said.ended().is_some_and(old) {
            about.defect("event-missing", Some(*session), "no event tells that it stopped");
        }
    }
}
