//! `import` from the command line to the sealed segments in a store: what real tools wrote comes back to the byte, and says
//! that it is an import. Not for the readers of formats, which have their own tests beside them; nor for the player.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use hansard_schemas::cast::{CastHeader, Code, EventData};
use hansard_schemas::keys::{Identities, SecretCache, generate_identity};
use hansard_schemas::segment::{Checker, EventReader, secret};
use serde_json::Value;

/// A home with a store, and who may read what is in it.
struct Place {
    dir: tempfile::TempDir,
    identity: String,
    recipient: String,
}

/// What a session's segments hold.
struct Held {
    header: CastHeader,
    events: Vec<(u64, Code, EventData)>,
    /// The stop summary's outcome and status, where there is one.
    stop: Option<(String, u32)>,
    segments: usize,
}

impl Place {
    fn new() -> Self {
        let (identity, recipient) = generate_identity();
        Self { dir: tempfile::tempdir().unwrap(), identity: identity.to_string(), recipient }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hansard-record"));
        command.current_dir(fixtures()).env_clear().env("HOME", self.dir.path()).arg(verb).stdin(Stdio::null());
        command
    }

    fn import_command(&self, args: &[&str]) -> Command {
        let mut command = self.command("import");
        command.args(["--to", self.path("store").to_str().unwrap(), "--recipient", &self.recipient]).args(args);
        command
    }

    fn import(&self, args: &[&str]) -> Output {
        self.import_command(args).output().unwrap()
    }

    /// Imports, which must succeed, and gives the document that it prints.
    fn imported(&self, args: &[&str], code: i32) -> Value {
        let output = self.import(&[args, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn held(&self, document: &Value) -> Held {
        self.held_of(document["session"].as_str().unwrap())
    }

    fn held_of(&self, session: &str) -> Held {
        let mut paths = Vec::new();
        find(&self.path("store"), &mut paths);
        paths.retain(|path| path.to_str().unwrap().contains(session));
        paths.sort();
        let identities = Identities::parse(&self.identity).unwrap();
        let (mut cache, mut header, mut events, mut stop) = (SecretCache::default(), None, Vec::new(), None);
        for path in &paths {
            let bytes = std::fs::read(path).unwrap();
            let mut checker = Checker::new();
            checker.push(&bytes).unwrap();
            let checked = checker.finish().unwrap();
            let secret = secret(&checked.header, &checked.keys, &identities, &mut cache).unwrap();
            let mut reader = EventReader::new(&bytes, &secret).unwrap();
            while let Some(batch) = reader.next_batch().unwrap() {
                events.extend(batch.events.into_iter().map(|event| (event.time_ms, event.code, event.data)));
            }
            header = reader.cast_header().cloned().or(header);
            stop = reader.footer().and_then(|footer| footer.stop.clone()).map(|s| (s.outcome.to_string(), s.status));
        }
        Held { header: header.expect("a header"), events, stop, segments: paths.len() }
    }
}

impl Held {
    fn bytes(&self, code: Code) -> Vec<u8> {
        let of_code = self.events.iter().filter(|(_, c, _)| *c == code);
        of_code
            .flat_map(|(_, _, data)| if let EventData::Bytes(bytes) = data { bytes.clone() } else { Vec::new() })
            .collect()
    }

    fn texts(&self, code: Code) -> Vec<&str> {
        let of_code = self.events.iter().filter(|(_, c, _)| *c == code);
        of_code
            .filter_map(|(_, _, data)| if let EventData::Text(text) = data { Some(text.as_str()) } else { None })
            .collect()
    }

    fn label(&self, name: &str) -> Option<&str> {
        self.header.hansard.claimed.labels.get(name).map(String::as_str)
    }
}

fn find(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().map(Result::unwrap) {
        if entry.path().is_dir() {
            find(&entry.path(), into);
        } else if entry.path().extension().is_some_and(|extension| extension == "hseg") {
            into.push(entry.path());
        }
    }
}

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/import")
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(fixtures().join(name)).unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "no {what} in time");
        std::thread::sleep(Duration::from_millis(10));
    }
}

// What the sources hold, by other ways than the readers under test.

fn of_cast(name: &str) -> Vec<u8> {
    let text = String::from_utf8(fixture(name)).unwrap();
    let events = text.lines().skip(1).map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.filter(|event| event[1] == "o").map(|event| event[2].as_str().unwrap().to_owned()).collect::<String>().into()
}

fn of_cast_1() -> Vec<u8> {
    let document: Value = serde_json::from_slice(&fixture("asciicast-1.json")).unwrap();
    let events = document["stdout"].as_array().unwrap().iter();
    events.map(|event| event[1].as_str().unwrap()).collect::<String>().into()
}

/// Without script's own first and last line.
fn of_script(name: &str) -> Vec<u8> {
    let all = fixture(name);
    let begin = all.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let end = all.windows(17).rposition(|window| window == b"\nScript done on 2").unwrap();
    all[begin..end].to_vec()
}

fn of_ttyrec() -> Vec<u8> {
    let (all, mut at, mut out) = (fixture("demo.ttyrec"), 0, Vec::new());
    while at < all.len() {
        let length = u32::from_le_bytes(all[at + 8..at + 12].try_into().unwrap()) as usize;
        out.extend_from_slice(&all[at + 12..at + 12 + length]);
        at += 12 + length;
    }
    out
}

/// Each U+FFFD of the fixture stands for one byte.
fn of_tlog(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for line in String::from_utf8(fixture(name)).unwrap().lines() {
        let message: Value = serde_json::from_str(line).unwrap();
        let mut bytes = message["out_bin"].as_array().unwrap().iter();
        for c in message["out_txt"].as_str().unwrap().chars() {
            match c {
                '\u{fffd}' => out.push(u8::try_from(bytes.next().unwrap().as_u64().unwrap()).unwrap()),
                c => out.extend_from_slice(c.to_string().as_bytes()),
            }
        }
    }
    out
}

#[test]
fn what_real_tools_recorded_comes_back_to_the_byte() {
    let place = Place::new();
    let io_output: Vec<u8> = {
        // The one log without the four bytes that were typed, whose place the timing says.
        let mut log = of_script("io.log");
        let timing = String::from_utf8(fixture("io.timing")).unwrap();
        let entries = timing.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let before: usize =
            entries.take_while(|w| w[0] != "I").filter(|w| w[0] == "O").map(|w| w[2].parse::<usize>().unwrap()).sum();
        assert_eq!(log.drain(before..before + 4).collect::<Vec<_>>(), b"Ann\r");
        log
    };
    let cases: [(&[&str], &str, Vec<u8>); 12] = [
        (&["asciicast-1.json"], "asciicast-1", of_cast_1()),
        (&["asciicast-2.cast"], "asciicast-2", of_cast("asciicast-2.cast")),
        (&["asciicast-3.cast"], "asciicast-3", of_cast("asciicast-3.cast")),
        (&["--timing", "classic.timing", "classic.typescript"], "script", of_script("classic.typescript")),
        (&["--timing", "advanced.timing", "advanced.out"], "script", of_script("advanced.out")),
        (&["--timing", "io.timing", "io.log"], "script", io_output),
        (&["demo.ttyrec"], "ttyrec", of_ttyrec()),
        (&["demo.tlog"], "tlog", of_tlog("demo.tlog")),
        (&["small.tlog"], "tlog", of_tlog("small.tlog")),
        (&["sudo/terminal"], "sudo", fixture("sudo/terminal/ttyout")),
        // What gunzip makes of it is what the same command wrote uncompressed.
        (&["sudo/gzip"], "sudo", fixture("sudo/terminal/ttyout")),
        (&["sudo/pipes"], "sudo", fixture("sudo/pipes/stdout")),
    ];
    for (args, format, expected) in cases {
        let document = place.imported(args, 0);
        let held = place.held(&document);
        assert!(!expected.is_empty() && held.bytes(Code::Output) == expected, "{args:?}");
        assert!(held.bytes(Code::Input).is_empty(), "{args:?}: what was typed is imported though nobody asked");
        assert_eq!(held.label("import"), Some(format), "{args:?}");
        assert_eq!(document["format"], format);
        assert_eq!((&document["delivered"], &document["missing"]), (&Value::Bool(true), &Value::Null), "{args:?}");
        let marker = format!("imported by hansard-record {} from {format} ", env!("CARGO_PKG_VERSION"));
        assert!(held.texts(Code::Marker)[0].starts_with(&marker), "{:?}", held.texts(Code::Marker));
        // What each source knows of the end, and no more.
        let knows_end = matches!(format, "asciicast-2" | "asciicast-3" | "script");
        let stop = if knows_end { ("exited".to_owned(), 3) } else { ("disconnected".to_owned(), 0) };
        assert_eq!(held.stop, Some(stop), "{args:?}");
        assert_eq!(held.texts(Code::Exit), if knows_end { &["3"][..] } else { &[] }, "{args:?}");
    }
    let pipes = place.held(&place.imported(&["sudo/pipes"], 0));
    assert_eq!(pipes.bytes(Code::Error), fixture("sudo/pipes/stderr"));
}

#[test]
fn the_origin_is_stated_and_wall_clock_times_are_those_of_the_import() {
    let place = Place::new();
    let before = chrono::Utc::now().timestamp_millis();
    let held =
        place.held(&place.imported(&["asciicast-3.cast", "--label", "ticket=INC-42", "--reason", "evidence"], 0));
    let identity = &held.header.hansard;
    assert!((before..before + 600_000).contains(&identity.started.unix_ms()));
    let sha256 = hansard_schemas::Digest::of(&fixture("asciicast-3.cast")).to_string();
    assert_eq!(held.label("import.sha256"), Some(&*sha256));
    assert_eq!(held.label("import.file"), Some("asciicast-3.cast"));
    assert_eq!(held.label("import.started"), Some("2026-11-28T21:55:27.000Z"));
    assert_eq!(held.label("ticket"), Some("INC-42"));
    assert_eq!(identity.claimed.reason.as_deref(), Some("evidence"));
    assert_eq!(identity.claimed.command, ["sh demo.sh"]);
    assert!(held.texts(Code::Marker)[0].contains(&sha256));
    // The size at the start is the source's, and so are the times: the name is asked for after 0.15 s.
    assert_eq!((held.header.term.cols, held.header.term.rows), (80, 24));
    let resize = held.events.iter().find(|(_, code, _)| *code == Code::Resize).unwrap();
    assert_eq!(resize.2, EventData::Text("100x30".into()));
    assert!((200..500).contains(&resize.0), "{}", resize.0);
    let label = place.import(&["asciicast-3.cast", "--label", "import=mine"]);
    assert_eq!(label.status.code(), Some(125), "{}", said(&label));
}

#[test]
fn what_was_typed_is_left_out_with_a_gap_or_imported_when_asked_for() {
    let place = Place::new();
    let without = place.held(&place.imported(&["sudo/terminal"], 0));
    let gap: Value = serde_json::from_str(without.texts(Code::Gap)[0]).unwrap();
    assert_eq!((&gap["what"], &gap["why"], &gap["bytes"]), (&"input".into(), &"ingest".into(), &4.into()));
    let with = place.held(&place.imported(&["sudo/terminal", "--input"], 0));
    assert_eq!(with.bytes(Code::Input), fixture("sudo/terminal/ttyin"));
    assert!(with.texts(Code::Gap).is_empty());

    let elsewhere = place.import(&["--timing", "advanced.timing", "advanced.out", "--input"]);
    assert_eq!(elsewhere.status.code(), Some(125));
    assert!(
        said(&elsewhere).contains("4 bytes of what was typed lie in another file")
            && said(&elsewhere).contains("--typed")
    );
    let named =
        place.imported(&["--timing", "advanced.timing", "advanced.out", "--input", "--typed", "advanced.in"], 0);
    assert_eq!(place.held(&named).bytes(Code::Input), b"Ann\r");
}

#[test]
fn a_cut_file_is_refused_with_the_place_and_taken_only_when_asked_for() {
    let place = Place::new();
    let whole = fixture("asciicast-2.cast");
    let cut = place.write("cut.cast", &whole[..whole.len() - 30]);
    let cut = cut.to_str().unwrap();
    let refused = place.import(&[cut]);
    assert_eq!(refused.status.code(), Some(125));
    let text = said(&refused);
    assert!(text.contains("cut.cast, line ") && text.contains("the file ends within an event"), "{text}");
    assert!(text.contains("nothing was recorded; --partial imports the"), "{text}");
    assert!(!place.path("store").join("segments").exists(), "something was recorded");

    let document = place.imported(&[cut, "--partial"], 1);
    assert!(document["missing"].as_str().unwrap().contains("the file ends within an event"));
    let held = place.held(&document);
    let all = of_cast("asciicast-2.cast");
    let output = held.bytes(Code::Output);
    assert!(output.len() > 400 && output.len() < all.len() && all.starts_with(&output));
    assert!(held.texts(Code::Gap).iter().any(|gap| gap.contains("damaged") && gap.contains("ends within an event")));
    assert_eq!(held.label("import.partial"), Some("yes"));
    assert_eq!(held.stop.unwrap().0, "disconnected");
}

#[test]
fn what_is_no_recording_is_refused_in_words() {
    let place = Place::new();
    let elf = place.write("program", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    let empty = place.write("empty", b"");
    let nasty = place.write("x\x1b[2J.cast", b"{\"version\":2,\"width\":80,\"height\":24}\n\x1b[2J\n");
    let paths = [elf, empty, nasty];
    let [elf, empty, nasty] = paths.each_ref().map(|path| path.to_str().unwrap());
    for (args, expected) in [
        (&[elf][..], "is in no format that is known"),
        (&[empty], "is in no format that is known"),
        (&[nasty], "line 2 (byte 37): no event"),
        (&["nowhere.cast"], "cannot read nowhere.cast"),
        (&["sudo"], "there is no I/O log of sudo in sudo"),
        (&["classic.typescript"], "is of script, whose times are in another file"),
        (&["--format", "ttyrec", "asciicast-2.cast"], "asciicast-2.cast, byte 0: no header of a record"),
        (&["--format", "tlog", "--timing", "io.timing", "demo.tlog"], "--timing is for recordings of script"),
        (&["--timing", "demo.ttyrec", "classic.typescript"], "demo.ttyrec, line 1 (byte 0): "),
        (&["/dev/null"], "/dev/null is no regular file"),
    ] {
        let output = place.import(args);
        assert_eq!(output.status.code(), Some(125), "{args:?}: {}", said(&output));
        assert!(said(&output).contains(expected), "{args:?}: {}", said(&output));
        assert!(
            said(&output).contains("hansard-record: hint: ") || args[0] == "nowhere.cast",
            "{args:?}: {}",
            said(&output)
        );
        assert!(!said(&output).contains('\x1b') && output.stdout.is_empty(), "{args:?}");
    }
    assert!(!place.path("store").join("segments").exists(), "something was recorded");
}

/// Of so many records of 4 KiB that compress badly.
fn large(place: &Place, records: u32) -> (PathBuf, Vec<u8>) {
    let (mut file, mut all, mut state) = (Vec::new(), Vec::new(), 0x9e37_79b9_u64);
    for record in 0..records {
        let piece: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .take(4_096)
        .collect();
        for word in [1_700_000_000 + record * 10, 500, 4_096] {
            file.extend_from_slice(&word.to_le_bytes());
        }
        file.extend_from_slice(&piece);
        all.extend_from_slice(&piece);
    }
    (place.write("large.ttyrec", &file), all)
}

#[test]
fn a_large_recording_is_cut_into_segments_by_size_and_not_by_its_own_time() {
    let place = Place::new();
    let (path, all) = large(&place, 3_000);
    let held = place.held(&place.imported(&[path.to_str().unwrap()], 0));
    assert!(held.bytes(Code::Output) == all, "not exact");
    // Eight hours of its own time, at 8 MiB a segment.
    assert!((2..=12).contains(&held.segments), "{} segments", held.segments);
    assert_eq!(held.events.last().unwrap().0, 2_999 * 10_000);
}

#[test]
fn an_import_that_is_killed_is_closed_as_recovered() {
    let place = Place::new();
    let (path, _) = large(&place, 3_000);
    let mut child = place.import_command(&[path.to_str().unwrap(), "-q"]).spawn().unwrap();
    let sessions = place.path(".local/state/hansard/spool/sessions");
    let journal_bytes = || {
        let folders = std::fs::read_dir(&sessions).into_iter().flatten().flatten();
        let files = folders.flat_map(|folder| std::fs::read_dir(folder.path()).into_iter().flatten().flatten());
        let journals = files.filter(|file| file.path().extension().is_some_and(|e| e == "journal"));
        journals.filter_map(|file| Some(file.metadata().ok()?.len())).sum::<u64>()
    };
    wait_for("journal", || journal_bytes() > 1 << 20);
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().code(), None, "it was faster than the kill");
    let session = std::fs::read_dir(&sessions).unwrap().next().unwrap().unwrap().file_name().into_string().unwrap();
    let config = place.write("record.toml", format!("to = [{:?}]\n", place.path("store")).as_bytes());
    let ship = place.command("ship").args(["--json", "--config", config.to_str().unwrap()]).output().unwrap();
    assert_eq!(ship.status.code(), Some(0), "{}", said(&ship));
    assert!(String::from_utf8_lossy(&ship.stdout).contains(&session));
    // The segment that was open has no trailer: its end is in the chain.
    let mut chains = Vec::new();
    let mut paths = vec![place.path("store").join("chains")];
    while let Some(path) = paths.pop() {
        match std::fs::read_dir(&path) {
            Ok(entries) => paths.extend(entries.map(|entry| entry.unwrap().path())),
            Err(_) => chains.extend(std::fs::read(&path).unwrap()),
        }
    }
    let chains = String::from_utf8(chains).unwrap();
    assert!(chains.lines().any(|line| line.contains("\"kind\":\"recovered\"") && line.contains(&session)), "{chains}");
}

#[test]
fn an_import_waits_at_the_quota_whatever_the_policy_and_goes_on_when_there_is_room() {
    for full in ["block", "refuse-new", "drop-with-gap"] {
        let place = Place::new();
        let (path, all) = large(&place, 700);
        // A file where the store should be: the store is away.
        let store = place.write("store", b"");
        let spool = format!(
            "to = [{store:?}]\nrecipients = [{:?}]\n[spool]\nquota = 1048576\nfull = {full:?}\n[journal]\nmax_segment = 131072\n\
             [ship]\nfinal_wait = \"60s\"\n",
            place.recipient
        );
        let config = place.write("record.toml", spool.as_bytes());
        let log = place.path("log");
        let mut import = place.command("import");
        import.args(["--json", "--config", config.to_str().unwrap(), path.to_str().unwrap()]);
        import.stdout(Stdio::piped()).stderr(std::fs::File::create(&log).unwrap());
        let mut child = import.spawn().unwrap();
        let said = || std::fs::read_to_string(&log).unwrap();
        wait_for("word of a wait", || said().contains("over its quota"));
        assert_eq!(child.try_wait().unwrap(), None, "{full}: it did not wait: {}", said());
        let used = || {
            let mut files = Vec::new();
            find(&place.path(".local/state/hansard/spool"), &mut files);
            files.iter().map(|file| file.metadata().map_or(0, |file| file.len())).sum::<u64>()
        };
        // Segments are still being closed, and a file that gets another name meanwhile is not counted. What was written between
        // two looks of the import at its spool may be beyond the quota.
        wait_for("a spool that is full", || (1 << 19..2 << 20).contains(&used()));
        assert_eq!(child.try_wait().unwrap(), None, "{full}: it did not wait: {}", said());
        std::fs::remove_file(&store).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{full}: {}", said());
        let held = place.held(&serde_json::from_slice(&output.stdout).unwrap());
        assert!(held.bytes(Code::Output) == all, "{full}: not exact");
    }
}
