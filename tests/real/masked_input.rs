//! Masked input: prompts of the outside, each with its stated outcome. What is dropped is dropped, what escapes is known,
//! what is no secret is there, and a gap marks where something was dropped.
//!
//! `recorder/MASKING.md` has the same table for readers. Masking is best effort: an outcome `Escapes` is no wish but a
//! fact, and a test that finds it dropped one day fails too, so that the table is kept true.

use hansard_tests::SOON;
use hansard_tests::terminal::{Terminal, find};

use crate::guests::{Guest, OTHER_PASSWORD, PASSWORD};

/// What becomes of the secret in the recorded input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Not there, and a gap says so.
    Dropped,
    /// There.
    Escapes,
}

/// Waits for a text, then types.
type Step<'a> = (&'a str, &'a str);

struct Row<'a> {
    /// For messages.
    name: &'a str,
    /// Run as root before, in the namespace.
    setup: &'a str,
    /// What is recorded.
    command: &'a [&'a str],
    /// Waits and typing, in order; a step waits for what comes after the step before.
    steps: &'a [Step<'a>],
    /// What was typed and is a secret.
    secrets: &'a [&'a str],
    outcome: Outcome,
    /// What was typed and is none.
    there: &'a [&'a str],
}

const SH: &[&str] = &["/bin/bash", "--norc", "-i"];
const PROMPT: &str = "ready$ ";

fn check(row: &Row<'_>) {
    let guest = Guest::new();
    let mut terminal = Terminal::running(&guest.masked(row.setup, row.command).env("PROMPT", PROMPT));
    let mut from = 0;
    for (wait, keys) in row.steps {
        terminal.wait_text_after(from, wait);
        from += find(&terminal.bytes()[from..], wait.as_bytes()).unwrap_or(0) + wait.len();
        // A command line is typed as people do: it has been echoed before the key that runs it. (What is typed less than
        // a second before a prompt appears and was not echoed by then is dropped, as type-ahead for it.)
        match keys.strip_suffix('\r') {
            Some(line)
                if !row.secrets.iter().any(|secret| line.contains(secret))
                    && (wait.ends_with("$ ") || wait.ends_with("> ")) =>
            {
                terminal.type_in(line);
                let end: String = line.chars().skip(line.chars().count().saturating_sub(4)).collect();
                terminal.wait_text_after(from, &end);
                terminal.type_in("\r");
            }
            _ => terminal.type_in(keys),
        }
    }
    terminal.ended(SOON);
    let shown = terminal.text();
    let input = guest.home.replay(["export", "latest", "--as", "raw", "--stream", "input"]).ok();
    let typed = String::from_utf8_lossy(&input);
    for secret in row.secrets {
        let there = typed.contains(secret);
        assert_eq!(
            there,
            row.outcome == Outcome::Escapes,
            "{}: of {secret:?} the input has {typed:?}\ndisplayed:\n{shown}",
            row.name
        );
        assert!(!shown.contains(secret) || row.outcome == Outcome::Escapes, "{}: {secret:?} was displayed", row.name);
    }
    for words in row.there.iter().map(|words| words.trim_end_matches('\r')) {
        assert!(typed.contains(words), "{}: {words:?} is not in the input {typed:?}\ndisplayed:\n{shown}", row.name);
    }
    let cast = String::from_utf8(guest.home.export("latest", "cast")).expect("asciicast is UTF-8");
    let gap = cast.lines().any(|line| line.contains("\"g\"") && line.contains("masked"));
    assert_eq!(gap, row.outcome == Outcome::Dropped && !row.secrets.is_empty(), "{}: the gap\n{cast}", row.name);
}

#[test]
fn sudo() {
    check(&Row {
        name: "sudo",
        setup: "",
        command: SH,
        steps: &[
            (PROMPT, "echo before\r"),
            (PROMPT, "sudo id -un\r"),
            ("password for", "Kestrel-4711-quill\r"),
            ("root", ""),
            (PROMPT, "exit\r"),
        ],
        secrets: &[PASSWORD],
        outcome: Outcome::Dropped,
        there: &["echo before\r", "sudo id -un\r", "exit\r"],
    });
}

#[test]
fn sudo_with_pwfeedback() {
    check(&Row {
        name: "sudo with pwfeedback",
        setup: "echo 'Defaults pwfeedback' >> /etc/sudoers",
        command: SH,
        steps: &[
            (PROMPT, "sudo id -un\r"),
            ("password for", "Kestrel"),
            ("*******", "-4711-quill\r"),
            ("root", ""),
            (PROMPT, "exit\r"),
        ],
        secrets: &["Kestrel", "-4711-quill"],
        outcome: Outcome::Dropped,
        there: &["sudo id -un\r", "exit\r"],
    });
}

#[test]
fn su() {
    check(&Row {
        name: "su",
        setup: "",
        command: SH,
        steps: &[
            (PROMPT, "su hsother -c id\r"),
            ("assword: ", "Heron-0815-vellum\r"),
            ("uid=7002", ""),
            (PROMPT, "exit\r"),
        ],
        secrets: &[OTHER_PASSWORD],
        outcome: Outcome::Dropped,
        there: &["su hsother -c id\r", "exit\r"],
    });
}

#[test]
fn passwd() {
    check(&Row {
        name: "passwd",
        setup: "",
        command: SH,
        steps: &[
            (PROMPT, "passwd\r"),
            ("urrent password: ", "Kestrel-4711-quill\r"),
            ("New password: ", "Osprey-2323-parchment\r"),
            ("etype new password: ", "Osprey-2323-parchment\r"),
            ("updated successfully", ""),
            (PROMPT, "exit\r"),
        ],
        secrets: &[PASSWORD, "Osprey"],
        outcome: Outcome::Dropped,
        there: &["passwd\r", "exit\r"],
    });
}

#[test]
fn read_s_of_bash_and_zsh() {
    for (name, command) in [("bash", SH), ("zsh", &["/usr/bin/zsh", "-f", "-i"][..])] {
        check(&Row {
            name,
            setup: "",
            command,
            steps: &[
                // Asks when `read` has long been waiting: what comes in the moment before it turns echo off is type-ahead.
                (PROMPT, "(sleep 1; echo asking) & read -s x; echo got ${#x}\r"),
                ("asking\r\n", "Merlin-9999-ink\r"),
                ("got 15\r\n", ""),
                (PROMPT, "exit\r"),
            ],
            secrets: &["Merlin"],
            outcome: Outcome::Dropped,
            there: &["(sleep 1; echo asking) & read -s x; echo got ${#x}\r", "exit\r"],
        });
    }
}

#[test]
fn getpass() {
    check(&Row {
        name: "getpass",
        setup: "",
        command: SH,
        steps: &[
            (PROMPT, "/usr/bin/python3 -c 'import getpass; print(len(getpass.getpass(\"Say\" + \" it: \")))'\r"),
            ("Say it: ", "Merlin-9999-ink\r"),
            ("15\r\n", ""),
            (PROMPT, "exit\r"),
        ],
        secrets: &["Merlin"],
        outcome: Outcome::Dropped,
        there: &["import getpass", "exit\r"],
    });
}

#[test]
fn psql_and_mysql() {
    for (name, client, wait) in [
        ("psql", "psql -W -h 127.0.0.1 -p 1 -U someone base", "assword"),
        ("mysql", "mysql -h 127.0.0.1 -P 1 -u someone -p", "assword: "),
    ] {
        let line = format!("{client}\r");
        check(&Row {
            name,
            setup: "",
            command: SH,
            steps: &[(PROMPT, &line), (wait, "Merlin-9999-ink\r"), (PROMPT, "exit\r")],
            secrets: &["Merlin"],
            outcome: Outcome::Dropped,
            there: &[&line, "exit\r"],
        });
    }
}

#[test]
fn inside_sudo_with_a_terminal_of_its_own() {
    // Debian's `use_pty`: the modes of the recorded terminal say nothing of what happens inside; the prompts do.
    check(&Row {
        name: "su inside sudo bash",
        setup: "",
        command: SH,
        steps: &[
            (PROMPT, "sudo -u hsother /bin/bash --norc -i\r"),
            ("password for", "Kestrel-4711-quill\r"),
            ("$ ", "su hsother -c id\r"),
            ("assword: ", "Heron-0815-vellum\r"),
            ("uid=7002", ""),
            ("$ ", "exit\r"),
            (PROMPT, "exit\r"),
        ],
        secrets: &[PASSWORD, OTHER_PASSWORD],
        outcome: Outcome::Dropped,
        there: &["su hsother -c id\r"],
    });
}

#[test]
fn a_silent_prompt_inside_sudo_escapes() {
    check(&Row {
        name: "read -s without a prompt inside sudo bash",
        setup: "echo 'Defaults !authenticate' >> /etc/sudoers",
        command: SH,
        steps: &[
            (PROMPT, "sudo -u hsother /bin/bash --norc -i\r"),
            ("$ ", "echo asking; read -s x; echo got ${#x}\r"),
            ("asking\r\n", "Merlin-9999-ink\r"),
            ("got 15\r\n", ""),
            ("$ ", "exit\r"),
            (PROMPT, "exit\r"),
        ],
        secrets: &["Merlin"],
        outcome: Outcome::Escapes,
        there: &["echo asking"],
    });
}

#[test]
fn a_silent_prompt_inside_tmux_escapes_and_one_that_says_password_does_not() {
    for (name, prompt, outcome) in [
        ("tmux, su", "su hsother -c id\r", Outcome::Dropped),
        ("tmux, read -s", "echo ask''ing; read -s x; echo got ${#x}\r", Outcome::Escapes),
    ] {
        let wait = if outcome == Outcome::Dropped { "assword: " } else { "asking" };
        let after = if outcome == Outcome::Dropped { "uid=7002" } else { "got 17" };
        check(&Row {
            name,
            setup: "",
            command: &["/usr/bin/tmux", "-f", "/dev/null", "-S", "tmux.sock", "new-session", "/bin/bash --norc -i"],
            steps: &[("$ ", prompt), (wait, "Heron-0815-vellum\r"), (after, ""), ("$ ", "exit\r")],
            secrets: &[OTHER_PASSWORD],
            outcome,
            there: &[prompt],
        });
    }
}

#[test]
fn behind_ssh() {
    // A server of the test's own on the loopback; the far side's terminal modes never reach this one.
    check(&Row {
        name: "su behind ssh",
        setup: "ssh-keygen -q -t ed25519 -N '' -f $home/hk; ssh-keygen -q -t ed25519 -N '' -f $home/key; cp $home/key.pub $home/ak
                chown 7001:7001 $home/key; mkdir -p /run/sshd
                echo 'Defaults!/usr/sbin/sshd !use_pty' >> /etc/sudoers; echo 'hstester ALL=(root) NOPASSWD: /usr/sbin/sshd' >> /etc/sudoers",
        command: &["/bin/bash", "--norc", "-c", "exec ssh -F /dev/null -tt -i ~/key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o ProxyCommand=\"sudo /usr/sbin/sshd -i -f /dev/null -h $HOME/hk -o AuthorizedKeysFile=$HOME/ak -o StrictModes=no -o UsePAM=no\" hstester@here \"env PS1='far> ' bash --norc -i\""],
        steps: &[("far> ", "su hsother -c id\r"), ("assword: ", "Heron-0815-vellum\r"), ("uid=7002", ""), ("far> ", "exit\r")],
        secrets: &[OTHER_PASSWORD],
        outcome: Outcome::Dropped,
        there: &["su hsother -c id\r", "exit\r"],
    });
}

#[test]
fn pinentry() {
    check(&Row {
        name: "pinentry-curses",
        setup: "",
        command: &[
            "/bin/bash",
            "--norc",
            "-c",
            "printf 'OPTION ttyname=%s\\nOPTION ttytype=xterm\\nSETDESC Unlock it\\nSETPROMPT PIN:\\nGETPIN\\nBYE\\n' $(tty) | pinentry-curses; echo over",
        ],
        steps: &[("PIN", "Merlin-9999"), ("*", "\r"), ("over", "")],
        secrets: &["Merlin"],
        outcome: Outcome::Escapes,
        there: &[],
    });
}

#[test]
fn type_ahead_that_the_terminal_echoes_is_output() {
    check(&Row {
        name: "type-ahead",
        setup: "",
        command: SH,
        steps: &[
            (PROMPT, "sleep 3; sudo id -un\r"),
            ("id -un\r\n", "Kestrel-4711-quill\r"),
            ("password for", ""),
            ("root", ""),
            (PROMPT, "exit\r"),
        ],
        secrets: &[PASSWORD],
        outcome: Outcome::Escapes,
        there: &["sleep 3; sudo id -un\r"],
    });
}

#[test]
fn what_is_no_secret_is_there() {
    for (name, command, steps, there) in [
        (
            "bash",
            SH,
            &[(PROMPT, "echo words \u{e9}\u{4e16}; x=y\r"), (PROMPT, "exit\r")][..],
            &["echo words \u{e9}\u{4e16}; x=y\r", "exit\r"][..],
        ),
        (
            "zsh",
            &["/usr/bin/zsh", "-f", "-i"][..],
            &[(PROMPT, "echo words; x=y\r"), (PROMPT, "exit\r")][..],
            &["echo words; x=y\r", "exit\r"][..],
        ),
        (
            "vim",
            &["/usr/bin/vim", "-u", "NONE", "-N", "text.txt"][..],
            &[("text.txt", "ihello there"), ("there", "\x1b:wq!\r")][..],
            &["ihello there", "\x1b:wq!\r"][..],
        ),
        (
            "a line",
            &["/bin/sh", "-c", "echo go; read x; echo got $x"][..],
            &[("go", "a whole line\r"), ("got a whole line", "")][..],
            &["a whole line\r"][..],
        ),
    ] {
        check(&Row { name, setup: "", command, steps, secrets: &[], outcome: Outcome::Dropped, there });
    }
}
