//! Where recordings go: what the configuration and the command line name, opened, each place once.
//!
//! Opening connects nothing: a place that is away shows when something is delivered, and `check` tries it. Not for
//! delivery itself: `ship`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hansard_sinks::address::Scheme;
use hansard_sinks::{Address, EventSink, Sink, SinkError, open_notify, open_sink};
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::report::Failure;

/// On object stores, where each object costs: the interval after a session's first minute, unless the address has one.
const OBJECT_INTERVAL: Duration = Duration::from_secs(30);

/// `[[sink]]`: an address with its options as keys of a table.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SinkTable {
    /// The address.
    pub url: String,
    /// Options of the address; which ones there are depends on its kind, and `required` and `interval` always.
    #[serde(flatten)]
    pub options: BTreeMap<String, toml::Value>,
}

/// One place that takes recordings.
#[derive(Clone)]
pub struct Destination {
    /// Its address, with all options.
    pub address: Address,
    /// The place.
    pub sink: Arc<dyn Sink>,
}

/// One place that takes events beside the recordings' places.
#[derive(Clone)]
pub struct Notify {
    /// Its address, complete: where it is a webhook's, not to be shown but by its `Display`.
    pub address: Address,
    /// The place.
    pub sink: Arc<dyn EventSink>,
}

/// Opens the places of `notify`. None of them may be a store of this configuration: those get all events as objects.
pub fn open_notifies(config: &Config, stores: &[Destination]) -> Result<Vec<Notify>, Failure> {
    let unusable = |e: SinkError| {
        Failure::new(format_args!("the event sink cannot be used: {e}"))
            .hint("an address is like https://hooks.example.org/hansard or file:///var/log/hansard.ndjson")
    };
    let mut opened: Vec<Notify> = Vec::new();
    for text in &config.notify {
        let address = Address::parse(text).map_err(unusable)?;
        let sink = open_notify(&address).map_err(unusable)?;
        if opened.iter().any(|other| other.sink.place() == sink.place()) {
            return Err(Failure::new(format_args!("{address} is named twice for events")).hint("name each place once"));
        }
        if stores.iter().any(|store| store.sink.place() == sink.place()) {
            return Err(Failure::new(format_args!("{address} is named for events, and is a store"))
                .hint("leave it out of `notify`: every store gets the events as objects"));
        }
        opened.push(Notify { address, sink });
    }
    Ok(opened)
}

/// How old a segment may grow before it closes and travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// In the first minute of a session.
    pub first: Duration,
    /// Afterwards.
    pub later: Duration,
}

impl SinkTable {
    fn address(&self) -> Result<Address, SinkError> {
        self.options.iter().try_fold(Address::parse(&self.url)?, |address, (name, value)| match value {
            toml::Value::String(text) => address.with(name, text),
            toml::Value::Integer(_) | toml::Value::Boolean(_) => address.with(name, &value.to_string()),
            _ => Err(address.bad(format!("the option {name} is neither text, whole number nor true or false"))),
        })
    }
}

/// The addresses of `to` and of the `[[sink]]` tables.
pub fn addresses(config: &Config) -> Result<Vec<Address>, SinkError> {
    let plain = config.to.iter().map(|text| Address::parse(text));
    plain.chain(config.sink.iter().map(SinkTable::address)).collect()
}

/// Opens all of them: an address that cannot work is said now, not after an hour.
pub fn open(config: &Config) -> Result<Vec<Destination>, Failure> {
    let unusable = |e: SinkError| {
        Failure::new(format_args!("the sink cannot be used: {e}"))
            .hint("an address is like file:///var/lib/hansard, s3://bucket/prefix or kafka://host:9092/prefix")
    };
    let mut opened: Vec<Destination> = Vec::new();
    for address in addresses(config).map_err(unusable)? {
        let sink = open_sink(&address).map_err(unusable)?;
        if let Some(other) = opened.iter().find(|other| other.sink.place() == sink.place()) {
            return Err(Failure::new(format_args!("{address} and {} are the same place", other.address))
                .hint("name each place once; a copy in the same place protects nothing"));
        }
        opened.push(Destination { address, sink });
    }
    if !opened.iter().any(|one| one.address.required()) {
        return Err(Failure::new("no sink is required: nothing would have to arrive anywhere")
            .hint("leave required=false away from one of them"));
    }
    Ok(opened)
}

/// The same address of a sink, required whatever it says.
pub fn required(address: &str) -> String {
    let Some((place, options)) = address.split_once('?') else { return address.to_owned() };
    let kept: Vec<&str> = options.split('&').filter(|option| !option.starts_with("required=")).collect();
    if kept.is_empty() { place.to_owned() } else { format!("{place}?{}", kept.join("&")) }
}

/// The pace of the sink that wants segments soonest.
pub fn pace(destinations: &[Destination], interval: Duration) -> Pace {
    let of = |one: &Destination| match (one.address.interval(), one.address.scheme()) {
        (Some(own), _) => Pace { first: own, later: own },
        (None, Scheme::S3) => Pace { first: interval, later: interval.max(OBJECT_INTERVAL) },
        (None, _) => Pace { first: interval, later: interval },
    };
    let all = destinations.iter().map(of);
    all.reduce(|a, b| Pace { first: a.first.min(b.first), later: a.later.min(b.later) })
        .unwrap_or(Pace { first: interval, later: interval })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{addresses, open, open_notifies, pace, required};
    use crate::config::{Config, parse};

    fn config(text: &str) -> Config {
        parse(text).unwrap()
    }

    #[test]
    fn tables_are_addresses_with_options() {
        let config = config(
            "to = ['/srv/a']\n[[sink]]\nurl = 's3://evidence/x'\nrequired = false\nregion = 'eu-1'\nlock_days = 30\n",
        );
        let all: Vec<String> = addresses(&config).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(all, ["file:///srv/a", "s3://evidence/x?lock_days=30&region=eu-1&required=false"]);
    }

    #[test]
    fn a_place_is_named_once_and_one_is_required() {
        let twice = open(&config("to = ['/srv/a', 'file:///srv//a?interval=1s']")).err().unwrap();
        assert!(twice.what.contains("are the same place"), "{}", twice.what);
        let none = open(&config("to = ['file:///srv/a?required=false']")).err().unwrap();
        assert!(none.what.contains("no sink is required"), "{}", none.what);
        let unknown = open(&config("[[sink]]\nurl = 'file:///srv/a'\nregoin = 'x'")).err().unwrap();
        assert!(unknown.what.contains("no option regoin"), "{}", unknown.what);
    }

    #[test]
    fn a_sink_can_be_required_for_one_session() {
        assert_eq!(required("s3://b/p?required=false&region=x"), "s3://b/p?region=x");
        assert_eq!(required("file:///srv?required=false"), "file:///srv");
        assert_eq!(required("file:///srv"), "file:///srv");
    }

    #[test]
    fn a_store_is_no_place_for_events_besides() {
        let config = config("to = ['/srv/a']\nnotify = ['file:///srv//a']\n");
        let refused = open_notifies(&config, &open(&config).unwrap()).err().unwrap();
        assert!(refused.what.contains("is a store"), "{}", refused.what);
    }

    #[test]
    fn the_soonest_sink_sets_the_pace() {
        let five = Duration::from_secs(5);
        let both = open(&config("to = ['/srv/a', 'file:///srv/b?interval=2s']")).unwrap();
        let paced = pace(&both, five);
        assert_eq!((paced.first, paced.later), (Duration::from_secs(2), Duration::from_secs(2)));
    }
}
