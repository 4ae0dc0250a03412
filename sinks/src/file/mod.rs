//! A directory as sink and store.
//!
//! The sink never replaces: a temporary file is written, synced and linked to its name, which fails where
//! something is already. The store trusts nothing it finds: links are not followed, pipes are not waited for,
//! names that do not parse are reported.

mod beneath;
mod sink;
mod store;

pub use sink::FileSink;
pub use store::FileStore;

/// How the sink's unfinished files begin. A name that no segment or chain object has.
const UNFINISHED: &str = ".put-";
