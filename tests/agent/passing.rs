//! Commands that print more than is recorded of them: the rest passes by the agent, and the recording says what it came to,
//! whatever becomes of agents meanwhile; of a tee that was killed it says that this is not known.

use std::time::Duration;

use hansard_tests::call::code;
use hansard_tests::{SOON, process, wait_until};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::scene::{GUEST, Scene};

/// Bytes of head and tail.
const KEPT: usize = 64 << 10;
const RULES: &str = "[exec]\nstream_limit = 65536\n";
/// Prints 100,000 bytes forty times, for two seconds and more.
const PRINTS: &str =
    "for i in $(seq 10 49); do head -c 100000 /dev/zero | tr '\\0' $((i % 10)); sleep 0.05; done; exit 3";

/// What the recording says of what is missing, the last of it.
fn gap(scene: &Scene, id: &str) -> Value {
    let cast = String::from_utf8(scene.home.export(id, "cast")).expect("text");
    let lines = cast.lines().skip(1).map(|line| serde_json::from_str::<Value>(line).expect("json"));
    let gaps = lines.filter(|line| line[1] == "g").map(|line| line[2].as_str().expect("text").to_owned());
    let gaps: Vec<Value> = gaps.map(|text| serde_json::from_str(&text).expect("json")).collect();
    gaps.into_iter().rfind(|gap| gap["why"] == "bounded").expect("a gap of a bounded stream")
}

/// Waits until more than the limit has passed.
fn passes(scene: &Scene) {
    wait_until("its head is recorded", SOON, || (scene.recorded_bytes("exec")? == KEPT as u64).then_some(()));
}

#[test]
fn what_passes_is_summed_up_although_the_agent_is_killed() {
    let mut scene = Scene::with_rules(RULES);
    let command = scene.begin(PRINTS);
    passes(&scene);
    scene.kill_agent();
    std::thread::sleep(Duration::from_millis(700));
    scene.start_agent();
    let got = command.join().expect("its output");
    assert_eq!((code(&got), got.stdout.len()), (3, 4_000_000));
    let id = scene.delivered(1).remove(0);
    let gap = gap(&scene, &id);
    assert_eq!(gap["sha256"], hex::encode(Sha256::digest(&got.stdout)), "of all that was printed: {gap}");
    assert_eq!(gap["bytes"], got.stdout.len() - 2 * KEPT, "{gap}");
    let raw = scene.home.raw_stream(&id, "output");
    assert!(raw.len() == 2 * KEPT && got.stdout.starts_with(&raw[..KEPT]) && got.stdout.ends_with(&raw[KEPT..]));
    assert_eq!(scene.home.verify::<&str>([]).code, 0, "recovered, and nothing altered");
}

#[test]
fn input_that_passes_is_summed_up() {
    let scene = Scene::with_rules(&format!("{RULES}[[rule]]\nname = \"all\"\naction = \"allow\"\nrecord = \"full\"\n"));
    let input: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let got = scene.run_with(GUEST, &[], "md5sum; exit 4", &input);
    let plain = scene.run_with(crate::scene::PLAIN, &[], "md5sum; exit 4", &input);
    assert_eq!((code(&got), got.stdout), (4, plain.stdout));
    let session = scene.session();
    let gap = gap(&scene, &session.id);
    assert_eq!((&gap["what"], &gap["sha256"]), (&"input".into(), &hex::encode(Sha256::digest(&input)).into()));
    let raw = scene.home.raw_stream(&session.id, "input");
    assert!(raw.len() == 2 * KEPT && input.starts_with(&raw[..KEPT]) && input.ends_with(&raw[KEPT..]));
}

#[test]
fn a_tee_that_is_killed_leaves_a_recording_that_says_so() {
    let scene = Scene::with_rules(RULES);
    let command = scene.begin(PRINTS);
    passes(&scene);
    // Long enough for the second word of how much it is.
    std::thread::sleep(Duration::from_millis(1_300));
    scene.tees().into_iter().for_each(process::kill_first);
    let got = command.join().expect("its output");
    assert_ne!(code(&got), 3);
    let id = scene.delivered(1).remove(0);
    let gap = gap(&scene, &id);
    let note = gap["note"].as_str().expect("a note");
    let least =
        note.strip_prefix("the end of this stream is not known; at least ").and_then(|rest| rest.split(' ').next());
    let least: usize = least.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{note}"));
    assert!(least > 4 * KEPT && least <= got.stdout.len(), "{note}; {} were printed", got.stdout.len());
}
