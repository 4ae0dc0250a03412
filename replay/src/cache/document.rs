//! What is inside the seal: the facts of a session's segments, and its index, as bytes.
//!
//! Parsed only after it was authenticated; parsed with care all the same. Not for the seal: `seal`.

use hansard_schemas::Digest;
use hansard_schemas::cast::Code;
use hansard_schemas::chain::Entry;
use hansard_schemas::segment::{Header, KeysState, Trailer, TrailerKind};
use hansard_schemas::verdict::Summary;
use hansard_sinks::Part;
use serde::{Deserialize, Serialize};

use super::seal::{join, split};
use crate::evidence::{Evidence, Fact};
use crate::index::{Index, Kept, Kind, Landmark, Place, Trail};
use crate::screen::Keyframe;

/// What was found of each object of a session.
#[derive(Debug, Serialize, Deserialize)]
pub struct Facts {
    objects: Vec<Object>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Object {
    key: String,
    version: Option<String>,
    part_bytes: u64,
    header: Header,
    blocks: u64,
    trailer: Close,
    digest: Digest,
    kept: Digest,
    bytes: u64,
    recipients: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
enum Close {
    Signed(Trailer),
    /// The entry's exact line.
    Recovered(String),
}

impl Facts {
    /// Of a session in which every object was found whole; `None` of any other, which is checked anew each time.
    pub fn of(evidence: &Evidence) -> Option<Self> {
        let objects = evidence.objects.iter().map(|object| {
            let Fact { summary, bytes, recipients } = object.fact.clone()?;
            let Summary { header, keys_state, blocks, trailer, digest, kept } = summary;
            (keys_state == KeysState::Ok).then_some(())?;
            let trailer = match trailer {
                TrailerKind::Signed(trailer) => Close::Signed(trailer),
                TrailerKind::Recovered(entry) => Close::Recovered(String::from_utf8(entry.line).ok()?),
            };
            let Part { key, version, bytes: part_bytes, .. } = object.part.clone();
            Some(Object { key, version, part_bytes, header, blocks, trailer, digest, kept, bytes, recipients })
        });
        Some(Self { objects: objects.collect::<Option<_>>()? })
    }

    /// As bytes.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        serde_json::to_vec(self).ok()
    }

    /// From bytes.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// What was found of a part, if it is the same one by place, version, length and name.
    pub fn of_part(&self, part: &Part) -> Option<Fact> {
        let number = usize::try_from(part.name.number).unwrap_or(usize::MAX);
        let is = |object: &&Object| {
            object.key == part.key
                && object.version == part.version
                && object.part_bytes == part.bytes
                && object.digest.short() == part.name.digest16
        };
        // In most stores the n-th object is segment n.
        let object = self.objects.get(number).filter(is).or_else(|| self.objects.iter().find(is))?;
        let trailer = match &object.trailer {
            Close::Signed(trailer) => TrailerKind::Signed(trailer.clone()),
            Close::Recovered(line) => TrailerKind::Recovered(Entry::parse(line.as_bytes()).ok()?),
        };
        let Object { header, blocks, digest, kept, bytes, recipients, .. } = object;
        let (header, keys_state) = (header.clone(), KeysState::Ok);
        let summary = Summary { header, keys_state, blocks: *blocks, trailer, digest: *digest, kept: *kept };
        Some(Fact { summary, bytes: *bytes, recipients: recipients.clone() })
    }
}

/// An index, the segments it was made of, and where they end.
#[derive(Debug)]
pub struct Saved {
    /// The index.
    pub index: Index,
    /// Digests of the segments that count, in order.
    pub segments: Vec<Digest>,
    /// Event time at which the recording ends.
    pub end_ms: u64,
}

#[derive(Serialize, Deserialize)]
struct Document {
    segments: Vec<Digest>,
    end_ms: u64,
    frontier: (usize, usize, usize),
    reached_ms: u64,
    complete: bool,
    scale: u32,
    keyframes: Vec<Screen>,
    landmarks: Vec<(u64, Moment, String)>,
}

#[derive(Serialize, Deserialize)]
struct Screen {
    place: (usize, usize),
    at_ms: u64,
    output_ms: Option<u64>,
    executes: bool,
    size: (usize, usize),
    clipped: bool,
    clusters: Vec<(char, String)>,
    /// Length of what draws it, which stands after the document.
    length: usize,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum Moment {
    Marker,
    Gap,
    Command,
    Burst,
}

impl Saved {
    /// As bytes: length of a JSON document, the document, what draws the screens.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let index = &self.index;
        let mut drawn = String::new();
        let keyframes = index.keyframes.iter().map(|kept| {
            let (size, clipped, dump, clusters) = kept.keyframe.parts();
            drawn.push_str(dump);
            Screen {
                place: (kept.place.segment, kept.place.event),
                at_ms: kept.at_ms,
                output_ms: kept.trail.output_ms,
                executes: kept.trail.executes,
                size,
                clipped,
                clusters: clusters.to_vec(),
                length: dump.len(),
            }
        });
        let landmarks = index.landmarks.iter().filter_map(|landmark| {
            let moment = match (landmark.kind, landmark.code) {
                (Kind::Stop, Code::Marker) => Moment::Marker,
                (Kind::Stop, _) => Moment::Gap,
                (Kind::Command, _) => Moment::Command,
                (Kind::Burst, _) => Moment::Burst,
                (Kind::Exit, _) => return None,
            };
            Some((landmark.at_ms, moment, landmark.text.clone()))
        });
        let document = Document {
            segments: self.segments.clone(),
            end_ms: self.end_ms,
            frontier: (index.frontier.segment, index.frontier.event, index.frontier.byte),
            reached_ms: index.reached_ms,
            complete: index.complete,
            scale: index.scale,
            keyframes: keyframes.collect(),
            landmarks: landmarks.collect(),
        };
        let document = serde_json::to_vec(&document).ok()?;
        join(&document, drawn.as_bytes())
    }

    /// From bytes. `None` when anything in it cannot be.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (document, drawn) = split(bytes)?;
        let document: Document = serde_json::from_slice(document).ok()?;
        let mut drawn = std::str::from_utf8(drawn).ok()?;
        let mut keyframes = Vec::new();
        for screen in document.keyframes {
            let (dump, rest) = drawn.split_at_checked(screen.length)?;
            drawn = rest;
            let keyframe = Keyframe::from_parts(screen.size, screen.clipped, dump.to_owned(), screen.clusters)?;
            let place = Place { segment: screen.place.0, event: screen.place.1, byte: 0 };
            let trail = Trail { output_ms: screen.output_ms, executes: screen.executes };
            keyframes.push(Kept { place, at_ms: screen.at_ms, trail, keyframe: keyframe.into() });
        }
        let landmarks = document.landmarks.into_iter().map(|(at_ms, moment, text)| {
            let (kind, code) = match moment {
                Moment::Marker => (Kind::Stop, Code::Marker),
                Moment::Gap => (Kind::Stop, Code::Gap),
                Moment::Command => (Kind::Command, Code::Output),
                Moment::Burst => (Kind::Burst, Code::Output),
            };
            Landmark { at_ms, kind, code, text }
        });
        let landmarks: Vec<Landmark> = landmarks.collect();
        let (segment, event, byte) = document.frontier;
        let ordered = keyframes.is_sorted_by(|a, b| a.place < b.place && a.at_ms <= b.at_ms)
            && landmarks.is_sorted_by_key(|landmark| landmark.at_ms)
            && keyframes.first().is_some_and(|first| first.place == Place::default());
        ordered.then_some(())?;
        let index = Index {
            keyframes,
            landmarks,
            frontier: Place { segment, event, byte },
            reached_ms: document.reached_ms,
            complete: document.complete,
            scale: document.scale.max(1),
        };
        Some(Self { index, segments: document.segments, end_ms: document.end_ms })
    }
}
