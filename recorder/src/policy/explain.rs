//! Why a policy decides as it does: rule after rule, up to the one that matches.

use serde::Serialize;

use super::decide::{Decision, Policy, Subject};

/// The way to a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The rules that were looked at, in order; the last one decides unless it was missed.
    pub rules: Vec<Step>,
    /// What they come to.
    pub decision: Decision,
}

/// One rule on that way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Its name.
    pub rule: String,
    /// Its first condition that does not hold; `None` where it decides.
    pub missed: Option<Missed>,
}

/// A condition that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missed {
    /// Its key in the configuration.
    pub condition: &'static str,
    /// What it asks for: one of these.
    pub wanted: Vec<String>,
    /// What the session has.
    pub found: String,
}

impl Policy {
    /// The same decision as `decide`, with the way to it.
    pub fn explain(&self, subject: &Subject<'_>) -> Explanation {
        let mut rules = Vec::new();
        for rule in &self.rules {
            let missed = rule.missed(subject).map(|condition| Missed {
                condition: condition.key,
                wanted: condition.wanted.clone(),
                found: condition.found(subject),
            });
            let decides = missed.is_none();
            rules.push(Step { rule: rule.name.clone(), missed });
            if decides {
                return Explanation { rules, decision: self.of_rule(Some(rule)) };
            }
        }
        Explanation { rules, decision: self.of_rule(None) }
    }
}
