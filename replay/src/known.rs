//! Which host chains the reviewer knows: `known_chains.toml`.
//!
//! A host's name is a claim, its chain id is its identity. First sight is recorded and shown as UNPINNED; a second
//! chain for a name that is known is not believed before `keys trust`. Not for verifying chains.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use hansard_schemas::{ChainId, Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::evidence::Chains;
use crate::report::Failure;

/// How a chain came to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// It was the first that claimed its host's name.
    FirstSight,
    /// The reviewer said so.
    Pinned,
}

/// A known chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The host: what genesis claims, or what the reviewer said.
    pub host: String,
    /// How it came to be known.
    pub trust: Trust,
    /// Since when.
    pub since: Timestamp,
    /// How far it went in each store, by address: what was there once must be there again.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub seen: BTreeMap<String, Tip>,
}

/// The newest entry of a chain that was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tip {
    /// Its number.
    pub seq: u64,
    /// Its digest.
    pub digest: Digest,
}

/// A store shows less, or something else, of a chain than it did before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollback {
    /// The chain.
    pub chain: ChainId,
    /// Its host.
    pub host: String,
    /// The entry that was seen before.
    pub seq: u64,
}

impl std::fmt::Display for Rollback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { chain, host, seq } = self;
        let chain = chain.short();
        write!(f, "rolled back: entry {seq} of chain {chain} of host {host} was here before, and is not now")
    }
}

/// What is thought of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The reviewer trusts it.
    Pinned,
    /// Nobody said whose it is.
    Unpinned {
        /// Seen for the first time now.
        first: bool,
    },
    /// Its host's name is known, or claimed at the same time, with another chain.
    Second {
        /// The name.
        host: String,
        /// The other chain.
        other: ChainId,
    },
}

impl Standing {
    /// A stable word for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pinned => "pinned",
            Self::Unpinned { .. } => "unpinned",
            Self::Second { .. } => "second-chain",
        }
    }

    /// What a person is to see; nothing when all is well.
    pub fn mark(&self) -> &'static str {
        match self {
            Self::Pinned => "",
            Self::Unpinned { .. } => "UNPINNED",
            Self::Second { .. } => "SECOND CHAIN",
        }
    }

    /// What has to be said before anything of this chain is shown; `Err` refuses that, unless it is forced.
    pub fn admit(&self, chain: ChainId, host: &str, force: bool) -> Result<Option<String>, Failure> {
        match self.refusal(chain) {
            Some(refusal) if !force => Err(refusal),
            Some(refusal) => Ok(Some(refusal.message)),
            None => {
                let first = *self == Self::Unpinned { first: true };
                Ok(first.then(|| format!("UNPINNED: chain {chain} of host {host} is seen for the first time")))
            }
        }
    }

    /// The refusal of a second chain.
    pub fn refusal(&self, chain: ChainId) -> Option<Failure> {
        let Self::Second { host, other } = self else { return None };
        Some(
            Failure::failed(format!("chain {chain} claims to be host {host}, and so does chain {other}"))
                .hint(format!("ask the host which is its own, then `hansard-replay keys trust {chain} --host {host}`")),
        )
    }
}

/// The known chains.
#[derive(Debug, Default)]
pub struct Known {
    path: Option<PathBuf>,
    chains: BTreeMap<ChainId, Entry>,
    /// What the configuration pins, with the host's name; never written to the file.
    pins: BTreeMap<ChainId, String>,
    changed: bool,
}

impl Known {
    /// Reads the file; a missing one knows nothing.
    pub fn load(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else { return Ok(Self::default()) };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(Failure::usage(format!("{}: cannot read the known chains: {e}", path.display()))),
        };
        let chains = toml::from_str(&text).map_err(|e| {
            Failure::usage(format!("{}: {}", path.display(), e.message()))
                .hint("mend the file, or remove it and pin the chains anew with `hansard-replay keys trust`")
        })?;
        Ok(Self { path: Some(path.into()), chains, ..Self::default() })
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&ChainId, &Entry)> {
        self.chains.iter()
    }

    /// Believes these as well, for as long as this value lives.
    pub fn pin(&mut self, hosts: &BTreeMap<String, ChainId>) {
        self.pins.extend(hosts.iter().map(|(host, id)| (*id, host.clone())));
    }

    /// What is thought of the chains of one store, each with the name that it claims. New ones are taken in, unless
    /// their name is known with another chain or several new ones claim it.
    pub fn see(&mut self, claims: &[(ChainId, String)], now: Timestamp) -> BTreeMap<ChainId, Standing> {
        let mut standings = BTreeMap::new();
        let mut new = Vec::new();
        for (id, host) in claims {
            let standing = match self.chains.get(id) {
                _ if self.pins.contains_key(id) => Standing::Pinned,
                Some(Entry { trust: Trust::Pinned, .. }) => Standing::Pinned,
                Some(_) => Standing::Unpinned { first: false },
                None => {
                    let pinned = self.pins.iter().find(|(_, name)| *name == host).map(|(id, _)| id);
                    let known = self.chains.iter().find(|(_, entry)| entry.host == *host).map(|(id, _)| id);
                    let rival = claims
                        .iter()
                        .find(|(other, name)| name == host && other != id && !self.chains.contains_key(other));
                    match pinned.or(known).or(rival.map(|(id, _)| id)) {
                        Some(other) => Standing::Second { host: host.clone(), other: *other },
                        None => {
                            new.push((
                                *id,
                                Entry {
                                    host: host.clone(),
                                    trust: Trust::FirstSight,
                                    since: now,
                                    seen: BTreeMap::new(),
                                },
                            ));
                            Standing::Unpinned { first: true }
                        }
                    }
                }
            };
            standings.insert(*id, standing);
        }
        self.changed |= !new.is_empty();
        self.chains.extend(new);
        standings
    }

    /// What is thought of chains of which only names are known, by the first 16 digits of their ids: nothing is taken in.
    /// Such a name is anybody's claim, and good for a listing.
    pub fn glance(&self, claims: &BTreeMap<String, String>) -> BTreeMap<String, &'static Standing> {
        const PINNED: &Standing = &Standing::Pinned;
        const UNPINNED: &Standing = &Standing::Unpinned { first: false };
        const SECOND: &Standing = &Standing::Second { host: String::new(), other: ChainId(Digest([0; 32])) };
        // What the configuration pins goes first, as in `see`.
        let mut known: HashMap<String, bool> =
            self.chains.iter().map(|(id, entry)| (id.short(), entry.trust == Trust::Pinned)).collect();
        known.extend(self.pins.keys().map(|id| (id.short(), true)));
        let names: HashSet<&String> = self.pins.values().chain(self.chains.values().map(|entry| &entry.host)).collect();
        // How many that nobody knows claim a name.
        let mut unknown: HashMap<&String, usize> = HashMap::new();
        for (_, host) in claims.iter().filter(|(chain16, _)| !known.contains_key(*chain16)) {
            *unknown.entry(host).or_default() += 1;
        }
        let of = |(chain16, host): (&String, &String)| {
            let standing = match known.get(chain16) {
                Some(true) => PINNED,
                Some(false) => UNPINNED,
                None if names.contains(host) || unknown.get(host).is_some_and(|claims| *claims > 1) => SECOND,
                None => UNPINNED,
            };
            (chain16.clone(), standing)
        };
        claims.iter().map(of).collect()
    }

    /// Compares the known chains with what a store shows of them now, and remembers what is newer. A store that was
    /// taken back to an earlier day shows here, and nowhere else if no session was open then. What was seen is kept
    /// until the chain is pinned anew.
    pub fn watch(&mut self, store: &str, chains: &Chains) -> Vec<Rollback> {
        let mut rollbacks = Vec::new();
        for (id, entry) in &mut self.chains {
            let chain = chains.get(*id);
            if let Some(tip) = entry.seen.get(store)
                && chain.and_then(|chain| chain.get(tip.seq)).is_none_or(|there| there.digest != tip.digest)
            {
                rollbacks.push(Rollback { chain: *id, host: entry.host.clone(), seq: tip.seq });
                continue;
            }
            if let Some(last) = chain.and_then(|chain| chain.entries.last()) {
                let tip = Tip { seq: last.seq, digest: last.digest };
                self.changed |= entry.seen.insert(store.to_owned(), tip) != Some(tip);
            }
        }
        rollbacks
    }

    /// Pins a chain. Its host is the one given, or the one it was seen with.
    pub fn trust(&mut self, id: ChainId, host: Option<&str>, now: Timestamp) -> Result<&Entry, Failure> {
        let host = match (host, self.chains.get(&id)) {
            (Some(host), _) => host.to_owned(),
            (None, Some(entry)) => entry.host.clone(),
            (None, None) => {
                return Err(Failure::usage(format!("chain {id} was never seen, so its host is not known"))
                    .hint("say whose it is with --host NAME"));
            }
        };
        self.changed = true;
        self.chains.insert(id, Entry { host, trust: Trust::Pinned, since: now, seen: BTreeMap::new() });
        self.chains.get(&id).ok_or_else(|| Failure::usage("the chain was not kept"))
    }

    /// The known chain that begins with `text`.
    pub fn by_prefix(&self, text: &str) -> Option<ChainId> {
        let mut found = self.chains.keys().filter(|id| id.to_string().starts_with(text));
        found.next().copied().filter(|_| found.next().is_none())
    }

    /// Writes what is new: a new file, synced, renamed over the old one.
    pub fn save(&mut self) -> Result<(), Failure> {
        let Some(path) = self.path.as_ref().filter(|_| self.changed) else { return Ok(()) };
        let text = toml::to_string(&self.chains).map_err(|e| Failure::usage(e.to_string()))?;
        write(path, &text)
            .map_err(|e| Failure::usage(format!("{}: cannot write the known chains: {e}", path.display())))?;
        self.changed = false;
        Ok(())
    }
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    if let Some(parent) = path.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    }
    let new = path.with_extension(format!("toml.{}", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(&new);
    let written = file.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&new, path)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&new);
    }
    written
}

#[cfg(test)]
mod tests {
    use hansard_schemas::{ChainId, Digest, Timestamp};

    use super::{Known, Standing, Trust};

    fn id(n: u8) -> ChainId {
        ChainId(Digest([n; 32]))
    }

    fn now() -> Timestamp {
        "2026-11-22T09:30:00.000Z".parse().unwrap()
    }

    #[test]
    fn first_sight_is_kept_and_a_second_chain_is_not_believed_until_trusted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/known_chains.toml");
        let claim = |n: u8, host: &str| (id(n), host.to_owned());
        let mut known = Known::load(Some(&path)).unwrap();
        assert_eq!(known.see(&[claim(1, "web1")], now())[&id(1)], Standing::Unpinned { first: true });
        known.save().unwrap();

        let mut known = Known::load(Some(&path)).unwrap();
        let seen = known.see(&[claim(1, "web1"), claim(2, "web1"), claim(3, "db1")], now());
        assert_eq!(seen[&id(1)], Standing::Unpinned { first: false });
        assert_eq!(seen[&id(2)], Standing::Second { host: "web1".into(), other: id(1) });
        assert_eq!(seen[&id(3)], Standing::Unpinned { first: true });
        known.trust(id(2), None, now()).unwrap_err();
        known.trust(id(2), Some("web1"), now()).unwrap();
        known.save().unwrap();

        let mut known = Known::load(Some(&path)).unwrap();
        let seen = known.see(&[claim(1, "web1"), claim(2, "web1")], now());
        assert_eq!((&seen[&id(1)], &seen[&id(2)]), (&Standing::Unpinned { first: false }, &Standing::Pinned));
        assert_eq!(known.chains[&id(3)].trust, Trust::FirstSight);
        assert_eq!(known.by_prefix("0303"), Some(id(3)));
        assert_eq!(known.by_prefix("0"), None);
    }

    #[test]
    fn what_the_configuration_pins_is_believed_and_nothing_else_of_that_name() {
        let mut known = Known::default();
        known.pin(&[("web1".to_owned(), id(2))].into());
        let seen = known.see(&[(id(1), "web1".to_owned()), (id(2), "web1".to_owned())], now());
        assert_eq!(seen[&id(2)], Standing::Pinned);
        assert_eq!(seen[&id(1)], Standing::Second { host: "web1".into(), other: id(2) });
        assert!(known.chains.is_empty());
        let claims = [1, 2].map(|n| (id(n).short(), "web1".to_owned())).into();
        let words = known.glance(&claims).into_values().map(Standing::word).collect::<Vec<_>>();
        assert_eq!(words, ["second-chain", "pinned"]);
    }

    #[test]
    fn of_two_unknown_chains_with_one_name_neither_is_taken() {
        let mut known = Known::default();
        let claims = [(id(1), "web1".to_owned()), (id(2), "web1".to_owned())];
        for _ in 0..2 {
            let seen = known.see(&claims, now());
            assert_eq!(seen[&id(1)], Standing::Second { host: "web1".into(), other: id(2) });
            assert_eq!(seen[&id(2)], Standing::Second { host: "web1".into(), other: id(1) });
        }
    }

    #[test]
    fn a_damaged_file_is_an_error_and_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("known_chains.toml");
        std::fs::write(&path, "[x]\nhost=1").unwrap();
        assert!(Known::load(Some(&path)).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "[x]\nhost=1");
    }
}
