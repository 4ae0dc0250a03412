//! What is done now and then for all sessions: checkpoints of the chain, measuring the spool, taking along what others left.
//!
//! The threads hold the services only while they work: dropping them ends the threads.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::{Services, Stopping};
use crate::host_chain::HostChain;
use crate::journal::outbox;
use crate::journal::usage::{MEASURE, SHARE};
use crate::ship::leftovers::{self, Trust};

/// CHAIN-3.
const CHECKPOINT: Duration = Duration::from_secs(60);

/// First and longest pause between two looks at what others left.
const PAUSES: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(600));

pub(super) fn start(services: &Arc<Services>) -> std::io::Result<()> {
    let (stopping, services) = (Arc::clone(&services.stopping), Arc::downgrade(services));
    std::thread::Builder::new().name("chores".into()).spawn(move || now_and_then(&services, &stopping)).map(drop)
}

fn now_and_then(services: &Weak<Services>, stopping: &Stopping) {
    let (mut pause, mut checkpoint) = (MEASURE, Instant::now() + CHECKPOINT);
    while stopping.sleep(pause.min(checkpoint.saturating_duration_since(Instant::now())), None).is_some() {
        let Some(services) = services.upgrade() else { return };
        pause = MEASURE.max(services.usage.measure_if_asked() * SHARE);
        if checkpoint <= Instant::now() {
            checkpoint = Instant::now() + CHECKPOINT;
            services.checkpoint();
        }
    }
}

pub(super) fn take_leftovers(services: &Arc<Services>) -> std::io::Result<()> {
    let (stopping, services) = (Arc::clone(&services.stopping), Arc::downgrade(services));
    std::thread::Builder::new().name("leftovers".into()).spawn(move || tidy(&services, &stopping)).map(drop)
}

fn tidy(services: &Weak<Services>, stopping: &Stopping) {
    let (mut pause, mut rings) = (PAUSES.0, 0);
    loop {
        {
            let Some(services) = services.upgrade() else { return };
            services.tidy();
        }
        let Some(rung) = stopping.sleep(pause, Some(rings)) else { return };
        pause = if rung == rings { (pause * 2).min(PAUSES.1) } else { PAUSES.0 };
        rings = rung;
    }
}

impl Services {
    /// Says in the chain what is open.
    fn checkpoint(&self) {
        // The event travels with the oldest session; a host without one has nothing to say.
        let Some(carrier) = self.registry.oldest() else { return };
        // One that fails is followed by the next; the gap between two shows in the chain.
        let entries = match self.chain.checkpoint(&self.spool, || self.registry.heads()) {
            Ok(entries) => entries,
            Err(failure) => return tracing::warn!("a checkpoint cannot be written: {}", failure.what),
        };
        if let Ok(Some(about)) = carrier.dir.read_about() {
            // The entries themselves travel in the chain: an event that cannot be written is not tried again.
            for entry in &entries {
                let _ = outbox::checkpoint(&carrier.dir, &about, entry);
            }
        }
        carrier.consignment.wake();
    }

    /// Closes and delivers what nobody runs.
    fn tidy(&self) {
        let ids = self.spool.session_ids().unwrap_or_default();
        let others: Vec<_> = ids.into_iter().filter(|id| !self.registry.has(*id)).collect();
        if others.is_empty() {
            return;
        }
        // Its errors are said by `ship` and by the session that they belong to; here is nobody to read them.
        let Ok(chains) = HostChain::all(&self.spool, &self.host) else { return };
        for id in others {
            // Kept, or begun, since.
            if !self.registry.has(id) {
                drop(leftovers::session(&self.spool, &chains, id, Trust::Own(Some(&self.shipping))));
            }
        }
    }
}
