//! Chain entries and chain objects, as they come. Signatures cannot be guessed, so an input that is believed beyond
//! what its seed had would be a finding by itself; histories that are signed are the `verdict` target's.

use hansard_schemas::chain::{Chain, Entry};
use hansard_schemas::chain_state::{FILE, SLOT, State};
use hansard_schemas::names::ChainName;
use hansard_schemas::{ChainId, Digest};

pub fn run(data: &[u8]) {
    let mut id = None;
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        if let Ok(entry) = Entry::parse(line) {
            assert_eq!(entry.digest, Digest::of(&entry.line), "the line is kept as it came");
            assert_eq!(entry.line.last(), Some(&b'\n'));
            assert_eq!(Entry::parse(&entry.line).ok().map(|again| again.digest), Some(entry.digest));
            id = id.or(Some(entry.chain));
        }
    }
    let id = id.unwrap_or(ChainId(Digest([0; 32])));
    let objects: Vec<&[u8]> = data.split(|byte| *byte == 0x1e).collect();
    let chain = Chain::from_objects(id, objects.iter().map(|bytes| (None::<ChainName>, *bytes)));
    for (at, entry) in chain.entries.iter().enumerate() {
        assert_eq!((entry.seq, entry.chain), (at as u64, id));
    }
    let name = ChainName { chain: id, first: 0, last: objects.len() as u64 };
    let _ = Chain::from_objects(id, objects.iter().map(|bytes| (Some(name.clone()), *bytes)));
    let mut file = vec![0; FILE];
    let fits = data.len().min(FILE - SLOT);
    file[SLOT..SLOT + fits].copy_from_slice(&data[..fits]);
    let _ = State::read(&file);
    let _ = State::read(data);
}
