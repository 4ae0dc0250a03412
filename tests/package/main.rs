//! The suite of the Debian package: built by the documented command, installed by dpkg on a machine that is thrown away,
//! upgraded and downgraded under sessions that run, removed, purged.
//!
//! `cargo test -p hansard-tests --features real --test package`, as root on Debian, with cargo-deb and systemd installed (not
//! running). `HANSARD_BIN_DIR` names the programs that are packaged. Not for what the agent does with a login: `agent/`.

// Tests fail by panicking, their shared functions too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod leaving;
mod machine;
mod packages;
mod under_systemd;
mod without_systemd;
