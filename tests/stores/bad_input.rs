//! Places that cannot work, each with an error that names what is wrong and a code: for who asks (`check`), who ships, who
//! reads. A session is recorded all the same where the place may come back, and not started where the address cannot be one.

use hansard_tests::call::{Call, code, said};
use hansard_tests::servers::kafka::{Kafka, STRANGER};
use hansard_tests::servers::proxy::{Fault, Proxy};
use hansard_tests::servers::seaweed::{Identity, Seaweed};
use hansard_tests::servers::tls::Tls;
use hansard_tests::terminal::Terminal;
use hansard_tests::{LONG, programs};
use std::time::Duration;

use crate::shipped::{INTERVAL, Shipped, ship};

fn recorder_of(to: &[&str]) -> Shipped {
    Shipped::to(to, &ship(INTERVAL, Duration::from_secs(1)))
}

fn says(call: &Call, status: i32, words: &[&str]) {
    let output = call.output();
    let text = said(&output);
    println!("{:?}: {}\n{text}", call.args, code(&output));
    assert_eq!(code(&output), status, "{:?}: {text}", call.args);
    for word in words {
        assert!(text.contains(word), "{:?} does not say `{word}`: {text}", call.args);
    }
    // An error is two lines for people, not a debug dump of a library.
    for noise in ["SdkError", "Unhandled(", "ErrorMetadata", "BrokerTransportFailure", "panicked"] {
        assert!(!text.contains(noise), "{:?} says `{noise}`: {text}", call.args);
    }
}

/// Recorded, kept, reported by `ship` and `check`, refused to the reader.
fn cannot_be_reached(shipped: &Shipped, place: &str, words: &[&str], reader: i32) {
    let mut terminal = Terminal::running(&shipped.run(&["/bin/echo", "words"]));
    assert_eq!(terminal.status(LONG), 0, "{}", terminal.text());
    let text = String::from_utf8_lossy(&terminal.drained()).into_owned();
    assert!(text.contains("words") && text.contains("not all delivered"), "{text}");
    assert!(shipped.waiting() > 0, "nothing is kept");
    says(&shipped.recorder(&["ship"]), 1, words);
    says(&shipped.recorder(&["check"]), 1, words);
    says(&shipped.replay(place, &["ls"]), reader, words);
}

#[test]
fn a_bucket_that_is_not_there() {
    let place = Seaweed::shared().named("recordings-not-there").url("p");
    cannot_be_reached(&recorder_of(&[&place]), &place, &["recordings-not-there"], 3);
}

#[test]
fn a_topic_that_is_not_there() {
    let place = Kafka::shared().url("not-there");
    cannot_be_reached(&recorder_of(&[&place]), &place, &["not-there.recordings"], 3);
}

#[test]
fn a_bucket_that_is_not_ours() {
    let bucket = Seaweed::shared().bucket("recordings-denied");
    let place = bucket.url("p");
    let (key, secret) = Identity::Nobody.keys();
    let shipped = recorder_of(&[&place]).env("AWS_ACCESS_KEY_ID", key).env("AWS_SECRET_ACCESS_KEY", secret);
    cannot_be_reached(&shipped, &place, &[bucket.name(), "AccessDenied"], 3);
    let wrong = recorder_of(&[&place]).env("AWS_SECRET_ACCESS_KEY", "not-the-secret");
    cannot_be_reached(&wrong, &place, &[bucket.name(), "SignatureDoesNotMatch"], 3);
    says(&wrong.recorder(&["check"]), 1, &[]);
    assert!(!said(&wrong.recorder(&["check"]).output()).contains("not-the-secret"), "a secret is printed");
}

#[test]
fn a_topic_that_is_not_ours() {
    let broker = Kafka::shared();
    broker.place("denied", 1);
    let ca = broker.ca().display();
    let place = format!(
        "kafka://{}/denied?security=sasl_ssl&sasl_mechanism=SCRAM-SHA-512&ca={ca}&timeout=5s",
        broker.secure_address()
    );
    let as_stranger =
        recorder_of(&[&place]).env("HANSARD_KAFKA_USERNAME", STRANGER.0).env("HANSARD_KAFKA_PASSWORD", STRANGER.1);
    cannot_be_reached(&as_stranger, &place, &["denied.recordings"], 3);
    let with_wrong_password = recorder_of(&[&place])
        .env("HANSARD_KAFKA_USERNAME", STRANGER.0)
        .env("HANSARD_KAFKA_PASSWORD", "not-the-password");
    cannot_be_reached(&with_wrong_password, &place, &["uthentication"], 3);
    let text = said(&with_wrong_password.recorder(&["check"]).output());
    assert!(!text.contains("not-the-password"), "a secret is printed: {text}");
}

#[test]
fn a_bucket_of_another_region() {
    // SeaweedFS serves any region; others answer as this proxy does.
    let server = Seaweed::shared();
    let proxy = Proxy::before(server.address());
    proxy.always(Fault::s3(301, "PermanentRedirect").with("x-amz-bucket-region", "eu-central-1"));
    let place = server.bucket("recordings-abroad").url_by(&proxy.endpoint(), "p");
    cannot_be_reached(&recorder_of(&[&place]), &place, &["region"], 3);
}

#[test]
fn an_endpoint_where_nobody_is() {
    let server = Seaweed::shared();
    let proxy = Proxy::before(server.address());
    let place = server.bucket("recordings-nowhere").url_by(&proxy.endpoint(), "p");
    proxy.refuse();
    cannot_be_reached(&recorder_of(&[&place]), &place, &["refused"], 3);
    let port = proxy.endpoint().rsplit_once(':').unwrap().1.to_owned();
    let place = format!("kafka://127.0.0.1:{port}/p?timeout=5s");
    cannot_be_reached(&recorder_of(&[&place]), &place, &[&format!("127.0.0.1:{port}")], 3);
}

#[test]
fn an_endpoint_that_is_something_else() {
    // The port of Kafka for S3, and the other way round.
    let (server, broker) = (Seaweed::shared(), Kafka::shared());
    let place = server.bucket("recordings-mistaken").url_by(&format!("http://{}", broker.address()), "p");
    cannot_be_reached(&recorder_of(&[&place]), &place, &["s3://"], 3);
    let place = format!("kafka://{}/p?timeout=5s", server.address());
    cannot_be_reached(&recorder_of(&[&place]), &place, &["kafka://"], 3);
}

#[test]
fn a_server_whose_authority_is_not_ours() {
    let (server, broker) = (Seaweed::shared(), Kafka::shared());
    let stranger = tempfile::tempdir().unwrap();
    let other = Tls::make(stranger.path(), "another authority");
    let bucket = server.bucket("recordings-untrusted");
    let place = bucket.url_by(&server.secure_endpoint(), "p");
    let shipped = recorder_of(&[&place]).env("SSL_CERT_FILE", &other.ca);
    cannot_be_reached(&shipped, &place, &["certificate"], 3);
    assert!(bucket.keys("").unwrap().is_empty(), "something was sent to a server that nobody vouches for");

    broker.place("untrusted", 1);
    let place = format!(
        "kafka://{}/untrusted?security=sasl_ssl&sasl_mechanism=SCRAM-SHA-512&ca={}&timeout=5s",
        broker.secure_address(),
        other.ca.display()
    );
    let shipped =
        recorder_of(&[&place]).env("HANSARD_KAFKA_USERNAME", "writer").env("HANSARD_KAFKA_PASSWORD", "writer-secret");
    cannot_be_reached(&shipped, &place, &["certificate"], 3);
}

#[test]
fn a_topic_that_takes_less_than_a_segment() {
    let broker = Kafka::shared();
    broker.make_topic("small.recordings", 1, &[("max.message.bytes", "20000")]);
    broker.make_topic("small.events", 1, &[]);
    let place = broker.url("small");
    let shipped = recorder_of(&[&place]);
    says(&shipped.recorder(&["check"]), 1, &["max.message.bytes", "20000"]);
    // Who records all the same is told, and keeps it.
    let emit = programs::own("emit").display().to_string();
    let run = shipped.run(&[&emit, "--raw", "random", "3", "200000", "4096"]).output();
    assert!(code(&run) == 0 && said(&run).contains("not all delivered"), "{}", said(&run));
    assert!(shipped.waiting() > 0, "nothing is kept");
    says(&shipped.recorder(&["ship"]), 1, &["small.recordings", "too large"]);
}

#[test]
fn a_topic_that_forgets() {
    let broker = Kafka::shared();
    broker.make_topic("compact.recordings", 1, &[("cleanup.policy", "compact")]);
    broker.make_topic("compact.events", 1, &[]);
    let shipped = recorder_of(&[&broker.url("compact")]);
    says(&shipped.recorder(&["check"]), 1, &["compact", "cleanup.policy"]);
}

#[test]
fn two_addresses_of_the_same_place() {
    let bucket = Seaweed::shared().bucket("recordings-twice");
    let twice = [bucket.url("p"), format!("{}&required=false", bucket.url("p/"))];
    let twice: Vec<&str> = twice.iter().map(String::as_str).collect();
    says(&recorder_of(&twice).run(&["/bin/echo", "words"]), 125, &["same place"]);
    let broker = Kafka::shared();
    let twice = [broker.url("twice"), format!("{}?interval=1s", broker.url("twice"))];
    let twice: Vec<&str> = twice.iter().map(String::as_str).collect();
    says(&recorder_of(&twice).run(&["/bin/echo", "words"]), 125, &["same place"]);
}

#[test]
fn addresses_that_are_none() {
    for (address, word) in [
        ("s3://", "bucket"),
        ("s3://b/p?regoin=x", "region"),
        ("s3://key:secret@b/p", "credentials"),
        ("kafka:///p", "host"),
        ("kafka://127.0.0.1:1", "topic"),
        ("kafka://127.0.0.1:1/a/b", "topic"),
        ("http://127.0.0.1:1/x", "events only"),
        ("gopher://127.0.0.1:1/x", "kind of address"),
    ] {
        let shipped = recorder_of(&[address]);
        says(&shipped.run(&["/bin/echo", "words"]), 125, &[word]);
        assert!(!said(&shipped.run(&["/bin/echo", "words"]).output()).contains("secret@"), "{address}");
    }
}
