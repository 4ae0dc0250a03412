//! Why a session could not start or go on, and the exit status that says so.
//!
//! Written by hand, so that no derive crate comes into this tree. Not for what the recorder reports: `RecorderError`.

use std::ffi::OsString;
use std::{fmt, io};

/// Why a session could not start or go on.
#[derive(Debug)]
#[non_exhaustive]
pub enum TeeError {
    /// No such program.
    NotFound {
        /// As it was given.
        program: OsString,
    },
    /// The program is there, or seems to be, but cannot be executed.
    NotExecutable {
        /// As it was given.
        program: OsString,
        /// What the kernel said.
        source: io::Error,
    },
    /// The system refused something that a session needs.
    System {
        /// What was attempted.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The recorder cannot go on; the session has been ended.
    Recorder(String),
}

impl TeeError {
    /// The exit status for it, as env(1) and timeout(1) have them: 125 own failure, 126 not executable, 127 not found.
    pub fn status(&self) -> i32 {
        match self {
            Self::NotFound { .. } => 127,
            Self::NotExecutable { .. } => 126,
            Self::System { .. } | Self::Recorder(_) => 125,
        }
    }

    pub(crate) fn of_exec(program: &std::ffi::OsStr, source: io::Error) -> Self {
        let program = program.to_owned();
        if source.kind() == io::ErrorKind::NotFound {
            Self::NotFound { program }
        } else {
            Self::NotExecutable { program, source }
        }
    }
}

impl fmt::Display for TeeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { program } => write!(f, "no such program: {program:?}"),
            Self::NotExecutable { program, source } => write!(f, "cannot execute {program:?}: {source}"),
            Self::System { what, source } => write!(f, "cannot {what}: {source}"),
            Self::Recorder(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for TeeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NotExecutable { source, .. } | Self::System { source, .. } => Some(source),
            Self::NotFound { .. } | Self::Recorder(_) => None,
        }
    }
}

/// Names what was attempted.
pub(crate) trait Attempt<T> {
    fn attempt(self, what: &'static str) -> Result<T, TeeError>;
}

impl<T, E: Into<io::Error>> Attempt<T> for Result<T, E> {
    fn attempt(self, what: &'static str) -> Result<T, TeeError> {
        self.map_err(|source| TeeError::System { what, source: source.into() })
    }
}
