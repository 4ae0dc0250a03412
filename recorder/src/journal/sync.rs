//! Group sync: one thread makes everything that was journaled durable, once an interval.
//!
//! It belongs to the journal and not to a session. Relays never wait on it; a failed sync marks the file, and the
//! session closes it as damaged. Not for the syncs of closing: those are in `closing`.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::file::{Tracked, sync_dir};

#[derive(Debug, Default)]
struct State {
    files: Vec<Weak<Tracked>>,
    /// Directories with names that are not durable yet.
    dirs: HashSet<PathBuf>,
    stopping: bool,
}

/// The group sync of this process.
#[derive(Debug)]
pub struct GroupSync {
    state: Arc<(Mutex<State>, Condvar)>,
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // A poisoned lock still guards a consistent list: every change to it is one push or one take.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl GroupSync {
    /// Starts the thread.
    pub fn start(interval: Duration) -> std::io::Result<Self> {
        let state = Arc::new((Mutex::new(State::default()), Condvar::new()));
        let shared = Arc::clone(&state);
        std::thread::Builder::new().name("sync".into()).spawn(move || run(&shared, interval))?;
        Ok(Self { state })
    }

    /// From now on this file is synced every interval, for as long as somebody holds it.
    pub fn watch(&self, file: &Arc<Tracked>, dir: PathBuf) {
        let mut state = locked(&self.state.0);
        state.files.push(Arc::downgrade(file));
        state.dirs.insert(dir);
    }
}

impl Drop for GroupSync {
    /// Lets the thread end after its present round; nobody waits for it, it may be inside a sync that hangs.
    fn drop(&mut self) {
        locked(&self.state.0).stopping = true;
        self.state.1.notify_all();
    }
}

fn run(shared: &(Mutex<State>, Condvar), interval: Duration) {
    loop {
        let (files, dirs) = {
            let state = locked(&shared.0);
            let waited = shared.1.wait_timeout_while(state, interval, |s| !s.stopping);
            let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if state.stopping {
                return;
            }
            state.files.retain(|f| f.strong_count() > 0);
            (state.files.clone(), std::mem::take(&mut state.dirs))
        };
        let unsynced: Vec<Arc<Tracked>> =
            files.iter().filter_map(Weak::upgrade).filter(|file| file.is_unsynced()).collect();
        sync_all(&unsynced);
        drop(unsynced);
        for dir in dirs {
            // A directory that cannot be synced is tried again when closing, where failure has consequences.
            let _ = sync_dir(&dir);
        }
    }
}

/// Files that one thread syncs in a row.
const ROW: usize = 16;
/// Most threads that do it side by side: file systems commit what comes together in one go.
const SIDE_BY_SIDE: usize = 8;

/// A file remembers a failure, and its session acts on it.
fn sync_all(files: &[Arc<Tracked>]) {
    let rows = files.chunks(files.len().div_ceil(SIDE_BY_SIDE).max(ROW));
    let row = |files: &[Arc<Tracked>]| files.iter().for_each(|file| drop(file.sync()));
    if rows.len() <= 1 {
        return row(files);
    }
    std::thread::scope(|scope| {
        for files in rows {
            // A thread that cannot be had: it is done here.
            if std::thread::Builder::new().name("sync".into()).spawn_scoped(scope, move || row(files)).is_err() {
                row(files);
            }
        }
    });
}
