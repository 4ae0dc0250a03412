//! ttyrec: records of a 12-byte header and what the terminal got.
//!
//! The header is seconds, microseconds and length, each u32 little endian; the seconds count from 1970. There is neither a
//! size nor input nor an end in it.

use super::source::{MOST_BYTES, Source};
use super::{Event, Fault, Take, Told, give};

/// Reads it.
pub fn read(mut source: Source, told: &mut Told, take: &mut Take<'_>) -> Result<(), Fault> {
    let (mut head, mut data) = (Vec::new(), Vec::new());
    let (mut first, mut last_us) = (None, 0);
    loop {
        let at = source.at();
        source.bytes(12, &mut head)?;
        let Some((seconds, micros, length)) = header(&head) else {
            if head.is_empty() {
                return Ok(());
            }
            return Err(source
                .bad_at(at, format!("the file ends within the header of a record, after {} bytes of it", head.len())));
        };
        if micros >= 1_000_000 || length > MOST_BYTES {
            return Err(source.bad_at(at, "no header of a record is here: the file is damaged, or no ttyrec"));
        }
        let now = i64::from(seconds) * 1_000_000 + i64::from(micros);
        let begun = *first.get_or_insert(now);
        told.started_us = Some(begun);
        last_us = u64::try_from(now - begun).unwrap_or(0).max(last_us);
        source.bytes(length, &mut data)?;
        if !data.is_empty() {
            give(take, last_us, Event::Output(&data))?;
        }
        if data.len() < length {
            let what = format!("the file ends within a record: {} of {length} bytes are there", data.len());
            return Err(source.bad_at(at, what));
        }
    }
}

/// Seconds, microseconds and length.
pub(super) fn header(bytes: &[u8]) -> Option<(u32, u32, usize)> {
    let (seconds, rest) = bytes.split_first_chunk::<4>()?;
    let (micros, rest) = rest.split_first_chunk::<4>()?;
    let length = rest.first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    Some((u32::from_le_bytes(*seconds), u32::from_le_bytes(*micros), length))
}
