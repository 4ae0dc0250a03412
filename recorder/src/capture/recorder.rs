//! The recorder that the tee calls: seals a keystroke within the call, and leaves bulk to a second thread.
//!
//! A wake-up of another thread costs more than sealing a keystroke; in bulk the second thread pays, because the relay
//! reads and shows meanwhile. The session is one value that is here or there, never in both places: what is submitted
//! while it is there is put aside for it, and it comes back when nothing is left to do, or nothing can be done now. Not
//! for what becomes of a message: `session`; nor for the second thread: `bulk`.

use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use hansard_schemas::session::Stop;
use hansard_tee::{Message, Recorder, Reply, StandIn};

use super::batch::Batch;
use super::bulk::Bulk;
use super::segments::Blocked;
use super::session::{Session, length};
use crate::journal::closing::Closer;

/// Messages from this size on are left to the second thread: sealing them takes longer than two wake-ups do.
const BULK_BYTES: usize = 8 << 10;

enum Place {
    Here(Box<Session>),
    There,
    /// The second thread has ended, and the session with it.
    Lost,
}

/// The recorder of one session.
pub struct SessionRecorder {
    place: Place,
    /// `None` until it is needed, which in many sessions is never.
    bulk: Option<Bulk>,
    /// Submitted while the session is there, and not yet put aside.
    outbox: Batch,
    replies: VecDeque<Reply>,
    /// The child has ended, and the session does not know yet.
    last: bool,
    closer: Arc<Closer>,
}

impl SessionRecorder {
    /// A recorder of this session.
    pub fn new(session: Session) -> Self {
        let closer = Arc::clone(session.closer());
        let place = Place::Here(Box::new(session));
        Self { place, bulk: None, outbox: Batch::default(), replies: VecDeque::new(), last: false, closer }
    }

    /// What closes its segments, to wait for it at the end.
    pub fn closer(&self) -> &Closer {
        &self.closer
    }

    /// Writes the last lines and closes the last segment. Waits for what the second thread is doing.
    pub fn finish(&mut self, t_ms: u64, stop: Stop) -> Result<(), Blocked> {
        if let (Place::There, Some(bulk)) = (&self.place, &self.bulk) {
            let session = bulk.wait();
            self.came_back(session);
        }
        match &mut self.place {
            Place::Here(session) => session.finish(t_ms, stop),
            Place::There | Place::Lost => Err(Blocked::Fatal(LOST.into())),
        }
    }

    /// Takes the session back, if it has come.
    fn look(&mut self) {
        if let (Place::There, Some(bulk)) = (&self.place, &self.bulk)
            && let Some(back) = bulk.back()
        {
            self.came_back(back);
        }
    }

    fn came_back(&mut self, session: Option<Box<Session>>) {
        self.hear();
        self.place = match session {
            Some(mut session) => {
                session.inbox().append(&mut self.outbox);
                if std::mem::take(&mut self.last) {
                    session.last();
                }
                Place::Here(session)
            }
            None => {
                self.replies.push_back(Reply::Failed(LOST.into()));
                Place::Lost
            }
        };
    }

    fn hear(&mut self) {
        match (&mut self.place, &self.bulk) {
            (Place::Here(session), _) => self.replies.append(session.replies()),
            (Place::There, Some(bulk)) => bulk.hear(&mut self.replies),
            _ => {}
        }
    }

    /// Gives the session, with what waits in it, to the second thread.
    fn hand_over(&mut self, session: Box<Session>) -> Place {
        if self.bulk.is_none() {
            self.bulk = Bulk::start().ok();
        }
        match &self.bulk {
            Some(bulk) => {
                bulk.give(session);
                Place::There
            }
            // No second thread is to be had: it is done here.
            None => Place::Here(session),
        }
    }
}

const LOST: &str = "the thread that seals has ended";

impl Recorder for SessionRecorder {
    fn submit(&mut self, number: u64, time_us: u64, message: Message<'_>) {
        self.look();
        self.place = match std::mem::replace(&mut self.place, Place::Lost) {
            Place::Here(mut session) if session.is_held() || (session.is_ready() && length(&message) < BULK_BYTES) => {
                session.submit(number, time_us, message);
                Place::Here(session)
            }
            Place::Here(mut session) => {
                self.replies.append(session.replies());
                session.inbox().push(number, time_us, message);
                self.hand_over(session)
            }
            Place::There => {
                self.outbox.push(number, time_us, message);
                if let Some(bulk) = &self.bulk {
                    bulk.put_aside(&mut self.outbox);
                }
                Place::There
            }
            Place::Lost => Place::Lost,
        };
    }

    fn lend(&mut self, stand_in: StandIn) {
        // The session is here before the child is started.
        if let Place::Here(session) = &self.place {
            session.lend(stand_in);
        }
    }

    fn last(&mut self, _time_us: u64) {
        self.look();
        match &mut self.place {
            Place::Here(session) => session.last(),
            // It is told when it is back, and until then nothing holds it.
            Place::There => self.last = true,
            Place::Lost => {}
        }
    }

    fn reply(&mut self) -> Option<Reply> {
        if self.replies.is_empty()
            && let Place::Here(session) = &mut self.place
        {
            return session.replies().pop_front();
        }
        if self.replies.is_empty() {
            self.hear();
        }
        self.replies.pop_front()
    }

    fn tick(&mut self, time_us: u64) -> Option<u64> {
        self.look();
        match &mut self.place {
            Place::Here(session) => session.tick(time_us),
            // It does that there, and asks for the next time when it is back.
            Place::There | Place::Lost => None,
        }
    }

    fn news(&mut self) -> Option<BorrowedFd<'_>> {
        match (&self.place, &self.bulk) {
            (Place::There, Some(bulk)) => Some(bulk.news()),
            _ => None,
        }
    }
}
