//! One file a verb.

pub mod agent;
pub mod break_glass;
pub mod check;
pub mod declare;
pub mod enroll;
pub mod import;
pub mod policy;
pub mod run;
pub mod ship;
pub mod unenroll;
