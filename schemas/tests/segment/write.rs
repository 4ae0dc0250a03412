//! Segments as they are written: what reads back, and what a writer refuses.

use hansard_schemas::limits;
use hansard_schemas::seal::SigningKey;
use hansard_schemas::segment::{Compression, SegmentWriter, check_recording, reseal};

use super::fixture::{check, output, session, single};

#[test]
fn seg_a_closed_segment_gives_back_its_bytes() {
    let mut session = session();
    let chunks: [&[u8]; 3] = [b"hello \xff\xfe world\r\n", "\u{fffd} and é".as_bytes(), &[0; 100_000]];
    let bytes = single(&mut session, &chunks);
    assert_eq!(session.output(&bytes).unwrap(), chunks.concat());
    let checked = check(&bytes).unwrap();
    assert_eq!((checked.blocks, checked.last_position, checked.stored_bytes), (6, 4, bytes.len() as u64));
    assert!(checked.is_last());
}

#[test]
fn seg_3_two_segments_join_to_a_recording() {
    let mut session = session();
    let next = SigningKey::generate();
    let (mut first, closed) = session.first(&[b"one"]).finish(false);
    let (line, digest) = closed.sign(None, Some(next.public()), false, session.take_signer()).unwrap();
    first.extend(line);
    let (mut second, closed) = session.later(1, 1, 5, &next, &[b"two"]).finish(true);
    second.extend(closed.sign(Some(digest), None, true, next).unwrap().0);
    let parts = check_recording(&[first.clone(), second.clone()].concat()).unwrap();
    assert_eq!(parts.iter().map(|part| part.checked.header.segment).collect::<Vec<_>>(), [0, 1]);
    assert_eq!([session.output(&first).unwrap(), session.output(&second).unwrap()].concat(), b"onetwo");
    assert!(check_recording(&[second, first].concat()).is_err());
}

#[test]
fn write_1_joining_keeps_lines_and_skips_an_index() {
    let mut session = session();
    let chunks: Vec<Vec<u8>> = (0..400).map(|i| format!("line {i}\r\n").into_bytes()).collect();
    let chunks: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
    let (journal, _) = session.first(&chunks).finish(true);
    let (mut joined, closed) = reseal(&journal, &session.secret(0), (&session.secret(1), 1)).unwrap();
    assert!(joined.len() * 3 < journal.len(), "{} of {}", joined.len(), journal.len());
    assert_eq!(closed.blocks(), 3);
    joined.extend(closed.sign(None, None, true, session.take_signer()).unwrap().0);
    let checked = check(&joined).unwrap();
    assert_eq!((checked.header.index, checked.last_position), (1, 401));
    assert_eq!(output(&joined, &session.secret(1)).unwrap(), chunks.concat());
    // KEY-3: not under the same or an earlier secret.
    assert!(reseal(&journal, &session.secret(0), (&session.secret(0), 0)).is_err());
}

#[test]
fn blk_1_a_position_never_falls_when_written() {
    let session = session();
    let mut written = session.first(&[b"x"]);
    let before = written.bytes.clone();
    assert!(written.writer.seal(b"[0.000, \"m\", \"\"]\n", 1, &mut written.bytes).is_err());
    assert_eq!(written.bytes, before);
}

#[test]
fn lim_3_a_block_too_large_is_refused_when_written() {
    let session = session();
    let mut written = session.first(&[]);
    let before = written.bytes.len();
    assert!(written.writer.seal(&vec![b'\n'; limits::BLOCK_LINES + 1], 9, &mut written.bytes).is_err());
    assert!(written.writer.seal(b"no line feed", 9, &mut written.bytes).is_err());
    assert_eq!(written.bytes.len(), before);
}

#[test]
fn trl_only_the_announced_key_signs() {
    let session = session();
    let (_, closed) = session.first(&[]).finish(true);
    assert!(closed.sign(None, None, true, SigningKey::generate()).is_err());
}

#[test]
fn lim_9_every_level_keeps_the_window_of_readers() {
    let session = session();
    for level in [-5, 1, 3, 19, 22] {
        for window_log in [None, Some(10), Some(15), Some(27)] {
            let spec = session.spec(0, 0, 0, session.signer.public());
            let how = Compression { level, window_log, bulk: level == 3, stores_small: level == 1 };
            let (mut writer, mut bytes) = SegmentWriter::new(spec, &session.secret(0), &session.keys, how).unwrap();
            let lines = format!("[0.000, \"m\", \"{}\"]\n", "x".repeat(1_000)).repeat(1_000);
            writer.seal(lines.as_bytes(), 1, &mut bytes).unwrap();
            let mut reader = hansard_schemas::segment::Reader::new(&bytes, &session.secret(0)).unwrap();
            assert_eq!(reader.next_block().unwrap().unwrap().lines, lines.as_bytes(), "{how:?}");
        }
    }
}
