//! A tee says that its session goes on: to the agent that has it, or to one that comes after the agent that had it.
//!
//! Not for starts: `starting`.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use hansard_schemas::SessionId;
use hansard_schemas::cast::Size;
use hansard_schemas::session::Kind;
use hansard_tee::wire::{FromAgent, Resume};

use super::kept::Kept;
use super::limits::Limits;
use super::line::Line;
use super::peer::Peer;
use super::recorded::{Recorded, Starting, now_us};
use super::registry::Entry;
use super::shared::{Counters, Shared};
use super::starting::{refuse, say};
use super::tty::Taken;
use super::worker::{Order, Return};
use crate::cli::InputMode;
use crate::report::Failure;
use crate::services::{self, Choices};

/// What the recording says of the time without an agent.
const WHY: &str = "the agent was restarted";

/// Serves it.
pub fn come_back(
    shared: &Arc<Shared>,
    socket: UnixStream,
    input: Vec<u8>,
    peer: Peer,
    resume: Resume,
    terminal: Option<OwnedFd>,
) {
    let id: Option<SessionId> = std::str::from_utf8(&resume.session).ok().and_then(|text| text.parse().ok());
    let Some(id) = id else { return refuse(&socket, false, "the recording agent cannot read the session's id") };
    if let Some(entry) = shared.registry.get(id) {
        if entry.uid != peer.uid {
            return refuse(&socket, false, UNKNOWN);
        }
        let back = Return { socket, input, peer, token: resume.token, shown: resume.shown };
        return shared.tell(&entry, Order::ComesBack(id, back));
    }
    let kept = Kept::read(&shared.services.spool().sessions(), id);
    let Some(kept) = kept.filter(|kept| kept.is_of(peer.uid, &resume.token)) else {
        tracing::warn!(session = %id, uid = peer.uid, "a tee that is not known wants a session");
        return refuse(&socket, false, UNKNOWN);
    };
    match take_up(shared, &kept, id, &resume) {
        Ok(Some(resumed)) => adopt(shared, kept, id, resumed, Coming { socket, input, peer, resume, terminal }),
        Ok(None) => refuse(&socket, false, "the recording of this session was closed while no agent answered"),
        Err(failure) => {
            tracing::error!(session = %id, "a session cannot be taken up: {}", failure.what);
            // The connection is closed without a word: the tee tries again for as long as its grace lasts.
        }
    }
}

const UNKNOWN: &str = "the recording agent knows no such session";

/// A tee and what it came with.
struct Coming {
    socket: UnixStream,
    input: Vec<u8>,
    peer: Peer,
    resume: Resume,
    terminal: Option<OwnedFd>,
}

fn elapsed_us(kept: &Kept) -> u64 {
    now_us().saturating_sub(kept.start_us)
}

fn take_up(shared: &Shared, kept: &Kept, id: SessionId, resume: &Resume) -> Result<Option<services::Resumed>, Failure> {
    let (cols, rows) = resume.size;
    let size = if kept.kind == Kind::Interactive { Size { cols, rows } } else { Size { cols: 80, rows: 24 } };
    let choices = Choices {
        recipients: Arc::clone(&shared.recipients),
        input: kept.input,
        on_pipes: kept.kind != Kind::Interactive,
        on_terminal: false,
    };
    match shared.services.resume(id, size, elapsed_us(kept) / 1_000, WHY, &choices)? {
        services::Resume::GoesOn(resumed) => Ok(Some(resumed)),
        services::Resume::Over | services::Resume::Unknown => Ok(None),
    }
}

fn adopt(shared: &Shared, kept: Kept, id: SessionId, resumed: services::Resumed, coming: Coming) {
    let Coming { socket, input, peer, resume, terminal } = coming;
    let services::Resumed { mut session, position, .. } = resumed;
    // Without content nothing in the journal says how far the tee was; its own word can hide nothing here.
    let position = if kept.content { position } else { position.max(resume.accepted) };
    let elapsed_us = elapsed_us(&kept);
    let terminal = terminal.zip(kept.tty_mode).and_then(|(terminal, mode)| Taken::again(terminal, peer.uid, mode));
    if let Some(text) = &resume.shown {
        session.shown_meanwhile(elapsed_us, &String::from_utf8_lossy(text));
    }
    say(&socket, &FromAgent::Resumed(position));
    Counters::count(&shared.counters.resumed);
    tracing::info!(session = %id, user = %kept.user, position, "session taken up");
    let (idle, duration) = kept.limits();
    let limits = Limits::new(idle, duration, elapsed_us, kept.input != InputMode::Off);
    let entry = Arc::new(Entry {
        session: id,
        user: kept.user,
        uid: kept.uid,
        pid: peer.pid,
        kind: kept.kind,
        from: kept.from,
        tty: kept.tty,
        started: kept.started,
        bytes: AtomicU64::new(0),
        lost: AtomicBool::new(false),
        taken: AtomicBool::new(terminal.is_some() || kept.out_of_reach),
        worker: shared.worker_for(id),
    });
    shared.registry.add(Arc::clone(&entry));
    let start = Starting {
        start_us: kept.start_us,
        number: position,
        token: resume.token,
        limits,
        terminal,
        content: kept.content,
    };
    let recorded = Recorded::new(session, Arc::clone(&entry), peer, Line::new(socket, input), start);
    shared.tell(&entry, Order::Adopt(Box::new(recorded)));
}
