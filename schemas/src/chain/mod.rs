//! The host chain (FORMAT.md, section 5): a host's log in which each entry is signed by a key that the entry before
//! named and that is erased after use.
//!
//! [`Entry`] is one line, [`Chain`] what can be believed of the objects that a store holds. What the chain says
//! about a session is in [`crate::verdict`]; where a host keeps its next key is in [`crate::chain_state`].

mod entry;
mod members;
mod parse;
mod read;
mod schema;
mod write;

pub use entry::{Entry, Head, Kind, Part};
pub use read::Chain;
pub use write::{append, append_with, genesis, genesis_with};
