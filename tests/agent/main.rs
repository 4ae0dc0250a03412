//! The suite of the agent: people who come in through a real sshd, with `hansard-shell` as their login shell.
//!
//! `cargo test -p hansard-tests --features real --test agent`, as root on Linux. Beside each recorded user is one with bash as
//! the login shell: what he gets is what would be got without Hansard. Not for the recorder that a user starts: `hermetic/`,
//! `real/`.

// Tests fail by panicking, their shared functions too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod break_glass;
mod commands;
mod connections;
mod escapes;
mod events;
mod following;
mod from_root;
mod kills;
mod limits;
mod logins;
mod passing;
mod policy;
mod reach;
mod scene;
mod shell_marks;
mod surroundings;
mod transfers;
mod weather;
