//! That something is looked at is said before it is shown: `hansard.recording.viewed`, to the places of `audit.events`.
//!
//! It is the reviewer's program that says so: whoever has an identity and may read the store can read without it. What
//! the store's own log says of reads is the other half. Not for what is shown.

use std::sync::Arc;

use hansard_schemas::event::{self, Viewed, Viewer};
use hansard_schemas::names::safe;
use hansard_schemas::{ChainId, Timestamp};
use hansard_sinks::{Address, EventObject, EventSink, open_notify};
use rand::RngCore as _;

use crate::config::Audit;
use crate::evidence::Evidence;
use crate::report::{Exit, Failure, Outcome};

/// Audit login uid of a process that never logged in.
const UNSET: u32 = u32::MAX;

/// Says who looks, why and by which command.
#[derive(Clone, Default)]
pub struct Viewing {
    places: Vec<Arc<dyn EventSink>>,
    required: bool,
    how: &'static str,
    reason: Option<String>,
}

impl std::fmt::Debug for Viewing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let places: Vec<&str> = self.places.iter().map(|place| place.address()).collect();
        f.debug_struct("Viewing").field("places", &places).field("required", &self.required).finish_non_exhaustive()
    }
}

impl Viewing {
    /// For a command. Fails where an address is none.
    pub fn new(audit: &Audit, how: &'static str, reason: Option<String>) -> Outcome<Self> {
        let open = |text: &String| {
            Address::parse(text)
                .and_then(|address| open_notify(&address))
                .map_err(|e| Failure::usage(format!("audit.events: {e}")))
        };
        let places = audit.events.iter().map(open).collect::<Outcome<_>>()?;
        Ok(Self { places, required: audit.required, how, reason })
    }

    /// Says it everywhere. `Err` where it has to be taken and is not; else what to tell the reviewer.
    pub fn say(
        &self,
        evidence: &Evidence,
        header: Option<&hansard_schemas::cast::CastHeader>,
        store: &str,
    ) -> Outcome<Vec<String>> {
        if self.places.is_empty() {
            return Ok(Vec::new());
        }
        let identity = header.map(|header| &header.hansard);
        let viewed = Viewed {
            session: evidence.session.session,
            chain16: evidence.session.chain16.clone(),
            store: store.into(),
            host: identity.map(|who| who.host.clone()).or_else(|| evidence.judgement.host.clone()),
            user: identity.map(|who| who.kernel.user_or_uid()),
            kind: identity.map(|who| who.kind),
            how: self.how.into(),
            reason: self.reason.clone(),
            viewer: viewer(),
        };
        self.send(evidence.chain.as_ref(), viewed)
    }

    fn send(&self, chain: Option<&ChainId>, viewed: Viewed) -> Outcome<Vec<String>> {
        let session = viewed.session;
        let nonce = rand::rngs::OsRng.next_u32();
        let named = event::of_viewing(chain, Timestamp::new(chrono::Utc::now()), nonce, viewed);
        let json = named.event.to_bytes().map_err(|e| Failure::failed(format!("cannot write the audit event: {e}")))?;
        let object = EventObject { name: &named.name, id: &named.event.id, json: &json };
        let mut notes = Vec::new();
        for place in &self.places {
            let Err(error) = place.send(&object) else { continue };
            let what = format!("{}: it was not told that session {session} is looked at: {error}", place.address());
            if self.required {
                return Err(Failure::new(Exit::Store, what).hint(
                    "nothing is shown that is not told: `audit.required` is set; try again when the place takes events",
                ));
            }
            notes.push(safe(&what));
        }
        Ok(notes)
    }
}

fn viewer() -> Viewer {
    let var = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    let login = std::fs::read_to_string("/proc/self/loginuid").ok().and_then(|text| text.trim().parse().ok());
    Viewer {
        user: var("USER").or_else(|| var("LOGNAME")),
        uid: rustix::process::getuid().as_raw(),
        login_uid: login.filter(|uid| *uid != UNSET),
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        ssh_connection: var("SSH_CONNECTION"),
    }
}
