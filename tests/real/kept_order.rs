//! Shown means recorded, seen from the kernel: before every write to the terminal, the journal's write of those bytes has
//! returned; before the first name of a segment in a store, its bytes were synced.

use hansard_tests::home::Home;
use hansard_tests::terminal::Terminal;
use hansard_tests::{SOON, programs};

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
