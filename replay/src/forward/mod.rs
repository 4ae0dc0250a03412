//! All sessions of a store that run, followed at once, and what they show sent on line by line.
//!
//! One loop and no threads: stores are asked one after the other, and what is slow is the store. A session that is refused
//! is said and left out, a store that does not answer is waited for. `state` keeps how far each session was sent, saved
//! when what was sent has left; `output` is where to. Verifying and opening is `follow`.

#[cfg(feature = "remote")]
mod logs;
mod output;
mod state;
mod syslog;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use hansard_schemas::keys::Identities;
use hansard_schemas::names::EventName;
use hansard_schemas::{ChainId, SessionId};
use hansard_sinks::{SessionRef, SinkError, Store, TimeRange};

use self::output::{GLANCE, Line, Output, is_gone};
use self::state::{Place, State};
use crate::cli::Filter;
use crate::cmd::play::shape;
use crate::context::Context;
use crate::follow::{self, ChainWatch, FollowError, Follower, Pace, Reader, Shown, running};
use crate::report::{Exit, Failure, Outcome, note, print};
use crate::viewing::Viewing;

/// How often new sessions are looked for, at most: it is a listing of days.
const DISCOVER: Duration = Duration::from_secs(5);
/// How long after the start of a session its first object is looked for: a sink may have been away.
const LOOK_BACK: TimeDelta = TimeDelta::days(2);
/// How long what is known of a session that is done is kept: longer than it can be listed as new.
const KEEP: TimeDelta = TimeDelta::days(3);
/// Age from which a session that is not known to run is not asked about again.
const LATE: TimeDelta = TimeDelta::minutes(10);
/// Between two looks at a session that is silent.
const SILENT: Duration = Duration::from_secs(60);

/// Whether the program is to end.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Set by SIGTERM and SIGINT; the second of them ends the program where it is.
    pub fn of_signals() -> std::io::Result<Self> {
        use signal_hook::consts::{SIGINT, SIGTERM};
        let stop = Self::default();
        for signal in [SIGTERM, SIGINT] {
            signal_hook::flag::register_conditional_default(signal, Arc::clone(&stop.0))?;
            signal_hook::flag::register(signal, Arc::clone(&stop.0))?;
        }
        Ok(stop)
    }

    /// Whether it is.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What to forward, and where to.
pub struct Job<'a> {
    /// The joined configuration.
    pub context: &'a Context,
    /// The sessions that are asked for.
    pub filter: &'a Filter,
    /// Between two looks.
    pub interval: Duration,
    /// Where to.
    pub to: &'a str,
    /// Whether as documents.
    pub json: bool,
    /// The file of the state.
    pub state: &'a Path,
    /// Who is told of what is sent on.
    pub viewing: &'a Viewing,
}

/// One session on its way.
struct Sending {
    follower: Follower,
    reader: Option<Reader>,
    pace: Pace,
    due: Instant,
    /// Number of the first of its segments that was not sent.
    sent: u32,
    host: String,
    user: String,
    /// Whether it was said that it is silent.
    silent: bool,
    /// Whether it was said that nobody could be told of it.
    untold: bool,
}

/// How it goes on with a session.
enum Next {
    After(Duration),
    Done,
    /// Not asked for, refused: not looked at again by this program.
    Leave,
}

struct Forwarder<'a> {
    job: &'a Job<'a>,
    store: Arc<dyn Store>,
    identities: Arc<Identities>,
    output: Output,
    state: State,
    stop: Stop,
    watch: ChainWatch,
    sending: BTreeMap<SessionRef, Sending>,
    /// Those that are not to be sent.
    left: BTreeSet<SessionRef>,
    trusted: BTreeSet<ChainId>,
    /// What the store last failed with, so that it is said once.
    away: Option<String>,
}

/// Forwards until it is told to stop.
pub fn run(job: &Job<'_>, store: Arc<dyn Store>, identities: Identities) -> Outcome {
    let stop = Stop::of_signals().map_err(|error| Failure::usage(format!("cannot hear signals: {error}")))?;
    let since = job.filter.scope.since.unwrap_or_else(Utc::now);
    let state = State::open(job.state, store.address(), since)?;
    let output = Output::open(job.to, job.json, stop.clone())?;
    let mut forwarder = Forwarder {
        job,
        store,
        identities: Arc::new(identities),
        output,
        state,
        stop,
        watch: ChainWatch::default(),
        sending: BTreeMap::new(),
        left: BTreeSet::new(),
        trusted: BTreeSet::new(),
        away: None,
    };
    let outcome = forwarder.run();
    match outcome {
        Err(failure) if is_gone(&failure) => Ok(Exit::Fine),
        other => other,
    }
}

impl Forwarder<'_> {
    fn run(&mut self) -> Outcome {
        for session in self.state.open_sessions().collect::<Vec<_>>() {
            self.add(session);
        }
        // What came since the state was written has to be looked for first.
        let first = self.state.saved().min(self.state.since());
        self.discover(first - LOOK_BACK).map_err(Failure::from)?;
        self.save()?;
        let mut discovered = Instant::now();
        while !self.stop.is_set() {
            if discovered.elapsed() >= DISCOVER.max(self.job.interval) {
                discovered = Instant::now();
                let found = self.discover(Utc::now() - LOOK_BACK);
                self.heard(found.err());
                self.state.forget(Utc::now() - KEEP, |session| self.sending.contains_key(session));
            }
            self.round()?;
            self.save()?;
            let due = self.sending.values().map(|sending| sending.due).min();
            let until = due.map_or(DISCOVER, |due| due.saturating_duration_since(Instant::now()));
            self.rest(until.min(DISCOVER.saturating_sub(discovered.elapsed())));
        }
        self.save()?;
        Ok(Exit::Fine)
    }

    /// Looks at every session that is due.
    fn round(&mut self) -> Outcome<()> {
        let now = Instant::now();
        let due: Vec<SessionRef> =
            self.sending.iter().filter(|(_, sending)| sending.due <= now).map(|(session, _)| session.clone()).collect();
        for session in due {
            if self.stop.is_set() {
                break;
            }
            let Some(mut sending) = self.sending.remove(&session) else { continue };
            let next = match self.step(&mut sending) {
                Ok(next) => next,
                Err(Trouble::Ends(failure)) => return Err(failure),
                Err(Trouble::Store(error)) => {
                    self.heard(Some(error));
                    Next::After(sending.pace.after(false))
                }
                Err(Trouble::Untold(failure)) => {
                    if !std::mem::replace(&mut sending.untold, true) {
                        print(&failure);
                    }
                    Next::After(sending.pace.after(false))
                }
                Err(Trouble::Session(failure)) => {
                    print(&failure);
                    note(&format!("session {} is left out, the others go on", session.session));
                    Next::Leave
                }
            };
            self.state.set(&session, Place { segments: sending.sent, done: matches!(next, Next::Done) });
            match next {
                Next::After(wait) => {
                    sending.due = Instant::now() + wait;
                    self.sending.insert(session, sending);
                }
                Next::Done | Next::Leave => {
                    self.left.insert(session);
                }
            }
        }
        let hosts: BTreeSet<String> = self.sending.keys().map(|session| session.chain16.clone()).collect();
        self.watch.retain(|chain16| hosts.contains(chain16));
        Ok(())
    }

    /// Finds the sessions that began after `from` and are to be sent.
    fn discover(&mut self, from: chrono::DateTime<Utc>) -> Result<(), SinkError> {
        let range = TimeRange { from: Some(from), until: self.job.filter.scope.until };
        let now = self.job.context.now();
        let mut open: BTreeMap<String, BTreeSet<SessionId>> = BTreeMap::new();
        for session in self.store.sessions(&range)? {
            let known = self.sending.contains_key(&session) || self.left.contains(&session);
            if known || self.job.filter.scope.since.is_some_and(|since| session.session.time() < since) {
                continue;
            }
            let wanted = match self.state.get(&session) {
                Some(place) => !place.done,
                None if session.session.time() >= self.state.since() => true,
                // It began before the first call: sent if it was running then.
                None => {
                    if !open.contains_key(&session.chain16) {
                        let chains = self.watch.look(&*self.store, &session.chain16, false)?;
                        let all = chains.iter().flat_map(|chain| running(chain, now)).collect();
                        open.insert(session.chain16.clone(), all);
                    }
                    open.get(&session.chain16).is_some_and(|open| open.contains(&session.session))
                }
            };
            if wanted {
                self.add(session);
            } else if now.time() - session.session.time() > LATE {
                // Of a younger one the chain may not have come yet.
                self.left.insert(session);
            }
        }
        Ok(())
    }

    fn add(&mut self, session: SessionRef) {
        let follower = Follower::new(
            Arc::clone(&self.store),
            session.clone(),
            Arc::clone(&self.identities),
            self.job.viewing.clone(),
        );
        let sent = self.state.get(&session).map_or(0, |place| place.segments);
        let sending = Sending {
            follower,
            reader: None,
            pace: Pace::of(&*self.store, self.job.interval),
            due: Instant::now(),
            sent,
            host: String::new(),
            user: String::new(),
            silent: false,
            untold: false,
        };
        self.sending.insert(session, sending);
    }

    /// Sends what is new of a session.
    fn step(&mut self, sending: &mut Sending) -> Result<Next, Trouble> {
        let news = sending.follower.poll(&mut self.watch, self.job.context.now())?;
        self.heard(None);
        if sending.reader.is_none() && sending.follower.recording().is_some() && !self.begin(sending)? {
            return Ok(Next::Leave);
        }
        let mut shown = Vec::new();
        while let Some(arrived) = sending.follower.take()? {
            let Some(reader) = &mut sending.reader else { break };
            reader.read(&arrived, &mut shown);
            // What was sent before is read for the screen that it left.
            if sending.follower.next() <= sending.sent {
                shown.clear();
            }
            if !self.send(sending, &mut shown)? {
                return Ok(Next::After(Duration::ZERO));
            }
            sending.sent = sending.sent.max(sending.follower.next());
            if self.stop.is_set() {
                return Ok(Next::After(Duration::ZERO));
            }
        }
        match sending.follower.state().clone() {
            follow::State::Open => {
                sending.silent = false;
                Ok(Next::After(sending.pace.after(news)))
            }
            follow::State::Ended { how, ok } => {
                if let Some(reader) = &mut sending.reader {
                    reader.finish(&mut shown);
                }
                if !self.send(sending, &mut shown)? {
                    return Ok(Next::After(Duration::ZERO));
                }
                if !ok {
                    note(&format!("session {}: {how}", sending.follower.session().session));
                }
                Ok(Next::Done)
            }
            follow::State::Silent(since) => {
                let session = sending.follower.session().session;
                if !std::mem::replace(&mut sending.silent, true) {
                    note(&format!("session {session} is silent since {since}, and looked for once a minute"));
                }
                let given_up = Utc::now() - session.time() > KEEP;
                Ok(if given_up { Next::Done } else { Next::After(SILENT.max(self.job.interval)) })
            }
        }
    }

    /// The first segment is there: whose session is it, and is it asked for. False when it is not.
    fn begin(&mut self, sending: &mut Sending) -> Result<bool, Trouble> {
        if let Some((chain, host)) = sending.follower.witness().filter(|(chain, _)| !self.trusted.contains(chain)) {
            let standing = self.job.context.standing(chain, &host).map_err(Trouble::Session)?;
            let said = standing.admit(chain, &host, false).map_err(Trouble::Session)?;
            said.iter().for_each(|text| note(text));
            self.trusted.insert(chain);
        }
        let Some(recording) = sending.follower.recording() else { return Ok(true) };
        let (size, feed) = shape(recording);
        sending.reader = Some(Reader::new(size, feed));
        let kind;
        (sending.host, sending.user, kind) = match recording.header() {
            Some(header) => {
                let who = &header.hansard;
                (who.host.clone(), who.kernel.user_or_uid(), who.kind.as_str().to_owned())
            }
            // Its first segment had left the spool.
            None => self.claimed(sending.follower.session()).map_err(Trouble::Store)?,
        };
        Ok(self.job.filter.takes(&sending.host, &sending.user, &kind))
    }

    /// Host, user and kind of a session, by the names of its events; empty where there is none.
    fn claimed(&self, session: &SessionRef) -> Result<(String, String, String), SinkError> {
        let from = session.session.time();
        let range = TimeRange { from: Some(from), until: Some(from + TimeDelta::milliseconds(1)) };
        let names = self.store.events(&range)?.into_iter().map(|part| part.name);
        let mut ours = names.filter(|name| name.session == Some(session.session));
        let plain = |name: EventName| {
            (EventName::plain(&name.host), EventName::plain(&name.user), EventName::plain(&name.kind))
        };
        Ok(ours.next().map(plain).unwrap_or_default())
    }

    /// Sends lines; those without any text say nothing. False if the program is to end before all were sent.
    fn send(&mut self, sending: &Sending, shown: &mut Vec<Shown>) -> Result<bool, Trouble> {
        let session = sending.follower.session().session;
        for Shown { time, mark, text } in shown.drain(..).filter(|shown| !shown.text.trim().is_empty()) {
            let line = Line { time, host: &sending.host, user: &sending.user, session, mark, text: &text };
            if !self.output.send(&line).map_err(Trouble::Ends)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Lets what was sent leave, and then remembers that it has.
    fn save(&mut self) -> Outcome<()> {
        if self.output.flush()? {
            self.state.save(self.job.context.now().time())?;
        }
        Ok(())
    }

    /// Says once that the store does not answer, and once that it does again.
    fn heard(&mut self, error: Option<SinkError>) {
        let error = error.map(|error| error.to_string());
        if error == self.away {
            return;
        }
        match &error {
            Some(error) => note(&format!("the store does not answer, and is asked again: {error}")),
            None => note("the store answers again"),
        }
        self.away = error;
    }

    fn rest(&self, mut left: Duration) {
        while !left.is_zero() && !self.stop.is_set() {
            thread::sleep(left.min(GLANCE));
            left = left.saturating_sub(GLANCE);
        }
    }
}

/// What can go wrong with one session.
enum Trouble {
    /// With the store: it is asked again.
    Store(SinkError),
    /// With whom it is told that the session is looked at: he is asked again.
    Untold(Failure),
    /// With the session alone.
    Session(Failure),
    /// With the way out.
    Ends(Failure),
}

impl From<FollowError> for Trouble {
    fn from(error: FollowError) -> Self {
        match error {
            FollowError::Store(error) => Self::Store(error),
            FollowError::Untold(failure) => Self::Untold(failure),
            FollowError::Refused(failure) => Self::Session(failure),
        }
    }
}
