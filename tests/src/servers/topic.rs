//! Topics as the tests see them: made, written behind a recorder's back, read whole.
//!
//! By librdkafka, as the product does, but with none of its code.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};

use super::kafka::Kafka;
use super::runtime;
use crate::{SOON, wait_until};

/// One record of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its partition.
    pub partition: i32,
    /// Its place there.
    pub offset: i64,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Names and values, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Its value.
    pub value: Vec<u8>,
    /// Its time, in milliseconds since 1970.
    pub time_ms: i64,
}

impl Record {
    /// A header as text.
    pub fn header(&self, name: &str) -> Option<String> {
        let (_, value) = self.headers.iter().find(|(n, _)| n == name)?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    /// Its value as a JSON document.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.value).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

impl Kafka {
    /// Makes a topic of some partitions, with settings such as `cleanup.policy`.
    pub fn make_topic(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) {
        let admin: AdminClient<DefaultClientContext> = self.client().create().expect("a client");
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        for (key, value) in settings {
            topic = topic.set(key, value);
        }
        let options = AdminOptions::new().operation_timeout(Some(SOON)).request_timeout(Some(SOON));
        let made = runtime().block_on(admin.create_topics([&topic], &options)).expect("the broker answers");
        for result in made {
            result.unwrap_or_else(|(name, e)| panic!("{name}: {e}"));
        }
        wait_until("the topic has a leader", SOON, || {
            let metadata = admin.inner().fetch_metadata(Some(name), Duration::from_secs(5)).ok()?;
            let topic = metadata.topics().first()?;
            let led = topic.partitions().iter().filter(|p| p.leader() == 1).count();
            (led == usize::try_from(partitions).expect("a number of partitions")).then_some(())
        });
    }

    /// The topics of a prefix for recordings and events, made as a deployment would; gives the address for programs.
    pub fn place(&self, prefix: &str, partitions: i32) -> String {
        self.make_topic(&format!("{prefix}.recordings"), partitions, &[]);
        self.make_topic(&format!("{prefix}.events"), partitions, &[]);
        self.url(prefix)
    }

    /// The address of a prefix for programs.
    pub fn url(&self, prefix: &str) -> String {
        format!("kafka://{}/{prefix}", self.address())
    }

    /// Writes one record and waits until the broker has it.
    pub fn produce(&self, topic: &str, key: &str, headers: &[(&str, &str)], value: &[u8]) {
        let mut config = self.client();
        let producer: FutureProducer = config.set("acks", "all").create().expect("a client");
        let mut all = OwnedHeaders::new();
        for (name, value) in headers {
            all = all.insert(Header { key: name, value: Some(*value) });
        }
        let record = FutureRecord::to(topic).key(key).headers(all).payload(value);
        runtime().block_on(producer.send(record, SOON)).unwrap_or_else(|(e, _)| panic!("{topic}: {e}"));
    }

    /// Everything that a topic holds now, by partition and offset.
    pub fn records(&self, topic: &str) -> Vec<Record> {
        let mut config = self.client();
        // `group.id` is asked for by the library and used for nothing: partitions are assigned by hand.
        config.set("group.id", "the test").set("enable.auto.commit", "false").set("enable.partition.eof", "true");
        let client: BaseConsumer = config.create().expect("a client");
        let metadata = client.fetch_metadata(Some(topic), SOON).expect("the broker answers");
        let partitions: Vec<i32> = metadata.topics()[0].partitions().iter().map(|p| p.id()).collect();
        let mut list = TopicPartitionList::new();
        for partition in &partitions {
            list.add_partition_offset(topic, *partition, Offset::Beginning).expect("a partition");
        }
        client.assign(&list).expect("assigned");
        let (mut records, mut ended) = (Vec::new(), 0);
        while ended < partitions.len() {
            match client.poll(SOON) {
                None => panic!("the end of {topic} was not reached"),
                Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => ended += 1,
                Some(Err(e)) => panic!("{topic}: {e}"),
                Some(Ok(message)) => records.push(Record {
                    partition: message.partition(),
                    offset: message.offset(),
                    key: message.key().map(<[u8]>::to_vec),
                    headers: message.headers().map_or(Vec::new(), |all| {
                        all.iter().map(|h| (h.key.into(), h.value.unwrap_or_default().to_vec())).collect()
                    }),
                    value: message.payload().unwrap_or_default().to_vec(),
                    time_ms: message.timestamp().to_millis().unwrap_or_default(),
                }),
            }
        }
        records.sort_by_key(|r| (r.partition, r.offset));
        records
    }
}
