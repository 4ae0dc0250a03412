//! How a session ended: from the tee's words to the recording's.
//!
//! The tee may not know the format, so both have words of their own. Not for what is done at the end: `session`.

use hansard_schemas::session::{LeftBehind, Stop, StopOutcome};
use hansard_tee::{Exit, Outcome};

use crate::report::EXIT_RECORDER;

/// Why a session ended, as the recording has it.
pub fn stop_outcome(outcome: Outcome) -> StopOutcome {
    match outcome {
        Outcome::Exited => StopOutcome::Exited,
        Outcome::Signalled => StopOutcome::Signalled,
        Outcome::Disconnected => StopOutcome::Disconnected,
        Outcome::Terminated => StopOutcome::Terminated,
        Outcome::IdleTimeout => StopOutcome::IdleTimeout,
        Outcome::MaxDuration => StopOutcome::MaxDuration,
    }
}

/// The stop summary of a session that its tee saw end.
pub fn stop_of(exit: &Exit) -> Stop {
    Stop {
        outcome: stop_outcome(exit.outcome),
        status: u32::try_from(exit.status).unwrap_or(EXIT_RECORDER.unsigned_abs()),
        signal: exit.signal.and_then(|s| u32::try_from(s).ok()),
        left_behind: exit
            .left_behind
            .iter()
            .map(|p| LeftBehind { pid: u32::try_from(p.pid).unwrap_or(0), command: p.command.clone() })
            .collect(),
    }
}
