//! What an address of Kafka says, and the client's configuration that follows from it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use hansard_schemas::limits;
use rdkafka::ClientConfig;

use super::faults::remote;
use crate::{Address, Class, Result, SinkError};

/// The longest name of a topic that brokers take.
const TOPIC_LENGTH: usize = 249;
/// What stands behind the prefix.
const TOPICS: [&str; 2] = [".recordings", ".events"];
/// A little less than what brokers take by default (1,048,588).
const MAX_MESSAGE: u64 = 1_000_000;
/// Of a message, what is kept for the key, the headers and the batch around it; a name has at most half of it.
const AROUND: u64 = 2_048;
/// The longest name of an object.
pub(super) const NAME_LENGTH: usize = 1_024;
const TIMEOUT: Duration = Duration::from_secs(30);
const USERNAME: &str = "HANSARD_KAFKA_USERNAME";
const PASSWORD: &str = "HANSARD_KAFKA_PASSWORD";

/// Brokers and topics, and how they are reached.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) address: String,
    /// The same for every order of the brokers and all options.
    pub(super) place: String,
    brokers: String,
    pub(super) recordings: String,
    pub(super) events: String,
    /// Settings of the client library that the address gives.
    settings: BTreeMap<&'static str, String>,
    sasl: bool,
    /// The largest message in bytes, with everything around it.
    pub(super) max_message: u64,
    /// How long a request may take.
    pub(super) timeout: Duration,
}

impl Place {
    pub(super) fn open(address: &Address) -> Result<Self> {
        let options =
            address.options(&["security", "sasl_mechanism", "ca", "cert", "key", "max_message", "timeout"])?;
        let (hosts, prefix) = address.body().split_once('/').unwrap_or((address.body(), ""));
        let mut brokers = hosts.split(',').map(|host| broker(address, host)).collect::<Result<Vec<_>>>()?;
        check_prefix(address, prefix)?;
        let all = brokers.join(",");
        brokers.sort();
        let place = format!("kafka://{}/{prefix}", brokers.join(","));

        let security = options.get("security").map_or("plaintext", String::as_str);
        let (sasl, tls) = match security {
            "plaintext" => (false, false),
            "ssl" => (false, true),
            "sasl_plaintext" => (true, false),
            "sasl_ssl" => (true, true),
            other => {
                let why = format!("security={other}: it is plaintext, ssl, sasl_plaintext or sasl_ssl");
                return Err(address.bad(why));
            }
        };
        let mut settings = BTreeMap::from([("security.protocol", security.to_owned())]);
        if sasl {
            let mechanism = options.get("sasl_mechanism").map_or("SCRAM-SHA-512", String::as_str);
            if !["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"].contains(&mechanism) {
                let why = format!("sasl_mechanism={mechanism}: it is PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512");
                return Err(address.bad(why));
            }
            settings.insert("sasl.mechanism", mechanism.into());
        } else if options.contains_key("sasl_mechanism") {
            return Err(address.bad("sasl_mechanism needs security=sasl_ssl or sasl_plaintext"));
        }
        for (option, setting) in
            [("ca", "ssl.ca.location"), ("cert", "ssl.certificate.location"), ("key", "ssl.key.location")]
        {
            let Some(path) = options.get(option) else { continue };
            if !tls {
                return Err(address.bad(format!("{option} needs security=ssl or sasl_ssl")));
            }
            if !Path::new(path).is_absolute() {
                return Err(address.bad(format!("{option}={path}: it is an absolute path")));
            }
            settings.insert(setting, path.clone());
        }
        if options.contains_key("cert") != options.contains_key("key") {
            return Err(address.bad("cert and key go together"));
        }
        let max_message = match options.get("max_message") {
            None => MAX_MESSAGE,
            Some(text) => text
                .parse()
                .ok()
                .filter(|bytes| (128 << 10..=limits::SEGMENT_STORED).contains(bytes))
                .ok_or_else(|| address.bad(format!("max_message={text}: bytes, from 131072 to 134217728")))?,
        };
        let timeout = match options.get("timeout") {
            None => TIMEOUT,
            Some(text) => humantime::parse_duration(text)
                .ok()
                .filter(|time| (Duration::from_secs(1)..=Duration::from_secs(60)).contains(time))
                .ok_or_else(|| address.bad(format!("timeout={text}: from 1s to 60s")))?,
        };
        let [recordings, events] = TOPICS.map(|topic| format!("{prefix}{topic}"));
        let address = address.to_string();
        Ok(Self { address, place, brokers: all, recordings, events, settings, sasl, max_message, timeout })
    }

    /// The largest object, in bytes.
    pub(super) fn max_object(&self) -> u64 {
        self.max_message - AROUND
    }

    /// What every client of this place needs. The name and the password come from the environment, now.
    pub(super) fn config(&self) -> Result<ClientConfig> {
        let mut config = ClientConfig::new();
        config.set("client.id", "hansard").set("bootstrap.servers", &self.brokers);
        // With the default of 10 s, what is sent right after an outage times out before the next attempt to connect.
        config.set("reconnect.backoff.max.ms", "500");
        config.set("socket.timeout.ms", self.timeout.as_millis().to_string());
        config.set("socket.keepalive.enable", "true");
        for (name, value) in &self.settings {
            config.set(*name, value);
        }
        if self.sasl {
            for (variable, setting) in [(USERNAME, "sasl.username"), (PASSWORD, "sasl.password")] {
                let value = std::env::var(variable).ok().filter(|value| !value.is_empty()).ok_or_else(|| {
                    let hint = format!("set {USERNAME} and {PASSWORD} in the environment");
                    let why = format!("{variable} is not set");
                    remote(&self.address, "authenticate", why, Class::Wait, Some(hint))
                })?;
                config.set(setting, value);
            }
        }
        Ok(config)
    }
}

/// One broker of the list, with its port.
fn broker(address: &Address, text: &str) -> Result<String> {
    let bad = || address.bad(format!("{text:?} is no broker: write kafka://host:port[,host:port]/topic-prefix"));
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (text, "9092"),
    };
    let plain = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|v6| v6.parse::<std::net::Ipv6Addr>().is_ok()),
        None => {
            !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.' || b == b'_')
        }
    };
    let port = port.parse::<u16>().ok().filter(|port| *port != 0);
    port.filter(|_| plain).map(|port| format!("{host}:{port}")).ok_or_else(bad)
}

fn check_prefix(address: &Address, prefix: &str) -> Result<(), SinkError> {
    let most = TOPIC_LENGTH - TOPICS[0].len();
    let plain = prefix.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if prefix.is_empty() {
        return Err(address.bad("a kafka address names a topic prefix: kafka://host:port/topic-prefix"));
    }
    if !plain || prefix.len() > most {
        let why = format!("the topic prefix {prefix:?}: letters, digits, '.', '_' and '-', at most {most}");
        return Err(address.bad(why));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Place;
    use crate::Address;

    fn open(address: &str) -> crate::Result<Place> {
        Place::open(&Address::parse(address)?)
    }

    #[test]
    fn an_address_names_brokers_topics_and_security() {
        let place = open("kafka://b:9093,a,[::1]:9092/prod.hansard?security=ssl&ca=/etc/ca.pem&timeout=5s").unwrap();
        assert_eq!(place.recordings, "prod.hansard.recordings");
        assert_eq!(place.events, "prod.hansard.events");
        assert_eq!(place.place, "kafka://[::1]:9092,a:9092,b:9093/prod.hansard");
        let config = place.config().unwrap();
        assert_eq!(config.get("bootstrap.servers"), Some("b:9093,a:9092,[::1]:9092"));
        assert_eq!(config.get("ssl.ca.location"), Some("/etc/ca.pem"));
        assert_eq!(place.max_object(), 1_000_000 - 2_048);
        let other = open("kafka://a:9092,b:9093,[::1]/prod.hansard?max_message=8000000").unwrap();
        assert_eq!(other.place, place.place);
        assert_eq!(other.max_object(), 8_000_000 - 2_048);
    }

    #[test]
    fn other_addresses_are_refused_with_the_reason() {
        for (address, want) in [
            ("kafka://a:9092", "names a topic prefix"),
            ("kafka://a:9092/", "names a topic prefix"),
            ("kafka:///x", "is no broker"),
            ("kafka://a:b/x", "is no broker"),
            ("kafka://a:0/x", "is no broker"),
            ("kafka://a,,b/x", "is no broker"),
            ("kafka://[::g]:1/x", "is no broker"),
            ("kafka://a/x/y", "the topic prefix"),
            ("kafka://a/x y", "the topic prefix"),
            ("kafka://a/x?security=tls", "plaintext, ssl"),
            ("kafka://a/x?sasl_mechanism=PLAIN", "needs security=sasl"),
            ("kafka://a/x?security=sasl_ssl&sasl_mechanism=GSSAPI", "SCRAM-SHA-512"),
            ("kafka://a/x?ca=/ca.pem", "needs security=ssl"),
            ("kafka://a/x?security=ssl&ca=ca.pem", "absolute path"),
            ("kafka://a/x?security=ssl&cert=/c.pem", "go together"),
            ("kafka://a/x?max_message=12", "from 131072"),
            ("kafka://a/x?timeout=1h", "from 1s to 60s"),
            ("kafka://a/x?password=x", "no option password"),
        ] {
            let error = open(address).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(want), "{address}: {error}");
        }
    }
}
