//! What an agent keeps of a session in its folder, for the agent that takes the session up after it.
//!
//! Written once, before the user's program runs, and not synced: it is for the death of a process, and what a power failure
//! takes has no tee that could come back. Readable by the owner of the spool only. Not for what is recorded: none of this
//! leaves the host.

use std::io;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hansard_schemas::session::Kind;
use hansard_schemas::{Digest, SessionId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::cli::InputMode;

/// What is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// SHA-256 of what the tee shows to come back.
    pub token: Digest,
    /// CLOCK_BOOTTIME at the session's start, in microseconds.
    pub start_us: u64,
    /// Who may come back.
    pub uid: u32,
    /// The user's name or number.
    pub user: String,
    /// How it is captured.
    pub kind: Kind,
    /// Where it comes from.
    pub from: Option<IpAddr>,
    /// The outer terminal.
    pub tty: Option<String>,
    /// The mode of the outer terminal before it was taken; none where it was not.
    pub tty_mode: Option<u32>,
    /// It is nobody's to write to but root's, and was not taken.
    #[serde(default)]
    pub out_of_reach: bool,
    /// When it began.
    pub started: Timestamp,
    /// How typed input is recorded.
    pub input: InputMode,
    /// Whether what is shown is recorded, and not only that there was a session.
    #[serde(default = "yes")]
    pub content: bool,
    /// Limits of policy, in seconds.
    pub idle_s: Option<u64>,
    /// The same of the whole session.
    pub duration_s: Option<u64>,
}

/// What agents kept that always recorded the content.
fn yes() -> bool {
    true
}

fn path(sessions: &Path, session: SessionId) -> PathBuf {
    sessions.join(session.to_string()).join("agent.json")
}

impl Kept {
    /// Writes it into the session's folder.
    pub fn write(&self, sessions: &Path, session: SessionId) -> io::Result<()> {
        use std::io::Write as _;
        let json = serde_json::to_vec(self).map_err(io::Error::other)?;
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600).open(path(sessions, session))?.write_all(&json)
    }

    /// Reads it; `None` where there is none that can be read.
    pub fn read(sessions: &Path, session: SessionId) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(path(sessions, session)).ok()?).ok()
    }

    /// Whether this is the session's own tee.
    pub fn is_of(&self, uid: u32, token: &[u8]) -> bool {
        self.uid == uid && self.token == Digest::of(token)
    }

    /// The limits, as policy has them.
    pub fn limits(&self) -> (Option<Duration>, Option<Duration>) {
        (self.idle_s.map(Duration::from_secs), self.duration_s.map(Duration::from_secs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_tee_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let session: SessionId = "0193a0b1-0000-7000-8000-000000000001".parse().unwrap();
        std::fs::create_dir(folder.path().join(session.to_string())).unwrap();
        let kept = Kept {
            token: Digest::of(b"token"),
            start_us: 5,
            uid: 1000,
            user: "ann".into(),
            kind: Kind::Interactive,
            from: Some("192.0.2.1".parse().unwrap()),
            tty: Some("/dev/pts/3".into()),
            tty_mode: Some(0o620),
            out_of_reach: false,
            started: Timestamp::new(chrono::Utc::now()),
            input: InputMode::Masked,
            content: true,
            idle_s: Some(60),
            duration_s: None,
        };
        kept.write(folder.path(), session).unwrap();
        let read = Kept::read(folder.path(), session).unwrap();
        assert_eq!((read.user.as_str(), read.limits().0), ("ann", Some(Duration::from_secs(60))));
        assert!(read.is_of(1000, b"token") && !read.is_of(1001, b"token") && !read.is_of(1000, b"tokem"));
        let other = "0193a0b1-0000-7000-8000-000000000002".parse().unwrap();
        assert_eq!(Kept::read(folder.path(), other), None);
    }
}
