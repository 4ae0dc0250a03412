//! CAST-1: the header line and the identity object in it.

use hansard_schemas::cast::{CastHeader, LineReader, Term};
use hansard_schemas::{Digest, Outcome};

use crate::samples;

fn header() -> CastHeader {
    CastHeader {
        term: Term { cols: 80, rows: 24, kind: Some("xterm-256color".into()) },
        timestamp: 1_795_339_800,
        command: Some("/bin/bash -l".into()),
        hansard: samples::identity(),
    }
}

const IDENTITY: &str = concat!(
    r#"{"session":"0199a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b","started":"2026-11-22T09:30:00.125Z","host":"db-1","#,
    r#""kind":"interactive","kernel":{"uid":1000,"gid":1000,"groups":[4,27],"login_uid":1000,"ppid":4242,"#,
    r#""parent":"/usr/sbin/sshd","tty":null,"hostname":"db-1","machine":null,"#,
    r#""boot":"6f0c5c4e-5d0a-4a9b-8d37-0a1b2c3d4e5f","user":"zoë"},"claimed":{"command":["/bin/bash","-l"],"#,
    r#""cwd":"/home/zoë","env":{"TERM":"xterm-256color"},"labels":{"ticket":"INC-42"},"reason":null,"#,
    r#""ssh_connection":"192.0.2.1 50000 192.0.2.2 22","ssh_user_auth":null}}"#,
);

#[test]
fn cast_1_the_identity_is_the_last_member_and_its_exact_bytes_are_hashed() {
    let (line, digest) = header().to_line().expect("a line");
    let expected = format!(
        "{{\"version\":3,\"term\":{{\"cols\":80,\"rows\":24,\"type\":\"xterm-256color\"}},\"timestamp\":1795339800,\
         \"command\":\"/bin/bash -l\",\"hansard\":{IDENTITY}}}\n"
    );
    assert_eq!(String::from_utf8_lossy(&line), expected);
    assert_eq!(digest, Digest::of(IDENTITY.as_bytes()));
    assert_eq!(CastHeader::parse_line(&line).expect("reads"), (header(), digest));
}

#[test]
fn cast_1_and_json_4_unknown_members_and_spaces_are_part_of_what_is_hashed() {
    let (line, _) = header().to_line().expect("a line");
    let line = String::from_utf8(line).expect("UTF-8").replace("{\"session\"", "{ \"new\":[1], \"session\"");
    let (read, digest) = CastHeader::parse_line(line.as_bytes()).expect("reads");
    assert_eq!(read, header());
    let identity = IDENTITY.replace("{\"session\"", "{ \"new\":[1], \"session\"");
    assert_eq!(digest, Digest::of(identity.as_bytes()));
}

#[test]
fn cast_1_the_header_is_the_first_line_of_segment_0_and_of_nothing_else() {
    let (line, _) = header().to_line().expect("a line");
    let mut reader = LineReader::new(true, 0);
    assert_eq!(reader.header(), None);
    assert_eq!(reader.push(&line).expect("reads"), []);
    assert_eq!(reader.header().map(|(header, _)| header), Some(&header()));
    assert_eq!(reader.lines(), 1);
    assert_eq!(reader.push(&line).expect_err("twice").outcome(), Outcome::BadLine);
    assert_eq!(LineReader::new(false, 0).push(&line).expect_err("later").outcome(), Outcome::BadLine);
    let missing = LineReader::new(true, 0).push(b"[0.000, \"r\", \"80x24\"]\n");
    assert_eq!(missing.expect_err("none").outcome(), Outcome::BadLine);
}

#[test]
fn cast_1_what_is_not_a_header_is_a_bad_line() {
    let (line, _) = header().to_line().expect("a line");
    let line = String::from_utf8(line).expect("UTF-8");
    for (from, to) in [
        ("\"version\":3", "\"version\":2"),
        ("\"version\":3", "\"version\":3,\"version\":3"),
        ("\"version\":3,", ""),
        ("\"uid\":1000", "\"uid\":1000,\"uid\":0"),
        ("\"uid\":1000", "\"uid\":1000.0"),
        ("}}}\n", "}},\"title\":\"after\"}\n"),
        ("\"hansard\":", "\"other\":"),
        ("\"kind\":\"interactive\"", "\"kind\":\"other\""),
        ("}}}\n", "}}\n"),
        ("\"cols\":80", "\"cols\":80000"),
    ] {
        let changed = line.replacen(from, to, 1);
        assert_ne!(changed, line, "{from}");
        assert_eq!(CastHeader::parse_line(changed.as_bytes()).expect_err(to).outcome(), Outcome::BadLine, "{to}");
    }
}

#[test]
fn lim_7_a_header_line_that_is_too_long_is_neither_written_nor_read() {
    let mut header = header();
    header.hansard.claimed.reason = Some("x".repeat(1 << 20));
    assert_eq!(header.to_line().expect_err("too long").outcome(), Outcome::Limit);
    assert_eq!(CastHeader::parse_line(&vec![b' '; (1 << 20) + 1]).expect_err("too long").outcome(), Outcome::Limit);
}
