//! `export`: (being written by its owner.)

use crate::cli::Export;
use crate::context::Context;
use crate::report::{Failure, Outcome};

/// Exports a session.
pub fn run(context: &Context, args: &Export) -> Outcome {
    let _recording = context.recording(&args.id, &args.store, &args.keys, args.force)?;
    Err(Failure::usage("not yet"))
}
