//! Where lifecycle events go.
//!
//! A store takes them as objects beside the recordings ([`AsObjects`]); a webhook or a file has a form of its own. Not
//! for what an event says: the recorder makes them.

use std::ops::Deref;
use std::sync::Arc;

use hansard_schemas::names::EventName;

use crate::{Put, Result, Sink};

/// One event, ready to be sent.
#[derive(Debug, Clone, Copy)]
pub struct EventObject<'a> {
    /// Its name in a store.
    pub name: &'a EventName,
    /// Its CloudEvents `id`: the same at every try, so that a receiver can tell one that came twice.
    pub id: &'a str,
    /// The CloudEvent as JSON (structured mode).
    pub json: &'a [u8],
}

/// Where events go: at least once, each in the order in which it is given.
pub trait EventSink: Send + Sync {
    /// Returns when the receiver has taken it for good.
    fn send(&self, event: &EventObject<'_>) -> Result<()>;

    /// The address for messages: without secrets. What it was opened from may say more: the path of a webhook often is its
    /// secret, and stays where only the recorder's user can read it.
    fn address(&self) -> &str;

    /// The same for every address of the same place, whatever its options.
    fn place(&self) -> &str;
}

/// A recording sink that takes events as objects.
pub struct AsObjects<S = Arc<dyn Sink>>(pub S);

impl<S: Deref<Target: Sink> + Send + Sync> EventSink for AsObjects<S> {
    fn send(&self, event: &EventObject<'_>) -> Result<()> {
        // Other bytes under the name of an event are a claim of whoever put them: the reader sees both, and the event
        // also goes to the other sinks. Waiting would change nothing.
        self.0.put_once(&event.name.path(), event.json).map(|_: Put| ())
    }

    fn address(&self) -> &str {
        self.0.address()
    }

    fn place(&self) -> &str {
        self.0.place()
    }
}
