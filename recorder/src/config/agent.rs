//! `[agent]`: what only the daemon reads; and which keys count only from its next start on.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Config, duration};
use crate::paths;

/// `[agent]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Agent {
    /// Its socket, where systemd does not hold one for it.
    pub socket: PathBuf,
    /// How long output is held, and a session kept, while one of tee and agent is away.
    #[serde(with = "duration")]
    pub grace: Duration,
    /// Most sessions that one user may have at once.
    pub sessions_per_user: usize,
    /// Threads that serve sessions; one for each processor where it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<usize>,
    /// A file that the metrics are written to every 15 s, in Prometheus' text format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<PathBuf>,
    /// The file that `enroll` keeps the real shells in.
    pub shells: PathBuf,
}

impl Default for Agent {
    fn default() -> Self {
        Self {
            socket: paths::SOCKET.into(),
            grace: Duration::from_secs(60),
            sessions_per_user: 1000,
            workers: None,
            metrics: None,
            shells: paths::SHELLS.into(),
        }
    }
}

impl Agent {
    /// What of it cannot be.
    pub(super) fn validate(&self) -> Result<(), String> {
        if !(1..=86_400).contains(&self.grace.as_secs()) {
            return Err(format!(
                "agent.grace is {}: it must be from 1s to 1day",
                humantime::format_duration(self.grace)
            ));
        }
        if self.sessions_per_user == 0 {
            return Err("agent.sessions_per_user is 0: nobody could log in".into());
        }
        if self.workers.is_some_and(|workers| !(1..=256).contains(&workers)) {
            return Err("agent.workers must be from 1 to 256".into());
        }
        for (key, path) in [("socket", &self.socket), ("shells", &self.shells)] {
            if !path.is_absolute() {
                return Err(format!("agent.{key} is {}: it must be an absolute path", path.display()));
            }
        }
        Ok(())
    }
}

/// Tables and keys in which two configurations differ, of those that an agent reads at its start only.
pub fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    // By what they look like: none of these types is compared for anything else.
    fn differ<T: std::fmt::Debug>(a: &T, b: &T) -> bool {
        format!("{a:?}") != format!("{b:?}")
    }
    let differences = [
        ("to", differ(&old.to, &new.to)),
        ("sink", differ(&old.sink, &new.sink)),
        ("notify", differ(&old.notify, &new.notify)),
        ("recipients", differ(&old.recipients, &new.recipients)),
        ("recipients_file", differ(&old.recipients_file, &new.recipients_file)),
        ("journal", differ(&old.journal, &new.journal)),
        ("spool", differ(&old.spool, &new.spool)),
        ("ship", differ(&old.ship, &new.ship)),
        ("events", differ(&old.events, &new.events)),
        ("agent", differ(&old.agent, &new.agent)),
    ];
    differences.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}

#[cfg(test)]
mod tests {
    use super::needs_restart;
    use crate::config::parse;

    #[test]
    fn what_needs_a_restart_is_named() {
        let config = |text: &str| parse(text).unwrap();
        let old = config("to = ['/a']\n[input]\nmode = 'off'\n");
        assert!(needs_restart(&old, &config("to = ['/a']\n[input]\nmode = 'on'\n")).is_empty());
        let new = config("to = ['/b']\n[agent]\ngrace = '5s'\n");
        assert_eq!(needs_restart(&old, &new), ["to", "agent"]);
    }

    #[test]
    fn bounds_are_said() {
        for bad in ["grace = '0s'", "sessions_per_user = 0", "workers = 0", "socket = 'x'", "sokcet = '/x'"] {
            assert!(parse(&format!("[agent]\n{bad}\n")).is_err(), "{bad}");
        }
    }
}
