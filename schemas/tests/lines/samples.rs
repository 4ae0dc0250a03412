//! What the other modules are fed: bytes that are awkward on purpose, and one whole identity.

use std::collections::BTreeMap;

use hansard_schemas::session::{Claimed, Identity, Kernel, Kind};
use proptest::prelude::*;

/// Bytes of a stream: text, controls, broken and cut characters, genuine U+FFFD, noise.
pub fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => "[ -~]{0,40}".prop_map(String::into_bytes),
        2 => "\\PC{0,8}".prop_map(String::into_bytes),
        2 => prop::sample::select(vec![
            &b"\r\n"[..], b"\"", b"\\", b"\x1b[31m", b"\0", b"\x7f", b"\x1f", b"\xef\xbf\xbd", b"\xef\xbf", b"\xef",
            b"\xf0\x9f\x98\x80", b"\xf0\x9f\x98", b"\xf0\x9f", b"\xf0", b"\xe4\xb8\xad", b"\xe4\xb8", b"\xc3\xa9", b"\xc3",
            b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80", b"\xff", b"\xfe\xff", b"\xe2\x80\xa8",
        ]).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// `whole` in pieces, cut at the given places.
pub fn pieces<'a>(whole: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut % (whole.len() + 1)).collect();
    places.extend([0, whole.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &whole[pair[0]..pair[1]]).collect()
}

/// An identity with every member filled.
pub fn identity() -> Identity {
    Identity {
        session: "0199a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b".parse().expect("a session id"),
        started: "2026-11-22T09:30:00.125Z".parse().expect("a time"),
        host: "db-1".into(),
        kind: Kind::Interactive,
        kernel: Kernel {
            uid: 1000,
            gid: 1000,
            groups: vec![4, 27],
            login_uid: Some(1000),
            ppid: 4242,
            parent: Some("/usr/sbin/sshd".into()),
            tty: None,
            hostname: "db-1".into(),
            machine: None,
            boot: "6f0c5c4e-5d0a-4a9b-8d37-0a1b2c3d4e5f".parse().expect("a boot id"),
            user: Some("zoë".into()),
            origin: None,
        },
        claimed: Claimed {
            command: vec!["/bin/bash".into(), "-l".into()],
            cwd: "/home/zoë".into(),
            env: BTreeMap::from([("TERM".into(), "xterm-256color".into())]),
            labels: BTreeMap::from([("ticket".into(), "INC-42".into())]),
            reason: None,
            ssh_connection: Some("192.0.2.1 50000 192.0.2.2 22".into()),
            ssh_user_auth: None,
            ssh_key: None,
        },
    }
}
