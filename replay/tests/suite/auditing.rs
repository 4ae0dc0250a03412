//! `audit`: each of thirty planted defects is found, by its word, and a clean store raises no alarm.

use std::fs;

use hansard_schemas::Timestamp;
use hansard_schemas::event::What;
use serde_json::Value;

use crate::scene::{PLANTED, Scene, findings};
#[cfg(feature = "outside")]
use crate::store::Said;
use crate::store::put;

#[test]
fn each_planted_defect_is_found_and_a_clean_store_raises_no_alarm() {
    assert!(PLANTED.len() > 20);
    for (at, (word, plant)) in PLANTED.iter().enumerate() {
        let mut scene = Scene::new();
        let clean = scene.audit();
        clean.expect(0, &[]);
        assert_eq!(findings(&clean), [] as [Value; 0]);
        let session = plant(&mut scene).map(|id| Value::from(id.to_string()));
        let said = scene.audit();
        said.expect(1, &["defect"]);
        let found = findings(&said);
        let is_it = |found: &&Value| {
            found["finding"] == *word
                && found["level"] == "defect"
                && session.as_ref().is_none_or(|id| found["session"] == *id)
        };
        assert!(found.iter().any(|found| is_it(&found)), "{at}: {word}: {}", said.out);
    }
}

#[test]
fn what_is_only_worth_knowing_raises_no_alarm() {
    let scene = Scene::new();
    scene.notice(What::Denied);
    put(&scene.world, "segments/strange", b"x");
    let said = scene.audit();
    said.expect(0, &["denied", "foreign-object"]);
    scene.world.run(&["audit"]).expect(0, &["notice", "denied", "3 sessions of 1 chain: 9 segments", "0 defects"]);
}

/// `HANSARD_SESSIONS` sets how many, over ten hosts; its time is printed.
#[test]
fn a_clean_store_of_many_sessions_raises_no_alarm() {
    let count: usize = std::env::var("HANSARD_SESSIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(100);
    let (world, count) = Scene::many(count);
    let begun = std::time::Instant::now();
    let said = world.run(&["audit"]);
    println!("{count} sessions audited in {:?}: {}", begun.elapsed(), said.out);
    said.expect(0, &[&format!("{count} sessions of 10 chains"), "0 defects, 0 notices"]);
}

#[test]
fn other_hosts_and_times_are_left_out() {
    let scene = Scene::new();
    fs::remove_file(scene.one().path(&scene.world, 1)).unwrap();
    scene.world.run(&["audit", "--host", "db*"]).expect(0, &["0 defects"]);
    scene.world.run(&["audit", "--host", "web*"]).expect(1, &["segment-missing"]);
    let tomorrow = Timestamp::new(chrono::Utc::now() + chrono::TimeDelta::days(1)).to_string();
    scene.world.run(&["audit", "--since", &tomorrow]).expect(0, &["0 sessions"]);
}

#[test]
#[cfg(feature = "outside")]
fn a_report_is_signed_with_an_ssh_key_and_never_overwritten() {
    let scene = Scene::new();
    fs::remove_file(scene.one().path(&scene.world, 1)).unwrap();
    let key = scene.world.root.join("key");
    let keygen = |args: &[&str]| {
        let mut command = std::process::Command::new("ssh-keygen");
        command.args(args).current_dir(&scene.world.root);
        command
    };
    let made = keygen(&["-q", "-t", "ed25519", "-N", "", "-C", "auditor", "-f", "key"]).status().expect("ssh-keygen");
    assert!(made.success());
    let args = ["audit", "--report", "report.json", "--sign", key.to_str().unwrap()];
    let mut command = scene.world.command(&args);
    let said = Said::of(&command.env("PATH", std::env::var_os("PATH").unwrap()).output().unwrap());
    said.expect(1, &["segment-missing", "signed: report.json.sig"]);
    let report: Value = serde_json::from_slice(&fs::read(scene.world.root.join("report.json")).unwrap()).unwrap();
    assert_eq!(report["summary"]["defects"], 1);
    assert_eq!(report["findings"][0]["session"], scene.one().id.to_string());
    let public = fs::read_to_string(scene.world.root.join("key.pub")).unwrap();
    fs::write(scene.world.root.join("allowed"), format!("auditor {public}")).unwrap();
    let check = |file: &str| {
        let args = ["-Y", "verify", "-n", "hansard-audit", "-f", "allowed", "-I", "auditor", "-s", "report.json.sig"];
        let stdin = fs::File::open(scene.world.root.join(file)).unwrap();
        keygen(&args).stdin(stdin).output().unwrap().status.success()
    };
    assert!(check("report.json"));
    assert!(!check("key.pub"));
    scene.world.run(&args[..3]).expect(2, &["exists already"]);
}
