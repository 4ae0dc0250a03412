//! Delivery that lags is told, to the user and as events, and holds output where that is asked for.

use std::time::Duration;

use hansard_tests::servers::daemon::Server;
use hansard_tests::servers::seaweed::Seaweed;
use hansard_tests::servers::webhook::{Delivery, Webhook};
use hansard_tests::{LONG, wait_until};
use serde_json::{Value, json};

use crate::events::{SECRET, judged, of_webhook};
use crate::shipped::{Shipped, Typist, wait_first_segment};

/// What the events of one type say, in the order in which they came.
fn of_type(taken: &[Delivery], kind: &str) -> Vec<Value> {
    taken.iter().map(Delivery::json).filter(|event| event["type"] == kind).collect()
}

#[test]
fn lag_is_told_and_holds_output_until_it_is_over() {
    let (server, receiver) = (Seaweed::start(), Webhook::open());
    let bucket = server.bucket("recordings-lagging");
    let place = bucket.url("p");
    let notify = format!("notify = {}", json!([receiver.url()]));
    let ship = "[ship]\ninterval = \"500ms\"\nfinal_wait = \"60s\"\nbehind = \"2s\"\nmax_lag = \"12s\"\n";
    let shipped = Shipped::to(&[&place], &format!("{notify}\n{ship}")).env("HANSARD_WEBHOOK_SECRET", SECRET);
    let mut typist = Typist::at(&shipped);
    wait_first_segment(&bucket, "p");
    typist.lines_for(Duration::from_secs(1));
    assert!(of_type(&receiver.taken(), "hansard.ship.behind").is_empty(), "nothing lags yet");

    server.kill();
    // A line now and then, as somebody types: what the recorder says may come between an echo and its copy.
    wait_until("the user is told", LONG, || {
        typist.terminal.type_in("w\r");
        std::thread::sleep(Duration::from_millis(300));
        typist.terminal.text().contains("nothing has reached s3://").then_some(())
    });
    let taken = receiver.wait("what lags and fails is told", LONG, |taken| {
        ["hansard.ship.behind", "hansard.sink.failing"].iter().all(|kind| !of_type(taken, kind).is_empty())
    });
    for kind in ["hansard.ship.behind", "hansard.sink.failing"] {
        let events = of_type(&taken, kind);
        assert_eq!(events.len(), 1, "{events:?}");
        let data = &events[0]["data"];
        assert!(data["sink"].as_str().unwrap().starts_with("s3://"), "{data}");
        assert!(data["lag_ms"].as_u64().unwrap() >= 2_000 && data["why"].is_string(), "{data}");
    }

    wait_until("output is held", LONG, || {
        typist.terminal.type_in("x\r");
        std::thread::sleep(Duration::from_millis(300));
        typist.terminal.text().contains("output is held, it cannot be recorded: nothing has reached").then_some(())
    });
    let held = typist.terminal.shown();
    typist.terminal.type_in("y\r");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(typist.terminal.shown(), held, "something was shown: {}", typist.terminal.text());

    server.restart();
    typist.terminal.wait_text_after(held, "y\r\ny\r\n");
    receiver.wait("it takes again", LONG, |taken| !of_type(taken, "hansard.sink.recovered").is_empty());
    typist.line();
    let shown = typist.leave();
    shipped.ship();
    assert_eq!(shipped.raw(&place, "latest"), shown);
    shipped.assert_complete(&place);
    // Each change once, and nothing after the end.
    let taken = receiver.taken();
    for kind in ["hansard.ship.behind", "hansard.sink.failing", "hansard.sink.recovered"] {
        assert_eq!(of_type(&taken, kind).len(), 1, "{kind}");
    }
    let cases: Vec<Value> = taken.iter().map(of_webhook).collect();
    assert_eq!(judged(&cases).len(), taken.len());
}
