//! Event lines, exact bytes, documents and names, through the public interface; names bear the ids of FORMAT.md.

#![allow(clippy::expect_used, clippy::panic, reason = "tests")]

mod cast;
mod exact;
mod header;
mod names;
mod samples;
mod session;
