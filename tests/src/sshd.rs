//! A real sshd for a suite, on an address that no other test has, and the client's side of it. Not for where it runs.

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};

use crate::call::Call;
use crate::home::Home;
use crate::{SOON, wait_until};

/// What every server has in its configuration, beside its address and files.
pub const SERVER: &str = "StrictModes no
UsePAM no
PasswordAuthentication no
ExposeAuthInfo yes
PrintMotd no
PrintLastLog no
PidFile none
";

/// An address of this process's own, with a free port.
pub fn address() -> SocketAddrV4 {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    let address = Ipv4Addr::new(127, high.max(1), low, NEXT.fetch_add(1, Ordering::Relaxed));
    let listener = TcpListener::bind((address, 0)).expect("a free port");
    SocketAddrV4::new(address, listener.local_addr().expect("its number").port())
}

/// Writes `ssh_config` with this name for the host, and what the client knows of it: from `host_key.pub` and for `client_key`,
/// all in this home.
pub fn client(home: &Home, host: &str, address: SocketAddrV4) {
    let (path, ip, port) = (home.path().display(), address.ip(), address.port());
    let config = format!(
        "Host {host}
         HostName {ip}
         Port {port}
         IdentityFile {path}/client_key
         IdentitiesOnly yes
         IdentityAgent none
         UserKnownHostsFile {path}/known_hosts
         GlobalKnownHostsFile /dev/null
         BatchMode yes
         LogLevel ERROR\n"
    );
    let key = std::fs::read_to_string(home.join("host_key.pub")).expect("a key");
    std::fs::write(home.join("known_hosts"), format!("[{ip}]:{port} {key}")).expect("written");
    std::fs::write(home.join("ssh_config"), config).expect("written");
}

/// Starts it, and waits until it listens.
pub fn start(call: &Call, address: SocketAddrV4) -> Child {
    let sshd = call.command().stdin(Stdio::null()).spawn().expect("nsenter runs");
    wait_until("sshd listens", SOON, || TcpStream::connect(address).ok());
    sshd
}
