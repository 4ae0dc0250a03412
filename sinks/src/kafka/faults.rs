//! What a broker or the client library says, as an error with a class and a hint.
//!
//! librdkafka tells an operation only that it timed out; why (a certificate, a password, a refused connection) it tells
//! beside, to the client as a whole. [`Reasons`] keeps the last of those for the error's text.

use std::sync::{Arc, Mutex, PoisonError};

use hansard_schemas::names::safe;
use rdkafka::ClientContext;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode as Code;

use crate::{Class, SinkError};

/// A code, where there is one, and what was said.
type Reason = (Option<Code>, String);

/// The last thing that a client said of its connections. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Reasons(Arc<Mutex<Option<Reason>>>);

impl Reasons {
    pub(super) fn put(&self, error: &KafkaError, reason: &str) {
        // That all are down is the sum of what was said before, and says less.
        let code = error.rdkafka_error_code();
        if code != Some(Code::AllBrokersDown) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((code, safe(reason)));
        }
    }

    pub(super) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(super) fn last(&self) -> Option<Reason> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ClientContext for Reasons {
    fn error(&self, error: KafkaError, reason: &str) {
        self.put(&error, reason);
    }
}

impl ConsumerContext for Reasons {}

/// An error of a request about `name`, which is an object or a topic.
pub(super) fn failed(name: &str, action: &'static str, error: &KafkaError, reasons: &Reasons) -> SinkError {
    match error.rdkafka_error_code() {
        Some(code) => coded(name, action, code, reasons),
        None => remote(name, action, error.to_string(), Class::Wait, None),
    }
}

/// The same, from the code alone.
pub(super) fn coded(name: &str, action: &'static str, code: Code, reasons: &Reasons) -> SinkError {
    let mut why = words(code);
    let mut telling = code;
    if is_silence(code)
        && let Some((said, text)) = reasons.last()
    {
        why = format!("{why}: {text}");
        telling = said.unwrap_or(code);
    }
    let class = match code {
        Code::MessageSizeTooLarge | Code::InvalidMessageSize => Class::Never,
        Code::MessageTimedOut | Code::RequestTimedOut | Code::NotLeaderForPartition | Code::Fatal => Class::Retry,
        _ => Class::Wait,
    };
    remote(name, action, why, class, hint(telling).map(Into::into))
}

/// What the code means, without its name in the library.
fn words(code: Code) -> String {
    let text = code.to_string();
    let inner = text.split_once(" (").and_then(|(_, words)| words.strip_suffix(')'));
    inner.map(str::to_owned).unwrap_or(text)
}

/// Nothing answered in time.
pub(super) fn silent(name: &str, action: &'static str, reasons: &Reasons) -> SinkError {
    coded(name, action, Code::OperationTimedOut, reasons)
}

pub(super) fn remote(name: &str, action: &'static str, why: String, class: Class, hint: Option<String>) -> SinkError {
    SinkError::Remote { name: name.into(), action, why, class, hint, retry_after: None }
}

/// Whether an error of a consumer can pass by itself while it goes on polling.
pub(super) fn passes(code: Code) -> bool {
    // A group is named because the library wants one, and never joined: what the broker thinks of it does not matter.
    is_silence(code)
        || matches!(
            code,
            Code::GroupAuthorizationFailed
                | Code::CoordinatorNotAvailable
                | Code::NotCoordinator
                | Code::NotLeaderForPartition
                | Code::LeaderNotAvailable
                | Code::RequestTimedOut
                | Code::Authentication
        )
}

fn is_silence(code: Code) -> bool {
    matches!(
        code,
        Code::MessageTimedOut
            | Code::OperationTimedOut
            | Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::Resolve
            | Code::SSL
            | Code::TimedOutQueue
    )
}

fn hint(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => {
            "create the topic, with cleanup.policy=delete, and let this user describe it"
        }
        Code::TopicAuthorizationFailed => "the user needs WRITE and DESCRIBE on the topic to record, READ to replay",
        Code::ClusterAuthorizationFailed => {
            "the broker wants IDEMPOTENT_WRITE on the cluster for this user (brokers before 3.0)"
        }
        Code::SaslAuthenticationFailed | Code::Authentication => {
            "check HANSARD_KAFKA_USERNAME, HANSARD_KAFKA_PASSWORD, sasl_mechanism and security of the address"
        }
        Code::SSL => "check ca, cert and key of the address, and that the certificate names the host of the address",
        Code::Resolve => "check the host names: those of the address, and those that the broker advertises",
        Code::BrokerTransportFailure | Code::AllBrokersDown => {
            "check that the broker runs, the port, and security: a listener with TLS does not answer a plain client"
        }
        Code::MessageSizeTooLarge | Code::InvalidMessageSize => {
            "raise max.message.bytes of the topic, or lower max_message of the address to it, or journal.max_segment"
        }
        Code::NotEnoughReplicas | Code::NotEnoughReplicasAfterAppend => {
            "too few replicas are in sync: see min.insync.replicas of the topic"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use rdkafka::error::KafkaError;
    use rdkafka::types::RDKafkaErrorCode as Code;

    use super::{Reasons, coded};
    use crate::Class;

    #[test]
    fn only_a_size_is_hopeless() {
        let class = |code| coded("x", "put", code, &Reasons::default()).class();
        assert_eq!(class(Code::MessageSizeTooLarge), Class::Never);
        for code in [
            Code::UnknownTopicOrPartition,
            Code::TopicAuthorizationFailed,
            Code::SaslAuthenticationFailed,
            Code::AllBrokersDown,
            Code::MessageTimedOut,
            Code::NotEnoughReplicas,
        ] {
            assert_ne!(class(code), Class::Never, "{code}");
        }
    }

    #[test]
    fn a_timeout_says_what_the_connections_said() {
        let reasons = Reasons::default();
        reasons.put(&KafkaError::Global(Code::SSL), "certificate verify failed");
        reasons.put(&KafkaError::Global(Code::AllBrokersDown), "1/1 brokers are down");
        let error = coded("x", "put", Code::MessageTimedOut, &reasons);
        assert!(error.to_string().contains("certificate verify failed"), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("ca, cert and key")), "{error:?}");
        let error = coded("x", "put", Code::TopicAuthorizationFailed, &reasons);
        assert!(!error.to_string().contains("certificate"), "{error}");
    }
}
