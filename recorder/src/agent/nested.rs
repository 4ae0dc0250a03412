//! A session inside a session: its terminal is the inner one of a session that this agent records already.
//!
//! By the kernel's word only: the leader of the peer's terminal session is the child of a tee that the agent knows. What is
//! shown there is recorded by the outer session, which gets a marker. Not for terminals in between (tmux, `sudo` with a
//! terminal of its own): those sessions are recorded by themselves.

use std::sync::Arc;

use super::peer::{self, Peer};
use super::registry::{Entry, Registry};

/// The session that this peer's terminal is the inner one of.
pub fn outer(registry: &Registry, peer: &Peer) -> Option<Arc<Entry>> {
    let (leader, terminal) = peer::session_and_terminal(peer.pid)?;
    if terminal == 0 {
        return None;
    }
    let tee = peer::status(leader)?.ppid;
    let entry = registry.of_process(tee)?;
    // The leader still has the terminal that its tee gave it.
    let (_, of_leader) = peer::session_and_terminal(leader)?;
    (of_leader == terminal && entry.kind == hansard_schemas::session::Kind::Interactive).then_some(entry)
}
