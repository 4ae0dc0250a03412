//! Delivery: what is closed goes to every place of its session, in order, while the session runs.
//!
//! One service for all sessions of the process. Each place has a few threads and a queue of the sessions that have
//! something new for it (`place`), so that a place that is away holds up no other, and no session another. Retries back
//! off with jitter and have no end; the spool is the queue that counts, and a cursor per session and place says what is
//! there. Not for what a place is: that is `hansard_sinks`.

pub mod announce;
mod consignment;
pub mod deliver;
pub mod leftovers;
mod place;
mod watch;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hansard_schemas::SessionId;

pub use self::consignment::{Choice, Consignment};
use self::place::Place;
use self::watch::Desk;
use crate::destinations::{Destination, Notify};
use crate::host_chain::HostChain;
use crate::journal::session_dir::SessionDir;

/// One place, as a session sees it.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// Its address, without credentials.
    pub address: String,
    /// Everything that was closed when it last looked has arrived.
    pub caught_up: bool,
    /// What it said last, if it refused.
    pub trouble: Option<String>,
    /// For how long something waits for it, in milliseconds; 0 when nothing does.
    pub waits_ms: u64,
}

/// Called when a session has left the spool, or this service.
pub type Gone = Box<dyn Fn(SessionId) + Send + Sync>;

/// Called when a place takes again that was said to fail.
pub type Back = Box<dyn Fn() + Send + Sync>;

struct Inner {
    places: Vec<Place>,
    chain: Arc<HostChain>,
    /// Delivery that is later is told as an event.
    behind: Duration,
    /// How long a session that has ended waits for places that are not required.
    final_wait: Duration,
    shown: Arc<[String]>,
    desk: Desk,
    gone: OnceLock<Gone>,
    back: OnceLock<Back>,
}

/// Delivers for all sessions of the process.
#[derive(Clone)]
pub struct Shipping(Arc<Inner>);

impl std::fmt::Debug for Shipping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Shipping").field(&self.0.shown).finish()
    }
}

impl Shipping {
    /// Starts the thread that says what is `behind`; the others come with the first session.
    pub fn start(
        sinks: Vec<Destination>,
        notify: Vec<Notify>,
        chain: Arc<HostChain>,
        behind: Duration,
        final_wait: Duration,
    ) -> std::io::Result<Self> {
        let sinks = sinks.into_iter().map(Place::of_recordings);
        let places: Vec<Place> = sinks.chain(notify.into_iter().map(Place::of_events)).collect();
        let shown = places.iter().map(|place| place.shown.clone()).collect();
        let (desk, gone, back) = (Desk::default(), OnceLock::new(), OnceLock::new());
        let inner = Arc::new(Inner { places, chain, behind, final_wait, shown, desk, gone, back });
        watch::start(&inner)?;
        Ok(Self(inner))
    }

    /// From now on `gone` is called for each session that leaves. The first one stays.
    pub fn when_gone(&self, gone: Gone) {
        let _ = self.0.gone.set(gone);
    }

    /// From now on `back` is called when a place takes again. The first one stays.
    pub fn when_back(&self, back: Back) {
        let _ = self.0.back.set(back);
    }

    /// Takes a session on: what its folder holds is delivered from the first [`Consignment::wake`] on.
    pub fn register(&self, dir: &Arc<SessionDir>, choice: &Choice) -> Arc<Consignment> {
        Consignment::new(&self.0, Arc::clone(dir), choice)
    }

    /// Something of the chain alone is new, with no session to bring it along: the places get it with the next round of any
    /// session, or now where there is none.
    pub fn deliver_chain(&self) -> Vec<(String, String)> {
        let failed = |place: &Place| {
            let why = place.deliver_chain(&self.0.chain).map_err(|e| e.with_hint());
            why.unwrap_or_else(Some).map(|why| (place.shown.clone(), why))
        };
        self.0.places.iter().filter_map(failed).collect()
    }

    /// Whether this address is a place here that is away at the moment: nobody else need try it.
    pub fn is_away(&self, address: &str) -> bool {
        self.0.places.iter().any(|place| place.address == address && place.is_away())
    }

    /// A place that is open already.
    pub(crate) fn sink(&self, address: &str) -> Option<Arc<dyn hansard_sinks::Sink>> {
        self.0.places.iter().find(|place| place.address == address)?.sink()
    }

    /// The threads end after what they are doing; one that hangs in a request is left to the process's end.
    pub fn stop(&self) {
        self.0.places.iter().for_each(Place::stop);
        self.0.desk.stop();
    }
}
