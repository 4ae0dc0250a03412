//! Power loss, simulated: whatever was not synced is dropped, zero-filled or torn at random, and names that no directory
//! sync made durable are undone. What is left opens, and at most the interval of the group sync is missing.
//!
//! strace tells what was synced: a byte is durable when its write had returned before an fdatasync of its file began that
//! returned success. `HANSARD_POWER_LOSSES` sets the number of losses (10 by default).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hansard_tests::call::{code, said};
use hansard_tests::home::Home;
use hansard_tests::stream::Numbers;
use hansard_tests::terminal::Terminal;
use hansard_tests::{SOON, process, programs};

use crate::heavy;
use crate::trace::{lines, traced};

const SYNC_INTERVAL: Duration = Duration::from_millis(200);
/// A sync that began in time may take this long under strace on a loaded machine.
const GRACE: Duration = Duration::from_millis(600);

/// What is known of one file.
#[derive(Debug, Default, Clone)]
struct Written {
    /// Line of the log at which each write ended, and the length then.
    writes: Vec<(usize, u64)>,
    synced: u64,
    /// Its name is in a directory that was synced since.
    named: bool,
}

/// What the disk would hold: per file how much of it is durable, and renames that are not.
fn durable(log: &Path) -> (BTreeMap<PathBuf, Written>, Vec<(PathBuf, PathBuf)>) {
    let mut files: BTreeMap<PathBuf, Written> = BTreeMap::new();
    let mut renames = Vec::new();
    for line in lines(log) {
        let path = PathBuf::from(line.path());
        match (line.name.as_str(), line.result) {
            ("write", Some(n)) if n > 0 => {
                let file = files.entry(path).or_default();
                let length = file.writes.last().map_or(0, |(_, l)| *l) + n as u64;
                file.writes.push((line.span.1, length));
            }
            ("pwrite64", Some(n)) if n > 0 => {
                // The last argument is the place: a trailer, or the end marker of a recovery.
                let place: u64 = line.args.rsplit(", ").next().and_then(|p| p.parse().ok()).expect("a place");
                let file = files.entry(path).or_default();
                let length = file.writes.last().map_or(0, |(_, l)| *l).max(place + n as u64);
                file.writes.push((line.span.1, length));
            }
            ("fdatasync" | "fsync", Some(0)) => {
                if let Some(file) = files.get_mut(&path) {
                    let covered = file.writes.iter().rfind(|(end, _)| *end < line.span.0);
                    file.synced = covered.map_or(file.synced, |(_, length)| file.synced.max(*length));
                } else {
                    // A directory.
                    files.iter_mut().filter(|(file, _)| file.parent() == Some(&path)).for_each(|(_, w)| w.named = true);
                    renames.retain(|(_, to): &(PathBuf, PathBuf)| to.parent() != Some(&path));
                }
            }
            ("rename" | "renameat" | "renameat2", Some(0)) => {
                let names: Vec<PathBuf> = line.args.split('"').skip(1).step_by(2).map(PathBuf::from).collect();
                if let [from, to] = &names[..] {
                    let mut file = files.remove(from).unwrap_or_default();
                    file.named = files.get(to).is_some_and(|old| old.named);
                    files.insert(to.clone(), file);
                    renames.push((from.clone(), to.clone()));
                }
            }
            _ => {}
        }
    }
    (files, renames)
}

/// Does to the spool what a power loss may do.
fn lose_power(spool: &Path, log: &Path, numbers: &mut Numbers) -> Vec<String> {
    let (files, renames) = durable(log);
    let mut done = Vec::new();
    for path in process::files_below(spool) {
        let Some(state) = files.get(&path) else { continue };
        let bytes = fs::read(&path).expect("a file");
        let synced = usize::try_from(state.synced).expect("a length").min(bytes.len());
        // A closed segment is synced before it is named; only journals may have a tail that is not.
        if synced == bytes.len() {
            continue;
        }
        let lost = bytes.len() - synced;
        let mut left = bytes;
        let how = match numbers.below(3) {
            0 => {
                left.truncate(synced);
                "dropped"
            }
            1 => {
                left[synced..].fill(0);
                "zero-filled"
            }
            _ => {
                let torn = synced + numbers.below(lost as u64) as usize;
                left[torn..].fill(0);
                if numbers.below(2) == 0 {
                    left.truncate(torn);
                }
                "torn"
            }
        };
        fs::write(&path, left).expect("written");
        done.push(format!("{how} {lost} bytes of {}", path.file_name().expect("a name").to_string_lossy()));
        if !state.named && synced == 0 && numbers.below(2) == 0 {
            fs::remove_file(&path).expect("removed");
            done.push("and its name".into());
        }
    }
    for (from, to) in renames.iter().rev() {
        let undone =
            to.extension().is_some_and(|e| e == "hseg") && to.exists() && !from.exists() && numbers.below(2) == 0;
        if undone {
            fs::rename(to, from).expect("renamed");
            done.push(format!("renamed {} back", to.file_name().expect("a name").to_string_lossy()));
        }
    }
    done
}

#[test]
fn at_most_the_sync_interval_is_missing() {
    let _heavy = heavy();
    let losses = std::env::var("HANSARD_POWER_LOSSES").ok().and_then(|n| n.parse().ok()).unwrap_or(10);
    let mut numbers = Numbers::new(std::process::id().into());
    let mut changed = 0;
    for round in 0..losses {
        let home = Home::new();
        // Closing syncs too: where no segment closes in time, only the group sync stands between the bytes and the loss.
        let interval = if round % 2 == 0 { "10s" } else { "700ms" };
        home.configure(&format!("[journal]\nsync_interval = \"200ms\"\n[ship]\ninterval = \"{interval}\"\n"));
        let log = home.join("log");
        let emit = programs::own("emit");
        let call = home.record([emit.to_str().expect("a path"), "--raw", "chatter", &round.to_string()]);
        let calls = "write,pwrite64,fdatasync,fsync,rename,renameat,renameat2";
        let mut terminal = Terminal::raw_running(&traced(call, &log, calls));
        assert!(terminal.waits(SOON, |b| !b.is_empty()), "nothing was displayed");
        terminal.waits(Duration::from_millis(900 + numbers.below(1200)), |_| false);
        let recorder = programs::recorder().canonicalize().expect("a path");
        let below = process::descendants(terminal.pid());
        let of_recorder = |pid: &&u32| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|e| e == recorder);
        let pid = **below.iter().filter(of_recorder).collect::<Vec<_>>().first().expect("the recorder runs");
        let killed = Instant::now();
        process::kill_recorder(pid);
        terminal.ended(SOON);
        let reads = terminal.reads();
        let displayed = terminal.drained();
        let required =
            reads.iter().rfind(|(_, at)| *at + SYNC_INTERVAL + GRACE < killed).map_or(0, |(length, _)| *length);
        assert!(required > 0, "the session was too short to mean anything");

        let done = lose_power(&home.spool(), &log, &mut numbers);
        changed += usize::from(!done.is_empty());
        let shipped = home.recorder(["ship"]).output();
        assert_eq!(code(&shipped), 0, "{done:?}: {}", said(&shipped));
        let verified = home.verify(["latest"]);
        assert_eq!(verified.code, 0, "{done:?}: {}", verified.said);
        assert!(verified.said.contains("recovered at"), "{done:?}: {}", verified.said);
        let recorded = home.raw("latest");
        let common = recorded.iter().zip(&displayed).take_while(|(r, d)| r == d).count();
        assert!(common >= recorded.len().min(displayed.len()), "{done:?}: the recording differs at {common}");
        assert!(
            common >= required,
            "{done:?}: {required} bytes were shown {SYNC_INTERVAL:?} and more before, {common} are left"
        );
        println!("{} of {} displayed bytes left, {required} required: {}", common, displayed.len(), done.join(", "));
    }
    assert!(changed * 2 >= losses, "only {changed} of {losses} losses lost anything");
}
