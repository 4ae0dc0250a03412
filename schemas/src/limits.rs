//! The limits of the format (FORMAT.md, section 2), the same for writers and readers.
//!
//! Not for tunables: what an operator may set lives in the recorder's configuration and is bounded by these.

/// LIM-1: decompressed event lines of one segment, in bytes. Bounds what a reader may have to hold.
pub const SEGMENT_LINES: u64 = 64 << 20;
/// LIM-2: raw stream bytes a writer gathers in one block. Large enough that compression flushes cost under 1 %.
pub const BLOCK_RAW: usize = 256 << 10;
/// LIM-3: decompressed event lines of one block. Six times [`BLOCK_RAW`] (the worst escape) fits well inside.
pub const BLOCK_LINES: usize = 4 << 20;
/// LIM-4: smallest sealed block: kind byte and 16-byte tag.
pub const SEALED_MIN: u32 = 17;
/// LIM-4: largest sealed block.
pub const SEALED_MAX: u32 = 4 << 20;
/// LIM-5: header, trailer and chain entry line, with the line feed.
pub const META_LINE: usize = 64 << 10;
/// LIM-6: keys line, with the line feed. Room for some thousand recipients.
pub const KEYS_LINE: usize = 1 << 20;
/// LIM-7: one event line, with the line feed.
pub const EVENT_LINE: usize = 1 << 20;
/// LIM-8: raw bytes of one event.
pub const EVENT_RAW: usize = 64 << 10;
/// LIM-9: log2 of the zstd window a reader accepts (8 MiB).
pub const ZSTD_WINDOW_LOG: u32 = 23;
/// LIM-10: highest index of a segment secret in its epoch. Bounds the hashing a header can ask for.
pub const EPOCH_INDEX: u32 = 65_535;
/// LIM-11: highest segment number and epoch number; six digits in names.
pub const SEGMENT_NUMBER: u32 = 999_999;
/// LIM-12: one segment as stored, in bytes.
pub const SEGMENT_STORED: u64 = 128 << 20;
/// LIM-13: one chain object, in bytes.
pub const CHAIN_OBJECT: usize = 16 << 20;
/// LIM-14: one lifecycle event, in bytes.
pub const EVENT_DOCUMENT: usize = 256 << 10;
/// JSON-7: how deep arrays and objects nest in any document, the outermost among them.
pub const JSON_DEPTH: usize = 32;
/// JSON-3: the largest integer in any document.
pub const JSON_INTEGER: u64 = (1 << 53) - 1;
/// Segment length at which a writer closes by default; see the recorder's `max_segment`.
pub const SEGMENT_DEFAULT: u64 = 8 << 20;
/// Age of an epoch at which a writer begins a new one (KEY-1), in milliseconds.
pub const EPOCH_AGE_MS: u64 = 3_600_000;
