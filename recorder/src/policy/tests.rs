//! Policies as they are written in a configuration, and sessions they decide about.

use std::collections::BTreeMap;

use chrono::NaiveDateTime;
use hansard_schemas::session::Kind;
use proptest::prelude::*;

use super::{Decision, Policy, Record, Subject};
use crate::cli::InputMode;
use crate::config::{Config, parse};

fn config(text: &str) -> Config {
    parse(text).unwrap_or_else(|(what, _)| panic!("{what}\n{text}"))
}

fn policy(text: &str) -> Policy {
    Policy::new(&config(text)).unwrap()
}

/// What is wrong with this configuration.
fn wrong(text: &str) -> String {
    parse(text).err().unwrap_or_else(|| panic!("nothing is wrong with\n{text}")).0
}

/// A session as the tests vary it.
struct Session {
    user: &'static str,
    groups: Vec<String>,
    from: &'static str,
    kind: Kind,
    labels: BTreeMap<String, String>,
    command: Option<&'static str>,
    at: &'static str,
}

/// Ann of staff, from 10.1.2.3, on a terminal, on a Tuesday at noon.
fn ann() -> Session {
    Session {
        user: "ann",
        groups: vec!["ann".into(), "staff".into()],
        from: "10.1.2.3",
        kind: Kind::Interactive,
        labels: [("env".to_owned(), "prod".to_owned()), ("role".into(), "bastion".into())].into(),
        command: None,
        at: "2026-11-24 12:00:00",
    }
}

fn exec(command: &'static str) -> Session {
    Session { kind: Kind::Exec, command: Some(command), ..ann() }
}

fn decide(policy: &Policy, session: &Session) -> Decision {
    let subject = Subject {
        user: session.user,
        uid: 1000,
        groups: &session.groups,
        from: (session.from != "local").then(|| session.from.parse().unwrap()),
        kind: session.kind,
        labels: &session.labels,
        command: session.command,
        local: NaiveDateTime::parse_from_str(session.at, "%Y-%m-%d %H:%M:%S").unwrap(),
    };
    let decision = policy.decide(&subject);
    let explained = policy.explain(&subject);
    assert_eq!(explained.decision, decision, "both say the same");
    let decides = explained.rules.iter().filter(|step| step.missed.is_none()).map(|step| step.rule.clone());
    assert_eq!(decides.collect::<Vec<_>>(), decision.rule.iter().cloned().collect::<Vec<_>>());
    decision
}

/// Whether a rule with this condition matches.
fn matches(condition: &str, session: &Session) -> bool {
    let policy = policy(&format!("[[rule]]\n{condition}\naction = 'deny'\n"));
    !decide(&policy, session).allow
}

#[test]
fn without_rules_everything_is_as_the_file_says() {
    let policy = policy("env = ['TERM']\n[labels]\nsite = 'x'\n[input]\nmode = 'masked'\n");
    assert!(policy.is_empty());
    let expected = Decision {
        rule: None,
        allow: true,
        message: None,
        record: Record::Full,
        input: InputMode::Masked,
        shell: None,
        shell_marks: false,
        env: vec!["TERM".into()],
        banner: None,
        idle_timeout: None,
        max_duration: None,
        labels: [("site".to_owned(), "x".to_owned())].into(),
        sinks: None,
    };
    assert_eq!(decide(&policy, &ann()), expected);
}

#[test]
fn the_first_rule_that_matches_decides() {
    let policy = policy(
        "[[rule]]\nuser = 'bob'\naction = 'deny'\n\
         [[rule]]\nname = 'staff'\ngroup = 'staff'\naction = 'allow'\nrecord = 'events'\n\
         [[rule]]\naction = 'deny'\nmessage = 'ask the desk'\n",
    );
    let staff = decide(&policy, &ann());
    assert_eq!((staff.rule.as_deref(), staff.allow, staff.record), (Some("staff"), true, Record::Events));
    let other = decide(&policy, &Session { groups: vec![], ..ann() });
    assert_eq!((other.rule.as_deref(), other.allow), (Some("rule 3"), false));
    assert_eq!(other.message.as_deref(), Some("ask the desk"));
    let bob = decide(&policy, &Session { user: "bob", ..ann() });
    assert_eq!((bob.rule.as_deref(), bob.allow, bob.message), (Some("rule 1"), false, None));
}

#[test]
fn every_condition_holds_and_misses() {
    let local = Session { from: "local", ..ann() };
    let saturday_night = Session { at: "2026-11-28 02:00:00", ..ann() };
    let no_groups = Session { groups: vec![], ..ann() };
    for (condition, session, expected) in [
        ("user = 'ann'", ann(), true),
        ("user = ['bob', 'a*']", ann(), true),
        ("user = 'b*'", ann(), false),
        ("group = ['wheel', 'staff']", ann(), true),
        ("group = 'wheel'", ann(), false),
        ("group = 'staff'", no_groups, false),
        ("from = '10.0.0.0/8'", ann(), true),
        ("from = ['192.0.2.0/24', '2001:db8::/32']", ann(), false),
        ("from = 'local'", ann(), false),
        ("from = ['local', '192.0.2.0/24']", local, true),
        ("kind = 'interactive'", ann(), true),
        ("kind = ['exec', 'transfer']", ann(), false),
        ("label = 'env=prod'", ann(), true),
        ("label = ['env=test', 'role=bastion']", ann(), true),
        ("label = 'env=test'", ann(), false),
        ("label = 'prod=env'", ann(), false),
        ("hour = '08-18'", ann(), true),
        ("hour = ['00-06', '22-24']", ann(), false),
        ("day = 'mon-fri'", ann(), true),
        ("day = ['sat', 'sun']\nhour = '22-06'", saturday_night, true),
        ("user = 'ann'\nhour = '00-06'", ann(), false),
        ("user = 'ann'\nfrom = '10.0.0.0/8'\nkind = 'interactive'\nlabel = 'env=prod'", ann(), true),
        ("command = '*'", ann(), false),
    ] {
        assert_eq!(matches(condition, &session), expected, "{condition}");
    }
}

#[test]
fn a_command_matches_by_its_program_only() {
    for (condition, command, expected) in [
        ("command = '/usr/bin/uptime'", "/usr/bin/uptime -p", true),
        ("command = '/usr/bin/*'", "/usr/bin/uptime", true),
        ("command = 'uptime'", "uptime", true),
        ("command = '/usr/bin/uptime'", "uptime", false),
        ("command = 'uptime'", "/usr/bin/uptime", false),
        ("command = 'uptime'", "/home/ann/uptime", false),
        ("command = '*'", "/usr/bin/uptime", false),
        ("command = ['*', '/*', '/*/*/*']", "/usr/bin/rsync; bash", false),
        ("command = '/usr/bin/*'", "/usr/bin/rsync\nbash", false),
        ("command = '/usr/bin/*'", "/usr/bin/../../tmp/x", false),
        ("command = '*'", "FOO=1 uptime", false),
        ("command = ['scp', '/usr/bin/scp']", "~/bin/scp -t x", false),
        ("command = ['*', '/*/*/*']", "\"/usr/bin/scp\" -t x", false),
    ] {
        assert_eq!(matches(condition, &exec(command)), expected, "{condition} {command:?}");
    }
}

#[test]
fn a_transfer_matches_by_where_its_program_lies_too() {
    let sent = "rsync --server -logDtpre.iLsfxCIvu . x";
    let transfer = |command| Session { kind: Kind::Transfer, ..exec(command) };
    assert!(matches("command = '/usr/bin/rsync'", &transfer(sent)));
    assert!(matches("command = 'rsync'", &transfer(sent)));
    assert!(!matches("command = '/usr/bin/scp'", &transfer(sent)));
    assert!(!matches("command = '/usr/bin/rsync'", &exec(sent)), "a shell would look for it in the user's PATH");
    assert!(!matches("command = '/usr/bin/rsync'", &transfer("rsync --server --daemon .")));
}

#[test]
fn effects_replace_what_the_file_says() {
    let policy = policy(
        "to = ['/srv/a', '/srv/b']\n[labels]\nsite = 'x'\nenv = 'prod'\n[input]\nmode = 'on'\n\
         [[rule]]\naction = 'allow'\nrecord = 'full'\ninput = 'masked'\nshell = '/bin/dash'\nshell_marks = true\nenv = ['TERM', 'LANG']\n\
         banner = \"this session\\nis recorded\"\nidle_timeout = '15m'\nmax_duration = '8h'\nsinks = 'SINKS'\n\
         [rule.labels]\nenv = 'break'\nteam = 'ops'\n"
            .replace("'SINKS'", "['file:///srv/b/']")
            .as_str(),
    );
    let decision = decide(&policy, &ann());
    let labels = [("env", "break"), ("site", "x"), ("team", "ops")];
    let expected = Decision {
        rule: Some("rule 1".into()),
        allow: true,
        message: None,
        record: Record::Full,
        input: InputMode::Masked,
        shell: Some("/bin/dash".into()),
        shell_marks: true,
        env: vec!["TERM".into(), "LANG".into()],
        banner: Some("this session\nis recorded".into()),
        idle_timeout: Some(std::time::Duration::from_secs(900)),
        max_duration: Some(std::time::Duration::from_secs(8 * 3600)),
        labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        sinks: Some(vec!["file:///srv/b".into()]),
    };
    assert_eq!(decision, expected);
}

#[test]
fn shells_mark_their_commands_where_file_or_rule_says_so_and_content_is_recorded() {
    let marks = |file: bool, rule: &str| {
        let policy = policy(&format!("[interactive]\nshell_marks = {file}\n[[rule]]\naction = 'allow'\n{rule}\n"));
        (decide(&policy, &ann()).shell_marks, policy.marks_shells())
    };
    assert_eq!(marks(false, ""), (false, false));
    assert_eq!(marks(true, ""), (true, true));
    assert_eq!(marks(true, "shell_marks = false"), (false, true));
    assert_eq!(marks(false, "shell_marks = true\nrecord = 'output'"), (true, true));
    assert!(!marks(true, "record = 'events'").0);
    let denied = "[[rule]]\naction = 'deny'\nshell_marks = true\n";
    assert!(crate::config::parse(denied).unwrap_err().0.contains("shell_marks is given beside"));
}

#[test]
fn less_than_full_records_no_input() {
    for record in ["output", "events", "none"] {
        let text = format!("[input]\nmode = 'on'\n[[rule]]\naction = 'allow'\nrecord = '{record}'\n");
        assert_eq!(decide(&policy(&text), &ann()).input, InputMode::Off, "{record}");
        let both = policy(&format!("{text}input = 'on'\n"));
        assert_eq!(decide(&both, &ann()).input, InputMode::Off, "{record}");
        assert!(both.remarks()[0].contains("no input is recorded, whatever `input` says"), "{:?}", both.remarks());
    }
    assert!(policy("[[rule]]\naction = 'allow'\nrecord = 'output'\ninput = 'off'\n").remarks().is_empty());
}

#[test]
fn remarks_name_what_is_hardly_meant() {
    let all = policy(
        "[[rule]]\ncommand = '/usr/bin/nc'\naction = 'deny'\n\
         [[rule]]\ncommand = '/usr/bin/backup'\naction = 'allow'\nrecord = 'none'\n\
         [[rule]]\ncommand = '/usr/bin/backup'\naction = 'allow'\nrecord = 'none'\nshell = '/bin/dash'\n\
         [[rule]]\nname = 'rest'\naction = 'allow'\n\
         [[rule]]\nuser = 'ann'\naction = 'deny'\n",
    )
    .remarks();
    let begins: Vec<&str> = all.iter().map(|remark| remark.split(':').next().unwrap()).collect();
    assert_eq!(begins, ["rule 1", "rule 2", "rule 5"], "{all:?}");
    assert!(all[2].contains("never decides: rest, before it"), "{all:?}");
}

#[test]
fn what_cannot_be_is_refused_and_named() {
    let allow = "[[rule]]\naction = 'allow'\n";
    for (text, words) in [
        ("[[rule]]\n".to_owned(), "rule 1: action is not given"),
        ("[[rule]]\naction = 'permit'".into(), "unknown variant `permit`"),
        ("[[rule]]\nname = 'x'\naction = 'allow'\nuser = []".into(), "rule 1 (x): user is an empty list"),
        ("[[rule]]\naction = 'allow'\nuser = 5".into(), "expected text or a list of texts"),
        ("[[rule]]\naction = 'allow'\nuser = ['a', 5]".into(), "expected a string"),
        ("[[rule]]\naction = 'allow'\nuser = ''".into(), "user: \"\" is no name"),
        (format!("{allow}group = 'wh*'"), "is no name of a group"),
        (format!("{allow}from = '10.0.0/8'"), "rule 1: from: \"10.0.0/8\" is no network"),
        (format!("{allow}kind = 'shell'"), "write interactive, exec or transfer"),
        (format!("{allow}label = 'prod'"), "has no key=value form"),
        (format!("{allow}command = 'bin/x'"), "is a relative path"),
        (format!("{allow}hour = '8'"), "is no range of hours"),
        (format!("{allow}day = 'monday'"), "is no day"),
        (format!("{allow}name = ''"), "name must have"),
        (format!("{allow}name = \"a\\u001b[2J\""), "name must have"),
        (format!("{allow}message = 'no'"), "it is shown on a denial"),
        (format!("{allow}record = 'some'"), "unknown variant `some`"),
        (format!("{allow}input = 'some'"), "unknown variant `some`"),
        (format!("{allow}shell = 'bash'"), "must be an absolute path"),
        (format!("{allow}env = ['A=B']"), "is no name of an environment variable"),
        (format!("{allow}env = ['1A']"), "is no name of an environment variable"),
        (format!("{allow}banner = \"\\u001b[2J\""), "characters that act on a terminal"),
        (format!("{allow}banner = '{}'", "x".repeat(5000)), "at most 4096"),
        (format!("{allow}idle_timeout = '0s'"), "idle_timeout is 0s: it must be from 1s to 30days"),
        (format!("{allow}max_duration = '31d'"), "it must be from 1s to 30days"),
        (format!("{allow}max_duration = 'soon'"), "is no duration"),
        (format!("{allow}labels = {{ '' = 'x' }}"), "one without a name"),
        (format!("{allow}sinks = ['/srv/a']"), "is not among the sinks of this configuration (there is none)"),
        (format!("to = ['/srv/b']\n{allow}sinks = ['/srv/a']"), "(file:///srv/b)"),
        (format!("to = ['/srv/b']\n{allow}sinks = ['x']"), "sinks: "),
        (format!("to = ['/srv/b']\n{allow}sinks = ['/srv/b', 'file:///srv/b']"), "is named twice"),
        (format!("to = ['file:///srv/b?required=false']\n{allow}sinks = ['/srv/b']"), "none of these is required"),
        (format!("to = ['/srv/b']\n{allow}sinks = []"), "none of these is required"),
        ("[[rule]]\naction = 'deny'\nshell = '/bin/sh'".into(), "shell is given beside action = \"deny\""),
        ("[[rule]]\naction = 'deny'\nlabels = { a = 'b' }".into(), "labels is given beside action = \"deny\""),
        (format!("{allow}name = 'x'\n{allow}name = 'x'"), "two rules are called \"x\""),
        (format!("{allow}name = 'rule 2'\n{allow}"), "two rules are called \"rule 2\""),
    ] {
        let what = wrong(&text);
        assert!(what.contains(words), "{text}\n{what}");
    }
    let (_, hint) = parse(&format!("{allow}idle_timout = '1m'")).unwrap_err();
    assert_eq!(hint.as_deref(), Some("the nearest known key is `idle_timeout`"));
}

#[test]
fn a_sink_is_chosen_with_its_options_or_without_any() {
    let sinks = "[[sink]]\nurl = 's3://evidence/x'\nregion = 'eu-1'\n[[sink]]\nurl = 'file:///srv/a'\n";
    for (named, chosen) in [
        ("s3://evidence/x", "s3://evidence/x?region=eu-1"),
        ("s3://evidence/x?region=eu-1", "s3://evidence/x?region=eu-1"),
        ("/srv/a", "file:///srv/a"),
    ] {
        let policy = policy(&format!("{sinks}[[rule]]\naction = 'allow'\nsinks = ['{named}']\n"));
        assert_eq!(decide(&policy, &ann()).sinks, Some(vec![chosen.to_owned()]), "{named}");
    }
    let other = wrong(&format!("{sinks}[[rule]]\naction = 'allow'\nsinks = ['s3://evidence/x?region=us-1']\n"));
    assert!(other.contains("is not among the sinks"), "{other}");
}

#[test]
fn what_is_shown_reads_as_the_same() {
    let text = "to = ['/srv/a']\n[[rule]]\nname = 'a'\nuser = 'x'\ngroup = ['y']\nfrom = 'local'\nkind = 'exec'\n\
                label = 'a=b'\ncommand = '/bin/x'\nhour = '1-2'\nday = 'mon'\naction = 'allow'\nrecord = 'full'\n\
                input = 'on'\nshell = '/bin/sh'\nenv = []\nbanner = 'x'\nidle_timeout = '90s'\nmax_duration = '1h 1s'\n\
                sinks = ['/srv/a']\n[rule.labels]\na = 'b'\n[[rule]]\naction = 'deny'\nmessage = 'no'\n";
    let read = config(text);
    let shown = toml::to_string(&read).unwrap();
    assert_eq!(format!("{read:?}"), format!("{:?}", config(&shown)), "{shown}");
    assert_eq!(serde_json::to_value(&read).unwrap()["rule"][0]["user"], serde_json::json!(["x"]));
}

proptest! {
    /// Whatever the session is, there is a decision, and a denial is never lost: with a last rule that denies, only
    /// what an earlier rule names is allowed.
    #[test]
    fn there_is_always_a_decision(
        user in any::<String>(), group in any::<String>(), command in proptest::option::of(any::<String>()),
        from in any::<Option<std::net::IpAddr>>(), day in 1u32..29, hour in 0u32..24, minute in 0u32..60,
    ) {
        let policy = policy(
            "[[rule]]\nuser = 'a*'\nhour = '08-18'\naction = 'allow'\n\
             [[rule]]\ncommand = ['*', '/*/*']\nfrom = ['10.0.0.0/8', '::/1']\naction = 'allow'\n\
             [[rule]]\naction = 'deny'\n",
        );
        let groups = [group];
        let labels = BTreeMap::new();
        let date = chrono::NaiveDate::from_ymd_opt(2026, 2, day).unwrap();
        let subject = Subject {
            user: &user, uid: 0, groups: &groups, from, kind: Kind::Exec, labels: &labels, command: command.as_deref(),
            local: date.and_hms_opt(hour, minute, 0).unwrap(),
        };
        let decision = policy.decide(&subject);
        prop_assert_eq!(&policy.explain(&subject).decision, &decision);
        prop_assert!(decision.rule.is_some());
        if decision.rule.as_deref() == Some("rule 1") {
            prop_assert!(user.starts_with('a') && (8..18).contains(&hour));
        }
    }

    /// Any values of any conditions are read or refused, never a panic.
    #[test]
    fn any_rule_is_read_or_refused(
        key in prop::sample::select(vec![
            "name", "user", "group", "from", "kind", "label", "command", "hour", "day", "message", "banner", "shell", "idle_timeout",
            "max_duration",
        ]),
        value in prop_oneof![any::<String>(), "[0-9a-f:./*-]{0,12}", "[a-z]{2,4}-[a-z]{2,4}"],
        action in prop::sample::select(vec!["allow", "deny"]),
    ) {
        let mut rule = toml::Table::new();
        rule.insert("action".into(), action.into());
        rule.insert(key.into(), value.into());
        let mut whole = toml::Table::new();
        whole.insert("rule".into(), toml::Value::Array(vec![rule.into()]));
        match parse(&toml::to_string(&whole).unwrap()) {
            Ok(config) => {
                let shown = toml::to_string(&config).unwrap();
                prop_assert_eq!(format!("{config:?}"), format!("{:?}", self::config(&shown)));
            }
            Err((what, _)) => prop_assert!(!what.is_empty()),
        }
    }
}
