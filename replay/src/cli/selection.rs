//! Which sessions a command is about, where it can be about many.

use chrono::{DateTime, Utc};
use clap::Args;
use clap_complete::ArgValueCandidates;
use hansard_sinks::TimeRange;

use super::time;
use crate::completing::sessions;

/// Sessions by name, or all that fit.
#[derive(Debug, Clone, Default, Args)]
pub struct Selection {
    /// Sessions: ids, the beginnings or ends of them, or `latest`; without any, all that the options below leave
    #[arg(value_name = "ID", add = ArgValueCandidates::new(sessions))]
    pub ids: Vec<String>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "documented at its type")]
    pub filter: Filter,
}

impl Selection {
    /// Whether it takes all sessions of a stretch of time.
    pub fn is_all(&self) -> bool {
        self.ids.is_empty() && !self.filter.is_by_name()
    }
}

/// A stretch of time, and hosts.
#[derive(Debug, Clone, Default, Args)]
pub struct Scope {
    /// Only sessions that started at or after this time (UTC): 2026-11-22 or 2026-11-22T09:30:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub since: Option<DateTime<Utc>>,
    /// Only sessions that started before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub until: Option<DateTime<Utc>>,
    /// Only sessions on this host; `*` stands for any characters
    #[arg(long, value_name = "NAME")]
    pub host: Option<String>,
}

/// What the names in a store are held against.
#[derive(Debug, Clone, Default, Args)]
pub struct Filter {
    #[command(flatten)]
    #[allow(missing_docs, reason = "documented at its type")]
    pub scope: Scope,
    /// Only sessions of this user; `*` stands for any characters
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Only sessions of this kind: interactive, exec or transfer
    #[arg(long, value_name = "KIND")]
    pub kind: Option<String>,
}

impl Scope {
    /// The stretch of time.
    pub fn range(&self) -> TimeRange {
        TimeRange { from: self.since, until: self.until }
    }

    /// Whether a host of this name fits.
    pub fn takes(&self, host: &str) -> bool {
        fits(&self.host, host)
    }
}

impl Filter {
    /// Whether it asks for more than a stretch of time.
    pub fn is_by_name(&self) -> bool {
        self.scope.host.is_some() || self.user.is_some() || self.kind.is_some()
    }

    /// Whether a session of these fits.
    pub fn takes(&self, host: &str, user: &str, kind: &str) -> bool {
        self.scope.takes(host) && fits(&self.user, user) && fits(&self.kind, kind)
    }
}

/// Whether a text is what is asked for, if something is.
fn fits(pattern: &Option<String>, text: &str) -> bool {
    pattern.as_ref().is_none_or(|pattern| like(pattern, text))
}

/// Whether a text is what a pattern says, in which `*` stands for any characters.
fn like(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::like;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, text) in [("", ""), ("a", "a"), ("*", ""), ("a*", "abc"), ("*c", "abc"), ("a*b*c", "a--b-bc")] {
            assert!(like(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("", "a"), ("a", "A"), ("a*a", "a"), ("a*", "ba"), ("*c", "cd"), ("a*b*c", "acb")] {
            assert!(!like(pattern, text), "{pattern} {text}");
        }
    }
}
