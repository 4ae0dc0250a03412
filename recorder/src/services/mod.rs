//! What a process has once for all the sessions that it records: the spool, the host chain, the threads that sync, close,
//! deliver, watch and tidy up.
//!
//! A session is a value that belongs to whoever drives it (`capture::session`); nothing of it needs a thread of its own.
//! `run` is one session, an agent thousands; both begin here. Not for what drives a session: `live` and the agent.

mod begin;
mod chores;
mod handle;
mod notices;
mod registry;
mod reserve;
mod resume;

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use hansard_schemas::{SessionId, Timestamp};
use rand::RngCore as _;

use self::registry::Registry;
use crate::capture::clock::ms;
use crate::capture::masking::Prompts;
use crate::capture::segments::Shape;
use crate::capture::who::Host;
use crate::config::Config;
use crate::destinations::{Destination, Notify, pace};
use crate::host_chain::HostChain;
use crate::journal::closing::ClosingPool;
use crate::journal::spool::Spool;
use crate::journal::stall::StallWatch;
use crate::journal::sync::GroupSync;
use crate::journal::usage::Usage;
use crate::memory;
use crate::report::Failure;
use crate::ship::Shipping;

pub(crate) use self::begin::blocked;
pub use self::begin::{Begun, Choices, Opening};
pub use self::handle::Handle;
pub use self::resume::{Resume, Resumed};

/// What the sessions of a process share.
pub struct Services {
    config: Config,
    spool: Spool,
    host: Host,
    chain: Arc<HostChain>,
    usage: Arc<Usage>,
    sync: Arc<GroupSync>,
    closing: ClosingPool,
    stall: StallWatch,
    shipping: Shipping,
    prompts: Arc<Prompts>,
    shape: Shape,
    /// Addresses of all sinks, and complete ones of the places for events.
    places: Vec<String>,
    notify: Vec<String>,
    registry: Arc<Registry>,
    stopping: Arc<Stopping>,
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Services").field("spool", &self.spool.root()).field("shipping", &self.shipping).finish()
    }
}

impl Services {
    /// Opens spool and chain, and starts the threads. Keys are about to be in memory: what can be locked is, from here on.
    pub fn start(config: Config, sinks: Vec<Destination>, notify: Vec<Notify>) -> Result<Arc<Self>, Failure> {
        // Where memory cannot be locked it starts all the same; `check` says so.
        memory::keep()?;
        let spool = Spool::open(&config.spool_dir()?)?;
        let usage = Arc::new(Usage::new(spool.clone()));
        // Said before anything is begun that would have to be taken back.
        spool.admit_with(usage.now(), config.spool.quota, config.spool.reserve)?;
        let host = Host::this()?;
        let chain = Arc::new(HostChain::open(&spool, &host)?);
        let prompts = Arc::new(Prompts::new(&config.input.prompt_patterns).map_err(Failure::new)?);
        let places = sinks.iter().map(|one| one.address.to_string()).collect();
        let addresses = notify.iter().map(|one| one.address.as_str().to_owned()).collect();
        let shape = shape(&config, &sinks);
        let sync = Arc::new(GroupSync::start(config.journal.sync_interval).map_err(Failure::new)?);
        let stall = StallWatch::start(config.journal.stall).map_err(Failure::new)?;
        let (behind, final_wait) = (config.ship.behind, config.ship.final_wait);
        let shipping = Shipping::start(sinks, notify, Arc::clone(&chain), behind, final_wait).map_err(Failure::new)?;
        let registry = Arc::new(Registry::default());
        let leaves = Arc::clone(&registry);
        shipping.when_gone(Box::new(move |session| leaves.remove(session)));
        let stopping: Arc<Stopping> = Arc::default();
        let bell = Arc::clone(&stopping);
        shipping.when_back(Box::new(move || bell.ring()));
        let services = Arc::new(Self {
            config,
            spool,
            host,
            chain,
            usage,
            sync,
            closing: ClosingPool::new(),
            stall,
            shipping,
            prompts,
            shape,
            places,
            notify: addresses,
            registry,
            stopping,
        });
        chores::start(&services).map_err(Failure::new)?;
        Ok(services)
    }

    /// An id for a session that begins now.
    pub fn new_session(&self, now: Timestamp) -> SessionId {
        let mut random = [0; 10];
        rand::rngs::OsRng.fill_bytes(&mut random);
        SessionId::new(u64::try_from(now.unix_ms()).unwrap_or(0), &random)
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The spool.
    pub fn spool(&self) -> &Spool {
        &self.spool
    }

    /// The chain.
    pub fn chain(&self) -> &Arc<HostChain> {
        &self.chain
    }

    /// Delivery.
    pub fn shipping(&self) -> &Shipping {
        &self.shipping
    }

    /// The sessions that are open here, or have ended and are not all delivered.
    pub fn sessions(&self) -> Vec<Handle> {
        self.registry.open().into_iter().map(Handle::of).collect()
    }

    /// One of them.
    pub fn session(&self, session: SessionId) -> Option<Handle> {
        self.registry.get(session).map(Handle::of)
    }

    /// From now on what others left in the spool is closed and delivered beside the rest, by a thread of its own. What is
    /// reserved is left alone.
    pub fn take_leftovers(self: &Arc<Self>) -> std::io::Result<()> {
        chores::take_leftovers(self)
    }

    /// The threads end after what they are doing. What is not delivered stays in the spool.
    pub fn stop(&self) {
        self.stopping.stop();
        self.closing.stop();
        self.shipping.stop();
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What is decided once for all sessions.
fn shape(config: &Config, sinks: &[Destination]) -> Shape {
    let pace = pace(sinks, config.ship.interval);
    // What the smallest sink takes; a log's messages are small.
    let max_segment = sinks.iter().filter_map(|one| one.sink.limits().max_object);
    let max_segment = max_segment.fold(config.journal.max_segment, u64::min);
    let compression = hansard_schemas::segment::Compression {
        level: config.journal.level,
        window_log: None,
        bulk: true,
        stores_small: true,
    };
    Shape { max_segment, interval_ms: ms(pace.first), later_interval_ms: ms(pace.later), compression }
}

/// Whether the threads are to end, and a bell for those that sleep.
#[derive(Debug, Default)]
struct Stopping {
    state: Mutex<Bell>,
    rung: Condvar,
}

#[derive(Debug, Default)]
struct Bell {
    over: bool,
    /// How often it was rung.
    rings: u64,
}

impl Stopping {
    fn stop(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).over = true;
        self.rung.notify_all();
    }

    fn ring(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).rings += 1;
        self.rung.notify_all();
    }

    /// Sleeps for so long, or until it is rung again after `rings`, where that is given. `None` when it is over, else how
    /// often it was rung.
    fn sleep(&self, pause: std::time::Duration, rings: Option<u64>) -> Option<u64> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_quiet = |bell: &mut Bell| !bell.over && rings.is_none_or(|rings| bell.rings == rings);
        let state = self.rung.wait_timeout_while(state, pause, is_quiet).unwrap_or_else(PoisonError::into_inner).0;
        (!state.over).then_some(state.rings)
    }
}
