//! The same work for many things at once, by a few threads; what comes of it is taken in order.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Requests that wait for a network: more at once than there are processors.
pub const REQUESTS: usize = 16;

/// Fewest threads that wait and compute in turn. Each has some of what it reads in memory.
const READERS: usize = 8;

/// How far workers go ahead of what was taken, for each of them: results that wait are in memory, but one that takes long
/// must not leave the other workers without work.
const AHEAD: usize = 64;

struct Desk<R> {
    /// The next item that nobody works on.
    next: usize,
    /// Results that wait to be taken.
    done: BTreeMap<usize, R>,
    /// How many were taken.
    taken: usize,
    over: bool,
}

/// Says that it is over, however its thread ends: the others wait for what it would have said.
struct Ends<'a, R>(&'a Mutex<Desk<R>>, &'a Condvar);

impl<R> Drop for Ends<'_, R> {
    fn drop(&mut self) {
        lock(self.0).over = true;
        self.1.notify_all();
    }
}

fn lock<R>(desk: &Mutex<Desk<R>>) -> MutexGuard<'_, Desk<R>> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As many threads as there are processors, or a few more: for work that computes on what it waits for.
pub fn readers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).max(READERS)
}

/// Does `work` for each of `items` by at most `threads` threads, and gives each result to `take`, in the order of the items
/// and on the caller's thread. The first error of `take` ends it, and is given back.
pub fn stream<T: Sync, R: Send, E>(
    items: &[T],
    threads: usize,
    work: impl Fn(&T) -> R + Sync,
    mut take: impl FnMut(R) -> Result<(), E>,
) -> Result<(), E> {
    let threads = threads.clamp(1, items.len().max(1));
    let desk = Mutex::new(Desk { next: 0, done: BTreeMap::new(), taken: 0, over: false });
    let changed = Condvar::new();
    std::thread::scope(|scope| {
        let _ends = Ends(&desk, &changed);
        for _ in 0..threads {
            scope.spawn(|| {
                // Where the work panics, whoever waits for its result must not wait for ever.
                let ends = Ends(&desk, &changed);
                loop {
                    let is_ahead = |desk: &mut Desk<R>| !desk.over && desk.next >= desk.taken + threads * AHEAD;
                    let mut state = changed.wait_while(lock(&desk), is_ahead).unwrap_or_else(PoisonError::into_inner);
                    let at = state.next;
                    let Some(item) = items.get(at).filter(|_| !state.over) else { break };
                    state.next += 1;
                    drop(state);
                    let result = work(item);
                    lock(&desk).done.insert(at, result);
                    changed.notify_all();
                }
                std::mem::forget(ends);
            });
        }
        for at in 0..items.len() {
            let is_missing = |desk: &mut Desk<R>| !desk.over && !desk.done.contains_key(&at);
            let mut state = changed.wait_while(lock(&desk), is_missing).unwrap_or_else(PoisonError::into_inner);
            // Only a worker's panic leaves none, which the scope passes on.
            let Some(result) = state.done.remove(&at) else { break };
            state.taken = at + 1;
            drop(state);
            changed.notify_all();
            take(result)?;
        }
        Ok(())
    })
}

/// Does `work` for each of `items`, and gives what came of each, in their order, or the first error.
pub fn each<T: Sync, R: Send, E: Send>(
    items: &[T],
    threads: usize,
    work: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let mut all = Vec::with_capacity(items.len());
    stream(items, threads, work, |result| result.map(|result| all.push(result)))?;
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{each, stream};

    #[test]
    fn results_come_in_order_and_an_error_ends_it() {
        let items: Vec<u64> = (0..300).collect();
        let work = |n: &u64| {
            std::thread::sleep(Duration::from_micros(n * 7919 % 500));
            Ok::<_, u64>(n * 2)
        };
        assert_eq!(each(&items, 8, work).unwrap(), items.iter().map(|n| n * 2).collect::<Vec<_>>());
        assert_eq!(each(&items, 8, |n| if *n == 7 { Err(7) } else { Ok(()) }), Err(7));
        assert_eq!(each(&[] as &[u32], 8, |_| Ok::<_, ()>(())).unwrap(), []);
        let mut seen = Vec::new();
        let ended = stream(
            &items,
            3,
            |n| *n,
            |n| {
                seen.push(n);
                if n == 9 { Err("enough") } else { Ok(()) }
            },
        );
        assert_eq!((ended, seen), (Err("enough"), (0..10).collect()));
    }

    #[test]
    #[should_panic = "a scoped thread panicked"]
    fn a_panic_in_the_work_is_passed_on() {
        let _ = each(&[1, 2, 3], 2, |n| if *n == 2 { panic!("the work") } else { Ok::<_, ()>(()) });
    }
}
