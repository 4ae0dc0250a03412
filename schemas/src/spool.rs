//! How a recorder's spool lies on disk, as far as programs other than the recorder read it.
//!
//! The spool is the recorder's own: nobody else writes there, and what stands here may change with the recorder. It is in
//! this crate because a reviewer's program reads it too, and knows no recorder. Names, and what small files hold; the files
//! of segments are `segment`'s, and what the recorder keeps for itself is in its own documentation.

use serde::{Deserialize, Serialize};

use crate::event::Who;
use crate::ids::BootId;
use crate::names::EventName;
use crate::{ChainId, Error, Result, json, limits};

/// The folder of the sessions' folders, each named by the session's id.
pub const SESSIONS: &str = "sessions";
/// The folder of the host chain.
pub const CHAIN: &str = "chain";
/// How the folders of chains begin that were put aside: `chain.<chain16>`.
pub const CHAIN_ASIDE: &str = "chain.";
/// What must be known of a session whose recorder is gone: an [`About`].
pub const ABOUT: &str = "about.json";
/// The last word of the type of the event that a session has started.
pub const STARTED: &str = "started";
/// Entries in one file of a chain's log. Some MiB: small enough to read whole.
pub const LOG_ENTRIES: u64 = 4_096;

/// The file of a chain's log that holds this entry: named by its first one.
pub fn log_name(seq: u64) -> String {
    format!("{:012}.log", seq - seq % LOG_ENTRIES)
}

/// The first entry of a file of a chain's log.
pub fn log_first(name: &str) -> Option<u64> {
    let first = name.strip_suffix(".log")?.parse().ok()?;
    (log_name(first) == name).then_some(first)
}

/// A segment in a session's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SegmentFile<'a> {
    /// Open, or closed and not yet signed: `000005.journal`.
    Journal(u32),
    /// Closed, signed and durable: `000004-<digest16>.hseg`.
    Closed(u32, &'a str),
}

impl<'a> SegmentFile<'a> {
    /// Reads a name; `None` for what is no segment.
    pub fn parse(name: &'a str) -> Option<Self> {
        let number = |digits: &str| {
            let plain = digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
            let number: u32 = Some(digits).filter(|_| plain)?.parse().ok()?;
            (number <= limits::SEGMENT_NUMBER).then_some(number)
        };
        if let Some(digits) = name.strip_suffix(".journal") {
            return number(digits).map(Self::Journal);
        }
        let (digits, digest16) = name.strip_suffix(".hseg")?.split_once('-')?;
        number(digits).map(|number| Self::Closed(number, digest16))
    }
}

/// An event that waits in a session's folder, `000003-stopped.event`: its place in their order, and the last word of its
/// type.
pub fn event_file(name: &str) -> Option<(u32, &str)> {
    let (digits, word) = name.strip_suffix(".event")?.split_once('-')?;
    let number = Some(digits).filter(|digits| digits.len() >= 6)?.parse().ok()?;
    Some((number, word))
}

/// What such a file holds: the event's name in a store, and the document as it is sent. A line each.
pub fn waiting_event(bytes: &[u8]) -> Result<(EventName, &[u8])> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let (name, document) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let name = std::str::from_utf8(name).map_err(|_| Error::BadName("not UTF-8".into()))?;
    Ok((EventName::parse(name)?, document))
}

/// What must be known of a session whose recorder is gone. Readable by the owner of the spool only: an event sink's address
/// can be its secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct About {
    /// The chain that holds its `start`.
    pub chain: ChainId,
    /// Sequence number of that entry.
    pub start_seq: u64,
    /// The boot it ran in.
    pub boot: BootId,
    /// Addresses of its sinks.
    pub sinks: Vec<String>,
    /// Addresses of its event sinks, complete.
    #[serde(default)]
    pub notify: Vec<String>,
    /// What its events say of it; none of a session that was begun before there were any.
    #[serde(default)]
    pub who: Option<Who>,
    /// There is no session: the folder carries an event and nothing else.
    #[serde(default)]
    pub notice: bool,
}

impl About {
    /// Reads the document. `Err` says what is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        json::parse(bytes)
    }

    /// The name of the event that the session has started, which its recorder writes a while after.
    pub fn started(&self) -> Option<EventName> {
        let who = self.who.as_ref().filter(|_| !self.notice)?;
        let (kind, user) = (who.kind.as_str(), who.user_or_uid());
        Some(EventName::new(&self.chain, Some(who.session), who.started, kind, &who.host, &user, STARTED))
    }
}

#[cfg(test)]
mod tests {
    use super::{SegmentFile, event_file, log_first, log_name};

    #[test]
    fn names_are_read_and_others_passed_over() {
        assert_eq!(SegmentFile::parse("000005.journal"), Some(SegmentFile::Journal(5)));
        assert_eq!(SegmentFile::parse("000004-00ff.hseg"), Some(SegmentFile::Closed(4, "00ff")));
        for other in ["5.journal", "000005.joined", "000004.hseg", "head", "0000004-00ff.hseg", "+00004.journal"] {
            assert_eq!(SegmentFile::parse(other), None, "{other}");
        }
        assert_eq!(event_file("000003-stopped.event"), Some((3, "stopped")));
        assert_eq!(event_file("3-stopped.event"), None);
        assert_eq!(log_name(5_000), "000000004096.log");
        assert_eq!(log_first("000000004096.log"), Some(4_096));
        assert_eq!(log_first("000000004097.log"), None);
    }
}
