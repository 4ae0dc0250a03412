//! Decompression of one segment's zstd frame, block by block, within the limits (BLK-2, LIM-1, LIM-3, LIM-9).
//!
//! Only bytes whose tag was checked come here; they may still be hostile, since a recorder may be.

use std::ops::RangeInclusive;

use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

use crate::error::{Error, Result};
use crate::limits;

/// How every zstd frame begins; legacy and skippable frames begin otherwise, and are not ours.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// How zstd says that a frame's window is over the limit.
const WINDOW: &str = "Frame requires too much memory";
/// Bounds of the first guess at a block's length: a keystroke's line, and what text of the terminal mostly takes.
const STEP: RangeInclusive<usize> = 512..=64 << 10;
/// How much longer text mostly is than what it was compressed to.
const RATIO: usize = 8;

pub(super) struct Inflate {
    decoder: Decoder<'static>,
    /// Bytes of the frame's magic number met so far.
    magic: usize,
    ended: bool,
    /// Bytes given out of the whole segment.
    total: u64,
}

impl Inflate {
    pub fn new() -> Result<Self> {
        let broken = |e: std::io::Error| Error::BadBlock { block: 0, why: format!("zstd: {e}") };
        let mut decoder = Decoder::new().map_err(broken)?;
        decoder.set_parameter(DParameter::WindowLogMax(limits::ZSTD_WINDOW_LOG)).map_err(broken)?;
        Ok(Self { decoder, magic: 0, ended: false, total: 0 })
    }

    /// Whether the frame is complete.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// The text of block `block`, whole lines, in place of what `text` was.
    pub fn block(&mut self, data: &[u8], block: u64, text: &mut Vec<u8>) -> Result<()> {
        let bad = |why: String| Error::BadBlock { block, why };
        let seen = data.len().min(MAGIC.len() - self.magic);
        if data[..seen] != MAGIC[self.magic..self.magic + seen] {
            return Err(bad("not a zstd frame".into()));
        }
        self.magic += seen;

        let mut input = InBuffer::around(data);
        text.clear();
        let guess = (data.len() * RATIO).clamp(*STEP.start(), *STEP.end());
        loop {
            if self.ended && input.pos() < data.len() {
                return Err(bad("bytes after the end of the zstd frame".into()));
            }
            if self.ended || (input.pos() == data.len() && text.len() < text.capacity()) || data.is_empty() {
                break;
            }
            // Doubling, and never more than one byte over what a block may hold.
            let room = limits::BLOCK_LINES + 1 - text.len();
            text.reserve_exact(text.len().max(guess).min(room));
            let at = text.len();
            let hint = self.decoder.run(&mut input, &mut OutBuffer::around_pos(text, at)).map_err(|e| {
                if e.to_string().starts_with(WINDOW) {
                    Error::Limit { what: "zstd window", limit: 1 << limits::ZSTD_WINDOW_LOG }
                } else {
                    bad(format!("zstd: {e}"))
                }
            })?;
            self.ended = hint == 0;
            if text.len() > limits::BLOCK_LINES {
                return Err(Error::Limit { what: "event lines of a block", limit: limits::BLOCK_LINES as u64 });
            }
        }
        self.total += text.len() as u64;
        if self.total > limits::SEGMENT_LINES {
            return Err(Error::Limit { what: "event lines of a segment", limit: limits::SEGMENT_LINES });
        }
        if text.last().is_some_and(|byte| *byte != b'\n') {
            return Err(bad("it does not end at the end of a line".into()));
        }
        Ok(())
    }
}
