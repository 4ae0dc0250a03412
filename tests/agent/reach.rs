//! What the recorded user's other processes reach of a session: not its terminal, not the memory of its tee, not the agent's
//! ear for it; and no more sessions than he may have.

use hansard_tests::call::code;
use hansard_tests::terminal::Terminal;
use hansard_tests::{SOON, wait_until};
use serde_json::Value;

use crate::scene::{GUEST, Scene, fine, of_kind};

/// What `status` says of the one session on a terminal.
fn on_terminal(scene: &Scene) -> Value {
    let sessions = scene.status();
    sessions.into_iter().find(|one| one["kind"] == "interactive").expect("it runs")
}

/// Tries each of these as the recorded user, by a second login; gives those that succeeded.
fn succeed<'a>(scene: &Scene, tries: &[&'a str]) -> Vec<&'a str> {
    let script: String =
        tries.iter().map(|one| format!("if ({one}) >/dev/null 2>&1; then echo yes; else echo no; fi\n")).collect();
    let output = scene.run(GUEST, &script);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(said.lines().count(), tries.len(), "{said}");
    tries.iter().zip(said.lines()).filter(|(_, said)| *said == "yes").map(|(one, _)| *one).collect()
}

#[test]
fn a_second_login_reaches_neither_terminal_nor_tee() {
    let scene = Scene::new();
    let mut terminal = scene.login();
    let session = on_terminal(&scene);
    let (tty, tee) = (session["tty"].as_str().expect("a name").to_owned(), session["pid"].to_string());
    let tries = [
        format!("echo forged >{tty}"),
        format!("head -c 1 <{tty}"),
        format!("stty -F {tty} echo"),
        format!(
            "timeout 5 strace -o /dev/null -p {tee} & sleep 1; kill $! && ! grep -q '^TracerPid:.0' /proc/{tee}/status"
        ),
        format!("head -c 1 /proc/{tee}/mem"),
        format!("cat /proc/{tee}/environ"),
        format!("ls /proc/{tee}/fd/"),
        format!("cat /proc/{tee}/maps | grep -q ."),
    ];
    let tries: Vec<&str> = tries.iter().map(String::as_str).collect();
    assert_eq!(succeed(&scene, &tries), Vec::<&str>::new());
    // It can be tried so: the same of the user's own program succeeds.
    let own = "sleep 9 & sleep 0.2; head -c 1 /proc/$!/environ && ls /proc/$!/fd/ && kill $!";
    assert_eq!(succeed(&scene, &[own]), [own]);
    terminal.type_in("exit 3\n");
    assert_eq!(terminal.status(SOON), 3);
    assert!(!terminal.text().contains("forged"));
    scene.sessions(3);
}

#[test]
fn a_tee_that_its_user_kills_ends_its_session() {
    let scene = Scene::new();
    let mut terminal = scene.login();
    let tee = on_terminal(&scene)["pid"].to_string();
    let kill = format!("kill -KILL {tee}");
    assert_eq!(succeed(&scene, &[&kill]), [&kill]);
    terminal.status(SOON);
    let sessions = scene.sessions(2);
    let session = of_kind(&sessions, "interactive");
    assert_eq!(session.at("/outcome"), "recorder-failed");
    wait_until("nothing of it is left", SOON, || scene.tees().is_empty().then_some(()));
}

/// Speaks the protocol as far as it has to: frames are a length, a kind and a body.
const SPEAKS: &str = r#"
import json, socket, struct, sys
def ask(kind, body):
    agent = socket.socket(socket.AF_UNIX); agent.connect(sys.argv[1]); agent.settimeout(10)
    agent.sendall(struct.pack("<IB", len(body) + 1, kind) + body)
    got = b""
    while True:
        try: more = agent.recv(65536)
        except OSError: break
        if not more: break
        got += more
        frames = []
        at = 0
        while len(got) >= at + 5 and len(got) >= at + 4 + struct.unpack_from("<I", got, at)[0]:
            length, kind = struct.unpack_from("<IB", got, at)
            frames.append((kind, got[at + 5:at + 4 + length])); at += 4 + length
        if len(frames) > 1: return frames[1]
    return (0, got)
field = lambda number, value: struct.pack("<BI", number, len(value)) + value
session = sys.argv[2].encode()
for request in ({"do": "status"}, {"do": "terminate", "session": sys.argv[2], "reason": "x"}):
    print(*ask(11, json.dumps(request).encode()))
print(*ask(2, field(1, b"\1\0") + field(9, session) + field(10, bytes(16)) + field(11, bytes(8)) + field(7, bytes(8))))
"#;

#[test]
fn another_program_on_the_socket_gets_nothing_of_a_session() {
    let scene = Scene::new();
    let mut terminal = scene.login();
    let id = on_terminal(&scene)["session"].as_str().expect("an id").to_owned();
    let program = scene.plant(GUEST, "speaks.py", SPEAKS, 0o755);
    let command = format!("/usr/bin/python3 {} {} {id}", program.display(), scene.socket().display());
    let said = fine(&scene.run(GUEST, &command));
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 3, "{said}");
    for refused in &lines[..2] {
        assert!(refused.starts_with("139 ") && refused.contains("only root and the agent"), "{said}");
    }
    assert!(lines[2].starts_with("131 "), "{said}");
    // It goes on, and is recorded.
    terminal.type_in("echo $((20 + 3)); exit 4\n");
    assert_eq!(terminal.status(SOON), 4);
    let shown = terminal.drained();
    let sessions = scene.sessions(2);
    let session = of_kind(&sessions, "interactive");
    assert_eq!(String::from_utf8_lossy(&scene.home.raw(&session.id)), String::from_utf8_lossy(&shown));
}

#[test]
fn a_bomb_of_sessions_stops_at_the_limit() {
    let scene = Scene::with_rules("sessions_per_user = 4\n");
    let mut terminals: Vec<Terminal> = (0..4).map(|_| scene.login()).collect();
    let refused = scene.run(GUEST, "echo one more");
    assert_eq!((code(&refused), refused.stdout), (125, Vec::new()));
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(text.contains("as many sessions as this host allows (agent.sessions_per_user)"), "{text}");
    for (n, terminal) in terminals.iter_mut().enumerate() {
        terminal.type_in("exit 3\n");
        assert_eq!(terminal.status(SOON), 3);
        if n == 0 {
            wait_until("the agent has heard of it", SOON, || (scene.running().len() == 3).then_some(()));
            assert_eq!(code(&scene.run(GUEST, "true")), 0, "there is room again");
        }
    }
    scene.sessions(5);
}
