//! Lifecycle events: one start before the first byte, one stop on every path, delivered at least once to webhook, file, Kafka
//! and S3, through outages; and valid, as the CloudEvents SDK, the Standard Webhooks library and the JSON Schemas say.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hansard_tests::servers::http::answer;
use hansard_tests::servers::kafka::Kafka;
use hansard_tests::servers::seaweed::Seaweed;
use hansard_tests::servers::webhook::{Delivery, Webhook};
use hansard_tests::terminal::Terminal;
use hansard_tests::{LONG, SOON, process, wait_until};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::shipped::{INTERVAL, Shipped, Typist, in_bucket, outage, ship};

/// The key of webhooks' signatures in these tests, as receivers write it.
pub const SECRET: &str = "whsec_aGFuc2FyZCB0ZXN0cyBhIHdlYmhvb2sgc2VjcmV0";

/// What the outside judges understood of deliveries.
pub fn judged(cases: &[Value]) -> Vec<Value> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let python = format!("{root}/.ci/venv/bin/python");
    let mut judge = Command::new(&python)
        .arg(format!("{root}/tests/stores/judge.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{python}: {e} (`.ci/run prepare` makes it)"));
    let lines: String = cases.iter().map(|case| format!("{case}\n")).collect();
    judge.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = judge.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "not valid: {}\n{lines}", String::from_utf8_lossy(&output.stderr));
    let mut events: Vec<Value> = said.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    for event in &mut events {
        // The SDK makes one of the key of a record of Kafka.
        event["attributes"].as_object_mut().unwrap().remove("partitionkey");
    }
    assert_eq!(events.len(), cases.len());
    for case in cases {
        fits_the_schema(case["body"].as_str().unwrap());
    }
    events
}

/// The document is what `schemas/json` says of events.
fn fits_the_schema(body: &str) {
    let schema = include_str!("../../schemas/json/event.json");
    let schema = jsonschema::draft202012::new(&serde_json::from_str(schema).unwrap()).unwrap();
    let event: Value = serde_json::from_str(body).unwrap();
    if let Err(error) = schema.validate(&event) {
        panic!("{error}\n{event}");
    }
}

/// A delivery to a webhook, for [`judged`].
pub fn of_webhook(delivery: &Delivery) -> Value {
    let headers: BTreeMap<String, &str> =
        delivery.request.headers.iter().map(|(n, v)| (n.to_ascii_lowercase(), v.as_str())).collect();
    json!({ "how": "http", "headers": headers, "body": String::from_utf8_lossy(&delivery.request.body), "secret": SECRET })
}

fn of_topic(broker: &Kafka, prefix: &str) -> Vec<Value> {
    let records = broker.records(&format!("{prefix}.events"));
    let case = |record: hansard_tests::servers::topic::Record| {
        let headers: BTreeMap<&str, String> =
            record.headers.iter().map(|(n, v)| (n.as_str(), String::from_utf8_lossy(v).into_owned())).collect();
        let key = record.key.as_ref().map(|k| String::from_utf8_lossy(k).into_owned());
        json!({ "how": "kafka", "headers": headers, "key": key, "body": String::from_utf8_lossy(&record.value) })
    };
    records.into_iter().map(case).collect()
}

fn of_json(bytes: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    text.lines().map(|line| json!({ "how": "json", "body": line })).collect()
}

/// Last word of an event's type, and the session it is about.
fn about(event: &Value) -> (String, String) {
    let kind = event["attributes"]["type"].as_str().unwrap_or_default();
    let session = event["data"]["session"].as_str().unwrap_or_default();
    (kind.rsplit('.').next().unwrap_or_default().to_owned(), session.to_owned())
}

/// The events of each session by word, each once however often it came.
fn by_session(events: &[Value]) -> BTreeMap<String, Vec<(String, Value)>> {
    let mut ids: BTreeMap<&str, &Value> = BTreeMap::new();
    let mut sessions: BTreeMap<String, Vec<(String, Value)>> = BTreeMap::new();
    for event in events {
        let id = event["attributes"]["id"].as_str().unwrap();
        if let Some(first) = ids.insert(id, event) {
            assert_eq!(first, event, "one id, two events");
            continue;
        }
        let (word, session) = about(event);
        if !session.is_empty() {
            sessions.entry(session).or_default().push((word, event.clone()));
        }
    }
    sessions
}

/// A started event, then a stopped one with this outcome.
fn assert_one_life(events: &[(String, Value)], outcome: &str) {
    let words: Vec<&str> =
        events.iter().map(|(w, _)| w.as_str()).filter(|w| ["started", "stopped"].contains(w)).collect();
    assert_eq!(words, ["started", "stopped"], "{events:?}");
    let (_, stopped) = events.iter().find(|(word, _)| word == "stopped").unwrap();
    assert_eq!(stopped["data"]["outcome"], outcome, "{stopped}");
}

/// How a session ends, and what its stop says.
const ENDS: [(&str, &str); 5] = [
    ("exit", "exited"),
    ("signal", "signalled"),
    // Passed on to the command, which dies of it.
    ("terminate", "signalled"),
    ("hang-up", "disconnected"),
    ("kill -9", "recovered"),
];

fn end(shipped: &Shipped, how: &str) {
    let script = if how == "signal" { "echo ready; read -r line; kill -KILL $$" } else { "echo ready; read -r line" };
    let mut terminal = Terminal::running(&shipped.run(&["/bin/sh", "-c", script]));
    terminal.wait_text("ready\r\n");
    match how {
        "exit" | "signal" => terminal.type_in("\r"),
        "terminate" => process::send(terminal.pid(), Signal::TERM),
        "hang-up" => terminal.hang_up(),
        _ => process::kill_recorder(terminal.pid()),
    }
    terminal.ended(SOON);
    shipped.ship();
}

#[test]
fn one_start_and_one_stop_on_every_path() {
    let (receiver, broker, bucket) = (Webhook::open(), Kafka::shared(), Seaweed::shared().bucket("recordings-events"));
    let kafka = broker.place("events-paths", 1);
    let (s3, store) = (bucket.url("p"), bucket.url("store"));
    let shipped = Shipped::to(&[&store], "").env("HANSARD_WEBHOOK_SECRET", SECRET);
    let file = shipped.home.join("events.ndjson");
    let notify = [receiver.url(), kafka, s3, format!("file://{}", file.display())];
    shipped.configure(&[&store], &format!("notify = {}", json!(notify)));
    for (how, _) in ENDS {
        end(&shipped, how);
    }
    let of_s3: Vec<Value> = in_bucket(&bucket, "p")
        .iter()
        .filter(|(name, _)| name.starts_with("events/"))
        .flat_map(|(_, bytes)| of_json(bytes))
        .collect();
    let sinks = [
        ("webhook", receiver.taken().iter().map(of_webhook).collect()),
        ("kafka", of_topic(broker, "events-paths")),
        ("s3", of_s3),
        ("file", of_json(&std::fs::read(&file).unwrap())),
    ];
    let mut accounts = Vec::new();
    for (name, cases) in sinks {
        let sessions = by_session(&judged(&cases));
        println!("{name}: {} deliveries about {} sessions", cases.len(), sessions.len());
        assert_eq!(sessions.len(), ENDS.len(), "{name}");
        // Session ids are in order of time.
        for (events, (how, outcome)) in sessions.values().zip(ENDS) {
            println!("{name}, {how}");
            assert_one_life(events, outcome);
        }
        accounts.push(sessions);
    }
    // The same events everywhere, whatever the form.
    for account in &accounts[1..] {
        assert_eq!(account, &accounts[0]);
    }
    // Each carries the signed line of the chain; the store's own chain holds it.
    let chains: String = in_bucket(&bucket, "store")
        .iter()
        .filter(|(n, _)| n.starts_with("chains/"))
        .map(|(_, b)| String::from_utf8_lossy(b).into_owned())
        .collect();
    for (word, event) in accounts[0].values().flatten() {
        let entry = event["data"]["entry"].as_str().unwrap_or_else(|| panic!("{word} has no entry: {event}"));
        assert!(chains.contains(entry.trim_end()), "{word}: its entry is not in the chain: {entry}");
    }
    let (failed, verdicts) = shipped.verified(&store);
    assert_eq!((failed, verdicts.len()), (0, ENDS.len()), "{verdicts:?}");
}

#[test]
fn a_start_is_known_before_the_first_byte() {
    let receiver = Webhook::open();
    let shipped = Shipped::to::<&str>(&[], "").env("HANSARD_WEBHOOK_SECRET", SECRET);
    let store = format!("file://{}", shipped.home.join("store").display());
    let notify = format!("notify = {}", json!([receiver.url()]));
    shipped.configure(&[&store], &notify);
    // Nobody takes it, and the recorder dies with the first byte: the event is on disk all the same.
    receiver.down();
    let before = std::time::SystemTime::now();
    let mut terminal = Terminal::running(&shipped.run(&["/bin/sh", "-c", "echo ready; exec sleep 60"]));
    assert!(terminal.waits(SOON, |bytes| !bytes.is_empty()));
    let first = std::time::SystemTime::now();
    process::kill_recorder(terminal.pid());
    terminal.ended(SOON);
    receiver.up();
    shipped.ship();
    let taken: Vec<Value> = receiver.taken().iter().map(of_webhook).collect();
    let sessions = by_session(&judged(&taken));
    assert_eq!(sessions.len(), 1);
    let (word, started) = &sessions.values().next().unwrap()[0];
    assert_eq!(word, "started");
    let time = started["data"]["started"].as_str().unwrap_or_default().to_owned();
    let ms = |t: std::time::SystemTime| t.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    println!("started at {time}, first byte between {} and {}", ms(before), ms(first));
    assert_one_life(&sessions.values().next().unwrap()[..], "recovered");
}

#[test]
fn a_webhook_that_is_down_gets_everything_later() {
    let receiver = Webhook::open();
    let shipped = Shipped::to::<&str>(&[], "").env("HANSARD_WEBHOOK_SECRET", SECRET);
    let store = format!("file://{}", shipped.home.join("store").display());
    let settings = format!("notify = {}\n{}", json!([receiver.url()]), ship(INTERVAL, Duration::from_secs(1)));
    shipped.configure(&[&store], &settings);
    receiver.down();
    // One session begins and ends meanwhile, one begins meanwhile and is open when the receiver is back.
    let mut first = Typist::at(&shipped);
    first.line();
    first.leave();
    let mut second = Typist::at(&shipped);
    second.lines_for(outage());
    second.assert_never_waited("no receiver of events");
    receiver.answers(|_| answer(503, &[], ""));
    receiver.up();
    wait_until("it is tried", LONG, || (!receiver.deliveries().is_empty()).then_some(()));
    receiver.answers(|_| answer(204, &[], ""));
    let back = Instant::now();
    receiver.wait("the start of the open session", LONG, |taken| {
        let cases: Vec<Value> = taken.iter().map(|d| d.json()).collect();
        cases.iter().filter(|e| e["type"].as_str().is_some_and(|t| t.ends_with("started"))).count() >= 2
    });
    println!("the webhook got everything {:?} after it was back", back.elapsed());
    second.leave();
    shipped.ship();
    let taken: Vec<Value> = receiver.taken().iter().map(of_webhook).collect();
    let sessions = by_session(&judged(&taken));
    assert_eq!(sessions.len(), 2);
    for events in sessions.values() {
        assert_one_life(events, "exited");
    }
    // The same id at every try.
    let ids =
        |all: &[Delivery]| all.iter().map(|d| d.request.header("webhook-id").map(str::to_owned)).collect::<Vec<_>>();
    let refused: Vec<Delivery> = receiver.deliveries().into_iter().filter(|d| d.answered == 503).collect();
    for id in ids(&refused) {
        assert!(ids(&receiver.taken()).contains(&id), "{id:?} was never taken");
    }
}
