//! What an attacker with a recipient's public key can make: a segment that is sealed and signed as it should be around
//! content that is not. So the layers behind the cipher are reached: kinds, zstd, event lines, footer.
//!
//! Input: a byte of flags, then blocks, parted by the byte 0x1e.

use hansard_schemas::cast::{Event, LineReader};
use hansard_schemas::error::{Error, Outcome};
use hansard_schemas::seal::Sealer;
use hansard_schemas::segment::{Checker, EventReader, Header, SegmentWriter};
use hansard_schemas::session::Footer;
use hansard_schemas::{Digest, Result, limits};

use crate::fixed;

const PARTING: u8 = 0x1e;
const TAG: usize = 16;

pub fn run(data: &[u8]) {
    let Some((flags, rest)) = data.split_first() else { return };
    let first = flags & 1 == 1;
    let blocks: Vec<&[u8]> = rest.split(|byte| *byte == PARTING).collect();
    if flags & 2 == 0 {
        lines(first, &blocks);
    } else {
        raw(first, &blocks, flags & 4 == 4);
    }
}

/// The blocks are event lines: what the line reader alone says of them, a reader of the sealed segment says too.
fn lines(first: bool, blocks: &[&[u8]]) {
    let blocks: Vec<Vec<u8>> = blocks.iter().filter(|b| !b.is_empty()).map(|b| [b, &b"\n"[..]].concat()).collect();
    let (alone, footer) = read_alone(first, &blocks);
    let Ok(bytes) = write(first, &blocks, &footer) else { return };
    let mut checker = Checker::new();
    checker.push(&bytes).expect("a written segment checks");
    checker.finish().expect("a written segment checks");
    let sealed = read(&bytes);
    match (alone, sealed) {
        (Ok(alone), Ok(sealed)) => assert_eq!(alone, sealed),
        // What the header line says must also agree with the start entry, which is looked at before the lines after it.
        (Err(alone), Err(sealed)) => {
            assert!(
                [alone.outcome(), Outcome::Altered].contains(&sealed.outcome()),
                "{alone}; behind the seal: {sealed}"
            );
        }
        (Ok(_), Err(error)) => assert_eq!(error.outcome(), Outcome::Altered, "{error}"),
        (Err(error), Ok(_)) => panic!("accepted behind the seal only: {error}"),
    }
}

fn read_alone(first: bool, blocks: &[Vec<u8>]) -> (Result<Vec<Event>>, Footer) {
    let offset_ms = fixed::header(first).offset_ms;
    let mut reader = LineReader::new(first, offset_ms);
    let mut events = Ok(Vec::new());
    for block in blocks {
        match (&mut events, reader.push(block)) {
            (Ok(events), Ok(more)) => events.extend(more),
            (_, Err(error)) => {
                events = Err(error);
                break;
            }
            (Err(_), Ok(_)) => {}
        }
    }
    let lines = blocks.iter().flatten().filter(|byte| **byte == b'\n').count() as u64;
    let footer = Footer { lines, duration_ms: reader.time_ms() - offset_ms, streams: reader.counts(), stop: None };
    (events, footer)
}

fn write(first: bool, blocks: &[Vec<u8>], footer: &Footer) -> Result<Vec<u8>> {
    let (mut writer, mut bytes) = SegmentWriter::new(fixed::header(first), &fixed::secret(0), &fixed::KEYS, 1)?;
    for (position, block) in (1..).zip(blocks) {
        writer.seal(block, position, &mut bytes)?;
    }
    let closed = writer.finish(footer, &mut bytes)?;
    let (trailer, _) = closed.sign(fixed::prev(first), Some(fixed::key(2).public()), false, fixed::key(1))?;
    bytes.extend(trailer);
    Ok(bytes)
}

fn read(bytes: &[u8]) -> Result<Vec<Event>> {
    let mut reader = EventReader::new(bytes, &fixed::secret(0))?;
    let mut events = Vec::new();
    while let Some(batch) = reader.next_batch()? {
        assert!(batch.events.len() as u64 <= limits::BLOCK_LINES as u64);
        events.extend(batch.events);
    }
    Ok(events)
}

/// The blocks are plaintext as it stands: kind, and bytes of a zstd frame or a footer.
fn raw(first: bool, blocks: &[&[u8]], compress: bool) {
    let Ok((_, begin)) = SegmentWriter::new(fixed::header(first), &fixed::secret(0), &fixed::KEYS, 1) else { return };
    let end = begin.iter().position(|byte| *byte == b'\n').expect("a header line") + 1;
    let mut bytes = begin;
    let mut sealer = Sealer::new(&fixed::block_key(), Digest::of(&bytes[..end]));
    let framed = bytes.len();
    let plain: Vec<Vec<u8>> = blocks.iter().filter(|b| !b.is_empty()).map(|block| plain(block, compress)).collect();
    for (at, mut block) in plain.iter().cloned().enumerate() {
        if block.len() + TAG > limits::SEALED_MAX as usize {
            return;
        }
        let position = at as u64;
        let tag = sealer.seal(&mut block, position, at + 1 == plain.len()).expect("a block is sealed");
        block.extend(tag);
        let from = bytes.len();
        bytes.extend((block.len() as u32).to_le_bytes());
        bytes.extend(position.to_le_bytes());
        bytes.extend(block);
        let crc = crc32c::crc32c(&bytes[from..]);
        bytes.extend(crc.to_le_bytes());
    }
    bytes.extend(u32::MAX.to_le_bytes());
    let trailer = trailer(&bytes, end, framed, plain.len(), first);
    bytes.extend(trailer);
    let mut checker = Checker::new();
    let checked = checker.push(&bytes).and_then(|()| checker.finish());
    if let Err(error) = checked {
        assert!(plain.is_empty() || !matches!(error, Error::BadSignature { .. }), "{error}");
    }
    let _ = read(&bytes);
}

/// One block of plaintext; with `compress` its data becomes a whole zstd frame first.
fn plain(block: &[u8], compress: bool) -> Vec<u8> {
    match block {
        [0, data @ ..] if compress => {
            let mut made = vec![0];
            made.extend(zstd::bulk::compress(data, 1).expect("compresses"));
            made
        }
        _ => block.to_vec(),
    }
}

fn trailer(bytes: &[u8], header: usize, framed: usize, blocks: usize, first: bool) -> Vec<u8> {
    let header_line: Header = Header::parse(&bytes[..header]).expect("its own header");
    let prev = fixed::prev(first).map_or("null".into(), |digest| format!("\"{digest}\""));
    let next = fixed::key(2).public();
    let unsigned = format!("{{\"blocks\":{blocks},\"lines\":1,\"prev\":{prev},\"next\":\"{next}\",\"last\":false,");
    let signed = Digest::of(&[&bytes[..header], &bytes[framed..], unsigned.as_bytes()].concat());
    let signature = fixed::key(1).sign(&[b"hansard/1 segment\0", &signed.0[..]].concat());
    assert_eq!(header_line.signer, fixed::key(1).public());
    let hex: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{unsigned}\"sig\":\"{hex}\"}}\n").into_bytes()
}
