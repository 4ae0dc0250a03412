//! A session recorded to a directory, S3 and Kafka at once is the same from all three, while it runs and afterwards.

use hansard_tests::SOON;
use hansard_tests::call::said;
use hansard_tests::servers::kafka::{Kafka, WRITER};
use hansard_tests::servers::seaweed::Seaweed;
use hansard_tests::terminal::Terminal;

use crate::shipped::{Shipped, Typist, each_once, in_bucket, in_directory, in_order, wait_shown};

/// Everything that can be said and exported of what a place holds, but for the place itself.
fn account(shipped: &Shipped, from: &str) -> Vec<(String, String)> {
    let mut said_of_it = Vec::new();
    for args in [
        &["export", "latest", "--as", "cast"][..],
        &["export", "latest", "--as", "txt"],
        &["export", "latest", "--as", "raw"],
        &["verify", "--json"],
        &["ls", "--long", "--json"],
        &["show", "latest", "--json"],
    ] {
        let output = shipped.replay(from, args).output();
        assert!(output.status.success(), "{from} {args:?}: {}", said(&output));
        let text = String::from_utf8_lossy(&output.stdout).replace(from, "PLACE");
        said_of_it.push((args.join(" "), without_keys(&text)));
    }
    said_of_it
}

/// Without where each segment lies, which every kind of store says in its own terms.
fn without_keys(text: &str) -> String {
    let mut rest = text;
    let mut kept = String::new();
    while let Some((before, after)) = rest.split_once("\"object\":\"") {
        kept += before;
        rest = after.split_once('"').expect("a string ends").1;
    }
    kept + rest
}

#[test]
fn a_session_is_the_same_from_everywhere() {
    let (bucket, broker) = (Seaweed::shared().bucket("recordings-everywhere"), Kafka::shared());
    let s3 = bucket.url("a/b");
    let kafka = broker.place("everywhere", 3);
    let shipped = Shipped::to::<&str>(&[], "");
    let store = shipped.home.join("store");
    let file = format!("file://{}", store.display());
    let places = [&file, &s3, &kafka].map(String::as_str);
    shipped.configure(&places, "");

    let mut typist = Typist::at(&shipped);
    for round in 1..=3 {
        for _ in 0..5 {
            typist.line();
        }
        // While it runs: as soon as its last segment is there, the same bytes from everywhere.
        let shown = typist.terminal.bytes();
        wait_shown(&shipped, &places, &shown);
        for place in places {
            let (code, sessions) = shipped.verified(place);
            assert_eq!((code, sessions.len()), (0, 1), "{place}");
            let session = sessions.values().next().unwrap();
            assert_eq!(session["verdict"], "running", "{place}, round {round}: {session}");
        }
    }
    typist.assert_never_waited("three places at once");
    let shown = typist.leave();

    // A recorder that has left everything in its places keeps nothing.
    assert_eq!(shipped.waiting(), 0, "something waits in the spool");
    let of_file = account(&shipped, &file);
    assert_eq!(of_file[2].1.as_bytes(), &shown[..]);
    for place in [&s3, &kafka] {
        for (one, other) in of_file.iter().zip(account(&shipped, place)) {
            assert_eq!(*one, other, "{place} differs from {file}");
        }
        shipped.assert_complete(place);
    }
    for place in places {
        let mut player =
            Terminal::running(&shipped.replay(place, &["play", "latest", "--quit-at-end", "--speed", "1000"]));
        player.wait_text("line 1 of the session");
        assert_eq!(player.status(SOON), 0, "{place}: {}", player.text());
    }
    // The same objects, to the byte.
    let (of_file, of_s3) = (in_directory(&store), in_bucket(&bucket, "a/b"));
    let stored = each_once(&of_file);
    assert!(stored.values().next().unwrap().len() >= 4, "the session has too few segments to mean anything");
    assert_eq!(each_once(&of_s3), stored);
    let (of_kafka, _) = in_order(broker, "everywhere");
    assert_eq!(of_kafka, stored);
    assert_eq!(
        of_file.keys().filter(|k| k.starts_with("segments/")).collect::<Vec<_>>(),
        of_s3.keys().filter(|k| k.starts_with("segments/")).collect::<Vec<_>>()
    );
}

#[test]
fn over_tls_and_with_a_password_it_is_the_same() {
    let (server, broker) = (Seaweed::shared(), Kafka::shared());
    let bucket = server.bucket("recordings-tls");
    let s3 = bucket.url_by(&server.secure_endpoint(), "p");
    broker.place("secured", 2);
    let kafka = format!(
        "kafka://{}/secured?security=sasl_ssl&sasl_mechanism=SCRAM-SHA-512&ca={}",
        broker.secure_address(),
        broker.ca().display()
    );
    let shipped = Shipped::to(&[&s3, &kafka], "")
        .env("SSL_CERT_FILE", server.ca())
        .env("HANSARD_KAFKA_USERNAME", WRITER.0)
        .env("HANSARD_KAFKA_PASSWORD", WRITER.1);
    let mut typist = Typist::at(&shipped);
    typist.line();
    let shown = typist.leave();
    for place in [&s3, &kafka] {
        assert_eq!(shipped.raw(place, "latest"), shown, "{place}");
        shipped.assert_complete(place);
    }
    // Nothing of the password is anywhere in the home.
    for file in hansard_tests::process::files_below(shipped.home.path()) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(hansard_tests::terminal::find(&bytes, WRITER.1.as_bytes()).is_none(), "{}", file.display());
    }
}
