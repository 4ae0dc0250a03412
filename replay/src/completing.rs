//! What a shell offers for the id of a session when Tab is pressed: the newest ones of the store that is read by default.
//!
//! Whatever goes wrong offers nothing: nobody who types a command line wants an error in the middle of it. Not for the
//! scripts themselves: `cmd::completions`.

use chrono::{TimeDelta, Utc};
use clap_complete::engine::CompletionCandidate;
use hansard_sinks::TimeRange;

use crate::cli::{Colour, StoreArgs};
use crate::context::Context;

/// So many are offered: more are better found with `ls`.
const OFFERED: usize = 50;

/// How far back it is looked: a listing of everything takes too long for a key.
const DAYS: i64 = 31;

/// The sessions, newest first, and `latest`.
pub fn sessions() -> Vec<CompletionCandidate> {
    let mut offered = vec![CompletionCandidate::new("latest").help(Some("the newest session".into()))];
    offered.extend(newest().unwrap_or_default());
    offered
}

fn newest() -> Option<Vec<CompletionCandidate>> {
    let config = std::env::var_os("HANSARD_REPLAY_CONFIG").map(std::path::PathBuf::from);
    let context = Context::new(Some(Colour::Never), config.as_deref(), "completions").ok()?;
    let from = std::env::var("HANSARD_FROM").ok().filter(|from| !from.is_empty());
    let store = context.store(&StoreArgs { from }).ok()?;
    let range = TimeRange { from: Some(Utc::now() - TimeDelta::days(DAYS)), until: None };
    let sessions = store.sessions(&range).ok()?;
    let newest = sessions.iter().rev().take(OFFERED).map(|one| {
        let started = one.session.time().format("started %Y-%m-%d %H:%M:%S UTC").to_string();
        CompletionCandidate::new(one.session.to_string()).help(Some(started.into()))
    });
    Some(newest.collect())
}
