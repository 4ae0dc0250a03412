//! Any bit of any byte: of a small recording and its chain, nothing can be changed without its being said.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::scene::scene;
use crate::words;

const FLIPS: usize = 5000;

#[test]
fn ver_3_no_bit_can_be_flipped_unseen() {
    let scene = scene();
    assert!(scene.store.judge(&scene.a).ok() && scene.store.judge(&scene.b).ok());
    let mut random = StdRng::seed_from_u64(7);
    let lengths: Vec<usize> = scene.store.segments.iter().map(|(_, bytes)| bytes.len()).collect();
    let chain = scene.store.chain[0].1.len();
    let all = lengths.iter().sum::<usize>() + chain;
    for _ in 0..FLIPS {
        let (mut at, bit) = (random.gen_range(0..all), random.gen_range(0..8));
        let mut store = scene.store.clone();
        let place = lengths.iter().position(|length| {
            let here = at < *length;
            at -= if here { 0 } else { *length };
            here
        });
        let bytes = match place {
            Some(place) => &mut store.segments[place].1,
            None => &mut store.chain[0].1,
        };
        bytes[at] ^= 1 << bit;
        // A segment belongs to one session, the chain to both.
        let sessions = [&scene.a, &scene.b];
        for (n, session) in sessions.into_iter().enumerate() {
            if place.is_none_or(|place| (place < 4) == (n == 0)) {
                let judgement = store.judge(session);
                assert!(!judgement.ok(), "bit {bit} of byte {at} of {place:?}: {}", words(&judgement));
            }
        }
    }
}
