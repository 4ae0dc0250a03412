//! Logins on a terminal, and what the record says of who came in.

use hansard_tests::SOON;
use hansard_tests::call::code;
use hansard_tests::terminal::Terminal;
use hansard_tests::{process, wait_until};

use crate::scene::{GUEST, PLAIN, Scene, limited};

#[test]
fn a_login_shows_what_bash_would_and_is_recorded_to_the_byte() {
    let scene = Scene::new();
    for user in [GUEST, PLAIN] {
        scene.plant(user, ".bash_profile", "PS1='ready> '; echo profile\n", 0o644);
    }
    let mut seen = Vec::new();
    for user in [GUEST, PLAIN] {
        let mut terminal = Terminal::running(&scene.ssh::<&str>(user, []));
        terminal.wait_text("ready> ");
        terminal.type_in("echo $0 $SHELL; tty >/dev/null && echo on a terminal; exit 7\r");
        assert_eq!(terminal.status(SOON), 7, "{user}: {}", terminal.text());
        seen.push(terminal.drained());
    }
    assert_eq!(String::from_utf8_lossy(&seen[0]), String::from_utf8_lossy(&seen[1]), "both see the same");
    let session = scene.session();
    assert_eq!(session.at("/identity/kind"), "interactive");
    assert_eq!(session.at("/identity/kernel/user"), GUEST);
    let text = String::from_utf8(scene.home.raw(&session.id)).unwrap();
    assert!(text.contains("-bash /bin/bash\r\non a terminal\r\n"), "{text}");
    let connection = session.at("/identity/claimed/ssh_connection").as_str().unwrap();
    assert!(connection.starts_with("127."), "{connection}");
    let auth = session.at("/identity/claimed/ssh_user_auth").as_str().unwrap();
    assert!(auth.starts_with("publickey ssh-ed25519 "), "{auth}");
}

#[test]
fn a_command_on_a_terminal_and_a_script_on_standard_input() {
    let scene = Scene::new();
    for user in [GUEST, PLAIN] {
        let mut terminal = Terminal::running(&scene.ssh(user, ["-t"]).arg("stty size; echo asked; exit 4"));
        assert_eq!(terminal.status(SOON), 4);
        let text = String::from_utf8(terminal.drained()).unwrap();
        assert!(text.contains("24 80\r\nasked\r\n"), "{text}");
    }
    let script = b"echo from a script\ncd /; pwd\nexit 6\n";
    let run = |user| limited(scene.ssh(user, ["-T"])).output_with(script);
    let (got, plain) = (run(GUEST), run(PLAIN));
    assert_eq!((code(&got), &got.stdout), (code(&plain), &plain.stdout));
    assert_eq!(code(&got), 6);
    let sessions = scene.sessions(2);
    let kinds: Vec<_> = sessions.iter().map(|session| session.at("/identity/kind").as_str().unwrap()).collect();
    assert_eq!(kinds, ["interactive", "exec"]);
    assert_eq!(scene.home.raw_stream(&sessions[1].id, "input"), script);
}

#[test]
fn a_connection_that_drops_ends_the_session() {
    let scene = Scene::new();
    let mut terminal = Terminal::running(&scene.ssh::<&str>(GUEST, []));
    terminal.type_in("echo $((20 + 3)); sleep 1000\r");
    terminal.wait_text("23\r\n");
    process::kill_first(terminal.pid());
    terminal.status(SOON);
    let session = scene.session();
    assert_eq!(session.at("/identity/kind"), "interactive");
    wait_until("nothing of it runs", SOON, || scene.tees().is_empty().then_some(()));
}

#[test]
fn without_an_agent_nobody_gets_in_and_is_told_whom_to_call() {
    let mut scene = Scene::new();
    scene.kill_agent();
    let marker = scene.of(GUEST).join("marker");
    let got = scene.run(GUEST, &format!("touch {}", marker.display()));
    assert_eq!(code(&got), 125);
    let said = String::from_utf8_lossy(&got.stderr).into_owned();
    assert!(said.contains("is not started") && said.contains("for access, ask: the desk, 555-0100"), "{said}");
    assert!(!marker.exists(), "nothing ran");
    scene.start_agent();
    assert_eq!(code(&scene.run(GUEST, "true")), 0);
}
