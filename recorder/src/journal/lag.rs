//! How late delivery is: the shippers say it, and the session reads it without waiting for anybody.
//!
//! Not for why it is late, nor for who is told: `ship::watch` and `capture::lagging`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The lag of the place that is furthest behind.
#[derive(Debug)]
pub struct Lag {
    places: Arc<[String]>,
    /// The place's index in the upper 16 bits, milliseconds in the others.
    packed: AtomicU64,
}

const MS_BITS: u32 = 48;

impl Lag {
    /// Of these places, by their addresses as people may see them. Nothing is late yet.
    pub fn new(places: Arc<[String]>) -> Self {
        Self { places, packed: AtomicU64::new(0) }
    }

    /// The oldest thing that this place lacks has waited for so long; 0 when it lacks nothing.
    pub fn set(&self, place: usize, ms: u64) {
        let place = u64::from(u16::try_from(place).unwrap_or(u16::MAX));
        self.packed.store(place << MS_BITS | ms.min((1 << MS_BITS) - 1), Ordering::Relaxed);
    }

    /// How long, in milliseconds, and where.
    pub fn get(&self) -> (u64, &str) {
        let packed = self.packed.load(Ordering::Relaxed);
        let place = usize::try_from(packed >> MS_BITS).unwrap_or(usize::MAX);
        (packed & ((1 << MS_BITS) - 1), self.places.get(place).map_or("a sink", String::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::Lag;

    #[test]
    fn place_and_time_stay_together() {
        let lag = Lag::new(["a".into(), "b".into()].into());
        assert_eq!(lag.get(), (0, "a"));
        lag.set(1, 70_000);
        assert_eq!(lag.get(), (70_000, "b"));
        lag.set(0, u64::MAX);
        assert_eq!(lag.get(), ((1 << 48) - 1, "a"));
    }
}
