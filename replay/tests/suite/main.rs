//! The tests of `hansard-replay` against stores made with the format's own writers, through the real binary.
//!
//! Not for recording: the end-to-end suite has that.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "the harness of tests")]

mod exporting;
mod keeping;
mod listing;
mod messages;
mod opening;
mod panicking;
mod safe_output;
mod store;
mod tampered;
mod trust;
mod verdicts;
