//! The recorder: capture, then journal, then ship; data flows one way.
//!
//! The binary is thin over this library, so that parsers can be fuzzed and parts tested. Nothing here decrypts: a
//! recording host holds public recipients only (but for the identity of a first use, which `first_use` announces).

pub mod agent;
pub mod capture;
pub mod cli;
pub mod cmd;
pub mod config;
pub mod destinations;
pub mod enroll;
pub mod first_use;
pub mod host_chain;
pub mod import;
pub mod journal;
pub mod live;
pub mod memory;
pub mod paths;
pub mod policy;
pub mod report;
pub mod services;
pub mod ship;
