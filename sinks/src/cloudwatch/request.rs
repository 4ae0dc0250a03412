//! One request to CloudWatch Logs: JSON, signed, with an end.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_sdk_s3::config::{Credentials, ProvideCredentials as _};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use reqwest::Client;
use reqwest::redirect::Policy;
use serde::{Deserialize, Serialize};

use crate::aws::{Access, CONNECT};
use crate::error::with_causes;
use crate::{Address, Class, Result, SinkError, runtime};

/// How long a request may take, the search for credentials included.
const REQUEST: Duration = Duration::from_secs(30);
/// What the service's operations are called behind.
const TARGET: &str = "Logs_20140328";
/// Credentials that end sooner are looked for anew.
const SOON: Duration = Duration::from_secs(300);

/// The service, and who speaks to it once somebody did.
pub(super) struct Service {
    shown: String,
    region: Option<String>,
    profile: Option<String>,
    endpoint: Option<String>,
    open: Mutex<Option<Open>>,
}

/// What is looked for once.
#[derive(Clone)]
struct Open {
    config: SdkConfig,
    client: Client,
    credentials: Option<Credentials>,
}

/// What it said.
pub(super) enum Answer {
    /// Done.
    Fine(Vec<u8>),
    /// Not done: status, the code of the error, its message.
    Error { status: u16, code: String, message: String },
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Told {
    #[serde(rename = "__type")]
    code: String,
    #[serde(alias = "Message")]
    message: String,
}

impl Service {
    pub fn new(address: &Address, options: &BTreeMap<String, String>) -> Result<Self> {
        let text = |name: &str| options.get(name).filter(|value| !value.is_empty()).cloned();
        let endpoint = text("endpoint").map(|url| url.trim_end_matches('/').to_owned());
        if endpoint.as_ref().is_some_and(|url| !url.starts_with("http://") && !url.starts_with("https://")) {
            return Err(address.bad("an endpoint begins with https:// or http://"));
        }
        let (region, profile) = (text("region"), text("profile"));
        Ok(Self { shown: address.to_string(), region, profile, endpoint, open: Mutex::new(None) })
    }

    /// Calls an operation, and waits for its answer or its end.
    pub fn call(&self, operation: &'static str, body: &impl Serialize) -> Result<Answer> {
        let broken = |why: String| self.failed(Class::Never, why);
        let body = serde_json::to_vec(body).map_err(|error| broken(error.to_string()))?;
        let work = async {
            match tokio::time::timeout(REQUEST, self.send(operation, body)).await {
                Ok(answer) => answer,
                Err(_) => Err(self.failed(Class::Wait, format!("no answer within {} s", REQUEST.as_secs()))),
            }
        };
        let threads = |source| SinkError::Io { name: self.shown.clone(), action: "start threads", source };
        let answer = runtime::block_on(work).map_err(threads)?;
        if !matches!(answer, Ok(Answer::Fine(_))) {
            // They may have been renewed where they come from.
            if let Some(open) = &mut *self.open.lock().unwrap_or_else(PoisonError::into_inner) {
                open.credentials = None;
            }
        }
        answer
    }

    async fn send(&self, operation: &str, body: Vec<u8>) -> Result<Answer> {
        let (open, credentials) = self.opened().await?;
        let region = open.config.region().map(ToString::to_string).ok_or_else(|| {
            self.failed(Class::Wait, "no region: put region=… into the address, or set AWS_REGION".into())
        })?;
        let host = || {
            let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
            format!("https://logs.{region}.{suffix}")
        };
        let url = format!("{}/", self.endpoint.clone().unwrap_or_else(host));
        let target = format!("{TARGET}.{operation}");
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", &*target)];

        let unsigned = |why: String| self.failed(Class::Wait, format!("the request cannot be signed: {why}"));
        let identity = credentials.into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&region)
            .name("logs")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| unsigned(error.to_string()))?
            .into();
        let signable = SignableRequest::new("POST", &*url, headers.into_iter(), SignableBody::Bytes(&body));
        let signed =
            signable.and_then(|request| sign(request, &params)).map_err(|error| unsigned(error.to_string()))?;
        let (instructions, _) = signed.into_parts();

        let mut request = open.client.post(&url);
        for (name, value) in headers.into_iter().chain(instructions.headers()) {
            request = request.header(name, value);
        }
        let lost = |error: reqwest::Error| self.failed(Class::Wait, with_causes(&error.without_url()));
        let answer = request.body(body).send().await.map_err(lost)?;
        let status = answer.status();
        let named = answer.headers().get("x-amzn-errortype").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let bytes = answer.bytes().await.map_err(lost)?.to_vec();
        if status.is_success() {
            return Ok(Answer::Fine(bytes));
        }
        let told: Told = serde_json::from_slice(&bytes).unwrap_or_default();
        let code = named.unwrap_or(told.code);
        // `com.amazonaws.logs#Code:http://…`
        let code = code.split(':').next().unwrap_or_default();
        let code = code.rsplit('#').next().unwrap_or_default().to_owned();
        Ok(Answer::Error { status: status.as_u16(), code, message: told.message })
    }

    async fn opened(&self) -> Result<(Open, Credentials)> {
        let slot = || self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let known = slot().clone();
        let mut open = match known {
            Some(open) => open,
            None => self.connect().await?,
        };
        let lasts =
            |credentials: &Credentials| credentials.expiry().is_none_or(|expiry| expiry > SystemTime::now() + SOON);
        let credentials = match open.credentials.take().filter(lasts) {
            Some(credentials) => credentials,
            None => {
                let provider =
                    open.config.credentials_provider().ok_or_else(|| self.no_credentials("nobody gives any"))?;
                provider.provide_credentials().await.map_err(|error| self.no_credentials(&error.to_string()))?
            }
        };
        open.credentials = Some(credentials.clone());
        *slot() = Some(open.clone());
        Ok((open, credentials))
    }

    async fn connect(&self) -> Result<Open> {
        let access = Access {
            address: &self.shown,
            profile: self.profile.as_deref(),
            region: self.region.as_deref(),
            endpoint: self.endpoint.as_deref(),
        };
        let config = access.load(None).await?;
        let client = Client::builder()
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            .user_agent(concat!("hansard/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| self.failed(Class::Wait, with_causes(&error)))?;
        Ok(Open { config, client, credentials: None })
    }

    fn no_credentials(&self, why: &str) -> SinkError {
        SinkError::Remote {
            name: self.shown.clone(),
            action: "send lines",
            why: format!("no credentials: {why}"),
            class: Class::Wait,
            hint: Some("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a role of this machine".into()),
            retry_after: None,
        }
    }

    fn failed(&self, class: Class, why: String) -> SinkError {
        SinkError::Remote { name: self.shown.clone(), action: "send lines", why, class, hint: None, retry_after: None }
    }
}
