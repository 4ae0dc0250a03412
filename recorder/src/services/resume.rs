//! A session goes on whose recorder was killed while its tee lived on (FORMAT.md, section 7).
//!
//! The tee is told up to which message the journal has everything, and sends again what came after. What the recorder had
//! in memory only is gone: input that it held back for masking, the tails of bounded streams and how much of them there
//! was; a line says so, and the limits of the streams begin anew. Not for how what was left open is closed:
//! `journal::resumption`.

use std::sync::Arc;

use hansard_schemas::SessionId;
use hansard_schemas::cast::{Gap, GapWhat, GapWhy, Size};
use hansard_schemas::seal::SigningKey;

use super::begin::{Begun, Choices, blocked};
use super::{Handle, Services};
use crate::capture::segments::{Continued, Segments};
use crate::capture::session::Session;
use crate::journal::file::sync_dir;
use crate::journal::resumption::{Point, Stopped, look};
use crate::journal::session_dir::SessionDir;
use crate::journal::spool::occupy_reserve;
use crate::report::{Failure, io};
use crate::ship::Choice;

/// A session that goes on.
pub struct Resumed {
    /// What its messages are given to, by whoever drives it.
    pub session: Session,
    /// The last message that is in the journal: those after it are to be submitted again.
    pub position: u64,
    /// For all else.
    pub handle: Handle,
}

/// What came of it.
#[allow(clippy::large_enum_variant, reason = "one for each session that goes on")]
pub enum Resume {
    /// It goes on.
    GoesOn(Resumed),
    /// It has ended, or was closed as recovered: it cannot.
    Over,
    /// There is none of this id, or it never came so far that anything was shown.
    Unknown,
}

impl Services {
    /// Takes a session up that some recorder has left. `now_ms` is the session's own clock, `why` says what became of the
    /// recorder. A session that was kept stays kept where this fails.
    pub fn resume(
        &self,
        session: SessionId,
        size: Size,
        now_ms: u64,
        why: &str,
        choices: &Choices,
    ) -> Result<Resume, Failure> {
        if self.registry.get(session).is_some() {
            return Err(Failure::new(format_args!("session {session} is recorded here already")));
        }
        let Some(dir) = self.folder_of(session)? else { return Ok(Resume::Unknown) };
        let stopped = look(&dir, &self.chain);
        let point = match stopped {
            Ok(Stopped::Here(point)) => point,
            Ok(other) => {
                // It is delivered, or taken away, with what others left.
                drop(dir);
                self.stopping.ring();
                return Ok(if matches!(other, Stopped::Over) { Resume::Over } else { Resume::Unknown });
            }
            Err(failure) => {
                self.registry.keep(dir);
                return Err(failure);
            }
        };
        let dir = Arc::new(dir);
        let resumed = self.go_on(&dir, *point, size, now_ms, why, choices);
        match (resumed, Arc::into_inner(dir)) {
            (Ok(resumed), _) => Ok(Resume::GoesOn(resumed)),
            (Err(failure), Some(dir)) => {
                self.registry.keep(dir);
                Err(failure)
            }
            (Err(failure), None) => Err(failure),
        }
    }

    /// The folder of a session that is kept, or that nobody runs.
    fn folder_of(&self, session: SessionId) -> Result<Option<SessionDir>, Failure> {
        if let Some(dir) = self.registry.take(session) {
            return Ok(Some(dir));
        }
        let sessions = self.spool.sessions();
        match SessionDir::take(&sessions, session) {
            Ok(Some(dir)) => Ok(Some(dir)),
            Ok(None) => Err(Failure::new(format_args!("session {session} is in another process's hands"))
                .hint("it may be `hansard-record ship`, which closes it as recovered")),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(io("lock the session's folder in", &sessions)(e)),
        }
    }

    fn go_on(
        &self,
        dir: &Arc<SessionDir>,
        point: Point,
        size: Size,
        now_ms: u64,
        why: &str,
        choices: &Choices,
    ) -> Result<Resumed, Failure> {
        // The last recorder may have given it back at an end that it did not reach. Where there is no space now, the session
        // waits for it as others do.
        let _ = occupy_reserve(dir.path(), self.config.spool.reserve);
        let choice = match self.choice_of(&point.about) {
            Some(choice) => choice,
            None => self.other_places(dir, &point)?,
        };
        let now_ms = now_ms.max(point.offset_ms);
        let mut gap = Gap::new(GapWhat::Recorder, GapWhy::Restart);
        gap.to_ms = Some(now_ms);
        gap.note = Some(why.to_owned());
        let gap = gap.to_data().map_err(Failure::new)?;
        let signer = SigningKey::generate();
        let (next, position, public) = (point.next, point.position, signer.public());
        let epoch = point.epoch + 1;
        let consignment = self.shipping.register(dir, &choice);
        let opened = self.open(dir, &consignment, choices, |tools| {
            let continued = Continued { number: next, signer, epoch, position, now_ms, gap };
            let segments = Segments::go_on(tools, continued, size).map_err(blocked)?;
            segments.sync_now().map_err(io("sync the journal in", dir.path()))?;
            sync_dir(dir.path()).map_err(io("sync", dir.path()))?;
            let highest = point.close(dir, &self.chain, public, why)?;
            Ok((segments, highest))
        });
        let Begun { session, handle } = opened?;
        consignment.wake();
        Ok(Resumed { session, position, handle })
    }

    /// The session was to go to a place that is not configured any more: from now on it goes where all sessions go.
    fn other_places(&self, dir: &SessionDir, point: &Point) -> Result<Choice, Failure> {
        let mut about = point.about.clone();
        (about.sinks, about.notify) = (self.places.clone(), self.notify.clone());
        dir.write_about(&about).map_err(io("write in", dir.path()))?;
        Ok(Choice::default())
    }
}
