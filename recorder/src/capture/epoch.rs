//! The key schedule of a running session: which secrets exist now, and that the old ones do not.
//!
//! An epoch secret is wrapped for the recipients once and then only moves forward (FORMAT.md, 4.3): what sealed a
//! closed segment cannot be computed from anything this process still holds. Not for sealing itself.

use hansard_schemas::keys::{EpochSecret, KeysLine, Recipients, SegmentSecret};
use hansard_schemas::{Result, limits};

/// The present epoch.
#[derive(Debug)]
pub struct Epoch {
    number: u32,
    next_index: u32,
    // Always `Some` between calls: `advance` consumes it and gives back the next.
    secret: Option<EpochSecret>,
    keys: KeysLine,
    begun_ms: u64,
}

impl Epoch {
    /// Begins epoch `number` with a new secret, wrapped for everyone who may read.
    pub fn begin(number: u32, recipients: &Recipients, now_ms: u64) -> Result<Self> {
        let secret = EpochSecret::generate();
        let keys = secret.wrap(recipients)?;
        Ok(Self { number, next_index: 0, secret: Some(secret), keys, begun_ms: now_ms })
    }

    /// The next secret and its index. The state that made it is gone when this returns (KEY-1).
    pub fn next_secret(&mut self) -> Option<(SegmentSecret, u32)> {
        let (secret, next) = self.secret.take()?.advance();
        self.secret = Some(next);
        let index = self.next_index;
        self.next_index += 1;
        Some((secret, index))
    }

    /// An hour old, or near the end of the indices.
    pub fn is_over(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.begun_ms) >= limits::EPOCH_AGE_MS || self.next_index + 2 > limits::EPOCH_INDEX
    }

    /// Its number in the session.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The keys line of all its segments.
    pub fn keys(&self) -> &KeysLine {
        &self.keys
    }
}
