//! Section 10, and the escaping of what is printed.

use hansard_schemas::names::{ChainName, EventName, ProbeName, SegmentName, decode, encode, foreign, safe};
use hansard_schemas::{ChainId, Digest, PublicKey, SessionId, Timestamp};
use proptest::prelude::*;

#[test]
fn name_1_components_look_like_this() {
    for (raw, name) in [
        ("", "~~"),
        ("db-1.example.org", "db-1.example.org"),
        (".", "~2e"),
        ("..", "~2e~2e"),
        (".a.", "~2ea~2e"),
        ("a..b", "a..b"),
        ("../etc/passwd", "~2e.~2fetc~2fpasswd"),
        ("a_b~c", "a~5fb~7ec"),
        ("é", "~c3~a9"),
        ("\0", "~00"),
    ] {
        assert_eq!(encode(raw.as_bytes()), name, "{raw}");
        assert_eq!(decode(name).expect(name), Some(raw.as_bytes().to_vec()), "{name}");
    }
}

#[test]
fn name_1_long_components_are_cut_and_never_inside_an_escape() {
    assert_eq!(encode(&[b'a'; 64]), "a".repeat(64));
    for (raw, kept) in [
        (vec![b'a'; 65], "a".repeat(40)),
        (vec![b'_'; 22], "~5f".repeat(13)),
        ([vec![b'a'; 38], vec![b'_'; 20]].concat(), "a".repeat(38)),
        ([vec![b'a'; 37], vec![b'_'; 20]].concat(), format!("{}~5f", "a".repeat(37))),
    ] {
        let name = format!("{kept}~~{}", Digest::of(&raw).short());
        assert_eq!(encode(&raw), name);
        assert_eq!(decode(&name).expect(&name), None);
    }
}

#[test]
fn name_2_what_does_not_encode_back_is_refused() {
    let long = "a".repeat(65);
    let d16 = "0123456789abcdef";
    let cut_forms = [
        format!("{}~~{d16}", "a".repeat(37)),
        format!("{}~~{d16}", "a".repeat(41)),
        format!("{}~~{}", "a".repeat(40), d16.to_uppercase()),
        format!("{}~~{d16}0", "a".repeat(40)),
        format!(".{}~~{d16}", "a".repeat(39)),
        format!("{}~61~~{d16}", "a".repeat(37)),
        format!("{}/~~{d16}", "a".repeat(39)),
    ];
    let plain =
        ["", ".", "..", ".a", "a.", "a/b", "a_b", "~", "~2", "~2E", "~61", "~2g", "~~~", "~~a", "a~~", "é", "a b"];
    for name in plain.into_iter().chain([long.as_str()]).chain(cut_forms.iter().map(String::as_str)) {
        assert!(decode(name).is_err(), "{name}");
    }
}

fn session() -> SessionId {
    SessionId::new(1_795_339_800_125, &[7; 10])
}

#[test]
fn name_2_segment_names_have_one_form() {
    let name = SegmentName::new(&ChainId(Digest([0xab; 32])), session(), 5, &Digest([0xcd; 32]));
    let path = name.path();
    assert_eq!(path, format!("segments/2026/11/22/abababababababab/{}/000005-cdcdcdcdcdcdcdcd.hseg", session()));
    assert_eq!(SegmentName::parse(&path).expect("parses"), name);
    for (from, to) in [
        ("segments/", "/segments/"),
        ("segments/", "recordings/"),
        ("2026/11/22", "2026/11/23"),
        ("2026/11/22", "2026/11/022"),
        ("2026/11/22/", ""),
        ("abababab", "ABababab"),
        ("abababab", "abababa"),
        ("000005", "5"),
        ("000005", "0000005"),
        ("000005", "+00005"),
        (".hseg", ".hrec"),
        (".hseg", ".hseg/x"),
        ("-cdcd", "-../"),
    ] {
        let changed = path.replacen(from, to, 1);
        assert_ne!(changed, path);
        assert!(SegmentName::parse(&changed).is_err(), "{changed}");
    }
}

#[test]
fn name_2_chain_names_have_one_form() {
    let name = ChainName { chain: ChainId::of(&PublicKey([1; 32])), first: 0, last: 12 };
    let path = name.path();
    assert!(path.starts_with("chains/") && path.ends_with("/000000000000-000000000012.hchain"), "{path}");
    assert_eq!(ChainName::parse(&path).expect("parses"), name);
    for (from, to) in
        [("000000000000-", "000000000013-"), ("000000000012", "12"), (".hchain", ""), ("chains/", "chains//")]
    {
        let changed = path.replacen(from, to, 1);
        assert_ne!(changed, path);
        assert!(ChainName::parse(&changed).is_err(), "{changed}");
    }
}

#[test]
fn safe_leaves_nothing_that_acts_reorders_or_hides() {
    for (text, printed) in [
        ("plain, é 中 \u{1f600} \\ \"", "plain, é 中 \u{1f600} \\ \""),
        ("a\x1b[31mb\n", "a\\x1b[31mb\\x0a"),
        ("\0\x7f\u{9b}", "\\x00\\x7f\\u{9b}"),
        ("\u{202e}gpj.exe", "\\u{202e}gpj.exe"),
        ("\u{2066}\u{2069}\u{200e}\u{200f}\u{61c}", "\\u{2066}\\u{2069}\\u{200e}\\u{200f}\\u{61c}"),
        ("ad\u{200b}min\u{2060}\u{feff}\u{ad}", "ad\\u{200b}min\\u{2060}\\u{feff}\\u{ad}"),
        ("\u{2028}\u{2029}\u{e0041}\u{fe0f}", "\\u{2028}\\u{2029}\\u{e0041}\\u{fe0f}"),
        ("e\u{301}\u{323} \u{e19}\u{e33}", "e\u{301}\u{323} \u{e19}\u{e33}"),
        // A pile would cover the lines above.
        ("a\u{300}\u{301}\u{302}\u{303}\u{304}\u{305}b", "a\u{300}\u{301}\u{302}\u{303}\\u{304}\\u{305}b"),
    ] {
        assert_eq!(safe(text), printed);
    }
}

proptest! {
    #[test]
    fn name_1_any_component_is_short_plain_and_comes_back_or_is_cut(raw in prop::collection::vec(any::<u8>(), 0..80)) {
        let name = encode(&raw);
        prop_assert!(name.len() <= 64);
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'~');
        prop_assert!(name.bytes().all(plain) && !name.starts_with('.') && !name.ends_with('.'));
        match decode(&name)? {
            Some(found) => prop_assert_eq!(found, raw),
            None => prop_assert!(name.contains("~~")),
        }
    }

    #[test]
    fn name_2_any_name_is_refused_or_encodes_back(name in "[a-c.~2ef/-]{0,70}") {
        if let Ok(Some(raw)) = decode(&name) {
            prop_assert_eq!(encode(&raw), name);
        }
    }

    #[test]
    fn name_2_any_path_is_refused_or_comes_back(
        path in "(segments|chains)/[0-9/]{0,12}(/[0-9a-f-]{0,36}){0,3}\\.h(seg|chain)", unix_ms in 0..1_u64 << 48,
        number in 0..=999_999_u32, seqs in (0..=999_999_999_999_u64, 0..=999_999_999_999_u64),
    ) {
        if let Ok(name) = SegmentName::parse(&path) {
            prop_assert_eq!(name.path(), &path[..]);
        }
        if let Ok(name) = ChainName::parse(&path) {
            prop_assert_eq!(name.path(), path);
        }
        let chain = ChainId(Digest([9; 32]));
        let name = SegmentName::new(&chain, SessionId::new(unix_ms % 253_402_300_800_000, &[0; 10]), number, &Digest([8; 32]));
        prop_assert_eq!(SegmentName::parse(&name.path())?, name);
        let name = ChainName { chain, first: seqs.0.min(seqs.1), last: seqs.0.max(seqs.1) };
        prop_assert_eq!(ChainName::parse(&name.path())?, name);
    }

    #[test]
    fn safe_text_is_printable(text in any::<String>()) {
        let printed = safe(&text);
        let acts = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        prop_assert!(!printed.contains(acts));
        prop_assert_eq!(safe(&printed), printed);
    }
}

fn event(host: &str, user: &str, session: Option<SessionId>) -> EventName {
    let time = Timestamp::new(chrono::DateTime::from_timestamp_millis(1_795_339_800_123).expect("a time"));
    EventName::new(&ChainId(Digest([7; 32])), session, time, "interactive", host, user, "started")
}

#[test]
fn name_4_events_look_like_this() {
    let session = SessionId::new(1_795_253_400_000, &[1; 10]);
    let name = event("db-7.example.org", "o'neil", Some(session));
    let path = format!(
        "events/2026/11/21/0707070707070707/20261122T093000.123Z_interactive_db-7.example.org_o~27neil_{session}.started.json"
    );
    assert_eq!(name.path(), path);
    assert_eq!(EventName::parse(&path).unwrap(), name);
    assert_eq!(EventName::plain(&name.user), "o'neil");
    let of_host = event("db", "", None).path();
    assert_eq!(of_host, "events/2026/11/22/0707070707070707/20261122T093000.123Z_interactive_db_~~_-.started.json");
    assert!(EventName::parse(&of_host).is_ok());
    for bad in [
        path.replace("2026/11/21", "2026/11/22"),
        path.replace("o~27neil", "o'neil"),
        path.replace(".123Z", ".12Z"),
        path.replace("started", "Started"),
        path.replace("started.json", ".json"),
        path.replace(".json", ""),
        path.replace("events/", "event/"),
        path.replace("/0707070707070707/", "/07070707070707XX/"),
        path.replace("_interactive", ""),
        of_host.replace("11/22", "11/21"),
    ] {
        assert!(EventName::parse(&bad).is_err(), "{bad}");
        assert!(foreign(&bad).is_some(), "{bad}");
    }
    assert_eq!(foreign(&path), None);
}

#[test]
fn names_of_probes_are_plain() {
    let name = ProbeName { chain16: "0707070707070707".into(), word: "check-1".into() };
    assert_eq!(name.path(), "probes/0707070707070707/check-1");
    assert_eq!(ProbeName::parse(&name.path()).unwrap(), name);
    for bad in ["probes/07/x", "probes/0707070707070707/", "probes/0707070707070707/A", "probes/0707070707070707/a/b"] {
        assert!(ProbeName::parse(bad).is_err() && foreign(bad).is_some(), "{bad}");
    }
}

proptest! {
    #[test]
    fn name_4_any_host_and_user_round_trip_and_stay_one_component(host in ".{0,80}", user in ".{0,80}") {
        let name = event(&host, &user, Some(SessionId::new(1_795_339_800_000, &[2; 10])));
        prop_assert_eq!(name.path().split('/').count(), 6);
        prop_assert_eq!(EventName::parse(&name.path()).unwrap(), name);
    }
}
