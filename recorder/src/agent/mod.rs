//! The agent: one per host, which records the sessions of everybody on it; `hansard-shell` is at the other end.
//!
//! It holds keys, credentials, journal, sinks and events; the recorded users hold none of that. Threads: one greets
//! (`lobby`), a few start sessions (`starting`), a few serve them (`worker`); what all sessions share are the services of the
//! process. Not for what a session is: `capture`, `journal` and `ship` are the same as without an agent.

mod control;
mod identity;
mod kept;
mod limits;
mod line;
mod listen;
mod lobby;
mod marks;
mod metrics;
mod nested;
mod peer;
mod recorded;
mod registry;
mod returning;
mod shared;
mod shells;
mod sockets;
mod starting;
mod tty;
mod worker;

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hansard_schemas::keys::Recipients;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

pub use self::control::{Answer, Request, Sink};
pub use self::marks::usable as marks_usable;
pub use self::registry::Shown;
use self::shared::Shared;
pub use self::shells::of as shell_of;
use self::worker::Order;
use crate::cli::PlaceArgs;
use crate::config::{self, Config};
use crate::destinations::{self, Destination, Notify};
use crate::first_use;
use crate::policy::Policy;
use crate::report::Failure;
use crate::services::Services;

/// Threads that start sessions: a start waits for the disk, and several share one sync.
const STARTERS: usize = 8;

/// How old the file of metrics may be.
const METRICS: Duration = Duration::from_secs(15);

/// Reads what the agent runs by, and says what of it cannot be.
fn configure(place: &PlaceArgs) -> Result<(Config, Policy), Failure> {
    let (config, _) = Config::load(place)?;
    let policy = Policy::new(&config).map_err(Failure::new)?;
    Ok((config, policy))
}

/// What an agent serves with: its configuration, and what that names, opened.
pub struct Ready {
    config: Config,
    policy: Policy,
    recipients: Recipients,
    sinks: Vec<Destination>,
    notify: Vec<Notify>,
}

/// All that an agent can refuse of its configuration at its start. Connects nowhere and writes nothing: an agent may run beside
/// it.
pub fn ready(place: &PlaceArgs) -> Result<Ready, Failure> {
    let (config, policy) = configure(place)?;
    let recipients = first_use::configured(&config)?.ok_or_else(|| {
        Failure::new("no recipient is configured: nobody could read what the agent records")
            .hint("make an identity elsewhere (`hansard-replay keygen`) and name its public half under `recipients`")
    })?;
    let sinks = destinations::open(&config)?;
    let notify = destinations::open_notifies(&config, &sinks)?;
    config.spool_dir()?;
    Ok(Ready { config, policy, recipients, sinks, notify })
}

/// Serves until it is told to stop.
pub fn run(place: &PlaceArgs) -> Result<(), Failure> {
    // Before there is any other thread.
    let mut signals = Signals::new([SIGHUP, SIGTERM, SIGINT]).map_err(Failure::new)?;
    raise_descriptors();
    let Ready { config, policy, recipients, sinks, notify } = ready(place)?;
    let (listener, held) = listen::listener(&config.agent.socket)?;
    let names = asked_for(&config);
    let workers = config.agent.workers.unwrap_or_else(default_workers);
    let socket = config.agent.socket.clone();
    let services = Services::start(config.clone(), sinks, notify)?;
    let shared = Arc::new(Shared::new(config, policy, recipients, Arc::clone(&services)));
    let desks = (0..workers).map(|name| worker::start(&shared, name)).collect::<Result<Vec<_>, _>>();
    let (desks, threads): (Vec<_>, Vec<_>) = desks.map_err(Failure::new)?.into_iter().unzip();
    let _ = shared.desks.set(desks.clone());
    keep_for_tees(&shared)?;
    services.take_leftovers().map_err(Failure::new)?;
    let (arrivals, arrived) = channel();
    let arrived = Arc::new(Mutex::new(arrived));
    for number in 0..STARTERS {
        let (shared, arrived) = (Arc::clone(&shared), Arc::clone(&arrived));
        let name = format!("starter-{number}");
        let spawned = std::thread::Builder::new().name(name).spawn(move || starting::run(&shared, &arrived));
        spawned.map_err(Failure::new)?;
    }
    let lobby = std::thread::Builder::new().name("lobby".into());
    lobby.spawn(move || lobby::serve(&listener, &names, &arrivals)).map_err(Failure::new)?;
    watchdog().map_err(Failure::new)?;
    write_metrics(&shared).map_err(Failure::new)?;
    listen::ready();
    tracing::info!(socket = %socket.display(), held_by_systemd = held, workers, "agent ready");
    for signal in &mut signals {
        if signal == SIGHUP {
            reload(&shared, place);
        } else {
            break;
        }
    }
    listen::stopping();
    tracing::info!(sessions = shared.registry.count(), "agent stops; sessions that run wait for the next one");
    desks.iter().for_each(|desk| desk.tell(Order::Stop));
    for thread in threads {
        let _ = thread.join();
    }
    Ok(())
}

/// A session has four descriptors (connection, process, lock of its folder, open segment): as many as this process may have,
/// it takes.
fn raise_descriptors() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Refused by nothing: the hard limit stays. Where it is low, the sessions that do not fit are refused as they come.
    let _ = setrlimit(Resource::Nofile, rustix::process::Rlimit { current: limit.maximum, ..limit });
}

/// Sessions of the agent before wait for their tees, which come back by themselves; those that do not are given up.
fn keep_for_tees(shared: &Arc<Shared>) -> Result<(), Failure> {
    let kept = shared.services.reserve()?;
    if kept.is_empty() {
        return Ok(());
    }
    tracing::info!(sessions = kept.len(), "sessions of the last agent wait for their tees");
    let shared = Arc::clone(shared);
    let give_up = move || {
        std::thread::sleep(shared.grace());
        for session in shared.services.reserved() {
            match shared.services.give_up(session, "its tee did not come back") {
                Ok(()) => tracing::warn!(%session, "a session's tee did not come back: closed as recovered"),
                Err(failure) => tracing::error!(%session, "a session cannot be closed: {}", failure.what),
            }
        }
    };
    std::thread::Builder::new().name("give-up".into()).spawn(give_up).map(drop).map_err(Failure::new)
}

/// Variables that a tee is asked for: those that a recording may hold, and those that say where it comes from.
fn asked_for(config: &Config) -> Vec<String> {
    let rules = config.rule.iter().filter_map(|rule| rule.env.as_ref()).flatten();
    let needed = ["TERM", "SSH_CONNECTION", "SSH_ORIGINAL_COMMAND"].map(String::from);
    let mut names: Vec<String> = config.env.iter().chain(rules).cloned().chain(needed).collect();
    names.sort();
    names.dedup();
    names
}

fn default_workers() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 16)
}

fn watchdog() -> std::io::Result<()> {
    let Some(pause) = listen::watchdog() else { return Ok(()) };
    let beat = move || {
        loop {
            listen::alive();
            std::thread::sleep(pause.max(Duration::from_millis(100)));
        }
    };
    std::thread::Builder::new().name("watchdog".into()).spawn(beat).map(drop)
}

/// Keeps the file of metrics up to date, where one is configured.
fn write_metrics(shared: &Arc<Shared>) -> std::io::Result<()> {
    let Some(path) = shared.config().agent.metrics.clone() else { return Ok(()) };
    let shared = Arc::clone(shared);
    let work = move || {
        let mut works = true;
        loop {
            let written = metrics::write(&path, &metrics::text(&shared, &control::sinks(&shared)));
            if let (Err(e), true) = (&written, works) {
                tracing::warn!(path = %path.display(), "the metrics cannot be written: {e}");
            }
            works = written.is_ok();
            std::thread::sleep(METRICS);
        }
    };
    std::thread::Builder::new().name("metrics".into()).spawn(work).map(drop)
}

/// Reads the configuration again. One that cannot be used changes nothing.
fn reload(shared: &Shared, place: &PlaceArgs) {
    listen::reloading(false);
    match configure(place) {
        Ok((config, policy)) => {
            let fixed = config::needs_restart(&shared.config(), &config);
            shared.set_config(config, policy);
            match fixed.as_slice() {
                [] => tracing::info!("the configuration was read again"),
                keys => tracing::warn!(
                    keys = keys.join(", "),
                    "the configuration was read again; these keys count from the next start on"
                ),
            }
        }
        Err(failure) => {
            tracing::error!(
                hint = failure.hint.as_deref().unwrap_or(""),
                "the configuration cannot be used, the old one stays: {}",
                failure.what
            );
        }
    }
    listen::reloading(true);
}
