//! `play`: (being written by its owner.)

use crate::cli::Play;
use crate::context::Context;
use crate::report::{Failure, Outcome};

/// Plays a session.
pub fn run(context: &Context, args: &Play) -> Outcome {
    let _recording = context.recording(&args.id, &args.store, &args.keys, args.force)?;
    Err(Failure::usage("not yet"))
}
