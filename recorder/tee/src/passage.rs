//! One output stream's bytes on their way: read, submitted, accepted, shown, in this order and in one buffer.
//!
//! They are gathered in bulk, and cut between characters where that costs no wait that anyone would notice. Not for
//! decoding: invalid bytes are nobody's tail and go on at once.

use std::io;
use std::os::fd::AsFd;

use rustix::buffer::spare_capacity;

use crate::message::WINDOW_BYTES;

/// How long the first bytes of a character wait for the rest of it.
const TAIL_US: u64 = 20_000;
/// In bulk, a submit follows the last one no sooner, so that blocks are large; what was accepted before is shown
/// meanwhile.
const BULK_US: u64 = 3_000;
/// With this much no more is waited for. As event lines, most text of this length fits into one block of the compressor
/// (128 KiB); a little more would begin a second, small one.
const BULK_BYTES: usize = 96 * 1024;
/// This many submits of at least this size, each within [`BULK_US`] of the last, are bulk. Less is someone typing, or a
/// screen being drawn, and is never delayed.
const BULK_BEGINS: (u8, usize) = (4, 2048);
/// Twice what a terminal holds in the kernel.
const AT_THE_END_BYTES: usize = 32 * 1024;
/// One read's share: what a pipe holds by default, and more than a terminal ever gives.
const READ_BYTES: usize = 64 * 1024;

/// What a passage wants to have done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    /// Ask again at this time.
    At(u64),
    /// Submit this many bytes now.
    Now(usize),
}

/// The bytes of one stream between the read and the show.
pub(crate) struct Passage {
    bytes: Vec<u8>,
    /// Up to here they are shown; then come those that may be.
    shown: usize,
    /// Up to here they are accepted; then come those that wait for it.
    accepted: usize,
    /// Up to here they are submitted; then come those that gather.
    submitted: usize,
    /// So many at the end of those were passed on: they go when all before them are accepted.
    passed_on: usize,
    /// How many at the end are the beginning of a character, and since when they wait.
    tail: usize,
    tail_us: u64,
    /// How many submits in a row were large, up to bulk.
    large: u8,
    submitted_us: u64,
}

impl Passage {
    pub(crate) fn new() -> Self {
        Self {
            bytes: Vec::new(),
            shown: 0,
            accepted: 0,
            submitted: 0,
            passed_on: 0,
            tail: 0,
            tail_us: 0,
            large: 0,
            submitted_us: 0,
        }
    }

    /// Whether more may be read.
    pub(crate) fn has_room(&self) -> bool {
        self.bytes.len() - self.shown < WINDOW_BYTES
    }

    /// The same for what a terminal holds after its last program: it is little, and whoever else writes there may go on.
    pub(crate) fn has_room_at_the_end(&self) -> bool {
        self.bytes.len() - self.shown < WINDOW_BYTES + AT_THE_END_BYTES
    }

    /// All that was read is shown.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.len() == self.shown
    }

    /// How many bytes gather.
    pub(crate) fn gathered(&self) -> usize {
        self.bytes.len() - self.submitted
    }

    /// Reads once; `Ok(0)` is the end of the stream. Only while there is room.
    pub(crate) fn read(&mut self, from: impl AsFd, now_us: u64) -> io::Result<usize> {
        self.make_room();
        self.bytes.reserve(READ_BYTES);
        let count = rustix::io::read(from, spare_capacity(&mut self.bytes))?;
        self.read_in(count, now_us);
        Ok(count)
    }

    /// Takes what was shown out of the buffer; moves what is left at most as often as the same amount was shown.
    fn make_room(&mut self) {
        if self.shown > 0 && self.shown >= self.bytes.len() - self.shown {
            self.bytes.drain(..self.shown);
            self.accepted -= self.shown;
            self.submitted -= self.shown;
            self.shown = 0;
        }
    }

    fn read_in(&mut self, count: usize, now_us: u64) {
        let before = self.bytes.len() - count;
        let tail = incomplete_tail(self.bytes.get(self.submitted..).unwrap_or_default());
        // The same character goes on waiting since its first byte; another begins now.
        let same = self.tail > 0 && self.bytes.len() - tail == before - self.tail;
        if !same {
            self.tail_us = now_us;
        }
        self.tail = tail;
    }

    /// Nothing is read now, because too much waits: nor does the beginning of a character wait for anything else.
    pub(crate) fn is_not_read(&mut self, now_us: u64) {
        self.tail_us = now_us;
    }

    /// What to do at this time; `last` when nothing more will come.
    pub(crate) fn due(&self, now_us: u64, last: bool) -> Due {
        let whole = self.gathered();
        let count = if last || now_us >= self.tail_us + TAIL_US { whole } else { whole - self.tail };
        let bulk_until = self.submitted_us + BULK_US;
        if whole == 0 {
            Due::Nothing
        } else if count == 0 {
            Due::At(self.tail_us + TAIL_US)
        } else if self.large >= BULK_BEGINS.0 && !last && whole < BULK_BYTES && now_us < bulk_until {
            Due::At(bulk_until)
        } else {
            Due::Now(count)
        }
    }

    /// The first `count` bytes of those that gather.
    pub(crate) fn front(&self, count: usize) -> &[u8] {
        self.bytes.get(self.submitted..self.submitted + count).unwrap_or_default()
    }

    /// The first `count` of them were submitted.
    pub(crate) fn submitted(&mut self, count: usize, now_us: u64) {
        let goes_on = count >= BULK_BEGINS.1 && now_us <= self.submitted_us + 2 * BULK_US;
        self.large = if goes_on { BULK_BEGINS.0.min(self.large + 1) } else { 0 };
        self.submitted_us = now_us;
        self.submitted += count.min(self.gathered());
        self.tail = self.tail.min(self.gathered());
    }

    /// The next `count` of those that were submitted are accepted.
    pub(crate) fn accept(&mut self, count: usize) {
        self.accepted = self.accepted.saturating_add(count).min(self.submitted - self.passed_on);
        self.let_pass();
    }

    /// All that gather need not be accepted. After this nothing is submitted any more.
    pub(crate) fn pass_on(&mut self) {
        self.passed_on += self.gathered();
        (self.submitted, self.tail) = (self.bytes.len(), 0);
        self.let_pass();
    }

    fn let_pass(&mut self) {
        if self.accepted + self.passed_on == self.submitted {
            (self.accepted, self.passed_on) = (self.submitted, 0);
        }
    }

    /// Puts a text behind what is accepted.
    pub(crate) fn insert(&mut self, text: &str) {
        self.bytes.splice(self.accepted..self.accepted, text.bytes());
        self.accepted += text.len();
        self.submitted += text.len();
    }

    /// What may be shown.
    pub(crate) fn to_show(&self) -> &[u8] {
        self.bytes.get(self.shown..self.accepted).unwrap_or_default()
    }

    /// So many of these bytes were shown.
    pub(crate) fn show(&mut self, count: usize) {
        self.shown = self.shown.saturating_add(count).min(self.accepted);
        if self.is_empty() {
            self.bytes.clear();
            (self.shown, self.accepted, self.submitted, self.tail) = (0, 0, 0, 0);
        }
    }
}

/// How many bytes at the end are the beginning of a character that more bytes could complete (0 to 3).
pub(crate) fn incomplete_tail(bytes: &[u8]) -> usize {
    for back in 1..=bytes.len().min(3) {
        let end = &bytes[bytes.len() - back..];
        match end[0] {
            0x80..=0xbf => {}
            0xc2..=0xf4 => {
                let incomplete =
                    std::str::from_utf8(end).is_err_and(|e| e.valid_up_to() == 0 && e.error_len().is_none());
                return if incomplete { back } else { 0 };
            }
            _ => return 0,
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_in_order_and_only_once_accepted() {
        let mut passage = Passage::new();
        feed(&mut passage, b"one", 0);
        passage.submitted(3, 0);
        feed(&mut passage, b"two", 0);
        assert_eq!((passage.to_show(), passage.front(3)), (&b""[..], &b"two"[..]));
        passage.submitted(3, 0);
        feed(&mut passage, b"three", 0);
        passage.accept(3);
        assert_eq!(passage.to_show(), b"one");
        passage.insert("[text]");
        assert_eq!(passage.to_show(), b"one[text]");
        passage.show(5);
        assert_eq!((passage.to_show(), passage.front(5)), (&b"ext]"[..], &b"three"[..]));
        passage.make_room();
        passage.accept(3);
        assert_eq!((passage.to_show(), passage.front(5)), (&b"ext]two"[..], &b"three"[..]));
        passage.show(7);
        passage.accept(100);
        assert_eq!((passage.to_show(), passage.gathered()), (&b""[..], 5), "what was not submitted is not accepted");
        passage.submitted(5, 0);
        passage.accept(5);
        passage.show(5);
        assert!(passage.is_empty());
    }

    fn feed(passage: &mut Passage, bytes: &[u8], now_us: u64) {
        passage.bytes.extend_from_slice(bytes);
        passage.read_in(bytes.len(), now_us);
    }

    #[test]
    fn a_tail_is_what_more_bytes_could_complete() {
        for text in ["é", "€", "😀", "\u{10ffff}", "\u{d7ff}"] {
            for cut in 1..text.len() {
                let bytes = [b"ab", &text.as_bytes()[..cut]].concat();
                assert_eq!(incomplete_tail(&bytes), cut, "{text} cut at {cut}");
            }
            assert_eq!(incomplete_tail(text.as_bytes()), 0, "{text}");
        }
        for bad in [
            &b"\xff"[..],
            b"\xc0",
            b"\xc1",
            b"\xed\xa0",
            b"\xf4\x90",
            b"\xe0\x80",
            b"\x80\x80\x80",
            b"\xf5",
            b"a\x80",
            b"",
        ] {
            assert_eq!(incomplete_tail(bad), 0, "{bad:x?}");
        }
    }

    #[test]
    fn a_tail_waits_20_ms_from_its_first_byte() {
        let mut passage = Passage::new();
        feed(&mut passage, b"x\xf0", 1000);
        assert_eq!(passage.due(1000, false), Due::Now(1));
        passage.submitted(1, 1000);
        assert_eq!(passage.due(1000, false), Due::At(21_000));
        feed(&mut passage, b"\x9f", 15_000);
        assert_eq!(passage.due(15_000, false), Due::At(21_000));
        assert_eq!(passage.due(21_000, false), Due::Now(2));
        feed(&mut passage, b"\x98\x80", 20_999);
        assert_eq!(passage.due(20_999, false), Due::Now(4));
    }

    #[test]
    fn a_second_character_has_its_own_20_ms() {
        let mut passage = Passage::new();
        feed(&mut passage, b"\xe2", 0);
        feed(&mut passage, b"\x82\xac\xe2\x82", 15_000);
        assert_eq!(passage.due(15_000, false), Due::Now(3));
        passage.submitted(3, 15_000);
        assert_eq!(passage.due(15_000, false), Due::At(35_000));
        assert_eq!(passage.due(15_000, true), Due::Now(2));
    }

    #[test]
    fn a_tail_does_not_wait_while_nothing_is_read() {
        let mut passage = Passage::new();
        feed(&mut passage, b"\xf0\x9f", 0);
        passage.is_not_read(30_000);
        assert_eq!(passage.due(40_000, false), Due::At(50_000));
        feed(&mut passage, b"\x98\x80", 49_000);
        assert_eq!(passage.due(50_000, false), Due::Now(4));
    }

    #[test]
    fn only_bulk_waits() {
        let mut passage = Passage::new();
        feed(&mut passage, b"prompt$ ", 0);
        passage.submitted(8, 0);
        feed(&mut passage, b"l", 10);
        assert_eq!(passage.due(10, false), Due::Now(1));
        passage.submitted(1, 10);
        for _ in 0..4 {
            feed(&mut passage, &[b'x'; 4095], 20);
            assert_eq!(passage.due(20, false), Due::Now(4095));
            passage.submitted(4095, 20);
        }
        feed(&mut passage, &[b'x'; 4095], 30);
        assert_eq!(passage.due(30, false), Due::At(3020));
        assert_eq!(passage.due(3020, false), Due::Now(4095));
        feed(&mut passage, &[b'x'; BULK_BYTES], 40);
        assert_eq!(passage.due(40, false), Due::Now(4095 + BULK_BYTES));
        // A pause, and a screen is drawn.
        passage.submitted(4095 + BULK_BYTES, 3030);
        feed(&mut passage, &[b'x'; 4095], 90_000);
        passage.submitted(4095, 90_000);
        feed(&mut passage, &[b'x'; 4095], 90_010);
        assert_eq!(passage.due(90_010, false), Due::Now(4095));
    }
}
