//! The host chain on disk, by what it makes of many sessions. Not for entries and verdicts, which are the format's.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use hansard_record::capture::who::Host;
use hansard_record::host_chain::HostChain;
use hansard_record::journal::spool::Spool;
use hansard_schemas::chain::{Chain, Head};
use hansard_schemas::{Digest, SessionId};

#[test]
fn chain_8_a_checkpoint_of_any_number_of_sessions_says_of_each_that_it_is_open() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(&dir.path().join("spool")).unwrap();
    let chain = HostChain::open(&spool, &Host::this().unwrap()).unwrap();
    let session = |n: u64| SessionId::new(1_795_338_600_000 + n, &[7; 10]);
    for count in [1, 2, 336, 337, 338, 2_000] {
        // In no order, and with the longest texts.
        let open: Vec<Head> = (1..count)
            .rev()
            .map(|n| Head { session: session(n), segment: Some(999_999), digest: Some(Digest([0xff; 32])) })
            .collect();
        let entries = chain.checkpoint(&spool, || open.clone()).unwrap();
        for head in &open {
            let said: Vec<_> = entries.iter().filter_map(|entry| entry.kind.lists(head.session)).collect();
            assert_eq!(said, [Some(head)], "{count}");
        }
        for unknown in [session(0), session(count)] {
            let said: Vec<_> = entries.iter().filter_map(|entry| entry.kind.lists(unknown)).collect();
            assert_eq!(said, [None], "one that is not open, of {count}");
        }
    }
    let lines = chain.log().lines_from(0).unwrap().concat();
    assert!(Chain::from_objects(chain.id(), [(None, lines)]).problems.is_empty());
}
