//! A bucket as the tests see it: made, listed with all versions, written behind a recorder's back, read.
//!
//! By the SDK, without retries: a test that asks wants the server's own answer. Not the product's client.

use std::future::Future;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};

use super::runtime;
use super::seaweed::{Identity, REGION};

/// What a server said no with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The status of HTTP; 0 when there was no answer.
    pub status: u16,
    /// The code in the body.
    pub code: String,
}

/// One stored object or version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its key in the bucket.
    pub key: String,
    /// Which version; `null` where the bucket keeps none.
    pub version: String,
    /// Whether it is the one that a plain read gives.
    pub latest: bool,
    /// Its length.
    pub length: u64,
    /// When it was stored, in milliseconds since 1970, as the server says.
    pub stored_ms: i64,
}

/// A bucket on a server, seen as somebody.
#[derive(Clone, Debug)]
pub struct Bucket {
    client: Client,
    endpoint: String,
    name: String,
}

fn wait<T, E: ProvideErrorMetadata>(
    call: impl Future<Output = Result<T, SdkError<E, aws_sdk_s3::config::http::HttpResponse>>>,
) -> Result<T, Refused> {
    runtime().block_on(call).map_err(|e| Refused {
        status: e.raw_response().map_or(0, |r| r.status().as_u16()),
        code: e.code().unwrap_or_default().to_owned(),
    })
}

impl Bucket {
    /// A bucket that may exist or not.
    pub fn new(endpoint: &str, name: &str, identity: Identity) -> Self {
        let (key, secret) = identity.keys();
        let config = aws_sdk_s3::config::Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(endpoint)
            .region(Region::new(REGION))
            .credentials_provider(Credentials::new(key, secret, None, None, "the test"))
            .retry_config(RetryConfig::disabled())
            .force_path_style(true)
            .build();
        Self { client: Client::from_conf(config), endpoint: endpoint.into(), name: name.into() }
    }

    /// The same bucket, seen as somebody else.
    pub fn seen_by(&self, identity: Identity) -> Self {
        Self::new(&self.endpoint, &self.name, identity)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address for the programs, with a prefix in it, by way of another endpoint (a proxy, a port with TLS).
    pub fn url_by(&self, endpoint: &str, prefix: &str) -> String {
        format!("s3://{}/{prefix}?region={REGION}&endpoint={endpoint}&path_style=true", self.name)
    }

    /// Its address for the programs, with a prefix in it.
    pub fn url(&self, prefix: &str) -> String {
        self.url_by(&self.endpoint, prefix)
    }

    /// Makes it.
    pub fn make(&self) {
        wait(self.client.create_bucket().bucket(&self.name).send()).expect("a bucket");
    }

    /// Keeps every version from now on.
    pub fn keep_versions(&self) {
        let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        wait(self.client.put_bucket_versioning().bucket(&self.name).versioning_configuration(on).send())
            .expect("versions are kept");
    }

    /// Stores an object, over whatever is there.
    pub fn put(&self, key: &str, bytes: &[u8]) -> Result<(), Refused> {
        wait(self.client.put_object().bucket(&self.name).key(key).body(bytes.to_vec().into()).send()).map(drop)
    }

    /// Stores an object where none is.
    pub fn put_once(&self, key: &str, bytes: &[u8]) -> Result<(), Refused> {
        let put = self.client.put_object().bucket(&self.name).key(key).if_none_match("*");
        wait(put.body(bytes.to_vec().into()).send()).map(drop)
    }

    /// Reads an object.
    pub fn get(&self, key: &str) -> Result<Vec<u8>, Refused> {
        self.read(key, None)
    }

    /// Reads one version of an object.
    pub fn get_version(&self, key: &str, version: &str) -> Result<Vec<u8>, Refused> {
        self.read(key, Some(version.into()))
    }

    fn read(&self, key: &str, version: Option<String>) -> Result<Vec<u8>, Refused> {
        let got = wait(self.client.get_object().bucket(&self.name).key(key).set_version_id(version).send())?;
        let body = runtime().block_on(got.body.collect()).map_err(|e| Refused { status: 0, code: e.to_string() })?;
        Ok(body.to_vec())
    }

    /// Removes an object, or what a plain read gives of it.
    pub fn delete(&self, key: &str) -> Result<(), Refused> {
        wait(self.client.delete_object().bucket(&self.name).key(key).send()).map(drop)
    }

    /// The keys below a prefix, sorted.
    pub fn keys(&self, prefix: &str) -> Result<Vec<String>, Refused> {
        let mut keys = Vec::new();
        let mut next = None;
        loop {
            let list = self.client.list_objects_v2().bucket(&self.name).prefix(prefix).set_continuation_token(next);
            let page = wait(list.send())?;
            keys.extend(page.contents().iter().filter_map(|o| o.key().map(str::to_owned)));
            next = page.next_continuation_token().map(str::to_owned);
            if next.is_none() {
                return Ok(keys);
            }
        }
    }

    /// Every version of every object below a prefix, but no marks of deletion.
    pub fn versions(&self, prefix: &str) -> Result<Vec<Object>, Refused> {
        let (mut all, mut key, mut version) = (Vec::new(), None, None);
        loop {
            let list = self.client.list_object_versions().bucket(&self.name).prefix(prefix);
            let page = wait(list.set_key_marker(key).set_version_id_marker(version).send())?;
            all.extend(page.versions().iter().map(|o| Object {
                key: o.key().unwrap_or_default().into(),
                version: o.version_id().unwrap_or_default().into(),
                latest: o.is_latest().unwrap_or_default(),
                length: o.size().and_then(|n| n.try_into().ok()).unwrap_or_default(),
                stored_ms: o.last_modified().and_then(|t| t.to_millis().ok()).unwrap_or_default(),
            }));
            (key, version) =
                (page.next_key_marker().map(str::to_owned), page.next_version_id_marker().map(str::to_owned));
            if key.is_none() || page.is_truncated() != Some(true) {
                return Ok(all);
            }
        }
    }
}
