//! Messages that outlive their call, in order and in one buffer: what waits for a disk or travels to another thread.
//!
//! Not bounded here: the tee bounds what waits for its acceptance.

use std::collections::VecDeque;

use hansard_tee::{Message, Pipe, Rest, Stream};

use super::segments::{shrink, wipe};

#[derive(Debug, Clone, Copy)]
enum Kind {
    Output(Stream),
    Input { hidden: bool },
    InputEnd,
    Resize { cols: u16, rows: u16 },
    Passing { pipe: Pipe, total: u64 },
    Rest { pipe: Pipe, from_us: u64, missing: u64, sha256: [u8; 32] },
}

#[derive(Debug, Clone, Copy)]
struct Item {
    number: u64,
    time_us: u64,
    kind: Kind,
    len: usize,
}

/// Messages with their numbers and times.
#[derive(Default)]
pub struct Batch {
    bytes: Vec<u8>,
    /// Of the first item.
    begin: usize,
    items: VecDeque<Item>,
}

impl Batch {
    /// Adds one behind the others.
    pub fn push(&mut self, number: u64, time_us: u64, message: Message<'_>) {
        let (kind, bytes) = match message {
            Message::Output { stream, bytes } => (Kind::Output(stream), bytes),
            Message::Input { bytes, hidden } => (Kind::Input { hidden }, bytes),
            Message::InputEnd => (Kind::InputEnd, &[][..]),
            Message::Resize { cols, rows } => (Kind::Resize { cols, rows }, &[][..]),
            Message::Passing { pipe, total } => (Kind::Passing { pipe, total }, &[][..]),
            Message::Rest { pipe, rest: Rest { from_us, missing, sha256, tail } } => {
                (Kind::Rest { pipe, from_us, missing, sha256 }, tail)
            }
        };
        self.bytes.extend_from_slice(bytes);
        self.items.push_back(Item { number, time_us, kind, len: bytes.len() });
    }

    /// The first, with its number and time.
    pub fn first(&self) -> Option<(u64, u64, Message<'_>)> {
        let item = self.items.front()?;
        let bytes = self.bytes.get(self.begin..self.begin + item.len)?;
        let message = match item.kind {
            Kind::Output(stream) => Message::Output { stream, bytes },
            Kind::Input { hidden } => Message::Input { bytes, hidden },
            Kind::InputEnd => Message::InputEnd,
            Kind::Resize { cols, rows } => Message::Resize { cols, rows },
            Kind::Passing { pipe, total } => Message::Passing { pipe, total },
            Kind::Rest { pipe, from_us, missing, sha256 } => {
                Message::Rest { pipe, rest: Rest { from_us, missing, sha256, tail: bytes } }
            }
        };
        Some((item.number, item.time_us, message))
    }

    /// Takes the first away.
    pub fn pop(&mut self) {
        if let Some(item) = self.items.pop_front() {
            self.begin += item.len;
        }
        if self.items.is_empty() {
            self.clear();
        }
    }

    /// How many bytes of output there are, and since when, in microseconds.
    pub fn output(&self) -> Option<(u64, u64)> {
        let output = || self.items.iter().filter(|item| matches!(item.kind, Kind::Output(_)));
        Some((output().map(|item| item.len as u64).sum(), output().next()?.time_us))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Takes all of another behind its own.
    pub fn append(&mut self, other: &mut Self) {
        if self.is_empty() {
            std::mem::swap(self, other);
        }
        self.bytes.extend_from_slice(other.bytes.get(other.begin..).unwrap_or_default());
        self.items.append(&mut other.items);
        other.clear();
    }

    /// Gives back the memory of an empty one.
    pub fn shrink(&mut self) {
        if self.is_empty() {
            shrink(&mut self.bytes);
            self.items = VecDeque::new();
        }
    }

    /// Forgets all; nothing of it stays in the buffer.
    pub fn clear(&mut self) {
        wipe(&mut self.bytes);
        self.begin = 0;
        self.items.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(bytes: &[u8]) -> Message<'_> {
        Message::Output { stream: Stream::Output, bytes }
    }

    #[test]
    fn messages_come_back_in_order_over_pops_and_appends() {
        let (mut a, mut b) = (Batch::default(), Batch::default());
        a.push(1, 10, output(b"one"));
        a.push(2, 11, Message::Resize { cols: 80, rows: 24 });
        a.pop();
        b.push(3, 12, Message::Input { bytes: b"three", hidden: true });
        b.push(4, 13, Message::InputEnd);
        a.append(&mut b);
        assert!(b.is_empty());
        b.push(5, 14, output(b"five"));
        a.append(&mut b);
        let mut seen = Vec::new();
        while let Some((number, time_us, message)) = a.first() {
            seen.push(format!("{number} {time_us} {message:?}"));
            a.pop();
        }
        let five = format!("5 14 {:?}", output(b"five"));
        let three = format!("3 12 {:?}", Message::Input { bytes: b"three", hidden: true });
        assert_eq!(seen, ["2 11 Resize { cols: 80, rows: 24 }", &three, "4 13 InputEnd", &five]);
        assert!(a.is_empty() && b.is_empty());
    }
}
