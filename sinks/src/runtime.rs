//! The one runtime of the clients that are asynchronous inside: two threads, started at the first call and kept.
//!
//! Started late because the process may fork before. Its threads inherit the signal mask of the thread that makes the
//! first call: whoever takes signals by a descriptor has blocked them there already.

use std::future::Future;
use std::sync::{Mutex, PoisonError};

use tokio::runtime::{Builder, Handle, Runtime};

static RUNTIME: Mutex<Option<Runtime>> = Mutex::new(None);

/// The runtime, started if it was not. The system can refuse threads; the next call tries again.
fn handle() -> std::io::Result<Handle> {
    let mut runtime = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(runtime) = &*runtime {
        return Ok(runtime.handle().clone());
    }
    let started = Builder::new_multi_thread().worker_threads(2).thread_name("hansard-net").enable_all().build()?;
    Ok(runtime.insert(started).handle().clone())
}

/// Runs `future` to its end on the runtime, from a thread that is none of its own.
pub(crate) fn block_on<F: Future>(future: F) -> std::io::Result<F::Output> {
    Ok(handle()?.block_on(future))
}
