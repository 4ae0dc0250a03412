//! The receiver of events: each is a POST. Not for signatures, nor for when to try again.

use std::sync::OnceLock;
use std::time::Duration;

use hansard_schemas::Digest;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};

use super::signature::Secret;
use crate::error::with_causes;
use crate::{Address, Class, EventObject, EventSink, Result, SinkError, runtime};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a request may take altogether; receivers are told to answer within 15 to 30 s.
const REQUEST: Duration = Duration::from_secs(30);
/// Longest pause that a receiver can ask for.
const RETRY_AFTER_MAX: u64 = 3_600;

/// A receiver of events.
pub struct WebhookSink {
    url: Url,
    shown: String,
    place: String,
    secret: Option<Secret>,
    client: OnceLock<Client>,
}

impl WebhookSink {
    /// The webhook of this address, with the secret of the environment, if there is one.
    pub fn open(address: &Address) -> Result<Self> {
        let secret = Secret::of_environment().map_err(|why| address.bad(why))?;
        Self::with(address, secret)
    }

    /// The webhook of this address, signing with this secret.
    pub fn with(address: &Address, secret: Option<Secret>) -> Result<Self> {
        let url = Url::parse(address.as_str()).map_err(|e| address.bad(format!("not a URL: {e}")))?;
        if url.host_str().is_none_or(str::is_empty) {
            return Err(address.bad("a webhook has a host: https://host/path"));
        }
        let place = format!("webhook:{}", Digest::of(url.as_str().as_bytes()));
        Ok(Self { url, shown: address.to_string(), place, secret, client: OnceLock::new() })
    }

    /// Whether its requests are signed.
    pub fn is_signed(&self) -> bool {
        self.secret.is_some()
    }

    fn client(&self) -> Result<&Client, reqwest::Error> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = Client::builder()
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            .timeout(REQUEST)
            .user_agent(concat!("hansard-record/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(self.client.get_or_init(|| client))
    }

    async fn post(&self, event: &EventObject<'_>, now: i64) -> Result<(StatusCode, Option<u64>), reqwest::Error> {
        let mut request = self
            .client()?
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/cloudevents+json; charset=utf-8")
            .header("webhook-id", event.id)
            .header("webhook-timestamp", now);
        if let Some(secret) = &self.secret {
            request = request.header("webhook-signature", secret.sign(event.id, now, event.json));
        }
        let answer = request.body(event.json.to_vec()).send().await?;
        let pause = answer.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok()).and_then(|v| seconds(v, now));
        Ok((answer.status(), pause))
    }

    fn refused(&self, class: Class, why: String, hint: Option<&str>, pause: Option<u64>) -> SinkError {
        SinkError::Remote {
            name: self.shown.clone(),
            action: "deliver an event",
            why,
            class,
            hint: hint.map(Into::into),
            retry_after: pause.map(Duration::from_secs),
        }
    }
}

/// `Retry-After`: seconds, or a date.
fn seconds(value: &str, now: i64) -> Option<u64> {
    let asked = value.trim().parse().ok().or_else(|| {
        let until = chrono::DateTime::parse_from_rfc2822(value.trim()).ok()?.timestamp();
        u64::try_from(until - now).ok()
    });
    asked.map(|seconds: u64| seconds.min(RETRY_AFTER_MAX))
}

/// What to do about an answer that is no success, and what a person can do.
fn judged(status: StatusCode) -> (Class, Option<&'static str>) {
    match status.as_u16() {
        300..=399 => (Class::Never, Some("redirects are not followed: give the address that it redirects to")),
        401 | 403 => (Class::Wait, Some("the receiver wants another secret: see HANSARD_WEBHOOK_SECRET")),
        404 | 405 => (Class::Wait, Some("nothing takes events at this address: see the path")),
        410 => (Class::Never, Some("the receiver wants no more events: take this address out of notify")),
        408 | 425 => (Class::Retry, None),
        413 => (Class::Never, Some("the receiver does not take events of this size")),
        429 => (Class::Wait, None),
        400..=499 => (Class::Never, Some("the receiver does not take this event: see its log")),
        _ => (Class::Wait, None),
    }
}

impl EventSink for WebhookSink {
    fn send(&self, event: &EventObject<'_>) -> Result<()> {
        let now = chrono::Utc::now().timestamp();
        let answer = runtime::block_on(self.post(event, now)).map_err(|source| SinkError::Io {
            name: self.shown.clone(),
            action: "deliver an event",
            source,
        })?;
        match answer {
            Ok((status, _)) if status.is_success() => Ok(()),
            Ok((status, pause)) => {
                let (class, hint) = judged(status);
                Err(self.refused(class, format!("it answered {status}"), hint, pause))
            }
            Err(e) => Err(self.refused(Class::Wait, with_causes(&e.without_url()), None, None)),
        }
    }

    fn address(&self) -> &str {
        &self.shown
    }

    fn place(&self) -> &str {
        &self.place
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use hansard_schemas::names::EventName;

    use super::*;

    /// Sends one event to a receiver that gives this answer; the request comes back with the result.
    fn sent(answer: &'static str) -> (String, Result<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/s3cret-path?token=s3cret", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"{\"a\":1}") {
                let mut more = [0; 1024];
                let read = client.read(&mut more).unwrap();
                assert!(read > 0, "{request:?}");
                request.extend_from_slice(&more[..read]);
            }
            client.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(request).unwrap()
        });
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let sink = WebhookSink::with(&Address::parse(&url).unwrap(), Some(secret)).unwrap();
        let path = "events/2026/11/22/00112233aabbccdd/20261122T093000.125Z_host_h_u_-.checkpoint.json";
        let name = EventName::parse(path).unwrap();
        let result = sink.send(&EventObject { name: &name, id: "one.two", json: b"{\"a\":1}" });
        (server.join().unwrap(), result)
    }

    #[test]
    fn an_event_is_posted_with_the_headers_of_standard_webhooks() {
        let (request, result) = sent("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
        result.unwrap();
        let header = |name: &str| {
            let line = request.lines().find_map(|l| l.strip_prefix(&format!("{name}: ")));
            line.unwrap_or_else(|| panic!("{name}: {request}")).to_owned()
        };
        assert!(request.starts_with("POST /s3cret-path?token=s3cret HTTP/1.1\r\n"), "{request}");
        assert_eq!(header("content-type"), "application/cloudevents+json; charset=utf-8");
        assert_eq!(header("webhook-id"), "one.two");
        let time = header("webhook-timestamp").parse().unwrap();
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert_eq!(header("webhook-signature"), secret.sign("one.two", time, b"{\"a\":1}"));
    }

    #[test]
    fn refusals_are_told_apart_and_messages_hide_the_address() {
        for (answer, class, pause) in [
            ("410 Gone\r\n", Class::Never, None),
            ("400 Bad Request\r\n", Class::Never, None),
            ("302 Found\r\nlocation: http://127.0.0.1:1/\r\n", Class::Never, None),
            ("401 Unauthorized\r\n", Class::Wait, None),
            ("503 Service Unavailable\r\nretry-after: 7\r\n", Class::Wait, Some(Duration::from_secs(7))),
            ("429 Too Many Requests\r\nretry-after: 999999\r\n", Class::Wait, Some(Duration::from_secs(3_600))),
        ] {
            let whole = format!("HTTP/1.1 {answer}content-length: 0\r\nconnection: close\r\n\r\n");
            let (_, result) = sent(String::leak(whole));
            let error = result.unwrap_err();
            assert_eq!((error.class(), error.retry_after()), (class, pause), "{answer}: {error}");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn a_receiver_that_is_away_is_waited_for_and_its_path_is_not_shown() {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let address = Address::parse(&format!("http://{closed}/s3cret")).unwrap();
        let sink = WebhookSink::with(&address, None).unwrap();
        let path = "events/2026/11/22/00112233aabbccdd/20261122T093000.125Z_host_h_u_-.checkpoint.json";
        let name = EventName::parse(path).unwrap();
        let error = sink.send(&EventObject { name: &name, id: "1", json: b"{}" }).unwrap_err();
        assert_eq!(error.class(), Class::Wait);
        let text = format!("{error} {} {} {address}", sink.address(), sink.place());
        assert!(!text.contains("s3cret"), "{text}");
        assert_eq!(seconds("Sun, 22 Nov 2026 09:30:10 GMT", 1_795_339_800), Some(10));
    }
}
