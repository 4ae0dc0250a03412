//! `verify` of files: recordings (`.hrec`) and single segments (`.hseg`) outside any store.
//!
//! A file is streamed; its segments stand where their order puts them. Files of one session are judged together.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use hansard_schemas::chain::{Chain, Entry};
use hansard_schemas::segment::Checker;
use hansard_schemas::verdict::{SegmentFact, Summary, judge};
use hansard_schemas::{Error, SessionId, Timestamp};

use super::verify::Verified;
use crate::evidence::Chains;
use crate::report::{Failure, Outcome};

/// How much of a file is in memory.
const PIECE: usize = 1 << 20;
/// Segments of one file that are looked at; LIM-11.
const SEGMENTS: u32 = hansard_schemas::limits::SEGMENT_NUMBER;

/// Whether an argument means a file rather than a session.
pub(super) fn is_file(what: &str) -> bool {
    what.ends_with(".hrec") || what.ends_with(".hseg") || what.contains('/')
}

/// What was found of one session in files.
struct Found {
    name: String,
    session: SessionId,
    facts: Vec<SegmentFact>,
    entry: Option<Entry>,
    bytes: u64,
    trailing: bool,
}

/// Checks and judges files; also gives why some could not be.
pub(super) fn files(names: &[&String], chains: &Chains, now: Timestamp) -> (Vec<Verified>, Vec<Failure>) {
    let mut all: Vec<Found> = Vec::new();
    let mut failures = Vec::new();
    for name in names {
        let found = match check(name) {
            Ok(found) => found,
            Err(failure) => {
                failures.push(failure);
                continue;
            }
        };
        match all.iter_mut().find(|one| one.session == found.session) {
            Some(one) => {
                one.facts.extend(found.facts);
                one.entry = one.entry.take().or(found.entry);
                one.trailing |= found.trailing;
                one.bytes = one.bytes.saturating_add(found.bytes);
                one.name = format!("{}, {}", one.name, found.name);
            }
            None => all.push(found),
        }
    }
    (all.into_iter().map(|found| judged(found, chains, now)).collect(), failures)
}

fn judged(found: Found, chains: &Chains, now: Timestamp) -> Verified {
    let chain = chain_of(&found, chains);
    let judgement = judge(found.session, &found.facts, chain, now);
    let chain = chain.map(|chain| chain.id);
    Verified { file: Some(found.name), trailing: found.trailing, judgement, chain, bytes: found.bytes, imported: None }
}

/// The chain that segment 0 names; without it, one that saw the session start.
fn chain_of<'a>(found: &Found, chains: &'a Chains) -> Option<&'a Chain> {
    match &found.entry {
        Some(entry) => chains.get(entry.chain),
        None => chains.iter().find(|chain| chains.start_of(chain.id, found.session).is_some()),
    }
}

fn check(name: &str) -> Outcome<Found> {
    let cannot = |e: std::io::Error| Failure::usage(format!("{name}: cannot read: {e}"));
    // A named pipe would wait for its writer.
    if !std::fs::metadata(Path::new(name)).map_err(cannot)?.is_file() {
        return Err(Failure::usage(format!("{name}: not a file")));
    }
    let mut file = File::open(name).map_err(cannot)?;
    let mut walk = Walk {
        checker: Checker::new(),
        facts: Vec::new(),
        session: None,
        entry: None,
        first: 0,
        begun: false,
        closed: false,
        trailing: false,
        ended: false,
    };
    let mut buffer = vec![0; PIECE];
    let mut bytes = 0;
    while !walk.ended {
        let n = match file.read(&mut buffer) {
            Ok(n) => n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(cannot(e)),
        };
        if n == 0 {
            break;
        }
        bytes += n as u64;
        walk.take(name, &buffer[..n]);
    }
    walk.end(name);
    let Some(session) = walk.session else {
        let why = walk.facts.into_iter().find_map(|fact| fact.result.err()).map(|e| e.to_string());
        let why = why.unwrap_or_else(|| "it is empty".into());
        return Err(Failure::failed(format!("{name}: {why}")));
    };
    Ok(Found { name: name.into(), session, facts: walk.facts, entry: walk.entry, bytes, trailing: walk.trailing })
}

/// A file being walked through.
struct Walk {
    checker: Checker,
    facts: Vec<SegmentFact>,
    session: Option<SessionId>,
    entry: Option<Entry>,
    /// Number of the first segment.
    first: u32,
    /// The checker has taken a byte.
    begun: bool,
    /// The last segment was read.
    closed: bool,
    /// Something follows it.
    trailing: bool,
    /// Nothing after this can be read.
    ended: bool,
}

impl Walk {
    fn take(&mut self, name: &str, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.ended {
            if self.closed {
                // TRL-4. The judgement knows objects of a store, where anyone can add one; in a file it is a fault.
                (self.trailing, self.ended) = (true, true);
                return;
            }
            self.begun = true;
            match self.checker.feed(bytes) {
                Ok(taken) => bytes = bytes.get(taken..).unwrap_or_default(),
                Err(error) => return self.fail(name, error),
            }
            self.learn();
            if self.checker.is_complete() {
                self.closed = self.finish(name);
                if self.facts.len() > SEGMENTS as usize {
                    self.fail(name, Error::Limit { what: "segments of a file", limit: SEGMENTS.into() });
                }
            }
        }
    }

    /// Whose file it is shows in the first header.
    fn learn(&mut self) {
        if self.session.is_none()
            && let Some(header) = self.checker.header()
        {
            self.session = Some(header.session);
            self.first = header.segment;
            self.entry = header.entry.as_ref().and_then(|entry| Entry::parse(entry.as_bytes()).ok());
        }
    }

    fn number(&self) -> u32 {
        self.first.saturating_add(u32::try_from(self.facts.len()).unwrap_or(u32::MAX)).min(SEGMENTS)
    }

    fn finish(&mut self, name: &str) -> bool {
        self.begun = false;
        let result = std::mem::take(&mut self.checker).finish();
        let last = result.as_ref().is_ok_and(hansard_schemas::segment::Checked::is_last);
        let fact = SegmentFact::placed(name, self.number(), result.map(|checked| Summary::from(&checked)));
        self.facts.push(fact);
        last
    }

    fn fail(&mut self, name: &str, error: Error) {
        self.learn();
        self.facts.push(SegmentFact::placed(name, self.number(), Err(error)));
        self.ended = true;
    }

    /// The file ended: between two segments that is well.
    fn end(&mut self, name: &str) {
        if !self.ended && (self.begun || self.facts.is_empty()) {
            self.learn();
            self.finish(name);
        }
    }
}
