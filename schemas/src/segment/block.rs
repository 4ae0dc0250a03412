//! Frames of blocks (FORMAT.md, section 4.4): length, position, sealed bytes, CRC-32C.

use crate::error::{Error, Result};
use crate::limits;

/// Stands where the next block's length would.
pub(super) const END: u32 = u32::MAX;
/// Length and position before the sealed bytes.
pub(super) const HEAD: usize = 12;
/// The CRC behind them.
pub(super) const CRC: usize = 4;

/// What a block holds, its first plaintext byte.
pub(super) const KIND_LINES: u8 = 0;
pub(super) const KIND_FOOTER: u8 = 1;

/// One block as it stands in the bytes.
pub(super) struct Frame<'a> {
    pub position: u64,
    pub sealed: &'a [u8],
    /// Bytes of the whole frame.
    pub len: usize,
}

/// What comes next.
pub(super) enum Next<'a> {
    Block(Frame<'a>),
    /// The end marker, 4 bytes.
    End,
    /// The bytes end before the frame does.
    Short,
}

/// LIM-4, before anything is read or allocated for block `block`.
pub(super) fn sealed_len(n: u32, block: u64) -> Result<usize> {
    if n > limits::SEALED_MAX {
        return Err(Error::Limit { what: "sealed bytes of a block", limit: limits::SEALED_MAX.into() });
    }
    if n < limits::SEALED_MIN {
        return Err(Error::BadBlock { block, why: format!("{n} sealed bytes are too few") });
    }
    Ok(n as usize)
}

/// The frame at the beginning of `bytes`, with its CRC checked.
pub(super) fn next(bytes: &[u8], block: u64) -> Result<Next<'_>> {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else {
        return Ok(Next::Short);
    };
    let n = u32::from_le_bytes(*length);
    if n == END {
        return Ok(Next::End);
    }
    let n = sealed_len(n, block)?;
    let len = HEAD + n + CRC;
    if bytes.len() < len {
        return Ok(Next::Short);
    }
    let (framed, crc) = bytes[..len].split_at(HEAD + n);
    if crc32c::crc32c(framed).to_le_bytes() != crc {
        return Err(Error::BlockCrc(block));
    }
    let position = rest.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    Ok(Next::Block(Frame { position, sealed: &framed[HEAD..], len }))
}

/// Whether what follows a block shows it to be the last: the end marker, or no whole block.
pub(super) fn is_end(rest: &[u8]) -> bool {
    let length = rest.first_chunk::<4>().map_or(END, |bytes| u32::from_le_bytes(*bytes));
    length == END || ((HEAD + CRC) as u64 + u64::from(length)) > rest.len() as u64
}

/// BLK-1: positions never fall.
pub(super) fn rising(last: u64, position: u64, block: u64) -> Result<u64> {
    if position < last {
        return Err(Error::BadBlock { block, why: format!("position {position} after {last}") });
    }
    Ok(position)
}
