//! One session, followed while it is recorded: its segments as they come, each verified before anything of it is shown.
//!
//! Everything is judged as `evidence` judges it, but every object is read and checked once. What contradicts what is
//! signed ends the following. What is signed for and not here yet is waited for: a store shows objects in the order in
//! which they arrive, and segments are given out in the order of their numbers. Not for showing (`cmd::tail`, `forward`),
//! and not for waiting: callers ask when they see fit, as [`Pace`] says.

mod chains;
mod pace;
mod shown;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use hansard_schemas::cast::Event;
use hansard_schemas::chain::{Chain, Kind};
use hansard_schemas::keys::Identities;
use hansard_schemas::names::safe;
use hansard_schemas::segment::TrailerKind;
use hansard_schemas::verdict::{Fault, RUNNING_MS, SegmentFact, Summary, Verdict, judge};
use hansard_schemas::{ChainId, Digest, Error, SessionId, Timestamp};
use hansard_sinks::{Class, SessionRef, SinkError, Store};

pub use self::chains::ChainWatch;
pub use self::pace::Pace;
pub use self::shown::{Reader, Shown};
use crate::evidence::{Chains, Evidence, Object, check_unless, segment};
use crate::recording::{self, Recording, RecordingError};
use crate::report::{Failure, note};
use crate::viewing::Viewing;

/// FORMAT.md, section 8: the newest statement that a session runs counts for this long.
const RUNNING: Duration = Duration::from_millis(RUNNING_MS);
/// How long a verdict that something may still come to change must stand before it is believed: the end of a session, its
/// last segments and what the chain says of them arrive one after the other.
const SETTLES: Duration = Duration::from_secs(60);

/// Why following stopped, or could not go on for now.
#[derive(Debug)]
pub enum FollowError {
    /// The store does not answer; it may again.
    Store(SinkError),
    /// The session is refused, or cannot be opened.
    Refused(Failure),
    /// Whoever has to be told of a viewing was not; he may be later.
    Untold(Failure),
}

impl From<SinkError> for FollowError {
    fn from(error: SinkError) -> Self {
        match error.class() {
            Class::Never => Self::Refused(error.into()),
            Class::Wait | Class::Retry => Self::Store(error),
        }
    }
}

impl From<RecordingError> for FollowError {
    fn from(error: RecordingError) -> Self {
        match error {
            RecordingError::Store(error) => error.into(),
            error @ RecordingError::Content { .. } => Self::Refused(error.into()),
        }
    }
}

/// A segment that came.
#[derive(Debug)]
pub struct Arrived {
    /// Its number.
    pub number: u32,
    /// Its events.
    pub events: Vec<Event>,
    /// Wall clock of the host at its beginning, and the event time there.
    start: Timestamp,
    offset_ms: u64,
}

impl Arrived {
    /// When something was, by the clock of the host.
    pub fn wall(&self, at_ms: u64) -> Timestamp {
        let since = i64::try_from(at_ms.saturating_sub(self.offset_ms)).unwrap_or(0);
        let time = TimeDelta::try_milliseconds(since).and_then(|since| self.start.time().checked_add_signed(since));
        time.map_or(self.start, Timestamp::new)
    }

    /// When its last event was.
    pub fn end(&self) -> Timestamp {
        self.wall(self.events.last().map_or(self.offset_ms, |event| event.time_ms))
    }
}

/// How a session stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// More may come.
    Open,
    /// Nothing more comes: how it ended, and whether that is as it should be.
    Ended {
        /// In words.
        how: String,
        /// Whether nothing is wrong with it.
        ok: bool,
    },
    /// Nothing was heard of it, or of its host, since then.
    Silent(Timestamp),
}

/// A session that is followed.
pub struct Follower {
    store: Arc<dyn Store>,
    session: SessionRef,
    identities: Arc<Identities>,
    viewing: Viewing,
    facts: Vec<SegmentFact>,
    objects: Vec<Object>,
    seen: BTreeSet<(String, Option<String>)>,
    recipients: BTreeSet<String>,
    recording: Option<Recording>,
    /// The segments that were given out.
    given: Vec<Digest>,
    /// Event time at the end of the last of them, and whether it was closed by recovery.
    reached: Option<(u64, bool)>,
    /// What is signed for and not here.
    late: Vec<Fault>,
    verdict: Option<Verdict>,
    stands_since: Instant,
    state: State,
}

impl Follower {
    /// Of a session, from its beginning. `viewing` is told of it before the first segment is given out.
    pub fn new(store: Arc<dyn Store>, session: SessionRef, identities: Arc<Identities>, viewing: Viewing) -> Self {
        Self {
            store,
            session,
            identities,
            viewing,
            facts: Vec::new(),
            objects: Vec::new(),
            seen: BTreeSet::new(),
            recipients: BTreeSet::new(),
            recording: None,
            given: Vec::new(),
            reached: None,
            late: Vec::new(),
            verdict: None,
            stands_since: Instant::now(),
            state: State::Open,
        }
    }

    /// The session.
    pub fn session(&self) -> &SessionRef {
        &self.session
    }

    /// The recording, once its first segment is there.
    pub fn recording(&self) -> Option<&Recording> {
        self.recording.as_ref()
    }

    /// The chain that witnesses it, and the name of the host by it.
    pub fn witness(&self) -> Option<(ChainId, String)> {
        let evidence = self.recording.as_ref()?.evidence();
        Some((evidence.chain?, evidence.judgement.host.clone().unwrap_or_default()))
    }

    /// How many segments were given out.
    pub fn given(&self) -> usize {
        self.given.len()
    }

    /// How it stands, by the last [`Follower::poll`].
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What can be said of it by now: the verdict, and what is signed for and not here. Safe to print.
    pub fn word(&self) -> String {
        let verdict = self.verdict.as_ref().map_or_else(|| "nothing is there yet".into(), ToString::to_string);
        let late = self.late.iter().map(|fault| format!("; not here yet: {fault}"));
        safe(&std::iter::once(verdict).chain(late).collect::<String>())
    }

    /// Looks for what is new. True if a segment came.
    pub fn poll(&mut self, watch: &mut ChainWatch, now: Timestamp) -> Result<bool, FollowError> {
        // The chain before the segments: what it names is then here, unless it is late.
        let store = Arc::clone(&self.store);
        let before = self.facts.len();
        let mut chains = watch.look(&*store, &self.session.chain16, false)?;
        self.gather()?;
        let news = self.facts.len() > before;
        // The end comes with the last segment, the start with the first, and a verdict should not be older than it must.
        if (news && (before == 0 || self.is_ending())) || (!news && self.awaits_the_chain()) {
            chains = watch.look(&*store, &self.session.chain16, true)?;
        }
        self.judge(chains, now)?;
        Ok(news)
    }

    /// The next segment in order, if it came. What was given out is never looked at again.
    pub fn take(&mut self) -> Result<Option<Arrived>, FollowError> {
        let at = self.given.len();
        let hole =
            self.late.iter().filter_map(|fault| if let Fault::Missing(n) = fault { Some(*n) } else { None }).min();
        let Some(recording) = &mut self.recording else { return Ok(None) };
        let Some((number, Some(segment))) = recording.segment(at) else { return Ok(None) };
        if hole.is_some_and(|hole| hole < number) {
            return Ok(None);
        }
        let (start, offset_ms, digest, recovered) =
            (segment.start, segment.offset_ms, segment.digest, segment.recovered);
        if let Some((end, was_recovered)) = self.reached.filter(|(end, _)| *end != offset_ms)
            && !(was_recovered && offset_ms > end)
        {
            let error = Error::Altered(format!("it begins at {offset_ms} ms, the one before ended at {end} ms"));
            return Err(RecordingError::Content { segment: number, error }.into());
        }
        let (events, end) = recording.load_to_end(at)?;
        self.reached = end.map(|end| (end, recovered));
        self.given.push(digest);
        Ok(Some(Arrived { number, events, start, offset_ms }))
    }

    /// Checks what was not there before.
    fn gather(&mut self) -> Result<(), FollowError> {
        for part in self.store.parts(&self.session)? {
            let key = (part.key.clone(), part.version.clone());
            if self.seen.contains(&key) {
                continue;
            }
            let checked = check_unless(&*self.store, &part, &mut |_| {}, |error| error.class() != Class::Never)?;
            if let Ok(checked) = &checked {
                self.recipients.extend(checked.keys.recipients());
            }
            let segment = checked.as_ref().ok().map(segment);
            self.facts.push(SegmentFact::named(&part.name, checked.map(|checked| Summary::from(&checked))));
            self.objects.push(Object { part, segment, fact: None });
            self.seen.insert(key);
        }
        Ok(())
    }

    fn judge(&mut self, chains: &Chains, now: Timestamp) -> Result<(), FollowError> {
        let chain = chains.of(&self.session);
        let judgement = judge(self.session.session, &self.facts, chain, now);
        let sound = chain.is_some_and(|chain| chain.problems.is_empty());
        let (late, wrong): (Vec<Fault>, Vec<Fault>) =
            judgement.faults.iter().filter(|fault| fault.word() != "chain-missing").cloned().partition(|fault| {
                // A chain that is sound and short has not come as far as the segments; nothing at all is a beginning.
                matches!(fault, Fault::Missing(_) | Fault::SessionMissing)
                    || (sound && matches!(fault, Fault::ChainBroken { .. }))
            });
        if !wrong.is_empty() {
            return Err(self.refusal(&wrong));
        }
        let fresh = self.verdict.as_ref().map(Verdict::word) != Some(judgement.verdict.word());
        if fresh {
            self.stands_since = Instant::now();
        }
        self.verdict = Some(judgement.verdict);
        self.late = late;
        let evidence = Evidence {
            session: self.session.clone(),
            objects: self.objects.clone(),
            judgement,
            chain: chain.map(|chain| chain.id),
            recipients: self.recipients.clone(),
        };
        self.renew(evidence)?;
        self.state = self.standing(chain, now);
        Ok(())
    }

    /// Opens the recording when its first segment is there; later, goes on with what is there by now.
    fn renew(&mut self, evidence: Evidence) -> Result<(), FollowError> {
        let digests: Vec<Digest> = evidence.segments().map(|(_, segment)| segment.digest).collect();
        if !digests.starts_with(&self.given) {
            return Err(self.refusal(&[Fault::Altered {
                segment: None,
                object: self.session.session.to_string(),
                why: "a segment that was shown is no longer the one that counts".into(),
            }]));
        }
        if let Some(recording) = &mut self.recording {
            recording.renew(evidence);
        } else if evidence.segments().next().is_some_and(|(part, _)| part.name.number == 0) {
            let opened = recording::open(Arc::clone(&self.store), evidence, Arc::clone(&self.identities), false);
            let opened = opened.map_err(FollowError::Refused)?;
            let told = self.viewing.say(opened.evidence(), opened.header(), self.store.address());
            told.map_err(FollowError::Untold)?.iter().for_each(|text| note(text));
            self.recording = Some(opened);
        }
        Ok(())
    }

    fn refusal(&self, faults: &[Fault]) -> FollowError {
        let session = self.session.session;
        let words: Vec<String> = faults.iter().map(ToString::to_string).collect();
        FollowError::Refused(
            Failure::failed(format!("session {session} is refused: {}", words.join("; ")))
                .hint(format!("`hansard-replay verify {session}` says more; `play --force` shows it, marked")),
        )
    }

    /// Whether the last segment is one after which none comes.
    fn is_ending(&self) -> bool {
        let last = |fact: &SegmentFact| fact.result.as_ref().is_ok_and(is_last);
        self.facts.iter().any(last)
    }

    /// Whether only the chain can say more.
    fn awaits_the_chain(&self) -> bool {
        let chain = self.late.iter().any(|fault| matches!(fault, Fault::ChainBroken { .. }));
        chain || (self.is_ending() && self.state == State::Open)
    }

    fn standing(&self, chain: Option<&Chain>, now: Timestamp) -> State {
        let Some(verdict) = self.verdict else { return State::Open };
        let judgement = self.recording.as_ref().map(Recording::judgement);
        let newest = self.objects.iter().filter_map(|object| Some(object.segment.as_ref()?.start)).max();
        let recent = newest.is_some_and(|time| now.unix_ms().abs_diff(time.unix_ms()) <= millis(RUNNING));
        // Of a session that fell silent long ago nothing is about to come.
        let settled = !recent || self.stands_since.elapsed() >= SETTLES;
        let ended = |ok: bool| {
            let outcome = judgement.and_then(|judgement| judgement.outcome.clone());
            let faults = self.late.iter().map(|fault| format!("; {fault}")).collect::<String>();
            let how = outcome.map_or_else(|| verdict.to_string(), |outcome| format!("{outcome}; {verdict}"));
            State::Ended { how: safe(&format!("{how}{faults}")), ok: ok && self.late.is_empty() }
        };
        match verdict {
            Verdict::Complete => ended(true),
            Verdict::RunningAsOf(_) => State::Open,
            Verdict::RecoveredAt { .. } => {
                let closed = chain.is_some_and(|chain| is_closed(chain, self.session.session));
                let unheard = judgement.is_some_and(|judgement| !judgement.settled);
                if closed || (unheard && settled) { ended(closed) } else { State::Open }
            }
            Verdict::SilentSince(since) if !recent || (chain.is_some() && self.late.is_empty()) => State::Silent(since),
            Verdict::SilentSince(_) => State::Open,
            Verdict::CompleteEndNotWitnessed
            | Verdict::CutAfter(_)
            | Verdict::Interrupted { .. }
            | Verdict::NotWhole => {
                if settled {
                    ended(false)
                } else {
                    State::Open
                }
            }
        }
    }
}

/// The sessions that run, as far as a chain says: open by their start or by the last checkpoint that speaks of them, and that
/// not long ago.
pub fn running(chain: &Chain, now: Timestamp) -> BTreeSet<SessionId> {
    let mut open: BTreeMap<SessionId, Timestamp> = BTreeMap::new();
    for entry in &chain.entries {
        match &entry.kind {
            Kind::Start { session, .. } => drop(open.insert(*session, entry.time)),
            Kind::End { session, .. } | Kind::Recovered { session, continues: None, .. } => drop(open.remove(session)),
            Kind::Recovered { session, .. } => drop(open.insert(*session, entry.time)),
            kind @ Kind::Checkpoint { .. } => open.retain(|session, time| match kind.lists(*session) {
                Some(Some(_)) => {
                    *time = entry.time;
                    true
                }
                Some(None) => false,
                None => true,
            }),
            _ => {}
        }
    }
    open.retain(|_, time| now.unix_ms().abs_diff(time.unix_ms()) <= millis(RUNNING));
    open.into_keys().collect()
}

fn is_last(summary: &Summary) -> bool {
    matches!(&summary.trailer, TrailerKind::Signed(trailer) if trailer.last)
}

/// Whether a chain says that nothing of a session comes any more.
fn is_closed(chain: &Chain, wanted: SessionId) -> bool {
    chain.entries.iter().any(|entry| match &entry.kind {
        Kind::End { session, .. } => *session == wanted,
        Kind::Recovered { session, continues, .. } => *session == wanted && continues.is_none(),
        _ => false,
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
