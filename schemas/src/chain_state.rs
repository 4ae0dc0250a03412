//! The chain's state file: the newest entry and the key that signs the next one (CHAIN-1).
//!
//! Entries that were made together are written together: the slot holds all of them, the newest last, and the keys in
//! between were never anywhere but in memory.
//!
//! Two slots lie one behind the other and are overwritten in turn. A slot is written, synced, and only then is the
//! key in the other one wiped, so that at every instant one slot at least is whole, and after each step only one
//! holds a usable key. Which bytes go where is told here as [`Step`]s; the caller owns the file, its lock and its
//! syncs.
//!
//! ```text
//! 0   magic        8 bytes "hschain1"
//! 8   generation   u64 LE, one more at each write
//! 16  key          32 bytes
//! 48  length       u32 LE, of the entry lines
//! 52  entry lines
//!     CRC-32C      u32 LE, of all before
//! ```

use zeroize::Zeroizing;

use crate::chain::Entry;
use crate::seal::SigningKey;

/// Bytes of a slot: room for the largest entry, in whole pages.
pub const SLOT: usize = 128 << 10;
/// Bytes of the file.
pub const FILE: usize = 2 * SLOT;

const MAGIC: &[u8; 8] = b"hschain1";
const GENERATION: usize = 8;
const KEY: usize = 16;
const LENGTH: usize = KEY + 32;
const LINE: usize = LENGTH + 4;

/// Most bytes that entry lines take together.
pub const LINES: usize = SLOT - LINE - 4;

/// Why a state cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// The file is not as long as two slots.
    #[error("the chain state is {0} bytes long, not {FILE}")]
    Length(usize),
    /// Neither slot is whole.
    #[error("both slots of the chain state are damaged: {0}; {1}")]
    Damaged(&'static str, &'static str),
}

/// The state of a chain that this host can continue.
#[derive(Debug)]
pub struct State {
    /// Those that were written with the newest entry, before it.
    pub before: Vec<Entry>,
    /// The newest entry.
    pub entry: Entry,
    /// Signs the next entry.
    pub key: SigningKey,
    /// Which slot holds it: 0 or 1.
    pub slot: usize,
    /// Number of the write.
    pub generation: u64,
    /// The other slot may still hold a key: do [`State::wipe`] before anything else.
    pub stale: bool,
}

/// One step of a write, to be done in order; after each the file is readable.
#[derive(Debug)]
pub enum Step {
    /// Write these bytes at this offset.
    Write {
        /// Where.
        offset: u64,
        /// What; wiped when dropped.
        bytes: Zeroizing<Vec<u8>>,
    },
    /// Sync the file's data.
    Sync,
}

impl State {
    /// The state of a new chain, for a file of [`FILE`] zero bytes.
    pub fn first(entry: Entry, key: SigningKey) -> Self {
        Self { before: Vec::new(), entry, key, slot: 0, generation: 1, stale: false }
    }

    /// The state after the next entry, which belongs into the other slot. Its steps are in [`State::steps`].
    pub fn next(&self, entry: Entry, key: SigningKey) -> Self {
        self.next_after(Vec::new(), entry, key)
    }

    /// The same for several entries at once; their lines together have at most [`LINES`] bytes.
    pub fn next_after(&self, before: Vec<Entry>, entry: Entry, key: SigningKey) -> Self {
        let (slot, generation) = (1 - self.slot, self.generation.saturating_add(1));
        Self { before, entry, key, slot, generation, stale: true }
    }

    /// Every entry that it holds, in their order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.before.iter().chain([&self.entry])
    }

    /// What must be done before the entry is used or sent: write, sync, wipe the other slot's key, sync.
    pub fn steps(&self) -> Vec<Step> {
        let write = Step::Write { offset: offset(self.slot), bytes: self.encode() };
        [write, Step::Sync].into_iter().chain(self.wipe()).collect()
    }

    /// Wipes what the other slot holds of a key, and syncs.
    pub fn wipe(&self) -> Vec<Step> {
        let bytes = Zeroizing::new(vec![0; LINE]);
        vec![Step::Write { offset: offset(1 - self.slot), bytes }, Step::Sync]
    }

    fn encode(&self) -> Zeroizing<Vec<u8>> {
        let length: usize = self.entries().map(|entry| entry.line.len()).sum();
        // At its full size from the start: a vector that grew would leave the key behind in freed memory.
        let mut bytes = Zeroizing::new(Vec::with_capacity(LINE + length + 4));
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&self.generation.to_le_bytes());
        bytes.extend_from_slice(&*self.key.to_bytes());
        bytes.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
        self.entries().for_each(|entry| bytes.extend_from_slice(&entry.line));
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads a whole file. `None` when it holds nothing but zeros: no chain was begun.
    pub fn read(file: &[u8]) -> Result<Option<Self>, StateError> {
        if file.len() != FILE {
            return Err(StateError::Length(file.len()));
        }
        let (first, second) = file.split_at(SLOT);
        let holds_key = |slot: &[u8]| slot[..LINE].iter().any(|byte| *byte != 0);
        let mut state = match (decode(first, 0), decode(second, 1)) {
            (Ok(a), Ok(b)) => {
                if a.generation >= b.generation {
                    a
                } else {
                    b
                }
            }
            (Ok(state), Err(_)) | (Err(_), Ok(state)) => state,
            (Err(_), Err(_)) if file.iter().all(|byte| *byte == 0) => return Ok(None),
            (Err(a), Err(b)) => return Err(StateError::Damaged(a, b)),
        };
        state.stale = holds_key(if state.slot == 0 { second } else { first });
        Ok(Some(state))
    }
}

fn offset(slot: usize) -> u64 {
    (slot * SLOT) as u64
}

fn array<const N: usize>(slot: &[u8], at: usize) -> Result<[u8; N], &'static str> {
    slot.get(at..at + N).and_then(|bytes| bytes.try_into().ok()).ok_or("too short")
}

fn decode(slot: &[u8], number: usize) -> Result<State, &'static str> {
    if slot[..LINE].iter().all(|byte| *byte == 0) {
        return Err("empty");
    }
    if !slot.starts_with(MAGIC) {
        return Err("not a slot");
    }
    let length = u32::from_le_bytes(array(slot, LENGTH)?) as usize;
    if length > LINES {
        return Err("its length is wrong");
    }
    let (body, rest) = slot.split_at(LINE + length);
    if crc32c::crc32c(body) != u32::from_le_bytes(array(rest, 0)?) {
        return Err("its CRC-32C does not hold");
    }
    let lines = body[LINE..].split_inclusive(|byte| *byte == b'\n').map(Entry::parse);
    let mut before = lines.collect::<Result<Vec<_>, _>>().map_err(|_| "an entry of it is none")?;
    if before.windows(2).any(|pair| pair[1].prev != Some(pair[0].digest)) {
        return Err("its entries do not follow one another");
    }
    let entry = before.pop().ok_or("it has no entry")?;
    let key = Zeroizing::new(array(slot, KEY)?);
    let key = SigningKey::from_bytes(&key);
    if key.public() != entry.next {
        return Err("its key is not the one that its entry names");
    }
    let generation = u64::from_le_bytes(array(slot, GENERATION)?);
    Ok(State { before, entry, key, slot: number, generation, stale: false })
}
