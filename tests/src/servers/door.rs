//! A port on loopback that can be shut and opened again: what listens there decides nothing about HTTP.
//!
//! Shut, it refuses connections and those that are open are cut, as when a server's host is rebooted.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::{SOON, wait_until};

/// How soon a door notices that it is to be shut.
const NOTICED: Duration = Duration::from_millis(10);

#[derive(Default)]
struct State {
    wanted: Wanted,
    open: bool,
    /// Those that are being served, by number.
    connections: HashMap<u64, TcpStream>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Wanted {
    #[default]
    Open,
    Shut,
    Gone,
}

/// A listener on a port of its own.
pub struct Door {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn listen(listener: TcpListener, state: &Arc<Mutex<State>>, serve: &Arc<impl Fn(TcpStream) + Send + Sync + 'static>) {
    listener.set_nonblocking(true).expect("a listener");
    lock(state).open = true;
    let mut number = 0;
    while lock(state).wanted == Wanted::Open {
        let timeout = Timespec::try_from(NOTICED).expect("a time");
        let _ = poll(&mut [PollFd::new(&listener, PollFlags::IN)], Some(&timeout));
        let Ok((connection, _)) = listener.accept() else { continue };
        connection.set_nonblocking(false).expect("a connection");
        number += 1;
        lock(state).connections.insert(number, connection.try_clone().expect("a connection"));
        let (serve, state) = (Arc::clone(serve), Arc::clone(state));
        std::thread::spawn(move || {
            serve(connection);
            lock(&state).connections.remove(&number);
        });
    }
    drop(listener);
    let mut state = lock(state);
    state.open = false;
    for (_, connection) in state.connections.drain() {
        let _ = connection.shutdown(std::net::Shutdown::Both);
    }
}

impl Door {
    /// Opens a port; every connection is served on a thread of its own.
    pub fn open(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        // Kept from here on: a port that was free a moment ago may be somebody else's by now.
        let first = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let address = first.local_addr().expect("its address");
        let state = Arc::new(Mutex::new(State::default()));
        let (serve, shared) = (Arc::new(serve), Arc::clone(&state));
        let thread = std::thread::spawn(move || {
            let mut first = Some(first);
            // While it is shut, a connection that goes out from another program may have its port for a while.
            let again = || wait_until("the door's port is free", SOON, || TcpListener::bind(address).ok());
            loop {
                let wanted = lock(&shared).wanted;
                match wanted {
                    Wanted::Open => listen(first.take().unwrap_or_else(again), &shared, &serve),
                    Wanted::Shut => std::thread::sleep(NOTICED),
                    Wanted::Gone => return,
                }
            }
        });
        let door = Self { address, state, thread: Some(thread) };
        door.wait(true);
        door
    }

    fn wait(&self, open: bool) {
        crate::wait_until("the port changes", crate::SOON, || (lock(&self.state).open == open).then_some(()));
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Refuses connections from now on, and cuts those that are open.
    pub fn shut(&self) {
        lock(&self.state).wanted = Wanted::Shut;
        self.wait(false);
    }

    /// Accepts connections again.
    pub fn reopen(&self) {
        lock(&self.state).wanted = Wanted::Open;
        self.wait(true);
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        lock(&self.state).wanted = Wanted::Gone;
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}
