//! Ways around the recording that a user might try: each is closed, or recorded.

use std::io::Write as _;
use std::os::unix::net::UnixStream;

use hansard_tests::call::code;
use hansard_tests::terminal::Terminal;
use hansard_tests::{SOON, wait_until};

use crate::scene::{GUEST, Scene, uid};

#[test]
fn start_files_and_other_shells_are_recorded() {
    let scene = Scene::new();
    for name in [".bashrc", ".bash_profile", ".zshenv", ".ssh/rc"] {
        scene.plant(GUEST, name, format!("echo from {name} >&2\n"), 0o644);
    }
    scene.plant(GUEST, "rc", "echo from rc\n", 0o644);
    let got = scene.run_with(GUEST, &[], "bash --rcfile ~/rc -i", b"echo inside; exit 3\n");
    assert_eq!(code(&got), 3);
    let got = scene.run_with(GUEST, &["-T"], "bash -i", b"echo inside two; exit 4\n");
    assert_eq!(code(&got), 4);
    // sshd has the login shell run `.ssh/rc` first: a session of its own.
    let sessions = scene.sessions(4);
    let all: Vec<Vec<u8>> = sessions.iter().map(|session| scene.home.raw(&session.id)).collect();
    let inputs: Vec<Vec<u8>> = sessions.iter().map(|session| scene.home.raw_stream(&session.id, "input")).collect();
    for (said, typed) in
        [(&b"inside\n"[..], &b"echo inside; exit 3\n"[..]), (b"inside two\n", b"echo inside two; exit 4\n")]
    {
        assert!(all.iter().any(|raw| raw.ends_with(said)), "{}", String::from_utf8_lossy(&all.concat()));
        assert!(inputs.iter().any(|input| input == typed));
    }
    let errors: Vec<Vec<u8>> = sessions.iter().map(|session| scene.home.raw_stream(&session.id, "error")).collect();
    assert_eq!(errors.iter().filter(|error| error.ends_with(b"from .ssh/rc\n")).count(), 2);
}

#[test]
fn an_environment_cannot_name_another_agent_or_shell() {
    let scene = Scene::new();
    let shell = scene.home.join("hansard-shell");
    let inner = format!(
        "SHELL=/bin/false ENV=/tmp/x BASH_ENV=/tmp/x HANSARD_SOCKET=/tmp/x SSH_CONNECTION='192.0.2.9 1 192.0.2.8 22' \
         {} -c 'echo nested $SHELL'",
        shell.display()
    );
    let got = scene.run(GUEST, &inner);
    assert_eq!(String::from_utf8_lossy(&got.stdout), "nested /bin/false\n", "{}", String::from_utf8_lossy(&got.stderr));
    let sessions = scene.sessions(2);
    assert!(sessions.iter().any(|session| scene.home.raw(&session.id) == b"nested /bin/false\n"));
}

#[test]
fn garbage_on_the_socket_disturbs_nobody() {
    let scene = Scene::new();
    let mut terminal = Terminal::running(&scene.ssh::<&str>(GUEST, []));
    terminal.type_in("echo $((20 + 3))\r");
    terminal.wait_text("23\r\n");
    for seed in 0..200u32 {
        let mut socket = UnixStream::connect(scene.socket()).unwrap();
        let garbage: Vec<u8> = (0..64 + seed * 7).map(|at| (at.wrapping_mul(seed * 2 + 1) >> 3) as u8).collect();
        // Refused at any point is fine.
        let _ = socket.write_all(&garbage);
    }
    let idle: Vec<_> = (0..300).filter_map(|_| UnixStream::connect(scene.socket()).ok()).collect();
    terminal.type_in("echo $((40 + 2)); exit\r");
    terminal.wait_text("42\r\n");
    assert_eq!(terminal.status(SOON), 0);
    drop(idle);
    scene.session();
}

#[test]
fn the_user_finds_no_key_no_credential_and_no_recording() {
    let scene = Scene::new();
    let terminal = Terminal::running(&scene.ssh::<&str>(GUEST, []));
    terminal.type_in("echo $((20 + 3))\r");
    terminal.wait_text("23\r\n");
    let tee = *scene.tees().first().unwrap();
    let outer = std::fs::read_link(format!("/proc/{tee}/fd/0")).unwrap();
    let spool = scene.home.spool();
    let tries = format!(
        "for file in /proc/{tee}/mem /proc/{tee}/environ /etc/hansard/record.toml {spool}/chain/state {outer}; do
           if head -c 1 $file >/dev/null 2>&1; then echo \"read $file\"; fi
         done
         ls {spool}/sessions >/dev/null 2>&1 && echo 'listed the spool'
         (echo x > {outer}) 2>/dev/null && echo 'wrote to the terminal'
         kill -0 {agent} 2>/dev/null && echo 'may signal the agent'
         strace -p {tee} -o /dev/null 2>/dev/null & sleep 0.3; kill %1 2>/dev/null && echo 'traced the tee'
         echo tried",
        spool = spool.display(),
        outer = outer.display(),
        agent = scene.agent(),
    );
    // A second login of the same user, seen from outside: the numbers of processes are those of this test's namespace.
    let call = scene.home.call("/bin/bash").args(["-c", &tries]).within(
        hansard_tests::programs::outside("setpriv"),
        ["--reuid", &uid(GUEST).to_string(), "--regid", &uid(GUEST).to_string(), "--clear-groups"],
    );
    assert_eq!(String::from_utf8_lossy(&call.output().stdout), "tried\n");
}

/// `scp -t` is run without a shell and recorded bounded: what the user sets must not make another program of it.
#[test]
fn a_transfers_server_gets_no_variable_that_loads_code() {
    let scene = Scene::new();
    let shell = scene.home.join("hansard-shell");
    let inner = "(sleep 2; printf 'E\\n') | GCONV_PATH=/tmp/x OPENSSL_CONF=/tmp/x BASH_ENV=/tmp/x LC_NAME=kept";
    let run = scene.begin(&format!("{inner} {} -c 'scp -t /tmp'", shell.display()));
    let server = wait_until("scp runs", SOON, || scene.processes(&scp()).pop());
    // A process has its program a moment before it has its variables.
    let variables = wait_until("it has its variables", SOON, || {
        let variables = std::fs::read(format!("/proc/{server}/environ")).unwrap();
        Some(String::from_utf8_lossy(&variables).into_owned()).filter(|variables| !variables.is_empty())
    });
    run.join().unwrap();
    assert!(variables.contains("LC_NAME=kept\0") && variables.contains("HOME="), "{variables:?}");
    assert!(!variables.contains("/tmp/x"), "{variables:?}");
    assert!(scene.delivered(2).len() == 2);
}

fn scp() -> std::path::PathBuf {
    std::fs::canonicalize("/usr/bin/scp").unwrap()
}
