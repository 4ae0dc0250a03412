//! The state file: whatever instant the power goes, an entry and its key are there.

use hansard_schemas::chain::{Entry, Kind, append};
use hansard_schemas::chain_state::{FILE, SLOT, State, StateError, Step};
use hansard_schemas::seal::SigningKey;
use proptest::prelude::*;

use crate::{boot, chain, time};

/// Carries out the steps on the file, in memory.
fn apply(file: &mut [u8], steps: &[Step]) {
    for step in steps {
        if let Step::Write { offset, bytes } = step {
            let offset = usize::try_from(*offset).unwrap();
            file[offset..offset + bytes.len()].copy_from_slice(bytes);
        }
    }
}

fn begun() -> (Vec<u8>, State) {
    let (entries, key) = chain(1);
    let state = State::first(entries[0].clone(), key);
    let mut file = vec![0; FILE];
    apply(&mut file, &state.steps());
    (file, state)
}

fn advance(state: &State) -> State {
    let key = SigningKey::from_bytes(&state.key.to_bytes());
    let (entry, next) = append(&state.entry, key, Kind::Close, time(), boot()).unwrap();
    state.next(entry, next)
}

fn holds(file: &[u8], key: &SigningKey) -> bool {
    let key = key.to_bytes();
    file.windows(32).any(|window| window == &key[..])
}

fn read(file: &[u8]) -> State {
    State::read(file).unwrap().unwrap()
}

#[test]
fn chain_1_the_newest_entry_and_only_its_key_are_kept() {
    let (mut file, mut state) = begun();
    for _ in 0..5 {
        let next = advance(&state);
        apply(&mut file, &next.steps());
        let back = read(&file);
        assert_eq!((&back.entry, back.slot, back.generation), (&next.entry, next.slot, state.generation + 1));
        assert_eq!(*back.key.to_bytes(), *next.key.to_bytes());
        assert!(!back.stale && !holds(&file, &state.key) && holds(&file, &next.key));
        state = next;
    }
}

#[test]
fn chain_1_the_order_is_write_sync_wipe_sync() {
    let (_, state) = begun();
    let next = advance(&state);
    let steps = next.steps();
    let [Step::Write { offset: new, .. }, Step::Sync, Step::Write { offset: old, bytes }, Step::Sync] = &steps[..]
    else {
        panic!("{} steps", steps.len());
    };
    assert_eq!((*new, *old), (SLOT as u64, 0));
    assert!(bytes.iter().all(|byte| *byte == 0));
}

#[test]
fn chain_1_a_wipe_that_was_missed_is_told_and_done() {
    let (mut file, state) = begun();
    let next = advance(&state);
    apply(&mut file, &next.steps()[..2]);
    let back = read(&file);
    assert!(back.stale && holds(&file, &state.key));
    assert_eq!(back.entry, next.entry);
    apply(&mut file, &back.wipe());
    assert!(!read(&file).stale && !holds(&file, &state.key));
}

#[test]
fn chain_1_a_file_without_a_chain_is_not_a_damaged_one() {
    assert!(State::read(&vec![0; FILE]).unwrap().is_none());
    assert_eq!(State::read(&[0; 10]).unwrap_err(), StateError::Length(10));
    let (mut file, _) = begun();
    file[60] ^= 1;
    let error = State::read(&file).unwrap_err();
    assert_eq!(error.to_string(), "both slots of the chain state are damaged: its CRC-32C does not hold; empty");
}

#[test]
fn chain_1_a_key_that_does_not_belong_to_its_entry_is_damage() {
    let (entries, _) = chain(1);
    let mut file = vec![0; FILE];
    apply(&mut file, &State::first(entries[0].clone(), SigningKey::generate()).steps());
    assert!(matches!(State::read(&file), Err(StateError::Damaged(..))));
}

#[test]
fn lim_5_the_longest_entry_fits_a_slot() {
    let (entries, key) = chain(1);
    let outcome = "x".repeat(64_000);
    let kind = Kind::End { session: crate::session(), segment: 0, digest: entries[0].digest, outcome };
    let (entry, next) = append(&entries[0], key, kind, time(), boot()).unwrap();
    assert!(entry.line.len() > 64_000 && SLOT > (64 << 10) + 100);
    let mut file = vec![0; FILE];
    apply(&mut file, &State::first(entry.clone(), next).steps());
    assert_eq!(read(&file).entry, entry);
}

/// What becomes of a write that power loss meets: each 512-byte sector is old, new, zero or noise.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Old,
    New,
    Zero,
    Noise(u8),
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![Just(Fate::Old), Just(Fate::New), Just(Fate::Zero), any::<u8>().prop_map(Fate::Noise),];
    prop::collection::vec(fate, 1..8)
}

fn tear(file: &mut [u8], step: &Step, unit: usize, fates: &[Fate]) {
    let Step::Write { offset, bytes } = step else { return };
    let offset = usize::try_from(*offset).unwrap();
    for (n, sector) in bytes.chunks(unit).enumerate() {
        let at = offset + n * unit;
        let place = &mut file[at..at + sector.len()];
        match fates[n % fates.len()] {
            Fate::Old => {}
            Fate::New => place.copy_from_slice(sector),
            Fate::Zero => place.fill(0),
            Fate::Noise(byte) => place.fill(byte),
        }
    }
}

fn same(state: &State, entry: &Entry, key: &SigningKey) -> bool {
    state.entry == *entry && state.key.to_bytes() == key.to_bytes()
}

proptest! {
    /// A step that is torn in any way, the steps before it whole: entry n - 1 or entry n with its key is there, and
    /// after the next write nothing of it is left.
    #[test]
    fn chain_1_any_torn_step_leaves_one_of_two_states(
        before in 0..4usize, torn in 0..3usize, unit in prop_oneof![Just(1usize), Just(16), Just(100), Just(512)], fates in fates(),
    ) {
        let (mut file, mut state) = begun();
        for _ in 0..before {
            state = advance(&state);
            apply(&mut file, &state.steps());
        }
        let next = advance(&state);
        let steps = next.steps();
        apply(&mut file, &steps[..torn]);
        tear(&mut file, &steps[torn], unit, &fates);
        let back = read(&file);
        let (old, new) = (same(&back, &state.entry, &state.key), same(&back, &next.entry, &next.key));
        prop_assert!(old || new);
        // Once the new slot is synced, there is no way back.
        prop_assert!(torn < 2 || new);
        let after = advance(&back);
        apply(&mut file, &after.steps());
        let end = read(&file);
        prop_assert!(same(&end, &after.entry, &after.key) && !end.stale);
        prop_assert!(!holds(&file, &state.key) && !holds(&file, &next.key));
    }
}
