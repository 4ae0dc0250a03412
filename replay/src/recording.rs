//! A recording, opened: verified and decrypted events, a segment at a time.
//!
//! All of the session was checked without a key before ([`crate::evidence`]). Each segment is read again, must still
//! have the digest that was judged, and is checked from end to end before the first event leaves; every block is
//! authenticated before its lines are parsed. In memory are one segment as stored and the events of one block, or,
//! for [`Recording::load`], of one segment. Not for drawing or writing.

use std::sync::Arc;

use hansard_schemas::cast::{CastHeader, Event, Events, LineReader};
use hansard_schemas::chain::{Entry, Kind};
use hansard_schemas::keys::{Identities, SecretCache, SegmentSecret};
use hansard_schemas::segment::{Checked, Checker, Header, Reader, head, secret};
use hansard_schemas::verdict::Judgement;
use hansard_schemas::{Digest, Error};
use hansard_sinks::{Part, SinkError, Store};

use crate::evidence::{Evidence, Segment};
use crate::kept::Kept;
use crate::report::Failure;

/// Why a segment could not be given out.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// What is recorded is wrong.
    #[error("segment {segment}: {error}")]
    Content {
        /// The segment.
        segment: u32,
        /// What is wrong.
        error: Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] SinkError),
}

impl From<RecordingError> for Failure {
    fn from(error: RecordingError) -> Self {
        match error {
            RecordingError::Store(error) => error.into(),
            RecordingError::Content { segment, error } => {
                let key = matches!(error, Error::NoRecipient { .. });
                let mut failure = Self::from(error);
                if !key {
                    failure.message = format!("segment {segment}: {}", failure.message);
                }
                failure
            }
        }
    }
}

/// Takes the event lines of a block, as they stand, and what they say.
pub type Visitor<'a, E> = dyn FnMut(&[u8], &Events) -> Result<(), E> + 'a;

/// Visiting stopped: because of the recording, or because the visitor wanted it.
#[derive(Debug)]
pub enum Stopped<E> {
    /// The recording.
    Recording(RecordingError),
    /// The visitor.
    Visitor(E),
}

impl<E: Into<Failure>> From<Stopped<E>> for Failure {
    fn from(stopped: Stopped<E>) -> Self {
        match stopped {
            Stopped::Recording(error) => error.into(),
            Stopped::Visitor(error) => error.into(),
        }
    }
}

/// One segment of a recording that is open.
#[derive(Debug, Clone)]
struct Place {
    number: u32,
    part: Part,
    segment: Option<Segment>,
}

/// Where a recording's segments are.
pub enum Source {
    /// In a store.
    Store(Arc<dyn Store>),
    /// In a store that keeps what was read of it while the session was judged.
    Kept(Arc<Kept>),
}

impl Source {
    fn store(&self) -> &dyn Store {
        match self {
            Self::Store(store) => &**store,
            Self::Kept(kept) => &**kept,
        }
    }
}

/// A recording that can be read.
pub struct Recording {
    source: Source,
    evidence: Evidence,
    identities: Arc<Identities>,
    cache: SecretCache,
    places: Vec<Place>,
    header: Option<CastHeader>,
    force: bool,
    troubles: Vec<String>,
}

/// Opens what was examined. Fails when no identity opens the first segment, or when its identity object is not the
/// one that the chain names. With `force`, what cannot be opened is left out and listed by [`Recording::troubles`].
pub fn open(
    source: Source,
    evidence: Evidence,
    identities: Arc<Identities>,
    force: bool,
) -> Result<Recording, Failure> {
    let places = places(&evidence, force);
    let mut recording = Recording {
        source,
        evidence,
        identities,
        cache: SecretCache::default(),
        places,
        header: None,
        force,
        troubles: Vec::new(),
    };
    recording.read_header()?;
    Ok(recording)
}

/// The segments that count; forced, also what stands where none counts.
fn places(evidence: &Evidence, force: bool) -> Vec<Place> {
    let counted = evidence.segments();
    let mut places: Vec<Place> = counted
        .map(|(part, segment)| Place { number: part.name.number, part: part.clone(), segment: Some(segment.clone()) })
        .collect();
    if force {
        for object in &evidence.objects {
            if places.iter().all(|place| place.number != object.part.name.number) {
                let (part, segment) = (object.part.clone(), object.segment.clone());
                places.push(Place { number: part.name.number, part, segment });
            }
        }
        places.sort_by_key(|place| place.number);
    }
    places
}

impl Recording {
    /// What was judged of the session.
    pub fn judgement(&self) -> &Judgement {
        &self.evidence.judgement
    }

    /// Where its segments are read from: what was kept of them is not asked for again.
    pub fn store(&self) -> &dyn Store {
        self.source.store()
    }

    /// All that is known of it without a key.
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// Takes in a later judgement on the same session, of which there is more by now.
    pub fn renew(&mut self, evidence: Evidence) {
        self.places = places(&evidence, self.force);
        self.evidence = evidence;
    }

    /// The number of a segment that there is to read, and what is known of it.
    pub fn segment(&self, at: usize) -> Option<(u32, Option<&Segment>)> {
        self.places.get(at).map(|place| (place.number, place.segment.as_ref()))
    }

    /// The first line of the recording: terminal, command, identity. `None` when segment 0 cannot be had.
    pub fn header(&self) -> Option<&CastHeader> {
        self.header.as_ref()
    }

    /// How many segments there are to read.
    pub fn segments(&self) -> usize {
        self.places.len()
    }

    /// What a viewer must show beside the content: the verdict when it is not `complete`, and the faults.
    pub fn doubts(&self) -> Option<String> {
        let judgement = self.judgement();
        let mut words: Vec<String> = judgement.faults.iter().map(ToString::to_string).collect();
        if judgement.verdict.word() != "complete" {
            words.insert(0, judgement.verdict.to_string());
        }
        (!words.is_empty()).then(|| words.join("; "))
    }

    /// What was left out so far because it could not be opened; only when forced.
    pub fn troubles(&self) -> &[String] {
        &self.troubles
    }

    /// Event time at which the recording ends; reads the last segment.
    pub fn end_ms(&mut self) -> Result<u64, RecordingError> {
        for at in (0..self.places.len()).rev() {
            let mut end = None;
            let visited = self.read(at, &mut |_: &[u8], events: &Events| {
                end = events.last_ms().or(end);
                Ok::<_, std::convert::Infallible>(())
            });
            match visited {
                Ok(Some(ended)) => return Ok(ended),
                Ok(None) => {}
                Err(Stopped::Recording(error)) if !self.force => return Err(error),
                Err(_) => {}
            }
            if let Some(end) = end {
                return Ok(end);
            }
        }
        Ok(0)
    }

    /// All events of a segment, in order; none leaves before all are good. Forced, as many as are good.
    pub fn load(&mut self, at: usize) -> Result<Vec<Event>, RecordingError> {
        self.load_to_end(at).map(|(events, _)| events)
    }

    /// As [`Recording::load`], and the event time at which the segment ends, if all of it was read.
    pub fn load_to_end(&mut self, at: usize) -> Result<(Vec<Event>, Option<u64>), RecordingError> {
        let mut all = Vec::new();
        let visited = self.read(at, &mut |_: &[u8], events: &Events| {
            all.extend(events.to_vec());
            Ok::<_, std::convert::Infallible>(())
        });
        match visited {
            Ok(end) => Ok((all, end)),
            Err(Stopped::Recording(error)) => self.forgive(error).map(|()| (all, None)),
            Err(Stopped::Visitor(never)) => match never {},
        }
    }

    /// Gives all segments to `visitor`, a block at a time: its lines as they were written, and their events. Where a session
    /// went on after a recovered segment, or one is left out, the first line says how much later that is (CAST-3).
    pub fn visit<E>(&mut self, visitor: &mut Visitor<'_, E>) -> Result<(), Stopped<E>> {
        let mut reached_ms = 0;
        for at in 0..self.places.len() {
            let offset_ms =
                self.places.get(at).and_then(|place| place.segment.as_ref()).map(|segment| segment.offset_ms);
            let mut late_ms = offset_ms.map_or(0, |offset_ms| offset_ms.saturating_sub(reached_ms));
            let read = self.read(at, &mut |lines: &[u8], events: &Events| match std::mem::take(&mut late_ms) {
                0 => visitor(lines, events),
                late_ms => visitor(&later(lines, late_ms), events),
            });
            match read {
                Err(Stopped::Recording(error)) => self.forgive(error).map_err(Stopped::Recording)?,
                other => reached_ms = other?.unwrap_or(reached_ms),
            }
        }
        Ok(())
    }

    /// Forced, an error is listed once and passed over.
    fn forgive(&mut self, error: RecordingError) -> Result<(), RecordingError> {
        let key = matches!(&error, RecordingError::Content { error: Error::NoRecipient { .. }, .. });
        if !self.force || key {
            return Err(error);
        }
        let text = error.to_string();
        if !self.troubles.contains(&text) {
            self.troubles.push(text);
        }
        Ok(())
    }

    /// Reads one segment; gives the event time at its end when all of it was read.
    fn read<E>(&mut self, at: usize, visitor: &mut Visitor<'_, E>) -> Result<Option<u64>, Stopped<E>> {
        let Some(place) = self.places.get(at) else { return Ok(None) };
        let (number, part) = (place.number, place.part.clone());
        let wrong = |error| Stopped::Recording(RecordingError::Content { segment: number, error });
        let judged = place.segment.as_ref().map(|segment| segment.digest);
        let held = match &self.source {
            Source::Kept(kept) => kept.held(&part).filter(|_| judged.is_some()),
            Source::Store(_) => None,
        };
        let read;
        let (bytes, checked): (&[u8], _) = match &held {
            // The bytes that were judged, not others from the same place.
            Some(bytes) => (bytes, None),
            None => {
                read = self.source.store().read(&part, None).map_err(|e| Stopped::Recording(e.into()))?;
                let checked = match check(&read) {
                    Ok(checked) => Some(checked),
                    Err(_) if self.force => None,
                    Err(error) => return Err(wrong(error)),
                };
                // Between judging and reading someone may have exchanged it.
                if !self.force && judged != checked.as_ref().map(|checked| checked.digest) {
                    return Err(wrong(Error::Altered("it changed while it was being read".into())));
                }
                (&read, checked)
            }
        };
        let next_offset = self.places.get(at + 1).filter(|next| next.number == number + 1);
        let next_offset = next_offset.and_then(|next| next.segment.as_ref()).map(|segment| segment.offset_ms);
        let end = self.decode(bytes, checked.as_ref(), visitor).map_err(|stopped| match stopped {
            Decoding::Content(error) => wrong(error),
            Decoding::Visitor(error) => Stopped::Visitor(error),
        })?;
        let recovered = place_is_recovered(self.places.get(at));
        // Whoever went on after a recovered segment could not read when its last event was.
        let follows = |next: u64| next == end || (recovered && next > end);
        if let Some(next) = next_offset.filter(|next| !follows(*next) && !self.force) {
            let why = format!("the next one begins at {next} ms, this one ends at {end} ms");
            return Err(wrong(Error::Altered(why)));
        }
        Ok(Some(end))
    }

    fn decode<E>(
        &mut self,
        bytes: &[u8],
        checked: Option<&Checked>,
        visitor: &mut Visitor<'_, E>,
    ) -> Result<u64, Decoding<E>> {
        // Checked before; or, forced, one that fails the check, opened as far as it goes: each block is still authenticated.
        let (header, keys) = match checked {
            Some(checked) => {
                if let Some(fault) = checked.keys_fault() {
                    return Err(Decoding::Content(fault));
                }
                (checked.header.clone(), checked.keys.clone())
            }
            None => head(bytes).map_err(Decoding::Content)?,
        };
        let secret = secret(&header, &keys, &self.identities, &mut self.cache).map_err(Decoding::Content)?;
        let mut reader = Reader::new(bytes, &secret).map_err(Decoding::Content)?;
        let mut lines = LineReader::new(header.segment == 0, header.offset_ms);
        let (mut block, mut events) = (Vec::new(), Events::default());
        while reader.read_block(&mut block).map_err(Decoding::Content)?.is_some() {
            lines.read(&block, &mut events).map_err(Decoding::Content)?;
            visitor(&block, &events).map_err(Decoding::Visitor)?;
        }
        if reader.footer().is_some_and(|footer| footer.streams != lines.counts()) {
            return Err(Decoding::Content(Error::BadFooter("it counts other streams than there are".into())));
        }
        Ok(lines.time_ms())
    }

    /// Opens the first line and compares the identity object with what the chain, else segment 0 itself, names.
    fn read_header(&mut self) -> Result<(), Failure> {
        let Some(place) = self.places.first().filter(|place| place.number == 0).cloned() else {
            return if self.places.is_empty() { Err(Failure::failed("nothing of it can be opened")) } else { Ok(()) };
        };
        let named = self.evidence.judgement.identity;
        match peek(self.source.store(), &place.part, named, &self.identities, &mut self.cache) {
            Ok(header) => self.header = Some(header),
            Err(error) => self.forgive(error)?,
        }
        Ok(())
    }
}

enum Decoding<E> {
    Content(Error),
    Visitor(E),
}

/// Good event lines, the first of which comes so much later.
fn later(lines: &[u8], late_ms: u64) -> Vec<u8> {
    let comma = lines.iter().position(|byte| *byte == b',').unwrap_or(0);
    let (interval, rest) = lines.split_at(comma);
    // `[`, seconds, a point, three decimals: the digits are milliseconds.
    let digits = interval.iter().filter(|byte| byte.is_ascii_digit());
    let interval_ms = digits.fold(0, |ms: u64, digit| ms * 10 + u64::from(digit - b'0')) + late_ms;
    let begin = format!("[{}.{:03}", interval_ms / 1_000, interval_ms % 1_000);
    [begin.as_bytes(), rest].concat()
}

fn place_is_recovered(place: Option<&Place>) -> bool {
    place.and_then(|place| place.segment.as_ref()).is_some_and(|segment| segment.recovered)
}

fn check(bytes: &[u8]) -> Result<Checked, Error> {
    let mut checker = Checker::new();
    checker.push(bytes)?;
    checker.finish()
}

/// Header and keys of a segment, and the secret that they give; reads its beginning only.
pub fn secret_of(
    store: &dyn Store,
    part: &Part,
    identities: &Identities,
    cache: &mut SecretCache,
) -> Result<(Header, SegmentSecret), RecordingError> {
    let wrong = |error| RecordingError::Content { segment: part.name.number, error };
    for limit in [HEAD_TRY, SECOND_TRY] {
        let bytes = store.read(part, Some(0..limit))?;
        match head(&bytes) {
            Err(Error::Truncated(_)) if bytes.len() as u64 == limit => {}
            Err(error) => return Err(wrong(error)),
            Ok((header, keys)) => {
                let secret = secret(&header, &keys, identities, cache).map_err(wrong)?;
                return Ok((header, secret));
            }
        }
    }
    Err(wrong(Error::Truncated("no keys line at its beginning".into())))
}

/// How much of a segment is read for its header and keys line at first: some recipients need a few KiB.
const HEAD_TRY: u64 = 16 << 10;
/// How much of segment 0 is read for its first line at first; a block and the lines before it always fit in the
/// second try.
const FIRST_TRY: u64 = 256 << 10;
const SECOND_TRY: u64 = 6 << 20;

/// The first line of a recording, from the beginning of segment 0. Its block is authenticated, and its identity
/// object must be the one that the `start` entry names: `named` if the chain was verified, else the entry that the
/// segment carries.
pub fn peek(
    store: &dyn Store,
    part: &Part,
    named: Option<Digest>,
    identities: &Identities,
    cache: &mut SecretCache,
) -> Result<CastHeader, RecordingError> {
    let wrong = |error| RecordingError::Content { segment: 0, error };
    for limit in [FIRST_TRY, SECOND_TRY] {
        let bytes = store.read(part, Some(0..limit))?;
        let whole = (bytes.len() as u64) < limit;
        match first_line(&bytes, named, identities, cache) {
            Ok(Some(header)) => return Ok(header),
            Ok(None) | Err(Error::Truncated(_)) if !whole => {}
            Ok(None) => return Err(wrong(Error::Truncated("no block".into()))),
            Err(error) => return Err(wrong(error)),
        }
    }
    Err(wrong(Error::Truncated("no block at its beginning".into())))
}

fn first_line(
    bytes: &[u8],
    named: Option<Digest>,
    identities: &Identities,
    cache: &mut SecretCache,
) -> Result<Option<CastHeader>, Error> {
    let (header, keys) = head(bytes)?;
    let secret = secret(&header, &keys, identities, cache)?;
    let mut reader = Reader::new(bytes, &secret)?;
    let Some(block) = reader.next_block()? else { return Ok(None) };
    let mut lines = LineReader::new(header.segment == 0, header.offset_ms);
    lines.push(&block.lines)?;
    let Some((cast, digest)) = lines.header() else { return Ok(None) };
    let carried = || Some(Entry::parse(header.entry.as_ref()?.as_bytes()).ok()?.kind);
    let carried = || match carried()? {
        Kind::Start { identity, .. } => Some(identity),
        _ => None,
    };
    if named.or_else(carried) != Some(*digest) || cast.hansard.session != header.session {
        return Err(Error::Altered("the identity object is not the one that the chain names".into()));
    }
    Ok(Some(cast.clone()))
}

#[cfg(test)]
mod tests {
    use super::later;

    #[test]
    fn cast_3_the_first_line_says_how_much_later_it_is() {
        let lines = b"[0.250, \"r\", \"80x24\"]\n[0.001, \"o\", \"[9.999, \"]\n";
        let after = b"[2.000, \"r\", \"80x24\"]\n[0.001, \"o\", \"[9.999, \"]\n";
        assert_eq!(later(lines, 1_750), after);
        assert_eq!(later(lines, 0), lines);
    }
}
