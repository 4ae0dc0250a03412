//! Verdicts over histories that are signed: an honest session and its chain, then what the input does to both.
//!
//! Input: how many segments, then steps of three bytes. Nobody who only removes or adds objects may get `complete`
//! out of what is not whole, and nothing that is signed may make the judge panic.

use hansard_schemas::chain::{self, Chain, Entry, Head, Kind};
use hansard_schemas::seal::SigningKey;
use hansard_schemas::segment::{Header, KeysState, Trailer, TrailerKind};
use hansard_schemas::verdict::{Fault, SegmentFact, Summary, Verdict, judge};
use hansard_schemas::{Digest, Error, Timestamp};

use crate::fixed;

/// A host's chain in the making. The key after entry n is `key(100 + n)`.
struct Host {
    entries: Vec<Entry>,
    key: SigningKey,
    seconds: i64,
    boot: u8,
}

impl Host {
    fn new() -> Self {
        let (genesis, next) =
            chain::genesis("host", None, 1000, fixed::time(0), fixed::boot(0), fixed::key(100)).expect("genesis");
        Self { entries: vec![genesis], key: next, seconds: 0, boot: 0 }
    }

    fn say(&mut self, kind: Kind) {
        let next = fixed::key(100 + self.entries.len() as u8 % 100);
        let (time, boot) = (fixed::time(self.seconds), fixed::boot(self.boot));
        let prev = self.entries.last().expect("genesis");
        if let Ok(entry) = chain::append_with(prev, &self.key, kind, time, boot, next.public()) {
            self.entries.push(entry);
            self.key = next;
        }
    }
}

fn digest(number: u8) -> Digest {
    Digest([number + 1; 32])
}

fn signer(number: u8) -> SigningKey {
    fixed::key(10 + number)
}

fn summary(number: u8, count: u8, start: &Entry) -> Summary {
    let last = number + 1 == count;
    let header = Header {
        hansard: 1,
        session: fixed::session(0),
        segment: number.into(),
        start: fixed::time(number.into()),
        offset_ms: number.into(),
        suite: "zstd+A256GCM".into(),
        epoch: 0,
        index: number.into(),
        commit: Digest([0xcc; 32]),
        keys: Digest([0xaa; 32]),
        signer: signer(number).public(),
        entry: (number == 0).then(|| String::from_utf8_lossy(&start.line).trim_end().to_owned()),
    };
    let trailer = Trailer {
        blocks: 3,
        lines: 3,
        prev: number.checked_sub(1).map(digest),
        next: (!last).then(|| signer(number + 1).public()),
        last,
    };
    Summary {
        header,
        keys_state: KeysState::Ok,
        blocks: 3,
        trailer: TrailerKind::Signed(trailer),
        digest: digest(number),
        kept: Digest([0x40 + number; 32]),
    }
}

fn statement(kind: u8, number: u8, count: u8) -> Kind {
    let session = fixed::session(number & 1);
    let segment = u32::from(number >> 1 & 7);
    let of = digest(number >> 1 & 7);
    match kind % 6 {
        0 => Kind::Start { session, signer: signer(0).public(), identity: Digest([1; 32]) },
        1 => Kind::End { session, segment, digest: of, outcome: "exited".into() },
        2 => Kind::Recovered {
            session,
            segment,
            blocks: 3,
            kept: (number & 0x10 == 0).then_some(Digest([0x40 + segment as u8; 32])),
            head: segment.checked_sub(1).map(|before| digest(before as u8)),
            reason: "gone".into(),
            old_boot: fixed::boot(0),
            continues: (segment + 1 < u32::from(count)).then(|| signer(segment as u8 + 1).public()),
        },
        3 => Kind::Checkpoint { open: vec![Head { session, segment: Some(segment), digest: Some(of) }], part: None },
        4 => Kind::Checkpoint { open: vec![], part: None },
        _ => Kind::Close,
    }
}

/// The input's steps on the facts; what was only removed keeps the rest honest.
struct World {
    facts: Vec<SegmentFact>,
    count: u8,
    removed: bool,
    /// Segments were made anew, as only the holder of the session's keys could.
    forged: bool,
}

impl World {
    fn step(&mut self, host: &mut Host, step: &[u8]) {
        let [op, a, b] = *step else { return };
        let at = usize::from(a) % self.facts.len().max(1);
        match op % 10 {
            0 if !self.facts.is_empty() => {
                self.facts.remove(at);
                self.removed = true;
            }
            1 => self.facts.rotate_left(at),
            2 => host.say(statement(a, b, self.count)),
            3 => host.seconds += i64::from(b),
            4 => host.boot = a & 3,
            5 => self.facts.push(SegmentFact::placed("stranger", (a & 7).into(), Err(Error::Altered("x".into())))),
            6..10 if !self.facts.is_empty() => self.change(at, op, b, host),
            _ => {}
        }
    }

    fn change(&mut self, at: usize, op: u8, how: u8, host: &Host) {
        let SegmentFact { result: Ok(old), number, .. } = &self.facts[at] else { return };
        let (mut new, number) = (old.clone(), *number);
        match op % 10 {
            6 => new.digest = Digest([how; 32]),
            7 => new.header.signer = signer(how & 7).public(),
            8 => {
                let entry = host.entries.iter().rev().find(|entry| matches!(entry.kind, Kind::Recovered { .. }));
                let Some(entry) = entry else { return };
                new.trailer = TrailerKind::Recovered(entry.clone());
            }
            _ => {
                new.header.segment = (how & 7).into();
                new.keys_state = [KeysState::Ok, KeysState::Erased, KeysState::Altered][usize::from(how >> 3) % 3];
            }
        }
        let fact = SegmentFact::placed("copy", number, Ok(new));
        if how & 1 == 0 {
            self.facts[at] = fact
        } else {
            self.facts.push(fact)
        }
        (self.removed, self.forged) = (self.removed || how & 1 == 0, true);
    }
}

pub fn run(data: &[u8]) {
    let Some((first, steps)) = data.split_first() else { return };
    if steps.len() > 3 * 60 {
        return;
    }
    let count = first % 4 + 1;
    let mut host = Host::new();
    host.say(Kind::Start { session: fixed::session(0), signer: signer(0).public(), identity: Digest([1; 32]) });
    let start = host.entries[1].clone();
    let facts =
        (0..count).map(|n| SegmentFact::placed(format!("{n}"), n.into(), Ok(summary(n, count, &start)))).collect();
    let mut world = World { facts, count, removed: false, forged: false };
    if first & 0x80 != 0 {
        let end = Kind::End {
            session: fixed::session(0),
            segment: u32::from(count) - 1,
            digest: digest(count - 1),
            outcome: "exited".into(),
        };
        host.say(end);
    }
    steps.chunks(3).for_each(|step| world.step(&mut host, step));

    let lines: Vec<u8> = host.entries.iter().flat_map(|entry| entry.line.clone()).collect();
    let whole = Chain::from_objects(start.chain, [(None, &lines)]);
    assert_eq!(whole.entries.len(), host.entries.len(), "what was signed is believed: {:?}", whole.problems);
    // A chain that loses its first part, its last or all of it.
    let cut = usize::from(first >> 4 & 7) * lines.len() / 8;
    let (head, tail) = lines.split_at(cut);
    let of = |bytes: &[u8]| Chain::from_objects(start.chain, [(None, bytes)]);
    let now = fixed::time(host.seconds + 30);
    for chain in [Some(whole), Some(of(head)), Some(of(tail)), None] {
        assess(&world, chain.as_ref(), now);
    }
}

fn assess(world: &World, chain: Option<&Chain>, now: Timestamp) {
    let judgement = judge(fixed::session(0), &world.facts, chain, now);
    let said = judgement.verdict.to_string();
    assert!(!said.is_empty() && !said.chars().any(char::is_control));
    for fault in judgement.faults.iter().chain(&judgement.chain_faults) {
        assert!(!fault.to_string().is_empty() && !fault.word().is_empty());
    }
    assert!(judgement.parts.iter().all(|part| *part < world.facts.len()));
    let here = |number: u8| {
        world.facts.iter().any(|fact| {
            fact.number == u32::from(number)
                && fact.result.as_ref().is_ok_and(|summary| summary.digest == digest(number))
        })
    };
    if matches!(judgement.verdict, Verdict::Complete | Verdict::CompleteEndNotWitnessed) {
        let chainless = |fault: &Fault| fault.is_of_chain();
        assert!(judgement.faults.iter().all(chainless), "{judgement:?}");
        assert!(judgement.verdict != Verdict::Complete || judgement.faults.is_empty(), "VER-3: {judgement:?}");
        assert!(world.forged || (0..world.count).all(here), "complete without all of it: {judgement:?}");
        let ends = |chain: &Chain| {
            chain
                .entries
                .iter()
                .any(|entry| matches!(&entry.kind, Kind::End { session, .. } if *session == fixed::session(0)))
        };
        let (ended, complete) = (chain.is_some_and(ends), judgement.verdict == Verdict::Complete);
        assert!(ended || !complete, "{judgement:?}");
        // An end that contradicts what was signed before it counts for nothing, and is named.
        assert!(complete || !ended || !judgement.chain_faults.is_empty(), "{judgement:?}");
    }
    if judgement.ok() {
        assert!(judgement.faults.is_empty() && judgement.chain_faults.is_empty());
    }
    if !world.removed && chain.is_none() && world.facts.len() == usize::from(world.count) {
        assert_eq!(judgement.verdict, Verdict::CompleteEndNotWitnessed);
    }
}
