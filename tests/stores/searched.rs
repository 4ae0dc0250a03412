//! `grep` over a bucket: it finds what it finds in the folder, and what the exported text has, the first time and again.
//!
//! `tests/long searched` measures 1,000 sessions of a MiB (`HANSARD_TEST_SEARCHED`, `HANSARD_TEST_SESSION_KIB`).

use std::time::Instant;

use hansard_schemas::session::Kind;
use hansard_tests::form;
use hansard_tests::servers::proxy::Proxy;
use hansard_tests::servers::seaweed::Seaweed;
use regex::RegexBuilder;
use serde_json::Value;

use crate::audited::{address, run, upload};
use crate::daily::{KINDS, Random, session};
use crate::recorded::record;
use crate::store::{Host, World};

/// A pattern, and what else is given with it.
const ASKED: &[&[&str]] = &[
    &["-F", "no such thing"],
    &["error timeout.*refused|peer 7"],
    &["-i", "PERMISSION DENIED"],
    &["-i", "cache CACHE cache"],
];

#[test]
fn a_bucket_is_searched_as_a_folder_is() {
    let count = form("HANSARD_TEST_SEARCHED", 30);
    let bytes = usize::try_from(form("HANSARD_TEST_SESSION_KIB", 64)).unwrap() << 10;
    let (world, mut host, mut random) = (World::new(), Host::new("web1"), Random(7));
    let mut sessions = Vec::new();
    for n in 0..count {
        let (_, makes) = KINDS[usize::try_from(n).unwrap() % KINDS.len()];
        let events = session(&mut random, makes, bytes);
        sessions.push(record(&world, &mut host, (120, 40), Kind::Interactive, &[events]).id.to_string());
    }
    host.save(&world);
    let server = Seaweed::shared();
    let bucket = server.bucket("recordings-searched");
    let (file, s3) = (address(&world.store()), upload(&world, &bucket, "p"));
    let timed = |from: &str, args: &[&str]| {
        let begun = Instant::now();
        let said = run(&world, from, &[&["grep", "--json"], args].concat());
        println!("{:>9.3?} {args:?} {}", begun.elapsed(), &from[..4]);
        assert!(said.code < 2, "{said:?}");
        let mut documents: Vec<Value> = said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        // Where to play it from is another place.
        documents.iter_mut().for_each(|one| drop(one.as_object_mut().unwrap().remove("play")));
        documents
    };
    // The reference: what is exported, searched here.
    let exported: Vec<String> =
        sessions.iter().map(|id| run(&world, &file, &["export", id, "--as", "txt"]).out).collect();
    let expected = |args: &[&str]| {
        let mut regex = RegexBuilder::new(&regex_of(args));
        let regex = regex.case_insensitive(args[0] == "-i").build().unwrap();
        exported.iter().flat_map(|text| text.lines()).filter(|line| regex.is_match(line)).count()
    };
    let on_screen = |found: &[Value]| found.iter().filter(|one| one["place"] == "screen").count();
    let mut all = 0;
    for args in ASKED {
        let found = timed(&file, &[&["--no-cache"], *args].concat());
        assert_eq!(timed(&s3, &[&["--no-cache"], *args].concat()), found, "{args:?}");
        assert_eq!(on_screen(&found), expected(args), "{args:?}");
        all += found.len();
        for from in [&file, &s3, &file, &s3] {
            assert_eq!(timed(from, args), found, "{args:?}");
        }
    }
    assert!(all > 0);
    let proxy = Proxy::before(server.address());
    let asked_of = |args: &[&str]| -> Vec<String> {
        let before = proxy.log().len();
        let said = run(&world, &bucket.url_by(&proxy.endpoint(), "p"), &[&["grep", "-F", "unheard of"], args].concat());
        assert_eq!(said.code, 1, "{said:?}");
        proxy.log().into_iter().skip(before).map(|seen| seen.target).collect()
    };
    let segments = |asked: &[String]| asked.iter().filter(|target| target.contains(".hseg")).count();
    // Each once; and where something may be kept of it, its beginning before that, which says under what name.
    assert_eq!(segments(&asked_of(&["--no-cache"])), sessions.len());
    std::fs::remove_dir_all(world.root.join(".cache")).unwrap();
    assert_eq!(segments(&asked_of(&[])), 2 * sessions.len());
    // What was searched before, and cannot have it, is hardly asked for: who can open it, and no more.
    let asked = asked_of(&[]);
    assert_eq!(segments(&asked), sessions.len(), "{asked:#?}");
    let listings = asked.iter().filter(|target| target.contains("prefix=")).count();
    assert!(listings < 16 + sessions.len() / 50, "{asked:#?}");
}

/// What the last of the arguments looks for.
fn regex_of(args: &[&str]) -> String {
    match args {
        ["-F", text] => regex::escape(text),
        _ => (*args.last().unwrap()).to_owned(),
    }
}
