//! A stream of a session without a terminal, recorded up to a limit: the head whole, then the tail, the length and
//! the digest of everything.
//!
//! `pg_dump` through a recorded login need not fill a store to be evidence. Not for terminals, which have no limit.

use sha2::{Digest as _, Sha256};

/// Bytes of the tail that are kept.
const TAIL: usize = 64 << 10;

/// State of one stream.
#[derive(Debug)]
pub struct Bounded {
    limit: u64,
    total: u64,
    hash: Sha256,
    tail: Vec<u8>,
    over_since_ms: Option<u64>,
}

/// What a stream came to that went over its limit.
#[derive(Debug, PartialEq, Eq)]
pub struct Rest {
    /// Bytes neither in the head nor in the tail.
    pub missing: u64,
    /// SHA-256 of the whole stream.
    pub sha256: [u8; 32],
    /// The last bytes.
    pub tail: Vec<u8>,
    /// Event time at which the limit was reached.
    pub from_ms: u64,
}

impl Bounded {
    /// A stream of which the first `limit` bytes are recorded as they come.
    pub fn new(limit: u64) -> Self {
        Self { limit, total: 0, hash: Sha256::new(), tail: Vec::new(), over_since_ms: None }
    }

    /// Takes bytes; gives back how many of them belong to the head, and whether the limit was reached just now.
    pub fn push(&mut self, time_ms: u64, bytes: &[u8]) -> (usize, bool) {
        self.hash.update(bytes);
        let room = self.limit.saturating_sub(self.total);
        self.total += bytes.len() as u64;
        let head = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
        let rest = &bytes[head..];
        if rest.is_empty() {
            return (head, false);
        }
        let reached = self.over_since_ms.is_none();
        self.over_since_ms.get_or_insert(time_ms);
        if rest.len() >= TAIL {
            self.tail.clear();
        }
        self.tail.extend_from_slice(&rest[rest.len().saturating_sub(TAIL)..]);
        // Twice the size before it is cut: copying the tail for every small piece would be quadratic.
        if self.tail.len() > 2 * TAIL {
            self.tail.drain(..self.tail.len() - TAIL);
        }
        (head, reached)
    }

    /// What must be said of it at the end; `None` when the head was everything.
    pub fn finish(mut self) -> Option<Rest> {
        let from_ms = self.over_since_ms?;
        self.tail.drain(..self.tail.len().saturating_sub(TAIL));
        let missing = self.total - self.limit - self.tail.len() as u64;
        Some(Rest { missing, sha256: self.hash.finalize().into(), tail: self.tail, from_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_tail_length_and_digest_account_for_every_byte() {
        let all: Vec<u8> = (0..1_000_000u32).map(|i| (i % 251) as u8).collect();
        for piece in [1_000, 70_000, 300_000] {
            let mut b = Bounded::new(100_000);
            let mut head = Vec::new();
            let mut reached = 0;
            for part in all.chunks(piece) {
                let (n, now) = b.push(7, part);
                head.extend_from_slice(&part[..n]);
                reached += u32::from(now);
            }
            let rest = b.finish().unwrap();
            assert_eq!((head.len(), reached), (100_000, 1));
            assert_eq!(rest.tail, all[all.len() - TAIL..]);
            assert_eq!(rest.missing, 1_000_000 - 100_000 - TAIL as u64);
            assert_eq!(rest.sha256, <[u8; 32]>::from(Sha256::digest(&all)));
        }
    }

    #[test]
    fn a_stream_of_exactly_the_limit_has_no_rest() {
        let mut b = Bounded::new(10);
        assert_eq!(b.push(0, &[0; 10]), (10, false));
        assert_eq!(b.finish(), None);
    }
}
