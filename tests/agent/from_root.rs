//! Logins that do not come through sshd: `su -` and `sudo -i` from root, and a login shell inside a recorded session.

use hansard_tests::SOON;
use hansard_tests::call::code;
use hansard_tests::programs::outside;
use hansard_tests::terminal::Terminal;

use crate::scene::{GUEST, Scene, limited};

#[test]
fn su_and_sudo_are_recorded_as_logins() {
    let scene = Scene::new();
    scene.plant(GUEST, ".bash_profile", "PS1='ready> '\n", 0o644);
    let ways: [(&str, &[&str]); 2] = [("su", &["-", GUEST]), ("sudo", &["-i", "-u", GUEST])];
    for (program, args) in ways {
        let mut terminal = Terminal::running(&scene.inside(outside(program)).args(args));
        terminal.wait_text("ready> ");
        terminal.type_in("echo $0 $SHELL $((20 + 3)); exit 5\r");
        assert_eq!(terminal.status(SOON), 5, "{program}: {}", terminal.text());
        let shown = String::from_utf8(terminal.drained()).unwrap();
        assert!(shown.contains("-bash /bin/bash 23\r\n"), "{program}: {shown}");
    }
    let got = limited(scene.inside(outside("su")).args(["-", GUEST, "-c", "echo out; echo err >&2; exit 6"])).output();
    assert_eq!((code(&got), got.stdout.as_slice()), (6, &b"out\n"[..]), "{}", String::from_utf8_lossy(&got.stderr));
    assert!(got.stderr.ends_with(b"err\n"));
    let sessions = scene.sessions(3);
    let kinds: Vec<_> = sessions.iter().map(|session| session.at("/identity/kind").as_str().unwrap()).collect();
    assert_eq!(kinds, ["interactive", "interactive", "exec"]);
    for (session, parent) in sessions.iter().zip(["su", "sudo", "su"]) {
        assert_eq!(session.at("/identity/kernel/user"), GUEST);
        let found = session.at("/identity/kernel/parent").as_str().unwrap();
        assert!(found.ends_with(&format!("/{parent}")), "{found}");
    }
    for session in &sessions[..2] {
        let raw = String::from_utf8(scene.home.raw(&session.id)).unwrap();
        assert!(raw.contains("-bash /bin/bash 23\r\n"), "{raw}");
    }
    assert!(!scene.log().contains("bypass"), "root's terminal is nobody's to write to: {}", scene.log());
}

#[test]
fn a_login_inside_a_session_is_part_of_it() {
    let scene = Scene::new();
    let mut terminal = scene.login();
    let shell = scene.home.join("hansard-shell");
    terminal.type_in(format!("{} -c 'echo inner $((20 + 3)); exit 4'; echo was $?\r", shell.display()));
    terminal.wait_text("was 4\r\n");
    terminal.type_in(format!("exec -a -hansard-shell {}\r", shell.display()));
    let shown = terminal.shown();
    terminal.wait_text_after(shown, "ready> ");
    terminal.type_in("echo deeper $((40 + 2)); exit 8\r");
    assert_eq!(terminal.status(SOON), 8, "{}", terminal.text());
    let shown = terminal.drained();
    let session = scene.session();
    assert!(scene.home.raw(&session.id) == shown, "{}", String::from_utf8_lossy(&shown));
    let cast = String::from_utf8(scene.home.export(&session.id, "cast")).unwrap();
    for what in ["echo inner $((20 + 3)); exit 4", "a login shell"] {
        assert!(cast.contains(&format!("nested session of {GUEST} (uid 7101): {what}")), "{cast}");
    }
}
