//! Streams of bytes that a test and a recorded program make alike, from a seed.
//!
//! `emit` writes them on the terminal, the test makes them again to compare.

/// A small generator (xorshift64*): the same numbers on every machine; nothing secret comes from it.
#[derive(Clone, Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// Numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        (self.number() >> 11) % limit
    }
}

/// `length` random bytes.
pub fn random(seed: u64, length: usize) -> Vec<u8> {
    let mut numbers = Numbers::new(seed);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend_from_slice(&numbers.number().to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Valid UTF-8 of about `length` bytes: Chinese, Japanese and Korean text mixed with ASCII, accents and characters of
/// four bytes, so that any cut at an odd place splits a character of every length sooner or later.
pub fn mixed(seed: u64, length: usize) -> Vec<u8> {
    let mut numbers = Numbers::new(seed);
    let mut bytes = Vec::with_capacity(length + 4);
    let mut encoded = [0; 4];
    while bytes.len() < length {
        let number = numbers.number();
        let place = (number >> 8) as u32;
        let point = match number & 0xf {
            0..=2 => 0x20 + place % 0x5f,
            3 => 0xa1 + place % 0x100,
            4 => 0x0a,
            5..=8 => 0x4e00 + place % 0x5000,
            9..=10 => 0x3041 + place % 0x50,
            11..=12 => 0xac00 + place % 0x2ba0,
            13 => 0xfffd,
            14 => 0x1f300 + place % 0x300,
            _ => 0x20000 + place % 0xa000,
        };
        let character = char::from_u32(point).unwrap_or('?');
        bytes.extend_from_slice(character.encode_utf8(&mut encoded).as_bytes());
    }
    bytes
}

/// Lines of log-like text, numbered from `first`, about `length` bytes: compresses as real output does.
pub fn lines(first: u64, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 80);
    let mut number = first;
    while bytes.len() < length {
        let hash = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        bytes.extend_from_slice(format!("{number:012} compiling unit {hash:016x} of the tree: done\r\n").as_bytes());
        number += 1;
    }
    bytes
}
