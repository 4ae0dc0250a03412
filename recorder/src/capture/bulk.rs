//! The second thread, which seals and writes in bulk.
//!
//! It is given the whole session and works until nothing is left; what is submitted meanwhile is put aside for it. One
//! lock guards the hand-over and is held for moves and a copy of what was submitted, never across sealing or a write. The thread
//! has the signal mask of the one that starts it, in which all that could interrupt a session is blocked.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use hansard_tee::Reply;
use rustix::event::{EventfdFlags, eventfd};

use super::batch::Batch;
use super::session::Session;

/// Where the session is.
enum Hands {
    /// Not here.
    Empty,
    /// Given, not taken yet.
    Given(Box<Session>),
    /// The thread works on it.
    Working,
    /// Nothing is left to do, or nothing can be done now.
    Back(Box<Session>),
    /// The thread has ended and will do nothing more.
    Ended,
}

struct State {
    hands: Hands,
    /// What was submitted while the thread works.
    aside: Batch,
    replies: VecDeque<Reply>,
    /// The relay waits, and is to be woken by the next news.
    wanted: bool,
    /// It was woken, and has not taken notice yet.
    told: bool,
    over: bool,
}

struct Shared {
    state: Mutex<State>,
    /// The session was given, or the thread shall end.
    given: Condvar,
    /// The session is back, or the thread has ended.
    back: Condvar,
    news: OwnedFd,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that could panic runs under it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the relay, if it waits.
    fn tell(&self, state: &mut State) {
        if std::mem::take(&mut state.wanted) {
            state.told = true;
            // Refused only if the counter were full.
            let _ = rustix::io::write(&self.news, &1u64.to_ne_bytes());
        }
    }
}

/// The relay's side of it.
pub(super) struct Bulk {
    shared: Arc<Shared>,
}

impl Bulk {
    pub(super) fn start() -> io::Result<Self> {
        let state = State {
            hands: Hands::Empty,
            aside: Batch::default(),
            replies: VecDeque::new(),
            wanted: false,
            told: false,
            over: false,
        };
        let news = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let shared = Arc::new(Shared { state: Mutex::new(state), given: Condvar::new(), back: Condvar::new(), news });
        let theirs = Arc::clone(&shared);
        std::thread::Builder::new().name("seal".into()).spawn(move || work(&theirs))?;
        Ok(Self { shared })
    }

    /// Gives the session away.
    pub(super) fn give(&self, session: Box<Session>) {
        self.shared.lock().hands = Hands::Given(session);
        self.shared.given.notify_one();
    }

    /// For the session, when it has done what it was given.
    pub(super) fn put_aside(&self, batch: &mut Batch) {
        self.shared.lock().aside.append(batch);
    }

    /// The session, if it has come back; `Some(None)` if it never will.
    pub(super) fn back(&self) -> Option<Option<Box<Session>>> {
        let mut state = self.shared.lock();
        match std::mem::replace(&mut state.hands, Hands::Empty) {
            Hands::Back(mut session) => {
                session.inbox().append(&mut state.aside);
                Some(Some(session))
            }
            Hands::Ended => Some(None),
            other => {
                state.hands = other;
                None
            }
        }
    }

    /// Waits for that.
    pub(super) fn wait(&self) -> Option<Box<Session>> {
        loop {
            if let Some(back) = self.back() {
                return back;
            }
            let working = |state: &mut State| matches!(state.hands, Hands::Given(_) | Hands::Working);
            drop(self.shared.back.wait_while(self.shared.lock(), working));
        }
    }

    /// Moves what there is to say.
    pub(super) fn hear(&self, replies: &mut VecDeque<Reply>) {
        let told = {
            let mut state = self.shared.lock();
            replies.append(&mut state.replies);
            state.wanted = false;
            std::mem::take(&mut state.told)
        };
        if told {
            // Non-blocking, and only this thread reads it.
            let _ = rustix::io::read(&self.shared.news, &mut [0; 8]);
        }
    }

    /// Readable from the next news on.
    pub(super) fn news(&self) -> BorrowedFd<'_> {
        let mut state = self.shared.lock();
        state.wanted = !state.told;
        if !state.replies.is_empty() || matches!(state.hands, Hands::Back(_) | Hands::Ended) {
            self.shared.tell(&mut state);
        }
        drop(state);
        self.shared.news.as_fd()
    }
}

impl Drop for Bulk {
    fn drop(&mut self) {
        self.shared.lock().over = true;
        self.shared.given.notify_one();
    }
}

/// Says so when the thread ends, however it does.
struct Ends<'a>(&'a Shared);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.hands = Hands::Ended;
        self.0.tell(&mut state);
        self.0.back.notify_all();
    }
}

fn work(shared: &Shared) {
    let _ends = Ends(shared);
    while let Some(session) = next(shared) {
        let mut more = Some(session);
        while let Some(session) = more {
            more = advance(shared, session);
        }
        shared.back.notify_all();
    }
}

/// One block. Keeps the session while there is more to do, and gives it back otherwise.
fn advance(shared: &Shared, mut session: Box<Session>) -> Option<Box<Session>> {
    session.step();
    let mut state = shared.lock();
    state.replies.append(session.replies());
    if session.is_ready() {
        session.inbox().append(&mut state.aside);
    }
    let more = if session.is_ready() || session.is_held() {
        state.hands = Hands::Back(session);
        None
    } else {
        Some(session)
    };
    shared.tell(&mut state);
    more
}

/// The session, once it is given; `None` when nothing more comes.
fn next(shared: &Shared) -> Option<Box<Session>> {
    let waits = |state: &mut State| !state.over && !matches!(state.hands, Hands::Given(_));
    let mut state = shared.given.wait_while(shared.lock(), waits).unwrap_or_else(PoisonError::into_inner);
    match std::mem::replace(&mut state.hands, Hands::Working) {
        Hands::Given(session) => Some(session),
        other => {
            state.hands = other;
            None
        }
    }
}
