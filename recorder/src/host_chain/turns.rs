//! Who writes the chain: one thread at a time, for all that wait meanwhile.
//!
//! A write costs three syncs however many entries it holds, so two hundred sessions that start in a second cost little more
//! than a few. Not for what is written: that is the caller's.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use hansard_schemas::chain::{Entry, Kind};
use hansard_schemas::limits;

use crate::report::Failure;

/// Bytes of an entry line without what is counted in [`size`]: members, keys, digests and signature of any kind.
pub(super) const LINE: usize = 1 << 10;
/// Bytes of one session in a checkpoint.
pub(super) const HEAD: usize = 192;

/// Those who wait.
#[derive(Debug, Default)]
pub(super) struct Turns {
    state: Mutex<State>,
    over: Condvar,
}

#[derive(Debug, Default)]
struct State {
    tickets: u64,
    waiting: VecDeque<(u64, Kind)>,
    done: BTreeMap<u64, Result<Entry, Failure>>,
    /// Somebody writes.
    writing: bool,
}

impl Turns {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until this entry is written: by `write`, together with others, or by another thread's. `write` takes the first
    /// ones away and gives as many entries.
    pub(super) fn take(
        &self,
        kind: Kind,
        write: impl Fn(&mut VecDeque<Kind>) -> Result<Vec<Entry>, Failure>,
    ) -> Result<Entry, Failure> {
        let mut state = self.lock();
        state.tickets += 1;
        let ticket = state.tickets;
        state.waiting.push_back((ticket, kind));
        loop {
            if let Some(done) = state.done.remove(&ticket) {
                return done;
            }
            if state.writing {
                state = self.over.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.writing = true;
            let (tickets, mut kinds): (Vec<u64>, VecDeque<Kind>) =
                std::mem::take(&mut state.waiting).into_iter().unzip();
            drop(state);
            let written = write(&mut kinds);
            state = self.lock();
            let taken = tickets.len() - kinds.len();
            // Those that did not fit are the first of the next turn.
            for back in tickets[taken..].iter().copied().zip(kinds).rev() {
                state.waiting.push_front(back);
            }
            match written {
                Ok(entries) => state.done.extend(tickets.into_iter().zip(entries.into_iter().map(Ok))),
                Err(failure) => {
                    state.done.extend(tickets[..taken].iter().map(|ticket| (*ticket, Err(failure.clone()))));
                }
            }
            state.writing = false;
            self.over.notify_all();
        }
    }

    /// Does `write` while nobody else writes.
    pub(super) fn alone<T>(&self, write: impl FnOnce() -> T) -> T {
        let mut state =
            self.over.wait_while(self.lock(), |state| state.writing).unwrap_or_else(PoisonError::into_inner);
        state.writing = true;
        drop(state);
        let written = write();
        self.lock().writing = false;
        self.over.notify_all();
        written
    }
}

/// Takes away as many as surely fit into `room` bytes; at least one.
pub(super) fn fitting(kinds: &mut VecDeque<Kind>, room: usize) -> Vec<Kind> {
    let (mut taken, mut left) = (Vec::new(), room);
    while let Some(size) = kinds.front().map(size) {
        if size > left && !taken.is_empty() {
            break;
        }
        left = left.saturating_sub(size);
        taken.extend(kinds.pop_front());
    }
    taken
}

/// Most bytes of its line.
fn size(kind: &Kind) -> usize {
    // A character of a text is at most six in JSON.
    let own = match kind {
        Kind::Genesis { host, .. } => 6 * host.len(),
        Kind::End { outcome, .. } => 6 * outcome.len(),
        Kind::Recovered { reason, .. } => 6 * reason.len(),
        Kind::Checkpoint { open, .. } => HEAD * open.len(),
        Kind::Start { .. } | Kind::Close | Kind::Unknown(_) => 0,
    };
    (LINE + own).min(limits::META_LINE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_taken_and_the_rest_stays_in_order() {
        let end = |n: usize| Kind::Unknown(n.to_string());
        let mut kinds: VecDeque<Kind> = (0..10).map(end).collect();
        assert_eq!(fitting(&mut kinds, 3 * LINE), [end(0), end(1), end(2)]);
        assert_eq!(kinds.len(), 7);
        // One that is larger than the room is tried alone: the write says what is wrong with it.
        assert_eq!(fitting(&mut kinds, 1), [end(3)]);
        assert_eq!(fitting(&mut VecDeque::new(), 1), []);
    }
}
