//! What can be wrong with recorded bytes: one closed list.
//!
//! Every variant maps to an [`Outcome`] of FORMAT.md, section 13. Not for I/O failures: there is no I/O here.

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The closed list of outcomes that readers and test vectors share (FORMAT.md, section 13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the documentation; FORMAT.md section 13")]
pub enum Outcome {
    Ok,
    Recovered,
    BadHeader,
    BadKeys,
    BadBlock,
    BlockCrc,
    BlockAuth,
    BadLine,
    BadFooter,
    BadTrailer,
    BadSignature,
    NoRecipient,
    Commit,
    Erased,
    Altered,
    Truncated,
    TrailingData,
    UnsupportedVersion,
    Limit,
    ChainBroken,
    Fork,
}

impl Outcome {
    /// The word used in vectors and `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Recovered => "recovered",
            Self::BadHeader => "bad-header",
            Self::BadKeys => "bad-keys",
            Self::BadBlock => "bad-block",
            Self::BlockCrc => "block-crc",
            Self::BlockAuth => "block-auth",
            Self::BadLine => "bad-line",
            Self::BadFooter => "bad-footer",
            Self::BadTrailer => "bad-trailer",
            Self::BadSignature => "bad-signature",
            Self::NoRecipient => "no-recipient",
            Self::Commit => "commit",
            Self::Erased => "erased",
            Self::Altered => "altered",
            Self::Truncated => "truncated",
            Self::TrailingData => "trailing-data",
            Self::UnsupportedVersion => "unsupported-version",
            Self::Limit => "limit",
            Self::ChainBroken => "chain-broken",
            Self::Fork => "fork",
        }
    }
}

/// What is wrong. The texts are for people; [`Error::outcome`] is for programs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A header line that is not one.
    #[error("bad header: {0}")]
    BadHeader(String),
    /// A keys line that is not one, or wraps that do not hold what they must.
    #[error("bad keys line: {0}")]
    BadKeys(String),
    /// A block that is not one.
    #[error("bad block {block}: {why}")]
    BadBlock {
        /// Its number, from 0.
        block: u64,
        /// What is wrong with it.
        why: String,
    },
    /// The CRC-32C of a block does not hold.
    #[error("block {0} is damaged: its CRC-32C does not hold")]
    BlockCrc(u64),
    /// The tag of a block does not hold.
    #[error("block {0} does not decrypt: its authentication tag does not hold")]
    BlockAuth(u64),
    /// An event line that is not one.
    #[error("bad event line: {0}")]
    BadLine(String),
    /// A footer that is not one or disagrees with the lines.
    #[error("bad footer: {0}")]
    BadFooter(String),
    /// A trailer that is not one or disagrees with the blocks.
    #[error("bad trailer: {0}")]
    BadTrailer(String),
    /// A signature does not hold.
    #[error("signature does not hold: {0}")]
    BadSignature(String),
    /// No identity at hand unwraps the keys.
    #[error("no identity at hand opens this recording; it is sealed to: {}", recipients.join(", "))]
    NoRecipient {
        /// Who could, as the keys line names them.
        recipients: Vec<String>,
    },
    /// The secret does not match the header's commitment.
    #[error("the unwrapped key is not the one the header commits to")]
    Commit,
    /// The keys line is `{}`.
    #[error("the keys of this segment were erased")]
    Erased,
    /// Bytes that contradict a signed statement.
    #[error("altered: {0}")]
    Altered(String),
    /// Bytes end too early.
    #[error("truncated: {0}")]
    Truncated(String),
    /// Bytes after the end.
    #[error("{0} bytes after the end of the last segment")]
    TrailingData(u64),
    /// A version or suite of a newer format.
    #[error("written by a newer format: {0}")]
    UnsupportedVersion(String),
    /// A limit of section 2 is exceeded.
    #[error("limit exceeded: {what} is over {limit}")]
    Limit {
        /// What is too large.
        what: &'static str,
        /// The limit, in bytes or as a count.
        limit: u64,
    },
    /// The host chain cannot be followed further.
    #[error("chain broken at entry {seq}: {why}")]
    ChainBroken {
        /// The sequence number that is missing or wrong.
        seq: u64,
        /// What is wrong.
        why: String,
    },
    /// Two entries share one sequence number.
    #[error("chain fork: two different entries with number {0}")]
    Fork(u64),
    /// A name in a store that does not encode back to itself; the text is safe to print.
    #[error("not a name of this format: {0}")]
    BadName(String),
    /// A recipient or an identity that somebody configured cannot be used; not a fault of a recording.
    #[error("unusable key: {0}")]
    UnusableKey(String),
    /// The caller asked for something the format cannot express (a writer's misuse, never input).
    #[error("cannot be written: {0}")]
    Unwritable(String),
}

impl Error {
    /// The outcome of section 13. [`Error::Unwritable`] counts as `limit`, [`Error::BadName`] as `bad-header`.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::BadHeader(_) | Self::BadName(_) => Outcome::BadHeader,
            Self::BadKeys(_) | Self::UnusableKey(_) => Outcome::BadKeys,
            Self::BadBlock { .. } => Outcome::BadBlock,
            Self::BlockCrc(_) => Outcome::BlockCrc,
            Self::BlockAuth(_) => Outcome::BlockAuth,
            Self::BadLine(_) => Outcome::BadLine,
            Self::BadFooter(_) => Outcome::BadFooter,
            Self::BadTrailer(_) => Outcome::BadTrailer,
            Self::BadSignature(_) => Outcome::BadSignature,
            Self::NoRecipient { .. } => Outcome::NoRecipient,
            Self::Commit => Outcome::Commit,
            Self::Erased => Outcome::Erased,
            Self::Altered(_) => Outcome::Altered,
            Self::Truncated(_) => Outcome::Truncated,
            Self::TrailingData(_) => Outcome::TrailingData,
            Self::UnsupportedVersion(_) => Outcome::UnsupportedVersion,
            Self::Limit { .. } | Self::Unwritable(_) => Outcome::Limit,
            Self::ChainBroken { .. } => Outcome::ChainBroken,
            Self::Fork(_) => Outcome::Fork,
        }
    }
}
