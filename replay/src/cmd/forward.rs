//! `forward`: what the sessions that run show, line by line, to standard output or syslog.

use crate::cli::Forward;
use crate::context::Context;
use crate::forward::{self, Job};
use crate::report::{Failure, Outcome};

/// Forwards until it is told to stop.
pub fn run(context: &Context, args: &Forward) -> Outcome {
    let identities = context.identities(&args.keys)?;
    let store = context.store(&args.store)?;
    let own = || Some(context.identity_path()?.with_file_name("forward.json"));
    let state = args.state.clone().or_else(own).ok_or_else(|| {
        Failure::usage("there is no home directory to keep the state in").hint("name a file with --state")
    })?;
    let (to, json, interval) = (&*args.to, args.json, args.interval);
    let viewing = context.viewing(&args.keys)?;
    let job = Job { context, filter: &args.filter, interval, to, json, state: &state, viewing: &viewing };
    forward::run(&job, store, identities)
}
