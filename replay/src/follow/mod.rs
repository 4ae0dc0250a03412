//! One session, followed while it is recorded: its segments as they come, each verified before anything of it is shown.
//!
//! Everything is judged as `evidence` judges it, but every object is read and checked once. What contradicts what is
//! signed ends the following. What is signed for and not here yet is waited for: a store shows objects in the order in
//! which they arrive, and segments are given out in the order of their numbers. In a recorder's spool segments come and
//! go: those that have gone are said and passed over, and the one that is being written is seen growing (`ahead`). Not for showing (`cmd::tail`, `forward`),
//! and not for waiting: callers ask when they see fit, as [`Pace`] says.

mod ahead;
mod chains;
mod pace;
mod shown;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hansard_schemas::cast::Event;
use hansard_schemas::chain::{Chain, Kind};
use hansard_schemas::keys::Identities;
use hansard_schemas::names::safe;
use hansard_schemas::segment::TrailerKind;
use hansard_schemas::verdict::{Fault, SegmentFact, Summary, Verdict, judge, still_counts};
use hansard_schemas::{ChainId, Digest, Error, PublicKey, SessionId, Timestamp};
use hansard_sinks::{Class, SessionRef, SinkError, Store};

use self::ahead::{Ahead, Expected};
pub use self::chains::ChainWatch;
pub use self::pace::Pace;
pub use self::shown::{Reader, Shown};
use crate::evidence::{Chains, Evidence, Object, check_unless, segment};
use crate::recording::{self, Recording, RecordingError, Source};
use crate::report::{Failure, note};
use crate::viewing::Viewing;
use crate::wall;

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
    /// The segments before it that had left a spool before they could be read.
    pub left: Option<Range<u32>>,
}

impl Arrived {
    /// When something was, by the clock of the host.
    pub fn wall(&self, at_ms: u64) -> Timestamp {
        wall::after(self.start, at_ms.saturating_sub(self.offset_ms)).unwrap_or(self.start)
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
    /// Number of the one that comes after them.
    next: u32,
    ahead: Ahead,
    /// In a spool, the lowest segment that was there at the last look.
    lowest: Option<u32>,
    /// Segments that are no longer in the spool, and were not given out.
    gone: Vec<u32>,
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
            next: 0,
            ahead: Ahead::default(),
            lowest: None,
            gone: Vec::new(),
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

    /// Number of the segment that is given out next; 0 while none was.
    pub fn next(&self) -> u32 {
        self.next
    }

    /// How it stands, by the last [`Follower::poll`].
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What can be said of it by now: the verdict, and what is signed for and not here. Safe to print.
    pub fn word(&self) -> String {
        let verdict = self.verdict.as_ref().map_or_else(|| "nothing is there yet".into(), ToString::to_string);
        let late = self.late.iter().map(|fault| format!("; not here yet: {fault}"));
        let left = (!self.gone.is_empty()).then(|| format!("; {} segments had left the spool before", self.gone.len()));
        safe(&std::iter::once(verdict).chain(late).chain(left).collect::<String>())
    }

    /// Looks for what is new. True if a segment came.
    pub fn poll(&mut self, watch: &mut ChainWatch, now: Timestamp) -> Result<bool, FollowError> {
        // The chain before the segments: what it names is then here, unless it is late.
        let store = Arc::clone(&self.store);
        let before = self.facts.len();
        // In a spool it costs nothing, and tells that the session has ended when its files go.
        let mut chains = watch.look(&*store, &self.session.chain16, store.is_passage())?;
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
        let hole = self.late.iter().filter_map(missing).min();
        let Some(recording) = &mut self.recording else { return Ok(None) };
        let Some((number, Some(segment))) = recording.segment(at) else { return Ok(None) };
        if hole.is_some_and(|hole| hole < number) {
            return Ok(None);
        }
        let (start, offset_ms, digest, recovered) =
            (segment.start, segment.offset_ms, segment.digest, segment.recovered);
        let wrong = |error| FollowError::from(RecordingError::Content { segment: number, error });
        let before = self.next..number;
        let mut left = self.gone.iter().any(|gone| before.contains(gone)).then_some(before);
        if let Some((end, was_recovered)) = self.reached.filter(|(end, _)| *end != offset_ms && left.is_none())
            && !(was_recovered && offset_ms > end)
        {
            let why = format!("it begins at {offset_ms} ms, the one before ended at {end} ms");
            return Err(wrong(Error::Altered(why)));
        }
        let (events, end) = match recording.load_to_end(at) {
            // It was delivered and removed since it was listed.
            Err(RecordingError::Store(SinkError::NotThere { .. })) if self.store.is_passage() => {
                self.gone.push(number);
                left = Some(self.next..number + 1);
                (Vec::new(), None)
            }
            loaded => loaded?,
        };
        let events = if left.is_some() && events.is_empty() {
            events
        } else {
            self.ahead.rest(number, events).map_err(wrong)?
        };
        self.reached = end.map(|end| (end, recovered));
        self.given.push(digest);
        self.next = number + 1;
        Ok(Some(Arrived { number, events, start, offset_ms, left }))
    }

    /// What is new of the segment that is being written, behind all that were given out, where the store shows it: nobody
    /// has signed it yet. Of a session's first segment nothing, before it is closed.
    pub fn ahead(&mut self) -> Result<Option<Arrived>, FollowError> {
        if !self.store.is_passage() {
            return Ok(None);
        }
        let Some(signer) = self.announced() else { return Ok(None) };
        let offset_ms = self.reached.filter(|(_, recovered)| !recovered).map(|(end, _)| end);
        let Some(growing) = self.store.growing(&self.session, self.next)? else { return Ok(None) };
        let expected = Expected { session: self.session.session, signer, offset_ms };
        let more = self.ahead.more(&growing, &expected, &self.identities);
        more.map_err(|error| RecordingError::Content { segment: growing.number, error }.into())
    }

    /// The key that the last segment given out announces.
    fn announced(&self) -> Option<PublicKey> {
        let last = self.given.last()?;
        let mut known = self.facts.iter().filter_map(|fact| fact.result.as_ref().ok());
        match &known.rfind(|summary| summary.digest == *last)?.trailer {
            TrailerKind::Signed(trailer) => trailer.next,
            TrailerKind::Recovered(entry) => match entry.kind {
                Kind::Recovered { continues, .. } => continues,
                _ => None,
            },
        }
    }

    /// Checks what was not there before.
    fn gather(&mut self) -> Result<(), FollowError> {
        let parts = self.store.parts(&self.session)?;
        self.lowest = parts.first().map(|part| part.name.number);
        for part in parts {
            let key = (part.key.clone(), part.version.clone());
            if self.seen.contains(&key) {
                continue;
            }
            let checked = check_unless(&*self.store, &part, &mut |_| {}, |error| error.class() != Class::Never);
            let checked = match checked {
                // It was delivered and removed since it was listed.
                Err(SinkError::NotThere { .. }) if self.store.is_passage() => continue,
                other => other?,
            };
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
        let (gone, late): (Vec<Fault>, Vec<Fault>) = late.into_iter().partition(|fault| self.has_left(fault));
        self.gone = gone.iter().filter_map(missing).collect();
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
        } else if evidence.segments().next().is_some_and(|(part, _)| part.name.number == 0 || self.store.is_passage()) {
            let opened =
                recording::open(Source::Store(Arc::clone(&self.store)), evidence, Arc::clone(&self.identities), false);
            let opened = opened.map_err(FollowError::Refused)?;
            let told = self.viewing.say(opened.evidence(), opened.header(), self.store.address());
            told.map_err(FollowError::Untold)?.iter().for_each(|text| note(text));
            self.recording = Some(opened);
        }
        Ok(())
    }

    /// Whether something is missing because it has left the spool that is read.
    fn has_left(&self, fault: &Fault) -> bool {
        let left = |number| self.lowest.is_none_or(|lowest| number < lowest);
        self.store.is_passage() && missing(fault).is_some_and(left)
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
        let recent = newest.is_some_and(|time| still_counts(time, now));
        // Of a session that fell silent long ago nothing is about to come.
        let settled = !recent || self.stands_since.elapsed() >= SETTLES;
        let ended = |ok: bool| {
            let outcome = judgement.and_then(|judgement| judgement.outcome.clone());
            let faults = self.late.iter().map(|fault| format!("; {fault}")).collect::<String>();
            let how = outcome.map_or_else(|| verdict.to_string(), |outcome| format!("{outcome}; {verdict}"));
            State::Ended { how: safe(&format!("{how}{faults}")), ok: ok && self.late.is_empty() }
        };
        let closed = chain.is_some_and(|chain| is_closed(chain, self.session.session));
        match verdict {
            Verdict::Complete => ended(true),
            // What of it is wrong is to be seen where it is kept.
            _ if closed && !self.gone.is_empty() => {
                let outcome = judgement.and_then(|judgement| judgement.outcome.clone());
                let how = outcome.unwrap_or_else(|| "recovered".into());
                let rest =
                    if self.is_ending() { "" } else { "; what it showed last had left the spool before it was read" };
                State::Ended { how: safe(&format!("{how}{rest}")), ok: true }
            }
            Verdict::RunningAsOf(_) => State::Open,
            Verdict::RecoveredAt { .. } => {
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
    open.retain(|_, time| still_counts(*time, now));
    open.into_keys().collect()
}

/// The number of a segment that is missing.
fn missing(fault: &Fault) -> Option<u32> {
    if let Fault::Missing(number) = fault { Some(*number) } else { None }
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
