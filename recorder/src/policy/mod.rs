//! The agent's policy: which sessions may begin, and how each is recorded. Pure: no file, no clock, no name service.
//!
//! A policy is the `[[rule]]` tables of a configuration, understood and checked. The first rule whose conditions all
//! hold decides; without one a session is allowed and recorded as the rest of the configuration says. What a
//! rule can and cannot do is told in `POLICY.md`. Not for who somebody is or where from: the caller knows
//! (`capture::who`, the agent), and must give only what the kernel says.

mod command;
mod condition;
mod decide;
mod effect;
mod explain;
mod hours;
mod network;
mod pattern;
mod rule;
#[cfg(test)]
mod tests;
pub mod transfer;

pub use decide::{Decision, Policy, Subject};
pub use explain::{Explanation, Missed, Step};
pub use rule::{Action, Many, Record, RuleTable};
