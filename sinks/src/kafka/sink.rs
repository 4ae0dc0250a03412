//! Putting objects into topics: one record each, taken when all replicas in sync have it.
//!
//! The broker is asked for everything durable: `acks=all`, idempotent, nothing compressed (segments are). The producer,
//! with its threads, comes to be at the first put. A put that was not answered in time gives the producer up, so that
//! nothing is sent behind the caller's back while he tries again.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hansard_schemas::names::{ChainName, EventName, SegmentName};
use rdkafka::ClientContext;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::types::RDKafkaErrorCode as Code;

use super::faults::{Reasons, coded, failed, silent};
use super::place::{NAME_LENGTH, Place};
use super::{CONTENT_TYPE, FORMAT, NAME, SEGMENT, SESSION};
use crate::file::components;
use crate::{Address, Finding, Limits, Probe, Put, Result, Sink, SinkError};

/// How much longer than its own time-out the library is waited for.
const GRACE: Duration = Duration::from_secs(5);

/// How long is looked for the reason of a time-out.
const LOOK: Duration = Duration::from_secs(2);

/// Topics that take objects.
pub struct KafkaSink {
    place: Place,
    producer: Mutex<Option<Arc<Client>>>,
}

struct Client {
    producer: ThreadedProducer<Delivery>,
    reasons: Reasons,
}

/// Tells who put a record what became of it.
struct Delivery(Reasons);

impl ClientContext for Delivery {
    fn error(&self, error: KafkaError, reason: &str) {
        self.0.put(&error, reason);
    }
}

impl ProducerContext for Delivery {
    type DeliveryOpaque = Box<SyncSender<Result<(), KafkaError>>>;

    fn delivery(&self, result: &DeliveryResult<'_>, to: Self::DeliveryOpaque) {
        // Who has gone away needs no answer.
        let _ = to.try_send(result.as_ref().map(|_| ()).map_err(|(error, _)| error.clone()));
    }
}

/// Where an object goes, and what its record says beside the value.
struct Record<'a> {
    topic: &'a str,
    key: String,
    headers: OwnedHeaders,
}

impl KafkaSink {
    /// A sink over the topics that an address names. Nothing is connected yet.
    pub fn open(address: &Address) -> Result<Self> {
        Ok(Self { place: Place::open(address)?, producer: Mutex::new(None) })
    }

    fn client(&self) -> Result<Arc<Client>> {
        let mut slot = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = slot.as_ref() {
            return Ok(Arc::clone(client));
        }
        let timeout = self.place.timeout.as_millis().to_string();
        let mut config = self.place.config()?;
        config.set("acks", "all").set("enable.idempotence", "true").set("compression.type", "none");
        config.set("message.timeout.ms", &timeout).set("request.timeout.ms", &timeout).set("linger.ms", "0");
        config.set("message.max.bytes", self.place.max_message.to_string());
        // A topic that is not there is said to be so soon; the caller waits and tries again anyway.
        config.set("topic.metadata.propagation.max.ms", "5000");
        let reasons = Reasons::default();
        let producer = ThreadedProducer::from_config_and_context(&config, Delivery(reasons.clone()))
            .map_err(|e| failed(&self.place.address, "make a client", &e, &reasons))?;
        let client = Arc::new(Client { producer, reasons });
        *slot = Some(Arc::clone(&client));
        Ok(client)
    }

    /// The next put makes a new producer, if this is still the one.
    fn give_up(&self, client: &Arc<Client>) {
        let mut slot = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        slot.take_if(|there| Arc::ptr_eq(there, client));
    }

    /// Why a record was never sent, where the broker says it of the topic: the library keeps the record until its time
    /// is up and then tells that only.
    fn refusal(&self, client: &Client, topic: &str, name: &str) -> Option<SinkError> {
        let metadata = client.producer.client().fetch_metadata(Some(topic), LOOK).ok()?;
        let code = metadata.topics().first()?.error()?;
        Some(coded(name, "put", code.into(), &client.reasons))
    }

    fn record(&self, name: &str) -> Record<'_> {
        let header = |key, value| Header { key, value: Some(value) };
        let headers = OwnedHeaders::new().insert(header(NAME, name)).insert(header(FORMAT.0, FORMAT.1));
        let topic = self.place.recordings.as_str();
        if let Ok(segment) = SegmentName::parse(name) {
            let (session, number) = (segment.session.to_string(), segment.number.to_string());
            let headers = headers.insert(header(SESSION, &session)).insert(header(SEGMENT, &number));
            return Record { topic, key: session, headers };
        }
        if let Ok(event) = EventName::parse(name) {
            let key = event.session.map_or(event.chain16, |session| session.to_string());
            let headers = headers.insert(header(CONTENT_TYPE.0, CONTENT_TYPE.1));
            return Record { topic: &self.place.events, key, headers };
        }
        let key = ChainName::parse(name).map_or_else(|_| name.to_owned(), |chain| chain.chain.to_string());
        Record { topic, key, headers }
    }
}

impl Sink for KafkaSink {
    fn put_once(&self, name: &str, bytes: &[u8]) -> Result<Put> {
        components(name)?;
        if name.len() > NAME_LENGTH {
            return Err(SinkError::BadName { name: name.into(), why: "longer than 1024 bytes" });
        }
        let (length, limit) = (bytes.len() as u64, self.place.max_object());
        if length > limit {
            return Err(SinkError::TooLarge { name: name.into(), bytes: length, limit });
        }
        let client = self.client()?;
        client.reasons.forget();
        let Record { topic, key, headers } = self.record(name);
        let told = format!("{topic}: {name}");
        let (to, from) = sync_channel(1);
        let record = BaseRecord::with_opaque_to(topic, Box::new(to)).key(&key).payload(bytes).headers(headers);
        let sent = client.producer.send(record).map_err(|(error, _)| error);
        let answer = match sent {
            Ok(()) => from.recv_timeout(self.place.timeout + GRACE).ok(),
            Err(error) => Some(Err(error)),
        };
        let error = match answer {
            Some(Ok(())) => return Ok(Put::Stored),
            Some(Err(error)) => match error.rdkafka_error_code() {
                Some(Code::MessageTimedOut) => {
                    self.refusal(&client, topic, &told).unwrap_or_else(|| failed(&told, "put", &error, &client.reasons))
                }
                _ => failed(&told, "put", &error, &client.reasons),
            },
            None => {
                self.give_up(&client);
                silent(&told, "put", &client.reasons)
            }
        };
        // After a fatal error an idempotent producer takes nothing more.
        if client.producer.client().fatal_error().is_some() {
            self.give_up(&client);
        }
        Err(error)
    }

    fn limits(&self) -> Limits {
        Limits { max_object: Some(self.place.max_object()), appends: true }
    }

    fn address(&self) -> &str {
        &self.place.address
    }

    fn place(&self) -> &str {
        &self.place.place
    }

    fn probe(&self, probe: &Probe) -> Vec<Finding> {
        super::probe::run(self, &self.place, probe)
    }
}
