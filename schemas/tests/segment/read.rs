//! Segments as they are read: damage of every kind, recovered ones, journals that were left.

use hansard_schemas::chain::{self, Kind};
use hansard_schemas::segment::{Checker, KeysState, Reader, Tail, TrailerKind, scan_open};
use hansard_schemas::{Digest, limits};
use proptest::prelude::*;

use super::fixture::{Session, boot, check, outcome, output, session, single, time};

const END: [u8; 4] = [0xff; 4];

/// Closes what is left of a journal as a recorder would that comes back.
fn recover(session: &Session, left: &[u8]) -> Vec<u8> {
    let scan = scan_open(left);
    let kind = Kind::Recovered {
        session: session.id,
        segment: 0,
        blocks: scan.blocks,
        kept: scan.kept,
        head: None,
        reason: "killed".into(),
        old_boot: boot(),
        continues: None,
    };
    let key = hansard_schemas::seal::SigningKey::from_bytes(&session.chain_key.to_bytes());
    let (entry, _) = chain::append(&session.start, key, kind, time(), boot()).unwrap();
    [&left[..scan.kept_len], &END, &entry.line].concat()
}

#[test]
fn seg_pieces_of_any_size_check_alike() {
    let mut session = session();
    let bytes = single(&mut session, &[b"one", b"two", &[0xff; 3000]]);
    let whole = check(&bytes).unwrap();
    for size in [1, 2, 3, 7, 64, 1000] {
        let mut checker = Checker::new();
        for piece in bytes.chunks(size) {
            checker.push(piece).unwrap();
        }
        let pieces = checker.finish().unwrap();
        assert_eq!((pieces.digest, pieces.kept, pieces.stored_bytes), (whole.digest, whole.kept, whole.stored_bytes));
    }
}

#[test]
fn rec_2_every_prefix_of_a_journal_is_recovered_to_whole_blocks() {
    let session = session();
    let chunks: [&[u8]; 4] = [b"one", b"two", b"three", b"four"];
    let (journal, _) = session.first(&chunks).finish(true);
    let start = session.header.len();
    let mut seen = std::collections::BTreeSet::new();
    for cut in 0..=journal.len() {
        let left = &journal[..cut];
        let scan = scan_open(left);
        if scan.kept_len == 0 {
            assert!(scan.kept.is_none() && scan.blocks == 0, "{start}");
            continue;
        }
        seen.insert(scan.blocks);
        assert_eq!(scan.tail == Tail::End, cut == journal.len());
        let bytes = recover(&session, left);
        let checked = check(&bytes).unwrap();
        assert!(matches!(checked.trailer, TrailerKind::Recovered(_)));
        assert_eq!(Some(checked.kept), scan.kept);
        // The header line is in block 0, a chunk in each of the next.
        let blocks = usize::try_from(scan.blocks).unwrap().saturating_sub(1).min(chunks.len());
        assert_eq!(session.output(&bytes).unwrap(), chunks[..blocks].concat());
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn rec_torn_or_zeroed_tails_are_left_out() {
    let session = session();
    let written = session.first(&[b"one", b"two"]);
    let whole = scan_open(&written.bytes);
    assert_eq!((whole.blocks, whole.last_position, whole.tail), (3, 3, Tail::Torn));
    for tail in [&[0; 4096][..], &[0xff; 3], &[1, 2, 3], &[0x20, 0, 0, 0, 9, 9], &[0; 1]] {
        let scan = scan_open(&[&written.bytes[..], tail].concat());
        assert_eq!((scan.kept_len, scan.kept), (written.bytes.len(), whole.kept));
    }
    // A damaged block ends what is kept, whatever follows.
    let mut damaged = written.bytes.clone();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    assert_eq!(scan_open(&damaged).blocks, 2);
}

#[test]
fn rec_2_a_journal_torn_in_its_end_marker_opens() {
    let session = session();
    let (journal, _) = session.first(&[b"one"]).finish(true);
    for cut in 0..=4 {
        assert_eq!(output(&journal[..journal.len() - cut], &session.secret(0)).unwrap(), b"one", "{cut} less");
    }
}

#[test]
fn key_2_another_secret_opens_nothing() {
    let mut session = session();
    let bytes = single(&mut session, &[b"x"]);
    assert_eq!(outcome(&Reader::new(&bytes, &session.secret(1)).map(|_| ())), "commit");
}

#[test]
fn lim_5_a_header_that_never_ends_costs_no_memory() {
    let mut checker = Checker::new();
    assert!(checker.push(b"{\"hansard\":1,\"x\":\"").is_ok());
    let piece = vec![b'x'; 1 << 20];
    assert_eq!(outcome(&checker.push(&piece)), "limit");
    // Spent, and never well again.
    assert!(checker.push(&piece).is_err());
    assert!(checker.finish().is_err());
}

#[test]
fn seg_1_what_is_no_segment_is_told_at_its_first_byte() {
    for bytes in [&b"\xff\xd8\xff\xe0"[..], b"\x89PNG", b"{\"version\": 3", b"\0", b"\n", b" {\"hansard\":1"] {
        assert_eq!(outcome(&Checker::new().push(bytes)), "bad-header");
    }
}

#[test]
fn keys_2_an_altered_keys_line_hides_no_other_fault() {
    let mut session = session();
    let mut bytes = single(&mut session, &[b"x"]);
    let keys = memchr::memchr(b'\n', &bytes).unwrap() + 20;
    bytes[keys] ^= 1;
    assert_eq!(check(&bytes).unwrap().keys_state, KeysState::Altered);
    assert_eq!(outcome(&session.output(&bytes)), "altered");
    let last = bytes.len() - 20;
    bytes[last] ^= 1;
    assert!(matches!(outcome(&check(&bytes)), "bad-trailer" | "bad-signature"));
}

#[test]
fn trl_2_the_digest_leaves_the_keys_line_out() {
    let mut session = session();
    let bytes = single(&mut session, &[b"x"]);
    let checked = check(&bytes).unwrap();
    let header = memchr::memchr(b'\n', &bytes).unwrap() + 1;
    let keys = header + checked.keys.bytes().len();
    assert_eq!(checked.digest, Digest::of(&[&bytes[..header], &bytes[keys..]].concat()));
    let trailer = memchr::memrchr(b'\n', &bytes[..bytes.len() - 1]).map_or(0, |at| at + 1);
    let end = memchr::memmem::rfind(&bytes, &END).unwrap();
    assert!(trailer <= end + 4);
    assert_eq!(checked.kept, Digest::of(&[&bytes[..header], &bytes[keys..end]].concat()));
}

#[test]
fn blk_5_a_block_of_the_wrong_crc_is_not_opened() {
    let mut session = session();
    let mut bytes = single(&mut session, &[b"x"]);
    let header = memchr::memchr(b'\n', &bytes).unwrap() + 1;
    let block = header + memchr::memchr(b'\n', &bytes[header..]).unwrap() + 1;
    bytes[block + 20] ^= 1;
    assert_eq!(outcome(&Reader::new(&bytes, &session.secret(0)).map(|_| ())), "block-crc");
}

/// One session for all cases: its keys take longer than the rest of a case.
fn recorded() -> &'static (Session, Vec<u8>, Vec<u8>) {
    static ONE: std::sync::LazyLock<(Session, Vec<u8>, Vec<u8>)> = std::sync::LazyLock::new(|| {
        let mut session = session();
        let chunks: Vec<Vec<u8>> = (0..20u8).map(|n| vec![n.wrapping_mul(13); 3 * usize::from(n) + 1]).collect();
        let bytes = single(&mut session, &chunks.iter().map(Vec::as_slice).collect::<Vec<_>>());
        (session, bytes, chunks.concat())
    });
    &ONE
}

#[test]
fn trl_every_bit_of_a_segment_counts() {
    let (session, bytes, _) = recorded();
    for at in 0..bytes.len() {
        let mut bent = bytes.clone();
        bent[at] ^= 1 << (at % 8);
        let result = session.output(&bent);
        assert_ne!(outcome(&result), "ok", "byte {at}");
    }
}

#[test]
fn trl_4_every_shorter_segment_is_truncated() {
    let (_, bytes, _) = recorded();
    for cut in 0..bytes.len() {
        assert_eq!(outcome(&check(&bytes[..cut])), "truncated", "{cut}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn seg_any_chunks_come_back(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 0..12)) {
        let mut session = session();
        let bytes = single(&mut session, &chunks.iter().map(Vec::as_slice).collect::<Vec<_>>());
        prop_assert_eq!(session.output(&bytes).unwrap(), chunks.concat());
    }

    #[test]
    fn blk_5_bent_bytes_give_errors_and_never_other_text(
        bends in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let (session, bytes, text) = recorded();
        let mut bent = bytes.clone();
        for (at, byte) in bends {
            let at = at.index(bent.len());
            bent[at] = byte;
        }
        bent.truncate(cut.index(2 * bytes.len()).max(1));
        // Straight at the blocks, as if nobody had checked: what comes out before an error is what was written.
        if let Ok(raw) = output(&bent, &session.secret(0)) {
            prop_assert!(text.starts_with(&raw));
        }
        if check(&bent).is_ok() && session.output(&bent).is_ok() {
            prop_assert_eq!(&bent, bytes);
        }
    }

    #[test]
    fn lim_any_bytes_are_checked_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000), keep in 0usize..2000) {
        let (_, good, _) = recorded();
        let mixed = [&good[..keep.min(good.len())], &bytes].concat();
        let _ = check(&mixed);
        let _ = scan_open(&mixed);
        let _ = hansard_schemas::segment::check_recording(&mixed);
    }
}

#[test]
fn lim_12_a_segment_that_goes_on_for_ever_ends_at_the_limit() {
    let session = session();
    let mut checker = Checker::new();
    checker.push(&session.first(&[]).bytes).unwrap();
    let mut frame = vec![0; 12 + limits::SEALED_MAX as usize];
    frame[..4].copy_from_slice(&limits::SEALED_MAX.to_le_bytes());
    frame[4] = 9;
    let crc = crc32c::crc32c(&frame);
    frame.extend(crc.to_le_bytes());
    let met = (0..64).find_map(|n| checker.push(&frame).err().map(|error| (n, error)));
    let (blocks, error) = met.unwrap();
    assert_eq!((blocks, error.outcome().as_str()), (31, "limit"));
}
