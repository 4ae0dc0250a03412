//! A thread that serves its share of the sessions: whatever comes on their sockets, and whatever their time brings.
//!
//! A session belongs to one worker from its start to its end. A bulk session is read a turn at a time, so that it starves
//! nobody. Not for what happens in a session (`recorded`), nor for its start, which waits for the disk (`starting`).

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};

use hansard_schemas::SessionId;
use rustix::buffer::spare_capacity;
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::io::Errno;

use super::peer::Peer;
use super::recorded::{Fault, Recorded, Turn, now_us};
use super::shared::Shared;

/// What a worker is told.
pub enum Order {
    /// A session is its own from now on.
    Adopt(Box<Recorded>),
    /// A session's tee is back, on this connection.
    ComesBack(SessionId, Return),
    /// An operator ends a session; the text is what the user sees.
    Terminate(SessionId, String),
    /// Something that the recording of a session is to say.
    Mark(SessionId, String),
    /// No more sessions are served: those that run are left to the next agent.
    Stop,
}

/// A tee that is back.
pub struct Return {
    /// Its connection.
    pub socket: UnixStream,
    /// What was read of it already.
    pub input: Vec<u8>,
    /// Who is there.
    pub peer: Peer,
    /// What it shows for it.
    pub token: Vec<u8>,
    /// A text that it has shown meanwhile.
    pub shown: Option<Vec<u8>>,
}

/// How to reach a worker.
#[derive(Clone)]
pub struct Desk {
    orders: Arc<Mutex<Vec<Order>>>,
    wake: Arc<OwnedFd>,
}

impl Desk {
    /// Tells the worker.
    pub fn tell(&self, order: Order) {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).push(order);
        // Refused only if the counter were full.
        let _ = rustix::io::write(&*self.wake, &1u64.to_ne_bytes());
    }
}

/// Number of the desk in epoll; those of sessions begin behind it.
const DESK: u64 = 0;

struct Worker {
    shared: Arc<Shared>,
    desk: Desk,
    epoll: OwnedFd,
    sessions: HashMap<u64, Recorded>,
    keys: HashMap<SessionId, u64>,
    /// When each wants its turn, of CLOCK_BOOTTIME in microseconds.
    times: BTreeSet<(u64, u64)>,
    time_of: HashMap<u64, u64>,
    next: u64,
}

/// Starts a worker.
pub fn start(shared: &Arc<Shared>, name: usize) -> io::Result<(Desk, std::thread::JoinHandle<()>)> {
    let wake = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
    let desk = Desk { orders: Arc::default(), wake };
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &desk.wake, epoll::EventData::new_u64(DESK), epoll::EventFlags::IN)?;
    let worker = Worker {
        shared: Arc::clone(shared),
        desk: desk.clone(),
        epoll,
        sessions: HashMap::new(),
        keys: HashMap::new(),
        times: BTreeSet::new(),
        time_of: HashMap::new(),
        next: DESK + 1,
    };
    let thread = std::thread::Builder::new().name(format!("worker-{name}")).spawn(move || worker.run())?;
    Ok((desk, thread))
}

impl Worker {
    fn run(mut self) {
        let mut events: Vec<epoll::Event> = Vec::with_capacity(256);
        loop {
            let now = now_us();
            let wait = self.times.first().map(|(at, _)| timespec(at.saturating_sub(now)));
            events.clear();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), wait.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                // Not with descriptors of our own.
                Err(_) => return,
            }
            let mut desk = false;
            for event in &events {
                match event.data.u64() {
                    DESK => desk = true,
                    key => self.turn(key, true),
                }
            }
            let now = now_us();
            while let Some((at, key)) = self.times.first().copied().filter(|(at, _)| *at <= now) {
                self.times.remove(&(at, key));
                self.time_of.remove(&key);
                self.time_is_there(key, now);
            }
            if desk && self.take_orders() {
                return;
            }
        }
    }

    /// True where it is to stop.
    fn take_orders(&mut self) -> bool {
        let _ = rustix::io::read(&*self.desk.wake, &mut [0; 8]);
        let orders = std::mem::take(&mut *self.desk.orders.lock().unwrap_or_else(PoisonError::into_inner));
        for order in orders {
            match order {
                Order::Adopt(session) => self.adopt(*session),
                Order::ComesBack(session, back) => self.comes_back(session, back),
                Order::Terminate(session, text) => self.with(session, |session| session.terminate(&text)),
                Order::Mark(session, text) => self.with(session, |session| session.mark(&text)),
                Order::Stop => {
                    self.sessions.drain().for_each(|(_, session)| session.leave());
                    return true;
                }
            }
        }
        false
    }

    fn with(&mut self, session: SessionId, act: impl FnOnce(&mut Recorded)) {
        let Some(key) = self.keys.get(&session).copied() else { return };
        if let Some(session) = self.sessions.get_mut(&key) {
            act(session);
            self.turn(key, false);
        }
    }

    fn adopt(&mut self, session: Recorded) {
        let key = self.next;
        self.next += 1;
        self.keys.insert(session.entry.session, key);
        self.listen(key, &session);
        self.sessions.insert(key, session);
        // What was read with its first frame is looked at now.
        self.turn(key, true);
    }

    fn listen(&self, key: u64, session: &Recorded) {
        if let Some(line) = session.line() {
            let flags = epoll::EventFlags::IN | epoll::EventFlags::RDHUP;
            // Refused only without memory; the session's next turn then sees nothing, and its tee is found silent.
            let _ = epoll::add(&self.epoll, line, epoll::EventData::new_u64(key), flags);
        }
    }

    fn comes_back(&mut self, id: SessionId, back: Return) {
        let Some(key) = self.keys.get(&id).copied() else { return };
        let Some(session) = self.sessions.get_mut(&key) else { return };
        let turn = session.comes_back(back);
        if let Some(session) = self.sessions.get(&key) {
            self.listen(key, session);
        }
        self.after(key, turn);
    }

    fn turn(&mut self, key: u64, came: bool) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        let turn = session.turn(came);
        self.after(key, turn);
    }

    fn after(&mut self, key: u64, turn: Turn) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        if let Some(fault) = session.fault {
            return self.end_by_force(key, fault);
        }
        match turn {
            Turn::On(at) => {
                // A full socket is tried again soon; what its tee reads meanwhile is told by nothing else.
                let at = if session.is_full() { at.min(now_us() + 2_000) } else { at };
                self.schedule(key, at);
            }
            Turn::Lost => {
                // The connection closed, and with it epoll forgot it.
                if session.peer.lives() {
                    let patience = u64::try_from(self.shared.grace().as_micros()).unwrap_or(u64::MAX);
                    let until = session.lost_us.unwrap_or(0).saturating_add(patience).min(session.obeys_until_us());
                    self.schedule(key, until.min(now_us() + LOOK_US));
                } else {
                    self.end(key);
                }
            }
            Turn::Over => self.forget(key),
        }
    }

    /// Of a session whose tee does not do what it has to.
    fn end_by_force(&mut self, key: u64, fault: Fault) {
        if let Some(session) = self.sessions.get(&key) {
            self.shared.by_force(session, fault);
        }
        // Nothing is accepted any more, so nothing more is shown, whatever becomes of the tee.
        self.end(key);
    }

    /// Of a session whose tee is gone.
    fn end(&mut self, key: u64) {
        if let Some(session) = self.sessions.get_mut(&key) {
            session.end_without_tee();
        }
        self.forget(key);
    }

    fn forget(&mut self, key: u64) {
        self.unschedule(key);
        if let Some(session) = self.sessions.remove(&key) {
            let (entry, closed) = (Arc::clone(&session.entry), session.closed);
            self.keys.remove(&entry.session);
            drop(session);
            self.shared.ended(&entry, closed);
        }
    }

    fn time_is_there(&mut self, key: u64, now: u64) {
        let Some(session) = self.sessions.get(&key) else { return };
        let Some(lost_us) = session.lost_us else { return self.turn(key, false) };
        let patience = u64::try_from(self.shared.grace().as_micros()).unwrap_or(u64::MAX);
        if session.peer.lives() && session.disobeys(now) {
            self.end_by_force(key, Fault::Disobeys);
        } else if !session.peer.lives() || now >= lost_us.saturating_add(patience) {
            self.end(key);
        } else {
            self.schedule(key, now + LOOK_US);
        }
    }

    fn schedule(&mut self, key: u64, at: u64) {
        self.unschedule(key);
        if at < u64::MAX {
            self.times.insert((at, key));
            self.time_of.insert(key, at);
        }
    }

    fn unschedule(&mut self, key: u64) {
        if let Some(at) = self.time_of.remove(&key) {
            self.times.remove(&(at, key));
        }
    }
}

/// How often it is looked whether a tee that is away still lives, in microseconds.
const LOOK_US: u64 = 1_000_000;

fn timespec(us: u64) -> Timespec {
    let us = us.min(3_600_000_000);
    Timespec {
        tv_sec: i64::try_from(us / 1_000_000).unwrap_or(0),
        tv_nsec: i64::try_from(us % 1_000_000 * 1_000).unwrap_or(0),
    }
}
