//! The suite against real servers: SeaweedFS for S3, Apache Kafka, and the faults that they and the network have.
//!
//! `cargo test -p hansard-tests --features real --test stores`, after `.ci/run prepare`. A server that is missing fails
//! the test that needs it: nothing is skipped. One module per behaviour. Tests that kill or freeze a server have one of
//! their own, all others share one of a kind and have buckets and topics of their own there.

// Tests fail by panicking, their shared functions too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod audited;
mod bad_input;
#[path = "../../replay/tests/suite/daily.rs"]
mod daily;
mod events;
mod everywhere;
mod forwarding;
mod intruders;
mod lagging;
mod loss_window;
mod names;
mod outages;
#[path = "../../replay/tests/suite/recorded.rs"]
#[allow(dead_code, reason = "what another suite needs of it")]
mod recorded;
#[path = "../../replay/tests/suite/scene.rs"]
#[allow(dead_code, reason = "what another suite needs of it")]
mod scene;
mod searched;
mod servers;
mod shipped;
mod sick_store;
#[path = "../../replay/tests/suite/store.rs"]
#[allow(dead_code, reason = "what another suite needs of it")]
mod store;

// `store` asks it for the program.
use hansard_tests::programs;
