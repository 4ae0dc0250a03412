//! Who and what a session is, and how it ended: the identity object (FORMAT.md, section 9) and the footer of a
//! segment (section 4.4).
//!
//! Plain documents. Where the values come from is the recorder's concern.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::BootId;
use crate::{Digest, Error, Result, SessionId, Timestamp, json};

/// The identity object: inside the encryption, in the header line of the recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Identity {
    /// The session.
    pub session: SessionId,
    /// Wall-clock time of its start.
    pub started: Timestamp,
    /// Name of the host, a claim: the chain id is the identity.
    pub host: String,
    /// How it was captured.
    pub kind: Kind,
    /// What the kernel and the user database say.
    pub kernel: Kernel,
    /// What the environment and the command line say.
    pub claimed: Claimed,
}

/// How a session is captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// On a terminal.
    Interactive,
    /// Without a terminal: pipes, streams apart.
    Exec,
    /// A known file transfer server, bounded.
    Transfer,
}

impl Kind {
    /// The word of the document.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Interactive => "interactive",
            Self::Exec => "exec",
            Self::Transfer => "transfer",
        }
    }
}

/// Facts of a session that the recorded user cannot choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Kernel {
    /// Real user id.
    pub uid: u32,
    /// Real group id.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Audit login uid, where one was set.
    pub login_uid: Option<u32>,
    /// Parent process.
    pub ppid: u32,
    /// Path of the parent's program, where it can be read.
    pub parent: Option<String>,
    /// Terminal, if there is one.
    pub tty: Option<String>,
    /// Name of the host as the kernel has it.
    pub hostname: String,
    /// HMAC of the machine id, as in the genesis entry.
    pub machine: Option<Digest>,
    /// Boot id of the kernel.
    pub boot: BootId,
    /// User name from the user database, if it has one for the uid.
    pub user: Option<String>,
    /// Address and port of the far end of the ssh connection, by the socket that the ssh daemon above the session holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

impl Kernel {
    /// The user's name, or the number, as names of events and lists have it.
    pub fn user_or_uid(&self) -> String {
        self.user.clone().unwrap_or_else(|| self.uid.to_string())
    }

    /// The user's name, or `uid N`, for people to read.
    pub fn user_in_words(&self) -> String {
        self.user.clone().unwrap_or_else(|| format!("uid {}", self.uid))
    }
}

/// What the recorded user, or whoever started the session, says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Claimed {
    /// Command and arguments; bytes that are not UTF-8 as U+FFFD.
    pub command: Vec<String>,
    /// Working directory.
    pub cwd: String,
    /// Environment: only names on the allow list.
    pub env: BTreeMap<String, String>,
    /// Labels given on the command line or by policy.
    pub labels: BTreeMap<String, String>,
    /// Reason given on the command line.
    pub reason: Option<String>,
    /// `SSH_CONNECTION`.
    pub ssh_connection: Option<String>,
    /// What the file named by `SSH_USER_AUTH` says.
    pub ssh_user_auth: Option<String>,
    /// Which key that is: the fingerprint, or a certificate's id and serial and the fingerprints of its key and its signer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh_key: Option<String>,
}

/// The label that says that a recorder imported the session, and of which format the source was. Labels about the source
/// begin with it and a dot. Nobody else can give them.
pub const IMPORT: &str = "import";

impl Claimed {
    /// Of a session that was imported: from what, and what that means. Not safe to print.
    pub fn imported(&self) -> Option<String> {
        let format = self.labels.get(IMPORT)?;
        let file = self.labels.get(&format!("{IMPORT}.file")).map(|file| format!(", {file}")).unwrap_or_default();
        Some(format!("imported from another tool's recording ({format}{file}): who, where and when are its claims"))
    }
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StopOutcome {
    /// The command returned.
    Exited,
    /// A signal ended the command.
    Signalled,
    /// The terminal or connection went away.
    Disconnected,
    /// An operator ended it.
    Terminated,
    /// Nothing happened for too long.
    IdleTimeout,
    /// It lasted too long.
    MaxDuration,
    /// It could not be recorded any longer.
    RecorderFailed,
}

impl StopOutcome {
    /// The word of the document.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exited => "exited",
            Self::Signalled => "signalled",
            Self::Disconnected => "disconnected",
            Self::Terminated => "terminated",
            Self::IdleTimeout => "idle-timeout",
            Self::MaxDuration => "max-duration",
            Self::RecorderFailed => "recorder-failed",
        }
    }
}

impl std::fmt::Display for StopOutcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The stop summary in the footer of the last segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stop {
    /// How it ended.
    pub outcome: StopOutcome,
    /// Exit status; 128 + n for signal n.
    pub status: u32,
    /// Signal that ended the command.
    pub signal: Option<u32>,
    /// Processes that were still there.
    pub left_behind: Vec<LeftBehind>,
}

/// A process that outlived its session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeftBehind {
    /// Its id.
    pub pid: u32,
    /// Its command.
    pub command: String,
}

/// How much one stream holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StreamCount {
    /// Event lines.
    pub events: u64,
    /// Raw bytes.
    pub bytes: u64,
}

/// Counts of the streams that occur.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Streams {
    /// Output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub o: Option<StreamCount>,
    /// Standard error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e: Option<StreamCount>,
    /// Input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub i: Option<StreamCount>,
}

impl Streams {
    /// Counts `events` event lines of `code` with `bytes` raw bytes together; other codes are not streams.
    pub fn add(&mut self, code: crate::cast::Code, events: u64, bytes: u64) {
        let stream = match code {
            crate::cast::Code::Output => &mut self.o,
            crate::cast::Code::Error => &mut self.e,
            crate::cast::Code::Input => &mut self.i,
            _ => return,
        };
        let count = stream.get_or_insert_default();
        count.events = count.events.saturating_add(events);
        count.bytes = count.bytes.saturating_add(bytes);
    }

    /// Adds what another count holds.
    pub fn merge(&mut self, other: &Self) {
        use crate::cast::Code;
        for (code, count) in [(Code::Output, other.o), (Code::Error, other.e), (Code::Input, other.i)] {
            if let Some(StreamCount { events, bytes }) = count {
                self.add(code, events, bytes);
            }
        }
    }
}

/// The footer: the last block of every closed segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Footer {
    /// Line feeds of the segment's event lines.
    pub lines: u64,
    /// Event time at its end less `offset_ms`.
    pub duration_ms: u64,
    /// Counts of the streams that occur.
    pub streams: Streams,
    /// In the last segment only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
}

impl Footer {
    /// The document.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|e| Error::Unwritable(format!("footer: {e}")))
    }

    /// Reads the document.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        json::parse(bytes).map_err(Error::BadFooter)
    }
}
