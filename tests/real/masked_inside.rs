//! Masked input where the recorded terminal's modes say nothing, because another terminal is inside: a shell of sudo's (Debian's
//! `use_pty`), tmux, the far side of ssh. All prompts of `masked_input`'s table in each of them, one after the other.
//!
//! There only the prompts' words tell. What asks with the usual words is dropped; what asks without escapes, and that is
//! stated here as in `recorder/MASKING.md`.

use hansard_tests::SOON;
use hansard_tests::terminal::{Terminal, find};

use crate::guests::{Guest, OTHER_PASSWORD, PASSWORD};

/// Typed at a prompt: what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Dropped,
    Escapes,
}

use Outcome::{Dropped, Escapes};

/// A command line, and what is typed at each prompt that it shows.
struct Asks<'a> {
    line: &'a str,
    answers: &'a [(&'a str, &'a str, Outcome)],
}

/// What every one of the three contexts is asked, by a user with this password who knows the password of `other`.
fn all<'a>(own: &'a str, other: &'a str, su: &'a str) -> Vec<Asks<'a>> {
    let asks = |line, answers| Asks { line, answers };
    let one = |wait, secret, outcome| -> &'a [(&'a str, &'a str, Outcome)] { vec![(wait, secret, outcome)].leak() };
    vec![
        asks("sudo id -un", one("password for", own, Dropped)),
        asks(su, one("assword: ", other, Dropped)),
        asks("read -s -p 'Pass''word: ' x; echo got ${#x}", one("Password: ", "Kite-1111-ink", Dropped)),
        asks("echo ask''ing; read -s x; echo got ${#x}", one("asking", "Merlin-9999-ink", Escapes)),
        asks("/usr/bin/python3 -c 'import getpass; getpass.getpass()'", one("Password: ", "Harrier-2222-ink", Dropped)),
        asks(
            "/usr/bin/python3 -c 'import getpass; getpass.getpass(\"Say\" + \" it: \")'",
            one("Say it: ", "Falcon-5150-quire", Escapes),
        ),
        asks("psql -W -h 127.0.0.1 -p 1 -U someone base", one("assword", "Buzzard-3333-ink", Dropped)),
        asks("mysql -h 127.0.0.1 -P 1 -u someone -p", one("assword: ", "Hobby-4444-ink", Dropped)),
        asks(
            "passwd",
            vec![
                ("urrent password: ", own, Dropped),
                ("New password: ", "Osprey-2323-parchment", Dropped),
                ("etype new password: ", "Osprey-2323-parchment", Dropped),
            ]
            .leak(),
        ),
    ]
}

/// Gets into the context with `enter`, asks everything at `prompt`, and leaves with as many `exit`s.
fn check(
    name: &str,
    setup: &str,
    command: &[&str],
    enter: &[(&str, &str)],
    prompt: &str,
    asks: &[Asks<'_>],
    exits: usize,
) {
    let guest = Guest::new();
    let mut terminal = Terminal::running(&guest.masked(setup, command).env("PROMPT", "ready$ "));
    let mut from = 0;
    let mut waits = |terminal: &Terminal, text: &str| {
        terminal.wait_text_after(from, text);
        from += find(&terminal.bytes()[from..], text.as_bytes()).unwrap_or(0) + text.len();
    };
    // As people do: a line has been echoed before the key that runs it.
    let types = |terminal: &Terminal, line: &str| {
        let before = terminal.shown();
        terminal.type_in(line);
        let end: String = line.chars().skip(line.chars().count().saturating_sub(4)).collect();
        terminal.wait_text_after(before, &end);
        terminal.type_in("\r");
    };
    for (wait, keys) in enter {
        waits(&terminal, wait);
        terminal.type_in(keys);
    }
    for asked in asks {
        waits(&terminal, prompt);
        types(&terminal, asked.line);
        for (wait, secret, _) in asked.answers {
            waits(&terminal, wait);
            terminal.type_in(format!("{secret}\r"));
        }
    }
    for _ in 0..exits {
        waits(&terminal, "$ ");
        types(&terminal, "exit");
    }
    terminal.ended(SOON);
    let shown = terminal.text();
    let input = guest.home.replay(["export", "latest", "--as", "raw", "--stream", "input"]).ok();
    let typed = String::from_utf8_lossy(&input);
    let answers = || asks.iter().flat_map(|asked| asked.answers);
    for (wait, secret, outcome) in answers() {
        let there = typed.contains(secret);
        assert_eq!(there, *outcome == Escapes, "{name}, at {wait:?}: of {secret:?} the input has {typed:?}\n{shown}");
        assert!(!shown.contains(secret) || *outcome == Escapes, "{name}: {secret:?} was displayed:\n{shown}");
    }
    for asked in asks {
        assert!(typed.contains(asked.line), "{name}: {:?} is not in the input {typed:?}\n{shown}", asked.line);
    }
    let cast = String::from_utf8(guest.home.export("latest", "cast")).expect("asciicast is UTF-8");
    let gaps = cast.lines().filter(|line| line.contains("\"g\"") && line.contains("masked")).count();
    // Two of passwd's three may be one.
    let dropped = answers().filter(|(_, _, outcome)| *outcome == Dropped).count();
    assert!(gaps + 2 >= dropped, "{name}: {gaps} gaps for {dropped} secrets\n{cast}");
}

#[test]
fn in_a_shell_of_sudo() {
    check(
        "sudo bash",
        "echo 'hsother ALL=(ALL:ALL) ALL' >> /etc/sudoers",
        &["/bin/bash", "--norc", "-i"],
        &[
            ("ready$ ", "sudo -u hsother env PS1='inner$ ' /bin/bash --norc -i\r"),
            ("password for", &format!("{PASSWORD}\r")),
        ],
        "inner$ ",
        &all(OTHER_PASSWORD, PASSWORD, "su hstester -c id"),
        2,
    );
}

#[test]
fn in_tmux() {
    check(
        "tmux",
        "",
        &["/usr/bin/tmux", "-f", "/dev/null", "-S", "tmux.sock", "new-session", "/bin/bash --norc -i"],
        &[],
        "ready$ ",
        &all(PASSWORD, OTHER_PASSWORD, "su hsother -c id"),
        1,
    );
}

#[test]
fn behind_ssh() {
    // A server of the test's own on a pipe; the far side's terminal modes never reach this one.
    check(
        "ssh",
        "ssh-keygen -q -t ed25519 -N '' -f $home/hk; ssh-keygen -q -t ed25519 -N '' -f $home/key; cp $home/key.pub $home/ak
                chown 7001:7001 $home/key; mkdir -p /run/sshd
                echo 'Defaults!/usr/sbin/sshd !use_pty' >> /etc/sudoers; echo 'hstester ALL=(root) NOPASSWD: /usr/sbin/sshd' >> /etc/sudoers",
        &[
            "/bin/bash",
            "--norc",
            "-c",
            "exec ssh -F /dev/null -tt -i ~/key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o ProxyCommand=\"sudo /usr/sbin/sshd -i -f /dev/null -h $HOME/hk -o AuthorizedKeysFile=$HOME/ak -o StrictModes=no -o UsePAM=no\" hstester@here \"env PS1='far$ ' bash --norc -i\"",
        ],
        &[],
        "far$ ",
        &all(PASSWORD, OTHER_PASSWORD, "su hsother -c id"),
        1,
    );
}
