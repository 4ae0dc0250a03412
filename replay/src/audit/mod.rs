//! Host chains, events and stored objects held against each other: what is missing, what contradicts, what nobody knows.
//!
//! By names and by what is signed; recordings are not read to the end, that is `verify`'s work. `gather` reads a store,
//! `chains`, `sessions` and `events` each compare one thing with the chains. Not for how it is printed: `cmd::audit`.

mod chains;
mod events;
mod gather;
mod sessions;

use hansard_schemas::{ChainId, SessionId};
use serde::Serialize;

pub use self::gather::{Facts, Told, gather};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Something is missing, contradicts, or is not to be believed.
    Defect,
    /// Worth knowing.
    Notice,
}

impl Level {
    /// The word of it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Defect => "defect",
            Self::Notice => "notice",
        }
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// A stable word for programs.
    pub finding: &'static str,
    /// The host, by its chain's claim or by the name of an object.
    pub host: Option<String>,
    /// The chain.
    pub chain: Option<String>,
    /// The session.
    pub session: Option<SessionId>,
    /// What was found, in words. Not safe for a terminal.
    pub text: String,
}

/// Where findings are put, with the host and chain that they are about.
pub(crate) struct About<'a> {
    found: &'a mut Vec<Finding>,
    host: Option<String>,
    chain: Option<String>,
}

impl About<'_> {
    fn new<'a>(found: &'a mut Vec<Finding>, host: Option<&str>, chain: Option<String>) -> About<'a> {
        About { found, host: host.map(str::to_owned), chain }
    }

    fn defect(&mut self, finding: &'static str, session: Option<SessionId>, text: impl Into<String>) {
        self.put(Level::Defect, finding, session, text.into());
    }

    fn notice(&mut self, finding: &'static str, session: Option<SessionId>, text: impl Into<String>) {
        self.put(Level::Notice, finding, session, text.into());
    }

    fn put(&mut self, level: Level, finding: &'static str, session: Option<SessionId>, text: String) {
        let (host, chain) = (self.host.clone(), self.chain.clone());
        self.found.push(Finding { level, finding, host, chain, session, text });
    }
}

/// Everything that is found, the worst first.
pub fn reconcile(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    let said: Vec<_> = facts.chains.iter().map(|chain| (chain, sessions::said(chain))).collect();
    chains::reconcile(facts, &mut found);
    sessions::reconcile(facts, &said, &mut found);
    events::reconcile(facts, &said, &mut found);
    found.sort();
    found.dedup();
    found
}

fn shown(chain: ChainId) -> Option<String> {
    Some(chain.to_string())
}
