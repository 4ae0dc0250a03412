//! What every command works with: command line, environment and configuration joined.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::Utc;
use hansard_schemas::keys::Identities;
use hansard_schemas::{ChainId, Timestamp};
use hansard_sinks::{Address, Store, TimeRange};

use crate::cli::{Colour, KeyArgs, StoreArgs};
use crate::config::{Config, Defaults, Places};
use crate::desk::Desk;
use crate::evidence::Chains;
use crate::known::{Known, Rollback, Standing};
use crate::recording::Recording;
use crate::report::{Exit, Failure, Outcome, note};
use crate::viewing::Viewing;

/// What is thought of the chains of a store.
#[derive(Debug)]
pub struct Seen {
    /// Of each that is there.
    pub standings: BTreeMap<ChainId, Standing>,
    /// Those of which the store showed more before.
    pub rollbacks: Vec<Rollback>,
}

impl Seen {
    /// Says on standard error what was taken back.
    pub fn tell(&self) {
        for rollback in &self.rollbacks {
            note(&rollback.to_string());
        }
    }
}

/// Command line, environment and configuration.
#[derive(Debug)]
pub struct Context {
    config: Config,
    places: Places,
    colour: Colour,
    /// The command, as the audit of viewing names it.
    how: &'static str,
}

impl Context {
    /// Reads the configuration.
    pub fn new(colour: Option<Colour>, config: Option<&Path>, how: &'static str) -> Outcome<Self> {
        let places = Places::from_env();
        let path = config.map(PathBuf::from).or_else(|| places.config.as_ref().map(|p| p.join("replay.toml")));
        let config = match path {
            Some(path) => Config::load(&path, config.is_some())?,
            None => Config::default(),
        };
        let colour = colour.or(config.defaults.color).unwrap_or(Colour::Auto);
        Ok(Self { config, places, colour, how })
    }

    /// What the configuration says of options that are not given.
    pub fn defaults(&self) -> &Defaults {
        &self.config.defaults
    }

    /// The store to read from.
    pub fn store(&self, args: &StoreArgs) -> Outcome<Arc<dyn Store>> {
        let address = match args.from.as_ref().or(self.config.from.as_ref()) {
            Some(name) => self.config.resolve(name)?,
            None => {
                let place = self.places.data.as_ref().and_then(|path| path.to_str().map(str::to_owned));
                place.ok_or_else(|| {
                    Failure::usage("no store is named, and there is no home directory").hint("name it with --from URL")
                })?
            }
        };
        Ok(hansard_sinks::open_store(&Address::parse(&address)?)?)
    }

    /// Where the identity of this user lies unless something else is said.
    pub fn identity_path(&self) -> Option<PathBuf> {
        self.places.config.as_ref().map(|path| path.join("identity.txt"))
    }

    /// Where what can be made again is kept; `None` without a home directory.
    pub fn cache_path(&self) -> Option<&Path> {
        self.places.cache.as_deref()
    }

    /// The identities at hand: of the command line, else of HANSARD_IDENTITY, else of the configuration, else the
    /// user's own file, which may be missing.
    pub fn identities(&self, args: &KeyArgs) -> Outcome<Identities> {
        let named: Vec<PathBuf> = if !args.identity.is_empty() {
            args.identity.clone()
        } else if let Some(paths) = std::env::var_os("HANSARD_IDENTITY").filter(|paths| !paths.is_empty()) {
            std::env::split_paths(&paths).collect()
        } else {
            self.config.identities.clone()
        };
        let mut identities = Identities::new();
        if named.is_empty()
            && let Some(path) = self.identity_path().filter(|path| path.exists())
        {
            identities.extend(read_identities(&path)?);
        }
        for path in &named {
            identities.extend(read_identities(path)?);
        }
        Ok(identities)
    }

    /// The known chains.
    pub fn known(&self) -> Outcome<Known> {
        let path = self.places.config.as_ref().map(|path| path.join("known_chains.toml"));
        let mut known = Known::load(path.as_deref())?;
        known.pin(&self.config.hosts);
        Ok(known)
    }

    /// What is thought of the chains of a store, and which of them were taken back; first sights are recorded.
    pub fn standings(&self, store: &dyn Store, chains: &Chains) -> Outcome<Seen> {
        let mut known = self.known()?;
        let claims: Vec<(ChainId, String)> =
            chains.iter().filter_map(|chain| Some((chain.id, chain.host()?.0.to_owned()))).collect();
        let standings = known.see(&claims, self.now());
        let rollbacks = known.watch(store.address(), chains);
        if let Err(failure) = known.save() {
            // Reviewing from a read-only home is possible; it only cannot remember.
            note(&failure.message);
        }
        Ok(Seen { standings, rollbacks })
    }

    /// What is thought of one chain; a first sight is recorded.
    pub fn standing(&self, chain: ChainId, host: &str) -> Outcome<Standing> {
        let mut known = self.known()?;
        let standing = known.see(&[(chain, host.to_owned())], self.now()).remove(&chain);
        if let Err(failure) = known.save() {
            note(&failure.message);
        }
        Ok(standing.unwrap_or(Standing::Unpinned { first: false }))
    }

    /// The reviewer's clock.
    pub fn now(&self) -> Timestamp {
        Timestamp::new(Utc::now())
    }

    /// Whether colour goes to standard output, which `play` draws on.
    pub fn colour(&self) -> bool {
        match self.colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => {
                std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        }
    }

    /// Who is told of what this command shows.
    pub fn viewing(&self, keys: &KeyArgs) -> Outcome<Viewing> {
        Viewing::new(&self.config.audit, self.how, keys.reason.clone())
    }

    /// Opens a store for review: its chains, and its sessions of a stretch of time. What was taken back is said. Whoever is
    /// to be told of a viewing is told by what is opened on it.
    pub fn desk(&self, store: &StoreArgs, keys: &KeyArgs, range: &TimeRange) -> Outcome<Desk> {
        let identities = self.identities(keys)?;
        let store = self.store(store)?;
        let chains = Chains::load(&*store)?;
        let seen = self.standings(&*store, &chains)?;
        seen.tell();
        let viewing = self.viewing(keys)?;
        Ok(Desk::new(store, chains, seen, range, identities, self.now(), viewing)?)
    }

    /// Finds a session, verifies all of it and opens it; refused when something contradicts it, unless forced. What
    /// is less than complete is said on standard error.
    pub fn recording(&self, id: &str, store: &StoreArgs, keys: &KeyArgs, force: bool) -> Outcome<Recording> {
        let desk = self.desk(store, keys, &TimeRange::default())?;
        Ok(desk.open(desk.find(id)?, force)?.tell())
    }
}

fn read_identities(path: &Path) -> Outcome<Identities> {
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|e| Failure::new(Exit::NoKey, format!("{name}: cannot read the identity: {e}")))?;
    Identities::parse(&text).map_err(|e| {
        Failure::new(Exit::NoKey, format!("{name}: {e}"))
            .hint("an identity file holds AGE-SECRET-KEY-1… lines, or is an unencrypted OpenSSH private key")
    })
}
