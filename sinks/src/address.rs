//! Addresses of sinks and stores: one form everywhere, taken apart once.
//!
//! `scheme://place?option=value&…`, or a plain absolute path for a directory. An address is complete: with it and the
//! credentials of the environment a place can be opened again after a restart. Secrets are never part of one. Names
//! from a configuration are resolved before they come here; what an option means is the place's own business.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{Result, SinkError};

/// Options that every sink has; the recorder acts on them, not the place.
const COMMON: [&str; 2] = ["required", "interval"];

/// What kind of place an address names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// A directory; as a place for events only, a file of NDJSON.
    File,
    /// A recorder's spool, to read from.
    Spool,
    /// A bucket of an S3-compatible store.
    S3,
    /// Topics of a Kafka-compatible broker.
    Kafka,
    /// A stream of CloudWatch Logs, for lines of text.
    CloudWatch,
    /// A webhook, plain.
    Http,
    /// A webhook, over TLS.
    Https,
}

impl Scheme {
    const ALL: [Self; 7] = [Self::File, Self::Spool, Self::S3, Self::Kafka, Self::CloudWatch, Self::Http, Self::Https];

    /// The word before the colon.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Spool => "spool",
            Self::S3 => "s3",
            Self::Kafka => "kafka",
            Self::CloudWatch => "cloudwatch",
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// An address, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    whole: String,
    scheme: Scheme,
    /// Between `scheme://` and `?`; of a plain path, the path, percent-encoded.
    body: String,
    options: BTreeMap<String, String>,
    common: BTreeMap<&'static str, String>,
    interval: Option<Duration>,
    required: bool,
}

impl Address {
    /// Takes an address apart. Whether the place exists, and whether its options are known, shows when it is opened.
    pub fn parse(address: &str) -> Result<Self> {
        let bad = |why: String| SinkError::BadAddress { address: redacted(address), why };
        if address.starts_with('/') {
            return Self::plain(address);
        }
        let (word, rest) = address.split_once(':').ok_or_else(|| {
            bad("not an address: write file:///absolute/path, s3://bucket/prefix or kafka://host:port/topic-prefix"
                .into())
        })?;
        let scheme = Scheme::ALL.into_iter().find(|scheme| scheme.as_str() == word).ok_or_else(|| {
            bad("unknown kind of address: file:, s3: and kafka: are the kinds there are; spool: to read from, http: and \
                 https: for events"
                .into())
        })?;
        let rest = rest.strip_prefix("//").ok_or_else(|| bad(format!("write {word}:// with two slashes")))?;
        if rest.contains('#') {
            return Err(bad("an address has no fragment: write %23 for #".into()));
        }
        let (body, query) = rest.split_once('?').unwrap_or((rest, ""));
        let host = body.split('/').next().unwrap_or_default();
        if host.contains('@') {
            return Err(bad("credentials do not belong in an address: the environment or a file gives them".into()));
        }
        if matches!(scheme, Scheme::Http | Scheme::Https) {
            // The query is the receiver's.
            let whole = address.to_owned();
            return Ok(Self { body: rest.into(), ..Self::bare(whole, scheme) });
        }
        let mut parsed = Self { body: body.into(), ..Self::bare(address.into(), scheme) };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) =
                pair.split_once('=').ok_or_else(|| bad(format!("the option {pair} has no value: write {pair}=…")))?;
            let value = percent_decode(value.as_bytes())
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .ok_or_else(|| bad(format!("the option {name} is not percent-encoded UTF-8")))?;
            parsed.set(name, value).map_err(bad)?;
        }
        Ok(parsed)
    }

    fn bare(whole: String, scheme: Scheme) -> Self {
        let (options, common) = (BTreeMap::new(), BTreeMap::new());
        Self { whole, scheme, body: String::new(), options, common, interval: None, required: true }
    }

    fn plain(path: &str) -> Result<Self> {
        if path.contains('\0') {
            return Err(SinkError::BadAddress { address: path.into(), why: "a path cannot hold a NUL".into() });
        }
        let body = percent_encode(path.as_bytes());
        Ok(Self { body: body.clone(), ..Self::bare(format!("file://{body}"), Scheme::File) })
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), String> {
        match name {
            "required" => {
                self.required = value.parse().map_err(|_| format!("required={value}: it is true or false"))?;
            }
            "interval" => {
                let interval =
                    humantime::parse_duration(&value).map_err(|e| format!("interval={value}: no duration: {e}"))?;
                if !(Duration::from_millis(100)..=Duration::from_secs(3600)).contains(&interval) {
                    return Err(format!("interval={value}: it must be from 100 ms to 1 h"));
                }
                self.interval = Some(interval);
            }
            _ => {}
        }
        let again = match COMMON.into_iter().find(|common| *common == name) {
            Some(common) => self.common.insert(common, value).is_some(),
            None => self.options.insert(name.into(), value).is_some(),
        };
        if again { Err(format!("the option {name} is given twice")) } else { Ok(()) }
    }

    /// The same address with one more option, as a table of a configuration adds them.
    pub fn with(&self, name: &str, value: &str) -> Result<Self> {
        let mark = if self.whole.contains('?') { '&' } else { '?' };
        Self::parse(&format!("{}{mark}{name}={}", self.whole, percent_encode(value.as_bytes())))
    }

    /// All of it, to open the place again. It holds no secrets, but for a webhook: of that one, show [`Self`]'s `Display`.
    pub fn as_str(&self) -> &str {
        &self.whole
    }

    /// What kind of place it names.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// What stands between `scheme://` and the options.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// Whether a segment stays in the spool until this sink has it (`required`, the default), or only as long as the
    /// others need it.
    pub fn required(&self) -> bool {
        self.required
    }

    /// Age at which a segment closes for this sink, where the address says.
    pub fn interval(&self) -> Option<Duration> {
        self.interval
    }

    /// The options that are the place's own. One that is not in `known` is an error that names the nearest.
    pub fn options(&self, known: &[&str]) -> Result<&BTreeMap<String, String>> {
        let Some(unknown) = self.options.keys().find(|name| !known.contains(&name.as_str())) else {
            return Ok(&self.options);
        };
        let all = known.iter().chain(&COMMON);
        let near = all.max_by(|a, b| strsim::jaro_winkler(unknown, a).total_cmp(&strsim::jaro_winkler(unknown, b)));
        let near = near.map(|near| format!("; the nearest known one is {near}")).unwrap_or_default();
        let why = format!("a {} address has no option {unknown}{near}", self.scheme.as_str());
        Err(self.bad(why))
    }

    /// An error about this address.
    pub fn bad(&self, why: impl Into<String>) -> SinkError {
        SinkError::BadAddress { address: self.to_string(), why: why.into() }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&redacted(&self.whole))
    }
}

/// Undoes percent-encoding; `None` for a `%` without two hex digits.
pub(crate) fn percent_decode(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'%' {
            out.push(first);
            continue;
        }
        let (high, low) = (*rest.first()?, *rest.get(1)?);
        let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
        out.push(digit(high)? << 4 | digit(low)?);
        rest = &rest[2..];
    }
    Some(out)
}

/// Encodes what has a meaning in an address.
pub(crate) fn percent_encode(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"/-._~+=,@:".contains(&byte) {
            out.push(byte.into());
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// The address with what stands before an `@` in its host part taken out, and of a webhook all that follows the host.
pub fn redacted(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.into() };
    let host_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, rest) = rest.split_at(host_end);
    let rest = match scheme {
        "http" | "https" if !matches!(rest, "" | "/") => "/REDACTED",
        _ => rest,
    };
    match host.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://REDACTED@{host}{rest}"),
        None => format!("{scheme}://{host}{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Address, Scheme};

    #[test]
    fn addresses_are_taken_apart() {
        let address = Address::parse("s3://evidence/prod?endpoint=http%3A%2F%2F[::1]:9000&required=false&interval=30s");
        let address = address.unwrap();
        assert_eq!((address.scheme(), address.body()), (Scheme::S3, "evidence/prod"));
        assert_eq!(address.options(&["endpoint"]).unwrap()["endpoint"], "http://[::1]:9000");
        assert!(!address.required());
        assert_eq!(address.interval(), Some(Duration::from_secs(30)));
        let more = address.with("region", "eu west/1&x").unwrap();
        assert_eq!(more.options(&["endpoint", "region"]).unwrap()["region"], "eu west/1&x");
        let path = Address::parse("/srv/a b%/ü").unwrap();
        assert_eq!(path.as_str(), "file:///srv/a%20b%25/%C3%BC");
        assert_eq!(Address::parse(path.as_str()).unwrap().body(), path.body());
        assert_eq!(path.with("required", "false").unwrap().body(), path.body());
        let hook = Address::parse("https://hooks.example.org/a?token=1&token=2").unwrap();
        assert_eq!(hook.body(), "hooks.example.org/a?token=1&token=2");
    }

    #[test]
    fn bad_addresses_are_refused_with_the_reason() {
        for (address, want) in [
            ("", "not an address"),
            ("relative/path", "not an address"),
            ("file:relative", "two slashes"),
            ("ftp://x/y", "unknown kind of address"),
            ("s3://b/p#x", "no fragment"),
            ("s3://b?region", "has no value"),
            ("s3://b?region=%zz", "percent-encoded"),
            ("s3://b?region=a&region=b", "given twice"),
            ("s3://b?required=maybe", "true or false"),
            ("s3://b?interval=soon", "no duration"),
            ("s3://b?interval=1ms", "from 100 ms to 1 h"),
            ("kafka://user:secret@h:1/t", "credentials do not belong"),
        ] {
            let error = Address::parse(address).unwrap_err().to_string();
            assert!(error.contains(want), "{address}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
        let error = Address::parse("s3://b?regoin=x").unwrap().options(&["region", "endpoint"]).unwrap_err();
        assert!(error.to_string().ends_with("no option regoin; the nearest known one is region"), "{error}");
    }
}
