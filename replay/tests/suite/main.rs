//! The tests of `hansard-replay` against stores made with the format's own writers, through the real binary.
//!
//! Not for recording: the end-to-end suite has that.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "the harness of tests")]

#[path = "../../src/play/tests/attacks.rs"]
mod attacks;
mod auditing;
mod completing;
mod configured;
mod evidence;
mod exporting;
mod following;
mod forms;
mod forwarding;
mod grepping;
mod hostile;
mod keeping;
mod listing;
mod messages;
mod opening;
mod painted;
mod panicking;
mod programs;
mod recorded;
mod safe_output;
mod scene;
mod searched;
mod store;
mod tampered;
mod terminal;
mod timelines;
mod trust;
mod verdicts;
mod viewing;
