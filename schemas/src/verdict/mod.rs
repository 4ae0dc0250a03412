//! What can be said of a session without any private key (FORMAT.md, section 8).
//!
//! [`judge`] takes what checking gave for every object of the session and what the host chain says, and gives a
//! [`Judgement`]. Not for reading objects (`segment`, `chain`), nor for what is in them.

mod evidence;
mod judge;
mod line;
mod report;

pub use judge::judge;
pub use report::{Fault, Judgement, Verdict};

use crate::chain::{Chain, Entry};
use crate::names::SegmentName;
use crate::segment::{Checked, Header, KeysState, TrailerKind};
use crate::{Digest, Error, Result, SessionId, Timestamp};

/// How long the newest statement that a session runs counts (FORMAT.md, section 8): three of the intervals of CHAIN-3.
pub const RUNNING_MS: u64 = 180_000;

/// Whether a statement of this time, that a session runs, counts now. One that far ahead of the reviewer's clock says as
/// little as one that far behind.
pub fn still_counts(time: Timestamp, now: Timestamp) -> bool {
    time.unix_ms().abs_diff(now.unix_ms()) <= RUNNING_MS
}

/// One object of a session, as checked.
#[derive(Debug)]
pub struct SegmentFact {
    /// Its name, for messages.
    pub object: String,
    /// The segment that it should be: by its name, or by its place in a recording file.
    pub number: u32,
    /// What checking it from end to end gave.
    pub result: Result<Summary>,
}

/// What a checked segment says of itself, without its bytes.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Its header.
    pub header: Header,
    /// Whether the keys line is the one that the header names.
    pub keys_state: KeysState,
    /// Number of its blocks.
    pub blocks: u64,
    /// What closes it.
    pub trailer: TrailerKind,
    /// Its digest.
    pub digest: Digest,
    /// SHA-256 of header line and blocks.
    pub kept: Digest,
}

impl From<&Checked> for Summary {
    fn from(checked: &Checked) -> Self {
        let Checked { header, keys_state, blocks, trailer, digest, kept, .. } = checked;
        let (header, trailer) = (header.clone(), trailer.clone());
        Self { header, keys_state: *keys_state, blocks: *blocks, trailer, digest: *digest, kept: *kept }
    }
}

impl SegmentFact {
    /// An object of a store: its name must agree with what is in it (NAME-3).
    pub fn named(name: &SegmentName, result: Result<Summary>) -> Self {
        let result = result.and_then(|summary| {
            let other_chain = embedded(&summary).is_some_and(|entry| entry.chain.short() != name.chain16);
            if other_chain {
                return Err(Error::Altered("its chain is not the one of its name".into()));
            }
            // Another session or number is a fault of its own, which the judgement names.
            let ours = summary.header.session == name.session && summary.header.segment == name.number;
            if ours && summary.digest.short() != name.digest16 {
                return Err(Error::Altered("its digest is not the one of its name".into()));
            }
            Ok(summary)
        });
        Self { object: name.path(), number: name.number, result }
    }

    /// The segment at this place of a recording file.
    pub fn placed(object: impl Into<String>, number: u32, result: Result<Summary>) -> Self {
        Self { object: object.into(), number, result }
    }
}

/// The entry line that segment 0 carries.
fn embedded(summary: &Summary) -> Option<Entry> {
    Entry::parse(summary.header.entry.as_ref()?.as_bytes()).ok()
}

/// Every session that the chain saw start.
pub fn sessions_of(chain: &Chain) -> Vec<SessionId> {
    chain.sessions()
}
