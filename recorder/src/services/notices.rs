//! Events of what is out of order: a start that was refused, somebody unrecorded, a terminal that does not answer.
//!
//! What belongs to a session waits in its folder. What belongs to none gets a folder of its own, in the place of a
//! session's and delivered like one, so that it outlives this process. Not for when they happen.

use std::sync::Arc;

use hansard_schemas::event::{self, Notice, What, Who};
use hansard_schemas::{SessionId, Timestamp};

use super::Services;
use crate::journal::outbox;
use crate::journal::session_dir::{About, OUTCOME, SessionDir};
use crate::report::{Failure, io};
use crate::ship::Choice;

impl Services {
    /// Says something of a start that led to no session; `who.session` is an id of its own. Durable when it returns.
    pub fn say_of_start(&self, who: Who, why: &str, what: fn(Notice) -> What) -> Result<(), Failure> {
        let dir = SessionDir::create(&self.spool.sessions(), who.session);
        let dir = dir.map_err(io("make the folder of an event in", self.spool.root()))?;
        let notice = Notice { who: who.clone(), places: self.places.clone(), why: why.to_owned() };
        let named = event::of_start(&self.chain.id(), &who, what(notice));
        let about = About {
            chain: self.chain.id(),
            start_seq: self.chain.end(),
            boot: self.chain.boot(),
            sinks: self.places.clone(),
            notify: self.notify.clone(),
            who: Some(who),
            notice: true,
        };
        // Whoever looks for open sessions is told first that this is none.
        dir.write_line(OUTCOME, "notice")
            .and_then(|()| dir.write_about(&about))
            .and_then(|()| outbox::put(&dir, &named))
            .map_err(io("write an event in", dir.path()))?;
        self.shipping.register(&Arc::new(dir), &Choice::default()).end();
        Ok(())
    }

    /// Says something of a session that runs here. Durable when it returns.
    pub fn say_of_session(&self, session: SessionId, why: &str, what: fn(Notice) -> What) -> Result<(), Failure> {
        let Some(entry) = self.registry.get(session) else { return Ok(()) };
        let dir = &entry.dir;
        let about = dir.read_about().map_err(io("read what is known of the session in", dir.path()))?;
        let Some((who, places)) = about.and_then(|about| Some((about.who?, about.sinks))) else { return Ok(()) };
        let notice = Notice { who: who.clone(), places, why: why.to_owned() };
        let named = event::of_moment(&self.chain.id(), Timestamp::new(chrono::Utc::now()), &who, what(notice));
        outbox::put(dir, &named).map_err(io("write an event in", dir.path()))?;
        entry.consignment.wake();
        Ok(())
    }
}
