//! What a session's owner asks of it beside driving it: how far it is, whether it has ended, where it has arrived.

use std::sync::Arc;
use std::time::Duration;

use hansard_schemas::SessionId;

use super::registry::Entry;
use crate::journal::closing::Progress;
use crate::ship::Status;

/// One session that runs here, or has ended and is not all delivered. It keeps nothing going: dropping it is no end.
#[derive(Debug, Clone)]
pub struct Handle(Arc<Entry>);

impl Handle {
    pub(super) fn of(entry: Arc<Entry>) -> Self {
        Self(entry)
    }

    /// Its id.
    pub fn session(&self) -> SessionId {
        self.0.dir.session()
    }

    /// How far its segments are: the highest that is closed, whether the end is written, what is tried again.
    pub fn progress(&self) -> Progress {
        self.0.closer.progress()
    }

    /// A write to the journal has not returned for longer than `journal.stall`.
    pub fn is_stalled(&self) -> bool {
        self.0.stall.is_stalled()
    }

    /// After `Session::finish`: waits until the chain's `end` is written; false when `limit` is over. It need not be waited
    /// for.
    pub fn wait_ended(&self, limit: Duration) -> bool {
        let ended = self.0.closer.wait_ended(limit);
        if ended {
            self.0.consignment.end();
        }
        ended
    }

    /// Waits until every place has all that is closed, false when `limit` is over; calls `progress` now and then.
    pub fn wait_delivered(&self, limit: Duration, progress: impl FnMut(&[Status])) -> bool {
        self.0.consignment.wait_caught_up(limit, progress)
    }

    /// What each of its places says now.
    pub fn status(&self) -> Vec<Status> {
        self.0.consignment.status()
    }

    /// Gives the folder of a session that has ended back, if every required place has all of it; whether it is gone. Happens
    /// by itself, too.
    pub fn release(&self) -> bool {
        self.0.consignment.release()
    }
}
