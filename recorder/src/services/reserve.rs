//! Sessions whose recorder was killed while their tees live on: kept for them, and given up when they do not come back.
//!
//! A kept session's folder is locked by this process, so nobody closes it as recovered, and checkpoints list it: as far as
//! anybody knows it is open. Not for what is done when a tee comes back.

use hansard_schemas::SessionId;

use super::Services;
use crate::journal::recovery::{Found, recover};
use crate::journal::session_dir::{About, SessionDir, is_over};
use crate::report::{Failure, io};
use crate::ship::Choice;

impl Services {
    /// Keeps every session of the spool that nobody runs and that has not ended. To be called before
    /// [`Services::take_leftovers`]; each is to be taken up or given up in the end.
    pub fn reserve(&self) -> Result<Vec<SessionId>, Failure> {
        let sessions = self.spool.sessions();
        let mut kept = Vec::new();
        for id in self.spool.session_ids().map_err(io("list", &sessions))? {
            if self.registry.has(id) || is_over(&sessions.join(id.to_string())) {
                continue;
            }
            // One that cannot be locked or read is for those who say so: `ship` and the leftovers.
            let Ok(Some(dir)) = SessionDir::take(&sessions, id) else { continue };
            if dir.read_about().is_ok_and(|about| about.is_some_and(|about| about.chain == self.chain.id())) {
                self.registry.keep(dir);
                kept.push(id);
            }
        }
        Ok(kept)
    }

    /// The sessions that are kept now.
    pub fn reserved(&self) -> Vec<SessionId> {
        self.registry.kept()
    }

    /// Nobody comes back for this session. One that is kept is closed as recovered, and delivered. One that runs here,
    /// whose `Session` must be gone, is left to those that take along what nobody runs.
    pub fn give_up(&self, session: SessionId, why: &str) -> Result<(), Failure> {
        if let Some(entry) = self.registry.get(session) {
            entry.consignment.leave();
            drop(entry);
            self.stopping.ring();
            return Ok(());
        }
        let Some(dir) = self.registry.take(session) else { return Ok(()) };
        let found = match recover(&dir, &self.chain, why) {
            Ok(found) => found,
            Err(failure) => {
                // Not for this process to lose: its lock is given back, and it is tried again with the leftovers.
                drop(dir);
                self.stopping.ring();
                return Err(failure);
            }
        };
        let about = dir.read_about().map_err(io("read what is known of the session in", dir.path()))?;
        match about.and_then(|about| self.choice_of(&about)).filter(|_| found != Found::NeverStarted) {
            Some(choice) => self.shipping.register(&std::sync::Arc::new(dir), &choice).end(),
            // It goes to places that are not open here.
            None => {
                drop(dir);
                self.stopping.ring();
            }
        }
        Ok(())
    }

    /// The places of a session that was begun by another process, where all of them are open here.
    pub(super) fn choice_of(&self, about: &About) -> Option<Choice> {
        let place = |address: &String| {
            let plain = self.places.iter().find(|place| *place == address);
            let required = || self.places.iter().find(|place| crate::destinations::required(place) == *address);
            plain.map(|place| (place, false)).or_else(|| required().map(|place| (place, true)))
        };
        let places: Option<Vec<(&String, bool)>> = about.sinks.iter().map(place).collect();
        let places = places.filter(|_| about.notify.iter().all(|one| self.notify.contains(one)))?;
        Some(Choice {
            only: Some(places.iter().map(|(place, _)| (*place).clone()).collect()),
            required: places.into_iter().filter(|(_, required)| *required).map(|(place, _)| place.clone()).collect(),
        })
    }
}
