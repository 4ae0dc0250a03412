//! Segments written and read back, and everything that can be wrong with one. Test names bear the ids of FORMAT.md.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "tests")]

mod segment {
    mod fixture;
    mod keys;
    mod read;
    mod write;
}
