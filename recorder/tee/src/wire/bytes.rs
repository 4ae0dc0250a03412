//! The bytes of frames: numbers, fields, and the words that are one byte. Not for what a frame says: `wire`.

use std::fmt;

use crate::message::{Outcome, Pipe};

/// Why bytes are no frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireError(pub(super) &'static str);

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not the agent's protocol: {}", self.0)
    }
}

impl std::error::Error for WireError {}

pub(super) type Result<T> = std::result::Result<T, WireError>;

/// A frame that is being written.
pub(super) struct Out<'v> {
    to: &'v mut Vec<u8>,
    start: usize,
}

impl<'v> Out<'v> {
    pub(super) fn begin(to: &'v mut Vec<u8>, kind: u8) -> Self {
        let start = to.len();
        to.extend_from_slice(&[0, 0, 0, 0, kind]);
        Self { to, start }
    }

    pub(super) fn raw(self, bytes: &[u8]) -> Self {
        self.to.extend_from_slice(bytes);
        self
    }

    pub(super) fn field(self, number: u8, value: &[u8]) -> Self {
        // What is longer than a frame can hold is cut by whoever fills it in; a length is never wrong.
        let length = u32::try_from(value.len()).unwrap_or(0);
        let value = value.get(..length as usize).unwrap_or_default();
        self.raw(&[number]).raw(&length.to_le_bytes()).raw(value)
    }

    pub(super) fn fields<'f>(self, number: u8, values: impl IntoIterator<Item = &'f Vec<u8>>) -> Self {
        values.into_iter().fold(self, |out, value| out.field(number, value))
    }

    pub(super) fn end(self) {
        let length = u32::try_from(self.to.len() - self.start - 4).unwrap_or(u32::MAX);
        self.to[self.start..self.start + 4].copy_from_slice(&length.to_le_bytes());
    }
}

/// A body that is being read.
pub(super) struct In<'b>(pub(super) &'b [u8]);

impl<'b> In<'b> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'b [u8]> {
        let (front, rest) = self.0.split_at_checked(count).ok_or(WireError("a frame that is too short"))?;
        self.0 = rest;
        Ok(front)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| WireError("a frame that is too short"))
    }

    pub(super) fn u8(&mut self) -> Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn field(&mut self) -> Result<Option<(u8, &'b [u8])>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let number = self.u8()?;
        let length = self.u32()? as usize;
        Ok(Some((number, self.take(length)?)))
    }

    pub(super) fn rest(&mut self) -> &'b [u8] {
        std::mem::take(&mut self.0)
    }

    pub(super) fn end(&self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(WireError("a frame that is too long")) }
    }
}

pub(super) fn flag(value: &[u8]) -> bool {
    value == [1]
}

pub(super) fn size(value: &[u8]) -> Result<(u16, u16)> {
    let mut value = In(value);
    Ok((value.u16()?, value.u16()?))
}

pub(super) fn size_bytes((cols, rows): (u16, u16)) -> [u8; 4] {
    let ([a, b], [c, d]) = (cols.to_le_bytes(), rows.to_le_bytes());
    [a, b, c, d]
}

pub(super) fn pipe_byte(pipe: Pipe) -> u8 {
    match pipe {
        Pipe::Output => 0,
        Pipe::Error => 1,
        Pipe::Input => 2,
    }
}

pub(super) fn pipe(byte: u8) -> Result<Pipe> {
    Ok(match byte {
        0 => Pipe::Output,
        1 => Pipe::Error,
        2 => Pipe::Input,
        _ => return Err(WireError("an unknown pipe")),
    })
}

pub(super) fn outcome_byte(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Exited => 0,
        Outcome::Signalled => 1,
        Outcome::Disconnected => 2,
        Outcome::Terminated => 3,
        Outcome::IdleTimeout => 4,
        Outcome::MaxDuration => 5,
    }
}

pub(super) fn outcome(byte: u8) -> Result<Outcome> {
    Ok(match byte {
        0 => Outcome::Exited,
        1 => Outcome::Signalled,
        2 => Outcome::Disconnected,
        3 => Outcome::Terminated,
        4 => Outcome::IdleTimeout,
        5 => Outcome::MaxDuration,
        _ => return Err(WireError("an unknown outcome")),
    })
}
