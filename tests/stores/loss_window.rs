//! The whole machine is taken away, processes and disk, at a random instant: what the store lacks is never more than the
//! interval of shipping plus one request.
//!
//! `HANSARD_MACHINES` sets how many machines are taken away (6 by default).

use std::time::{Duration, Instant};

use hansard_tests::process;
use hansard_tests::servers::kafka::Kafka;
use hansard_tests::servers::proxy::Proxy;
use hansard_tests::servers::seaweed::Seaweed;
use hansard_tests::stream::Numbers;
use hansard_tests::terminal::Terminal;
use hansard_tests::{SOON, programs, wait_until};

use crate::shipped::{INTERVAL, Shipped};

/// Closing a segment (sealing anew, syncing, signing) on a machine that builds beside it.
const CLOSING: Duration = Duration::from_millis(700);

#[test]
fn what_is_missing_is_at_most_the_interval_and_one_request() {
    let machines = std::env::var("HANSARD_MACHINES").ok().and_then(|n| n.parse().ok()).unwrap_or(6);
    let mut numbers = Numbers::new(std::process::id().into());
    let (server, broker) = (Seaweed::shared(), Kafka::shared());
    let mut missing_most = Duration::ZERO;
    for machine in 0..machines {
        let proxy = Proxy::before(server.address());
        let bucket = server.bucket("recordings-lost");
        let prefix = format!("lost-{machine}");
        let kafka = broker.place(&prefix, 1);
        let shipped = Shipped::to(&[&bucket.url_by(&proxy.endpoint(), "p"), &kafka], "");
        // What the reviewer has is not on the machine that is lost.
        let reviewer = Shipped::to::<&str>(&[], "");

        let seed = machine.to_string();
        let emit = programs::own("emit").display().to_string();
        let mut terminal = Terminal::raw_running(&shipped.run(&[&emit, "--raw", "chatter", &seed]));
        assert!(terminal.waits(SOON, |bytes| !bytes.is_empty()), "nothing was displayed");
        // The random instant, after the first segment: before it there is no session in the store at all.
        wait_until("the store has the session", SOON, || (!bucket.keys("p/segments/").ok()?.is_empty()).then_some(()));
        terminal.waits(Duration::from_millis(numbers.below(4 * INTERVAL.as_millis() as u64)), |_| false);
        let gone = Instant::now();
        process::kill_recorder(terminal.pid());
        terminal.ended(SOON);
        std::fs::remove_dir_all(shipped.home.path()).expect("the disk is gone");
        let reads = terminal.reads();
        let shown = terminal.drained();

        let request = proxy.log().iter().map(|s| s.until.duration_since(s.at)).max().unwrap_or_default();
        let window = INTERVAL + request + CLOSING;
        let required = reads.iter().rfind(|(_, at)| *at + window < gone).map_or(0, |(length, _)| *length);
        for place in [bucket.url("p"), kafka] {
            // It was never ended, and nobody can say so any more: what there is can be read all the same.
            let there = reviewer.replay(&place, &["export", "latest", "--as", "raw"]).output().stdout;
            let common = there.iter().zip(&shown).take_while(|(t, s)| t == s).count();
            assert!(common >= there.len().min(shown.len()), "{place}: other bytes than were shown, from {common} on");
            let last = reads.iter().find(|(length, _)| *length > there.len()).map_or(gone, |(_, at)| *at);
            let missing = gone.saturating_duration_since(last);
            missing_most = missing_most.max(missing);
            println!(
                "machine {machine}: {} of {} bytes, the last {missing:?} are missing (longest request {request:?})",
                there.len(),
                shown.len()
            );
            assert!(
                there.len() >= required,
                "{place}: {} bytes are there, {required} were shown {window:?} before",
                there.len()
            );
            let (_, sessions) = reviewer.verified(&place);
            assert!(sessions.values().all(|s| s["verdict"] != "complete"), "{place}: {sessions:?}");
        }
    }
    println!("{machines} machines lost, at most the last {missing_most:?} with each");
}
