//! What can go wrong with a sink or store, and whether trying again can help.

use std::io;
use std::time::Duration;

/// What a caller should do after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The place is away, full or closed to us: nothing is wrong with the object. Wait, say so, go on for ever.
    Wait,
    /// This request failed: try it again soon.
    Retry,
    /// The same request will never succeed; keep the object and tell a person.
    Never,
}

/// What went wrong. The texts carry no credentials.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// The address is not one.
    #[error("{address}: {why}")]
    BadAddress {
        /// As it was given.
        address: String,
        /// What is wrong with it.
        why: String,
    },
    /// A name that no object may have.
    #[error("{name}: not a name for an object: {why}")]
    BadName {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The object is larger than the place or the format allows.
    #[error("{name}: {bytes} bytes are over the limit of {limit}")]
    TooLarge {
        /// The object.
        name: String,
        /// Its length.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// Not a file where one belongs: a directory, a link, a pipe.
    #[error("{name}: {what}, not a file")]
    NotAFile {
        /// The object.
        name: String,
        /// What is there instead.
        what: &'static str,
    },
    /// The place or the object is not there.
    #[error("{name}: not there")]
    NotThere {
        /// The place or object.
        name: String,
    },
    /// The operating system refused.
    #[error("{name}: cannot {action}: {source}")]
    Io {
        /// The place or object.
        name: String,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A place elsewhere refused, or did not answer.
    #[error("{name}: cannot {action}: {why}")]
    Remote {
        /// The place or object.
        name: String,
        /// What was tried.
        action: &'static str,
        /// What it said: its code and its message.
        why: String,
        /// What to do next.
        class: Class,
        /// What a person can do about it, where that is known.
        hint: Option<String>,
        /// How long it asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// A fault that a test asked for.
    #[error("{name}: injected fault")]
    Injected {
        /// The object.
        name: String,
        /// What it pretends to be.
        class: Class,
    },
}

impl SinkError {
    /// What to do next.
    pub fn class(&self) -> Class {
        match self {
            Self::BadAddress { .. } | Self::BadName { .. } | Self::TooLarge { .. } | Self::NotAFile { .. } => {
                Class::Never
            }
            Self::NotThere { .. } => Class::Wait,
            Self::Io { source, .. } => class_of(source),
            Self::Injected { class, .. } | Self::Remote { class, .. } => *class,
        }
    }

    /// What a person can do about it, where that is known.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Remote { hint, .. } => hint.as_deref(),
            _ => None,
        }
    }

    /// What happened, and after it what a person can do about it, where that is known: for one line.
    pub fn with_hint(&self) -> String {
        self.hint().map_or_else(|| self.to_string(), |hint| format!("{self} ({hint})"))
    }

    /// How long the place asked to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Remote { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// A full or closed disk wants patience or an operator; only what depends on the name itself is hopeless.
fn class_of(error: &io::Error) -> Class {
    use io::ErrorKind as K;
    match error.kind() {
        K::StorageFull
        | K::QuotaExceeded
        | K::PermissionDenied
        | K::ReadOnlyFilesystem
        | K::NotFound
        | K::StaleNetworkFileHandle
        | K::NotADirectory => Class::Wait,
        K::InvalidFilename | K::FileTooLarge | K::InvalidInput | K::Unsupported => Class::Never,
        _ => Class::Retry,
    }
}

/// An error and its causes in one line, each said once.
#[cfg(feature = "remote")]
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Class, SinkError};

    #[test]
    fn a_full_disk_waits_a_failed_write_is_tried_again_a_bad_name_never() {
        let io = |errno: rustix::io::Errno| {
            SinkError::Io { name: "x".into(), action: "write", source: errno.into() }.class()
        };
        use rustix::io::Errno;
        assert_eq!(io(Errno::NOSPC), Class::Wait);
        assert_eq!(io(Errno::DQUOT), Class::Wait);
        assert_eq!(io(Errno::ROFS), Class::Wait);
        assert_eq!(io(Errno::ACCESS), Class::Wait);
        assert_eq!(io(Errno::IO), Class::Retry);
        assert_eq!(io(Errno::INTR), Class::Retry);
        assert_eq!(io(Errno::NAMETOOLONG), Class::Never);
        assert_eq!(SinkError::BadName { name: "..".into(), why: "x" }.class(), Class::Never);
    }
}
