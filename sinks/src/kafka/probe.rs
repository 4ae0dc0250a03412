//! Trying the topics before the first session: who answers, what the topics are like, whether a record is taken.
//!
//! The record is put under the name of a probe, into the topic of recordings only: readers pass it over, and whoever
//! else listens to the topic of events expects events.

use std::time::Duration;

use hansard_schemas::names::ProbeName;
use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, ResourceSpecifier};
use rdkafka::client::Client;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::types::RDKafkaErrorCode;

use super::faults::{Reasons, coded, failed};
use super::index::Reader;
use super::place::Place;
use super::sink::KafkaSink;
use crate::{Finding, Level, Probe, Put, Result, Sink, SinkError};

/// Some brokers never answer when they are asked for settings.
const SETTINGS: Duration = Duration::from_secs(5);

pub(super) fn run(sink: &KafkaSink, place: &Place, probe: &Probe) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Err(error) = look(place, probe, &mut found) {
        found.push(Finding::new("reachable", Level::Failed, text(&error)));
        return found;
    }
    if probe.max_segment > place.max_object() {
        let what = format!(
            "segments close at {} bytes, not at {}: that is what a message holds (max_message)",
            place.max_object(),
            probe.max_segment
        );
        found.push(Finding::new("segment size", Level::Warning, what));
    }
    let name = ProbeName { chain16: probe.chain16.clone(), word: "check".into() };
    found.push(match sink.put_once(&name.path(), b"hansard check\n") {
        Ok(Put::Stored | Put::Already | Put::Taken | Put::Conflict) => {
            Finding::new("may write", Level::Ok, format!("{} took a record, all in-sync replicas", place.recordings))
        }
        Err(error) => Finding::new("may write", Level::Failed, text(&error)),
    });
    found
}

fn text(error: &SinkError) -> String {
    match error.hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    }
}

fn look(place: &Place, probe: &Probe, found: &mut Vec<Finding>) -> Result<()> {
    let reasons = Reasons::default();
    let admin = AdminClient::from_config_and_context(&place.config()?, reasons.clone())
        .map_err(|e| failed(&place.address, "make a client", &e, &reasons))?;
    let topics = [place.recordings.as_str(), place.events.as_str()];
    let mut there = Vec::new();
    for topic in topics {
        match describe(admin.inner(), topic, place, &reasons) {
            Ok(finding) => {
                there.push(topic);
                found.push(finding);
            }
            Err(SinkError::Remote { .. }) if there.is_empty() && !answered(admin.inner(), place) => {
                // A reader hears why.
                Reader::connect(place, topic)?.partitions()?;
            }
            Err(error) => found.push(Finding::new("topic", Level::Failed, text(&error))),
        }
    }
    found.insert(0, Finding::new("reachable", Level::Ok, "the broker answers"));
    if !there.is_empty() {
        settings(&admin, &there, place, probe, found);
    }
    Ok(())
}

fn answered(client: &Client<Reasons>, place: &Place) -> bool {
    client.fetch_metadata(None, place.timeout).is_ok()
}

fn describe(client: &Client<Reasons>, topic: &str, place: &Place, reasons: &Reasons) -> Result<Finding> {
    let metadata =
        client.fetch_metadata(Some(topic), place.timeout).map_err(|e| failed(topic, "look up", &e, reasons))?;
    let Some(topic) = metadata.topics().first() else {
        return Err(coded(topic, "look up", RDKafkaErrorCode::UnknownTopic, reasons));
    };
    if let Some(error) = topic.error() {
        return Err(coded(topic.name(), "look up", error.into(), reasons));
    }
    let partitions = topic.partitions();
    let replicas = partitions.iter().map(|p| p.replicas().len()).min().unwrap_or(0);
    let leaderless = partitions.iter().filter(|p| p.leader() < 0).count();
    let mut what = format!("{}: {} partitions, {replicas} replicas", topic.name(), partitions.len());
    let level = if leaderless > 0 {
        what = format!("{what}, {leaderless} of the partitions without a leader");
        Level::Failed
    } else if replicas < 2 {
        what = format!("{what}: a broker's disk that fails takes what is there with it");
        Level::Warning
    } else {
        Level::Ok
    };
    Ok(Finding::new("topic", level, what))
}

fn settings(admin: &AdminClient<Reasons>, topics: &[&str], place: &Place, probe: &Probe, found: &mut Vec<Finding>) {
    let timeout = SETTINGS.min(place.timeout);
    let options = AdminOptions::new().request_timeout(Some(timeout)).operation_timeout(Some(timeout));
    let specifiers: Vec<_> = topics.iter().map(|topic| ResourceSpecifier::Topic(topic)).collect();
    let answer = match tokio::runtime::Builder::new_current_thread().build() {
        Ok(runtime) => {
            runtime.block_on(admin.describe_configs(&specifiers, &options)).map_err(|error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
    };
    let results = match answer {
        Ok(results) => results,
        Err(why) => {
            found.push(Finding::new("settings", Level::Warning, format!("cannot be looked at: {why}")));
            return;
        }
    };
    for (topic, result) in topics.iter().zip(results) {
        match result {
            Ok(config) => judge(topic, &config, place, probe, found),
            Err(code) => {
                let what = format!("{topic}: cannot be looked at: {code}; the user needs DESCRIBE_CONFIGS for that");
                found.push(Finding::new("settings", Level::Warning, what));
            }
        }
    }
}

fn judge(topic: &str, config: &ConfigResource, place: &Place, probe: &Probe, found: &mut Vec<Finding>) {
    let value = |name: &str| config.get(name).and_then(|entry| entry.value.as_deref());
    if let Some(policy) = value("cleanup.policy") {
        let finding = if policy.contains("compact") {
            let what = format!("{topic}: cleanup.policy={policy} throws segments away: set it to delete");
            Finding::new("cleanup", Level::Failed, what)
        } else {
            let time = value("retention.ms").and_then(|text| text.parse().ok());
            let time = time.map_or("for ever".to_owned(), |ms: u64| {
                humantime::format_duration(Duration::from_secs(ms / 1_000)).to_string()
            });
            let size = value("retention.bytes").filter(|size| *size != "-1");
            let size = size.map(|size| format!(", at most {size} bytes a partition")).unwrap_or_default();
            Finding::new("cleanup", Level::Ok, format!("{topic}: cleanup.policy={policy}, kept {time}{size}"))
        };
        found.push(finding);
    }
    if let Some(most) = value("max.message.bytes").and_then(|text| text.parse::<u64>().ok()) {
        let wanted = if topic == place.recordings { place.max_message } else { 256 << 10 };
        let what = format!("{topic}: max.message.bytes={most}");
        found.push(if most < wanted {
            let what = format!("{what}, less than the {wanted} that are sent: raise it, or lower max_message");
            Finding::new("message size", Level::Failed, what)
        } else if topic == place.recordings && probe.max_segment > place.max_object() && most > wanted {
            let what = format!("{what}: with max_message={most} in the address segments can be larger");
            Finding::new("message size", Level::Ok, what)
        } else {
            Finding::new("message size", Level::Ok, what)
        });
    }
    if let Some(least) = value("min.insync.replicas") {
        let what = format!("{topic}: min.insync.replicas={least}");
        let (level, more) = if least == "1" {
            (Level::Warning, ": a record is acknowledged when one broker has it; 2 is usual")
        } else {
            (Level::Ok, "")
        };
        found.push(Finding::new("in-sync replicas", level, what + more));
    }
}
