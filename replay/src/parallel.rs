//! The same work for many things at once, by a few threads. Not for what must happen in an order.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Requests that wait for a network: more at once than there are processors.
pub const REQUESTS: usize = 16;

/// Does `work` for each of `items` by at most `threads` threads, and gives what came of each, in their order. The first
/// error ends it.
pub fn each<T: Sync, R: Send, E: Send>(
    items: &[T],
    threads: usize,
    work: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
    let done: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::with_capacity(items.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, items.len().max(1)) {
            scope.spawn(|| {
                while let Some((at, item)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, items.get(at)?)))
                {
                    match work(item) {
                        Ok(result) => done.lock().unwrap_or_else(PoisonError::into_inner).push((at, result)),
                        Err(error) => {
                            next.store(items.len(), Ordering::Relaxed);
                            failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                        }
                    }
                }
            });
        }
    });
    if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(at, _)| *at);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests {
    use super::each;

    #[test]
    fn results_come_in_order_and_an_error_ends_it() {
        let items: Vec<u32> = (0..1000).collect();
        assert_eq!(each(&items, 8, |n| Ok::<_, ()>(n * 2)).unwrap(), items.iter().map(|n| n * 2).collect::<Vec<_>>());
        assert_eq!(each(&items, 8, |n| if *n == 7 { Err(7) } else { Ok(()) }), Err(7));
        assert_eq!(each(&[] as &[u32], 8, |_| Ok::<_, ()>(())).unwrap(), []);
    }
}
