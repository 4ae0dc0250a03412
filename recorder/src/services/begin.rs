//! A session begins.
//!
//! The order is the promise: the folder is locked, then the chain says `start`, then segment 0 is durable, and only then
//! may the command be started.

use std::sync::Arc;

use hansard_schemas::Digest;
use hansard_schemas::cast::{CastHeader, Size, Term};
use hansard_schemas::chain::Kind;
use hansard_schemas::event::Who;
use hansard_schemas::keys::Recipients;
use hansard_schemas::seal::SigningKey;
use hansard_schemas::session::Identity;

use super::Services;
use super::handle::Handle;
use super::registry::Entry;
use crate::capture::lagging::LagBounds;
use crate::capture::masking::Masking;
use crate::capture::quota::Quota;
use crate::capture::segments::{Blocked, Segments, Tools};
use crate::capture::session::Session;
use crate::cli::InputMode;
use crate::destinations::required;
use crate::journal::closing::{Closer, Progress};
use crate::journal::file::sync_dir;
use crate::journal::outbox;
use crate::journal::session_dir::{About, SessionDir};
use crate::journal::spool::occupy_reserve;
use crate::journal::stall::Flag;
use crate::report::{Failure, io};
use crate::ship::{Choice, Consignment};

/// What a session is to be recorded with; the same when it goes on after its recorder was gone.
#[derive(Debug, Clone)]
pub struct Choices {
    /// Who may read it.
    pub recipients: Arc<Recipients>,
    /// How typed input is recorded.
    pub input: InputMode,
    /// The session has pipes, and no terminal.
    pub on_pipes: bool,
    /// This process's terminal is the session's: it is told there when the disk does not answer.
    pub on_terminal: bool,
}

/// A session that is to begin.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Who and what it is; its id and the time of its start among it.
    pub identity: Identity,
    /// The terminal's size.
    pub size: Size,
    /// The terminal's type.
    pub term: Option<String>,
    /// Where it goes.
    pub places: Choice,
    /// What it is recorded with.
    pub choices: Choices,
}

/// A session that has begun.
pub struct Begun {
    /// What its messages are given to, by whoever drives it.
    pub session: Session,
    /// For all else.
    pub handle: Handle,
}

impl Services {
    /// Begins a session. When this returns, what is submitted is kept.
    pub fn begin(&self, opening: Opening) -> Result<Begun, Failure> {
        let spool = &self.config.spool;
        self.spool.admit_with(self.usage.now(), spool.quota, spool.reserve)?;
        let root = self.spool.root();
        let dir = SessionDir::create(&self.spool.sessions(), opening.identity.session);
        let dir = dir.map_err(io("make a session in", root))?;
        let begun = self.announce_and_open(opening, dir);
        begun.map_err(|failure| failure.hint_if_none("nothing was started; see `hansard-record check`"))
    }

    fn announce_and_open(&self, opening: Opening, dir: SessionDir) -> Result<Begun, Failure> {
        let Opening { identity, size, term, places, choices } = opening;
        occupy_reserve(dir.path(), self.config.spool.reserve).map_err(io("reserve space in", dir.path()))?;
        let session = identity.session;
        let header = CastHeader {
            term: Term { cols: size.cols, rows: size.rows, kind: term },
            timestamp: u64::try_from(identity.started.unix_ms() / 1_000).unwrap_or(0),
            command: (!identity.claimed.command.is_empty()).then(|| identity.claimed.command.join(" ")),
            hansard: identity,
        };
        let who = Who::of(&header.hansard, self.config.events.command);
        let (header_line, identity) = header.to_line().map_err(Failure::new)?;
        let signer = SigningKey::generate();
        // Before the entry, with a lower bound of its number: a crash between the two must find both.
        let about = About {
            chain: self.chain.id(),
            start_seq: self.chain.end(),
            boot: self.chain.boot(),
            sinks: self.addresses(&places)?,
            notify: self.notify.clone(),
            who: Some(who),
            notice: false,
        };
        dir.write_about(&about).map_err(io("write in", dir.path()))?;
        sync_dir(&self.spool.sessions()).map_err(io("sync", &self.spool.sessions()))?;
        let entry = self.chain.append(Kind::Start { session, signer: signer.public(), identity })?;
        let line = String::from_utf8_lossy(entry.line.trim_ascii_end()).into_owned();
        outbox::owe_started(&dir, &about, &entry);

        let dir = Arc::new(dir);
        let consignment = self.shipping.register(&dir, &places);
        let opened = self.open(&dir, &consignment, &choices, |tools| {
            let segments = Segments::begin(tools, signer, line, &header_line, size).map_err(blocked)?;
            segments.sync_now().map_err(io("sync the journal in", dir.path()))?;
            sync_dir(dir.path()).map_err(io("sync", dir.path()))?;
            Ok((segments, None))
        });
        if opened.is_ok() {
            consignment.wake();
        }
        opened
    }

    /// The session over segments that are opened by `segments`, which also gives the highest that is closed.
    pub(super) fn open(
        &self,
        dir: &Arc<SessionDir>,
        consignment: &Arc<Consignment>,
        choices: &Choices,
        segments: impl FnOnce(Tools) -> Result<(Segments, Option<(u32, Digest)>), Failure>,
    ) -> Result<Begun, Failure> {
        let told = Arc::clone(consignment);
        let closed = Box::new(move |progress: &Progress| match progress.ended {
            true => told.end(),
            false => told.wake(),
        });
        let closer = Arc::new(Closer::new(&self.closing, Arc::clone(dir), Arc::clone(&self.chain), closed));
        let stall = self.stall.flag(choices.on_terminal);
        let tools = Tools {
            dir: Arc::clone(dir),
            sync: Arc::clone(&self.sync),
            closer: Arc::clone(&closer),
            recipients: Arc::clone(&choices.recipients),
            shape: self.shape.clone(),
            stall: Arc::clone(&stall),
        };
        let (segments, highest) = segments(tools)?;
        if let Some((number, digest)) = highest {
            closer.goes_on_after(number, digest);
        }
        let session = self.session_over(segments, choices, consignment, &stall);
        let entry = Arc::new(Entry { dir: Arc::clone(dir), closer, consignment: Arc::clone(consignment), stall });
        self.registry.add(&entry);
        Ok(Begun { session, handle: Handle::of(entry) })
    }

    fn session_over(
        &self,
        segments: Segments,
        choices: &Choices,
        consignment: &Consignment,
        stall: &Arc<Flag>,
    ) -> Session {
        let config = &self.config;
        let masking = (choices.input == InputMode::Masked).then(|| Masking::new(Arc::clone(&self.prompts)));
        let quota = Quota { usage: Arc::clone(&self.usage), bytes: config.spool.quota, full: config.spool.full };
        let lag = LagBounds { lag: consignment.lag(), behind: config.ship.behind, max: config.ship.max_lag };
        Session::new(segments, masking, choices.on_pipes, quota, lag, Arc::clone(stall))
    }

    /// Addresses of the places that it goes to, with what is required of them.
    fn addresses(&self, places: &Choice) -> Result<Vec<String>, Failure> {
        let named = places.only.iter().flatten().chain(&places.required);
        if let Some(unknown) = named.into_iter().find(|address| !self.places.contains(address)) {
            return Err(Failure::new(format_args!("{unknown} is none of the configured sinks"))
                .hint("name each sink as the configuration does"));
        }
        let chosen = |address: &&String| places.only.as_ref().is_none_or(|only| only.contains(address));
        let text = |address: &String| match places.required.contains(address) {
            true => required(address),
            false => address.clone(),
        };
        Ok(self.places.iter().filter(chosen).map(text).collect())
    }
}

pub(crate) fn blocked(blocked: Blocked) -> Failure {
    let (Blocked::Full(text) | Blocked::Refused(text) | Blocked::Late(text) | Blocked::Fatal(text)) = blocked;
    Failure::new(format_args!("the journal cannot be written: {text}"))
}
