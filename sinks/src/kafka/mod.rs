//! Topics of a Kafka-compatible broker as sink and store.
//!
//! `<prefix>.recordings` holds segments and chain objects, `<prefix>.events` lifecycle events (Kafka binding of
//! CloudEvents, structured mode). A log keeps every copy: the sink never looks, the store gives them all. What an object
//! is, its record says in a header; the key keeps a session's records in one partition and so in order. The time of a
//! record is that of its sending, so that retention counts from there.

mod faults;
mod index;
mod place;
mod probe;
mod sink;
mod store;

pub use sink::KafkaSink;
pub use store::KafkaStore;

/// Header with the full name of the object.
const NAME: &str = "hansard-name";
/// Header with the version of the record's form.
const FORMAT: (&str, &str) = ("hansard-format", "1");
/// Header with the session of a segment.
const SESSION: &str = "hansard-session";
/// Header with the number of a segment.
const SEGMENT: &str = "hansard-segment";
/// Header that says what an event's value is.
const CONTENT_TYPE: (&str, &str) = ("content-type", "application/cloudevents+json");
