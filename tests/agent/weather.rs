//! What happens around an agent: a disk that is full, a store that is away, a clock that is set, a session that never stops
//! printing. Sessions go on or are held, as they say, and nothing of them is lost.

use std::io::Read as _;
use std::process::Stdio;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hansard_tests::call::{Call, code};
use hansard_tests::clock::Clock;
use hansard_tests::terminal::{Terminal, find, without_notices};
use hansard_tests::{LONG, SOON, form, process, wait_until};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::scene::{GUEST, Scene, fine, of_kind};

const HELD: &str = "output is held";

/// What a program showed, as text.
fn itself(shown: &[u8]) -> String {
    String::from_utf8_lossy(&without_notices(shown, "hansard")).into_owned()
}

#[test]
fn a_full_disk_holds_sessions_and_refuses_new_ones() {
    let scene = Scene::with_small_spool("64m");
    let filler = scene.home.spool().join("filler");
    let on_host = |script: String| fine(&scene.inside("/bin/sh").args(["-c", &script]).output());
    let mut terminal = scene.login();
    on_host(format!("cat /dev/zero >{} 2>/dev/null || true", filler.display()));
    terminal.type_in("seq 30000\n");
    terminal.wait_text(HELD);
    assert!(!terminal.text().contains("\r\n29999\r\n"), "what cannot be recorded is not shown");
    let refused = scene.run(GUEST, "echo unrecorded");
    assert_eq!((code(&refused), refused.stdout), (125, Vec::new()));
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(text.contains("cannot be recorded") && text.contains("the desk, 555-0100"), "{text}");
    on_host(format!("rm {}", filler.display()));
    terminal.wait_text("\r\n30000\r\n");
    fine(&scene.run(GUEST, "echo recorded"));
    terminal.type_in("exit 3\n");
    assert_eq!(terminal.status(SOON), 3);
    let shown = terminal.drained();
    let recordings = scene.sessions(2);
    let session = of_kind(&recordings, "interactive");
    let recorded = scene.home.raw(&session.id);
    assert_eq!(itself(&recorded), itself(&shown));
    assert!(find(&recorded, HELD.as_bytes()).is_some(), "what the user was told is recorded, too");
}

/// Where a store lies that is away: under a file system that takes nothing.
#[test]
fn a_store_that_is_away_holds_up_nobody() {
    let seconds = form("HANSARD_OUTAGE_SECONDS", 5);
    let scene = Scene::new();
    fine(&scene.run(GUEST, "echo the store is there"));
    let stop = scene.of(GUEST).join("stop");
    let command = |n: usize| {
        format!("i=0; while [ ! -e {} ]; do echo session {n} line $((i += 1)); sleep 0.02; done", stop.display())
    };
    let mount = |script: &str| {
        let script = format!("{script} {}", scene.home.store().display());
        fine(&scene.inside("/bin/sh").args(["-c", &script]).output());
    };
    mount("mount -t tmpfs -o ro none");
    let mut terminals: Vec<Terminal> =
        (0..8).map(|n| Terminal::running(&scene.ssh(GUEST, ["-t"]).arg(command(n)))).collect();
    terminals.iter().enumerate().for_each(|(n, terminal)| terminal.wait_text(&format!("session {n} line 5\r\n")));
    let (begun, outage, mut looks) = (Instant::now(), Duration::from_secs(seconds), 0);
    while begun.elapsed() < outage * 2 / 3 {
        for terminal in &terminals {
            let seen = terminal.shown();
            // Fifty lines a second are printed.
            assert!(
                terminal.waits(Duration::from_secs(3), |bytes| bytes.len() > seen),
                "it is held up: {}",
                terminal.text()
            );
        }
        // The pace of the looks.
        std::thread::sleep(Duration::from_millis(200));
        looks += 1;
    }
    assert!(looks > 5, "{looks}");
    let output = scene.operator(["status", "--json"]).output();
    let status: Value = serde_json::from_slice(&output.stdout).expect("json");
    let waits =
        status["sinks"].as_array().expect("sinks").iter().any(|sink| sink["unshipped_ms"].as_u64() > Some(1_000));
    assert!(waits, "an operator sees what waits: {status:#}");
    fine(&scene.run(GUEST, "echo begun meanwhile"));
    std::fs::write(&stop, "").expect("written");
    let mut shown: Vec<Vec<u8>> = Vec::new();
    for mut terminal in terminals.drain(..) {
        assert_eq!(terminal.status(SOON), 0);
        shown.push(terminal.drained());
    }
    // In the long form they ended so long before that all but one have been left behind, and nobody is logged in.
    std::thread::sleep(outage.saturating_sub(begun.elapsed()));
    mount("umount");
    // The store is tried again after at most 45 s; what was left behind is looked for when it takes.
    wait_until("what waited is delivered", LONG, || (scene.spooled() == 0).then_some(()));
    let sessions = scene.sessions(8 + 2);
    let on_terminals = sessions.iter().filter(|session| session.at("/identity/kind") == "interactive");
    let mut recorded: Vec<Vec<u8>> = on_terminals.map(|session| scene.home.raw(&session.id)).collect();
    shown.sort();
    recorded.sort();
    assert!(recorded == shown, "every byte once");
}

#[test]
fn a_clock_that_is_set_is_said_and_loses_nothing() {
    let mut scene = Scene::new();
    let mut clock = Clock::new(&scene.home);
    scene.kill_agent();
    scene.start_agent_by(|call| clock.on(call));
    let mut terminal = scene.login();
    clock.set_by(-3_600);
    let (begun, mut lines) = (Instant::now(), 0);
    while begun.elapsed() < Duration::from_millis(2_500) {
        lines += 1;
        terminal.type_in(format!("echo line $(({lines}))\n"));
        terminal.wait_text(&format!("line {lines}\r\n"));
        terminal.waits(Duration::from_millis(50), |_| false);
    }
    fine(&scene.run(GUEST, "echo begun an hour before"));
    terminal.type_in("exit 3\n");
    assert_eq!(terminal.status(SOON), 3);
    let shown = terminal.drained();
    let sessions = scene.sessions(2);
    let session = of_kind(&sessions, "interactive");
    assert_eq!(String::from_utf8_lossy(&scene.home.raw(&session.id)), String::from_utf8_lossy(&shown));
    let cast = String::from_utf8(scene.home.export(&session.id, "cast")).expect("text");
    let gap = cast.lines().find(|line| line.contains("\"g\"") && line.contains("clock-step")).expect("a gap");
    assert!(gap.contains("-36") || gap.contains("-359"), "{gap}");
}

/// How many bytes a program prints, and their digest; they may be more than there is memory.
fn hashed(call: &Call) -> JoinHandle<(u64, String)> {
    let mut child = call.command().stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it runs");
    std::thread::spawn(move || {
        let (mut stdout, mut hash, mut bytes, mut count) = (child.stdout.take().expect("a pipe"), Sha256::new(), 0, 1);
        let mut buffer = vec![0; 1 << 16];
        while count > 0 {
            count = stdout.read(&mut buffer).expect("its output");
            hash.update(&buffer[..count]);
            bytes += count as u64;
        }
        assert!(child.wait().expect("its end").success());
        (bytes, hex::encode(hash.finalize()))
    })
}

/// `HANSARD_SESSION_MIB` of text on a terminal.
#[test]
fn a_session_that_prints_without_end_takes_little_memory_and_spool() {
    let mib = form("HANSARD_SESSION_MIB", 64);
    let scene = Scene::new();
    // Lines that differ: what compresses to nothing proves nothing.
    let command = format!("stty -opost; seq 1 10000000000 | head -c {}", mib << 20);
    let run = hashed(&scene.ssh(GUEST, ["-tt"]).arg(command));
    let (mut memory, mut spool) = (0, 0);
    while !run.is_finished() {
        memory = memory.max(process::peak_memory(scene.agent()).unwrap_or(0));
        let files = process::files_below(&scene.home.spool());
        spool = spool.max(files.iter().filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum::<u64>());
        std::thread::sleep(Duration::from_millis(100));
    }
    let (bytes, digest) = run.join().expect("its output");
    assert_eq!(bytes, mib << 20);
    println!("{mib} MiB: agent at most {} MiB, spool at most {} MiB", memory >> 20, spool >> 20);
    let session = scene.delivered(1).remove(0);
    let recorded = hashed(&scene.home.replay(["export", &session, "--as", "raw"])).join().expect("the recording");
    assert_eq!(recorded, (bytes, digest), "every byte once");
    assert!(memory < 128 << 20, "{memory} bytes");
    assert!(spool < 256 << 20, "{spool} bytes");
}
