//! Exact bytes (FORMAT.md, section 3.1): how bytes become text, and how the bytes come back from it.
//!
//! Text is what foreign players show; the groups of a `b` line say what each U+FFFD in it stood for. Also the two
//! incremental pieces around it: [`Splitter`] keeps a character that two reads cut in one event, [`Decoder`] turns
//! restored bytes into text. Not for the lines themselves: `cast`.

use std::borrow::Cow;

use crate::{Error, Result};

/// What stands in text for each maximal subpart of an ill-formed sequence.
pub const REPLACEMENT: char = '\u{fffd}';

const REPLACEMENT_UTF8: &[u8] = b"\xef\xbf\xbd";

/// Text of `raw`, and the data of the `b` line when `raw` is not valid UTF-8 (EXACT-1).
pub fn split(raw: &[u8]) -> (Cow<'_, str>, Option<String>) {
    if let Ok(text) = std::str::from_utf8(raw) {
        return (Cow::Borrowed(text), None);
    }
    let mut groups = Vec::new();
    write_groups(&mut groups, raw);
    (String::from_utf8_lossy(raw), Some(groups.into_iter().map(char::from).collect()))
}

/// Appends the groups of `raw`: one for each U+FFFD of its text, in order, one space between.
pub(crate) fn write_groups(out: &mut Vec<u8>, raw: &[u8]) {
    // One-byte groups are the rule where there are many.
    out.reserve(raw.len() * 3);
    let start = out.len();
    let mut group = |bytes: &[u8]| {
        if out.len() > start {
            out.push(b' ');
        }
        for byte in bytes {
            out.extend_from_slice(&HEX[usize::from(*byte)]);
        }
    };
    for chunk in raw.utf8_chunks() {
        for _ in 0..genuine(chunk.valid()) {
            group(REPLACEMENT_UTF8);
        }
        if !chunk.invalid().is_empty() {
            group(chunk.invalid());
        }
    }
}

/// How many genuine U+FFFD there are. In noise the pieces of text are short and ASCII, and a search costs more.
fn genuine(text: &str) -> usize {
    if text.is_ascii() { 0 } else { text.matches(REPLACEMENT).count() }
}

/// Two lower-case hex digits of every byte.
const HEX: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    table
};

/// The bytes that `text` and the data of its `b` line stand for (EXACT-2, EXACT-3).
///
/// Strict: only what [`split`] makes of some bytes that are not valid UTF-8 is accepted, so that text and bytes
/// cannot say two different things.
pub fn join(text: &str, groups: &str) -> Result<Vec<u8>> {
    let mut raw = Vec::with_capacity(text.len());
    let mut groups_left = groups.split(' ');
    let mut text_left = text.as_bytes();
    // Byte by byte: where there are groups at all they are close together.
    while let Some((byte, after)) = text_left.split_first() {
        if *byte == REPLACEMENT_UTF8[0]
            && let Some(after) = text_left.strip_prefix(REPLACEMENT_UTF8)
        {
            let group = groups_left.next().ok_or_else(|| bad("fewer groups than the text has U+FFFD"))?;
            push_group(&mut raw, group.as_bytes())?;
            text_left = after;
        } else {
            raw.push(*byte);
            text_left = after;
        }
    }
    if groups_left.next().is_some() {
        return Err(bad("more groups than the text has U+FFFD"));
    }
    if !is_split(&raw, text, groups) {
        return Err(bad("a group that is not what its U+FFFD stands for"));
    }
    Ok(raw)
}

/// Whether [`split`] makes this text and these groups of `raw`, which was joined from them.
fn is_split(raw: &[u8], text: &str, groups: &str) -> bool {
    let (mut text_left, mut groups_left, mut valid) = (text, groups.split(' '), true);
    for chunk in raw.utf8_chunks() {
        let Some(after) = text_left.strip_prefix(chunk.valid()) else { return false };
        text_left = after;
        if (0..genuine(chunk.valid())).any(|_| groups_left.next() != Some("efbfbd")) {
            return false;
        }
        if chunk.invalid().is_empty() {
            continue;
        }
        valid = false;
        let Some(after) = text_left.strip_prefix(REPLACEMENT) else { return false };
        text_left = after;
        // All before agrees, so the group's bytes are these if there are as many.
        if groups_left.next().is_none_or(|group| group.len() != 2 * chunk.invalid().len()) {
            return false;
        }
    }
    !valid && text_left.is_empty() && groups_left.next().is_none()
}

fn push_group(raw: &mut Vec<u8>, group: &[u8]) -> Result<()> {
    if !matches!(group.len(), 2 | 4 | 6) {
        return Err(bad("a group that is not 1 to 3 bytes of hex"));
    }
    for pair in group.chunks_exact(2) {
        match pair {
            [high, low] => raw.push(nibble(*high)? << 4 | nibble(*low)?),
            _ => return Err(bad("odd hex")),
        }
    }
    Ok(())
}

fn nibble(digit: u8) -> Result<u8> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(bad("a group that is not lower-case hex")),
    }
}

fn bad(why: &str) -> Error {
    Error::BadLine(format!("exact bytes: {why}"))
}

/// How many bytes at the end are the beginning of a character that may still be completed: 0 to 3.
pub(crate) fn incomplete_tail(bytes: &[u8]) -> usize {
    // The lead byte of an unfinished character is one of the last three bytes.
    for back in 1..=bytes.len().min(3) {
        let tail = &bytes[bytes.len() - back..];
        if tail[0] >= 0xc0 {
            return match std::str::from_utf8(tail) {
                Err(error) if error.valid_up_to() == 0 && error.error_len().is_none() => back,
                _ => 0,
            };
        }
        if tail[0] < 0x80 {
            return 0;
        }
    }
    0
}

/// Holds back the unfinished character at the end of a stream's bytes until the next ones come (EXACT-4).
#[derive(Debug, Default)]
pub struct Splitter {
    held: [u8; 3],
    len: usize,
}

impl Splitter {
    /// With nothing held.
    pub fn new() -> Self {
        Self::default()
    }

    /// What may be recorded and shown now: what was held before and `bytes`, without an unfinished character at the
    /// end. Allocates only when something was held.
    pub fn push<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        if bytes.is_empty() {
            return Cow::Borrowed(bytes);
        }
        let mut whole = if self.len == 0 {
            Cow::Borrowed(bytes)
        } else {
            let mut joined = Vec::with_capacity(self.len + bytes.len());
            joined.extend_from_slice(self.pending());
            joined.extend_from_slice(bytes);
            Cow::Owned(joined)
        };
        let tail = incomplete_tail(&whole);
        let keep = whole.len() - tail;
        self.held[..tail].copy_from_slice(&whole[keep..]);
        self.len = tail;
        match &mut whole {
            Cow::Borrowed(slice) => *slice = &slice[..keep],
            Cow::Owned(vec) => vec.truncate(keep),
        }
        whole
    }

    /// What is held: at most 3 bytes.
    pub fn pending(&self) -> &[u8] {
        &self.held[..self.len]
    }

    /// Lets go of what is held: its time is over, or the stream ends.
    pub fn take(&mut self) -> Vec<u8> {
        let held = self.pending().to_vec();
        self.len = 0;
        held
    }
}

/// Incremental decoder of one stream's bytes: the same text however they are cut.
#[derive(Debug, Default)]
pub struct Decoder {
    splitter: Splitter,
}

impl Decoder {
    /// At the beginning of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Text of the bytes so far that has not been given out; U+FFFD for each maximal ill-formed subpart.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        String::from_utf8_lossy(&self.splitter.push(bytes)).into_owned()
    }

    /// Whether the bytes so far end in the first part of a character.
    pub fn is_inside(&self) -> bool {
        !self.splitter.pending().is_empty()
    }

    /// Text of what is left when the stream ends: nothing, or one U+FFFD.
    pub fn finish(&mut self) -> String {
        String::from_utf8_lossy(&self.splitter.take()).into_owned()
    }
}
