//! Lifecycle events (FORMAT.md, section 14): CloudEvents 1.0 in structured mode, with the signed chain line inside.
//!
//! An event is not encrypted: it holds no content, no environment and, unless the configuration says so, no command.
//! Plain documents: when one is made is the recorder's concern, and its name in a store is `names::event`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::chain::Entry;
use crate::names::EventName;
use crate::session::{Identity, Kind, LeftBehind, Stop};
use crate::{ChainId, Digest, Error, Result, SessionId, Timestamp, json};

/// One lifecycle event. Members as CloudEvents has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Of CloudEvents: `1.0`.
    pub specversion: String,
    /// The same each time this event is sent.
    pub id: String,
    /// Whose chain it comes from: `urn:hansard:chain:<chain id>`; for the viewing of a session of which no chain is known,
    /// `urn:hansard:session:<session id>`.
    pub source: String,
    /// The session; the chain, for an event of no session.
    pub subject: String,
    /// When it happened; that of the chain entry, where it has one.
    pub time: Timestamp,
    /// `application/json`.
    pub datacontenttype: String,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened: the type and the data of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "data")]
pub enum What {
    /// A session began: that it did is durable before the first byte of output.
    #[serde(rename = "hansard.session.started")]
    Started(Started),
    /// A session has ended, in whatever way.
    #[serde(rename = "hansard.session.stopped")]
    Stopped(Stopped),
    /// The host's chain says which sessions are open.
    #[serde(rename = "hansard.chain.checkpoint")]
    Checkpoint(Checkpoint),
    /// What is recorded reaches a sink late.
    #[serde(rename = "hansard.ship.behind")]
    Behind(Delivery),
    /// A sink refuses, or does not answer.
    #[serde(rename = "hansard.sink.failing")]
    Failing(Delivery),
    /// A sink that was failing takes again.
    #[serde(rename = "hansard.sink.recovered")]
    Recovered(Delivery),
    /// A start was refused.
    #[serde(rename = "hansard.session.denied")]
    Denied(Notice),
    /// Somebody works without being recorded, or without the agent.
    #[serde(rename = "hansard.session.unrecorded")]
    Unrecorded(Notice),
    /// The process on the user's terminal no longer answers its recorder.
    #[serde(rename = "hansard.session.stalled")]
    Stalled(Notice),
    /// A reviewer is about to see what was recorded.
    #[serde(rename = "hansard.recording.viewed")]
    Viewed(Viewed),
}

impl What {
    /// The last word of the type: what the event's name in a store bears.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Started(_) => "started",
            Self::Stopped(_) => "stopped",
            Self::Checkpoint(_) => "checkpoint",
            Self::Behind(_) => "behind",
            Self::Failing(_) => "failing",
            Self::Recovered(_) => "recovered",
            Self::Denied(_) => "denied",
            Self::Unrecorded(_) => "unrecorded",
            Self::Stalled(_) => "stalled",
            Self::Viewed(_) => "viewed",
        }
    }
}

/// Who and what a session is, as far as an event says it. All of it but `uid`, `login_uid` and `origin` is a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Who {
    /// The session; of a start that led to none, an id of its own.
    pub session: SessionId,
    /// Wall-clock time of its start.
    pub started: Timestamp,
    /// User name, if the user database has one.
    pub user: Option<String>,
    /// Real user id.
    pub uid: u32,
    /// Audit login uid, where one was set.
    pub login_uid: Option<u32>,
    /// Name of the host.
    pub host: String,
    /// How it is captured.
    pub kind: Kind,
    /// Terminal, if there is one.
    pub tty: Option<String>,
    /// `SSH_CONNECTION`: where it comes from.
    pub ssh_connection: Option<String>,
    /// Labels given on the command line or by policy.
    pub labels: BTreeMap<String, String>,
    /// Reason given on the command line.
    pub reason: Option<String>,
    /// Where it comes from, where that was proved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The ssh key that opened it, as the identity has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh_key: Option<String>,
    /// Command and arguments; only where the configuration says so, since arguments may be secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
}

impl Who {
    /// What an event says of this session; `command` only if it is to be shown.
    pub fn of(identity: &Identity, command: bool) -> Self {
        Self {
            session: identity.session,
            started: identity.started,
            user: identity.kernel.user.clone(),
            uid: identity.kernel.uid,
            login_uid: identity.kernel.login_uid,
            host: identity.host.clone(),
            kind: identity.kind,
            tty: identity.kernel.tty.clone(),
            ssh_connection: identity.claimed.ssh_connection.clone(),
            labels: identity.claimed.labels.clone(),
            reason: identity.claimed.reason.clone(),
            origin: identity.kernel.origin.clone(),
            ssh_key: identity.claimed.ssh_key.clone(),
            command: command.then(|| identity.claimed.command.clone()),
        }
    }

    /// What stands for the user in a name: the user's name, or the number.
    pub fn user_or_uid(&self) -> String {
        self.user.clone().unwrap_or_else(|| self.uid.to_string())
    }
}

/// Data of `hansard.session.started`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Started {
    /// Who and what.
    #[serde(flatten)]
    pub who: Who,
    /// Where the recording goes: addresses, without secrets.
    #[serde(rename = "where")]
    pub places: Vec<String>,
    /// The signed `start` line of the chain, without its line feed.
    pub entry: String,
}

/// Data of `hansard.session.stopped`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stopped {
    /// Who and what.
    #[serde(flatten)]
    pub who: Who,
    /// Where the recording went.
    #[serde(rename = "where")]
    pub places: Vec<String>,
    /// The outcome of the `end` entry; `recovered` for a session whose recorder was gone.
    pub outcome: String,
    /// Exit status, 128 + n for signal n; `null` where nobody saw it.
    pub status: Option<u32>,
    /// Signal that ended the command.
    pub signal: Option<u32>,
    /// How long it was recorded.
    pub duration_ms: Option<u64>,
    /// Raw bytes of all streams.
    pub bytes: Option<u64>,
    /// How many segments it has.
    pub segments: Option<u32>,
    /// Digest of the last one.
    pub digest: Option<Digest>,
    /// Processes that were still there.
    pub left_behind: Vec<LeftBehind>,
    /// The signed `end` line of the chain, or the last `recovered` one, without its line feed.
    pub entry: String,
}

/// What the end of a session was, for the event that says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The stop summary of the last segment.
    pub stop: Stop,
    /// How long it was recorded.
    pub duration_ms: u64,
    /// Raw bytes of all streams; not known of a session whose recorder was restarted.
    pub bytes: Option<u64>,
}

/// Data of `hansard.chain.checkpoint`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Checkpoint {
    /// Name of the host.
    pub host: String,
    /// How many sessions the entry lists as open.
    pub open: u64,
    /// Where the chain goes.
    #[serde(rename = "where")]
    pub places: Vec<String>,
    /// The signed `checkpoint` line of the chain, without its line feed.
    pub entry: String,
}

/// Data of the events about delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Delivery {
    /// Who and what.
    #[serde(flatten)]
    pub who: Who,
    /// The sink: its address, without secrets.
    pub sink: String,
    /// How long the oldest thing that it lacks has waited.
    pub lag_ms: u64,
    /// What it said last.
    pub why: Option<String>,
}

/// Data of the events about what is out of order: a start that was refused, somebody unrecorded, a silent terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Notice {
    /// Who and what.
    #[serde(flatten)]
    pub who: Who,
    /// Where the host's recordings go.
    #[serde(rename = "where")]
    pub places: Vec<String>,
    /// Why, in words.
    pub why: String,
}

/// Data of `hansard.recording.viewed`: what the reviewer's program says of him, and of what he is about to see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Viewed {
    /// The session.
    pub session: SessionId,
    /// First 16 hex digits of the chain id under which it is stored.
    pub chain16: String,
    /// The store: its address, without secrets.
    pub store: String,
    /// Name of the host that was recorded, where it can be read.
    pub host: Option<String>,
    /// The user who was recorded.
    pub user: Option<String>,
    /// How it was captured.
    pub kind: Option<Kind>,
    /// By which command: `play`, `export`, `grep`, `tail`.
    pub how: String,
    /// Why, in the reviewer's words.
    pub reason: Option<String>,
    /// Who looks.
    pub viewer: Viewer,
}

/// Who looks at a recording. Nobody but the kernel of his own machine says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Viewer {
    /// User name, if the environment has one.
    pub user: Option<String>,
    /// Real user id.
    pub uid: u32,
    /// Audit login uid, where one is set.
    pub login_uid: Option<u32>,
    /// Name of the machine.
    pub host: String,
    /// `SSH_CONNECTION`: from where.
    pub ssh_connection: Option<String>,
}

/// An event and its name in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The name.
    pub name: EventName,
    /// The event.
    pub event: Event,
}

fn event(chain: &ChainId, id: String, subject: String, time: Timestamp, what: What) -> Event {
    Event {
        specversion: "1.0".into(),
        id,
        source: format!("urn:hansard:chain:{chain}"),
        subject,
        time,
        datacontenttype: "application/json".into(),
        what,
    }
}

/// An event of a session, at the time of its chain entry. One of a word happens once, so that its id is stable.
pub fn of_session(entry: &Entry, who: &Who, what: What) -> Named {
    let session = who.session;
    named(&entry.chain, entry.time, who, format!("{session}.{}", what.word()), what)
}

/// An event of a session's delivery, at its own time. `sink16` tells one sink from another.
pub fn of_delivery(chain: &ChainId, time: Timestamp, who: &Who, sink16: &str, what: What) -> Named {
    let id = format!("{}.{sink16}.{}.{}", who.session, time.unix_ms(), what.word());
    named(chain, time, who, id, what)
}

/// An event of a start that led to no session.
pub fn of_start(chain: &ChainId, who: &Who, what: What) -> Named {
    named(chain, who.started, who, format!("{}.{}", who.session, what.word()), what)
}

/// An event of something in a session's midst.
pub fn of_moment(chain: &ChainId, time: Timestamp, who: &Who, what: What) -> Named {
    named(chain, time, who, format!("{}.{}.{}", who.session, time.unix_ms(), what.word()), what)
}

fn named(chain: &ChainId, time: Timestamp, who: &Who, id: String, what: What) -> Named {
    let session = who.session;
    let user = who.user_or_uid();
    let name = EventName::new(chain, Some(session), time, who.kind.as_str(), &who.host, &user, what.word());
    Named { name, event: event(chain, id, session.to_string(), time, what) }
}

/// The event of a checkpoint. `user` is whose chain it is.
pub fn of_checkpoint(entry: &Entry, user: &str, what: Checkpoint) -> Named {
    let (host, what) = (what.host.clone(), What::Checkpoint(what));
    let chain = &entry.chain;
    let name = EventName::new(chain, None, entry.time, "host", &host, user, what.word());
    let id = format!("{}.{}.{}", chain.short(), entry.seq, what.word());
    Named { name, event: event(chain, id, chain.to_string(), entry.time, what) }
}

/// The event of a viewing. `chain` is the session's, where one was found. Each viewing is one of its own: `nonce` tells those
/// of one millisecond apart.
pub fn of_viewing(chain: Option<&ChainId>, time: Timestamp, nonce: u32, viewed: Viewed) -> Named {
    let Viewed { session, chain16, .. } = &viewed;
    let part = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
    let kind = viewed.kind.map_or("-", |kind| kind.as_str());
    let name = EventName::of(chain16, Some(*session), time, kind, &part(&viewed.host), &part(&viewed.user), "viewed");
    let id = format!("{session}.{}.{nonce:08x}.viewed", time.unix_ms());
    let session = *session;
    let source = chain.map_or_else(|| format!("urn:hansard:session:{session}"), |id| format!("urn:hansard:chain:{id}"));
    let event = Event {
        specversion: "1.0".into(),
        id,
        source,
        subject: session.to_string(),
        time,
        datacontenttype: "application/json".into(),
        what: What::Viewed(viewed),
    };
    Named { name, event }
}

/// A chain line as events hold it: verbatim, without its line feed.
pub fn line_of(entry: &Entry) -> String {
    String::from_utf8_lossy(entry.line.trim_ascii_end()).into_owned()
}

impl Event {
    /// The document, on one line.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|e| Error::Unwritable(format!("event: {e}")))
    }

    /// Reads the document. `Err` says what is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        json::parse(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::{self, Kind as EntryKind};
    use crate::seal::SigningKey;

    #[test]
    fn an_event_is_read_as_it_was_written_and_its_entry_is_the_signed_line() {
        let time: Timestamp = "2026-11-22T09:30:00.125Z".parse().unwrap();
        let boot = "6f0c5c4e-5d0a-4a9b-8d37-0a1b2c3d4e5f".parse().unwrap();
        let (genesis, key) = chain::genesis("host", None, 1000, time, boot, SigningKey::generate()).unwrap();
        let (entry, _) =
            chain::append(&genesis, key, EntryKind::Checkpoint { open: vec![], part: None }, time, boot).unwrap();
        let what = Checkpoint { host: "a_b".into(), open: 0, places: vec![], entry: line_of(&entry) };
        let Named { name, event } = of_checkpoint(&entry, "zoë", what);
        assert_eq!(EventName::parse(&name.path()).unwrap(), name);
        let bytes = event.to_bytes().unwrap();
        let read = Event::parse(&bytes).unwrap();
        assert_eq!(read, event);
        assert_eq!(read.id, format!("{}.1.checkpoint", genesis.chain.short()));
        let What::Checkpoint(data) = read.what else { panic!("{read:?}") };
        assert!(Entry::parse(data.entry.as_bytes()).unwrap().signed_by(&genesis.next));
    }
}
