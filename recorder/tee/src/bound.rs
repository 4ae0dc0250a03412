//! A pipe that is recorded up to a limit: the head whole, then the tail, the length and the digest of everything.
//!
//! What comes after the limit goes from the one side to the other without the recorder, which hears once a second how much
//! it is and at the end what it came to: `pg_dump` or `scp` through a recorded login need not fill a store to be evidence,
//! nor be slowed down by what nobody keeps. Not for terminals, which have no limit.

use sha2::{Digest as _, Sha256};

use crate::link::Link;
use crate::message::{Message, Pipe, Rest};

/// Bytes of the tail that are kept.
const TAIL: usize = 64 << 10;
/// How often the recorder hears that bytes pass.
const TELLS_US: u64 = 1_000_000;

/// State of one pipe.
pub(crate) struct Bound {
    pipe: Pipe,
    limit: u64,
    total: u64,
    hash: Sha256,
    tail: Vec<u8>,
    over_since_us: Option<u64>,
    /// What the recorder was told last, and when it is to be told again.
    told: u64,
    tell_us: u64,
}

impl Bound {
    /// A pipe of which the first `limit` bytes are recorded as they come.
    pub(crate) fn new(pipe: Pipe, limit: u64) -> Self {
        Self { pipe, limit, total: 0, hash: Sha256::new(), tail: Vec::new(), over_since_us: None, told: 0, tell_us: 0 }
    }

    /// How many of the next bytes are recorded.
    pub(crate) fn room(&self) -> usize {
        usize::try_from(self.limit.saturating_sub(self.total)).unwrap_or(usize::MAX)
    }

    /// The next bytes, recorded or not; true when they are the first to go over the limit.
    pub(crate) fn push(&mut self, bytes: &[u8], now_us: u64) -> bool {
        self.hash.update(bytes);
        let rest = bytes.get(self.room()..).unwrap_or_default();
        self.total += bytes.len() as u64;
        if rest.is_empty() {
            return false;
        }
        let is_first = self.over_since_us.is_none();
        self.over_since_us.get_or_insert(now_us);
        if rest.len() >= TAIL {
            self.tail.clear();
        }
        self.tail.extend_from_slice(rest.get(rest.len().saturating_sub(TAIL)..).unwrap_or_default());
        // Twice the size before it is cut: copying the tail for every small piece would be quadratic.
        if self.tail.len() > 2 * TAIL {
            self.tail.drain(..self.tail.len() - TAIL);
        }
        is_first
    }

    /// Tells the recorder that bytes pass unrecorded: at once when that begins, so that a recording whose tee is killed does
    /// not end as if nothing more had come; then as a sign that something happens.
    pub(crate) fn tell(&mut self, link: &mut Link<'_>) {
        if self.over_since_us.is_some() && self.total > self.told && link.now_us >= self.tell_us && link.has_room() {
            (self.told, self.tell_us) = (self.total, link.now_us + TELLS_US);
            link.submit(Message::Passing { pipe: self.pipe, total: self.total });
        }
    }

    /// Tells the recorder what it came to, where the head was not everything.
    pub(crate) fn finish(mut self, link: &mut Link<'_>) {
        let Some(from_us) = self.over_since_us else { return };
        self.tail.drain(..self.tail.len().saturating_sub(TAIL));
        let missing = self.total - self.limit - self.tail.len() as u64;
        let sha256 = self.hash.finalize().into();
        let rest = Rest { from_us, missing, sha256, tail: &self.tail };
        link.submit(Message::Rest { pipe: self.pipe, rest });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::clock::Clock;
    use crate::message::{Recorder, Reply};

    /// One message: how much it says, and of the last one digest and tail.
    type Told = (u64, Option<([u8; 32], Vec<u8>)>);

    /// What was submitted.
    #[derive(Default)]
    struct Said(VecDeque<Told>);

    impl Recorder for Said {
        fn submit(&mut self, _: u64, _: u64, message: Message<'_>) {
            match message {
                Message::Passing { total, .. } => self.0.push_back((total, None)),
                Message::Rest { rest, .. } => self.0.push_back((rest.missing, Some((rest.sha256, rest.tail.to_vec())))),
                _ => unreachable!("nothing else is said of a bound"),
            }
        }

        fn reply(&mut self) -> Option<Reply> {
            None
        }

        fn tick(&mut self, _: u64) -> Option<u64> {
            None
        }
    }

    #[test]
    fn head_tail_length_and_digest_account_for_every_byte() {
        let all: Vec<u8> = (0..1_000_000u32).map(|i| u8::try_from(i % 251).unwrap_or(0)).collect();
        for piece in [1_000, 70_000, 300_000] {
            let mut said = Said::default();
            let mut link = Link::new(&mut said, Clock::start());
            let mut bound = Bound::new(Pipe::Output, 100_000);
            let mut head = Vec::new();
            for part in all.chunks(piece) {
                head.extend_from_slice(&part[..bound.room().min(part.len())]);
                bound.push(part, 7);
                bound.tell(&mut link);
            }
            bound.finish(&mut link);
            let first = all.chunks(piece).scan(0, |sum, part| {
                *sum += part.len();
                Some(*sum)
            });
            let first = first.into_iter().find(|sum| *sum > 100_000).unwrap_or(0) as u64;
            assert_eq!(head, all[..100_000]);
            assert_eq!(said.0.pop_front(), Some((first, None)), "told at once, and then not for a second");
            let digest: [u8; 32] = Sha256::digest(&all).into();
            let missing = 1_000_000 - 100_000 - TAIL as u64;
            assert_eq!(said.0.pop_front(), Some((missing, Some((digest, all[all.len() - TAIL..].to_vec())))));
            assert!(said.0.is_empty());
        }
    }

    #[test]
    fn a_pipe_of_exactly_the_limit_has_no_rest() {
        let mut said = Said::default();
        let mut link = Link::new(&mut said, Clock::start());
        let mut bound = Bound::new(Pipe::Input, 10);
        bound.push(&[0; 10], 0);
        assert_eq!(bound.room(), 0);
        bound.tell(&mut link);
        bound.finish(&mut link);
        assert!(said.0.is_empty());
    }
}
