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

use hansard_tests::home::{Home, RECIPIENT};
use hansard_tests::terminal::Terminal;
use hansard_tests::{SOON, process, wait_until};

use crate::heavy;
use crate::trace::open_segment;

type Secret = [u8; 32];

fn mac(key: &Secret, label: &str) -> Secret {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("any length");
    mac.update(label.as_bytes());
    mac.finalize().into_bytes().into()
}

/// What a stolen segment tells without a key: its commitment, its place, the first sealed bytes.
struct Target {
    name: String,
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

/// Every window of `bytes` that could be a secret, and what it opens. Secrets are random: at least 20 of 32 values
/// differ (fewer has a chance of less than one in a billion).
fn search(bytes: &[u8], targets: &[Target], found: &mut Vec<String>) -> u64 {
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
            found.extend(opens(window, targets));
        }
    }
    tried
}

/// All memory of a stopped process that it could have written, as a core with nothing left out.
fn memory(pid: u32) -> Vec<Vec<u8>> {
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
            Some(bytes)
        })
        .collect()
}

#[test]
fn no_closed_segment_opens_with_disk_and_memory_of_the_host() {
    let _heavy = heavy();
    let home = Home::empty();
    // Recipients only, as on a host whose reviewer is elsewhere.
    home.configure(&format!("recipients = [\"{RECIPIENT}\"]\n[ship]\ninterval = \"400ms\"\n"));
    let mut terminal = Terminal::running(&home.record_sh("echo ready; while read x; do echo \"got $x\"; done"));
    terminal.wait_text("ready\r\n");
    for number in 0..5 {
        let before = home.segments().len();
        terminal.type_in(format!("line {number}\n"));
        wait_until("another closed segment", SOON, || (home.segments().len() > before).then_some(()));
    }
    // Something in the open one, so that it has a block to open.
    terminal.type_in("the open one\n");
    terminal.wait_text("got the open one");
    let pid = terminal.pid();
    process::send(pid, Signal::STOP);
    wait_until("it is stopped", Duration::from_secs(5), || {
        process::status_field(pid, "State").filter(|s| s.starts_with('T'))
    });

    let closed: Vec<Target> = home.segments().iter().filter_map(|file| Target::read(file)).collect();
    assert!(closed.len() >= 5);
    let open = [Target::read(&open_segment(&home.spool())).expect("an open segment with a block")];

    let mut everything = memory(pid);
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
        "{} MiB of memory and disk, {tried} windows tried; {} closed segments stay closed; of the open one: {control:?}",
        size >> 20,
        closed.len()
    );
    assert!(found.is_empty(), "opened: {found:?}");
    assert!(!control.is_empty(), "the search found not even what the open segment is sealed with: it proves nothing");
}

#[test]
fn the_recorder_cannot_be_dumped_or_read_by_its_user() {
    let home = Home::new();
    let terminal = Terminal::running(&home.record_sh("echo ready; read x"));
    terminal.wait_text("ready\r\n");
    // Not dumpable: its files in /proc belong to root, and a signal that dumps core leaves none.
    let pid = terminal.pid();
    let status = std::fs::read_to_string(format!("/proc/{pid}/smaps")).unwrap_or_default();
    assert!(
        status.contains(" lo ") || status.contains(" lo\n") || status.contains(" dd"),
        "no memory is locked or kept out of dumps"
    );
    let filter = std::fs::read_to_string(format!("/proc/{pid}/limits")).expect("its limits");
    assert!(filter.contains("Max core file size"), "{filter}");
    let as_another = std::process::Command::new("setpriv")
        .args(["--reuid", "65534", "--clear-groups", "--regid", "65534", "cat", &format!("/proc/{pid}/environ")])
        .output()
        .expect("setpriv runs");
    assert!(!as_another.status.success(), "another user reads the recorder");
}
