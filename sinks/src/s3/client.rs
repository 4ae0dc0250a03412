//! The SDK's client: made at the first call, one request at a time, each with an end.
//!
//! The SDK's own retries are off: whoever ships decides about trying again.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Builder, Region, RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::error::SdkError;

use super::errors::{passes, timed_out};
use super::options::Options;
use crate::aws::Access;
use crate::{Result, SinkError, runtime};

/// A request without much of a body, the search for credentials included.
const REQUEST: Duration = Duration::from_secs(30);
/// The slowest link that still counts as one, in bytes a second.
const SLOWEST: u64 = 256 << 10;
/// With any body: a caller waits no longer for one call.
const LONGEST: Duration = Duration::from_secs(120);

/// Before a reader asks again.
const PAUSES: [Duration; 3] = [Duration::from_millis(100), Duration::from_millis(400), Duration::from_millis(1600)];

/// One place, and the client for it once there is one.
pub(super) struct Connection {
    pub options: Options,
    client: Mutex<Option<Client>>,
}

impl Connection {
    pub fn new(options: Options) -> Self {
        Self { options, client: Mutex::new(None) }
    }

    /// Makes a request that reads, and again where the server could not answer just then, or `broke_off`: among ten thousand there is
    /// always one, and nobody else would ask again for it.
    pub fn ask<T, E, F>(
        &self,
        name: &str,
        action: &'static str,
        bytes: u64,
        broke_off: impl Fn(&T) -> bool,
        request: impl Fn(Client, Options) -> F,
    ) -> Result<Result<T, SdkError<E>>>
    where
        F: Future<Output = Result<T, SdkError<E>>>,
    {
        for pause in PAUSES {
            match self.answer(name, action, bytes, &request)? {
                Ok(answer) if broke_off(&answer) => std::thread::sleep(pause),
                Err(error) if passes(&error) => std::thread::sleep(pause),
                answer => return Ok(answer),
            }
        }
        self.answer(name, action, bytes, request)
    }

    /// Makes one request that moves about `bytes`, and waits for its answer or its end.
    pub fn answer<O, F>(
        &self,
        name: &str,
        action: &'static str,
        bytes: u64,
        request: impl FnOnce(Client, Options) -> F,
    ) -> Result<O>
    where
        F: Future<Output = O>,
    {
        let limit = REQUEST.saturating_add(Duration::from_secs(bytes / SLOWEST)).min(LONGEST);
        let work = async {
            let client = self.client().await?;
            match tokio::time::timeout(limit, request(client, self.options.clone())).await {
                Ok(answer) => Ok(answer),
                Err(_) => Err(timed_out(name, action, limit)),
            }
        };
        let threads = |source| SinkError::Io { name: name.into(), action: "start threads", source };
        runtime::block_on(work).map_err(threads)?
    }

    async fn client(&self) -> Result<Client> {
        let known = self.client.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(client) = known {
            return Ok(client);
        }
        let client = connect(&self.options).await?;
        // Of two that were made at once, one stays.
        let mut slot = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(slot.get_or_insert(client).clone())
    }
}

async fn connect(options: &Options) -> Result<Client> {
    let Options { address, profile, region, endpoint, ca, .. } = options;
    let access =
        Access { address, profile: profile.as_deref(), region: region.as_deref(), endpoint: endpoint.as_deref() };
    let config = access.load(ca.as_deref()).await?;
    let (request, response) = if options.checksums {
        (RequestChecksumCalculation::WhenSupported, ResponseChecksumValidation::WhenSupported)
    } else {
        (RequestChecksumCalculation::WhenRequired, ResponseChecksumValidation::WhenRequired)
    };
    let mut builder = Builder::from(&config)
        .force_path_style(options.path_style)
        .request_checksum_calculation(request)
        .response_checksum_validation(response);
    if config.region().is_none() {
        builder = builder.region(Region::from_static("us-east-1"));
    }
    if let Some(endpoint) = &options.endpoint {
        builder = builder.endpoint_url(endpoint);
    }
    Ok(Client::from_conf(builder.build()))
}
