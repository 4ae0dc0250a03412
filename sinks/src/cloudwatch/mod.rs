//! A stream of CloudWatch Logs: where lines of text go, and nothing comes back from.
//!
//! `cloudwatch://GROUP/STREAM?region=…&profile=…&endpoint=…`. Two requests are all that is needed of the service, and its SDK
//! is as large as that of S3: they are made here, and signed by the SDK's own signer. Credentials come from the chain that
//! S3 uses. The stream is made where it is missing; the group is the operator's, who decides how long it keeps what, and
//! who may read it. Not for what a line says, nor for when to try again.

mod batch;
mod request;

use serde::{Deserialize, Serialize};

use self::request::{Answer, Service};
use crate::address::{Scheme, percent_decode};
use crate::{Address, Class, Result, SinkError};

pub use batch::{Batch, TEXT};

/// Longest name of a group or a stream.
const NAME: usize = 512;

/// A stream of a group.
pub struct LogStream {
    group: String,
    stream: String,
    shown: String,
    service: Service,
}

/// Events that the service took the request for and did not keep.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Refused {
    /// From over 14 days ago, or before what the group keeps.
    pub old: usize,
    /// From over two hours ahead of its clock.
    pub ahead: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Create<'a> {
    log_group_name: &'a str,
    log_stream_name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Put<'a> {
    log_group_name: &'a str,
    log_stream_name: &'a str,
    log_events: Vec<Event<'a>>,
}

#[derive(Serialize)]
struct Event<'a> {
    timestamp: i64,
    message: &'a str,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Taken {
    rejected_log_events_info: Option<Rejected>,
}

/// The first ends are exclusive, as the service's documentation has them.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Rejected {
    too_new_log_event_start_index: Option<usize>,
    too_old_log_event_end_index: Option<usize>,
    expired_log_event_end_index: Option<usize>,
}

impl LogStream {
    /// The stream of an address. Whether it is there shows at the first use.
    pub fn open(address: &Address) -> Result<Self> {
        if address.scheme() != Scheme::CloudWatch {
            return Err(address.bad("not the address of a log stream: cloudwatch://GROUP/STREAM"));
        }
        let options = address.options(&["region", "profile", "endpoint"])?;
        let body = percent_decode(address.body().as_bytes()).and_then(|bytes| String::from_utf8(bytes).ok());
        let body = body.ok_or_else(|| address.bad("group and stream are not percent-encoded UTF-8"))?;
        let (group, stream) = body.rsplit_once('/').unwrap_or((&body, ""));
        let of_group = |ch: char| ch.is_ascii_alphanumeric() || "_-/.#".contains(ch);
        let of_stream = |ch: char| ch != ':' && ch != '*' && !ch.is_control();
        let fits = |name: &str| (1..=NAME).contains(&name.len());
        if !fits(group) || !fits(stream) || !group.chars().all(of_group) || !stream.chars().all(of_stream) {
            return Err(address.bad(
                "a log group and a stream of it: cloudwatch://GROUP/STREAM; cloudwatch:///a/b/STREAM is of the group /a/b",
            ));
        }
        let service = Service::new(address, options)?;
        Ok(Self { group: group.into(), stream: stream.into(), shown: address.to_string(), service })
    }

    /// The address, for messages.
    pub fn address(&self) -> &str {
        &self.shown
    }

    /// Makes the stream, unless it is there.
    pub fn create(&self) -> Result<()> {
        let body = Create { log_group_name: &self.group, log_stream_name: &self.stream };
        match self.service.call("CreateLogStream", &body)? {
            Answer::Fine(_) => Ok(()),
            Answer::Error { code, .. } if code == "ResourceAlreadyExistsException" => Ok(()),
            Answer::Error { status, code, message } => Err(self.failed("make the log stream", status, &code, &message)),
        }
    }

    /// Puts a batch. It is there when this returns, but for what the service refused of it.
    pub fn put(&self, batch: &Batch) -> Result<Refused> {
        if batch.is_empty() {
            return Ok(Refused::default());
        }
        let events = batch.in_order();
        let count = events.len();
        let log_events =
            events.into_iter().map(|(time, text)| Event { timestamp: time.unix_ms(), message: text }).collect();
        let body = Put { log_group_name: &self.group, log_stream_name: &self.stream, log_events };
        let mut created = false;
        loop {
            match self.service.call("PutLogEvents", &body)? {
                Answer::Fine(bytes) => return Ok(refused(&bytes, count)),
                Answer::Error { code, .. } if code == "ResourceNotFoundException" && !created => {
                    self.create()?;
                    created = true;
                }
                Answer::Error { status, code, message } => {
                    return Err(self.failed("put lines into the log stream", status, &code, &message));
                }
            }
        }
    }

    fn failed(&self, action: &'static str, status: u16, code: &str, message: &str) -> SinkError {
        let (class, hint) = judge(status, code);
        let why = if code.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status} {code}: {message}") };
        let hint = hint.map(str::to_owned);
        SinkError::Remote { name: self.shown.clone(), action, why, class, hint, retry_after: None }
    }
}

/// How many the service has refused of so many.
fn refused(answer: &[u8], count: usize) -> Refused {
    let taken: Taken = serde_json::from_slice(answer).unwrap_or_default();
    let Some(rejected) = taken.rejected_log_events_info else { return Refused::default() };
    let old = rejected.too_old_log_event_end_index.max(rejected.expired_log_event_end_index).unwrap_or(0);
    let ahead = rejected.too_new_log_event_start_index.map_or(0, |start| count.saturating_sub(start));
    Refused { old, ahead }
}

/// What to do, and what a person can do.
fn judge(status: u16, code: &str) -> (Class, Option<&'static str>) {
    match code {
        "ResourceNotFoundException" => {
            (Class::Wait, Some("make the log group, or correct its name and the region: only the stream is made here"))
        }
        "AccessDeniedException" => (
            Class::Wait,
            Some("the credentials lack a right: logs:PutLogEvents, and logs:CreateLogStream where it is missing"),
        ),
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "ExpiredTokenException" => (
            Class::Wait,
            Some("the service does not take these credentials: look at the keys, the token and the clock"),
        ),
        "InvalidParameterException" | "SerializationException" | "ValidationException" => (Class::Never, None),
        _ => match status {
            408 | 409 | 429 | 500.. => (Class::Wait, None),
            413 => (Class::Never, None),
            // Throttling has this status here, and what is not known may pass.
            _ => (Class::Wait, Some("look at the endpoint and the options of the address")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{LogStream, Refused, refused};
    use crate::Address;

    #[test]
    fn addresses_name_a_group_and_a_stream() {
        let open = |address: &str| LogStream::open(&Address::parse(address).unwrap());
        let names = |address: &str| open(address).map(|one| (one.group, one.stream)).map_err(|e| e.to_string());
        let is = |group: &str, stream: &str| Ok((group.to_owned(), stream.to_owned()));
        assert_eq!(names("cloudwatch://hansard/prod?region=eu-west-1"), is("hansard", "prod"));
        assert_eq!(names("cloudwatch:///aws/x/a%20b"), is("/aws/x", "a b"));
        for (bad, why) in [
            ("cloudwatch://hansard", "cloudwatch://GROUP/STREAM"),
            ("cloudwatch://a/b%3Ac", "cloudwatch://GROUP/STREAM"),
            ("cloudwatch://a%20b/c", "cloudwatch://GROUP/STREAM"),
            ("cloudwatch://a/b?regoin=x", "the nearest known one is region"),
            ("cloudwatch://a/b?endpoint=localhost", "an endpoint begins with"),
            ("s3://a/b", "not the address of a log stream"),
        ] {
            let error = names(bad).unwrap_err();
            assert!(error.contains(why), "{bad}: {error}");
        }
    }

    #[test]
    fn what_was_not_kept_is_counted() {
        assert_eq!(refused(b"{\"nextSequenceToken\":\"1\"}", 9), Refused::default());
        let answer = br#"{"rejectedLogEventsInfo":{"tooNewLogEventStartIndex":7,"tooOldLogEventEndIndex":2,"expiredLogEventEndIndex":3}}"#;
        assert_eq!(refused(answer, 9), Refused { old: 3, ahead: 2 });
    }
}
