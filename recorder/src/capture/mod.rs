//! What happens at the terminal, turned into sealed blocks of the journal.
//!
//! The relay itself, and everything that touches the terminal, is `hansard_tee`.

pub mod bounded;
pub mod clock;
pub mod epoch;
pub mod masking;
pub mod segments;
pub mod session;
pub mod who;
