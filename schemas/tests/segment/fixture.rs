//! A session with two segments, made with fresh keys; parts of it can be bent before they are sealed.

use hansard_schemas::cast::{CastHeader, Code, Encoder, Term};
use hansard_schemas::chain::{self, Entry, Kind};
use hansard_schemas::ids::BootId;
use hansard_schemas::keys::{EpochSecret, Identities, KeysLine, Recipients, SecretCache, SegmentSecret};
use hansard_schemas::seal::SigningKey;
use hansard_schemas::segment::{Checked, Checker, Closed, EventReader, HeaderSpec, SegmentWriter, secret};
use hansard_schemas::session::{Claimed, Footer, Identity, Kernel, Kind as Capture, Stop, StopOutcome, Streams};
use hansard_schemas::{Digest, Error, PublicKey, Result, SessionId, Timestamp};

pub const BOOT: &str = "6a1d6e3c-7d2f-4c3b-9d52-0c4b7f0f6a11";

pub fn time() -> Timestamp {
    "2026-11-22T09:30:00.125Z".parse().unwrap()
}

pub fn boot() -> BootId {
    BOOT.parse().unwrap()
}

/// A session about to write, with its keys.
pub struct Session {
    pub id: SessionId,
    pub identities: Identities,
    pub keys: KeysLine,
    pub epoch: EpochSecret,
    pub start: Entry,
    pub chain_key: SigningKey,
    pub signer: SigningKey,
    pub header: Vec<u8>,
}

pub fn session() -> Session {
    let (identity, recipient) = hansard_schemas::keys::generate_identity();
    let identities = Identities::parse(&identity).unwrap();
    let epoch = EpochSecret::generate();
    let keys = epoch.wrap(&Recipients::parse_line(&recipient).unwrap()).unwrap();
    let id = SessionId::new(1_795_338_600_125, &[7; 10]);
    let (header, digest) = cast_header(id);
    let (genesis, key) = chain::genesis("host", None, 1000, time(), boot(), SigningKey::generate()).unwrap();
    let signer = SigningKey::generate();
    let kind = Kind::Start { session: id, signer: signer.public(), identity: digest };
    let (start, chain_key) = chain::append(&genesis, key, kind, time(), boot()).unwrap();
    Session { id, identities, keys, epoch, start, chain_key, signer, header }
}

fn cast_header(session: SessionId) -> (Vec<u8>, Digest) {
    let hansard = Identity {
        session,
        started: time(),
        host: "host".into(),
        kind: Capture::Interactive,
        kernel: Kernel {
            uid: 1000,
            gid: 1000,
            groups: vec![],
            login_uid: None,
            ppid: 1,
            parent: None,
            tty: None,
            hostname: "host".into(),
            machine: None,
            boot: boot(),
            user: None,
            origin: None,
        },
        claimed: Claimed {
            command: vec!["sh".into()],
            cwd: "/".into(),
            env: Default::default(),
            labels: Default::default(),
            reason: None,
            ssh_connection: None,
            ssh_user_auth: None,
            ssh_key: None,
        },
    };
    let term = Term { cols: 80, rows: 24, kind: None };
    let header = CastHeader { term, timestamp: 1_795_338_600, command: None, hansard };
    header.to_line().unwrap()
}

impl Session {
    /// Takes the key that signs segment 0; another stands in its place.
    pub fn take_signer(&mut self) -> SigningKey {
        std::mem::replace(&mut self.signer, SigningKey::generate())
    }

    pub fn spec(&self, segment: u32, offset_ms: u64, index: u32, signer: PublicKey) -> HeaderSpec {
        let entry = (segment == 0).then(|| String::from_utf8(self.start.line.clone()).unwrap().trim_end().to_owned());
        HeaderSpec { session: self.id, segment, start: time(), offset_ms, epoch: 0, index, signer, entry }
    }

    pub fn secret(&self, index: u32) -> SegmentSecret {
        SegmentSecret::derive(&self.epoch, index).unwrap()
    }

    /// Opens segment 0 and seals its header line and one block for each chunk.
    pub fn first(&self, chunks: &[&[u8]]) -> Written {
        let spec = self.spec(0, 0, 0, self.signer.public());
        let (writer, bytes) = SegmentWriter::new(spec, &self.secret(0), &self.keys, 3).unwrap();
        let mut written = Written { writer, bytes, encoder: Encoder::new(), streams: Streams::default(), offset_ms: 0 };
        let mut lines = self.header.clone();
        written.encoder.text(&mut lines, Code::Marker, 0, "begin");
        written.writer.seal(&lines, 1, &mut written.bytes).unwrap();
        written.chunks(chunks);
        written
    }

    pub fn later(&self, segment: u32, index: u32, offset_ms: u64, signer: &SigningKey, chunks: &[&[u8]]) -> Written {
        let spec = self.spec(segment, offset_ms, index, signer.public());
        let (writer, bytes) = SegmentWriter::new(spec, &self.secret(index), &self.keys, 3).unwrap();
        let encoder = Encoder::at(offset_ms);
        let mut written = Written { writer, bytes, encoder, streams: Streams::default(), offset_ms };
        let mut lines = Vec::new();
        written.encoder.text(&mut lines, Code::Resize, offset_ms, "80x24");
        written.writer.seal(&lines, 1000, &mut written.bytes).unwrap();
        written.chunks(chunks);
        written
    }

    /// The raw output that a checked segment holds.
    pub fn output(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        let checked = check(bytes)?;
        if let Some(fault) = checked.keys_fault() {
            return Err(fault);
        }
        let secret = secret(&checked.header, &checked.keys, &self.identities, &mut SecretCache::default())?;
        output(bytes, &secret)
    }
}

/// An open segment and what it has given out.
pub struct Written {
    pub writer: SegmentWriter,
    pub bytes: Vec<u8>,
    pub encoder: Encoder,
    pub streams: Streams,
    pub offset_ms: u64,
}

impl Written {
    pub fn chunks(&mut self, chunks: &[&[u8]]) {
        for chunk in chunks {
            let mut lines = Vec::new();
            for raw in chunk.chunks(hansard_schemas::limits::EVENT_RAW) {
                let at = self.encoder.offset_ms() + 5;
                self.encoder.stream(&mut lines, Code::Output, at, raw);
                self.streams.add(Code::Output, 1, raw.len() as u64);
            }
            let position = self.writer.position() + 1;
            self.writer.seal(&lines, position, &mut self.bytes).unwrap();
        }
    }

    pub fn footer(&self, last: bool) -> Footer {
        let stop = last.then(|| Stop { outcome: StopOutcome::Exited, status: 0, signal: None, left_behind: vec![] });
        let duration_ms = self.encoder.offset_ms() - self.offset_ms;
        Footer { lines: self.writer.lines(), duration_ms, streams: self.streams, stop }
    }

    pub fn finish(mut self, last: bool) -> (Vec<u8>, Closed) {
        let footer = self.footer(last);
        let closed = self.writer.finish(&footer, &mut self.bytes).unwrap();
        (self.bytes, closed)
    }
}

/// A whole session of one segment.
pub fn single(session: &mut Session, chunks: &[&[u8]]) -> Vec<u8> {
    let (mut bytes, closed) = session.first(chunks).finish(true);
    bytes.extend(closed.sign(None, None, true, session.take_signer()).unwrap().0);
    bytes
}

pub fn check(bytes: &[u8]) -> Result<Checked> {
    let mut checker = Checker::new();
    checker.push(bytes)?;
    checker.finish()
}

pub fn output(bytes: &[u8], secret: &SegmentSecret) -> Result<Vec<u8>> {
    let mut reader = EventReader::new(bytes, secret)?;
    let mut raw = Vec::new();
    while let Some(batch) = reader.next_batch()? {
        for event in batch.events {
            if let hansard_schemas::cast::EventData::Bytes(bytes) = event.data {
                raw.extend(bytes);
            }
        }
    }
    Ok(raw)
}

/// The word of section 13 for what reading gave.
pub fn outcome<T>(result: &Result<T, Error>) -> &'static str {
    result.as_ref().map_or_else(|error| error.outcome().as_str(), |_| "ok")
}
