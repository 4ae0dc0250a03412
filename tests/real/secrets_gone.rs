//! A host cannot read its own past: whoever takes everything on its disk and all memory of the running recorder opens no
//! segment that was closed.
//!
//! Every window of 32 bytes is tried as an epoch secret, a segment secret and a block key of every closed segment. The
//! same search must open the segment that is open: otherwise it would find nothing anywhere.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use aes_gcm::aes::Aes256;
use aes_gcm::aes::cipher::{BlockEncrypt, KeyInit};
use hmac::{Hmac, Mac};
use rustix::process::Signal;
use sha2::Sha256;

use hansard_tests::call::{Call, code, said};
use hansard_tests::home::{Home, RECIPIENT};
use hansard_tests::terminal::Terminal;
use hansard_tests::{SOON, process, programs, wait_until};

use crate::guests::Guest;
use crate::heavy;
use crate::trace::open_segment;
use hansard_tests::clock::Clock;

type Secret = [u8; 32];

fn mac(key: &Secret, label: &str) -> Secret {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("any length");
    mac.update(label.as_bytes());
    mac.finalize().into_bytes().into()
}

/// What a stolen segment tells without a key: its commitment, its place, the first sealed bytes.
struct Target {
    name: String,
    epoch: u64,
    commit: Secret,
    first_sealed: [u8; 5],
}

impl Target {
    fn read(file: &Path) -> Option<Self> {
        let bytes = std::fs::read(file).ok()?;
        let mut lines = bytes.splitn(3, |b| *b == b'\n');
        let header: serde_json::Value = serde_json::from_slice(lines.next()?).ok()?;
        let blocks = lines.nth(1)?;
        let mut commit = [0; 32];
        hex::decode_to_slice(header["commit"].as_str()?, &mut commit).ok()?;
        Some(Self {
            name: file.file_name()?.to_string_lossy().into_owned(),
            epoch: header["epoch"].as_u64()?,
            commit,
            first_sealed: blocks.get(12..17)?.try_into().ok()?,
        })
    }

    /// Whether the block key opens its first block: the plaintext begins with kind 0 and a zstd frame's magic.
    fn opened_by_block_key(&self, key: &Secret) -> bool {
        // AES-GCM's first keystream block: nonce of counter 0, not last, then the counter 2.
        let mut block = [0_u8; 16];
        block[15] = 2;
        let mut block = block.into();
        Aes256::new(key.into()).encrypt_block(&mut block);
        let plain: Vec<u8> = self.first_sealed.iter().zip(block.iter()).map(|(sealed, key)| sealed ^ key).collect();
        plain == [0, 0x28, 0xb5, 0x2f, 0xfd]
    }
}

/// What a window opens, if anything.
fn opens(window: &Secret, targets: &[Target]) -> Option<String> {
    let commits = |secret: &Secret, what: &str| {
        let commit = mac(secret, "hansard/1 commit");
        targets.iter().find(|t| t.commit == commit).map(|t| format!("{what} of {}", t.name))
    };
    let epoch_after = mac(window, "hansard/1 next");
    // A segment that was joined has the next secret of its epoch but one: from any epoch secret that opens a closed
    // segment, one step reaches it or one that follows.
    commits(window, "segment secret")
        .or_else(|| commits(&mac(window, "hansard/1 segment"), "epoch secret"))
        .or_else(|| commits(&mac(&epoch_after, "hansard/1 segment"), "epoch secret before that"))
        .or_else(|| targets.iter().find(|t| t.opened_by_block_key(window)).map(|t| format!("block key of {}", t.name)))
}

/// Every window of `bytes` that could be a secret: where it is and what it opens. Secrets are random: at least 20 of 32 values
/// differ (fewer has a chance of less than one in a billion).
fn search(bytes: &[u8], targets: &[Target], found: &mut Vec<(usize, String)>) -> u64 {
    let (mut counts, mut distinct, mut tried) = ([0_u8; 256], 0, 0);
    for (at, byte) in bytes.iter().enumerate() {
        counts[usize::from(*byte)] += 1;
        distinct += usize::from(counts[usize::from(*byte)] == 1);
        if at >= 32 {
            let gone = usize::from(bytes[at - 32]);
            counts[gone] -= 1;
            distinct -= usize::from(counts[gone] == 0);
        }
        if at >= 31 && distinct >= 20 {
            tried += 1;
            let window: &Secret = bytes[at - 31..=at].try_into().expect("32 bytes");
            found.extend(opens(window, targets).map(|what| (at - 31, what)));
        }
    }
    tried
}

/// All memory of a stopped process that it could have written, as a core with nothing left out; with its addresses.
fn memory(pid: u32) -> Vec<(u64, Vec<u8>)> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).expect("its maps");
    let mut file = File::open(format!("/proc/{pid}/mem")).expect("its memory: this suite needs to be root");
    maps.lines()
        .filter(|line| line.split(' ').nth(1).is_some_and(|rights| rights.starts_with("rw")))
        .filter_map(|line| {
            let (from, to) = line.split(' ').next()?.split_once('-')?;
            let (from, to) = (u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?);
            let mut bytes = vec![0; usize::try_from(to - from).ok()?];
            file.seek(SeekFrom::Start(from)).ok()?;
            file.read_exact(&mut bytes).ok()?;
            Some((from, bytes))
        })
        .collect()
}

#[test]
fn no_closed_segment_opens_with_disk_and_memory_of_the_host() {
    let _heavy = heavy();
    let home = Home::empty();
    // Recipients only, as on a host whose reviewer is elsewhere.
    home.configure(&format!("recipients = [\"{RECIPIENT}\"]\n[ship]\ninterval = \"400ms\"\n"));
    let mut clock = Clock::new(&home);
    let call = home.record_sh("echo ready; while read x; do echo \"got $x\"; done");
    let mut terminal = Terminal::running(&clock.on(call));
    terminal.wait_text("ready\r\n");
    for number in 0..8 {
        let before = home.segments().len();
        if number == 4 {
            // An hour later: another epoch.
            clock.suspended_for(3_601);
        }
        terminal.type_in(format!("line {number}\n"));
        wait_until("another closed segment", SOON, || (home.segments().len() > before).then_some(()));
    }
    // Something in the open one, so that it has a block to open.
    terminal.type_in("the open one\n");
    terminal.wait_text("got the open one");
    let pid = terminal.pid();
    stop(pid);

    let closed: Vec<Target> = home.segments().iter().filter_map(|file| Target::read(file)).collect();
    let epochs: Vec<u64> = closed.iter().map(|target| target.epoch).collect();
    assert!([0, 1].iter().all(|n| epochs.iter().filter(|epoch| *epoch == n).count() > 1), "{epochs:?}");
    let open = [Target::read(&open_segment(&home.spool())).expect("an open segment with a block")];

    let mut everything: Vec<Vec<u8>> = memory(pid).into_iter().map(|(_, bytes)| bytes).collect();
    let disk = process::files_below(&home.join(".local"));
    everything.extend(disk.iter().map(|file| std::fs::read(file).expect("a file")));
    let size: usize = everything.iter().map(Vec::len).sum();
    let (left, right): (Vec<_>, Vec<_>) = everything.iter().enumerate().partition(|(place, _)| place % 2 == 0);
    let run = |part: Vec<(usize, &Vec<u8>)>, targets: &[Target]| {
        let (mut found, mut tried) = (Vec::new(), 0);
        part.iter().for_each(|(_, bytes)| tried += search(bytes, targets, &mut found));
        (found, tried)
    };
    let of_all = |targets: &[Target]| {
        std::thread::scope(|scope| {
            let other = scope.spawn(|| run(right.clone(), targets));
            let (mut found, tried) = run(left.clone(), targets);
            let (more, also) = other.join().expect("the search");
            found.extend(more);
            (found, tried + also)
        })
    };
    let (found, tried) = of_all(&closed);
    let (control, _) = of_all(&open);
    process::send(pid, Signal::CONT);
    terminal.type_in("\x04");
    terminal.ended(SOON);
    println!(
        "{} MiB of memory and disk, {tried} windows tried; {} closed segments of two epochs stay closed; of the open one: {control:?}",
        size >> 20,
        closed.len()
    );
    assert!(found.is_empty(), "opened: {found:?}");
    assert!(!control.is_empty(), "the search found not even what the open segment is sealed with: it proves nothing");
}

fn stop(pid: u32) {
    process::send(pid, Signal::STOP);
    wait_until("it is stopped", Duration::from_secs(5), || {
        process::status_field(pid, "State").filter(|s| s.starts_with('T'))
    });
}

/// Ranges of a process's memory that are never written to swap.
fn locked(pid: u32) -> Vec<std::ops::Range<u64>> {
    let smaps = std::fs::read_to_string(format!("/proc/{pid}/smaps")).expect("its maps");
    let (mut range, mut found) = (0..0, Vec::new());
    for line in smaps.lines() {
        if let Some(flags) = line.strip_prefix("VmFlags:") {
            found.extend(flags.split(' ').any(|flag| flag == "lo").then(|| range.clone()));
        } else if let Some((from, to)) = line.split(' ').next().and_then(|place| place.split_once('-')) {
            let hex = |text| u64::from_str_radix(text, 16);
            range = hex(from).unwrap_or(0)..hex(to).unwrap_or(0);
        }
    }
    found
}

/// A call that may lock at most so many bytes, although it is root's.
fn without_privilege(call: Call, bytes: u64) -> Call {
    call.within(programs::outside("setpriv"), ["--inh-caps=-ipc_lock", "--bounding-set=-ipc_lock", "--"])
        .within(programs::outside("prlimit"), [&format!("--memlock={bytes}:{bytes}"), "--"])
}

#[test]
fn keys_never_reach_the_swap_also_of_a_recorder_without_privileges() {
    let _heavy = heavy();
    for privileged in [true, false] {
        let home = Home::new();
        home.configure("[ship]\ninterval = \"400ms\"\n");
        let call = home.record_sh("echo ready; grep VmLck /proc/self/status; while read x; do echo \"got $x\"; done");
        // What Debian gives to a user's processes.
        let call = if privileged { call } else { without_privilege(call, 8 << 20) };
        let mut terminal = Terminal::running(&call);
        terminal.wait_text("VmLck:\t       0 kB");
        for number in 0..3 {
            let before = home.segments().len();
            terminal.type_in(format!("line {number}\n"));
            wait_until("another closed segment", SOON, || (home.segments().len() > before).then_some(()));
        }
        terminal.type_in("the open one\n");
        terminal.wait_text("got the open one");
        let pid = terminal.pid();
        stop(pid);
        let open = [Target::read(&open_segment(&home.spool())).expect("an open segment with a block")];
        let locked = locked(pid);
        let mut places = Vec::new();
        for (address, bytes) in memory(pid) {
            let mut found = Vec::new();
            search(&bytes, &open, &mut found);
            places.extend(found.into_iter().map(|(at, what)| (address + at as u64, what)));
        }
        process::send(pid, Signal::CONT);
        assert!(!places.is_empty(), "no key was found: this proves nothing");
        for (address, what) in &places {
            let inside = locked.iter().any(|range| range.contains(address) && range.contains(&(address + 31)));
            assert!(inside, "privileged {privileged}: the {what} at {address:x} may reach the swap");
        }
        terminal.type_in("\x04");
        terminal.ended(SOON);
        println!("privileged {privileged}: {places:x?}, all in locked memory");
    }
}

#[test]
fn check_says_what_of_the_memory_is_locked() {
    let home = Home::new();
    let check = || home.recorder(["check"]);
    for (call, words) in [
        (check(), "all of it is locked"),
        (without_privilege(check(), 8 << 20), "the pages that hold keys are locked"),
        (without_privilege(check(), 0), "keys of running sessions may be written to swap"),
    ] {
        let output = call.output();
        assert_eq!(code(&output), 0, "{}", said(&output));
        assert!(said(&output).contains(words), "`{words}` is not in:\n{}", said(&output));
    }
}

#[test]
fn no_core_of_the_recorder_is_written() {
    use std::os::unix::process::ExitStatusExt;
    // The control first: here, and with these limits, a program that aborts leaves a core.
    let home = Home::new();
    let cores = "ulimit -c unlimited";
    let mut control = Terminal::running(&home.call("/bin/sh").args(["-c", "kill -ABRT $$"]).after(cores));
    assert!(control.ended(SOON).core_dumped(), "no core is written on this machine: this proves nothing");
    let mut terminal = Terminal::running(&home.record_sh("echo ready; read x").after(cores));
    terminal.wait_text("ready\r\n");
    process::send(terminal.pid(), Signal::ABORT);
    let status = terminal.ended(SOON);
    assert_eq!((status.signal(), status.core_dumped()), (Some(Signal::ABORT.as_raw()), false), "{status}");
}

#[test]
fn not_even_its_own_user_looks_into_the_recorder() {
    // A recorder of a user without privileges: not even he may look into it.
    let guest = Guest::new();
    let terminal = Terminal::running(&guest.masked("", &["/bin/sh", "-c", "echo ready; read x"]).env("PROMPT", ""));
    terminal.wait_text("ready\r\n");
    let pid = terminal.pid();
    let recorder = guest.home.join("bin/hansard-record");
    let exe = |pid: u32| std::fs::read_link(format!("/proc/{pid}/exe")).ok();
    assert_eq!(exe(pid).as_ref(), Some(&recorder));
    // (The process that gives the terminal back was forked before there was anything to hide.)
    let others = process::descendants(pid);
    let inside = others.iter().find(|pid| exe(**pid).as_ref() != Some(&recorder)).expect("the shell inside");
    let reads = |pid: u32| {
        let args = ["--reuid", "7001", "--clear-groups", "--regid", "7001", "cat"];
        let file = format!("/proc/{pid}/maps");
        std::process::Command::new(programs::outside("setpriv")).args(args).arg(file).output().expect("it runs").status
    };
    assert!(reads(*inside).success(), "the user cannot look into his own shell: this proves nothing");
    assert!(!reads(pid).success(), "the user can look into the recorder");
}
