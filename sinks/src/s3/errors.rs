//! What an S3 server, or the way to it, says: whether to wait, and what a person can do at three in the morning.
//!
//! Nothing but a name or a size is hopeless: a bucket can be made, a right given, a token renewed, and nothing is lost
//! meanwhile.

use std::error::Error;
use std::time::Duration;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::error::with_causes;
use crate::{Class, SinkError};

/// An answer that is none of success, or why there was none.
#[derive(Debug, Default)]
struct Answer {
    /// HTTP status; 0 if no answer came.
    status: u16,
    /// S3's error code; empty if it gave none.
    code: String,
    /// Its message, or what the connection said.
    message: String,
    /// The region that the server names.
    region: Option<String>,
    /// `Retry-After`, in seconds.
    retry_after: Option<u64>,
    /// Nothing came in time.
    timeout: bool,
}

impl Answer {
    fn of<E: ProvideErrorMetadata + Error + 'static>(error: &SdkError<E>) -> Self {
        let mut answer = Self { timeout: matches!(error, SdkError::TimeoutError(_)), ..Self::default() };
        if let SdkError::DispatchFailure(failure) = error {
            answer.timeout |= failure.is_timeout();
        }
        if let Some(response) = error.raw_response() {
            answer.status = response.status().as_u16();
            answer.region = response.headers().get("x-amz-bucket-region").map(str::to_owned);
            answer.retry_after = response.headers().get("retry-after").and_then(|value| value.trim().parse().ok());
        }
        answer.code = error.code().unwrap_or_default().to_owned();
        answer.message = error.message().map_or_else(|| with_causes(error), str::to_owned);
        if answer.region.is_none()
            && let Some((_, rest)) = answer.message.split_once("expecting '")
        {
            answer.region = rest.split_once('\'').map(|(region, _)| region.to_owned());
        }
        answer
    }

    fn why(&self) -> String {
        match (self.status, self.code.as_str()) {
            (0, _) => self.message.clone(),
            (status, "") if self.message.is_empty() => format!("HTTP {status}"),
            (status, "") => format!("HTTP {status}: {}", self.message),
            (status, code) => format!("HTTP {status} {code}: {}", self.message),
        }
    }

    /// What to do, and what to tell.
    fn judge(&self) -> (Class, Option<String>) {
        use Class::{Retry, Wait};
        let told = |class, hint: &str| (class, Some(hint.to_owned()));
        match self.code.as_str() {
            "NoSuchBucket" => return told(Wait, "create the bucket, or correct its name in the address"),
            "AccessDenied" | "AllAccessDisabled" | "UnauthorizedAccess" => {
                return told(
                    Wait,
                    "the credentials lack a right: a recorder needs s3:PutObject below the prefix, \
                    a reader s3:GetObject and s3:ListBucket",
                );
            }
            "ExpiredToken" | "TokenRefreshRequired" | "InvalidToken" | "ExpiredTokenException" => {
                return told(
                    Wait,
                    "the session token has expired: renew the credentials where the recorder reads them",
                );
            }
            "SignatureDoesNotMatch" => {
                return told(Wait, "the secret key is not the one of this access key (or the clock is wrong)");
            }
            "InvalidAccessKeyId" => {
                return told(
                    Wait,
                    "the server does not know this access key: look at its spelling, \
                and whether it belongs to this endpoint",
                );
            }
            "RequestTimeTooSkewed" | "RequestExpired" => {
                return told(Wait, "this machine's clock and the server's differ: set the clock (NTP)");
            }
            "AuthorizationHeaderMalformed"
            | "PermanentRedirect"
            | "IllegalLocationConstraintException"
            | "TemporaryRedirect" => return (Wait, Some(self.region_hint())),
            "QuotaExceeded"
            | "XMinioAdminBucketQuotaExceeded"
            | "InsufficientStorage"
            | "XMinioStorageFull"
            | "TooManyBuckets"
            | "StorageFull" => {
                return told(Wait, "the bucket is full: raise its quota or make room");
            }
            "EntityTooLarge" => return told(Class::Never, "the store takes no object of this size: lower max_segment"),
            "KMS.DisabledException" | "KMS.NotFoundException" | "KMS.KMSInvalidStateException" => {
                return told(Wait, "the KMS key cannot be used: look at kms_key and the key's state");
            }
            "InvalidRequest" if self.message.contains("Object Lock") => {
                return told(Wait, "the bucket has no Object Lock: it must be switched on for lock_mode to hold");
            }
            "SlowDown" | "TooManyRequests" | "ServiceUnavailable" | "Throttling" | "RequestLimitExceeded" => {
                return (Wait, None);
            }
            "ConditionalRequestConflict"
            | "OperationAborted"
            | "InternalError"
            | "RequestTimeout"
            | "BadDigest"
            | "IncompleteBody" => return (Retry, None),
            "XAmzContentSHA256Mismatch" | "InvalidDigest" => {
                return told(Wait, "the server does not understand the checksum: use checksum=when_required");
            }
            "NotImplemented" => {
                return told(
                    Wait,
                    "the server lacks something that the address asks of it: try without sse, lock_mode \
                    and checksum",
                );
            }
            _ => {}
        }
        match self.status {
            0 => self.judge_connection(),
            301 | 307 => (Wait, Some(self.region_hint())),
            401 | 403 => told(Wait, "the server refuses the credentials, or they lack a right"),
            404 => told(Wait, "look at the endpoint and the bucket's name"),
            413 => told(Class::Never, "the store takes no object of this size: lower max_segment"),
            429 | 502..=504 => (Wait, None),
            507 => told(Wait, "the store is full: make room"),
            500..=599 | 408 | 409 => (Retry, None),
            200..=299 => told(Retry, "the answer was no answer of S3: look at the endpoint"),
            _ => told(Wait, "look at the endpoint and the options of the address"),
        }
    }

    fn region_hint(&self) -> String {
        match &self.region {
            Some(region) => format!("the bucket is in another region: put region={region} into the address"),
            None => "the bucket is in another region, or behind another endpoint: correct region= or endpoint=".into(),
        }
    }

    fn judge_connection(&self) -> (Class, Option<String>) {
        let text = self.message.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
        let hint = if has(&["credential", "sso token", "imds", "profile"]) {
            "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a role of this machine"
        } else if has(&["certificate", "handshake", "tls", "corrupt message", "invalidcontenttype"]) {
            "TLS fails: give the authority of the server with ca=/path/to.pem, or look at http:// and https://"
        } else if has(&["connection refused"]) {
            "nothing listens there: look at the endpoint's host and port, and whether the server runs"
        } else if has(&["dns", "lookup", "name or service not known", "resolve"]) {
            "the host's name is not known: look at the endpoint, the region and the name service"
        } else if self.timeout || has(&["timed out", "timeout"]) {
            "no answer in time: look at the network, a firewall, a proxy"
        } else {
            return (Class::Wait, None);
        };
        (Class::Wait, Some(hint.into()))
    }
}

/// The error for a request that failed.
pub(super) fn failed<E>(name: &str, action: &'static str, error: &SdkError<E>) -> SinkError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let answer = Answer::of(error);
    if answer.status == 404 && !matches!(answer.code.as_str(), "NoSuchBucket") && action == "read" {
        return SinkError::NotThere { name: name.into() };
    }
    let (class, hint) = answer.judge();
    let retry_after = answer.retry_after.map(Duration::from_secs);
    SinkError::Remote { name: name.into(), action, why: answer.why(), class, hint, retry_after }
}

/// The error for a request that had no end.
pub(super) fn timed_out(name: &str, action: &'static str, limit: Duration) -> SinkError {
    let answer =
        Answer { message: format!("no answer within {} s", limit.as_secs()), timeout: true, ..Answer::default() };
    let (class, hint) = answer.judge();
    SinkError::Remote { name: name.into(), action, why: answer.why(), class, hint, retry_after: None }
}

/// The HTTP status of a failed request; 0 if no answer came.
pub(super) fn status<E>(error: &SdkError<E>) -> u16 {
    error.raw_response().map_or(0, |response| response.status().as_u16())
}

/// Whether the same question may well be answered in a moment: the server is busy, or a connection broke.
pub(super) fn passes<E>(error: &SdkError<E>) -> bool {
    match error {
        SdkError::DispatchFailure(failure) => !failure.is_timeout() && !failure.is_user(),
        SdkError::ResponseError(_) => true,
        SdkError::ServiceError(_) => matches!(status(error), 429 | 500 | 502..=504),
        _ => false,
    }
}
