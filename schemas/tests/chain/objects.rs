//! Chains put together from the objects of a store.

use hansard_schemas::chain::{Chain, Entry, Kind, append};
use hansard_schemas::names::ChainName;
use hansard_schemas::seal::SigningKey;
use hansard_schemas::{ChainId, Outcome};
use proptest::prelude::*;

use crate::{boot, chain, lines, time};

/// First and last number of the name, if it has one, and the bytes.
type Object = (Option<(u64, u64)>, Vec<u8>);

fn read(id: ChainId, objects: &[Object]) -> Chain {
    let named = |range: &Option<(u64, u64)>| range.map(|(first, last)| ChainName { chain: id, first, last });
    Chain::from_objects(id, objects.iter().map(|(range, bytes)| (named(range), bytes)))
}

fn outcomes(chain: &Chain) -> Vec<Outcome> {
    chain.problems.iter().map(|error| error.outcome()).collect()
}

#[test]
fn chain_4_named_and_unnamed_objects_are_read() {
    let (entries, _) = chain(6);
    let id = entries[0].chain;
    for objects in [
        vec![(Some((0, 5)), lines(&entries))],
        vec![(None, lines(&entries))],
        vec![(Some((3, 5)), lines(&entries[3..])), (Some((0, 3)), lines(&entries[..4]))],
        entries.iter().map(|entry| (Some((entry.seq, entry.seq)), entry.line.clone())).rev().collect(),
    ] {
        let chain = read(id, &objects);
        assert_eq!((&chain.entries, chain.problems.len(), chain.notes.len()), (&entries, 0, 0));
        assert_eq!((chain.tip(), chain.broken_at()), (entries.last().map(|entry| entry.digest), None));
    }
    let none = read(id, &[]);
    assert!(none.entries.is_empty() && none.problems.is_empty());
}

#[test]
fn chain_5_a_missing_entry_ends_belief() {
    let (entries, _) = chain(6);
    for gap in 0..5 {
        let chain = read(entries[0].chain, &[(None, lines(&entries[..gap])), (None, lines(&entries[gap + 1..]))]);
        assert_eq!((chain.entries.len(), outcomes(&chain)), (gap, vec![Outcome::ChainBroken]), "{gap}");
        assert_eq!(chain.broken_at(), Some(gap as u64));
    }
}

#[test]
fn chain_7_two_entries_with_one_number_are_a_fork_if_both_are_signed_and_neither_is_believed() {
    let (first, key) = chain(3);
    let copied = SigningKey::from_bytes(&key.to_bytes());
    let last = first.last().unwrap();
    let (one, _) = append(last, key, Kind::Close, time(), boot()).unwrap();
    let (two, _) = append(last, copied, Kind::Close, time(), boot()).unwrap();
    let id = first[0].chain;
    let forked = read(id, &[(None, lines(&first)), (None, one.line.clone()), (None, two.line.clone())]);
    assert_eq!((forked.entries.len(), outcomes(&forked)), (3, vec![Outcome::Fork]));
    // One that is not signed is only mentioned.
    let mut unsigned = two.line;
    let end = unsigned.len() - 4;
    unsigned[end] = if unsigned[end] == b'0' { b'1' } else { b'0' };
    let chain = read(id, &[(None, lines(&first)), (None, one.line), (None, unsigned)]);
    assert_eq!((chain.entries.len(), chain.problems.len(), chain.notes.len()), (4, 0, 1));
}

#[test]
fn name_3_an_object_that_is_not_what_its_name_says_is_told() {
    let (entries, _) = chain(4);
    let id = entries[0].chain;
    for (name, bytes, believed) in [
        ((0, 4), lines(&entries), 4),
        ((0, 2), lines(&entries), 4),
        ((1, 4), lines(&entries), 0),
        ((0, 3), lines(&entries[1..]), 0),
    ] {
        let chain = read(id, &[(Some(name), bytes)]);
        assert_eq!((chain.entries.len(), chain.problems.len() + chain.notes.len()), (believed, 1), "{name:?}");
    }
    // Where the true object is at hand, nothing is lost.
    let chain = read(id, &[(Some((0, 3)), lines(&entries)), (Some((0, 3)), lines(&entries[1..]))]);
    assert_eq!((chain.entries.len(), chain.problems.len(), chain.notes.len()), (4, 0, 1));
}

#[test]
fn chain_5_another_chains_entries_are_none_of_this_one() {
    let ((ours, _), (theirs, _)) = (chain(3), chain(3));
    let chain = read(ours[0].chain, &[(None, lines(&theirs))]);
    assert_eq!((chain.entries.len(), outcomes(&chain)), (0, vec![Outcome::ChainBroken]));
    let name = ChainName { chain: theirs[0].chain, first: 0, last: 2 };
    let chain = Chain::from_objects(ours[0].chain, [(None, lines(&ours)), (Some(name), lines(&theirs))]);
    assert_eq!((chain.entries.len(), chain.problems.len(), chain.notes.len()), (3, 0, 1));
}

#[test]
fn json_5_a_newer_entry_is_said_to_be_one() {
    let (entries, _) = chain(3);
    let bytes = [lines(&entries), b"{\"hansard\":2,\"kind\":\"close\"}\n".to_vec()].concat();
    let chain = read(entries[0].chain, &[(None, bytes)]);
    assert_eq!((chain.entries.len(), outcomes(&chain)), (3, vec![Outcome::UnsupportedVersion]));
}

#[test]
fn lim_13_an_object_over_16_mib_is_limit() {
    let (entries, _) = chain(1);
    let mut bytes = lines(&entries);
    bytes.resize((16 << 20) + 1, b' ');
    let chain = read(entries[0].chain, &[(None, bytes)]);
    assert_eq!((chain.entries.len(), outcomes(&chain)), (0, vec![Outcome::Limit]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever pieces, copies, damage and order: only true entries are believed, and all that can be reached are.
    #[test]
    fn chain_5_only_true_entries_are_believed(
        pieces in prop::collection::vec((0..8usize, 0..8usize, any::<Option<(prop::sample::Index, u8)>>()), 0..12),
    ) {
        let (entries, _) = chain(8);
        let mut intact = [false; 8];
        let objects: Vec<_> = pieces.iter().map(|(a, b, damage)| {
            let (first, last) = (*a.min(b), *a.max(b));
            let mut bytes = lines(&entries[first..=last]);
            match damage {
                Some((at, bits)) => { let at = at.index(bytes.len()); bytes[at] ^= bits; if *bits == 0 { intact[first..=last].fill(true) } }
                None => intact[first..=last].fill(true),
            }
            (Some((first as u64, last as u64)), bytes)
        }).collect();
        let chain = read(entries[0].chain, &objects);
        let reachable = intact.iter().take_while(|there| **there).count();
        prop_assert!(chain.entries.len() >= reachable);
        prop_assert_eq!(&chain.entries[..], &entries[..chain.entries.len()]);
        // If something names an entry that is not believed, that is said.
        let named = pieces.iter().map(|(a, b, _)| a.max(b) + 1).max().unwrap_or(0);
        prop_assert_eq!(chain.problems.is_empty(), chain.entries.len() >= named);
    }

    #[test]
    fn chain_reading_any_bytes_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..400), name in any::<Option<(u16, u16)>>()) {
        let id = chain(1).0[0].chain;
        let range = name.map(|(a, b)| (u64::from(a.min(b)), u64::from(a.max(b))));
        let chain = read(id, &[(range, bytes)]);
        prop_assert!(chain.entries.is_empty() && !chain.problems.is_empty());
        let _ = Entry::parse(b"");
    }
}
