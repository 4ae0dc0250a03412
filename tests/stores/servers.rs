//! The servers of this suite are what they claim to be, and the faults that it makes are faults: who judges is judged first.

use std::time::{Duration, Instant};

use hansard_tests::servers::bucket::Refused;
use hansard_tests::servers::daemon::Server;
use hansard_tests::servers::http::answer;
use hansard_tests::servers::kafka::{Kafka, STRANGER, WRITER};
use hansard_tests::servers::proxy::{Fault, Proxy};
use hansard_tests::servers::seaweed::{Identity, Seaweed};
use hansard_tests::servers::webhook::Webhook;
use hansard_tests::{SOON, wait_until};
use rdkafka::consumer::{BaseConsumer, Consumer};

fn refused(status: u16, code: &str) -> Refused {
    Refused { status, code: code.into() }
}

#[test]
fn seaweedfs_keeps_what_it_took_over_a_kill() {
    let server = Seaweed::start();
    let bucket = server.bucket("recordings");
    bucket.put("a/b", b"one").unwrap();
    server.kill();
    assert_eq!(bucket.get("a/b").unwrap_err().status, 0, "nobody should answer");
    server.restart();
    assert_eq!(bucket.get("a/b").unwrap(), b"one");
    server.freeze();
    let (asked, thawed) = (Instant::now(), Duration::from_millis(700));
    std::thread::scope(|scope| {
        let reads = scope.spawn(|| (bucket.get("a/b"), asked.elapsed()));
        // The time that nothing is said for is what is tested.
        std::thread::sleep(thawed);
        server.thaw();
        let (read, took) = reads.join().unwrap();
        assert_eq!(read.unwrap(), b"one");
        assert!(took >= thawed, "a frozen server answered after {took:?}");
    });
}

#[test]
fn seaweedfs_refuses_what_a_store_should_refuse() {
    let server = Seaweed::shared();
    let bucket = server.bucket("recordings");
    bucket.put_once("key", b"one").unwrap();
    assert_eq!(bucket.put_once("key", b"two"), Err(refused(412, "PreconditionFailed")));
    assert_eq!(server.named("recordings-of-nobody").put("key", b"one"), Err(refused(404, "NoSuchBucket")));

    let denied = refused(403, "AccessDenied");
    let put_only = bucket.seen_by(Identity::PutOnly);
    put_only.put_once("put-only", b"one").unwrap();
    assert_eq!(put_only.get("put-only"), Err(denied.clone()));
    assert_eq!(put_only.delete("put-only"), Err(denied.clone()));
    assert_eq!(put_only.keys(""), Err(denied.clone()));
    let reader = bucket.seen_by(Identity::Reader);
    assert_eq!(reader.put("reader", b"one"), Err(denied.clone()));
    assert_eq!(reader.keys("").unwrap(), ["key", "put-only"]);
    let nobody = bucket.seen_by(Identity::Nobody);
    assert_eq!(nobody.put("nobody", b"one"), Err(denied.clone()));
    assert_eq!(nobody.get("key"), Err(denied));
    let writer = bucket.seen_by(Identity::Writer);
    writer.put("writer", b"one").unwrap();
    writer.delete("writer").unwrap();
    assert_eq!(server.bucket("elsewhere").seen_by(Identity::PutOnly).put("key", b"one").unwrap_err().status, 403);
}

#[test]
fn seaweedfs_keeps_every_version_where_it_should() {
    let bucket = Seaweed::shared().bucket("recordings-versioned");
    bucket.keep_versions();
    bucket.put("key", b"one").unwrap();
    bucket.put("key", b"two").unwrap();
    assert_eq!(bucket.put_once("key", b"three"), Err(refused(412, "PreconditionFailed")));
    let versions = bucket.versions("").unwrap();
    let mut contents: Vec<_> = versions.iter().map(|v| bucket.get_version(&v.key, &v.version).unwrap()).collect();
    contents.sort();
    assert_eq!(contents, [b"one", b"two"]);
    bucket.delete("key").unwrap();
    assert_eq!(bucket.get("key").unwrap_err().status, 404);
    assert_eq!(bucket.versions("").unwrap().len(), 2);
}

#[test]
fn kafka_keeps_what_it_acknowledged_over_a_kill() {
    let broker = Kafka::start();
    broker.make_topic("t.recordings", 1, &[]);
    broker.produce("t.recordings", "key", &[("name", "value")], b"one");
    broker.kill();
    broker.restart();
    broker.produce("t.recordings", "key", &[], b"two");
    let records = broker.records("t.recordings");
    assert_eq!(records.iter().map(|r| &r.value[..]).collect::<Vec<_>>(), [b"one", b"two"]);
    assert_eq!(records[0].header("name").as_deref(), Some("value"));
    broker.freeze();
    let client: BaseConsumer = broker.client().create().unwrap();
    assert!(client.fetch_metadata(None, Duration::from_secs(1)).is_err(), "a frozen broker answers");
    broker.thaw();
    client.fetch_metadata(None, SOON).unwrap();
}

#[test]
fn kafka_knows_who_is_there_and_what_he_may() {
    let broker = Kafka::shared();
    broker.make_topic("known.recordings", 2, &[("cleanup.policy", "compact"), ("max.message.bytes", "1000")]);
    let topics = |who| {
        let client: BaseConsumer = broker.secure_client(who).create().unwrap();
        client.fetch_metadata(Some("known.recordings"), SOON).map(|m| {
            let topic = &m.topics()[0];
            (topic.partitions().len(), topic.error().map(|e| format!("{e:?}")))
        })
    };
    assert_eq!(topics(WRITER).unwrap(), (2, None));
    let (partitions, error) = topics(STRANGER).unwrap();
    assert_eq!(partitions, 0);
    assert!(error.as_deref().unwrap_or_default().contains("TOPIC_AUTHORIZATION_FAILED"), "{error:?}");
    let client: BaseConsumer = broker.secure_client(("writer", "not his password")).create().unwrap();
    assert!(client.fetch_metadata(None, Duration::from_secs(2)).is_err(), "a wrong password is taken");
}

#[test]
fn the_proxy_does_what_its_script_says() {
    let server = Seaweed::shared();
    let proxy = Proxy::before(server.address());
    let direct = server.bucket("recordings-proxy");
    let bucket = hansard_tests::servers::bucket::Bucket::new(&proxy.endpoint(), direct.name(), Identity::Admin);
    bucket.put("a", &[7; 300_000]).unwrap();
    assert_eq!(bucket.get("a").unwrap(), vec![7; 300_000]);
    assert_eq!(bucket.keys("").unwrap(), ["a"]);

    proxy.always(Fault::s3(503, "SlowDown").with("Retry-After", "3"));
    assert_eq!(bucket.put("b", b"b"), Err(refused(503, "SlowDown")));
    proxy.always(Fault::CutAfter(10));
    assert_eq!(bucket.put("b", &[7; 300_000]).unwrap_err().status, 0);
    assert_eq!(direct.keys("").unwrap(), ["a"]);
    proxy.always(Fault::Unanswered);
    assert_eq!(bucket.put("b", b"b").unwrap_err().status, 0);
    assert_eq!(direct.keys("").unwrap(), ["a", "b"]);
    proxy.always(Fault::Slow(1000));
    let started = Instant::now();
    bucket.put("c", &[7; 500]).unwrap();
    assert!(started.elapsed() > Duration::from_millis(400), "500 bytes at 1000 a second took {:?}", started.elapsed());
    proxy.refuse();
    assert_eq!(bucket.put("d", b"d").unwrap_err().status, 0);
    proxy.accept();
    proxy.always(Fault::Hang);
    std::thread::scope(|scope| {
        let put = scope.spawn(|| bucket.put("d", b"d"));
        std::thread::sleep(Duration::from_millis(300));
        assert!(!put.is_finished(), "what hangs answers");
        proxy.always(Fault::Pass);
        assert_eq!(put.join().unwrap().unwrap_err().status, 0);
    });
    assert_eq!(direct.keys("").unwrap(), ["a", "b", "c"]);

    let log = wait_until("the log", SOON, || Some(proxy.log()).filter(|log| log.len() >= 8));
    let told: Vec<_> = log.iter().map(|s| (s.method.as_str(), s.status, s.done)).collect();
    let expected = [
        ("PUT", Some(200), true),
        ("GET", Some(200), true),
        ("GET", Some(200), true),
        ("PUT", Some(503), false),
        ("PUT", None, false),
        ("PUT", None, true),
        ("PUT", Some(200), true),
        ("PUT", None, false),
    ];
    assert_eq!(told, expected);
    assert!(log[0].target.starts_with(&format!("/{}/a", direct.name())), "{:?}", log[0]);
}

#[test]
fn the_receiver_keeps_what_it_took() {
    use std::io::{Read, Write};
    let receiver = Webhook::open();
    let address = receiver.url().trim_start_matches("http://").trim_end_matches("/events").to_owned();
    let post = |body: &str| {
        let mut connection = std::net::TcpStream::connect(&address).ok()?;
        write!(connection, "POST /events HTTP/1.1\r\nA: b\r\nContent-Length: {}\r\n\r\n{body}", body.len()).ok()?;
        let mut said = String::new();
        connection.read_to_string(&mut said).ok()?;
        said.split(' ').nth(1)?.parse::<u16>().ok()
    };
    assert_eq!(post("{\"n\":1}"), Some(204));
    receiver.down();
    assert_eq!(post("{\"n\":2}"), None);
    receiver.up();
    receiver.answers(|_| answer(429, &[("Retry-After", "1")], ""));
    assert_eq!(post("{\"n\":3}"), Some(429));
    assert_eq!(receiver.deliveries().len(), 2);
    let taken = receiver.wait("one was taken", SOON, |taken| taken.len() == 1);
    assert_eq!(taken[0].json()["n"], 1);
    assert_eq!(taken[0].request.header("a"), Some("b"));
}
