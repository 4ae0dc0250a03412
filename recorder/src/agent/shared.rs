//! What all threads of the agent share: configuration, services, sessions, counters.
//!
//! Not for doing anything but the few things that every thread may ask for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use hansard_schemas::SessionId;
use hansard_schemas::event::{What, Who};
use hansard_schemas::keys::Recipients;
use hansard_schemas::session::{Identity, Kind};

use super::recorded::{Fault, Recorded};
use super::registry::{Entry, Registry};
use super::worker::{Desk, Order};
use crate::config::Config;
use crate::policy::Policy;
use crate::services::Services;

/// Counts since the agent's start, for metrics.
#[derive(Debug, Default)]
pub struct Counters {
    /// Sessions that were started.
    pub started: AtomicU64,
    /// Sessions that were taken up from an agent before.
    pub resumed: AtomicU64,
    /// Starts that policy denied.
    pub denied: AtomicU64,
    /// Starts that failed.
    pub failed: AtomicU64,
    /// Sessions that were over.
    pub ended: AtomicU64,
    /// Tees that were found silent.
    pub stalled: AtomicU64,
    /// Sessions that were ended by an operator.
    pub terminated: AtomicU64,
}

impl Counters {
    /// One more.
    pub fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// What they share.
pub struct Shared {
    config: RwLock<(Arc<Config>, Arc<Policy>)>,
    /// Who may read recordings.
    pub recipients: Arc<Recipients>,
    /// Journal, chain, delivery.
    pub services: Arc<Services>,
    /// The sessions.
    pub registry: Registry,
    /// The workers.
    pub desks: OnceLock<Vec<Desk>>,
    /// For metrics.
    pub counters: Counters,
}

impl Shared {
    /// With this configuration.
    pub fn new(config: Config, policy: Policy, recipients: Recipients, services: Arc<Services>) -> Self {
        Self {
            config: RwLock::new((Arc::new(config), Arc::new(policy))),
            recipients: Arc::new(recipients),
            services,
            registry: Registry::default(),
            desks: OnceLock::new(),
            counters: Counters::default(),
        }
    }

    /// The present configuration.
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner).0)
    }

    /// The present policy.
    pub fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner).1)
    }

    /// Another one of both, for sessions to come.
    pub fn set_config(&self, config: Config, policy: Policy) {
        let both = (Arc::new(config), Arc::new(policy));
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = both;
    }

    /// How long a session waits for its tee, and a tee for its agent.
    pub fn grace(&self) -> Duration {
        self.config().agent.grace
    }

    /// Tells the worker of a session.
    pub fn tell(&self, entry: &Entry, order: Order) {
        if let Some(desk) = self.desks.get().and_then(|desks| desks.get(entry.worker)) {
            desk.tell(order);
        }
    }

    /// The worker for a new session: by its number, so that they share evenly.
    pub fn worker_for(&self, session: SessionId) -> usize {
        let workers = self.desks.get().map_or(1, Vec::len).max(1);
        let last = session.to_string().bytes().fold(0usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        last % workers
    }

    /// A tee does not do what it has to: it is said, and ended.
    pub fn by_force(&self, session: &Recorded, fault: Fault) {
        let entry = &session.entry;
        let (id, user, pid) = (entry.session, &entry.user, session.peer.pid);
        match fault {
            Fault::Silent => {
                Counters::count(&self.counters.stalled);
                tracing::warn!(session = %id, %user, pid, "session stalled: its tee is silent; it is hung up");
                self.say_stalled(id);
            }
            Fault::Disobeys => {
                tracing::warn!(session = %id, %user, pid, "session ended by force: its tee has not ended it")
            }
        }
        // Where a terminal goes with the tee, the kernel hangs up what runs on it, as at any loss of a connection.
        let hangs_up = fault == Fault::Silent && entry.kind == Kind::Interactive;
        let ended = if hangs_up { session.peer.kill() } else { session.peer.kill_all() };
        if let Err(e) = ended {
            tracing::error!(session = %id, pid, "the tee cannot be ended: {e}");
        }
    }

    fn say_stalled(&self, id: SessionId) {
        let services = Arc::clone(&self.services);
        // The disk is waited for elsewhere: this thread has other sessions.
        let said = std::thread::Builder::new().name("notice".into()).spawn(move || {
            if let Err(failure) = services.say_of_session(id, "its tee is silent; it is hung up", What::Stalled) {
                tracing::error!(session = %id, "the event of the stall is lost: {}", failure.what);
            }
        });
        if let Err(e) = said {
            tracing::error!(session = %id, "the event of the stall is lost: {e}");
        }
    }

    /// A start was refused.
    pub fn denied(&self, identity: &Identity, why: &str) {
        Counters::count(&self.counters.denied);
        self.say(identity, why, "session denied", What::Denied);
    }

    /// A start failed, and was refused for that.
    pub fn failed(&self, identity: &Identity, why: &str) {
        self.say(identity, &format!("it cannot be recorded: {why}"), "session refused", What::Denied);
    }

    /// A session runs unrecorded, as policy has it.
    pub fn unrecorded(&self, identity: &Identity, why: &str) {
        self.say(identity, why, "session unrecorded", What::Unrecorded);
    }

    /// Says it in the log, and as an event.
    fn say(&self, identity: &Identity, why: &str, text: &str, what: fn(hansard_schemas::event::Notice) -> What) {
        let (kernel, claimed) = (&identity.kernel, &identity.claimed);
        let user = kernel.user_or_uid();
        let from = kernel.origin.as_ref().or(claimed.ssh_connection.as_ref());
        tracing::warn!(user = %user, uid = kernel.uid, from = ?from, kind = identity.kind.as_str(), why, command = ?claimed.command, "{text}");
        let who = Who::of(identity, self.config().events.command);
        if let Err(failure) = self.services.say_of_start(who, why, what) {
            tracing::error!(user = %user, "the event of it is lost: {}", failure.what);
        }
    }

    /// A session is over; `closed` unless its end could not be written.
    pub fn ended(&self, entry: &Entry, closed: bool) {
        Counters::count(&self.counters.ended);
        self.registry.remove(entry.session);
        tracing::info!(session = %entry.session, user = %entry.user, "session ended");
        if !closed {
            tracing::error!(session = %entry.session, "its end could not be written: it is closed as recovered");
            if let Err(failure) = self.services.give_up(entry.session, "its end could not be written") {
                tracing::error!(session = %entry.session, "a session cannot be closed: {}", failure.what);
            }
        }
    }
}
