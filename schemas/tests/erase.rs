//! KEY-1 and TRL-3 on the memory of this very process: what was erased is nowhere in it any more.
//!
//! A secret is kept masked while it is searched for, so that the search does not find its own question. Any 12
//! bytes in a row count as found: an allocator that takes memory back writes over the first 16.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "tests")]
#![cfg(target_os = "linux")]

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use hansard_schemas::keys::{EpochSecret, Recipients, SegmentSecret, generate_identity};
use hansard_schemas::seal::SigningKey;
use zeroize::Zeroizing;

/// As the recorder has it: age frees a buffer that held the epoch secret without wiping it.
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<std::alloc::System> = zeroizing_alloc::ZeroAlloc(std::alloc::System);

const MASK: u8 = 0xa5;
const RUN: usize = 12;

/// 32 random bytes, masked.
struct Masked([u8; 32]);

impl Masked {
    fn random() -> Self {
        Self(std::array::from_fn(|_| rand::random()))
    }

    #[inline(never)]
    fn plain(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.map(|byte| byte ^ MASK))
    }
}

/// Looks through the writable memory of this process. Its buffers are taken before the secrets are made: memory that
/// the search itself asked for could be what a secret was left in, and would hide it.
struct Search {
    maps: Vec<u8>,
    bytes: Vec<u8>,
}

impl Search {
    /// One test at a time: another's buffers would hold what this one has erased.
    fn alone() -> MutexGuard<'static, Self> {
        static ONE: LazyLock<Mutex<Search>> = LazyLock::new(|| Mutex::new(Search::new()));
        ONE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn new() -> Self {
        Self { maps: vec![0; 1 << 20], bytes: vec![0; 1 << 20] }
    }

    /// How many runs of the secret's bytes there are.
    #[inline(never)]
    fn found(&mut self, masked: &Masked) -> usize {
        // What `plain` left on the stack is the test's own trace, not the library's.
        hansard_schemas::seal::wipe_stack();
        let memory = File::open("/proc/self/mem").unwrap();
        let mut file = File::open("/proc/self/maps").unwrap();
        let mut len = 0;
        loop {
            match file.read(&mut self.maps[len..]).unwrap() {
                0 => break,
                n => len += n,
            }
        }
        let mut hits = 0;
        for line in std::str::from_utf8(&self.maps[..len]).unwrap().lines() {
            let (range, rest) = line.split_once(' ').unwrap();
            let (from, to) = range.split_once('-').unwrap();
            let (from, to) = (u64::from_str_radix(from, 16).unwrap(), u64::from_str_radix(to, 16).unwrap());
            if !rest.starts_with("rw") {
                continue;
            }
            for at in (from..to).step_by(self.bytes.len() - RUN) {
                let part = usize::try_from(to - at).unwrap().min(self.bytes.len());
                // The end of a stack can go away under the search.
                if memory.read_exact_at(&mut self.bytes[..part], at).is_ok() {
                    hits += masked.0.windows(RUN).map(|run| occurrences(&self.bytes[..part], run)).sum::<usize>();
                }
            }
        }
        self.bytes.fill(0);
        hits
    }
}

/// Where `bytes` hold the unmasked `run`, without unmasking it anywhere.
fn occurrences(bytes: &[u8], run: &[u8]) -> usize {
    memchr::memchr_iter(run[0] ^ MASK, bytes)
        .filter(|at| bytes[*at..].len() >= RUN && bytes[*at..].iter().zip(run).all(|(a, b)| a ^ b == MASK))
        .count()
}

#[test]
fn key_1_epoch_secrets_are_gone_when_advanced() {
    let recipients = Recipients::parse_line(&generate_identity().1).unwrap();
    let (mut search, masked) = (Search::alone(), Masked::random());
    let epoch = EpochSecret::from_bytes(&masked.plain());
    assert!(search.found(&masked) > 0, "the search finds what is there");
    epoch.wrap(&recipients).unwrap();
    let (segment, next) = epoch.advance();
    assert_eq!(search.found(&masked), 0);
    drop((segment, next));
}

#[test]
fn trl_3_signing_keys_are_gone_when_dropped() {
    let (mut search, masked) = (Search::alone(), Masked::random());
    let key = SigningKey::from_bytes(&masked.plain());
    assert!(search.found(&masked) > 0, "the search finds what is there");
    key.sign(b"message");
    drop(key);
    assert_eq!(search.found(&masked), 0);
}

#[test]
fn key_1_derived_secrets_leave_nothing() {
    let (mut search, masked) = (Search::alone(), Masked::random());
    let epoch = EpochSecret::from_bytes(&masked.plain());
    let secret = SegmentSecret::derive(&epoch, 7).unwrap();
    secret.commit();
    drop((epoch, secret));
    assert_eq!(search.found(&masked), 0);
}
