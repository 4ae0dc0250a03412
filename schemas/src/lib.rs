//! The recording format: what is written, as state machines over bytes.
//!
//! `FORMAT.md` beside this crate is the normative text; module names follow its sections. Nothing here opens a
//! file, a socket or a clock: callers bring bytes and times, so that every rule can be tested, fuzzed and used
//! by the recorder and by replay alike.

pub mod cast;
pub mod chain;
pub mod chain_state;
pub mod error;
pub mod event;
pub mod exact;
pub mod held;
pub mod ids;
pub mod json;
pub mod keys;
pub mod limits;
pub mod names;
pub mod seal;
pub mod segment;
pub mod session;
pub mod spool;
pub mod verdict;

pub use error::{Error, Outcome, Result};
pub use ids::{ChainId, Digest, PublicKey, SessionId, Timestamp};
