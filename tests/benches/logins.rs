//! What it costs to come in through `hansard-shell`: the same commands of the recorded user and of one with bash, in turn, over
//! one real sshd each on the same host.
//!
//! `cargo bench -p hansard-tests --features real --bench logins`, as root. Prints ratios and differences, and judges nothing: the
//! machine is noisy. `cargo test` with the same words runs each once. Not for what a terminal costs: `tests/bench`.

// It fails by panicking, as the suite does whose host it uses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::process::Stdio;
use std::time::{Duration, Instant};

#[allow(dead_code, reason = "the suite uses the rest of it")]
#[path = "../agent/scene.rs"]
mod scene;

use scene::{GUEST, PLAIN, Scene};

/// `ssh host true` over one connection.
const TRUES: usize = 1_000;
/// Copies of a file, and its bytes.
const COPIES: (usize, usize) = (5, 256 << 20);

fn main() {
    // `cargo bench` says so; `cargo test` asks whether it works.
    let short = !std::env::args().any(|arg| arg == "--bench");
    let scene = Scene::new();
    trues(&scene, if short { 5 } else { TRUES });
    let (times, bytes) = if short { (1, 1 << 20) } else { COPIES };
    copies(&scene, times, bytes);
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64()
}

/// Runs `one` for both users in turn, after one of each that does not count; gives the medians in seconds, bash's first.
fn in_turn(times: usize, mut one: impl FnMut(&str)) -> (f64, f64) {
    let mut taken = (Vec::new(), Vec::new());
    for n in 0..=times {
        for (user, times) in [(PLAIN, &mut taken.0), (GUEST, &mut taken.1)] {
            let begun = Instant::now();
            one(user);
            if n > 0 {
                times.push(begun.elapsed());
            }
        }
    }
    (median(taken.0), median(taken.1))
}

fn trues(scene: &Scene, times: usize) {
    let control = |user: &str| format!("ControlPath={}", scene.home.join(format!("control-{user}")).display());
    let (bash, recorded) = in_turn(times, |user| {
        let options = ["-o", &control(user), "-o", "ControlMaster=auto", "-o", "ControlPersist=60"];
        // The connection stays behind with the first one's streams, were they pipes.
        let mut command = scene.ssh(user, options).arg("true").command();
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(status.expect("ssh runs").success(), "{user}");
    });
    for user in [PLAIN, GUEST] {
        scene.ssh(user, ["-o", &control(user), "-O", "exit"]).output();
    }
    let (bash, recorded) = (bash * 1e3, recorded * 1e3);
    println!(
        "ssh host true, {times} each over one connection: bash {bash:.1} ms, hansard-shell {recorded:.1} ms, added {:.1} ms",
        recorded - bash
    );
}

fn copies(scene: &Scene, times: usize, bytes: usize) {
    let file = scene.home.join("copied");
    // Nothing that could be compressed on the way.
    let mut state = 88_172_645_463_325_252_u64;
    let words = (0..bytes / 8).flat_map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    std::fs::write(&file, words.collect::<Vec<u8>>()).expect("written");
    let client = scene.client();
    for to_host in [true, false] {
        let (bash, recorded) = in_turn(times, |user| {
            let (near, far) = (file.display().to_string(), format!("{user}@host:copy"));
            let back = format!("{near}.back");
            let pair = if to_host { [near, far] } else { [far, back] };
            let scp = scene.home.call(hansard_tests::programs::outside("scp"));
            scene::fine(&scp.args(["-q", "-F"]).arg(&client).args(pair.iter().map(String::as_str)).output());
        });
        let rate = |seconds: f64| bytes as f64 / f64::from(1 << 20) / seconds;
        println!(
            "scp {} the host, {times} of {} MiB: bash {:.0} MiB/s, hansard-shell {:.0} MiB/s, ratio {:.2}",
            if to_host { "to" } else { "from" },
            bytes >> 20,
            rate(bash),
            rate(recorded),
            bash / recorded
        );
    }
}
