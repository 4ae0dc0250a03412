//! Shown means recorded, seen from the kernel: before every write to the terminal, the journal's write of those bytes has
//! returned; before the first name of a segment in a store, its bytes were synced.

use std::path::Path;

use hansard_schemas::cast::{Code, EventData, LineReader};
use hansard_schemas::keys::{Identities, KeysLine, SegmentSecret};
use hansard_schemas::segment::Reader;
use hansard_tests::home::Home;
use hansard_tests::terminal::Terminal;
use hansard_tests::{LONG, SOON, programs, stream};

use crate::trace::{lines, traced};

#[test]
fn every_write_to_the_terminal_follows_a_write_of_the_journal() {
    let home = Home::new();
    let log = home.join("log");
    let emit = programs::own("emit");
    // Only small separate writes: each is read, journaled and displayed by itself.
    let command = [
        emit.to_str().expect("a path"),
        "--raw",
        "hex",
        "6f6e65",
        "60",
        "74776f",
        "60",
        "7468726565",
        "60",
        "666f7572",
    ];
    let mut terminal =
        Terminal::raw_running(&traced(home.record(command), &log, "write,writev,pwrite64,sendmsg,splice,sendfile"));
    assert_eq!(terminal.status(SOON), 0);
    let outer = terminal.name().to_owned();
    assert_eq!(terminal.drained(), b"onetwothreefour");
    let (mut journaled, mut displayed, mut writes) = (0, 0, Vec::new());
    for line in lines(&log) {
        let (path, count) = (line.path(), line.result.unwrap_or(0));
        if path.ends_with(".journal") {
            journaled += 1;
        } else if path == outer && count > 0 {
            displayed += 1;
            writes.push((journaled, displayed, line.args.clone()));
        }
    }
    // The header and keys lines are one or two writes; then one block before each display.
    assert!(writes.len() >= 4, "{writes:?}");
    let first = writes[0].0;
    assert!(first >= 2, "the first display came after {first} writes of the journal: {writes:?}");
    for (place, (journaled, ..)) in writes.iter().enumerate() {
        assert!(*journaled >= first + place.min(3), "display {place} came before its block: {writes:?}");
    }
}

/// Of each block of a segment: where it ends in the file, and how many bytes of output are in all blocks up to it.
fn blocks(home: &Home, segment: &Path) -> Vec<(usize, usize)> {
    let bytes = std::fs::read(segment).expect("a segment");
    let ends: Vec<usize> =
        bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1).take(2).collect();
    let identities = std::fs::read_to_string(home.identity()).expect("the identity");
    let identities = Identities::parse(&identities).expect("an identity");
    let epoch = KeysLine::parse(&bytes[ends[0]..ends[1]]).expect("keys").unwrap(&identities).expect("opens");
    let header: serde_json::Value = serde_json::from_slice(&bytes[..ends[0]]).expect("a header");
    let index = u32::try_from(header["index"].as_u64().expect("an index")).expect("a small one");
    let secret = SegmentSecret::derive(&epoch, index).expect("a secret");
    let mut reader = Reader::new(&bytes, &secret).expect("a segment");
    let mut events = LineReader::new(true, 0);
    let (mut found, mut end, mut output) = (Vec::new(), ends[1], 0);
    while let Some(block) = reader.next_block().expect("a block") {
        for event in events.push(&block.lines).expect("lines") {
            if let (Code::Output, EventData::Bytes(bytes)) = (event.code, event.data) {
                output += bytes.len();
            }
        }
        let sealed = u32::from_le_bytes(bytes[end..end + 4].try_into().expect("four bytes"));
        end += 12 + sealed as usize + 4;
        found.push((end, output));
    }
    found
}

#[test]
fn in_bulk_every_write_to_the_terminal_follows_the_journals_write_of_its_bytes() {
    let home = Home::new();
    // One segment, which is too large to be sealed anew: its blocks are those that the journal had.
    home.configure("[journal]\nmax_segment = 67108864\n[ship]\ninterval = \"1h\"\n");
    let log = home.join("log");
    let (emit, length) = (programs::own("emit"), 16_000_000);
    let command = [emit.to_str().expect("a path"), "--raw", "lines", "1", &length.to_string(), "65536"];
    let mut terminal = Terminal::raw_running(&traced(home.record(command), &log, "write,writev,pwrite64"));
    assert_eq!(terminal.status(LONG), 0);
    let outer = terminal.name().to_owned();
    assert!(terminal.drained() == stream::lines(1, length), "what was displayed is not the stream");

    let segments = home.segments();
    assert_eq!(segments.len(), 1, "{segments:?}");
    let blocks = blocks(&home, &segments[0]);
    let calls = lines(&log);
    let journaled: Vec<(usize, usize)> = calls
        .iter()
        .filter(|line| line.path().ends_with(".journal"))
        .map(|line| (line.span.1, usize::try_from(line.result.unwrap_or(0)).unwrap_or(0)))
        .collect();
    let (mut displayed, mut displays) = (0, 0);
    for line in calls.iter().filter(|line| line.path() == outer) {
        let Some(count) = line.result.and_then(|n| usize::try_from(n).ok()) else { continue };
        displayed += count;
        displays += 1;
        let written: usize = journaled.iter().filter(|(end, _)| *end < line.span.0).map(|(_, count)| count).sum();
        let recorded = blocks.iter().rfind(|(end, _)| *end <= written).map_or(0, |(_, output)| *output);
        assert!(displayed <= recorded, "display {displays}: {displayed} bytes are shown, the journal has {recorded}");
    }
    assert!(displays > 100 && displayed == stream::lines(1, length).len(), "{displays} displays");
}

#[test]
fn a_segment_is_synced_before_any_store_sees_it() {
    let home = Home::small_segments();
    let log = home.join("log");
    let emit = programs::own("emit");
    let call = home.record([emit.to_str().expect("a path"), "random", "1", "2000000", "65536"]);
    traced(call, &log, "fdatasync,fsync,rename,renameat,renameat2,link,linkat,write").ok();
    let (mut dirty, mut stored) = (std::collections::BTreeSet::new(), 0);
    for line in lines(&log) {
        let path = line.path().to_owned();
        match line.name.as_str() {
            "write" => {
                dirty.insert(path);
            }
            "fdatasync" | "fsync" if line.result == Some(0) => {
                dirty.remove(&path);
            }
            "link" | "linkat" | "rename" | "renameat" | "renameat2" => {
                // Whatever gets its final name had its bytes synced under the name before.
                let names: Vec<&str> = line.args.split('"').skip(1).step_by(2).collect();
                let [from, to] = names[..] else { continue };
                if to.ends_with(".hseg") || to.ends_with(".hchain") {
                    let base = |p: &str| p.rsplit('/').next().unwrap_or_default().to_owned();
                    let unsynced = dirty.iter().find(|p| base(p) == base(from));
                    assert!(unsynced.is_none(), "{to} was named before {unsynced:?} was synced");
                    stored += usize::from(to.ends_with(".hseg"));
                }
            }
            _ => {}
        }
    }
    assert!(stored >= 4, "only {stored} segments were named");
}
