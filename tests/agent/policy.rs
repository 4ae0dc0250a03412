//! What rules do to sessions that come through sshd, and what becomes of a configuration that is read again.

use hansard_tests::call::code;
use hansard_tests::terminal::Terminal;
use hansard_tests::{SOON, wait_until};
use rustix::process::Signal;

use crate::scene::{GUEST, Scene, limited};

const NAMED: &str = r#"
[input]
mode = "on"
[labels]
site = "lab"
[[rule]]
name = "not this one"
command = "touch"
action = "deny"
message = "ask the desk first\nthen try again"
[[rule]]
name = "unwatched"
command = "hostname"
action = "allow"
record = "none"
banner = "nobody looks"
[[rule]]
name = "output only"
command = "cat"
action = "allow"
record = "output"
[[rule]]
name = "that it was"
command = ["tr", "bash"]
action = "allow"
record = "events"
banner = "It is noted that you are here."
[[rule]]
name = "people"
kind = "interactive"
action = "allow"
banner = "This session is recorded.\nBe kind."
env = ["TERM"]
[rule.labels]
desk = "7"
site = "here"
"#;

#[test]
fn a_denied_session_runs_nothing_and_says_why() {
    let scene = Scene::with_rules(NAMED);
    let marker = scene.of(GUEST).join("marker");
    let command = format!("touch {}", marker.display());
    let got = scene.run(GUEST, &command);
    assert_eq!((code(&got), got.stdout.as_slice()), (125, &b""[..]));
    assert_eq!(String::from_utf8_lossy(&got.stderr), "hansard: ask the desk first\nthen try again\n");
    let mut terminal = Terminal::running(&scene.ssh(GUEST, ["-t"]).arg(&command));
    assert_eq!(terminal.status(SOON), 125);
    assert_eq!(String::from_utf8_lossy(&terminal.drained()), "hansard: ask the desk first\r\nthen try again\r\n");
    assert!(!marker.exists(), "nothing ran");
    assert!(scene.home.sessions().is_empty());
    let log = scene.log();
    let denied: Vec<&str> = log.lines().filter(|line| line.contains("session denied")).collect();
    assert_eq!(denied.len(), 2, "{log}");
    for line in denied {
        for word in [&format!("user={GUEST}"), "why=\"policy: not this one\"", "touch", "from=Some(\"127."] {
            assert!(line.contains(word), "{word}: {line}");
        }
    }
}

#[test]
fn a_rule_says_how_much_is_recorded() {
    let scene = Scene::with_rules(NAMED);
    let got = scene.run(GUEST, "hostname");
    assert_eq!(code(&got), 0, "{}", String::from_utf8_lossy(&got.stderr));
    let mut terminal = Terminal::running(&scene.ssh(GUEST, ["-t"]).arg("hostname"));
    assert_eq!(terminal.status(SOON), 0);
    let shown = String::from_utf8(terminal.drained()).unwrap();
    assert!(shown.starts_with("nobody looks\r\n") && shown.lines().count() == 2, "{shown:?}");
    assert_eq!(scene.log().matches("session unrecorded").count(), 2, "{}", scene.log());

    let got = scene.run_with(GUEST, &[], "cat", b"a secret\n");
    assert_eq!((code(&got), got.stdout.as_slice()), (0, &b"a secret\n"[..]));
    let got = scene.run_with(GUEST, &[], "tr a-z A-Z", b"a secret\n");
    assert_eq!((code(&got), got.stdout.as_slice()), (0, &b"A SECRET\n"[..]));
    let [output, events] = scene.sessions(2).try_into().ok().unwrap();
    assert_eq!(scene.home.raw(&output.id), b"a secret\n");
    assert_eq!(scene.home.raw_stream(&output.id, "input"), b"");
    assert_eq!(scene.home.raw(&events.id), b"", "no content");
    assert_eq!(scene.home.raw_stream(&events.id, "input"), b"");
    let cast = String::from_utf8(scene.home.export(&events.id, "cast")).unwrap();
    assert!(cast.contains("no content is recorded, by the rule that it was"), "{cast}");
    assert_eq!((events.at("/outcome"), scene.status_of(&events)), (&"exited".into(), 0));
}

#[test]
fn a_session_without_content_outlives_its_agent() {
    let mut scene = Scene::with_rules(NAMED);
    let mut terminal = Terminal::running(&scene.ssh(GUEST, ["-t"]).arg("bash --norc"));
    terminal.wait_text("It is noted that you are here.\r\n");
    terminal.type_in("echo $((20 + 3))\r");
    terminal.wait_text("23\r\n");
    scene.kill_agent();
    terminal.type_in("echo $((40 + 2))\r");
    scene.start_agent();
    terminal.wait_text("42\r\n");
    terminal.type_in("echo $((50 + 7)); exit 9\r");
    terminal.wait_text("57\r\n");
    assert_eq!(terminal.status(SOON), 9);
    let id = scene.delivered(1).remove(0);
    assert_eq!(scene.home.verify::<&str>([]).code, 0);
    let raw = String::from_utf8(scene.home.raw(&id)).unwrap();
    assert_eq!(raw, "It is noted that you are here.\r\n", "what the recorder itself said");
}

#[test]
fn people_see_the_banner_and_their_session_has_the_labels() {
    let scene = Scene::with_rules(NAMED);
    let mut terminal = scene.login();
    terminal.type_in("exit\r");
    assert_eq!(terminal.status(SOON), 0);
    let shown = terminal.drained();
    assert!(shown.starts_with(b"This session is recorded.\r\nBe kind.\r\n"), "{}", String::from_utf8_lossy(&shown));
    let session = scene.session();
    assert!(scene.home.raw(&session.id) == shown, "the banner too");
    let labels = session.at("/identity/claimed/labels");
    assert_eq!(labels, &serde_json::json!({ "desk": "7", "site": "here" }));
    assert_eq!(session.at("/identity/claimed/env"), &serde_json::json!({ "TERM": "xterm-256color" }));
}

#[test]
fn a_configuration_that_cannot_be_used_changes_nothing() {
    let scene = Scene::with_rules("");
    let reload = |rules: &str, said: &str| {
        scene.configure(rules);
        let before = scene.log().matches(said).count();
        hansard_tests::process::send(scene.agent(), Signal::HUP);
        wait_until(said, SOON, || (scene.log().matches(said).count() > before).then_some(()));
    };
    for broken in ["[[rule]]\nacton = \"deny\"\n", "[[rule]]\nname = \"x\"\n", "nonsense", "[agent]\ngrace = \"0s\"\n"]
    {
        reload(broken, "the configuration cannot be used, the old one stays");
        assert_eq!(code(&scene.run(GUEST, "true")), 0);
    }
    assert!(scene.log().contains("the nearest known key is `action`"), "{}", scene.log());
    let running = scene.login();
    reload("[[rule]]\naction = \"deny\"\nmessage = \"closed\"\n", "the configuration was read again");
    let got = limited(scene.ssh::<&str>(GUEST, []).arg("true")).output();
    assert_eq!((code(&got), String::from_utf8_lossy(&got.stderr).as_ref()), (125, "hansard: closed\n"));
    running.type_in("echo $((20 + 3))\r");
    running.wait_text("23\r\n");
    reload("", "the configuration was read again");
    assert_eq!(code(&scene.run(GUEST, "true")), 0);
}
