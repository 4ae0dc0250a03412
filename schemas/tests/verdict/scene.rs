//! A host with its chain, sessions with real keys, and the store that holds what they made. Not for assertions.

use hansard_schemas::cast::{Code, Encoder};
use hansard_schemas::chain::{self, Chain, Entry, Head, Kind};
use hansard_schemas::ids::BootId;
use hansard_schemas::keys::{EpochSecret, KeysLine, Recipients, generate_identity};
use hansard_schemas::names::{ChainName, SegmentName};
use hansard_schemas::seal::SigningKey;
use hansard_schemas::segment::{Checker, HeaderSpec, SegmentWriter, scan_open};
use hansard_schemas::session::{Footer, Stop, StopOutcome, Streams};
use hansard_schemas::verdict::{Judgement, SegmentFact, Summary, judge};
use hansard_schemas::{ChainId, Digest, PublicKey, Result, SessionId, Timestamp};

pub const START_MS: i64 = 1_795_338_600_125;
pub const END_MARKER: [u8; 4] = [0xff; 4];

pub fn at(ms: i64) -> Timestamp {
    Timestamp::new(chrono::DateTime::from_timestamp_millis(ms).unwrap())
}

pub fn boot(number: u8) -> BootId {
    format!("6a1d6e3c-7d2f-4c3b-9d52-0c4b7f0f6a{number:02x}").parse().unwrap()
}

pub fn copy(key: &SigningKey) -> SigningKey {
    SigningKey::from_bytes(&key.to_bytes())
}

/// A host that keeps every key it ever had, as no true one does: attackers are made from it.
pub struct Host {
    pub entries: Vec<Entry>,
    pub keys: Vec<SigningKey>,
    pub now_ms: i64,
    pub boot: u8,
}

impl Host {
    pub fn new() -> Self {
        let (entry, key) = chain::genesis("host", None, 1000, at(START_MS), boot(1), SigningKey::generate()).unwrap();
        Self { entries: vec![entry], keys: vec![key], now_ms: START_MS, boot: 1 }
    }

    /// The same host, going another way from entry `seq` on.
    pub fn branch(&self, seq: usize) -> Self {
        let keys = self.keys[..=seq].iter().map(copy).collect();
        Self { entries: self.entries[..=seq].to_vec(), keys, now_ms: self.now_ms, boot: self.boot }
    }

    pub fn id(&self) -> ChainId {
        self.entries[0].chain
    }

    pub fn add(&mut self, kind: Kind) -> Entry {
        let (last, key) = (self.entries.last().unwrap(), copy(self.keys.last().unwrap()));
        let (entry, next) = chain::append(last, key, kind, at(self.now_ms), boot(self.boot)).unwrap();
        self.entries.push(entry.clone());
        self.keys.push(next);
        self.now_ms += 1_000;
        entry
    }

    pub fn checkpoint(&mut self, open: &[&Session]) -> Entry {
        let head = |session: &&Session| {
            let last = session.closed.last();
            Head { session: session.id, segment: last.map(|o| o.number), digest: last.map(|o| o.digest) }
        };
        self.now_ms += 60_000;
        self.add(Kind::Checkpoint { open: open.iter().map(head).collect(), part: None })
    }

    pub fn end(&mut self, session: &Session) -> Entry {
        let last = session.closed.last().unwrap();
        self.end_at(session, last.number, last.digest)
    }

    pub fn end_at(&mut self, session: &Session, segment: u32, digest: Digest) -> Entry {
        self.add(Kind::End { session: session.id, segment, digest, outcome: "exited".into() })
    }

    /// The chain object of entries `first ..= last`.
    pub fn object(&self, first: usize, last: usize) -> (Option<ChainName>, Vec<u8>) {
        let name = ChainName { chain: self.id(), first: first as u64, last: last as u64 };
        (Some(name), self.entries[first..=last].iter().flat_map(|entry| entry.line.clone()).collect())
    }

    pub fn objects(&self) -> Vec<(Option<ChainName>, Vec<u8>)> {
        vec![self.object(0, self.entries.len() - 1)]
    }
}

/// A segment as a store has it.
#[derive(Clone)]
pub struct Object {
    pub number: u32,
    pub digest: Digest,
    pub bytes: Vec<u8>,
}

/// A segment as a journal has it after a crash.
pub struct Open {
    pub number: u32,
    pub journal: Vec<u8>,
}

pub struct Session {
    pub id: SessionId,
    pub chain: ChainId,
    pub start: Entry,
    /// Of every segment, the next one's last.
    pub signers: Vec<SigningKey>,
    pub closed: Vec<Object>,
    /// Numbers of which nothing is stored.
    pub lost: u32,
    pub keys: KeysLine,
    epoch: [u8; 32],
    epochs: u32,
    index: u32,
    serial: u8,
}

fn epoch() -> ([u8; 32], KeysLine) {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(&*SigningKey::generate().to_bytes());
    let recipients = Recipients::parse_line(&generate_identity().1).unwrap();
    let keys = EpochSecret::from_bytes(&bytes).wrap(&recipients).unwrap();
    (bytes, keys)
}

impl Session {
    pub fn start(host: &mut Host, serial: u8) -> Self {
        let id = SessionId::new(u64::try_from(host.now_ms).unwrap(), &[serial; 10]);
        let signer = SigningKey::generate();
        let kind = Kind::Start { session: id, signer: signer.public(), identity: Digest([serial; 32]) };
        let start = host.add(kind);
        let (epoch, keys) = epoch();
        let (chain, signers) = (host.id(), vec![signer]);
        Self { id, chain, start, signers, closed: vec![], lost: 0, keys, epoch, epochs: 0, index: 0, serial }
    }

    /// Number of the next segment.
    pub fn number(&self) -> u32 {
        u32::try_from(self.closed.len()).unwrap() + self.lost
    }

    /// The session goes on with another recorder: a new signer, and a new epoch.
    pub fn go_on(&mut self) -> PublicKey {
        let signer = SigningKey::generate();
        let public = signer.public();
        self.signers.push(signer);
        (self.epoch, self.keys) = epoch();
        (self.epochs, self.index) = (self.epochs + 1, 0);
        public
    }

    /// Writes the next segment up to `blocks` blocks of lines, and leaves it open.
    fn write(&mut self, blocks: u8) -> (SegmentWriter, Vec<u8>) {
        let number = self.number();
        let secret = hansard_schemas::keys::SegmentSecret::derive(&EpochSecret::from_bytes(&self.epoch), self.index);
        let spec = HeaderSpec {
            session: self.id,
            segment: number,
            start: at(START_MS + 5_000 * i64::from(number)),
            offset_ms: 5_000 * u64::from(number),
            epoch: self.epochs,
            index: self.index,
            signer: self.signers.last().unwrap().public(),
            entry: (number == 0).then(|| String::from_utf8(self.start.line.clone()).unwrap().trim_end().into()),
        };
        self.index += 1;
        let (mut writer, mut bytes) = SegmentWriter::new(spec, &secret.unwrap(), &self.keys, 3).unwrap();
        let mut encoder = Encoder::at(0);
        for block in 0..blocks {
            let mut lines = Vec::new();
            encoder.text(&mut lines, Code::Resize, 0, "80x24");
            encoder.stream(&mut lines, Code::Output, 1, &[self.serial, block, b'x']);
            writer.seal(&lines, u64::from(number) * 10 + u64::from(block) + 1, &mut bytes).unwrap();
        }
        (writer, bytes)
    }

    /// A closed segment with the session's next number.
    pub fn segment(&mut self, last: bool) -> Object {
        let object = self.other(last);
        if !last {
            assert!(self.signers.len() >= self.closed.len() + 2);
        }
        self.closed.push(object.clone());
        object
    }

    /// The same, but kept out of the session: whoever has the signer's key can make another one of the number.
    pub fn other(&mut self, last: bool) -> Object {
        let number = self.number();
        let (writer, mut bytes) = self.write(2);
        let stop = Stop { outcome: StopOutcome::Exited, status: 0, signal: None, left_behind: vec![] };
        let streams = Streams::default();
        let footer = Footer { lines: writer.lines(), duration_ms: 1, streams, stop: last.then_some(stop) };
        let closed = writer.finish(&footer, &mut bytes).unwrap();
        let signer = copy(self.signers.last().unwrap());
        let next = (!last).then(SigningKey::generate);
        let prev = self.closed.last().map(|object| object.digest);
        let (line, digest) = closed.sign(prev, next.as_ref().map(SigningKey::public), last, signer).unwrap();
        self.signers.extend(next);
        bytes.extend(line);
        Object { number, digest, bytes }
    }

    /// The next segment as a crash leaves it: two whole blocks and a torn one.
    pub fn crash(&mut self) -> Open {
        let number = self.number();
        let mut journal = self.write(3).1;
        journal.truncate(journal.len() - 3);
        Open { number, journal }
    }

    /// The entry that recovers what a crash left.
    pub fn recovery(&self, open: &Open, continues: Option<PublicKey>) -> Kind {
        let scan = scan_open(&open.journal);
        let head = self.closed.iter().find(|object| object.number + 1 == open.number).map(|object| object.digest);
        Kind::Recovered {
            session: self.id,
            segment: open.number,
            blocks: scan.blocks,
            kept: scan.kept,
            head,
            reason: "the recorder had gone".into(),
            old_boot: boot(1),
            continues,
        }
    }

    /// The recovered segment: what is kept, the end marker, and the entry.
    pub fn recovered(open: &Open, entry: &Entry) -> Object {
        let mut bytes = open.journal[..scan_open(&open.journal).kept_len].to_vec();
        bytes.extend(END_MARKER);
        bytes.extend(&entry.line);
        let digest = summary(&bytes).unwrap().digest;
        Object { number: open.number, digest, bytes }
    }

    /// Makes the next segment use the secret of the one before again.
    pub fn rewind(&mut self) {
        self.index -= 1;
    }

    pub fn name(&self, object: &Object) -> SegmentName {
        SegmentName::new(&self.chain, self.id, object.number, &object.digest)
    }
}

pub fn summary(bytes: &[u8]) -> Result<Summary> {
    let mut checker = Checker::new();
    checker.push(bytes)?;
    checker.finish().map(|checked| Summary::from(&checked))
}

/// What a reviewer has.
#[derive(Clone)]
pub struct Store {
    pub id: ChainId,
    pub segments: Vec<(SegmentName, Vec<u8>)>,
    pub chain: Vec<(Option<ChainName>, Vec<u8>)>,
    pub now: Timestamp,
}

impl Store {
    /// All that the host and the sessions have made, looked at an hour later.
    pub fn of(host: &Host, sessions: &[&Session]) -> Self {
        let mut segments = Vec::new();
        for session in sessions {
            segments.extend(session.closed.iter().map(|object| (session.name(object), object.bytes.clone())));
        }
        Self { id: host.id(), segments, chain: host.objects(), now: at(host.now_ms + 3_600_000) }
    }

    pub fn add(&mut self, session: &Session, object: &Object) {
        self.segments.push((session.name(object), object.bytes.clone()));
    }

    pub fn remove(&mut self, session: &Session, number: u32) {
        self.segments.retain(|(name, _)| (name.session, name.number) != (session.id, number));
    }

    /// The bytes under the name of a segment.
    pub fn bytes(&mut self, session: &Session, number: u32) -> &mut Vec<u8> {
        let wanted = |name: &SegmentName| (name.session, name.number) == (session.id, number);
        &mut self.segments.iter_mut().find(|(name, _)| wanted(name)).unwrap().1
    }

    /// Takes away the entries from `seq` on.
    pub fn roll_back(&mut self, host: &Host, seq: usize) {
        self.chain = vec![host.object(0, seq - 1)];
    }

    pub fn chain(&self) -> Chain {
        Chain::from_objects(self.id, self.chain.iter().map(|(name, bytes)| (name.clone(), bytes)))
    }

    pub fn judge(&self, session: &Session) -> Judgement {
        let ours = self.segments.iter().filter(|(name, _)| name.session == session.id);
        let facts: Vec<_> = ours.map(|(name, bytes)| SegmentFact::named(name, summary(bytes))).collect();
        judge(session.id, &facts, Some(&self.chain()), self.now)
    }
}

/// Two sessions, one after the other, both ended; entries 0 genesis, 1 start, 2 and 3 checkpoints (none closed, then
/// segments to 1), 4 end (segment 3), 5 start, 6 end (segment 0), 7 close.
pub struct Scene {
    pub host: Host,
    pub a: Session,
    pub b: Session,
    pub store: Store,
}

pub fn scene() -> Scene {
    let mut host = Host::new();
    let mut a = Session::start(&mut host, 1);
    host.checkpoint(&[&a]);
    a.segment(false);
    a.segment(false);
    host.checkpoint(&[&a]);
    a.segment(false);
    a.segment(true);
    host.end(&a);
    let mut b = Session::start(&mut host, 2);
    b.segment(true);
    host.end(&b);
    host.add(Kind::Close);
    let store = Store::of(&host, &[&a, &b]);
    Scene { host, a, b, store }
}
