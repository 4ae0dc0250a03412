//! Bytes as they come, given to everything that takes a whole segment or recording: the check, in two ways of cutting
//! the input, the reader behind it with a secret that is known, the scan of a journal.

use hansard_schemas::keys::KeysLine;
use hansard_schemas::segment::{Checked, Checker, EventReader, check_recording, scan_open};

use crate::fixed;

fn check(data: &[u8], step: usize) -> Result<Checked, String> {
    let mut checker = Checker::new();
    for part in data.chunks(step.max(1)) {
        checker.push(part).map_err(|error| error.to_string())?;
    }
    checker.finish().map_err(|error| error.to_string())
}

pub fn run(data: &[u8]) {
    if data.starts_with(b"{\"wraps\"") {
        return keys(data);
    }
    let whole = check(data, data.len());
    let step = data.first().map_or(1, |byte| usize::from(*byte) + 1);
    let parts = check(data, step);
    match (&whole, &parts) {
        (Ok(a), Ok(b)) => assert_eq!((a.digest, a.kept, a.blocks), (b.digest, b.kept, b.blocks)),
        (Err(a), Err(b)) => assert_eq!(a, b, "the cut of the input changed the outcome"),
        _ => panic!("the cut of the input changed the outcome: {whole:?}, {parts:?}"),
    }
    let recording = check_recording(data);
    if whole.is_ok() {
        assert_eq!(recording.as_ref().map(Vec::len).ok(), Some(1));
    }
    let scan = scan_open(data);
    assert!(scan.kept_len <= data.len());
    if let Ok(mut reader) = EventReader::new(data, &fixed::secret(0)) {
        while let Ok(Some(_)) = reader.next_batch() {}
    }
}

/// Keys lines, for themselves: what they wrap is parsed before anything authenticates it.
fn keys(data: &[u8]) {
    let Ok(keys) = KeysLine::parse(data) else { return };
    assert_eq!(keys.bytes(), data);
    assert!(keys.unwrap(&fixed::IDENTITIES).is_err(), "nobody sealed this for the fuzzer");
}
