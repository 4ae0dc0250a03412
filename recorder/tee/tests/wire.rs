//! The agent's protocol: every frame is read as it was written, released transcripts stay readable, and nothing that comes
//! on a socket panics or is taken for a frame that it is not.
#![allow(clippy::unwrap_used)]

use hansard_tee::wire::{FRAME_MAX, FromAgent, FromTee, Hello, Refused, Resume, VERSION, Welcome, split};
use hansard_tee::{Exit, LeftBehind, Message, Outcome, Pipe, Rest, Stream};

fn tee_frames() -> Vec<FromTee<'static>> {
    let exit = Exit {
        status: 130,
        signal: Some(2),
        outcome: Outcome::Signalled,
        left_behind: vec![LeftBehind { pid: 4711, command: "sleep".into() }],
    };
    let rest = Rest { from_us: 56, missing: 1 << 33, sha256: [9; 32], tail: b"the end" };
    vec![
        FromTee::Hello(Hello {
            version: VERSION,
            terminal: true,
            size: (80, 24),
            argv: vec![b"-hansard-shell".to_vec(), b"-c".to_vec(), b"echo \xff".to_vec()],
            cwd: b"/home/ann".to_vec(),
            env: vec![b"TERM=xterm".to_vec(), b"SSH_CONNECTION=192.0.2.1 40000 192.0.2.2 22".to_vec()],
            start_us: 1_234_567_890,
            ssh_user_auth: Some(b"publickey ssh-ed25519 AAAA".to_vec()),
        }),
        FromTee::Resume(Resume {
            version: VERSION,
            session: b"0193a0b1-0000-7000-8000-000000000001".to_vec(),
            token: vec![7; 16],
            accepted: 42,
            size: (132, 43),
            start_us: 1_234_567_890,
            shown: Some(b"held".to_vec()),
        }),
        FromTee::Message(1, 10, Message::Output { stream: Stream::Output, bytes: b"\x00\xff text" }),
        FromTee::Message(2, 20, Message::Output { stream: Stream::Error, bytes: b"no" }),
        FromTee::Message(3, 30, Message::Input { bytes: b"secret\r", hidden: true }),
        FromTee::Message(4, 40, Message::InputEnd),
        FromTee::Message(5, 50, Message::Resize { cols: 0, rows: 65_535 }),
        FromTee::Message(6, 55, Message::Passing { pipe: Pipe::Input, total: 1 << 40 }),
        FromTee::Message(7, 57, Message::Rest { pipe: Pipe::Error, rest }),
        FromTee::Last(60),
        FromTee::Exit(70, exit),
        FromTee::Alive,
        FromTee::Sleeps,
        FromTee::Control(b"{\"do\":\"status\"}"),
    ]
}

fn agent_frames() -> Vec<FromAgent<'static>> {
    vec![
        FromAgent::Greeting(VERSION, vec![b"TERM", b"LANG"]),
        FromAgent::Welcome(Welcome {
            version: VERSION,
            session: b"0193a0b1-0000-7000-8000-000000000001".to_vec(),
            token: vec![7; 16],
            program: b"/bin/bash".to_vec(),
            argv: vec![b"-bash".to_vec()],
            env: vec![b"TERM".to_vec(), b"LC_*".to_vec()],
            input: true,
            stream_limit: Some(64 << 10),
            grace_ms: 60_000,
            banner: b"recorded\r\n".to_vec(),
            // Younger than the transcript.
            marks: None,
        }),
        FromAgent::Refused(Refused { denied: true, text: b"not from here".to_vec() }),
        FromAgent::Resumed(42),
        FromAgent::Accepted(u64::MAX),
        FromAgent::Notice(b"one minute"),
        FromAgent::Terminate(Outcome::IdleTimeout),
        FromAgent::LetGo,
        FromAgent::Failed(b"disk"),
        FromAgent::Ended,
        FromAgent::Answer(b"{}"),
    ]
}

fn bytes_of_tee() -> Vec<u8> {
    let mut bytes = Vec::new();
    tee_frames().iter().for_each(|frame| frame.put(&mut bytes));
    bytes
}

fn bytes_of_agent() -> Vec<u8> {
    let mut bytes = Vec::new();
    agent_frames().iter().for_each(|frame| frame.put(&mut bytes));
    bytes
}

/// Calls `each` with every frame; the bytes end with the last one.
fn frames(mut bytes: &[u8], mut each: impl FnMut(u8, &[u8])) {
    while let Some((kind, body, length)) = split(bytes, FRAME_MAX).unwrap() {
        each(kind, body);
        bytes = &bytes[length..];
    }
    assert!(bytes.is_empty());
}

#[test]
fn every_frame_is_read_as_it_was_written() {
    let mut expected = tee_frames().into_iter();
    frames(&bytes_of_tee(), |kind, body| assert_eq!(FromTee::read(kind, body).unwrap(), expected.next().unwrap()));
    assert!(expected.next().is_none());
    let mut expected = agent_frames().into_iter();
    frames(&bytes_of_agent(), |kind, body| assert_eq!(FromAgent::read(kind, body).unwrap(), expected.next().unwrap()));
    assert!(expected.next().is_none());
}

#[test]
fn a_welcome_may_name_a_folder_of_marks() {
    let welcome = Welcome { marks: Some(b"/usr/share/hansard/shell".to_vec()), ..Welcome::default() };
    let mut bytes = Vec::new();
    FromAgent::Welcome(welcome.clone()).put(&mut bytes);
    frames(&bytes, |kind, body| {
        assert_eq!(FromAgent::read(kind, body).unwrap(), FromAgent::Welcome(welcome.clone()));
    });
}

/// Tees live for weeks: what one of an older version says is read for ever. A file here is never changed, only joined by
/// that of a new version.
#[test]
fn transcripts_of_every_released_version_are_read() {
    let golden = |name: &str| {
        let path = format!("{}/tests/transcripts/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
    };
    let mut expected = tee_frames().into_iter();
    frames(&golden("v1-tee"), |kind, body| assert_eq!(FromTee::read(kind, body).unwrap(), expected.next().unwrap()));
    let mut expected = agent_frames().into_iter();
    frames(&golden("v1-agent"), |kind, body| {
        assert_eq!(FromAgent::read(kind, body).unwrap(), expected.next().unwrap())
    });
    // As long as version 1 is the newest, it is also what is written.
    assert_eq!((golden("v1-tee"), golden("v1-agent")), (bytes_of_tee(), bytes_of_agent()));
}

#[test]
fn a_frame_that_is_cut_waits_and_a_false_length_is_refused() {
    let bytes = bytes_of_tee();
    let (_, _, length) = split(&bytes, FRAME_MAX).unwrap().unwrap();
    for cut in 0..length {
        assert_eq!(split(&bytes[..cut], FRAME_MAX), Ok(None), "cut at {cut}");
    }
    assert!(split(&[0, 0, 0, 0], FRAME_MAX).is_err(), "an empty frame");
    assert!(split(&[255, 255, 255, 255], FRAME_MAX).is_err(), "4 GiB");
    assert!(split(&[1, 1, 0, 0], 256).is_err(), "longer than allowed");
}

#[test]
fn unknown_fields_are_passed_over_and_unknown_kinds_are_not() {
    let mut bytes = Vec::new();
    FromTee::Hello(Hello { version: 7, ..Hello::default() }).put(&mut bytes);
    bytes.extend([200, 3, 0, 0, 0, 1, 2, 3]);
    assert!(matches!(FromTee::read(1, &bytes[5..]).unwrap(), FromTee::Hello(hello) if hello.version == 7));
    for kind in [0, 12, 128, 140, 255] {
        assert!(FromTee::read(kind, &[]).is_err() && FromAgent::read(kind, &[]).is_err(), "{kind}");
    }
}

#[test]
fn bodies_that_are_cut_lengthened_or_turned_never_panic() {
    let (tee, agent) = (bytes_of_tee(), bytes_of_agent());
    let mut refused = 0;
    for (bytes, of_tee) in [(&tee, true), (&agent, false)] {
        frames(bytes, |kind, body| {
            let mut check = |kind: u8, body: &[u8]| {
                let fails =
                    if of_tee { FromTee::read(kind, body).is_err() } else { FromAgent::read(kind, body).is_err() };
                refused += u32::from(fails);
            };
            (0..body.len()).for_each(|cut| check(kind, &body[..cut]));
            check(kind, &[body, &[0]].concat());
            (0..=255).for_each(|kind| check(kind, body));
            for at in 0..body.len() {
                for value in [0, 1, 0x7f, 0xff] {
                    let mut turned = body.to_vec();
                    turned[at] = value;
                    check(kind, &turned);
                }
            }
        });
    }
    assert!(refused > 1000, "{refused}: nearly all of it is refused");
}

/// Writes the transcripts of this version: `HANSARD_WRITE_TRANSCRIPTS=1 cargo test -p hansard-tee --test wire`, once.
#[test]
fn transcripts_are_written_when_asked_for() {
    if std::env::var_os("HANSARD_WRITE_TRANSCRIPTS").is_some() {
        let folder = format!("{}/tests/transcripts", env!("CARGO_MANIFEST_DIR"));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(format!("{folder}/v{VERSION}-tee"), bytes_of_tee()).unwrap();
        std::fs::write(format!("{folder}/v{VERSION}-agent"), bytes_of_agent()).unwrap();
    }
    assert!(!bytes_of_tee().is_empty());
}
