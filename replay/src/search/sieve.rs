//! Which pieces of three bytes a text has: what tells, without the text, that something is not in it.
//!
//! Bits of hashed pieces, upper case taken as lower: a piece that the text has is always there, one that it has not rarely
//! is. So a sieve can say that nothing matches, and never that something does. Not for what a pattern needs: `needs`.

/// Bits of a sieve while it is made: 32 KiB, which stay in a processor's nearest cache.
const BITS: usize = 1 << BITS_LOG;
const BITS_LOG: u32 = 18;
/// The fewest bits that one is folded to.
const BITS_MIN: usize = 1 << 9;
/// Of so many bits at most one is set when it has been folded, unless the text has too many pieces: that is, pieces of
/// other texts are there by chance once in so many times.
const SPARSE: usize = 8;
/// Bytes of text in one sieve. In more, all pieces would be there.
const TEXT: usize = 4 << 20;
const WORD: usize = u64::BITS as usize;
const WORDS: usize = BITS / WORD;

/// The hash of a piece: a number below [`BITS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece(u32);

/// The pieces of a text, in order. Of fewer than three bytes there are none.
pub(super) fn pieces(text: &[u8]) -> impl Iterator<Item = Piece> {
    text.windows(3).map(|piece| Piece(hash(piece.iter().fold(0, |piece, byte| after(piece, *byte)))))
}

/// A piece in lower case, with one byte more at its end and the first one gone.
fn after(piece: u32, byte: u8) -> u32 {
    (piece << 8 | u32::from(byte.to_ascii_lowercase())) & 0xff_ffff
}

/// Fibonacci hashing; the top bits are the best ones.
fn hash(piece: u32) -> u32 {
    piece.wrapping_mul(0x9e37_79b1) >> (u32::BITS - BITS_LOG)
}

/// The pieces of a stretch of text. Its size in bits is a power of two, of at least a word.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mesh(Vec<u64>);

impl Mesh {
    fn has(&self, piece: Piece) -> bool {
        let bit = piece.0 as usize & (self.0.len() * WORD - 1);
        self.0.get(bit / WORD).is_none_or(|word| word >> (bit % WORD) & 1 == 1)
    }

    /// Laid over itself as often as leaves it sparse.
    fn folded(mut self) -> Self {
        let set = |words: &[u64]| words.iter().map(|word| word.count_ones() as usize).sum::<usize>();
        while self.0.len() * WORD > BITS_MIN && set(&self.0) * SPARSE * 2 <= self.0.len() * WORD {
            let upper = self.0.split_off(self.0.len() / 2);
            self.0.iter_mut().zip(upper).for_each(|(lower, upper)| *lower |= upper);
        }
        self
    }
}

/// The pieces of all lines of a recording, in stretches of some MiB of text, each of whole lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sieve(Vec<Mesh>);

impl Sieve {
    /// Whether some stretch has all that `asks` asks it for.
    pub(super) fn any(&self, asks: impl Fn(&dyn Fn(Piece) -> bool) -> bool) -> bool {
        self.0.iter().any(|mesh| asks(&|piece| mesh.has(piece)))
    }

    /// As bytes: for each stretch the binary logarithm of its size in words, and the words.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for Mesh(words) in &self.0 {
            bytes.push(u8::try_from(words.len().ilog2()).unwrap_or(u8::MAX));
            bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        }
        bytes
    }

    /// From bytes. `None` when they are not those of a sieve.
    pub fn parse(mut bytes: &[u8]) -> Option<Self> {
        let mut meshes = Vec::new();
        while let Some((log, rest)) = bytes.split_first() {
            let length = (u32::from(*log) <= WORDS.ilog2()).then(|| size_of::<u64>() << log)?;
            let (words, left) = rest.split_at_checked(length)?;
            meshes.push(Mesh(words.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect()));
            bytes = left;
        }
        Some(Self(meshes))
    }
}

/// Makes a sieve, as lines come.
#[derive(Debug, Default)]
pub struct Making {
    made: Vec<Mesh>,
    /// The stretch that goes on, and how long it is.
    bits: Option<Box<[u64; WORDS]>>,
    bytes: usize,
}

impl Making {
    /// Takes whole lines.
    pub fn add(&mut self, lines: &[u8]) {
        if self.bytes + lines.len() > TEXT {
            self.end_stretch();
        }
        let bits = self.bits.get_or_insert_with(|| Box::new([0; WORDS]));
        // The first two pieces are none of the text: they do no harm, and looking for them would take time.
        let mut piece = 0;
        for byte in lines {
            piece = after(piece, *byte);
            let bit = hash(piece) as usize;
            let (word, mask) = (&mut bits[bit / WORD % WORDS], 1 << (bit % WORD));
            // Nearly all are there: looking first is quicker than writing.
            if *word & mask == 0 {
                *word |= mask;
            }
        }
        self.bytes += lines.len();
    }

    /// There are no more lines.
    pub fn end(mut self) -> Sieve {
        self.end_stretch();
        Sieve(self.made)
    }

    fn end_stretch(&mut self) {
        self.made.extend(self.bits.take().map(|bits| Mesh(bits.to_vec()).folded()));
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sieve(texts: &[&str]) -> Sieve {
        let mut making = Making::default();
        texts.iter().for_each(|text| making.add(text.as_bytes()));
        making.end()
    }

    fn has(sieve: &Sieve, text: &str) -> bool {
        sieve.any(|has| pieces(text.as_bytes()).all(has))
    }

    #[test]
    fn what_is_in_a_text_is_in_its_sieve() {
        let text: String = (0..5000).map(|n| format!("line {n} of Öl\n")).collect();
        let sieve = sieve(&[&text]);
        for within in ["line 4999 of Öl", "LINE 17", "l\nl", "öl", ""] {
            let there = text.to_ascii_lowercase().contains(&within.to_ascii_lowercase());
            assert!(has(&sieve, within) || !there, "{within}");
        }
        for other in ["permission", "rm -rf", "Zeile 17"] {
            assert!(!has(&sieve, other), "{other}");
        }
        assert_eq!(Sieve::parse(&sieve.to_bytes()), Some(sieve));
    }

    #[test]
    fn it_is_as_large_as_the_text_has_pieces() {
        assert_eq!(sieve(&[]).to_bytes(), b"");
        assert_eq!(sieve(&["", "a", "ab"]).to_bytes().len(), 1 + BITS_MIN / 8);
        let log = "Nov 24 10:12:13 web1 sshd[4711]: connection closed by peer\n".repeat(1000);
        assert!(sieve(&[&log]).to_bytes().len() <= 128);
        // A stretch that has everything.
        let all: Vec<u8> = (0..BITS as u32 * 3).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let mut making = Making::default();
        all.chunks(1 << 16).for_each(|lines| making.add(lines));
        assert_eq!(making.end().to_bytes().len(), 1 + BITS / 8);
    }

    #[test]
    fn stretches_are_asked_one_by_one() {
        let line = |text: &str| format!("{text}\n").repeat(TEXT / 20);
        let (one, two) = (line("abcdefgh"), line("efghijkl"));
        let sieve = sieve(&[&one, &one, &two, &two]);
        assert_eq!(sieve.0.len(), 2);
        assert!(has(&sieve, "abcdef") && has(&sieve, "ghijkl"));
        assert!(!has(&sieve, "abcdefghijkl"));
        assert_eq!(Sieve::parse(&sieve.to_bytes()), Some(sieve));
    }

    #[test]
    fn bytes_that_are_no_sieve_give_none() {
        let good = sieve(&["some text\n"]).to_bytes();
        for cut in 1..good.len() {
            assert_eq!(Sieve::parse(&good[..cut]), None, "{cut}");
        }
        for log in [13, 64, 255] {
            let bytes = [&[log][..], &[0; 1 << 16]].concat();
            assert_eq!(Sieve::parse(&bytes), None, "{log}");
        }
    }
}
