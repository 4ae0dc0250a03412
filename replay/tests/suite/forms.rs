//! `export` in the forms that are no plain stream of what was recorded: asciicast v2, JSON, stills, pages.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::store::{Host, World, recorded};

#[test]
fn cast2_is_what_old_players_know() {
    let (world, session) = recorded(2, None);
    let said = world.run(&["export", "latest", "--as", "cast2"]);
    said.expect(0, &["asciicast v2", "being no UTF-8: 2", "exit statuses left out: 1", "--as cast can"]);
    let (first, rest) = said.out.split_once('\n').unwrap();
    let header: Value = serde_json::from_str(first).unwrap();
    let started = header["timestamp"].as_u64().unwrap();
    assert_eq!(started, session.id.time().timestamp().cast_unsigned());
    let expected = serde_json::json!({
        "version": 2, "width": 80, "height": 24, "timestamp": started, "duration": 0.5, "command": "bash",
        "title": format!("web1 {}", session.id), "env": {"LANG": "C.UTF-8", "TERM": "xterm"},
    });
    assert_eq!(header, expected);
    let expected = [
        r#"[0.100, "o", "segment 0: café\r\n"]"#,
        "[0.200, \"o\", \"\u{fffd}\\u0000x\"]",
        r#"[0.205, "r", "80x24"]"#,
        r#"[0.300, "o", "segment 1: café\r\n"]"#,
        "[0.400, \"o\", \"\u{fffd}\\u0000x\"]",
    ];
    assert_eq!(rest.lines().collect::<Vec<_>>(), expected);
    world.run(&["export", "latest", "--as", "cast2", "--stream", "error"]).expect(2, &["leave out --stream"]);
}

#[test]
fn json_is_one_document_an_event() {
    let (world, session) = recorded(2, None);
    let said = world.run(&["export", "latest", "--as", "json"]);
    said.expect(0, &[]);
    let time = |ms: i64| {
        let time = session.id.time() + chrono::TimeDelta::milliseconds(ms);
        time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
    };
    let output = |ms: i64, number: usize| {
        let (time, text) = (time(ms), format!("segment {number}: café\\r\\n"));
        format!(r#"{{"code":"o","event":"output","text":"{text}","time":"{time}","time_ms":{ms}}}"#)
    };
    let bytes = |ms: i64| {
        let (time, text) = (time(ms), "\u{fffd}\\u0000x");
        format!(r#"{{"base64":"/wB4","code":"o","event":"output","text":"{text}","time":"{time}","time_ms":{ms}}}"#)
    };
    let expected = [
        output(100, 0),
        bytes(200),
        format!(r#"{{"code":"r","cols":80,"event":"resize","rows":24,"time":"{}","time_ms":205}}"#, time(205)),
        output(300, 1),
        bytes(400),
        format!(r#"{{"code":"x","event":"exit","status":0,"time":"{}","time_ms":500}}"#, time(500)),
    ];
    assert_eq!(said.out.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_still_is_of_the_moment_that_is_asked_for() {
    let (world, session) = recorded(2, None);
    let still = |at: &[&str]| world.run(&[&["export", "latest", "--as", "svg"], at].concat());
    let early = still(&["--at", "0.1"]);
    early.expect(0, &["segment 0: caf", "at 0:00.1 of 0:00.5", &session.id.to_string(), "web1"]);
    assert!(!early.out.contains("segment 1"), "{}", early.out);
    assert!(!still(&["--at", "0.09"]).out.contains("segment"), "nothing was shown yet");
    let end = still(&[]);
    assert!(end.out.contains("segment 0") && end.out.contains("segment 1"), "{}", end.out);
    let late = still(&["--at", "1:00"]);
    late.expect(0, &["the recording ends at 0:00.5"]);
    assert_eq!(late.out, end.out);
    assert!(!end.out.contains("not witnessed"));
    world.run(&["export", "latest", "--as", "html", "--at", "1"]).expect(2, &["--as svg"]);
}

#[test]
fn less_than_complete_stands_in_every_picture() {
    let world = World::new();
    let mut host = Host::new("web1");
    let mut plan = host.plan(&world, 2);
    plan.closed = false;
    let session = host.record(&plan);
    session.save(&world);
    host.boot = crate::store::boot(2);
    host.checkpoint(&[]);
    host.save(&world);
    for form in ["svg", "html"] {
        world.run(&["export", "latest", "--as", form]).expect(0, &["interrupted"]);
        assert!(world.run(&["export", "latest", "--as", form]).out.contains("interrupted"), "{form}");
    }
}

/// The page's data, as its player reads it.
fn data(page: &str) -> Value {
    let (_, rest) = page.split_once("<script type=\"application/json\" id=\"data\">").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

#[test]
fn a_page_holds_the_frames_of_the_screen() {
    let (world, session) = recorded(2, None);
    world.run(&["export", "latest", "--as", "html", "-o", "page.html"]).expect(0, &[]);
    let path = world.root.join("page.html");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let page = std::fs::read_to_string(&path).unwrap();
    let data = data(&page);
    assert_eq!(data["title"], format!("ada on web1: bash ({})", session.id));
    assert_eq!(data["started"], session.id.time().timestamp_millis());
    assert_eq!((&data["length"], &data["end"], &data["doubts"]), (&500.into(), &500.into(), &Value::Null));
    let times: Vec<u64> = data["frames"].as_array().unwrap().iter().map(|frame| frame[1].as_u64().unwrap()).collect();
    assert_eq!(times, [0, 100, 205, 300, 400]);
    assert_eq!(data["marks"], serde_json::json!([[500, 500, "exit", "exit status 0"]]));
    world.run(&["export", "latest", "--as", "html", "-o", "page.html"]).expect(2, &["exists already"]);
    world.run(&["export", "latest", "--as", "raw", "--idle-limit", "1"]).expect(2, &["--as html"]);
}

#[test]
fn a_picture_of_what_is_refused_is_not_written() {
    let (world, _) = recorded(3, Some(1));
    for form in ["svg", "html"] {
        world.run(&["export", "latest", "--as", form, "-o", form]).expect(1, &["segment 1", "footer"]);
        assert!(!world.root.join(form).exists());
        let forced = world.run(&["export", "latest", "--as", form, "--force"]);
        forced.expect(0, &["segment 1", "segment 2"]);
    }
}
