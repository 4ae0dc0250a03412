//! `policy test` says what a policy decides, and why.
//!
//! The rules themselves are tested where they are (`recorder/src/policy`); sessions under them need an agent.

use hansard_tests::call::{Call, code, said};
use hansard_tests::home::Home;

const RULES: &str = r#"
to = ["/srv/a", "/srv/b"]
[labels]
env = "prod"
[[rule]]
name = "contractors at night"
group = "contractors"
hour = "20-07"
action = "deny"
message = "come back at seven"
[[rule]]
name = "backup"
user = "backup*"
from = "10.1.0.0/16"
kind = "transfer"
command = "/usr/bin/rsync"
action = "allow"
record = "events"
sinks = ["/srv/b"]
[[rule]]
group = "contractors"
from = "192.0.2.0/24"
action = "allow"
input = "masked"
idle_timeout = "15m"
[[rule]]
name = "nobody else"
action = "deny"
"#;

fn asked(home: &Home, args: &[&str]) -> Call {
    home.recorder(["policy", "test"]).args(args)
}

/// What it says, with this exit code.
fn told(home: &Home, args: &[&str], expected: i32) -> String {
    let output = asked(home, args).output();
    let text = said(&output);
    assert_eq!(code(&output), expected, "{args:?}\n{text}");
    assert!(!text.contains("panicked"), "{text}");
    text
}

fn document(home: &Home, args: &[&str], expected: i32) -> serde_json::Value {
    let output = asked(home, args).args(["--json"]).output();
    assert_eq!(code(&output), expected, "{args:?}\n{}", said(&output));
    serde_json::from_slice(&output.stdout).expect("a JSON document")
}

#[test]
fn it_tells_the_rule_that_decides_and_why_the_others_do_not() {
    let home = Home::new();
    home.configure(RULES);
    let bob = ["--user", "ext-bob", "--group", "contractors"];
    let night = told(&home, &[&bob[..], &["--from", "192.0.2.9", "--at", "21:30"]].concat(), 1);
    assert!(night.contains("DENIED        contractors at night"), "{night}");
    assert!(night.contains("come back at seven"), "{night}");
    let day = told(&home, &[&bob[..], &["--from", "192.0.2.9", "--at", "2026-11-24T12:00"]].concat(), 0);
    assert!(day.contains("contractors at night  does not: hour is 12:00, not 20-07"), "{day}");
    assert!(day.contains("backup                does not: user is ext-bob, not backup*"), "{day}");
    assert!(day.contains("rule 3                matches"), "{day}");
    for effect in [
        "allowed       rule 3",
        "  record      full",
        "  input       masked",
        "  idle        15m",
        "  labels      env=prod",
    ] {
        assert!(day.contains(effect), "`{effect}` is not in:\n{day}");
    }
    assert!(!day.contains("nobody else"), "rules behind the one that decides are not looked at:\n{day}");
    let local = told(&home, &[&bob[..], &["--at", "12:00"]].concat(), 1);
    assert!(local.contains("does not: from is local, not 192.0.2.0/24"), "{local}");
}

#[test]
fn the_json_form_has_all_of_it() {
    let home = Home::new();
    home.configure(RULES);
    let sent = "rsync --server -logDtpre.iLsfxCIvu . x";
    let backup =
        ["--user", "backup-1", "--group", "backup", "--from", "::ffff:10.1.2.3", "--kind", "transfer", "--command"];
    let all = document(&home, &[&backup[..], &[sent]].concat(), 0);
    assert_eq!(all["decision"]["rule"], "backup", "{all:#}");
    assert_eq!(all["decision"]["record"], "events", "{all:#}");
    assert_eq!(all["decision"]["sinks"], serde_json::json!(["file:///srv/b"]), "{all:#}");
    assert_eq!(all["rules"][0]["missed"]["condition"], "group", "{all:#}");
    assert_eq!(all["rules"][0]["missed"]["wanted"], serde_json::json!(["contractors"]), "{all:#}");
    // With anything after it, it is what a shell runs.
    let more = format!("{sent}; bash");
    let denied = document(&home, &[&backup[..], &[&more]].concat(), 1);
    assert_eq!(denied["decision"]["rule"], "nobody else", "{denied:#}");
    assert_eq!(denied["rules"][1]["missed"]["condition"], "command", "{denied:#}");
}

#[test]
fn the_kind_follows_from_the_command() {
    let home = Home::new();
    home.configure(RULES);
    let kind = |args: &[&str]| {
        document(&home, &[&["--user", "x", "--group", "y"][..], args].concat(), 1)["session"]["kind"].clone()
    };
    assert_eq!(kind(&[]), "interactive");
    assert_eq!(kind(&["--command", "uptime"]), "exec");
    assert_eq!(kind(&["--command", "scp -t x; bash"]), "exec");
    assert_eq!(kind(&["--kind", "interactive", "--command", "top"]), "interactive");
}

#[test]
fn without_rules_everything_is_allowed() {
    let home = Home::new();
    home.configure("[input]\nmode = \"masked\"\n");
    let text = told(&home, &["--user", "nobody-of-that-name"], 0);
    assert!(text.contains("there are no rules") && text.contains("input       masked"), "{text}");
}

#[test]
fn groups_are_those_of_the_user_database() {
    let home = Home::new();
    home.configure("[[rule]]\ngroup = 'root'\naction = 'deny'\n");
    told(&home, &["--user", "root"], 1);
    told(&home, &["--user", "root", "--group", "users"], 0);
    let unknown = told(&home, &["--user", "nobody-of-that-name"], 125);
    assert!(unknown.contains("nobody-of-that-name") && unknown.contains("--group"), "{unknown}");
}

#[test]
fn what_cannot_be_used_is_code_125() {
    let home = Home::new();
    home.configure(RULES);
    for (args, words) in [
        (&["--user", "x", "--group", "y", "--from", "10.0.0.0/8"][..], "is no address"),
        (&["--user", "x", "--group", "y", "--at", "noon"], "is no time"),
        (&["--user", "x", "--group", "y", "--kind", "shell"], "shell"),
        (&["--group", "y"], "--user"),
        (&["--user", "x", "--config", "/nowhere/record.toml"], "/nowhere/record.toml"),
    ] {
        let text = told(&home, args, 125);
        assert!(text.contains(words), "{args:?}: {text}");
    }
    for (rules, words) in [
        ("[[rule]]\naction = 'allow'\nuzer = 'x'\n", "`user`"),
        ("[[rule]]\nuser = 'x'\n", "rule 1: action is not given"),
        ("[[rule]]\naction = 'allow'\nsinks = ['/srv/z']\n", "is not among the sinks"),
    ] {
        home.configure(rules);
        let text = told(&home, &["--user", "x"], 125);
        assert!(text.contains(words) && text.contains("record.toml"), "{rules}: {text}");
    }
}

#[test]
fn what_was_typed_and_configured_cannot_act_on_the_terminal() {
    let home = Home::new();
    home.configure("[[rule]]\nuser = 'a*'\ncommand = 'x'\naction = 'allow'\n[labels]\nx = \"\\u001b]0;t\\u0007\"\n");
    let text = told(&home, &["--user", "a\u{1b}[2J\u{202e}", "--command", "x\u{7}\ny"], 0);
    assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{7}']), "{text:?}");
    assert!(text.contains("a\\x1b[2J\\u{202e}"), "{text}");
}

#[test]
fn check_shows_the_rules_and_remarks() {
    let home = Home::new();
    home.configure("[[rule]]\naction = 'allow'\n[[rule]]\nuser = 'x'\naction = 'deny'\n");
    let output = home.recorder(["check"]).output();
    let text = said(&output);
    assert_eq!(code(&output), 0, "{text}");
    for words in ["[[rule]]", "2 rules", "rule 2: never decides"] {
        assert!(text.contains(words), "`{words}` is not in:\n{text}");
    }
}
