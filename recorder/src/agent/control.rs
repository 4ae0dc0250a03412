//! Operators' requests, which come on the same socket: `status` and `terminate`.
//!
//! For root and for the agent's own user, by the kernel's word. JSON on both ways; not for how it is shown (`cmd`).

use std::sync::Arc;

use hansard_schemas::SessionId;
use serde::{Deserialize, Serialize};

use super::metrics;
use super::peer::Peer;
use super::registry::Shown;
use super::shared::{Counters, Shared};
use super::worker::Order;
use crate::ship::Status as SinkStatus;

/// A request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Request {
    /// What runs, and what waits.
    Status,
    /// What was counted.
    Metrics,
    /// End a session.
    Terminate {
        /// Its id, or the end or the beginning of one.
        session: String,
        /// Why; the user is shown it.
        reason: String,
    },
}

/// A sink in `status`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sink {
    /// Its address, without credentials.
    pub sink: String,
    /// How many sessions it lacks something of.
    pub behind: u64,
    /// How long the oldest thing that it lacks has waited, in milliseconds.
    pub unshipped_ms: u64,
    /// What it said last, if it refused.
    pub trouble: Option<String>,
}

/// An answer.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Answer {
    /// Why it could not be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The session that was ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminated: Option<SessionId>,
    /// The sessions that run.
    #[serde(default)]
    pub sessions: Vec<Shown>,
    /// The sinks.
    #[serde(default)]
    pub sinks: Vec<Sink>,
    /// What was counted, in Prometheus' text format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<String>,
}

impl Answer {
    fn error(text: impl Into<String>) -> Self {
        Self { error: Some(text.into()), ..Self::default() }
    }
}

/// Answers a request.
pub fn answer(shared: &Arc<Shared>, peer: &Peer, request: &[u8]) -> Answer {
    if peer.uid != 0 && peer.uid != rustix::process::geteuid().as_raw() {
        return Answer::error("only root and the agent's own user may ask this");
    }
    match serde_json::from_slice(request) {
        Ok(Request::Status) => Answer { sessions: shared.registry.shown(), sinks: sinks(shared), ..Answer::default() },
        Ok(Request::Metrics) => Answer { metrics: Some(metrics::text(shared, &sinks(shared))), ..Answer::default() },
        Ok(Request::Terminate { session, reason }) => terminate(shared, peer, &session, &reason),
        Err(e) => Answer::error(format!("not a request of this version: {e}")),
    }
}

/// Each sink, with the sessions that run or are not all delivered.
pub fn sinks(shared: &Shared) -> Vec<Sink> {
    let mut sinks: Vec<Sink> = Vec::new();
    let all = shared.services.sessions();
    // A sink is as far as the session that it is furthest behind with.
    for SinkStatus { address, caught_up, trouble, waits_ms } in all.iter().flat_map(|handle| handle.status()) {
        match sinks.iter_mut().find(|sink| sink.sink == address) {
            Some(sink) => {
                sink.behind += u64::from(!caught_up);
                sink.unshipped_ms = sink.unshipped_ms.max(waits_ms);
                sink.trouble = sink.trouble.take().or(trouble);
            }
            None => sinks.push(Sink { sink: address, behind: u64::from(!caught_up), unshipped_ms: waits_ms, trouble }),
        }
    }
    sinks
}

fn terminate(shared: &Shared, peer: &Peer, wanted: &str, reason: &str) -> Answer {
    let all = shared.registry.shown();
    let fits = |id: &str| !wanted.is_empty() && (id.starts_with(wanted) || id.ends_with(wanted));
    let found: Vec<SessionId> = all.iter().map(|one| one.session).filter(|id| fits(&id.to_string())).collect();
    let [session] = found.as_slice() else {
        return Answer::error(match found.len() {
            0 => format!("no session that runs has an id like {wanted:?}"),
            count => format!("{count} sessions have an id like {wanted:?}: give more of it"),
        });
    };
    let Some(entry) = shared.registry.get(*session) else { return Answer::error("it has just ended") };
    let who = uzers::get_user_by_uid(peer.uid)
        .map_or_else(|| peer.uid.to_string(), |user| user.name().to_string_lossy().into_owned());
    Counters::count(&shared.counters.terminated);
    tracing::warn!(session = %session, by = %who, reason, "session terminated");
    let text = format!("this session was ended by {who}: {reason}");
    shared.tell(&entry, Order::Terminate(*session, text));
    Answer { terminated: Some(*session), ..Answer::default() }
}
