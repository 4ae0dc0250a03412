//! What a segment shows before it is closed: in a recorder's spool it can be seen growing.
//!
//! Its blocks are sealed, and its header names the key that the segment before announced; that it is the recorder's own is
//! known when it is signed, and then what was shown of it is held against it. Each look reads it from its beginning: a
//! segment is closed within seconds, or at a few MiB. Not for what is closed.

use hansard_schemas::cast::{Event, EventData};
use hansard_schemas::keys::{Identities, SecretCache};
use hansard_schemas::segment::{EventReader, Tail, scan_open, secret};
use hansard_schemas::{Error, PublicKey, SessionId};
use hansard_sinks::Growing;
use sha2::{Digest as _, Sha256};

use super::Arrived;

/// What is longer is not looked into: it grows fast, and is closed soon.
const LONGEST: usize = 1 << 20;
/// Length of the marker behind the last block.
const END: usize = 4;

/// What is shown ahead of one session.
#[derive(Default)]
pub(super) struct Ahead {
    cache: SecretCache,
    shown: Option<Unsigned>,
}

/// What was shown of a segment that nobody had signed.
struct Unsigned {
    number: u32,
    events: usize,
    /// Over those events.
    hash: Sha256,
    /// Bytes of it that were looked at.
    bytes: usize,
}

/// What its header has to say.
pub(super) struct Expected {
    pub session: SessionId,
    pub signer: PublicKey,
    /// Where the segment before ended; `None` after one that was recovered.
    pub offset_ms: Option<u64>,
}

impl Ahead {
    /// The events that are new.
    pub fn more(
        &mut self,
        growing: &Growing,
        expected: &Expected,
        identities: &Identities,
    ) -> Result<Option<Arrived>, Error> {
        let Growing { number, bytes } = growing;
        let known = self.shown.take_if(|shown| shown.number == *number);
        let mut known = known.unwrap_or_else(|| Unsigned { number: *number, events: 0, hash: Sha256::new(), bytes: 0 });
        // What grows was longer than before; what is sealed anew begins again, and is the same to its reader.
        if known.bytes == bytes.len() || bytes.len() > LONGEST {
            self.shown = Some(known);
            return Ok(None);
        }
        let arrived = self.read(growing, expected, identities, &mut known)?;
        known.bytes = bytes.len();
        self.shown = Some(known);
        Ok(arrived.filter(|arrived| !arrived.events.is_empty()))
    }

    fn read(
        &mut self,
        growing: &Growing,
        expected: &Expected,
        identities: &Identities,
        known: &mut Unsigned,
    ) -> Result<Option<Arrived>, Error> {
        let scan = scan_open(&growing.bytes);
        // Not even its first lines are whole yet.
        let (Some(header), Some(keys)) = (scan.header, scan.keys) else { return Ok(None) };
        if header.session != expected.session || header.segment != growing.number || header.signer != expected.signer {
            return Err(Error::Altered("its header is not the one that the segment before announced".into()));
        }
        if let Some(offset_ms) = expected.offset_ms.filter(|offset_ms| *offset_ms != header.offset_ms) {
            let begin = header.offset_ms;
            return Err(Error::Altered(format!("it begins at {begin} ms, the one before ended at {offset_ms} ms")));
        }
        let end = if scan.tail == Tail::Torn { scan.kept_len } else { scan.kept_len + END };
        let whole = growing.bytes.get(..end).unwrap_or(&growing.bytes);
        let secret = secret(&header, &keys, identities, &mut self.cache)?;
        let mut reader = EventReader::new(whole, &secret)?;
        let (mut events, mut passed) = (Vec::new(), 0);
        for block in 0..scan.blocks {
            let batch = match reader.next_batch() {
                Ok(Some(batch)) => batch.events,
                Ok(None) => break,
                // A footer that stands without the marker that comes with it; or what the next look, or the segment's
                // end, finds again.
                Err(_) if block + 1 == scan.blocks => break,
                Err(error) => return Err(error),
            };
            for event in batch {
                passed += 1;
                if passed > known.events {
                    take_in(&mut known.hash, &event);
                    events.push(event);
                }
            }
        }
        known.events = known.events.max(passed);
        let (start, offset_ms) = (header.start, header.offset_ms);
        Ok(Some(Arrived { number: growing.number, events, start, offset_ms, left: None }))
    }

    /// Of the events of a closed segment, those that were not shown before.
    pub fn rest(&mut self, number: u32, mut events: Vec<Event>) -> Result<Vec<Event>, Error> {
        let Some(shown) = self.shown.take_if(|shown| shown.number <= number).filter(|shown| shown.number == number)
        else {
            return Ok(events);
        };
        let mut hash = Sha256::new();
        events.iter().take(shown.events).for_each(|event| take_in(&mut hash, event));
        if events.len() < shown.events || hash.finalize() != shown.hash.finalize() {
            return Err(Error::Altered("what is signed is not what was shown of it before".into()));
        }
        Ok(events.split_off(shown.events))
    }
}

fn take_in(hash: &mut Sha256, event: &Event) {
    let data = match &event.data {
        EventData::Bytes(raw) => raw.as_slice(),
        EventData::Text(text) => text.as_bytes(),
    };
    hash.update(event.time_ms.to_le_bytes());
    hash.update(u32::from(event.code.as_char()).to_le_bytes());
    hash.update((data.len() as u64).to_le_bytes());
    hash.update(data);
}
