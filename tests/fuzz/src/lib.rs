//! What the fuzz targets do with their input, and what must hold whatever it is. The binaries in `fuzz_targets` only
//! call these. A broken promise is a panic; an error that a reader returns is none.

pub mod chain;
pub mod config;
pub mod fixed;
pub mod import;
pub mod lines;
pub mod names;
pub mod sealed;
pub mod segment;
pub mod socket;
pub mod verdict;
