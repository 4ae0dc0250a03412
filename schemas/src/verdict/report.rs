//! The words: verdicts, faults, and the judgement that holds them.

use std::fmt;

use crate::names::safe;
use crate::{Digest, Error, SessionId, Timestamp};

/// The verdict on a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All of it is there, and its end is witnessed.
    Complete,
    /// All of it is there; no chain says that it ended so.
    CompleteEndNotWitnessed,
    /// Something that is signed names a segment after this one, and none is there; `None`: none at all is there.
    CutAfter(Option<u32>),
    /// The chain saw it open not long before now.
    RunningAsOf(Timestamp),
    /// The host went on without it.
    Interrupted {
        /// Time of the newest entry that names it.
        since: Timestamp,
    },
    /// A segment was closed after its recorder had gone.
    RecoveredAt {
        /// The lowest such segment.
        segment: u32,
        /// When that segment began.
        unwitnessed_from: Option<Timestamp>,
    },
    /// It has ended, and what is there is not whole: the faults say in what way.
    NotWhole,
    /// None of these.
    SilentSince(Timestamp),
}

impl Verdict {
    /// A stable word for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::CompleteEndNotWitnessed => "complete-end-not-witnessed",
            Self::CutAfter(_) => "cut",
            Self::RunningAsOf(_) => "running",
            Self::Interrupted { .. } => "interrupted",
            Self::RecoveredAt { .. } => "recovered",
            Self::NotWhole => "not-whole",
            Self::SilentSince(_) => "silent",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete => f.write_str("complete"),
            Self::CompleteEndNotWitnessed => f.write_str("complete, end not witnessed"),
            Self::CutAfter(Some(segment)) => write!(f, "cut after {segment}"),
            Self::CutAfter(None) => f.write_str("cut after nothing"),
            Self::RunningAsOf(time) => write!(f, "running as of {time}"),
            Self::Interrupted { .. } => f.write_str("interrupted"),
            Self::RecoveredAt { segment, .. } => write!(f, "recovered at {segment}"),
            Self::NotWhole => f.write_str("ended, not whole"),
            Self::SilentSince(time) => write!(f, "silent since {time}"),
        }
    }
}

/// What is wrong with a session or its chain, beside the verdict (VER-2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Bytes that contradict what is signed.
    Altered {
        /// The segment.
        segment: Option<u32>,
        /// The object.
        object: String,
        /// In what way.
        why: String,
    },
    /// A segment is not there.
    Missing(u32),
    /// Another segment of the session stands in this one's place.
    OutOfOrder(u32),
    /// Two different segments of this number are validly signed.
    Equivocation(u32),
    /// The keys of this segment were erased, by nobody known.
    Erased(u32),
    /// The chain saw it start, and nothing of it is there.
    SessionMissing,
    /// The chain cannot be followed beyond this entry.
    ChainBroken {
        /// The entry.
        seq: u64,
        /// Why.
        why: String,
    },
    /// The chain has two different entries of this number.
    Fork(u64),
    /// An entry that is signed but contradicts those before it: whoever holds the chain's keys is not to be trusted.
    FalseStatement {
        /// The entry.
        seq: u64,
        /// What it contradicts.
        why: String,
    },
    /// There is no chain.
    ChainMissing,
}

impl Fault {
    /// A stable word for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Altered { .. } => "altered",
            Self::Missing(_) => "missing",
            Self::OutOfOrder(_) => "out-of-order",
            Self::Equivocation(_) => "equivocation",
            Self::Erased(_) => "erased",
            Self::SessionMissing => "session-missing",
            Self::ChainBroken { .. } => "chain-broken",
            Self::Fork(_) => "fork",
            Self::FalseStatement { .. } => "false-statement",
            Self::ChainMissing => "chain-missing",
        }
    }

    /// Whether it says something of the chain and nothing of the session's segments.
    pub fn is_of_chain(&self) -> bool {
        matches!(self, Self::ChainBroken { .. } | Self::Fork(_) | Self::FalseStatement { .. } | Self::ChainMissing)
    }

    pub(super) fn of_chain(error: &Error, end: u64) -> Self {
        match error {
            Error::Fork(seq) => Self::Fork(*seq),
            Error::ChainBroken { seq, why } => Self::ChainBroken { seq: *seq, why: why.clone() },
            other => Self::ChainBroken { seq: end, why: other.to_string() },
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Altered { segment: Some(segment), object, why } => {
                write!(f, "altered: segment {segment}: {} ({})", safe(why), safe(object))
            }
            Self::Altered { segment: None, object, why } => write!(f, "altered: {} ({})", safe(why), safe(object)),
            Self::Missing(segment) => write!(f, "missing: segment {segment}"),
            Self::OutOfOrder(segment) => write!(f, "out of order: segment {segment}"),
            Self::Equivocation(segment) => write!(f, "equivocation: two valid segments {segment}"),
            Self::Erased(segment) => write!(f, "erased: the keys of segment {segment}, by nobody known"),
            Self::SessionMissing => f.write_str("session missing"),
            Self::ChainBroken { seq, why } => write!(f, "chain broken: at entry {seq}: {}", safe(why)),
            Self::Fork(seq) => write!(f, "fork: two different chain entries {seq}"),
            Self::FalseStatement { seq, why } => write!(f, "false statement: chain entry {seq}: {}", safe(why)),
            Self::ChainMissing => f.write_str("chain missing"),
        }
    }
}

/// All that is said of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The session.
    pub session: SessionId,
    /// The verdict.
    pub verdict: Verdict,
    /// Its faults (VER-2).
    pub faults: Vec<Fault>,
    /// Faults of its chain that do not touch the verdict, because what they hide or say comes after the session had
    /// ended. Reported, and never passed over: see [`Judgement::ok`].
    pub chain_faults: Vec<Fault>,
    /// What lies beside a valid session without changing it: copies that do not verify, objects of strangers.
    pub notes: Vec<String>,
    /// The objects that make up the session, as places in the list of facts, in the order of their numbers.
    pub parts: Vec<usize>,
    /// The highest segment that is there and valid.
    pub last_segment: Option<u32>,
    /// From when on what it shows was not witnessed while it was written (REC-3).
    pub unwitnessed_from: Option<Timestamp>,
    /// How it ended, by its `end` entry.
    pub outcome: Option<String>,
    /// SHA-256 of the identity object, by its `start` entry: what a reader with a key must find.
    pub identity: Option<Digest>,
    /// Name of the host, by genesis; a claim.
    pub host: Option<String>,
    /// Owner of the spool, by genesis.
    pub uid: Option<u32>,
    /// Whether how it ended, or that it goes on, is known. False for a session that went on after a recovered
    /// segment and of which nothing more was heard.
    pub settled: bool,
}

impl Judgement {
    /// Whether there is nothing to worry about: complete, running or validly recovered, and no fault.
    pub fn ok(&self) -> bool {
        let fine = matches!(self.verdict, Verdict::Complete | Verdict::RunningAsOf(_) | Verdict::RecoveredAt { .. });
        fine && self.settled && self.faults.is_empty() && self.chain_faults.is_empty()
    }
}
