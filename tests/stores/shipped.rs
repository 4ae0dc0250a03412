//! What the tests of this suite have in common: a recorder whose recordings go to several places, a person who types
//! and measures the echo, and what the places hold in the end.
//!
//! The recorder has a credential that may only put, the reader one that may only read, everywhere: a test that passes has
//! needed no more.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use hansard_tests::call::{Call, code, said};
use hansard_tests::home::Home;
use hansard_tests::servers::bucket::Bucket;
use hansard_tests::servers::kafka::Kafka;
use hansard_tests::servers::seaweed::Identity;
use hansard_tests::terminal::Terminal;
use hansard_tests::{LONG, SOON, process, wait_until};
use serde_json::Value;

/// Age at which segments close in these tests, so that a session of seconds has many.
pub const INTERVAL: Duration = Duration::from_millis(500);

/// How long an outage lasts: a few seconds, or `HANSARD_OUTAGE_SECONDS`.
pub fn outage() -> Duration {
    let seconds = std::env::var("HANSARD_OUTAGE_SECONDS").ok().map(|n| n.parse().expect("a number of seconds"));
    Duration::from_secs(seconds.unwrap_or(5))
}

/// A home whose recordings go to some places.
pub struct Shipped {
    pub home: Home,
    env: Vec<(String, OsString)>,
}

impl Shipped {
    /// A recorder that ships to these addresses, with more lines of configuration.
    pub fn to<S: AsRef<str>>(places: &[S], more: &str) -> Self {
        let home = Home::new();
        let shipped = Self { home, env: Vec::new() };
        shipped.configure(places, more);
        shipped
    }

    /// Other places, or other settings, from the next start on.
    pub fn configure<S: AsRef<str>>(&self, places: &[S], more: &str) {
        let to: Vec<&str> = places.iter().map(AsRef::as_ref).collect();
        // A list of JSON strings is one of TOML.
        let to = serde_json::to_string(&to).expect("JSON");
        let (own, more) = if more.contains("[ship]") { (String::new(), more) } else { (ship(INTERVAL, LONG), more) };
        self.home.configure(&format!("to = {to}\n{more}\n{own}"));
    }

    /// With a variable in the environment of recorder and reader.
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    fn as_somebody(&self, call: Call, identity: Identity) -> Call {
        let call = identity.environment().iter().fold(call, |call, (name, value)| call.env(name, value));
        self.env.iter().fold(call, |call, (name, value)| call.env(name, value))
    }

    /// `hansard-record ARGS…`.
    pub fn recorder(&self, args: &[&str]) -> Call {
        self.as_somebody(self.home.recorder(args), Identity::PutOnly)
    }

    /// `hansard-record run -- COMMAND…`.
    pub fn run(&self, command: &[&str]) -> Call {
        self.recorder(&[&["run", "--quiet", "--"], command].concat())
    }

    /// `hansard-replay ARGS… --from PLACE`.
    pub fn replay(&self, from: &str, args: &[&str]) -> Call {
        self.as_somebody(self.home.replay(args.iter().chain(&["--from", from])), Identity::Reader)
    }

    /// What `hansard-record ship` says; it has to deliver everything.
    pub fn ship(&self) -> Output {
        let output = self.recorder(&["ship"]).output();
        assert_eq!(code(&output), 0, "{}", said(&output));
        output
    }

    /// The bytes that a session showed, from a place.
    pub fn raw(&self, from: &str, id: &str) -> Vec<u8> {
        self.replay(from, &["export", id, "--as", "raw"]).ok()
    }

    /// What `verify --json` says of each session, by id: everything but what belongs to the place; and its exit code.
    pub fn verified(&self, from: &str) -> (i32, BTreeMap<String, Value>) {
        let output = self.replay(from, &["verify", "--json"]).output();
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        let documents = lines.lines().map(|l| serde_json::from_str::<Value>(l).unwrap_or_else(|e| panic!("{e}: {l}")));
        let sessions: BTreeMap<String, Value> =
            documents.filter_map(|d| Some((d.get("session")?.as_str()?.to_owned(), d))).collect();
        assert!(code(&output) <= 1, "{from}: {}", said(&output));
        (code(&output), sessions)
    }

    /// Every session of a place is whole and its end is witnessed.
    pub fn assert_complete(&self, from: &str) {
        let output = self.replay(from, &["verify"]).output();
        assert_eq!(code(&output), 0, "{from}: {}", said(&output));
        let (_, sessions) = self.verified(from);
        assert!(!sessions.is_empty(), "{from}: {}", said(&output));
        for (id, session) in sessions {
            assert_eq!(session["verdict"], "complete", "{from}: {id}: {session}");
        }
    }

    /// The files that wait in the spool, but for what belongs to the host.
    pub fn waiting(&self) -> usize {
        let files = process::files_below(&self.home.spool().join("sessions"));
        files.iter().filter(|f| f.extension().is_some_and(|e| e == "hseg" || e == "journal")).count()
    }
}

/// The section of the configuration that says how segments travel.
pub fn ship(interval: Duration, final_wait: Duration) -> String {
    format!("[ship]\ninterval = \"{}ms\"\nfinal_wait = \"{}s\"\n", interval.as_millis(), final_wait.as_secs())
}

/// Somebody who types a line, waits for its echo, and goes on: what he waits is what the session made him wait.
pub struct Typist {
    pub terminal: Terminal,
    lines: usize,
    /// How long the echo of each line took.
    pub echoes: Vec<Duration>,
}

impl Typist {
    /// Somebody at a new terminal, where `cat` is recorded: everything typed is echoed, then shown again.
    pub fn at(shipped: &Shipped) -> Self {
        Self::before(&shipped.run(&["/bin/sh", "-c", "echo ready; exec cat"]))
    }

    /// Somebody before a session that echoes.
    pub fn before(session: &Call) -> Self {
        let terminal = Terminal::running(session);
        terminal.wait_text("ready\r\n");
        Self { terminal, lines: 0, echoes: Vec::new() }
    }

    /// One line.
    pub fn line(&mut self) {
        self.lines += 1;
        let (from, line) = (self.terminal.shown(), format!("line {} of the session", self.lines));
        let typed = Instant::now();
        self.terminal.type_in(format!("{line}\r"));
        self.terminal.wait_text_after(from, &format!("{line}\r\n"));
        self.echoes.push(typed.elapsed());
        // And the second copy, so that what is shown now is all of it. A word of the recorder may come before it.
        let twice = |bytes: &[u8]| String::from_utf8_lossy(&bytes[from..]).matches(&*line).count() >= 2;
        assert!(self.terminal.waits(SOON, twice), "`{line}` was not shown again:\n{}", self.terminal.text());
    }

    /// A line every tenth of a second: a person's pace, not a wait for anything.
    pub fn lines_for(&mut self, time: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < time {
            self.line();
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Ends the session with Ctrl-D on an empty line; gives what was shown.
    pub fn leave(mut self) -> Vec<u8> {
        self.terminal.type_in([4]);
        assert_eq!(self.terminal.status(LONG), 0, "{}", self.terminal.text());
        self.terminal.drained()
    }

    /// No echo took longer than a person would notice as an outage, on a machine that builds beside it. Prints what it saw.
    pub fn assert_never_waited(&self, during: &str) {
        let mut sorted = self.echoes.clone();
        sorted.sort();
        let (median, longest) = (sorted[sorted.len() / 2], sorted[sorted.len() - 1]);
        println!("{during}: {} echoes, median {median:?}, longest {longest:?}", sorted.len());
        // An outage lasts seconds: a session that waits for a store waits as long.
        assert!(longest < Duration::from_secs(2), "{during}: an echo took {longest:?} (median {median:?})");
    }
}

/// What lies in a place, by its path below the prefix.
pub type Objects = BTreeMap<String, Vec<u8>>;

/// The objects of a directory.
pub fn in_directory(root: &Path) -> Objects {
    let files = process::files_below(root);
    let name = |file: &Path| file.strip_prefix(root).expect("below").to_string_lossy().into_owned();
    files.iter().map(|file| (name(file), std::fs::read(file).expect("an object"))).collect()
}

/// The objects below a prefix of a bucket.
pub fn in_bucket(bucket: &Bucket, prefix: &str) -> Objects {
    let below = format!("{prefix}/");
    let keys = bucket.keys(&below).expect("the bucket is listed");
    keys.into_iter().map(|key| (key[below.len()..].to_owned(), bucket.get(&key).expect("an object"))).collect()
}

/// Those of them that are segments.
pub fn segments(objects: &Objects) -> Objects {
    let segments = objects.iter().filter(|(name, _)| name.starts_with("segments/") && name.ends_with(".hseg"));
    segments.map(|(name, bytes)| (name.clone(), bytes.clone())).collect()
}

/// Session and number of a segment, from its own first line.
fn segment_of(bytes: &[u8]) -> Option<(String, u64)> {
    let end = bytes.iter().position(|b| *b == b'\n')?;
    let header: Value = serde_json::from_slice(&bytes[..end]).ok()?;
    // An entry of a chain speaks of a session and its segment, too.
    if header.get("seq").is_some() {
        return None;
    }
    Some((header.get("session")?.as_str()?.to_owned(), header.get("segment")?.as_u64()?))
}

/// The segments of each session, in order.
pub type Sessions = BTreeMap<String, Vec<Vec<u8>>>;

/// By session, each number once, without a hole: what a bucket or directory has to hold.
pub fn each_once(objects: &Objects) -> Sessions {
    let mut sessions: BTreeMap<String, BTreeMap<u64, Vec<u8>>> = BTreeMap::new();
    for (name, bytes) in &segments(objects) {
        let (session, number) = segment_of(bytes).unwrap_or_else(|| panic!("{name} is no segment"));
        let again = sessions.entry(session).or_default().insert(number, bytes.clone());
        assert!(again.is_none(), "{name}: segment {number} is stored twice under different names");
    }
    let whole = |(session, numbers): (String, BTreeMap<u64, Vec<u8>>)| {
        let expected: Vec<u64> = (0..numbers.len() as u64).collect();
        assert_eq!(numbers.keys().copied().collect::<Vec<_>>(), expected, "{session}");
        (session, numbers.into_values().collect())
    };
    sessions.into_iter().map(whole).collect()
}

/// By session, from the topic of recordings: copies are identical, and what comes first is in order. Gives the number of
/// copies that were too many.
pub fn in_order(broker: &Kafka, prefix: &str) -> (Sessions, usize) {
    let (mut sessions, mut copies) = (Sessions::new(), 0);
    let mut partitions: BTreeMap<String, i32> = BTreeMap::new();
    for record in broker.records(&format!("{prefix}.recordings")) {
        // Chain objects travel in the same topic.
        let Some((session, number)) = segment_of(&record.value) else { continue };
        assert_eq!(record.key.as_deref(), Some(session.as_bytes()), "the key of a segment is its session");
        let partition = *partitions.entry(session.clone()).or_insert(record.partition);
        assert_eq!(record.partition, partition, "{session} is in two partitions");
        let parts = sessions.entry(session.clone()).or_default();
        match usize::try_from(number).expect("a number") {
            n if n == parts.len() => parts.push(record.value),
            n if n < parts.len() => {
                assert!(parts[n] == record.value, "{session}: two records of segment {n} differ");
                copies += 1;
            }
            n => panic!("{session}: segment {n} came after {}", parts.len()),
        }
    }
    (sessions, copies)
}

/// Waits until every place gives back exactly these bytes for a session that may still run.
pub fn wait_shown(shipped: &Shipped, places: &[&str], shown: &[u8]) {
    for place in places {
        wait_until(&format!("{place} has what was shown"), LONG, || {
            let output = shipped.replay(place, &["export", "latest", "--as", "raw"]).output();
            // Readers side by side take the time from what they wait for.
            let there = output.stdout == shown;
            std::thread::sleep(Duration::from_millis(if there { 0 } else { 200 }));
            there.then_some(())
        });
    }
}

/// Waits until something is on its way: the store has a segment of a running session.
pub fn wait_first_segment(bucket: &Bucket, prefix: &str) {
    wait_until("a first segment arrives", SOON, || {
        let keys = bucket.keys(&format!("{prefix}/segments/")).ok()?;
        (!keys.is_empty()).then_some(())
    });
}
