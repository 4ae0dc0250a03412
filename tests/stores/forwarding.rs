//! `forward` to where lines go: a real syslog daemon, and CloudWatch Logs by an emulator, away meanwhile.

use hansard_tests::home::Home;
use hansard_tests::lines::Lines;
use hansard_tests::servers::moto::Moto;
use hansard_tests::servers::proxy::{Fault, Proxy};
use hansard_tests::servers::rsyslog::{Message, Rsyslog};
use hansard_tests::{LONG, SOON, wait_until};

const GROUP: &str = "hansard/test";

/// `forward --to WHERE` from this home's store, begun; sessions that start from now on are sent.
fn forward(home: &Home, to: &str, more: &[&str]) -> Lines {
    let state = home.join("forward.json");
    let args = ["forward", "--interval", "0.2", "--to", to, "--state", state.to_str().expect("text")];
    let call = home.replay(args.iter().chain(more)).env("AWS_ACCESS_KEY_ID", "a").env("AWS_SECRET_ACCESS_KEY", "b");
    let lines = Lines::start(&call.env("AWS_EC2_METADATA_DISABLED", "true"));
    wait_until("it looks for sessions", SOON, || state.exists().then_some(()));
    lines
}

/// Ends it, which it does without a complaint.
fn end(forward: Lines) -> String {
    forward.terminate();
    let (_, status, said) = forward.end();
    assert_eq!(status, Some(0), "{said}");
    said
}

/// A home with a session, so that there is a store to look into.
fn begun() -> Home {
    let home = Home::new();
    home.record_sh("echo before").ok();
    home
}

#[test]
fn lines_reach_a_log_stream_once_whatever_happens_to_the_service() {
    let (moto, home) = (Moto::start(), begun());
    moto.make_group(GROUP);
    let proxy = Proxy::before(moto.address());
    let endpoint = proxy.endpoint().replace(':', "%3A");
    let to = format!("cloudwatch://{GROUP}/lines?region=us-east-1&endpoint={endpoint}");
    let texts = || -> Vec<String> {
        let events = moto.events(GROUP, "lines");
        assert!(events.is_sorted_by_key(|(time, _)| *time), "{events:?}");
        events.into_iter().map(|(_, text)| text).collect()
    };
    let count = |words: &str| texts().iter().filter(|text| text.ends_with(words)).count();

    let first = forward(&home, &to, &[]);
    home.record_sh("echo first").ok();
    wait_until("the first line is there", SOON, || (count(" first") == 1).then_some(()));

    // Away: what was not taken is not counted as sent, and the next one sends it.
    proxy.refuse();
    home.record_sh("echo second").ok();
    first.expect_said("cannot send, and tried again", SOON);
    let said = end(first);
    assert!(said.contains("nothing listens") || said.contains("cannot send"), "{said}");
    proxy.accept();
    let again = forward(&home, &to, &[]);
    wait_until("the second line is there", SOON, || (count(" second") == 1).then_some(()));

    // Away while it runs, with an answer and without.
    proxy.always(Fault::Say(400, Vec::new(), "{\"__type\":\"ThrottlingException\",\"message\":\"slow down\"}".into()));
    home.record_sh("echo third").ok();
    again.expect_said("ThrottlingException: slow down", SOON);
    proxy.always(Fault::Pass);
    again.expect_said("lines are taken again", SOON);
    wait_until("the third line is there", SOON, || (count(" third") == 1).then_some(()));

    // More than one request takes.
    let before = proxy.log().len();
    home.record_sh("seq 1 10500").ok();
    wait_until("all lines are there", LONG, || (count(" 10500") == 1).then_some(()));
    end(again);
    let texts = texts();
    let numbers: Vec<u32> = texts.iter().filter_map(|text| text.rsplit(' ').next()?.parse().ok()).collect();
    assert!(numbers == (1..=10_500).collect::<Vec<_>>(), "{} numbers", numbers.len());
    let puts: Vec<usize> = proxy.log()[before..].iter().map(|seen| seen.length).collect();
    assert!(puts.len() >= 2, "10,000 events are the most of one request: {puts:?}");
    for word in [" first", " second", " third"] {
        assert_eq!(texts.iter().filter(|text| text.ends_with(word)).count(), 1, "{word}");
    }
    assert!(!texts.iter().any(|text| text.ends_with(" before")), "it ended before it was asked for");
}

#[test]
fn a_log_group_that_is_not_there_is_said_with_what_to_do() {
    let (moto, home) = (Moto::start(), begun());
    let endpoint = format!("http%3A//{}", moto.address());
    let to = format!("cloudwatch://nobody/lines?region=us-east-1&endpoint={endpoint}");
    let call = home.replay(["forward", "--to", &to]).env("AWS_ACCESS_KEY_ID", "a").env("AWS_SECRET_ACCESS_KEY", "b");
    let output = call.output();
    let said = hansard_tests::call::said(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("ResourceNotFoundException") && said.contains("make the log group"), "{said}");
}

#[test]
fn a_syslog_daemon_understands_what_it_gets() {
    let (daemon, home) = (Rsyslog::start(), begun());
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let ours = |word: &str| -> Vec<Message> {
        daemon.messages().into_iter().filter(|message| message.text.contains(word)).collect()
    };

    let tcp = forward(&home, &format!("syslog+tcp://{}", daemon.tcp()), &[]);
    assert_eq!(home.record_sh("echo by tcp; exit 3").output().status.code(), Some(3));
    let by_tcp = wait_until("the line is there", SOON, || Some(ours("by tcp")).filter(|found| found.len() == 1));
    end(tcp);
    let Message { app, id, data, time, text, host: from } = &by_tcp[0];
    assert_eq!((&**app, &**id, &**text, &**from), ("hansard", "line", "by tcp", &*host), "{by_tcp:?}");
    assert!(data.starts_with("[hansard@32473 user=\"") && data.contains("\" session=\"0"), "{data}");
    assert!(time.starts_with("20") && time.contains('T'), "{time}");
    assert!(ours("exit status 3").iter().all(|message| message.id == "mark"), "{:?}", daemon.messages());

    let local = forward(&home, &format!("syslog://{}", daemon.socket().display()), &[]);
    home.record_sh("echo by socket").ok();
    let by_socket = wait_until("the line is there", SOON, || Some(ours("by socket")).filter(|found| found.len() == 1));
    end(local);
    let Message { app, text, .. } = &by_socket[0];
    assert!(app == "hansard" && text.contains(&host) && text.ends_with(" by socket"), "{by_socket:?}");
}
