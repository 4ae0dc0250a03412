//! Shells that the agent has started with marks: by its policy, for logins, and for nothing that is no login.

use std::path::Path;

use hansard_tests::SOON;
use hansard_tests::call::code;
use hansard_tests::terminal::Terminal;

use crate::scene::{GUEST, PLAIN, Scene, fine, neutral};

const READY: &str = "\x1b]133;B";

/// Logs in, types these lines, each at a prompt that ends with `ready`, and gives what was shown.
fn login(scene: &Scene, user: &str, ready: &str, lines: &[&str]) -> String {
    let mut terminal = Terminal::running(&scene.ssh::<&str>(user, []));
    let mut from = 0;
    for line in lines {
        terminal.wait_text_after(from, ready);
        from = terminal.shown();
        terminal.type_in(format!("{line}\r"));
    }
    assert_eq!(terminal.status(SOON), 3, "{}", terminal.text());
    String::from_utf8_lossy(&terminal.drained()).into_owned()
}

/// The start files of the three shells.
fn plant(scene: &Scene) {
    for user in [GUEST, PLAIN] {
        scene.plant(user, ".bash_profile", "PS1='two\\nready> '\nPROMPT_COMMAND='true; false'\n", 0o644);
        scene.plant(user, ".bash_logout", "echo logged out\n", 0o644);
        scene.plant(user, ".zshrc", "PS1=$'two\\nready> '\nprecmd() { true }\n", 0o644);
        scene.plant(user, ".config/fish/config.fish", "function fish_prompt; echo -n 'ready> '; end\n", 0o644);
        scene.plant(user, ".local/share/fish/generated_completions/x.fish", "", 0o644);
        for folder in [".config", ".local", ".local/share", ".local/share/fish"] {
            let number = Some(crate::scene::uid(user));
            std::os::unix::fs::chown(scene.of(user).join(folder), number, number).unwrap();
        }
    }
}

#[test]
fn logins_are_told_exactly_and_are_otherwise_as_ever() {
    for (shell, dump) in [
        ("/usr/bin/bash", "{ env; shopt; set -o; echo $0 $- $HISTFILE $MAILCHECK; }"),
        ("/usr/bin/zsh", "{ env; setopt; echo $0 $- $HISTFILE; }"),
        ("/usr/bin/fish", "begin; env; status is-login; echo $status $argv; end"),
    ] {
        let scene = Scene::with_shell_marks(Path::new(shell), "shell_marks = true\n");
        plant(&scene);
        let facts = [GUEST, PLAIN].map(|user| {
            let line = format!("{dump} > ~/facts");
            let shown = login(&scene, user, "ready> ", &[&line, "sh -c 'exit 7'", "exit 3"]);
            assert_eq!(shown.contains("logged out"), shell.ends_with("bash"), "{shown}");
            assert_eq!(shown.contains(READY), user == GUEST, "{shown}");
            let facts = neutral(&std::fs::read(scene.of(user).join("facts")).unwrap(), user);
            // sshd and hansard-shell put variables in another order.
            let lines = facts.lines().filter(|line| !line.starts_with("SSH_") && !line.starts_with("_="));
            let mut lines: Vec<String> = lines.map(str::to_owned).collect();
            lines.sort();
            lines
        });
        assert!(facts[0].len() > 10, "{:?}", facts[0]);
        assert_eq!(facts[0], facts[1], "{shell}");
        // What is no login gets nothing, and nothing of it is in the recording.
        let got = scene.run(GUEST, "env");
        assert!(!fine(&got).contains("HANSARD") && !fine(&got).contains("/marks"), "{got:?}");
        let sessions = scene.sessions(2);
        let commands = scene.home.commands(&sessions[0].id);
        let expected = [(format!("{dump} > ~/facts"), Some(0), false), ("sh -c 'exit 7'".into(), Some(7), false)];
        assert_eq!(
            (&commands[..2], commands[2].0.as_str(), commands[2].2),
            (&expected[..], "exit 3", false),
            "{shell}"
        );
        assert!(!scene.home.raw(&sessions[1].id).windows(4).any(|four| four == b"133;"));
    }
}

#[test]
fn a_rule_decides_and_a_folder_that_others_write_is_not_used() {
    let rules = "[[rule]]\nuser = \"hsguest\"\naction = \"allow\"\nshell_marks = true\n";
    let scene = Scene::with_shell_marks(Path::new("/usr/bin/bash"), rules);
    plant(&scene);
    assert!(login(&scene, GUEST, "ready> ", &["exit 3"]).contains(READY));
    let file = scene.home.join("etc/hansard/marks/hansard.bash");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    assert!(!login(&scene, GUEST, "ready> ", &["exit 3"]).contains(READY));
    let log = scene.log();
    assert!(
        log.contains("does not mark its commands") && log.contains("hansard.bash can be written by others"),
        "{log}"
    );
    assert_eq!(code(&scene.run(GUEST, "true")), 0);
    scene.sessions(3);
}
