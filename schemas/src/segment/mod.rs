//! Segments (FORMAT.md, section 4): header, keys line, sealed blocks, trailer.
//!
//! Writing goes [`SegmentWriter`] -> [`Closed`] -> trailer. Reading goes in two passes, as the format demands: first
//! [`Checker`], from end to end without a key, then [`Reader`] with the segment's secret. [`scan_open`] and [`reseal`]
//! are for what is still, or was left, in a journal. [`EventReader`] puts the parser of
//! event lines (`cast`) behind the second pass.

mod block;
mod check;
mod events;
mod frame;
mod header;
mod inflate;
mod reader;
mod recording;
mod scan;
mod trailer;
mod writer;

pub use check::{Checked, Checker, KeysState, TrailerKind};
pub use events::{Batch, EventReader};
pub use frame::Compression;
pub use header::{Header, HeaderSpec};
pub use reader::{Block, Reader};
pub use recording::{Part, check_recording};
pub use scan::{OpenScan, Tail, head, scan_open};
pub use trailer::Trailer;
pub use writer::{Closed, SegmentWriter, reseal, reseal_with};

use crate::error::Result;
use crate::keys::{Identities, KeysLine, SecretCache, SegmentSecret};

/// The secret of a segment: unwraps its keys line (kept in `cache`), goes to its index, checks the commitment.
pub fn secret(
    header: &Header,
    keys: &KeysLine,
    identities: &Identities,
    cache: &mut SecretCache,
) -> Result<SegmentSecret> {
    cache.secret(header, keys, identities)
}
