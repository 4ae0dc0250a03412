//! What happens at the terminal, turned into sealed blocks of the journal.
//!
//! The relay itself, and everything that touches the terminal, is `hansard_tee`.

pub mod batch;
mod bulk;
pub mod clock;
pub mod epoch;
mod hold;
pub mod imported;
pub mod lagging;
mod lines;
pub mod masking;
pub mod quota;
pub mod recorder;
pub mod segments;
pub mod session;
pub mod stopping;
pub mod who;
