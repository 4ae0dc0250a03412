//! The chains of the hosts that are followed, as they grow.
//!
//! All sessions of a host share one. An object that only goes on from the newest entry is taken in as it comes; anything
//! else makes all objects of the chain be put together anew, as a reader who comes later would.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use hansard_sinks::{ChainPart, Class, SinkError, Store};

use crate::evidence::Chains;

/// How often a chain is looked at while nothing asks for it sooner: it tells of what is open once a minute, and that counts
/// for three. Each look is a listing, for every host that is followed.
const EVERY: Duration = Duration::from_secs(30);

/// The chains that are watched.
#[derive(Debug, Default)]
pub struct ChainWatch {
    hosts: HashMap<String, Watched>,
}

#[derive(Debug)]
struct Watched {
    chains: Chains,
    /// The objects that are in them, with their versions.
    seen: BTreeSet<(String, Option<String>)>,
    looked: Instant,
}

impl ChainWatch {
    /// The chains whose ids begin with these 16 digits: as they were a moment ago, or, with `now`, as they are.
    pub fn look(&mut self, store: &dyn Store, chain16: &str, now: bool) -> Result<&Chains, SinkError> {
        let due = self.hosts.get(chain16).is_none_or(|host| now || host.looked.elapsed() >= EVERY);
        if due {
            let parts = store.chains_of(chain16)?;
            let watched = match self.hosts.remove(chain16) {
                Some(watched) => watched.renewed(store, &parts)?,
                None => Watched::read(store, &parts)?,
            };
            self.hosts.insert(chain16.to_owned(), watched);
        }
        self.hosts.get(chain16).map(|host| &host.chains).ok_or_else(|| SinkError::NotThere { name: chain16.into() })
    }

    /// Lets go the chains of hosts of which nothing is followed any more.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.hosts.retain(|chain16, _| keep(chain16));
    }
}

impl Watched {
    fn read(store: &dyn Store, parts: &[ChainPart]) -> Result<Self, SinkError> {
        let chains = Chains::read(parts, |part| read(store, part))?;
        Ok(Self { chains, seen: parts.iter().map(key).collect(), looked: Instant::now() })
    }

    fn renewed(mut self, store: &dyn Store, parts: &[ChainPart]) -> Result<Self, SinkError> {
        for part in parts.iter().filter(|part| !self.seen.contains(&key(part))) {
            if !self.chains.extend(&part.name, &read(store, part)?) {
                return Self::read(store, parts);
            }
        }
        self.seen.extend(parts.iter().map(key));
        self.looked = Instant::now();
        Ok(self)
    }
}

fn key(part: &ChainPart) -> (String, Option<String>) {
    (part.key.clone(), part.version.clone())
}

/// An object that can never be read is as good as empty: the chain breaks there, and says so. What may pass is waited for.
fn read(store: &dyn Store, part: &ChainPart) -> Result<Vec<u8>, SinkError> {
    match store.read_chain(part) {
        Err(error) if error.class() == Class::Never => Ok(Vec::new()),
        other => other,
    }
}
