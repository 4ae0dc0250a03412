//! A running session's parts, put together at the start and taken apart at the end.
//!
//! The order is the promise: the folder is locked, then the chain says `start`, then segment 0 is durable, and only then
//! may the command be started; at the end the last segment is durable, then the chain says `end`, then delivery is
//! awaited for a while. Not for what happens in between: the relay and `capture::session`.

use std::ffi::OsString;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use hansard_schemas::cast::{CastHeader, Size, Term};
use hansard_schemas::chain::Kind;
use hansard_schemas::event::Who;
use hansard_schemas::keys::Recipients;
use hansard_schemas::seal::SigningKey;
use hansard_schemas::segment::Compression;
use hansard_schemas::session::Stop;
use hansard_schemas::{SessionId, Timestamp};
use rand::RngCore as _;

use crate::capture::clock::ms;
use crate::capture::lagging::LagBounds;
use crate::capture::masking::{Masking, Prompts};
use crate::capture::quota::Quota;
use crate::capture::recorder::SessionRecorder;
use crate::capture::segments::{Blocked, Segments, Shape};
use crate::capture::session::Session;
use crate::capture::who::{Host, Stated, Surroundings, identify};
use crate::cli::InputMode;
use crate::config::Config;
use crate::destinations::{Destination, Notify, pace};
use crate::host_chain::HostChain;
use crate::journal::closing::Closer;
use crate::journal::file::sync_dir;
use crate::journal::outbox;
use crate::journal::session_dir::{About, SessionDir};
use crate::journal::spool::{Spool, occupy_reserve};
use crate::journal::stall::StallWatch;
use crate::journal::sync::GroupSync;
use crate::memory;
use crate::report::{Failure, io};
use crate::ship::deliver::release_all;
use crate::ship::{Shipper, Status, Waker, leftovers};

/// CHAIN-3.
const CHECKPOINT: Duration = Duration::from_secs(60);
/// How long the closing of the last segment may take before the session is left to recovery.
const CLOSE_LIMIT: Duration = Duration::from_secs(30);

/// What a session is made of.
#[derive(Debug)]
pub struct Plan {
    /// The effective configuration.
    pub config: Config,
    /// Who may read it.
    pub recipients: Recipients,
    /// Whether it has a terminal.
    pub interactive: bool,
    /// What the user says of it.
    pub stated: Stated,
    /// What it was opened from.
    pub around: Surroundings,
    /// The terminal's size at the start.
    pub size: Size,
}

/// A session that is being recorded.
pub struct Live {
    /// What the tee submits to.
    pub recorder: SessionRecorder,
    session: SessionId,
    dir: Arc<SessionDir>,
    shipper: Shipper,
    checkpoints: Checkpoints,
    final_wait: Duration,
    addresses: Vec<String>,
    required: Arc<[String]>,
    events: Arc<[String]>,
}

/// How a session was left.
#[derive(Debug)]
pub struct Ended {
    /// Its id.
    pub session: SessionId,
    /// What each sink said last; empty when everything has arrived everywhere.
    pub behind: Vec<Status>,
}

impl Live {
    /// Starts recording. When this returns, what is submitted is kept.
    pub fn start(plan: &Plan, sinks: Vec<Destination>, notify: Vec<Notify>) -> Result<Self, Failure> {
        // Keys are about to be in memory. Where it cannot be locked the session starts all the same; `check` says so.
        memory::keep()?;
        let config = &plan.config;
        let spool = Spool::open(&config.spool_dir()?)?;
        spool.admit(config.spool.quota, config.spool.reserve)?;
        let host = Host::this()?;
        let chain = Arc::new(HostChain::open(&spool, &host)?);
        let now = chrono::Utc::now();
        let session = new_session(now.timestamp_millis());
        let dir = SessionDir::create(&spool.sessions(), session).map_err(io("make a session in", spool.root()))?;
        let begun = Self::announce_and_open(plan, (sinks, notify), &spool, &host, &chain, Timestamp::new(now), dir);
        let live = begun.map_err(|failure| failure.hint_if_none("nothing was started; see `hansard-record check`"))?;
        // What others left is taken along; a thread that cannot be had takes nothing from this session.
        let _ = leftovers::in_background(spool, host, session);
        Ok(live)
    }

    fn announce_and_open(
        plan: &Plan,
        (sinks, notify): (Vec<Destination>, Vec<Notify>),
        spool: &Spool,
        host: &Host,
        chain: &Arc<HostChain>,
        started: Timestamp,
        dir: SessionDir,
    ) -> Result<Self, Failure> {
        let config = &plan.config;
        let session = dir.session();
        occupy_reserve(dir.path(), config.spool.reserve).map_err(io("reserve space in", dir.path()))?;
        let identity = identify(session, started, host, plan.interactive, &plan.stated, &plan.around);
        let header = CastHeader {
            term: Term { cols: plan.size.cols, rows: plan.size.rows, kind: std::env::var("TERM").ok() },
            timestamp: u64::try_from(started.unix_ms() / 1_000).unwrap_or(0),
            command: shown_command(&plan.stated.command),
            hansard: identity,
        };
        let who = Who::of(&header.hansard, config.events.command);
        let whose = who.clone();
        let (header_line, identity) = header.to_line().map_err(Failure::new)?;
        let addresses: Vec<String> = sinks.iter().map(|one| one.address.to_string()).collect();
        let pace = pace(&sinks, config.ship.interval);
        // What the smallest sink takes; a log's messages are small.
        let max_segment = sinks.iter().filter_map(|one| one.sink.limits().max_object);
        let max_segment = max_segment.fold(config.journal.max_segment, u64::min);
        let signer = SigningKey::generate();
        // Before the entry, with a lower bound of its number: a crash between the two must find both.
        let next_seq = chain.log().next_seq().map_err(io("read the host chain in", chain.dir()))?;
        let about = About {
            chain: chain.id(),
            start_seq: next_seq,
            boot: chain.boot(),
            sinks: addresses.clone(),
            notify: notify.iter().map(|one| one.address.as_str().to_owned()).collect(),
            who: Some(who),
        };
        dir.write_about(&about).map_err(io("write in", dir.path()))?;
        sync_dir(&spool.sessions()).map_err(io("sync", &spool.sessions()))?;
        let entry = chain.append(Kind::Start { session, signer: signer.public(), identity })?;
        let line = String::from_utf8_lossy(entry.line.trim_ascii_end()).into_owned();

        outbox::started(&dir, &about, &entry).map_err(io("write the event of the start in", dir.path()))?;

        let dir = Arc::new(dir);
        let sync = Arc::new(GroupSync::start(config.journal.sync_interval).map_err(Failure::new)?);
        let shipper = Shipper::start(sinks, notify, &dir, chain, whose, config.ship.behind).map_err(Failure::new)?;
        let (required, events) = (shipper.required(), shipper.events());
        let waker = shipper.waker();
        let closer = Closer::start(Arc::clone(&dir), Arc::clone(chain), move || waker.wake()).map_err(Failure::new)?;
        let shape = Shape {
            max_segment,
            interval_ms: ms(pace.first),
            later_interval_ms: ms(pace.later),
            compression: Compression { level: config.journal.level, window_log: None, bulk: true, stores_small: true },
        };
        let stall = StallWatch::start(config.journal.stall).map_err(Failure::new)?;
        let recipients = plan.recipients.clone();
        let begun = Segments::begin(
            Arc::clone(&dir),
            sync,
            Arc::new(closer),
            recipients,
            shape,
            signer,
            line,
            &header_line,
            plan.size,
            stall.flag(),
        );
        let segments = begun.map_err(blocked)?;
        segments.sync_now().map_err(io("sync the journal in", dir.path()))?;
        sync_dir(dir.path()).map_err(io("sync", dir.path()))?;
        let quota = Quota { spool: spool.clone(), bytes: config.spool.quota, full: config.spool.full };
        let limit = (!plan.interactive).then_some(config.exec.stream_limit);
        let masking = (config.input.mode == InputMode::Masked)
            .then(|| Prompts::new(&config.input.prompt_patterns).map(Masking::new))
            .transpose()
            .map_err(Failure::new)?;
        let lag = LagBounds { lag: shipper.lag(), behind: config.ship.behind, max: config.ship.max_lag };
        let recorder = SessionRecorder::new(Session::new(segments, masking, limit, quota, lag, stall));
        let checkpoints =
            Checkpoints::start(Arc::clone(chain), spool.clone(), Arc::clone(&dir), about, shipper.waker())
                .map_err(Failure::new)?;
        Ok(Self {
            recorder,
            session,
            dir,
            shipper,
            checkpoints,
            final_wait: config.ship.final_wait,
            addresses,
            required,
            events,
        })
    }

    /// The session's id.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// Ends the recording: last segment, `end`, and a wait for the sinks with `progress` called meanwhile.
    pub fn end(mut self, t_us: u64, stop: Stop, progress: impl FnMut(&[Status])) -> Result<Ended, Failure> {
        let hint = "what was recorded is kept; `hansard-record ship` closes the session as recovered";
        self.recorder.finish(t_us / 1_000, stop).map_err(|b| blocked(b).hint(hint))?;
        if !self.recorder.closer().wait_ended(CLOSE_LIMIT) {
            let trouble = self.recorder.closer().progress().trouble;
            let what = trouble.unwrap_or_else(|| "the disk does not answer".into());
            return Err(Failure::new(format_args!("session {} could not be closed: {what}", self.session)).hint(hint));
        }
        self.checkpoints.stop();
        self.shipper.waker().wake();
        let arrived = self.shipper.wait_caught_up(self.final_wait, progress);
        let behind: Vec<Status> =
            self.shipper.status().into_iter().filter(|s| !s.caught_up || s.trouble.is_some()).collect();
        self.shipper.stop();
        // Released when every required sink has everything; what stays is delivered again by `ship`, which is harmless.
        let _ = release_all(&self.dir, &self.required, &self.events);
        Ok(Ended { session: self.session, behind: if arrived { behind } else { or_all(behind, &self.addresses) } })
    }
}

/// Not arrived in time, though no sink has said why.
fn or_all(behind: Vec<Status>, addresses: &[String]) -> Vec<Status> {
    if !behind.is_empty() {
        return behind;
    }
    addresses.iter().map(|address| Status { address: address.clone(), ..Status::default() }).collect()
}

fn blocked(blocked: Blocked) -> Failure {
    let (Blocked::Full(text) | Blocked::Refused(text) | Blocked::Late(text) | Blocked::Fatal(text)) = blocked;
    Failure::new(format_args!("the journal cannot be written: {text}"))
}

fn new_session(unix_ms: i64) -> SessionId {
    let mut random = [0; 10];
    rand::rngs::OsRng.fill_bytes(&mut random);
    SessionId::new(u64::try_from(unix_ms).unwrap_or(0), &random)
}

fn shown_command(words: &[OsString]) -> Option<String> {
    let words: Vec<_> = words.iter().map(|w| w.to_string_lossy()).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// The thread that writes checkpoints while the session is open.
struct Checkpoints {
    stopping: Arc<(Mutex<bool>, Condvar)>,
    done: Arc<AtomicBool>,
}

impl Checkpoints {
    fn start(
        chain: Arc<HostChain>,
        spool: Spool,
        dir: Arc<SessionDir>,
        about: About,
        waker: Waker,
    ) -> std::io::Result<Self> {
        let stopping = Arc::new((Mutex::new(false), Condvar::new()));
        let done = Arc::new(AtomicBool::new(false));
        let (shared, finished) = (Arc::clone(&stopping), Arc::clone(&done));
        std::thread::Builder::new().name("checkpoints".into()).spawn(move || {
            loop {
                let guard = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
                let waited = shared.1.wait_timeout_while(guard, CHECKPOINT, |stopping| !*stopping);
                if *waited.unwrap_or_else(PoisonError::into_inner).0 {
                    break;
                }
                // One that fails is followed by the next; the gap between two shows in the chain.
                if let Ok(entry) = chain.checkpoint(&spool) {
                    // The entry itself travels in the chain: an event that cannot be written is not tried again.
                    let _ = outbox::checkpoint(&dir, &about, &entry);
                    waker.wake();
                }
            }
            finished.store(true, Ordering::Release);
        })?;
        Ok(Self { stopping, done })
    }

    fn stop(&self) {
        *self.stopping.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stopping.1.notify_all();
        crate::journal::closing::wait_for(Duration::from_secs(1), || self.done.load(Ordering::Acquire));
    }
}
