//! Event lines of what a session is given: streams, what is said of bounded ones, input that masking let through.
//!
//! Not for when they are written: `session`.

use hansard_schemas::Digest;
use hansard_schemas::cast::{Code, Encoder, Gap, GapWhat, GapWhy};
use hansard_schemas::session::Streams;
use hansard_tee::{Pipe, Rest};

use super::masking::Release;

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

/// What is known of a pipe that is over its limit, before its tee says what it came to.
pub(super) struct Over {
    /// Of all its bytes, at the last word.
    pub(super) total: u64,
    /// Event time at which the limit was reached.
    pub(super) from_ms: u64,
}

/// A pipe's place among the three, and how it is called in lines and gaps.
pub(super) fn of_pipe(pipe: Pipe) -> (usize, Code, GapWhat) {
    match pipe {
        Pipe::Output => (0, Code::Output, GapWhat::Output),
        Pipe::Error => (1, Code::Error, GapWhat::Error),
        Pipe::Input => (2, Code::Input, GapWhat::Input),
    }
}

/// The limit of a pipe is reached. Said at once: should the recorder or its tee be killed, the recording does not end as if
/// nothing more had come.
pub(super) fn limit_reached(what: GapWhat, t_ms: u64) -> Gap {
    let mut gap = Gap::new(what, GapWhy::Bounded);
    gap.from_ms = Some(t_ms);
    gap.note = Some("the limit of this stream is reached".into());
    gap
}

/// What is missing of a pipe; `rest` where its tee said so at the end.
pub(super) fn over_limit(what: GapWhat, from_ms: u64, to_ms: u64, rest: Result<&Rest<'_>, u64>) -> Gap {
    let mut gap = Gap::new(what, GapWhy::Bounded);
    (gap.from_ms, gap.to_ms) = (Some(from_ms), Some(to_ms));
    match rest {
        Ok(rest) => (gap.bytes, gap.sha256) = (Some(rest.missing), Some(Digest(rest.sha256))),
        Err(total) => {
            gap.note = Some(format!("the end of this stream is not known; at least {total} bytes of it came"));
        }
    }
    gap
}
