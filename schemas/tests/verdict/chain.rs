//! Section 5 seen from a verdict: what is done to a chain, and what is then said of a session in it.

use hansard_schemas::chain::{Chain, Kind};

use crate::scene::{Scene, Store, scene};
use crate::words;

struct Attack {
    name: &'static str,
    act: fn(&mut Scene),
    /// Of the first session, which ends with entry 4.
    first: &'static str,
    /// Of the second, of entries 5 and 6.
    second: &'static str,
}

const ATTACKS: &[Attack] = &[
    Attack {
        name: "genesis removed",
        act: |s| s.store.chain = vec![s.host.object(1, 7)],
        first: "complete, end not witnessed; chain-broken 0",
        second: "complete, end not witnessed; chain-broken 0",
    },
    Attack {
        name: "an entry of the first session removed",
        act: |s| s.store.chain = vec![s.host.object(0, 1), s.host.object(3, 7)],
        first: "complete, end not witnessed; chain-broken 2",
        second: "complete, end not witnessed; chain-broken 2",
    },
    Attack {
        name: "an entry of the first session cut out of an object, which keeps its name",
        act: |s| {
            let line = s.host.entries[3].line.len();
            let from = s.host.object(0, 2).1.len();
            s.store.chain[0].1.drain(from..from + line);
        },
        first: "complete, end not witnessed; chain-broken 3",
        second: "complete, end not witnessed; chain-broken 3",
    },
    Attack {
        name: "an entry of the second session removed",
        act: |s| s.store.chain = vec![s.host.object(0, 4), s.host.object(6, 7)],
        first: "complete; (chain-broken 5)",
        second: "complete, end not witnessed; chain-broken 5",
    },
    Attack {
        name: "entries replayed, each in its place",
        act: |s| {
            s.store.chain = vec![s.host.object(0, 7), s.host.object(2, 5), s.host.object(0, 0), s.host.object(0, 7)]
        },
        first: "complete",
        second: "complete",
    },
    Attack {
        name: "an entry replayed in another place",
        act: |s| {
            let mut bytes = s.host.object(0, 5).1;
            bytes.extend(&s.host.entries[2].line);
            bytes.extend(&s.host.entries[7].line);
            s.store.chain[0].1 = bytes;
        },
        first: "complete; (chain-broken 6)",
        second: "complete, end not witnessed; chain-broken 6",
    },
    Attack {
        name: "an entry replayed after the last",
        act: |s| s.store.chain[0].1.extend(&s.host.entries[7].line),
        first: "complete; (chain-broken 8)",
        second: "complete; (chain-broken 8)",
    },
    Attack {
        name: "a fork after both sessions",
        act: |s| fork(s, 6),
        first: "complete; (fork 7)",
        second: "complete; (fork 7)",
    },
    Attack {
        name: "a fork between them",
        act: |s| fork(s, 4),
        first: "complete; (fork 5)",
        second: "complete, end not witnessed; fork 5",
    },
    Attack {
        name: "a fork in the first session",
        act: |s| fork(s, 1),
        first: "complete, end not witnessed; fork 2",
        second: "complete, end not witnessed; fork 2",
    },
    Attack {
        name: "two entries swapped",
        act: |s| {
            let lines: Vec<u8> =
                [0, 1, 3, 2, 4, 5, 6, 7].iter().flat_map(|n| s.host.entries[*n].line.clone()).collect();
            s.store.chain[0].1 = lines;
        },
        first: "complete, end not witnessed; chain-broken 2",
        second: "complete, end not witnessed; chain-broken 2",
    },
    Attack {
        name: "the last line cut short",
        act: |s| {
            s.store.chain[0].1.pop();
        },
        first: "complete; (chain-broken 7)",
        second: "complete; (chain-broken 7)",
    },
    Attack {
        name: "an empty object",
        act: |s| s.store.chain[0].1.clear(),
        first: "complete, end not witnessed; chain-broken 0",
        second: "complete, end not witnessed; chain-broken 0",
    },
    Attack {
        name: "another host's chain under this one's name",
        act: |s| {
            let other = scene();
            s.store.chain[0].1 = other.store.chain[0].1.clone();
        },
        first: "complete, end not witnessed; chain-broken 0",
        second: "complete, end not witnessed; chain-broken 0",
    },
    Attack {
        name: "an entry of a newer version at the end",
        act: |s| s.store.chain[0].1.extend(b"{\"hansard\":2,\"kind\":\"x\"}\n"),
        first: "complete; (chain-broken 8)",
        second: "complete; (chain-broken 8)",
    },
];

/// The host goes on twice from entry `seq`, as a virtual machine that was copied does.
fn fork(scene: &mut Scene, seq: usize) {
    let mut other = scene.host.branch(seq);
    other.now_ms += 1;
    other.add(Kind::Close);
    scene.store.chain.push(other.object(seq + 1, seq + 1));
}

#[test]
fn chain_5_each_attack_is_named_and_ends_belief_where_it_is() {
    let mut wrong = String::new();
    for Attack { name, act, first, second } in ATTACKS {
        let mut scene = scene();
        act(&mut scene);
        for (session, expected) in [(&scene.a, first), (&scene.b, second)] {
            let judgement = scene.store.judge(session);
            let found = words(&judgement);
            if found != **expected || judgement.ok() != (*expected == "complete") {
                wrong += &format!("{name}:\n  expected {expected}\n  found    {found}\n{judgement:#?}\n");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn chain_4_objects_may_overlap_and_come_in_any_order() {
    let Scene { host, a, b, .. } = scene();
    let mut store = Store::of(&host, &[&a, &b]);
    store.chain = vec![host.object(4, 7), host.object(0, 2), host.object(1, 5)];
    for session in [&a, &b] {
        assert_eq!(words(&store.judge(session)), "complete");
    }
    assert_eq!(store.chain().entries, host.entries);
}

#[test]
fn a_chain_grows_by_objects_that_only_go_on() {
    let Scene { host, .. } = scene();
    let of = |first: usize, last: usize| {
        let (name, bytes) = host.object(first, last);
        (name.unwrap(), bytes)
    };
    let begun = || Chain::from_objects(host.entries[0].chain, [host.object(0, 2)]);
    let mut chain = begun();
    for (first, last) in [(3, 3), (4, 6), (7, 7)] {
        let (name, bytes) = of(first, last);
        assert!(chain.extend(&name, &bytes), "{first}-{last}");
    }
    assert_eq!(chain.entries, host.entries);

    let (name, good) = of(3, 5);
    let mut altered = good.clone();
    let middle = altered.len() / 2;
    altered[middle] ^= 1;
    let cases = [
        ("it begins later", of(4, 5)),
        ("it was there", of(2, 5)),
        ("a byte is another", (name.clone(), altered)),
        ("it is cut short", (name.clone(), good[..good.len() - 1].to_vec())),
        ("it says less than its name", (name.clone(), of(3, 4).1)),
        ("it says more than its name", (of(3, 4).0, good.clone())),
        ("it is empty", (name, Vec::new())),
    ];
    for (what, (name, bytes)) in cases {
        let mut chain = begun();
        assert!(!chain.extend(&name, &bytes), "{what}");
        assert_eq!(chain.entries, host.entries[..3], "{what}");
    }
}
