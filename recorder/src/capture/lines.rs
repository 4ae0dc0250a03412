//! Event lines of what a session is given: streams, bounded ones, input that masking let through.
//!
//! Not for when they are written: `session`.

use hansard_schemas::cast::{Code, Encoder, Gap, GapWhat, GapWhy};
use hansard_schemas::session::Streams;

use super::bounded::Bounded;
use super::masking::Release;

/// How much of each stream is recorded.
#[derive(Debug)]
pub(super) enum Bounds {
    /// A terminal: no limit.
    None,
    /// Pipes: each stream has one.
    Each(Box<[Bounded; 3]>),
}

/// Bytes of one stream.
pub(super) fn stream(
    encoder: &mut Encoder,
    lines: &mut Vec<u8>,
    streams: &mut Streams,
    code: Code,
    t_ms: u64,
    bytes: &[u8],
) {
    let (_, events) = encoder.stream_counted(lines, code, t_ms, bytes);
    if events > 0 {
        streams.add(code, events, bytes.len() as u64);
    }
}

/// What masking lets through, in its place.
pub(super) fn released(encoder: &mut Encoder, lines: &mut Vec<u8>, streams: &mut Streams, release: Vec<Release>) {
    for item in release {
        match item {
            Release::Input { time_ms, bytes } => stream(encoder, lines, streams, Code::Input, time_ms, &bytes),
            Release::Gap { from_ms, to_ms } => {
                let mut gap = Gap::new(GapWhat::Input, GapWhy::Masked);
                gap.from_ms = Some(from_ms);
                gap.to_ms = Some(to_ms);
                if let Ok(data) = gap.to_data() {
                    encoder.text(lines, Code::Gap, to_ms, &data);
                }
            }
        }
    }
}

/// The same, up to the stream's limit.
#[expect(
    clippy::too_many_arguments,
    reason = "borrows of the parts of one recorder, apart so that a closure can hold them"
)]
pub(super) fn bounded(
    bounds: &mut Bounds,
    index: usize,
    code: Code,
    what: GapWhat,
    t_ms: u64,
    bytes: &[u8],
    encoder: &mut Encoder,
    lines: &mut Vec<u8>,
    streams: &mut Streams,
) {
    let Bounds::Each(each) = bounds else {
        return stream(encoder, lines, streams, code, t_ms, bytes);
    };
    let (head, reached) = each[index].push(t_ms, bytes);
    if head > 0 {
        stream(encoder, lines, streams, code, t_ms, &bytes[..head]);
    }
    if reached {
        // Said at once: should the recorder be killed, the recording does not end as if nothing more had come.
        let mut gap = Gap::new(what, GapWhy::Bounded);
        gap.from_ms = Some(t_ms);
        gap.note = Some("the limit of this stream is reached".into());
        if let Ok(data) = gap.to_data() {
            encoder.text(lines, Code::Gap, t_ms, &data);
        }
    }
}
