//! Putting objects: one conditional request each, from memory, which needs the right to put and no other.
//!
//! Where the name is taken and the credentials may read, what lies there is compared. Where they may not, the caller is
//! told so: it knows what the name says of the bytes.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::put_object::PutObjectError;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::ChecksumAlgorithm;
use hansard_schemas::limits;

use super::client::Connection;
use super::errors::{failed, status};
use super::options::Options;
use super::{key, probe};
use crate::{Address, Class, Finding, Limits, Probe, Put, Result, Sink, SinkError};

/// A bucket that takes objects.
pub struct S3Sink {
    pub(super) connection: Arc<Connection>,
    place: String,
}

/// What came of one conditional put.
pub(super) enum Once {
    /// It is there now.
    Stored,
    /// The name was taken.
    Taken,
}

impl S3Sink {
    /// A sink for an address. Nothing is connected yet.
    pub fn open(address: &Address) -> Result<Self> {
        let options = Options::of(address)?;
        Ok(Self { place: options.place(), connection: Arc::new(Connection::new(options)) })
    }

    /// One conditional put.
    pub(super) fn once(&self, name: &str, bytes: &[u8]) -> Result<Once> {
        let key = key(&self.connection.options.prefix, name)?;
        let length = bytes.len() as u64;
        let answer = self.connection.answer(name, "put", length, |client, options| put(client, options, key, bytes))?;
        match answer {
            Ok(()) => Ok(Once::Stored),
            Err(error) if status(&error) == 412 => Ok(Once::Taken),
            Err(error) => Err(failed(name, "put", &error)),
        }
    }

    /// Whether `bytes` lie under a name that is taken; `None` where that cannot be read.
    fn same(&self, name: &str, bytes: &[u8]) -> Result<Option<bool>> {
        let key = key(&self.connection.options.prefix, name)?;
        let length = bytes.len() as u64;
        let answer = self.connection.answer(name, "read", length, |client, options| async move {
            let object = client.get_object().bucket(options.bucket).key(key).send().await?;
            let stored = object.content_length().and_then(|length| u64::try_from(length).ok());
            if stored.is_some_and(|stored| stored != length) {
                return Ok(Some(false));
            }
            let mut body = object.body;
            let mut rest = bytes;
            while let Some(piece) = body.next().await {
                let Ok(piece) = piece else { return Ok(None) };
                match rest.strip_prefix(&*piece) {
                    Some(after) => rest = after,
                    None => return Ok(Some(false)),
                }
            }
            Ok::<_, SdkError<_>>(Some(rest.is_empty()))
        })?;
        match answer {
            Ok(Some(same)) => Ok(Some(same)),
            Ok(None) => Err(again(name, "the answer broke off")),
            Err(error) if matches!(status(&error), 401 | 403 | 405 | 501) => Ok(None),
            Err(error) if status(&error) == 404 => Err(again(name, "the name was taken, and is free again")),
            Err(error) => Err(failed(name, "read", &error)),
        }
    }
}

fn again(name: &str, why: &str) -> SinkError {
    let (name, why) = (name.into(), why.into());
    SinkError::Remote { name, action: "put", why, class: Class::Retry, hint: None, retry_after: None }
}

async fn put(client: Client, options: Options, key: String, bytes: &[u8]) -> Result<(), SdkError<PutObjectError>> {
    let mut request = client
        .put_object()
        .bucket(options.bucket)
        .key(key)
        .if_none_match("*")
        .content_type("application/octet-stream")
        .set_server_side_encryption(options.sse)
        .set_ssekms_key_id(options.kms_key)
        .body(ByteStream::from(bytes.to_vec()));
    if let Some((mode, days)) = options.lock {
        let until = SystemTime::now() + Duration::from_secs(u64::from(days) * 86_400);
        // S3 takes a lock only with a checksum, whatever the mode of checksums.
        request = request
            .object_lock_mode(mode)
            .object_lock_retain_until_date(DateTime::from(until))
            .checksum_algorithm(ChecksumAlgorithm::Crc32);
    }
    request.send().await.map(|_| ())
}

impl Sink for S3Sink {
    fn put_once(&self, name: &str, bytes: &[u8]) -> Result<Put> {
        let length = bytes.len() as u64;
        if length > limits::SEGMENT_STORED {
            return Err(SinkError::TooLarge { name: name.into(), bytes: length, limit: limits::SEGMENT_STORED });
        }
        match self.once(name, bytes)? {
            Once::Stored => Ok(Put::Stored),
            Once::Taken => match self.same(name, bytes)? {
                Some(true) => Ok(Put::Already),
                Some(false) => Ok(Put::Conflict),
                None => Ok(Put::Taken),
            },
        }
    }

    fn limits(&self) -> Limits {
        Limits { max_object: Some(limits::SEGMENT_STORED), appends: false }
    }

    fn address(&self) -> &str {
        &self.connection.options.address
    }

    fn place(&self) -> &str {
        &self.place
    }

    fn probe(&self, probe: &Probe) -> Vec<Finding> {
        probe::run(self, probe)
    }
}
