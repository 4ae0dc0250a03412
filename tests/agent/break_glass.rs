//! Nobody records, and somebody has to get in: members of the break-glass group, after it was told, into a spool that root
//! delivers.

use std::io::Read as _;
use std::os::unix::net::UnixDatagram;

use hansard_tests::call::{code, said};
use hansard_tests::terminal::Terminal;
use hansard_tests::{SOON, process};

use crate::scene::{GUEST, PLAIN, Scene, fine, uid};

/// What a member left in his spool leads root nowhere: not to another file of the host, nor to another place.
#[test]
fn root_follows_nothing_that_the_user_put_into_his_spool() {
    let mut scene = Scene::with_break_glass(PLAIN);
    fine(&scene.inside("/usr/bin/hansard-record").args(["enroll", PLAIN]).output());
    scene.kill_agent();
    let enter = || {
        // The store is root's: what is recorded waits for root.
        let got = scene.run(PLAIN, "echo in");
        assert_eq!(got.stdout, b"in\n", "{}", said(&got));
    };
    let spool = format!("/var/lib/hansard/break-glass/{}", uid(PLAIN));
    let ship = |config: &str| {
        scene.inside("/usr/bin/hansard-record").args(["ship", "--spool", &spool, "--config", config]).output()
    };
    let root = |script: &str| fine(&scene.inside("/bin/sh").args(["-euc", script]).output());

    enter();
    root(&format!("echo precious > /root/precious; ln -s /root/precious {spool}/chain/000.journal"));
    let got = ship("/etc/hansard/break-glass.toml");
    assert_ne!(code(&got), 0, "{}", said(&got));
    assert!(said(&got).contains("000.journal is neither a file nor a folder"), "{}", said(&got));
    assert_eq!(root("cat /root/precious"), "precious\n");
    // Where it was taken to, it stays, out of the user's reach; without the link it can be delivered.
    let taken = root(&format!("ls -d {spool}.taken-*")).trim_end().to_owned();
    root(&format!("rm {taken}/chain/000.journal; mv {taken} {spool}"));
    fine(&ship("/etc/hansard/break-glass.toml"));
    assert_eq!(root("ls /var/lib/hansard/break-glass"), "", "nothing is left");

    enter();
    root("sed 's|^to = .*|to = [\"file:///srv/elsewhere\"]|' /etc/hansard/break-glass.toml > /root/other.toml");
    let got = ship("/root/other.toml");
    assert_ne!(code(&got), 0, "{}", said(&got));
    assert!(said(&got).contains("names a place that the configuration does not"), "{}", said(&got));
}

#[test]
fn members_of_the_group_get_in_and_are_recorded() {
    let mut scene = Scene::with_break_glass(PLAIN);
    let syslog = scene.syslog();
    // Others use it too.
    let next = |syslog: &UnixDatagram| {
        loop {
            let mut bytes = [0; 4096];
            let length = syslog.recv(&mut bytes).unwrap();
            let line = String::from_utf8(bytes[..length].to_vec()).unwrap();
            if line.contains("hansard-record[") {
                return line;
            }
        }
    };
    // What root has to do before: it makes the login shell the recorded one, and the folder of the spools.
    fine(&scene.inside("/usr/bin/hansard-record").args(["enroll", PLAIN]).output());
    assert_eq!(code(&scene.run(PLAIN, "true")), 0);
    scene.sessions(1);
    scene.kill_agent();

    let got = scene.run_with(PLAIN, &[], "cat; echo err >&2; echo $SHELL; exit 5", b"typed\n");
    assert_eq!((code(&got), got.stdout.as_slice()), (5, &b"typed\n/bin/bash\n"[..]), "{}", said(&got));
    let error = String::from_utf8(got.stderr).unwrap();
    assert!(error.contains("This entry was reported (syslog"), "{error}");
    assert!(error.contains("err\n"), "{error}");
    let line = next(&syslog);
    assert!(line.starts_with("<81>hansard-record["), "{line}");
    for word in ["break-glass entry", &format!("user {PLAIN} (uid 7102), from 127."), "cat; echo err", "agent.sock"] {
        assert!(line.contains(word), "{word}: {line}");
    }

    let mut terminal = Terminal::running(&scene.ssh::<&str>(PLAIN, []));
    terminal.wait_text("you are in the break-glass group");
    terminal.type_in("echo $((20 + 3)); exit 6\r");
    terminal.wait_text("23\r\n");
    assert_eq!(terminal.status(SOON), 6, "{}", terminal.text());
    assert!(next(&syslog).contains("break-glass entry"));

    let got = scene.run(GUEST, "echo ran");
    assert_eq!((code(&got), got.stdout.as_slice()), (125, &b""[..]), "{}", said(&got));
    let error = String::from_utf8(got.stderr).unwrap();
    assert!(error.contains("is not started") && error.contains("for access, ask: the desk, 555-0100"), "{error}");

    // The user could not deliver; root can.
    let spool = format!("/var/lib/hansard/break-glass/{}", uid(PLAIN));
    let config = "/etc/hansard/break-glass.toml";
    let ship =
        || scene.inside("/usr/bin/hansard-record").args(["ship", "--spool", &spool, "--config", config]).output();
    fine(&ship());
    assert_eq!(fine(&ship()), "", "nothing is left");
    // Its chain is the user's and not the agent's: until a reviewer says that it is this host's, it is a stranger's.
    let verified = scene.home.verify::<&str>([]);
    verified.assert_found("second chain");
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    for chain in std::fs::read_dir(scene.home.store().join("chains")).unwrap() {
        let chain = chain.unwrap().file_name();
        scene.home.replay(["keys", "trust"]).arg(&chain).args(["--host", &host]).ok();
    }
    let sessions = scene.sessions(3);
    for session in &sessions[1..] {
        assert_eq!(session.at("/identity/kernel/user"), PLAIN);
        assert_eq!(session.at("/identity/claimed/labels/break-glass"), "true");
        let reason = session.at("/identity/claimed/reason").as_str().unwrap();
        assert!(reason.starts_with("break-glass: connecting to "), "{reason}");
    }
    assert_eq!(scene.home.raw(&sessions[1].id), b"typed\n/bin/bash\n");
    assert_eq!(scene.home.raw_stream(&sessions[1].id, "error"), b"err\n");
    let raw = scene.home.raw(&sessions[2].id);
    assert!(String::from_utf8_lossy(&raw).contains("23\r\n"), "{}", String::from_utf8_lossy(&raw));
    let events = process::files_below(&scene.home.store().join("events"));
    let told = events.iter().filter(|event| event.to_string_lossy().ends_with(".unrecorded.json")).count();
    assert_eq!(told, 2, "{events:?}");
    let mut console = String::new();
    std::fs::File::open(scene.home.join("dev/console")).unwrap().read_to_string(&mut console).unwrap();
    assert!(console.contains("break-glass entry"), "{console}");
}
