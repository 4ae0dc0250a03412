//! What is out of order is told at once: by a webhook and by Kafka, durably, with who and whence. Not for how sessions
//! begin and end otherwise: `hermetic/events.rs`, `stores/`.

use std::collections::BTreeMap;
use std::time::Duration;

use hansard_tests::call::code;
use hansard_tests::servers::kafka::Kafka;
use hansard_tests::servers::webhook::Webhook;
use hansard_tests::{SOON, process, programs, wait_until};
use serde_json::Value;

use crate::scene::{GUEST, Scene, fine};

const RULES: &str = r#"
[[rule]]
name = "no dates"
command = "date"
action = "deny"

[[rule]]
name = "nobody looks"
command = "hostname"
action = "allow"
record = "none"

[[rule]]
name = "short"
command = "sleep"
action = "allow"
max_duration = "1s"

[[rule]]
action = "allow"
"#;

/// Outcomes of sessions that have stopped and reasons of everything else, by type.
fn told(events: &[Value]) -> BTreeMap<String, Vec<String>> {
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for event in events {
        let (kind, data) = (event["type"].as_str().expect("a type").to_owned(), &event["data"]);
        let what = if kind.ends_with("stopped") { &data["outcome"] } else { &data["why"] };
        told.entry(kind).or_default().push(what.as_str().unwrap_or_default().to_owned());
    }
    told.values_mut().for_each(|whats| whats.sort());
    told
}

#[test]
fn denied_unrecorded_stalled_terminated_and_timed_out_are_told_by_webhook_and_kafka() {
    let (webhook, broker) = (Webhook::open(), Kafka::shared());
    let mut scene = Scene::with_rules(RULES);
    scene.kill_agent();
    let file = scene.home.join("etc/hansard/record.toml");
    let config = std::fs::read_to_string(&file).expect("a configuration");
    let notify = format!("notify = [\"{}\", \"{}\"]\n", webhook.url(), broker.place("told", 1));
    std::fs::write(&file, notify + &config).expect("written");
    // The webhook is away when it happens: what is said must outlive the agent.
    webhook.down();
    scene.start_agent();
    assert_ne!(code(&scene.run(GUEST, "date")), 0, "denied");
    fine(&scene.run(GUEST, "hostname"));
    scene.kill_agent();
    webhook.up();
    scene.start_agent();
    scene.run(GUEST, "sleep 60");

    let mut terminal = scene.login();
    wait_until("it runs", SOON, || scene.running().pop());
    process::send(*scene.tees().first().expect("a tee"), rustix::process::Signal::STOP);
    terminal.status(Duration::from_secs(30));
    let mut terminal = scene.login();
    let id = wait_until("it runs", SOON, || scene.running().pop());
    fine(&scene.operator(["terminate", &id, "--reason", "an exercise"]).output());
    terminal.status(SOON);

    let expected: BTreeMap<String, Vec<String>> = [
        ("denied", vec!["policy: no dates"]),
        ("unrecorded", vec!["policy: nobody looks"]),
        ("stalled", vec!["its tee is silent; it is hung up"]),
        ("started", vec!["", "", ""]),
        ("stopped", vec!["max-duration", "recorder-failed", "terminated"]),
    ]
    .into_iter()
    .map(|(word, whats)| (format!("hansard.session.{word}"), whats.into_iter().map(str::to_owned).collect()))
    .collect();
    let of_sessions = |events: Vec<Value>| -> Vec<Value> {
        let is = |event: &Value| event["type"].as_str().is_some_and(|kind| kind.starts_with("hansard.session."));
        let mut seen = std::collections::HashSet::new();
        // At least once (EVT-3).
        events.into_iter().filter(|event| is(event) && seen.insert(event["id"].clone())).collect()
    };
    let by_webhook = || of_sessions(webhook.taken().iter().map(|taken| taken.json()).collect());
    let by_kafka = || of_sessions(broker.records("told.events").iter().map(|record| record.json()).collect());
    for (place, seen) in [("webhook", &by_webhook as &dyn Fn() -> Vec<Value>), ("kafka", &by_kafka)] {
        let all = wait_until(place, 3 * SOON, || Some(seen()).filter(|seen| seen.len() >= 9));
        assert_eq!(told(&all), expected, "{place}");
    }
    let listed = scene.home.call(programs::outside("ssh-keygen")).arg("-lf").arg(scene.home.join("client_key.pub"));
    let listed = fine(&listed.output());
    let key = listed.split_whitespace().nth(1).expect("a fingerprint");
    for event in by_webhook() {
        let data = &event["data"];
        assert_eq!((&data["user"], &data["uid"]), (&GUEST.into(), &crate::scene::uid(GUEST).into()), "{event}");
        assert_eq!(data["ssh_key"], key, "{event}");
        let connection = data["ssh_connection"].as_str().expect("a connection");
        assert!(connection.starts_with(data["origin"].as_str().expect("a proved origin")), "{event}");
    }
    // In the store, too.
    let names = process::files_below(&scene.home.store().join("events"));
    for word in ["denied", "unrecorded", "stalled"] {
        let suffix = format!(".{word}.json");
        assert!(names.iter().any(|name| name.to_string_lossy().ends_with(&suffix)), "{word}: {names:?}");
    }
    assert_eq!(scene.home.verify::<&str>([]).code, 0);
}
