//! Section 4.4, footer: the document and its words.

use hansard_schemas::Outcome;
use hansard_schemas::cast::Code;
use hansard_schemas::session::{Footer, LeftBehind, Stop, StopOutcome, Streams};

#[test]
fn a_footer_looks_like_this() {
    let mut streams = Streams::default();
    streams.add(Code::Output, 2, 10);
    streams.add(Code::Output, 1, 5);
    streams.add(Code::Resize, 1, 5);
    let mut footer = Footer { lines: 4, duration_ms: 1_500, streams, stop: None };
    let text = r#"{"lines":4,"duration_ms":1500,"streams":{"o":{"events":3,"bytes":15}}}"#;
    assert_eq!(footer.to_bytes().expect("bytes"), text.as_bytes());
    assert_eq!(Footer::parse(text.as_bytes()).expect("reads"), footer);

    let left_behind = vec![LeftBehind { pid: 7, command: "sleep 5".into() }];
    footer.stop = Some(Stop { outcome: StopOutcome::Signalled, status: 143, signal: Some(15), left_behind });
    let text = text.replace(
        "}}}",
        concat!(
            r#"}},"stop":{"outcome":"signalled","status":143,"signal":15,"#,
            r#""left_behind":[{"pid":7,"command":"sleep 5"}]}}"#
        ),
    );
    assert_eq!(String::from_utf8(footer.to_bytes().expect("bytes")).expect("UTF-8"), text);
    assert_eq!(Footer::parse(text.as_bytes()).expect("reads"), footer);
}

#[test]
fn the_outcomes_are_a_closed_list_and_print_as_they_are_written() {
    use StopOutcome::*;
    for outcome in [Exited, Signalled, Disconnected, Terminated, IdleTimeout, MaxDuration, RecorderFailed] {
        assert_eq!(serde_json::to_string(&outcome).expect("a word"), format!("\"{outcome}\""));
    }
    assert!(serde_json::from_str::<StopOutcome>("\"other\"").is_err());
}

#[test]
fn json_3_a_footer_with_a_duplicate_or_without_a_member_is_bad() {
    for bad in [
        r#"{"lines":4,"lines":4,"duration_ms":0,"streams":{}}"#,
        r#"{"lines":4,"duration_ms":0}"#,
        r#"{"lines":-1,"duration_ms":0,"streams":{}}"#,
        r#"{"lines":1.5,"duration_ms":0,"streams":{}}"#,
        "",
    ] {
        assert_eq!(Footer::parse(bad.as_bytes()).expect_err(bad).outcome(), Outcome::BadFooter, "{bad}");
    }
}
