//! The world is told that a session began and how it ended: whenever a byte of output was shown, and on every path.

use std::io::Read as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use hansard_schemas::chain::Entry;
use hansard_schemas::names::EventName;
use hansard_tests::call::{code, said};
use hansard_tests::home::Home;
use hansard_tests::servers::http::answer;
use hansard_tests::servers::webhook::{Delivery, Webhook};
use hansard_tests::terminal::Terminal;
use hansard_tests::{SOON, process};
use serde_json::Value;

/// The events of a file, each of which must be a whole line.
fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    assert!(text.is_empty() || text.ends_with('\n'), "a torn line: {text}");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().expect("a type")).collect()
}

/// The chain line inside is one, and says what the event says.
fn assert_entry(event: &Value, kind: &str) {
    let line = event["data"]["entry"].as_str().expect("a chain line");
    let entry = Entry::parse(line.as_bytes()).unwrap_or_else(|e| panic!("{e}: {line}"));
    assert_eq!(entry.kind.as_str(), kind);
    assert_eq!(event["source"], format!("urn:hansard:chain:{}", entry.chain));
    assert_eq!(event["time"], entry.time.to_string());
}

const BOTH: [&str; 2] = ["hansard.session.started", "hansard.session.stopped"];

/// A home whose events go to a file.
fn told() -> (Home, std::path::PathBuf) {
    let home = Home::new();
    let file = home.join("log/events.ndjson");
    home.configure(&format!("notify = [\"file://{}\"]\n", file.display()));
    (home, file)
}

#[test]
fn a_session_that_exits_tells_who_what_and_how_without_command_or_environment() {
    let (home, file) = told();
    let script = "echo words; exit 3 # s3cret-argument";
    let output =
        home.recorder(["run", "--quiet", "--label", "ticket=INC-42", "--reason", "why", "--", "/bin/sh", "-c"]);
    assert_eq!(code(&output.arg(script).output()), 3);
    let events = lines(&file);
    assert_eq!(types(&events), BOTH);
    let [started, stopped] = &events[..] else { panic!("{events:?}") };
    assert_entry(started, "start");
    assert_entry(stopped, "end");
    assert_eq!(started["specversion"], "1.0");
    assert_eq!(started["data"]["labels"]["ticket"], "INC-42");
    assert_eq!(started["data"]["reason"], "why");
    assert_eq!(started["data"]["kind"], "exec");
    let session = home.sessions().remove(0);
    assert_eq!(stopped["id"], format!("{session}.stopped"));
    assert_eq!((stopped["subject"].as_str(), started["subject"].as_str()), (Some(&*session), Some(&*session)));
    let data = &stopped["data"];
    assert_eq!((&data["outcome"], &data["status"], &data["bytes"]), (&"exited".into(), &3.into(), &6.into()));
    assert_eq!(data["segments"], home.segments().len());
    for event in &events {
        let text = event.to_string();
        assert!(!text.contains("s3cret-argument") && !text.contains("\"env\""), "{text}");
    }
    // In the store too, under names that say it.
    let events = process::files_below(&home.store().join("events"));
    let names: Vec<_> = events
        .iter()
        .map(|path| {
            let name = path.strip_prefix(home.store()).expect("below").to_str().expect("a name");
            EventName::parse(name).unwrap_or_else(|e| panic!("{e}: {name}")).event
        })
        .collect();
    assert_eq!(names, ["started", "stopped"]);
    home.assert_complete();
}

#[test]
fn the_command_is_told_where_the_configuration_says_so() {
    let home = Home::new();
    let file = home.join("events.ndjson");
    home.configure(&format!("notify = [\"file://{}\"]\n[events]\ncommand = true\n", file.display()));
    home.record(["/bin/echo", "an argument"]).ok();
    assert_eq!(lines(&file)[0]["data"]["command"], serde_json::json!(["/bin/echo", "an argument"]));
}

#[test]
fn a_start_is_told_of_a_recorder_that_dies_with_the_first_byte_of_output() {
    for _ in 0..5 {
        let (home, file) = told();
        let mut call = home.record_sh("echo words; sleep 60").command();
        let mut recorder = call.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the recorder runs");
        let mut byte = [0];
        recorder.stdout.take().expect("a pipe").read_exact(&mut byte).expect("its output");
        process::kill_recorder(recorder.id());
        process::ended(&mut recorder, SOON);
        home.recorder(["ship"]).ok();
        let mut events = lines(&file);
        // One that was taken in the moment of the kill comes twice, and is the same (EVT-3).
        events.dedup();
        assert_eq!(types(&events), BOTH);
        assert_entry(&events[0], "start");
        assert_entry(&events[1], "recovered");
    }
}

#[test]
fn an_event_sink_that_cannot_be_is_refused_before_anything_starts() {
    let home = Home::new();
    let output = home.recorder(["run", "--notify", "ftp://nowhere", "--", "/bin/echo", "words"]).output();
    assert_eq!(code(&output), 125, "{}", said(&output));
    assert!(output.stdout.is_empty() && said(&output).contains("event sink"), "{}", said(&output));
}

#[test]
fn a_signal_and_a_hang_up_are_told() {
    let (home, file) = told();
    assert_eq!(code(&home.record_sh("kill -TERM $$").output()), 143);
    let mut terminal = Terminal::running(&home.record_sh("echo words; while :; do sleep 0.05; done"));
    terminal.wait_text("words\r\n");
    terminal.hang_up();
    terminal.ended(SOON);
    home.recorder(["ship"]).ok();
    let events = lines(&file);
    let stopped: Vec<_> = events.iter().filter(|event| event["type"] == BOTH[1]).collect();
    assert_eq!(stopped.len(), 2, "{events:?}");
    assert_eq!((&stopped[0]["data"]["outcome"], &stopped[0]["data"]["signal"]), (&"signalled".into(), &15.into()));
    assert_eq!(stopped[1]["data"]["outcome"], "disconnected");
}

#[test]
fn a_recorder_that_was_killed_is_told_by_ship_once() {
    let (home, file) = told();
    let mut terminal = Terminal::running(&home.record_sh("echo words; while :; do sleep 0.05; done"));
    terminal.wait_text("words\r\n");
    process::kill_recorder(terminal.pid());
    terminal.ended(SOON);
    home.recorder(["ship"]).ok();
    home.recorder(["ship"]).ok();
    let events = lines(&file);
    let stopped: Vec<_> = events.iter().filter(|event| event["type"] == BOTH[1]).collect();
    assert_eq!(stopped.len(), 1, "{events:?}");
    assert_entry(stopped[0], "recovered");
    assert_eq!(stopped[0]["data"]["outcome"], "recovered");
    assert!(stopped[0]["data"]["digest"].is_string() && stopped[0]["data"]["status"].is_null(), "{}", stopped[0]);
}

#[test]
fn an_end_without_its_event_is_told_by_ship() {
    // Killed between the `end` entry and the event: the folder is as it was, without the last file.
    let home = Home::new();
    home.configure("notify = [\"http://127.0.0.1:1/away\"]\n[ship]\nfinal_wait = \"50ms\"\n");
    assert_eq!(code(&home.record_sh("echo words; exit 7").output()), 7);
    let files = process::files_below(&home.spool().join("sessions"));
    let last = files.iter().find(|f| f.ends_with("000001-stopped.event")).expect("the event of the end");
    let before = std::fs::read(last).expect("read");
    std::fs::remove_file(last).expect("removed");
    assert_eq!(code(&home.recorder(["ship"]).output()), 1);
    assert_eq!(before, std::fs::read(last).expect("written again"), "another event under the same id");
    assert!(String::from_utf8_lossy(&before).contains("\"status\":7"));
}

fn ids(taken: &[Delivery]) -> Vec<String> {
    taken.iter().map(|d| d.request.header("webhook-id").expect("an id").to_owned()).collect()
}

#[test]
fn a_webhook_that_is_away_gets_everything_in_order_when_it_is_back() {
    let home = Home::new();
    let hook = Webhook::open();
    let url = format!("{}/s3cret-path", hook.url());
    home.configure(&format!("notify = [\"{url}\"]\n[ship]\nfinal_wait = \"50ms\"\n"));
    hook.down();
    let first = home.recorder(["run", "--", "/bin/echo", "one"]).output();
    assert!(said(&first).contains("not all delivered") && !said(&first).contains("s3cret"), "{}", said(&first));
    home.record_sh("echo two").ok();
    let away = home.recorder(["ship"]).output();
    assert_eq!(code(&away), 1);
    assert!(!said(&away).contains("s3cret"), "{}", said(&away));
    hook.up();
    hook.answers({
        let refused = std::sync::atomic::AtomicBool::new(false);
        move |_| match refused.swap(true, std::sync::atomic::Ordering::Relaxed) {
            false => answer(503, &[], ""),
            true => answer(204, &[], ""),
        }
    });
    home.recorder(["ship"]).ok();
    let taken = hook.wait("four events", Duration::from_secs(10), |taken| taken.len() == 4);
    let sessions = home.sessions();
    let mut want: Vec<String> = Vec::new();
    for session in &sessions {
        want.extend([format!("{session}.started"), format!("{session}.stopped")]);
    }
    want.sort();
    // Sessions are delivered side by side, each in its own order; each event came once.
    let mut got = ids(&taken);
    for session in &sessions {
        let of: Vec<_> = got.iter().filter(|id| id.starts_with(session)).collect();
        assert_eq!(of, [&format!("{session}.started"), &format!("{session}.stopped")]);
    }
    got.sort();
    assert_eq!(got, want);
    assert!(taken[0].request.header("webhook-signature").is_none());
    assert_eq!(process::files_below(&home.spool().join("sessions")), [] as [std::path::PathBuf; 0]);
    let checked = home.recorder(["check"]).output();
    assert!(said(&checked).contains("not signed") && !said(&checked).contains("s3cret"), "{}", said(&checked));
}

#[test]
fn a_webhook_is_signed_with_the_secret_of_the_environment() {
    use base64::Engine as _;
    use hmac::Mac as _;
    let home = Home::new();
    let hook = Webhook::open();
    home.configure(&format!("notify = [\"{}\"]\n", hook.url()));
    let key = base64::engine::general_purpose::STANDARD.encode([7; 32]);
    home.record_sh("echo words").env("HANSARD_WEBHOOK_SECRET", format!("whsec_{key}")).ok();
    let taken = hook.taken();
    assert_eq!(taken.len(), 2);
    for Delivery { request, .. } in &taken {
        let header = |name: &str| request.header(name).unwrap_or_else(|| panic!("{name}: {request:?}"));
        let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(&[7; 32]).expect("a key");
        mac.update(format!("{}.{}.", header("webhook-id"), header("webhook-timestamp")).as_bytes());
        mac.update(&request.body);
        let want = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
        assert_eq!(header("webhook-signature"), format!("v1,{want}"));
    }
}

#[test]
fn lines_of_sessions_side_by_side_are_whole() {
    let (home, file) = told();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..3).for_each(|_| drop(home.record_sh("echo words").ok())));
        }
    });
    let events = lines(&file);
    assert_eq!(events.len(), 12, "{events:?}");
    for session in home.sessions() {
        let of: Vec<Value> = events.iter().filter(|e| e["subject"] == *session).cloned().collect();
        assert_eq!(types(&of), BOTH);
    }
}
