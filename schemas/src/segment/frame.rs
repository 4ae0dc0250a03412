//! The zstd frame of a segment as it is written (BLK-2): small blocks stored, then, from the first large one on, all
//! compressed.
//!
//! Finding nothing to compress in a keystroke takes longer than everything else that is done with it, and the state of a
//! compressor is megabytes that an idle session need not have. A frame may hold stored blocks (RFC 8878, 3.1.1.2.2); the
//! compressor's own blocks, which refer to nothing before the first of them, follow them without its frame header. Not for
//! reading: `inflate`.

use zstd::stream::raw::{CParameter, Encoder, InBuffer, Operation, OutBuffer};
use zstd::zstd_safe;

use crate::error::{Error, Result};
use crate::limits;

/// Room that zstd's frame header and flush take beyond its bound for the text alone.
const FLUSH: usize = 64;
/// Blocks from this size on are compressed.
const SMALL: usize = 4 << 10;
/// So is the rest once so much was stored: what comes in small pieces all the time is worth it.
const STORED: usize = 64 << 10;
/// Magic number, descriptor and window.
const HEADER: usize = 6;

/// How hard to compress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compression {
    /// zstd's level.
    pub level: i32,
    /// log2 of the window; the level's own when not given. A small one keeps a session small.
    pub window_log: Option<u32>,
    /// Bulk output of terminals: long lines that repeat with small changes. Looks for long matches in a larger table
    /// and for short ones, of 7 bytes at least, in a smaller one, which on logs and compiler output keeps 3 % less than
    /// the level alone.
    pub bulk: bool,
    /// Small blocks are stored until the first large one: for a journal, where a keystroke's block should cost little
    /// time and is joined later.
    pub stores_small: bool,
}

impl Default for Compression {
    fn default() -> Self {
        Self { level: 3, window_log: None, bulk: false, stores_small: false }
    }
}

impl From<i32> for Compression {
    fn from(level: i32) -> Self {
        Self { level, ..Self::default() }
    }
}

impl Compression {
    /// The level's own window is that of zstd for text of unknown length, within what readers accept.
    fn window_log(self) -> u32 {
        let own = match self.level {
            ..=1 => 19,
            2 => 20,
            3..=8 => 21,
            9..=16 => 22,
            _ => limits::ZSTD_WINDOW_LOG,
        };
        self.window_log.unwrap_or(own).clamp(10, limits::ZSTD_WINDOW_LOG)
    }

    fn encoder(self) -> Result<Encoder<'static>> {
        let mut encoder = Encoder::new(self.level).map_err(unwritable)?;
        if self.bulk && self.level <= 4 {
            // Only the fast strategies of the low levels gain by it.
            for parameter in [CParameter::MinMatch(7), CParameter::HashLog(19), CParameter::ChainLog(15)] {
                encoder.set_parameter(parameter).map_err(unwritable)?;
            }
        }
        encoder.set_parameter(CParameter::WindowLog(self.window_log())).map_err(unwritable)?;
        Ok(encoder)
    }

    /// A frame's header without length, checksum and dictionary, as zstd writes it for this window.
    fn header(self) -> [u8; HEADER] {
        let window = u8::try_from((self.window_log() - 10) << 3).unwrap_or(u8::MAX);
        [0x28, 0xb5, 0x2f, 0xfd, 0, window]
    }
}

fn unwritable(error: std::io::Error) -> Error {
    Error::Unwritable(format!("zstd: {error}"))
}

enum Body {
    /// Nothing was written.
    None,
    /// The header, and so many bytes in stored blocks.
    Stored(usize),
    Compressed(Box<Encoder<'static>>),
}

/// A frame that is being written.
pub(super) struct Frame {
    how: Compression,
    body: Body,
}

impl Frame {
    pub(super) fn new(how: Compression) -> Self {
        Self { how, body: Body::None }
    }

    /// The most bytes that a block of so many bytes of lines takes.
    pub(super) fn bound(lines: usize) -> usize {
        zstd_safe::compress_bound(lines) + FLUSH
    }

    /// Appends one block's lines to `out`, all of them.
    pub(super) fn append(&mut self, lines: &[u8], out: &mut Vec<u8>) -> Result<()> {
        if lines.is_empty() && !matches!(self.body, Body::None) {
            return Ok(());
        }
        let stored = match self.body {
            Body::None => 0,
            Body::Stored(stored) => stored,
            Body::Compressed(_) => usize::MAX,
        };
        if self.how.stores_small && lines.len() < SMALL.min(1 << self.how.window_log()) && stored < STORED {
            self.begin(out);
            out.extend_from_slice(&stored_block(lines.len(), false));
            out.extend_from_slice(lines);
            self.body = Body::Stored(stored + lines.len());
            return Ok(());
        }
        let begun = out.len();
        let has_header = matches!(self.body, Body::Stored(_));
        if let Body::None | Body::Stored(_) = self.body {
            self.body = Body::Compressed(Box::new(self.how.encoder()?));
        }
        let Body::Compressed(encoder) = &mut self.body else { return Ok(()) };
        compress(encoder, lines, out)?;
        if has_header {
            // The compressor has written its own.
            if out.get(begun..begun + HEADER) != Some(&self.how.header()[..]) {
                return Err(Error::Unwritable("zstd: another frame header than expected".into()));
            }
            out.drain(begun..begun + HEADER);
        }
        Ok(())
    }

    /// Writes the header, if it is not written yet, for blocks that follow without a compressor.
    fn begin(&mut self, out: &mut Vec<u8>) {
        if matches!(self.body, Body::None) {
            out.extend_from_slice(&self.how.header());
        }
    }

    /// Ends the frame; at most [`Frame::bound`] of nothing.
    pub(super) fn finish(mut self, out: &mut Vec<u8>) -> Result<()> {
        self.begin(out);
        let Body::Compressed(encoder) = &mut self.body else {
            out.extend_from_slice(&stored_block(0, true));
            return Ok(());
        };
        loop {
            let at = out.len();
            if encoder.finish(&mut OutBuffer::around_pos(out, at), true).map_err(unwritable)? == 0 {
                return Ok(());
            }
            out.reserve(FLUSH);
        }
    }
}

fn compress(encoder: &mut Encoder<'static>, lines: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let mut input = InBuffer::around(lines);
    while input.pos() < lines.len() {
        let at = out.len();
        encoder.run(&mut input, &mut OutBuffer::around_pos(out, at)).map_err(unwritable)?;
        out.reserve(FLUSH);
    }
    loop {
        let at = out.len();
        if encoder.flush(&mut OutBuffer::around_pos(out, at)).map_err(unwritable)? == 0 {
            return Ok(());
        }
        out.reserve(FLUSH);
    }
}

/// Header of a stored block of at most [`SMALL`] bytes.
fn stored_block(len: usize, last: bool) -> [u8; 3] {
    let word = u32::try_from(len).unwrap_or(0) << 3 | u32::from(last);
    let [a, b, c, _] = word.to_le_bytes();
    [a, b, c]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blk_2_stored_and_compressed_blocks_are_one_frame() {
        let line = |n: usize, len: usize| {
            let mut line = format!("[0.001, \"o\", \"{n} ").into_bytes();
            line.resize(len.max(line.len()), b'a' + (n % 7) as u8);
            line.extend_from_slice(b"\"]\n");
            line
        };
        // Sizes of blocks; what is stored ends with the first large one, or when it is much.
        let cases: [Vec<usize>; 7] = [
            vec![],
            vec![20],
            vec![20, 30, 5_000, 20, 9_000, 20],
            vec![200_000, 20],
            vec![20; 5_000],
            vec![SMALL - 4, SMALL, 20],
            vec![0, 20, 0, 5_000, 0],
        ];
        for level in [-5, 1, 2, 3, 9, 17, 19] {
            for window_log in [None, Some(10), Some(17)] {
                for sizes in &cases {
                    let how = Compression { level, window_log, bulk: level == 3, stores_small: true };
                    let (mut frame, mut out, mut all) = (Frame::new(how), Vec::new(), Vec::new());
                    for (n, size) in sizes.iter().enumerate() {
                        let lines = if *size == 0 { Vec::new() } else { line(n, *size) };
                        let begun = out.len();
                        frame.append(&lines, &mut out).unwrap();
                        assert!(out.len() - begun <= Frame::bound(lines.len()), "{how:?} {size}");
                        all.extend(lines);
                    }
                    frame.finish(&mut out).unwrap();
                    assert_eq!(out[..HEADER], how.header(), "{how:?}");
                    assert!(zstd::decode_all(&out[..]).unwrap() == all, "{how:?} {sizes:?}");
                }
            }
        }
    }
}
