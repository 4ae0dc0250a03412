//! One file a verb.

pub mod check;
pub mod declare;
pub mod policy;
pub mod run;
pub mod ship;
