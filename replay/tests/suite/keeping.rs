//! Keyframes kept between two openings: sealed, of these bytes only, and never trusted for what is shown.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use chrono::Utc;
use hansard_replay::cache::Cache;
use hansard_replay::cache::warm::{self, Start};
use hansard_replay::cli::{Colour, KeyArgs, StoreArgs};
use hansard_replay::context::Context;
use hansard_replay::desk::Desk;

use crate::store::{Host, Session, World};

/// A reviewer's context over a world, and the session that lies there.
fn desk(world: &World) -> Desk {
    let config = world.root.join("replay.toml");
    let identity = world.root.join(".config/hansard/identity.txt");
    fs::write(&config, "").unwrap();
    let context = Context::new(Colour::Never, Some(&config)).unwrap();
    let store = StoreArgs { from: Some(format!("file://{}", world.store().display())) };
    let keys = KeyArgs { identity: vec![identity] };
    context.desk(&store, &keys, &TimeRange::default()).unwrap()
}
