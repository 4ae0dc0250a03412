//! From an address to the place it names.
//!
//! Nothing is connected, created or spawned here: a process may still fork. A place does that at its first use.

use std::sync::Arc;

use crate::address::{Address, Scheme};
use crate::events::AsObjects;
use crate::ndjson::NdjsonSink;
use crate::{EventSink, Result, Sink, Store, file, spool};
#[cfg(feature = "remote")]
use crate::{kafka, s3, webhook::WebhookSink};

/// Opens the place that takes recordings.
pub fn open_sink(address: &Address) -> Result<Arc<dyn Sink>> {
    match address.scheme() {
        Scheme::File => Ok(Arc::new(file::FileSink::open(address)?)),
        #[cfg(feature = "remote")]
        Scheme::S3 => Ok(Arc::new(s3::S3Sink::open(address)?)),
        #[cfg(feature = "remote")]
        Scheme::Kafka => Ok(Arc::new(kafka::KafkaSink::open(address)?)),
        #[cfg(not(feature = "remote"))]
        Scheme::S3 | Scheme::Kafka => Err(left_out(address)),
        Scheme::Spool => Err(address.bad("a spool is read from: its recorder alone writes there")),
        Scheme::CloudWatch => Err(lines_only(address)),
        Scheme::Http | Scheme::Https => Err(address.bad("a webhook takes events only: give it with --notify")),
    }
}

/// Opens a place to read from. Whether it is there shows at the first use.
pub fn open_store(address: &Address) -> Result<Arc<dyn Store>> {
    match address.scheme() {
        Scheme::File => Ok(Arc::new(file::FileStore::open(address)?)),
        Scheme::Spool => Ok(Arc::new(spool::SpoolStore::open(address)?)),
        #[cfg(feature = "remote")]
        Scheme::S3 => Ok(Arc::new(s3::S3Store::open(address)?)),
        #[cfg(feature = "remote")]
        Scheme::Kafka => Ok(Arc::new(kafka::KafkaStore::open(address)?)),
        #[cfg(not(feature = "remote"))]
        Scheme::S3 | Scheme::Kafka => Err(left_out(address)),
        Scheme::CloudWatch => Err(lines_only(address)),
        Scheme::Http | Scheme::Https => Err(address.bad("nothing can be read from a webhook")),
    }
}

/// Opens a place that takes events.
pub fn open_notify(address: &Address) -> Result<Arc<dyn EventSink>> {
    match address.scheme() {
        Scheme::File => Ok(Arc::new(NdjsonSink::open(address)?)),
        #[cfg(feature = "remote")]
        Scheme::Http | Scheme::Https => Ok(Arc::new(WebhookSink::open(address)?)),
        #[cfg(not(feature = "remote"))]
        Scheme::Http | Scheme::Https => Err(left_out(address)),
        Scheme::S3 | Scheme::Kafka | Scheme::Spool | Scheme::CloudWatch => Ok(Arc::new(AsObjects(open_sink(address)?))),
    }
}

fn lines_only(address: &Address) -> crate::SinkError {
    address.bad("a log stream takes lines of text, and nothing else: `hansard-replay forward --to`")
}

#[cfg(not(feature = "remote"))]
fn left_out(address: &Address) -> crate::SinkError {
    address
        .bad("this program was built without what reaches S3, Kafka and webhooks: build it with the feature `remote`")
}
