//! Who a program is to AWS, and to what speaks as AWS does: the SDK's whole credential chain, the region, its HTTP client.
//!
//! Retries are off: whoever sends decides about trying again. Not for requests.

use std::path::Path;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Region, SharedHttpClient};
use aws_smithy_http_client::{Builder as HttpBuilder, tls};

use crate::{Class, Result, SinkError};

/// How long a connection may take to be made.
pub(crate) const CONNECT: Duration = Duration::from_secs(5);

/// What an address says of it.
pub(crate) struct Access<'a> {
    /// For messages.
    pub address: &'a str,
    /// Of the shared configuration files.
    pub profile: Option<&'a str>,
    pub region: Option<&'a str>,
    /// Another server than AWS.
    pub endpoint: Option<&'a str>,
}

impl Access<'_> {
    /// What environment, files and roles say beside it. `ca`: a file of more certificate authorities, PEM.
    pub async fn load(&self, ca: Option<&Path>) -> Result<SdkConfig> {
        let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts);
        if let Some(profile) = self.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(region) = self.region {
            loader = loader.region(Region::new(region.to_owned()));
        } else if self.endpoint.is_some() {
            // An own server has rarely regions, and the machine's metadata service need not be asked for one.
            let mut profile = ProfileFileRegionProvider::builder();
            if let Some(name) = self.profile {
                profile = profile.profile_name(name);
            }
            let chain = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
                .or_else(profile.build())
                .or_else(Region::from_static("us-east-1"));
            loader = loader.region(chain);
        }
        if let Some(path) = ca {
            loader = loader.http_client(self.https(path)?);
        }
        Ok(loader.load().await)
    }

    /// A client that trusts the authorities of a file too; the SDK's own trusts the system's.
    fn https(&self, path: &Path) -> Result<SharedHttpClient> {
        let pem = std::fs::read(path).map_err(|source| SinkError::Io {
            name: path.display().to_string(),
            action: "read the certificate authorities",
            source,
        })?;
        let unusable = |why: String| SinkError::Remote {
            name: self.address.to_owned(),
            action: "use the certificate authorities",
            why,
            class: Class::Wait,
            hint: Some(format!("{} must hold certificates in PEM form", path.display())),
            retry_after: None,
        };
        // The client panics at the first use of a store that holds no certificate.
        if !pem.windows(27).any(|window| window == b"-----BEGIN CERTIFICATE-----") {
            return Err(unusable("there is no certificate in the file".into()));
        }
        let trust = tls::TrustStore::default().with_pem_certificate(pem);
        let context =
            tls::TlsContext::builder().with_trust_store(trust).build().map_err(|e| unusable(e.to_string()))?;
        let provider = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc);
        Ok(HttpBuilder::new().tls_provider(provider).tls_context(context).build_https())
    }
}
