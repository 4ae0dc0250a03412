//! Kafka as sink and store, against librdkafka's mock cluster: the conformance suite, and faults of brokers and topics.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot be set up fails")]

use std::sync::Arc;

use hansard_schemas::names::SegmentName;
use hansard_schemas::{ChainId, Digest, SessionId};
use hansard_sinks::{Address, Class, Put, Sink, Store, TimeRange, conformance, open_sink, open_store};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

type Cluster = MockCluster<'static, DefaultProducerContext>;

fn cluster() -> Cluster {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("t.recordings", 3, 1).unwrap();
    cluster.create_topic("t.events", 2, 1).unwrap();
    cluster
}

fn address(cluster: &Cluster) -> Address {
    Address::parse(&format!("kafka://{}/t?timeout=3s", cluster.bootstrap_servers())).unwrap()
}

fn sink(cluster: &Cluster) -> Arc<dyn Sink> {
    open_sink(&address(cluster)).unwrap()
}

fn store(cluster: &Cluster) -> Arc<dyn Store> {
    open_store(&address(cluster)).unwrap()
}

fn name(number: u32, bytes: &[u8]) -> String {
    let session = SessionId::new(1_795_339_800_000, &[1; 10]);
    SegmentName::new(&ChainId(Digest([7; 32])), session, number, &Digest::of(bytes)).path()
}

#[test]
fn topics_conform() {
    let cluster = cluster();
    let failures = conformance::run(&*sink(&cluster), &*sink(&cluster), &*store(&cluster));
    assert!(failures.0.is_empty(), "{failures:#?}");
}

#[test]
fn a_store_follows_and_gives_every_copy() {
    let cluster = cluster();
    let (sink, store) = (sink(&cluster), store(&cluster));
    assert!(store.sessions(&TimeRange::default()).unwrap().is_empty());
    for count in 1..=3 {
        assert_eq!(sink.put_once(&name(0, b"x"), b"x").unwrap(), Put::Stored);
        let session = store.sessions(&TimeRange::default()).unwrap().remove(0);
        let parts = store.parts(&session).unwrap();
        assert_eq!(parts.len(), count);
        assert!(parts.iter().all(|part| store.read(part, None).unwrap() == b"x"));
        let mut gone = parts[0].clone();
        gone.key = "0/999".into();
        assert!(store.read(&gone, None).is_err());
    }
}

#[test]
fn errors_of_a_broker_that_pass_lose_and_double_nothing() {
    let cluster = cluster();
    let sink = sink(&cluster);
    use RDKafkaRespErr::{RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION as A, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT as B};
    cluster.request_errors(RDKafkaApiKey::Produce, &[A, B]);
    assert_eq!(sink.put_once(&name(0, b"x"), b"x").unwrap(), Put::Stored);
    let store = store(&cluster);
    let session = store.sessions(&TimeRange::default()).unwrap().remove(0);
    assert_eq!(store.parts(&session).unwrap().len(), 1);
}

#[test]
fn a_broker_that_is_away_is_waited_for_and_taken_up_again() {
    let cluster = cluster();
    let (sink, store) = (sink(&cluster), store(&cluster));
    sink.put_once(&name(0, b"x"), b"x").unwrap();
    cluster.broker_down(1).unwrap();
    assert_ne!(sink.put_once(&name(1, b"y"), b"y").unwrap_err().class(), Class::Never);
    assert_ne!(store.sessions(&TimeRange::default()).unwrap_err().class(), Class::Never);
    cluster.broker_up(1).unwrap();
    let again = (0..5).find_map(|_| sink.put_once(&name(1, b"y"), b"y").ok());
    assert_eq!(again, Some(Put::Stored));
    let sessions = (0..5).find_map(|_| store.sessions(&TimeRange::default()).ok()).unwrap();
    let numbers: Vec<u32> = store.parts(&sessions[0]).unwrap().iter().map(|part| part.name.number).collect();
    assert!(numbers.contains(&0) && numbers.contains(&1), "{numbers:?}");
}

#[test]
fn refusals_have_a_class_and_a_hint() {
    for (error, class, hint) in [
        (RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, Class::Wait, "needs WRITE"),
        (RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, Class::Wait, "create the topic"),
    ] {
        let cluster = cluster();
        cluster.topic_error("t.recordings", error).unwrap();
        let error = sink(&cluster).put_once(&name(0, b"x"), b"x").unwrap_err();
        assert_eq!(error.class(), class, "{error}");
        assert!(error.hint().is_some_and(|text| text.contains(hint)), "{error:?}");
        assert!(store(&cluster).sessions(&TimeRange::default()).is_err());
    }
    let cluster = cluster();
    let sink = sink(&cluster);
    cluster.request_errors(RDKafkaApiKey::Produce, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE]);
    let error = sink.put_once(&name(0, b"x"), b"x").unwrap_err();
    assert_eq!(error.class(), Class::Never, "{error}");
    assert!(error.hint().is_some_and(|text| text.contains("max_message")), "{error:?}");
}
