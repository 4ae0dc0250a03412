//! One session that is recorded by a process of its own, put together at the start and taken apart at the end.
//!
//! At the end the last segment is durable, then the chain says `end`, then delivery is awaited for a while. Not for what
//! happens in between: the relay and `capture::session`; nor for what such a process has beside the session: `services`.

use std::sync::Arc;
use std::time::Duration;

use hansard_schemas::cast::Size;
use hansard_schemas::event::What;
use hansard_schemas::keys::Recipients;
use hansard_schemas::session::Stop;
use hansard_schemas::{SessionId, Timestamp};

use crate::capture::recorder::SessionRecorder;
use crate::capture::who::{Stated, Surroundings, identify};
use crate::config::Config;
use crate::destinations::{Destination, Notify};
use crate::report::Failure;
use crate::services::{Begun, Choices, Handle, Opening, Services, blocked};
use crate::ship::{Choice, Status};

/// How long the closing of the last segment may take before the session is left to recovery.
const CLOSE_LIMIT: Duration = Duration::from_secs(30);
/// What can be done about a session whose end could not be written.
pub(crate) const HINT: &str = "what was recorded is kept; `hansard-record ship` closes the session as recovered";

/// What a session is made of.
#[derive(Debug)]
pub struct Plan {
    /// The effective configuration.
    pub config: Config,
    /// Who may read it.
    pub recipients: Recipients,
    /// Whether it has a terminal.
    pub interactive: bool,
    /// What the user says of it.
    pub stated: Stated,
    /// What it was opened from.
    pub around: Surroundings,
    /// The terminal's size at the start.
    pub size: Size,
    /// Why no agent records it, where one should.
    pub unrecorded: Option<String>,
}

/// A session that is being recorded.
pub struct Live {
    /// What the tee submits to.
    pub recorder: SessionRecorder,
    handle: Handle,
    services: Arc<Services>,
}

/// How a session was left.
#[derive(Debug)]
pub struct Ended {
    /// Its id.
    pub session: SessionId,
    /// What each sink said last; empty when everything has arrived everywhere.
    pub behind: Vec<Status>,
}

impl Live {
    /// Starts recording. When this returns, what is submitted is kept.
    pub fn start(plan: &Plan, sinks: Vec<Destination>, notify: Vec<Notify>) -> Result<Self, Failure> {
        let config = &plan.config;
        let services = Services::start(config.clone(), sinks, notify)?;
        let now = Timestamp::new(chrono::Utc::now());
        let session = services.new_session(now);
        let opening = Opening {
            identity: identify(session, now, services.host(), plan.interactive, &plan.stated, &plan.around),
            size: plan.size,
            term: std::env::var("TERM").ok(),
            places: Choice::default(),
            choices: Choices {
                recipients: Arc::new(plan.recipients.clone()),
                input: config.input.mode,
                on_pipes: !plan.interactive,
                on_terminal: true,
            },
        };
        let Begun { session, handle } = services.begin(opening)?;
        if let Some(why) = &plan.unrecorded {
            // Said by syslog and on the console, too: what cannot be written here keeps nobody out.
            let _ = services.say_of_session(handle.session(), why, What::Unrecorded);
        }
        // What others left is taken along; a thread that cannot be had takes nothing from this session.
        let _ = services.take_leftovers();
        Ok(Self { recorder: SessionRecorder::new(session), handle, services })
    }

    /// The session's id.
    pub fn session(&self) -> SessionId {
        self.handle.session()
    }

    /// Ends the recording: last segment, `end`, and a wait for the sinks with `progress` called meanwhile.
    pub fn end(mut self, t_us: u64, stop: Stop, progress: impl FnMut(&[Status])) -> Result<Ended, Failure> {
        self.recorder.finish(t_us / 1_000, stop).map_err(|b| blocked(b).hint(HINT))?;
        wait_for_the_end(&self.handle, &self.services, progress)
    }
}

/// Of a session whose last segment is on its way: waits until the chain says `end`, then a while for the sinks, with
/// `progress` called meanwhile.
pub(crate) fn wait_for_the_end(
    handle: &Handle,
    services: &Services,
    progress: impl FnMut(&[Status]),
) -> Result<Ended, Failure> {
    let session = handle.session();
    if !handle.wait_ended(CLOSE_LIMIT) {
        let what = handle.progress().trouble.unwrap_or_else(|| "the disk does not answer".into());
        return Err(Failure::new(format_args!("session {session} could not be closed: {what}")).hint(HINT));
    }
    let arrived = handle.wait_delivered(services.config().ship.final_wait, progress);
    let status = handle.status();
    // Released when every required sink has everything; what stays is delivered again by `ship`, which is harmless.
    handle.release();
    services.stop();
    let behind: Vec<Status> = status.iter().filter(|s| !s.caught_up || s.trouble.is_some()).cloned().collect();
    // Not arrived in time, though no sink has said why.
    Ok(Ended { session, behind: if arrived || !behind.is_empty() { behind } else { status } })
}
