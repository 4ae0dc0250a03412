//! Segments from the format's text, each part of which can be bent before what depends on it is computed.

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use hansard_schemas::cast::{CastHeader, Term};
use hansard_schemas::chain::{self, Entry, Kind};
use hansard_schemas::segment::Header;
use hansard_schemas::session::{Claimed, Identity, Kernel, Kind as Capture};
use hansard_schemas::{ChainId, Digest, PublicKey};
use hmac::Mac as _;

use super::Fixed;
use super::fixed::{boot, epoch, session, signer, time};

pub const END: [u8; 4] = [0xff; 4];
pub const LINES: u8 = 0;
pub const FOOTER: u8 = 1;

/// Bends text; what it gives goes on.
pub type Bend<T> = Box<dyn Fn(T) -> T>;

fn as_is<T: 'static>() -> Bend<T> {
    Box::new(|value| value)
}

/// One block before it is sealed.
#[derive(Clone)]
pub struct Plain {
    pub position: u64,
    pub kind: u8,
    pub data: Vec<u8>,
    pub last: bool,
}

/// A segment before it is put together.
pub struct Raw {
    pub number: u32,
    pub epoch: u8,
    pub index: u32,
    pub keys: Vec<u8>,
    /// What `signer(n)` signs it; segment 0 is announced by the start entry, the others by the one before.
    pub signer: u8,
    pub next: Option<u8>,
    pub prev: Option<Digest>,
    pub last: bool,
    pub offset_ms: u64,
    pub blocks: Vec<Plain>,
    pub lines: u64,
    /// The header line without its line feed, before its hash is taken.
    pub bend_header: Bend<String>,
    /// The keys line after the header has named it.
    pub bend_keys: Bend<Vec<u8>>,
    /// One frame, with its number, before the signature.
    pub bend_frame: Box<dyn Fn(usize, Vec<u8>) -> Vec<u8>>,
    /// The trailer line up to the signature.
    pub bend_trailer: Bend<String>,
    /// The trailer line after the signature, with its line feed.
    pub bend_signed: Bend<String>,
}

/// The segment's parts as they came out.
pub struct Built {
    pub header: Vec<u8>,
    pub keys: Vec<u8>,
    pub frames: Vec<Vec<u8>>,
    pub trailer: Vec<u8>,
    pub digest: Digest,
}

impl Built {
    pub fn open(&self) -> Vec<u8> {
        [&self.header[..], &self.keys, &self.frames.concat()].concat()
    }

    pub fn bytes(&self) -> Vec<u8> {
        [&self.open()[..], &END, &self.trailer].concat()
    }

    /// SHA-256 of header and the first `blocks` frames.
    pub fn kept(&self, blocks: usize) -> Digest {
        Digest::of(&[&self.header[..], &self.frames[..blocks].concat()].concat())
    }
}

pub fn hmac(key: &[u8; 32], label: &str) -> [u8; 32] {
    let mut mac = <hmac::Hmac<sha2::Sha256> as hmac::Mac>::new_from_slice(key).unwrap();
    mac.update(label.as_bytes());
    mac.finalize().into_bytes().into()
}

/// S_i.
pub fn segment_secret(epoch_number: u8, index: u32) -> [u8; 32] {
    let mut secret = epoch(epoch_number);
    for _ in 0..index {
        secret = hmac(&secret, "hansard/1 next");
    }
    hmac(&secret, "hansard/1 segment")
}

/// One zstd frame, flushed after each of the texts and ended after the last.
pub fn frame(texts: &[&[u8]]) -> Vec<Vec<u8>> {
    unended(texts, true)
}

pub fn unended(texts: &[&[u8]], end: bool) -> Vec<Vec<u8>> {
    use std::io::Write as _;
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
    let mut pieces = Vec::new();
    for (n, text) in texts.iter().enumerate() {
        encoder.write_all(text).unwrap();
        if end && n + 1 == texts.len() {
            encoder.do_finish().unwrap();
        } else {
            encoder.flush().unwrap();
        }
        pieces.push(std::mem::take(encoder.get_mut()));
    }
    pieces
}

/// The header line of the recording, and the digest of its identity object.
pub fn cast_header() -> (Vec<u8>, Digest) {
    let hansard = Identity {
        session: session(),
        started: time(0),
        host: "vector".into(),
        kind: Capture::Interactive,
        kernel: Kernel {
            uid: 1000,
            gid: 1000,
            groups: vec![1000],
            login_uid: None,
            ppid: 1,
            parent: None,
            tty: Some("/dev/pts/0".into()),
            hostname: "vector".into(),
            machine: None,
            boot: boot(),
            user: Some("zoë".into()),
            origin: None,
        },
        claimed: Claimed {
            command: vec!["sh".into()],
            cwd: "/".into(),
            env: [("LANG".into(), "C.UTF-8".into())].into(),
            labels: Default::default(),
            reason: None,
            ssh_connection: None,
            ssh_user_auth: None,
            ssh_key: None,
        },
    };
    let term = Term { cols: 80, rows: 24, kind: Some("xterm".into()) };
    CastHeader { term, timestamp: 1_795_339_800, command: None, hansard }.to_line().unwrap()
}

/// Genesis and start of the session whose segment 0 `signer(first)` signs; the next key is `signer(92)`.
pub fn chain(first: u8) -> [Entry; 2] {
    let key = signer(90).public();
    let genesis = format!(
        r#"{{"hansard":1,"kind":"genesis","chain":"{}","seq":0,"prev":null,"time":"{}","boot":"{}","next":"{}","key":"{key}","host":"vector","machine":null,"uid":1000,"#,
        ChainId::of(&key),
        time(0),
        boot(),
        signer(91).public(),
    );
    let signature = signer(90).sign(&[&b"hansard/1 chain\0"[..], &Digest::of(genesis.as_bytes()).0].concat());
    let genesis = format!("{genesis}\"sig\":\"{}\"}}\n", hex::encode(signature));
    let genesis = Entry::parse(genesis.as_bytes()).unwrap();
    let start = Kind::Start { session: session(), signer: signer(first).public(), identity: cast_header().1 };
    let start = chain::append_with(&genesis, &signer(91), start, time(0), boot(), signer(92).public()).unwrap();
    [genesis, start]
}

/// The `recovered` entry of a segment, right after the start entry.
pub fn recovered(raw: &Raw, blocks: usize, kept: Digest, continues: Option<u8>) -> Entry {
    let [_, start] = chain(1);
    let kind = Kind::Recovered {
        session: session(),
        segment: raw.number,
        blocks: blocks as u64,
        kept: Some(kept),
        head: raw.prev,
        reason: "the recorder was gone".into(),
        old_boot: boot(),
        continues: continues.map(|n| signer(n).public()),
    };
    chain::append_with(&start, &signer(92), kind, time(9), boot(), signer(93).public()).unwrap()
}

impl Raw {
    /// Segment 0 and last, one block of lines for each text and a footer that fits `stop` and `o` counts given.
    pub fn first(fixed: &Fixed, texts: &[&[u8]], footer: &str) -> Self {
        let header = cast_header().0;
        let lines: u64 = texts.iter().map(|text| memchr::memchr_iter(b'\n', text).count() as u64).sum();
        let joined: Vec<Vec<u8>> = texts
            .iter()
            .enumerate()
            .map(|(n, text)| if n == 0 { [&header[..], text].concat() } else { text.to_vec() })
            .collect();
        let texts: Vec<&[u8]> = joined.iter().map(Vec::as_slice).collect();
        Self::of(fixed, &frame(&texts), lines + 1, footer)
    }

    /// Segment `number`, after one with this digest.
    pub fn later(fixed: &Fixed, number: u32, prev: Digest, texts: &[&[u8]], footer: &str) -> Self {
        let lines: u64 = texts.iter().map(|text| memchr::memchr_iter(b'\n', text).count() as u64).sum();
        let raw = Self::of(fixed, &frame(texts), lines, footer);
        Self { number, index: number, prev: Some(prev), signer: number as u8 + 1, ..raw }
    }

    fn of(fixed: &Fixed, pieces: &[Vec<u8>], lines: u64, footer: &str) -> Self {
        let mut blocks: Vec<Plain> = Vec::new();
        for (n, piece) in pieces.iter().enumerate() {
            blocks.push(Plain { position: n as u64 + 1, kind: LINES, data: piece.clone(), last: false });
        }
        let footer = footer.replace("LINES", &lines.to_string());
        let position = blocks.len() as u64;
        blocks.push(Plain { position, kind: FOOTER, data: footer.into_bytes(), last: true });
        Self {
            number: 0,
            epoch: 0,
            index: 0,
            keys: fixed.keys[0].clone(),
            signer: 1,
            next: None,
            prev: None,
            last: true,
            offset_ms: 0,
            blocks,
            lines,
            bend_header: as_is(),
            bend_keys: as_is(),
            bend_frame: Box::new(|_, frame| frame),
            bend_trailer: as_is(),
            bend_signed: as_is(),
        }
    }

    pub fn build(&self) -> Built {
        let secret = segment_secret(self.epoch, self.index);
        let entry = (self.number == 0).then(|| String::from_utf8(chain(1)[1].line.clone()).unwrap());
        let header = Header {
            hansard: 1,
            session: session(),
            segment: self.number,
            start: time(self.number),
            offset_ms: self.offset_ms,
            suite: "zstd+A256GCM".into(),
            epoch: self.epoch.into(),
            index: self.index,
            commit: Digest(hmac(&secret, "hansard/1 commit")),
            keys: Digest::of(&self.keys),
            signer: signer(self.signer).public(),
            entry: entry.map(|line| line.trim_end().to_owned()),
        };
        let header = (self.bend_header)(serde_json::to_string(&header).unwrap()) + "\n";
        let header_digest = Digest::of(header.as_bytes());
        let cipher = aes_gcm::Aes256Gcm::new(&hmac(&secret, "hansard/1 aes256gcm").into());
        let frames: Vec<Vec<u8>> = self
            .blocks
            .iter()
            .enumerate()
            .map(|(n, plain)| {
                let mut nonce = [0; 12];
                nonce[3..11].copy_from_slice(&(n as u64).to_be_bytes());
                nonce[11] = plain.last.into();
                let aad = [&header_digest.0[..], &plain.position.to_le_bytes()].concat();
                let msg = [&[plain.kind][..], &plain.data].concat();
                let sealed = cipher.encrypt(&nonce.into(), Payload { msg: &msg, aad: &aad }).unwrap();
                (self.bend_frame)(n, framed(plain.position, &sealed))
            })
            .collect();
        let next: Option<PublicKey> = self.next.map(|n| signer(n).public());
        let hex = |value: Option<String>| value.map_or("null".into(), |text| format!("\"{text}\""));
        let trailer = format!(
            r#"{{"blocks":{},"lines":{},"prev":{},"next":{},"last":{},"#,
            frames.len(),
            self.lines,
            hex(self.prev.map(|d| d.to_string())),
            hex(next.map(|k| k.to_string())),
            self.last
        );
        let trailer = (self.bend_trailer)(trailer);
        let signed = [header.as_bytes(), &frames.concat(), &END].concat();
        let digest = Digest::of(&[&signed[..], trailer.as_bytes()].concat());
        let signature = signer(self.signer).sign(&[&b"hansard/1 segment\0"[..], &digest.0].concat());
        let trailer = (self.bend_signed)(format!("{trailer}\"sig\":\"{}\"}}\n", hex::encode(signature)));
        let digest = Digest::of(&[&signed[..], trailer.as_bytes()].concat());
        let keys = (self.bend_keys)(self.keys.clone());
        Built { header: header.into_bytes(), keys, frames, trailer: trailer.into_bytes(), digest }
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.build().bytes()
    }
}

/// Length, position, sealed bytes, CRC.
pub fn framed(position: u64, sealed: &[u8]) -> Vec<u8> {
    let mut frame = (sealed.len() as u32).to_le_bytes().to_vec();
    frame.extend(position.to_le_bytes());
    frame.extend(sealed);
    frame.extend(crc32c::crc32c(&frame).to_le_bytes());
    frame
}
