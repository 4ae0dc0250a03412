//! A recording file: the segments of one session, joined in order (FORMAT.md, section 4), and how each follows from
//! the one before. Without the host chain; what it adds is `verdict`'s.

use std::ops::Range;

use super::check::{Checked, Checker, TrailerKind};
use crate::chain::Kind;
use crate::error::{Error, Result};

/// One segment of a recording file.
#[derive(Debug, Clone)]
pub struct Part {
    /// Where its bytes stand.
    pub bytes: Range<usize>,
    /// What the check found.
    pub checked: Checked,
}

/// Checks a recording file (or a single segment) from its first byte to its last, without a key.
///
/// It may begin with any segment; a recording that is cut after a whole segment is not an error here.
pub fn check_recording(bytes: &[u8]) -> Result<Vec<Part>> {
    let mut parts: Vec<Part> = Vec::new();
    let mut at = 0;
    while at < bytes.len() || parts.is_empty() {
        if let Some(part) = parts.last().filter(|part| part.checked.is_last()) {
            return Err(Error::TrailingData((bytes.len() - part.bytes.end) as u64));
        }
        let mut checker = Checker::new();
        let end = at + checker.feed(&bytes[at..])?;
        let checked = checker.finish()?;
        if let Some(part) = parts.last() {
            follows(&part.checked, &checked)?;
        }
        parts.push(Part { bytes: at..end, checked });
        at = end;
    }
    Ok(parts)
}

/// SEG-3, SEG-4 and `prev`: whether `next` is the segment that `before` announced.
fn follows(before: &Checked, next: &Checked) -> Result<()> {
    let (a, b) = (&before.header, &next.header);
    let altered = |why: &str| Err(Error::Altered(format!("segment {}: {why}", b.segment)));
    if a.session != b.session {
        return altered("it is of another session");
    }
    if a.segment + 1 != b.segment {
        return altered(&format!("it stands after segment {}", a.segment));
    }
    let announced = match &before.trailer {
        TrailerKind::Signed(trailer) => trailer.next,
        TrailerKind::Recovered(entry) => match &entry.kind {
            Kind::Recovered { continues, .. } => *continues,
            _ => None,
        },
    };
    if announced != Some(b.signer) {
        return altered("its signer is not the one that the segment before announced");
    }
    let prev = match &next.trailer {
        TrailerKind::Signed(trailer) => trailer.prev,
        TrailerKind::Recovered(entry) => match &entry.kind {
            Kind::Recovered { head, .. } => *head,
            _ => None,
        },
    };
    if prev != Some(before.digest) {
        return altered("it names another digest of the segment before");
    }
    if b.offset_ms < a.offset_ms {
        return altered("its time is before that of the segment before");
    }
    let same_keys = a.keys == b.keys;
    let epochs = match b.epoch.cmp(&a.epoch) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => same_keys && b.index > a.index,
        std::cmp::Ordering::Greater => !same_keys,
    };
    if epochs { Ok(()) } else { altered("its epoch or index does not follow") }
}
