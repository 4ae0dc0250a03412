//! Sessions of given events, as a recorder would have recorded them: of any size, in as many segments as are given.

use hansard_schemas::SessionId;
use hansard_schemas::cast::{CastHeader, Code, Encoder};
use hansard_schemas::chain::Kind;
use hansard_schemas::keys::{EpochSecret, Recipients};
use hansard_schemas::seal::SigningKey;
use hansard_schemas::segment::{Compression, HeaderSpec, SegmentWriter};
use hansard_schemas::session::{Footer, Kind as Captured, Stop, StopOutcome, StreamCount, Streams};

use crate::store::{Host, Session, Stored, World, header, time};

/// Raw bytes of a block, about.
const BLOCK: usize = 128 << 10;

/// An event: its time in milliseconds, what it is, its bytes.
pub type Event = (u64, Code, Vec<u8>);

/// Output at an event time.
pub fn output(at_ms: u64, raw: impl AsRef<[u8]>) -> Event {
    (at_ms, Code::Output, raw.as_ref().to_vec())
}

/// Records, ends and saves a session; the chain is the caller's to save.
pub fn record(world: &World, host: &mut Host, size: (u16, u16), kind: Captured, segments: &[Vec<Event>]) -> Session {
    record_as(world, host, segments, |cast| {
        (cast.term.cols, cast.term.rows) = size;
        cast.hansard.kind = kind;
    })
}

/// The same, of whom and what `edit` makes it.
pub fn record_as(
    world: &World,
    host: &mut Host,
    segments: &[Vec<Event>],
    edit: impl FnOnce(&mut CastHeader),
) -> Session {
    let plan = host.plan(world, segments.len());
    let mut random = [0; 10];
    random.copy_from_slice(&SigningKey::generate().to_bytes()[..10]);
    let id = SessionId::new(plan.at_ms, &random);
    let mut cast = header(id, &host.name, &plan);
    edit(&mut cast);
    let size = (cast.term.cols, cast.term.rows);
    let (line, identity) = cast.to_line().unwrap();
    let mut signer = SigningKey::generate();
    let start = host.append(Kind::Start { session: id, signer: signer.public(), identity });
    let mut epoch = EpochSecret::generate();
    let keys = epoch.wrap(&Recipients::parse_line(&world.recipient).unwrap()).unwrap();
    let mut encoder = Encoder::new();
    let (mut stored, mut position): (Vec<Stored>, u64) = (Vec::new(), 0);
    for (number, events) in segments.iter().enumerate() {
        let last = number + 1 == segments.len();
        let (secret, advanced) = epoch.advance();
        epoch = advanced;
        let spec = HeaderSpec {
            session: id,
            segment: u32::try_from(number).unwrap(),
            start: time(plan.at_ms + encoder.offset_ms()),
            offset_ms: encoder.offset_ms(),
            epoch: 0,
            index: u32::try_from(number).unwrap(),
            signer: signer.public(),
            entry: (number == 0).then(|| String::from_utf8(start.line.clone()).unwrap().trim_end().to_owned()),
        };
        let began_ms = encoder.offset_ms();
        // As a recorder compresses.
        let how = Compression { bulk: true, ..Compression::default() };
        let (mut writer, mut bytes) = SegmentWriter::new(spec, &secret, &keys, how).unwrap();
        let mut lines = Vec::new();
        match number {
            0 => lines.extend_from_slice(&line),
            _ => drop(encoder.text(&mut lines, Code::Resize, began_ms, &format!("{}x{}", size.0, size.1))),
        }
        let mut counts = [None; 3];
        for (at_ms, code, raw) in events {
            let at = match code {
                Code::Output => 0,
                Code::Error => 1,
                Code::Input => 2,
                _ => {
                    encoder.text(&mut lines, *code, *at_ms, std::str::from_utf8(raw).unwrap());
                    continue;
                }
            };
            let (_, written) = encoder.stream_counted(&mut lines, *code, *at_ms, raw);
            let count = counts[at].get_or_insert(StreamCount { events: 0, bytes: 0 });
            count.events += written;
            count.bytes += raw.len() as u64;
            if lines.len() > BLOCK {
                position += 1;
                writer.seal(&lines, position, &mut bytes).unwrap();
                lines.clear();
            }
        }
        if last {
            encoder.text(&mut lines, Code::Exit, encoder.offset_ms(), "0");
        }
        if !lines.is_empty() {
            position += 1;
            writer.seal(&lines, position, &mut bytes).unwrap();
        }
        let stop = Stop { outcome: StopOutcome::Exited, status: 0, signal: None, left_behind: Vec::new() };
        let [o, e, i] = counts;
        let footer = Footer {
            lines: writer.lines(),
            duration_ms: encoder.offset_ms() - began_ms,
            streams: Streams { o, e, i },
            stop: last.then_some(stop),
        };
        let closed = writer.finish(&footer, &mut bytes).unwrap();
        let following = SigningKey::generate();
        let prev = stored.last().map(|segment| segment.digest);
        let (trailer, digest) = closed.sign(prev, (!last).then(|| following.public()), last, signer).unwrap();
        stored.push(Stored { bytes: [bytes, trailer].concat(), digest });
        signer = following;
    }
    let session = Session { id, chain: host.id(), segments: stored };
    host.end(&session);
    session.save(world);
    session
}
