//! The tests of `hansard-replay` against stores made with the format's own writers, through the real binary.
//!
//! Not for recording: the end-to-end suite has that.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "the harness of tests")]

mod auditing;
mod completing;
mod evidence;
mod exporting;
mod following;
mod forms;
mod forwarding;
mod grepping;
mod keeping;
mod listing;
mod messages;
mod opening;
mod panicking;
mod programs;
mod recorded;
mod safe_output;
mod scene;
mod store;
mod tampered;
mod timelines;
mod trust;
mod verdicts;
mod viewing;
