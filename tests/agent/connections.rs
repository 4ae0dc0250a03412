//! What sshd does besides sessions is left alone: forwarded ports, and many sessions over one connection.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use hansard_tests::call::code;
use hansard_tests::{SOON, process, wait_until};

use crate::scene::{GUEST, Scene, limited};

#[test]
fn forwarded_ports_are_left_alone() {
    let scene = Scene::new();
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let target = server.local_addr().unwrap().port();
    let echo = std::thread::spawn(move || {
        let (mut socket, _) = server.accept().unwrap();
        let mut bytes = Vec::new();
        socket.read_to_end(&mut bytes).unwrap();
        bytes.reverse();
        socket.write_all(&bytes).unwrap();
    });
    // A socket of the file system needs no number that another test might take.
    let near = scene.home.join("near.sock");
    let forward = format!("{}:127.0.0.1:{target}", near.display());
    let call = limited(scene.ssh(GUEST, ["-N", "-o", "ExitOnForwardFailure=yes", "-L", &forward]));
    let mut ssh = call.command().stdin(Stdio::null()).spawn().unwrap();
    let connect = || UnixStream::connect(&near).ok();
    let mut socket = wait_until("the port is forwarded", SOON, connect);
    socket.write_all(b"through the tunnel").unwrap();
    socket.shutdown(std::net::Shutdown::Write).unwrap();
    let mut back = Vec::new();
    socket.read_to_end(&mut back).unwrap();
    assert_eq!(back, b"lennut eht hguorht");
    echo.join().unwrap();
    process::send(ssh.id(), rustix::process::Signal::TERM);
    process::ended(&mut ssh, SOON);
    assert!(!scene.log().contains("session started"), "no shell, no session: {}", scene.log());
}

#[test]
fn every_session_of_one_connection_is_recorded() {
    const TIMES: usize = 30;
    let scene = Scene::new();
    let control = format!("ControlPath={}", scene.home.join("control").display());
    let options = ["-o", &control, "-o", "ControlMaster=auto", "-o", "ControlPersist=60"];
    for n in 0..TIMES {
        // The connection stays behind with the first one's streams, were they pipes.
        let call = limited(scene.ssh(GUEST, options).arg(format!("exit {n}")));
        let status = call.command().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert_eq!(status.code(), Some(i32::try_from(n).unwrap()));
    }
    assert_eq!(code(&scene.ssh(GUEST, ["-o", &control, "-O", "exit"]).output()), 0);
    let sessions = scene.sessions(TIMES);
    let connections: Vec<_> = sessions.iter().map(|one| one.at("/identity/claimed/ssh_connection")).collect();
    assert!(connections.iter().all(|one| *one == connections[0]), "one connection");
    for (n, session) in sessions.iter().enumerate() {
        assert_eq!(scene.status_of(session) as usize, n, "{:#}", session.shown);
    }
}
