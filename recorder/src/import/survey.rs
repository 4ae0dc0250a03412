//! The first look through a recording: what it is, how much of it there is, and whether it can be read to its end.
//!
//! Nothing is kept of its events.

use std::ops::ControlFlow;

use super::origin::Origin;
use super::source::Tally;
use super::{Event, Fault, Told};

/// What a recording holds.
#[derive(Debug, Default)]
pub struct Survey {
    /// What it says of itself.
    pub told: Told,
    /// How many events it has, of all kinds.
    pub events: u64,
    /// Bytes of output and standard error.
    pub output_bytes: u64,
    /// What was typed.
    pub typed: Typed,
    /// The time of the last event, in microseconds since the start.
    pub end_us: u64,
    /// Why the rest of it cannot be read.
    pub fault: Option<Fault>,
}

/// The input of a recording.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Typed {
    /// Bytes, of all files.
    pub bytes: u64,
    /// Those of them that lie in a file that was not named.
    pub elsewhere: u64,
    /// The times of the first and the last event, in microseconds since the start.
    pub between_us: Option<(u64, u64)>,
}

impl Survey {
    /// Looks through it; `progress` is called now and then.
    pub fn of(origin: &Origin, tally: &Tally, mut progress: impl FnMut()) -> Self {
        let mut survey = Self::default();
        let mut told = Told::default();
        let read = origin.read(tally, &mut told, &mut |t_us, event| {
            survey.add(t_us, &event);
            if survey.events % 256 == 1 {
                progress();
            }
            ControlFlow::Continue(())
        });
        survey.told = told;
        survey.fault = read.err();
        survey
    }

    fn add(&mut self, t_us: u64, event: &Event<'_>) {
        self.end_us = self.end_us.max(t_us);
        self.events += 1;
        let typed = &mut self.typed;
        match event {
            Event::Output(bytes) | Event::Error(bytes) => {
                self.output_bytes += bytes.len() as u64;
                return;
            }
            Event::Input(bytes) => typed.bytes += bytes.len() as u64,
            Event::InputElsewhere(count) => {
                typed.bytes += count;
                typed.elsewhere += count;
            }
            _ => return,
        }
        let (first, _) = typed.between_us.unwrap_or((t_us, t_us));
        typed.between_us = Some((first, t_us));
    }
}
