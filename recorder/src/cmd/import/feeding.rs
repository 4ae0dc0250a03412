//! The second reading: every event of the source becomes what a session records.
//!
//! Not for what is read, nor for when it is written: `import` and `capture::imported`.

use std::ops::ControlFlow;

use hansard_schemas::cast::{Code, Gap, GapWhat, GapWhy, Size};
use hansard_schemas::session::{Stop, StopOutcome};
use indicatif::ProgressBar;

use crate::capture::imported::Imported;
use crate::capture::segments::Blocked;
use crate::import::origin::Origin;
use crate::import::source::Tally;
use crate::import::survey::{Survey, Typed};
use crate::import::{Event, Fault, Told};

/// What the source says, and what is done with it.
pub(super) struct Feeding<'a> {
    pub(super) origin: &'a Origin,
    pub(super) survey: &'a Survey,
    /// What was typed is imported.
    pub(super) input: bool,
    /// The first line that a reader sees.
    pub(super) marker: String,
}

/// How the second reading ended.
pub(super) enum Fed {
    /// As the first: `Some` where that found a fault.
    Whole(Option<String>),
    /// The source is not what it was a moment ago.
    Changed(String),
}

impl Feeding<'_> {
    /// Reads the source again, and feeds the session with it.
    pub(super) fn feed(&self, session: &mut Imported<'_>, bar: &ProgressBar) -> Result<Fed, Blocked> {
        session.mark(0, &self.marker)?;
        self.say_what_is_left_out(session)?;
        let (tally, mut told) = (Tally::default(), Told::default());
        let (mut blocked, mut events, mut end_us) = (None, 0_u64, 0);
        let read = self.origin.read(&tally, &mut told, &mut |t_us, event| {
            events += 1;
            end_us = t_us;
            if events % 256 == 1 {
                bar.set_position(tally.bytes());
            }
            match self.event(session, t_us / 1_000, &event) {
                Ok(()) => ControlFlow::Continue(()),
                Err(e) => {
                    blocked = Some(e);
                    ControlFlow::Break(())
                }
            }
        });
        if let Some(blocked) = blocked {
            return Err(blocked);
        }
        let fault = read.err().map(|fault| fault.to_string());
        let before = self.survey.fault.as_ref().map(Fault::to_string);
        if fault != before || events != self.survey.events || end_us != self.survey.end_us {
            let why = fault.unwrap_or_else(|| "it has another number of events".into());
            return Ok(Fed::Changed(why));
        }
        if let Some(fault) = &fault {
            session.gap(end_us / 1_000, &missing(end_us / 1_000, fault))?;
        }
        Ok(Fed::Whole(fault))
    }

    fn event(&self, session: &mut Imported<'_>, t_ms: u64, event: &Event<'_>) -> Result<(), Blocked> {
        match event {
            Event::Output(bytes) => session.bytes(t_ms, Code::Output, bytes),
            Event::Error(bytes) => session.bytes(t_ms, Code::Error, bytes),
            Event::Input(bytes) if self.input => session.bytes(t_ms, Code::Input, bytes),
            Event::Input(_) | Event::InputElsewhere(_) => Ok(()),
            Event::Resize { cols, rows } => session.resize(t_ms, Size { cols: *cols, rows: *rows }),
            Event::Marker(text) => session.mark(t_ms, text),
            Event::Foreign(text) => {
                let mut gap = Gap::new(GapWhat::Foreign, GapWhy::Ingest);
                (gap.from_ms, gap.to_ms, gap.note) = (Some(t_ms), Some(t_ms), Some(text.clone()));
                session.gap(t_ms, &gap)
            }
            Event::Missing(text) => session.gap(t_ms, &missing(t_ms, text)),
        }
    }

    fn say_what_is_left_out(&self, session: &mut Imported<'_>) -> Result<(), Blocked> {
        let Typed { bytes, between_us: Some((from_us, to_us)), .. } = self.survey.typed else { return Ok(()) };
        if self.input {
            return Ok(());
        }
        let mut gap = Gap::new(GapWhat::Input, GapWhy::Ingest);
        (gap.bytes, gap.from_ms, gap.to_ms) = (Some(bytes), Some(from_us / 1_000), Some(to_us / 1_000));
        gap.note = Some("what was typed is in the source, and was not imported".into());
        session.gap(0, &gap)
    }
}

/// Something that the source should have, and has not.
pub(super) fn missing(t_ms: u64, note: &str) -> Gap {
    let mut gap = Gap::new(GapWhat::Output, GapWhy::Damaged);
    gap.from_ms = Some(t_ms);
    gap.note = Some(note.to_owned());
    gap
}

/// How the session ended: as the source says. One that does not say went away.
pub(super) fn stop(fed: &Fed, exit: Option<u32>) -> Stop {
    let (outcome, status) = match (fed, exit) {
        (Fed::Changed(_), _) => (StopOutcome::RecorderFailed, 0),
        (Fed::Whole(None), Some(status)) => (StopOutcome::Exited, status),
        (Fed::Whole(_), _) => (StopOutcome::Disconnected, 0),
    };
    Stop { outcome, status, signal: None, left_behind: Vec::new() }
}
