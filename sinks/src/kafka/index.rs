//! What a topic holds: the places and names of its records, without their values.
//!
//! Built by reading all partitions from their beginning to the end they have at the time of the call, and continued from
//! there at the next. Not by the time of records: a host's clock, and with it that time, is a claim.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::types::RDKafkaErrorCode as Code;
use rdkafka::{Offset, TopicPartitionList};

use super::NAME;
use super::faults::{Reasons, coded, failed, passes, silent};
use super::place::Place;
use crate::Result;

/// How long one poll waits, so that deadlines are seen.
const POLL: Duration = Duration::from_millis(200);
/// How long is listened for why nothing answers.
const LISTEN: Duration = Duration::from_secs(3);

/// A consumer of one topic, which joins no group and commits nothing.
pub(super) struct Reader {
    topic: String,
    /// The topic and its place, for messages.
    told: String,
    timeout: Duration,
    consumer: BaseConsumer<Reasons>,
    reasons: Reasons,
}

/// One record.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The name its header gives; empty if there is none.
    pub(super) name: String,
    pub(super) bytes: u64,
}

/// The records of a topic by partition and offset.
#[derive(Debug, Default)]
pub(super) struct Index {
    next: BTreeMap<i32, i64>,
    pub(super) entries: BTreeMap<(i32, i64), Entry>,
}

/// What the header of a record calls it.
pub(super) fn name_of(message: &BorrowedMessage<'_>) -> String {
    let headers = message.headers().into_iter().flat_map(|all| all.iter());
    let mut names = headers.filter(|header| header.key == NAME).filter_map(|header| header.value);
    names.next().map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
}

impl Reader {
    pub(super) fn connect(place: &Place, topic: &str) -> Result<Self> {
        let mut config = place.config()?;
        // The library wants the name of a group; partitions are assigned by hand and nobody joins it.
        config.set("group.id", "hansard-replay").set("enable.auto.commit", "false");
        config.set("enable.partition.eof", "true").set("auto.offset.reset", "earliest");
        config.set("allow.auto.create.topics", "false").set("check.crcs", "true").set("fetch.wait.max.ms", "100");
        // One message of the largest kind fits, whatever else comes with it.
        config.set("receive.message.max.bytes", "300000000");
        let reasons = Reasons::default();
        let consumer = BaseConsumer::from_config_and_context(&config, reasons.clone())
            .map_err(|e| failed(&place.address, "make a client", &e, &reasons))?;
        let told = format!("{topic} of {}", place.address);
        Ok(Self { topic: topic.into(), told, timeout: place.timeout, consumer, reasons })
    }

    /// Hears why nothing answers: the library says it to whoever polls, and not to whoever waits for an answer.
    fn listen(&self) {
        let begun = Instant::now();
        while self.reasons.last().is_none() && begun.elapsed() < LISTEN {
            let _ = self.consumer.poll(POLL);
        }
    }

    pub(super) fn partitions(&self) -> Result<Vec<i32>> {
        let error = |e: &KafkaError| failed(&self.told, "look up", e, &self.reasons);
        let metadata = self.consumer.fetch_metadata(Some(&self.topic), self.timeout).map_err(|e| {
            self.listen();
            error(&e)
        })?;
        let topic = metadata.topics().first();
        if let Some(code) = topic.and_then(|topic| topic.error()) {
            return Err(coded(&self.told, "look up", code.into(), &self.reasons));
        }
        let found: Vec<i32> = topic.map(|t| t.partitions().iter().map(|p| p.id()).collect()).unwrap_or_default();
        if found.is_empty() {
            return Err(coded(&self.told, "look up", Code::UnknownTopicOrPartition, &self.reasons));
        }
        Ok(found)
    }

    fn assign(&self, from: &BTreeMap<i32, i64>) -> Result<()> {
        let error = |e: KafkaError| failed(&self.told, "read", &e, &self.reasons);
        let mut list = TopicPartitionList::new();
        for (partition, offset) in from {
            list.add_partition_offset(&self.topic, *partition, Offset::Offset(*offset)).map_err(error)?;
        }
        self.consumer.assign(&list).map_err(error)
    }

    /// Gives each message, and the partition whose end was reached, until `done` says so. Ends with an error when
    /// nothing comes for as long as a request may take.
    fn each(&self, mut done: impl FnMut(std::result::Result<BorrowedMessage<'_>, i32>) -> bool) -> Result<()> {
        let mut last = Instant::now();
        loop {
            match self.consumer.poll(POLL) {
                Some(Ok(message)) => {
                    last = Instant::now();
                    if done(Ok(message)) {
                        return Ok(());
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) if done(Err(partition)) => return Ok(()),
                Some(Err(KafkaError::PartitionEOF(_))) => {}
                Some(Err(error)) if !error.rdkafka_error_code().is_some_and(passes) => {
                    return Err(failed(&self.told, "read", &error, &self.reasons));
                }
                _ => {}
            }
            if last.elapsed() > self.timeout {
                return Err(silent(&self.told, "read", &self.reasons));
            }
        }
    }

    /// The name and the value of one record, if it is still there.
    pub(super) fn read(&self, partition: i32, offset: i64) -> Result<Option<(String, Vec<u8>)>> {
        self.assign(&BTreeMap::from([(partition, offset)]))?;
        let mut found = None;
        let ended = self.each(|got| match got {
            Ok(message) if message.partition() != partition || message.offset() < offset => false,
            Ok(message) => {
                if message.offset() == offset {
                    found = Some((name_of(&message), message.payload().unwrap_or_default().to_vec()));
                }
                true
            }
            Err(end) => end == partition,
        });
        // What was fetched ahead is let go.
        let _ = self.consumer.unassign();
        ended.map(|()| found)
    }
}

impl Index {
    /// Takes in what came since the last time, and lets go what the broker has removed.
    pub(super) fn follow(&mut self, reader: &Reader) -> Result<()> {
        let (mut from, mut ends) = (BTreeMap::new(), BTreeMap::new());
        for partition in reader.partitions()? {
            let marks = reader.consumer.fetch_watermarks(&reader.topic, partition, reader.timeout);
            let (low, high) = marks.map_err(|e| failed(&reader.told, "look up", &e, &reader.reasons))?;
            if self.next.get(&partition).is_some_and(|next| *next > high) {
                // Another topic of the same name.
                *self = Self::default();
                return self.follow(reader);
            }
            self.entries.retain(|(of, offset), _| *of != partition || *offset >= low);
            let next = self.next.get(&partition).copied().unwrap_or(0).max(low);
            if next < high {
                from.insert(partition, next);
                ends.insert(partition, high);
            }
        }
        if from.is_empty() {
            return Ok(());
        }
        reader.assign(&from)?;
        let mut open: BTreeSet<i32> = from.keys().copied().collect();
        let ended = reader.each(|got| {
            match got {
                Ok(message) => {
                    let (partition, offset) = (message.partition(), message.offset());
                    let bytes = message.payload_len() as u64;
                    self.entries.insert((partition, offset), Entry { name: name_of(&message), bytes });
                    self.next.insert(partition, offset + 1);
                    if ends.get(&partition).is_none_or(|end| offset + 1 >= *end) {
                        open.remove(&partition);
                    }
                }
                Err(partition) => {
                    open.remove(&partition);
                }
            }
            open.is_empty()
        });
        let _ = reader.consumer.unassign();
        ended
    }
}
