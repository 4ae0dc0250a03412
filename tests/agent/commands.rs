//! Commands without a terminal: what the client gets is what it would get from bash.

use hansard_tests::call::code;

use crate::scene::Scene;

#[test]
fn exit_statuses_and_both_streams() {
    let scene = Scene::new();
    let commands = [
        ("true", 0),
        ("exit 3", 3),
        ("no-such-command", 127),
        ("echo out; echo err >&2; exit 7", 7),
        ("kill -9 $$", 255),
        ("kill -TERM $$", 255),
        ("printf 'a\\0b\\377\\n'; printf '\\376' >&2", 0),
        ("cat; echo end >&2", 0),
    ];
    for (command, status) in commands {
        let got = scene.alike(&[], command, b"typed\n");
        assert_eq!(code(&got), status, "{command}");
    }
    let sessions = scene.sessions(commands.len());
    for (session, (command, _)) in sessions.iter().zip(commands) {
        assert_eq!(session.at("/identity/kind"), "exec", "{command}");
    }
    let (both, bytes, cat) = (&sessions[3], &sessions[6], &sessions[7]);
    assert_eq!(scene.home.raw(&both.id), b"out\n");
    assert_eq!(scene.home.raw_stream(&both.id, "error"), b"err\n");
    assert_eq!(scene.home.raw(&bytes.id), b"a\0b\xff\n");
    assert_eq!(scene.home.raw_stream(&bytes.id, "error"), b"\xfe");
    assert_eq!(scene.home.raw_stream(&cat.id, "input"), b"typed\n");
}
