//! The readers on what real tools wrote (`tests/fixtures/import`), on every prefix of it, and on anything.

use std::io::Cursor;
use std::ops::ControlFlow;
use std::path::PathBuf;

use proptest::prelude::*;

use super::origin::Format;
use super::source::{Source, Tally};
use super::{Event, Fault, Told, asciicast, asciicast1, script, sudo, tlog, ttyrec};

/// What was read.
#[derive(Debug, Default)]
struct Got {
    told: Told,
    output: Vec<u8>,
    error: Vec<u8>,
    input: Vec<u8>,
    /// All else, with its time in milliseconds.
    others: Vec<(u64, String)>,
    end_us: u64,
    fault: Option<String>,
}

fn fixture(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/import").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn source(name: &str, bytes: &[u8]) -> Result<Source, Fault> {
    Source::over(name.to_owned(), Cursor::new(bytes.to_vec()), &Tally::default())
}

/// The files of a recording, in memory, as its reader wants them.
#[derive(Debug, Clone)]
enum Files {
    One(Format, Vec<u8>),
    Script { output: Vec<u8>, timing: Vec<u8>, input: Option<Vec<u8>> },
    Sudo { timing: Vec<u8>, json: Option<Vec<u8>>, log: Option<Vec<u8>>, streams: [Option<Vec<u8>>; 5] },
}

impl Files {
    fn of_sudo(name: &str) -> Self {
        let there = |file: &str| {
            let path =
                PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/import/sudo").join(name).join(file);
            std::fs::read(path).ok()
        };
        let streams = sudo::STREAMS.map(there);
        Self::Sudo { timing: there("timing").unwrap(), json: there("log.json"), log: there("log"), streams }
    }

    fn of_script(output: &str, timing: &str, input: Option<&str>) -> Self {
        Self::Script { output: fixture(output), timing: fixture(timing), input: input.map(fixture) }
    }

    /// All that real tools wrote, by their names.
    fn all() -> Vec<(&'static str, Self)> {
        vec![
            ("asciicast-1", Self::One(Format::Asciicast1, fixture("asciicast-1.json"))),
            ("asciicast-2", Self::One(Format::Asciicast2, fixture("asciicast-2.cast"))),
            ("asciicast-3", Self::One(Format::Asciicast3, fixture("asciicast-3.cast"))),
            ("ttyrec", Self::One(Format::Ttyrec, fixture("demo.ttyrec"))),
            ("tlog", Self::One(Format::Tlog, fixture("demo.tlog"))),
            ("tlog, small messages", Self::One(Format::Tlog, fixture("small.tlog"))),
            ("script", Self::of_script("classic.typescript", "classic.timing", None)),
            ("script, advanced", Self::of_script("advanced.out", "advanced.timing", Some("advanced.in"))),
            ("script, one log", Self::of_script("io.log", "io.timing", None)),
            ("sudo", Self::of_sudo("terminal")),
            ("sudo, compressed", Self::of_sudo("gzip")),
            ("sudo, pipes", Self::of_sudo("pipes")),
        ]
    }

    /// The file in which a cut shows.
    fn main(&mut self) -> &mut Vec<u8> {
        match self {
            Self::One(_, bytes) => bytes,
            Self::Script { timing, .. } | Self::Sudo { timing, .. } => timing,
        }
    }

    fn read(&self) -> Got {
        let mut got = Got::default();
        let mut told = Told::default();
        let read = self.read_with(&mut told, &mut got);
        got.told = told;
        got.fault = read.err().map(|fault| fault.to_string());
        got
    }

    fn read_with(&self, told: &mut Told, got: &mut Got) -> Result<(), Fault> {
        let take = &mut |t_us: u64, event: Event<'_>| {
            assert!(t_us >= got.end_us, "time goes back");
            got.end_us = t_us;
            let other = match event {
                Event::Output(bytes) => return push(&mut got.output, bytes),
                Event::Error(bytes) => return push(&mut got.error, bytes),
                Event::Input(bytes) => return push(&mut got.input, bytes),
                Event::InputElsewhere(count) => format!("input elsewhere: {count}"),
                Event::Resize { cols, rows } => format!("{cols}x{rows}"),
                Event::Marker(text) => format!("marker {text}"),
                Event::Foreign(text) => format!("foreign: {text}"),
                Event::Missing(text) => format!("missing: {text}"),
            };
            got.others.push((t_us / 1_000, other));
            ControlFlow::Continue(())
        };
        let named = |name: &str, bytes: &Option<Vec<u8>>| bytes.as_deref().map(|bytes| source(name, bytes)).transpose();
        match self {
            Self::One(format, bytes) => {
                let source = source("a file", bytes)?;
                match format {
                    Format::Asciicast1 => asciicast1::read(source, told, take),
                    Format::Asciicast2 | Format::Asciicast3 => asciicast::read(source, told, take),
                    Format::Ttyrec => ttyrec::read(source, told, take),
                    _ => tlog::read(source, told, take),
                }
            }
            Self::Script { output, timing, input } => {
                let (output, timing) = (source("output", output)?, source("timing", timing)?);
                script::read(script::Files { output, timing, input: named("input", input)? }, told, take)
            }
            Self::Sudo { timing, json, log, streams } => {
                let [a, b, c, d, e] = streams;
                let streams = [
                    named("stdin", a)?,
                    named("stdout", b)?,
                    named("stderr", c)?,
                    named("ttyin", d)?,
                    named("ttyout", e)?,
                ];
                let (json, log) = (named("log.json", json)?, named("log", log)?);
                sudo::read(sudo::Files { timing: source("timing", timing)?, json, log, streams }, told, take)
            }
        }
    }
}

fn push(into: &mut Vec<u8>, bytes: &[u8]) -> ControlFlow<()> {
    into.extend_from_slice(bytes);
    ControlFlow::Continue(())
}

/// What the script of the fixtures shows; asciinema turns its three bytes that are no text into U+FFFD.
fn shown(exact: bool) -> Vec<u8> {
    let mut all =
        b"plain line\r\n\x1b[1;32mgreen\x1b[0m gr\xc3\xbc\xc3\x9fe \xe2\x82\xac \xf0\x9f\x98\x80\r\nbytes ".to_vec();
    all.extend_from_slice(if exact { b"\xff\xfe\x80" } else { "\u{fffd}\u{fffd}\u{fffd}".as_bytes() });
    all.extend_from_slice(b" split\xc3\xa9 done\r\nname? Ann\r\nhello Ann\r\n30 100\r\n");
    for line in 0..12 {
        all.extend_from_slice(format!("{line:02} abcdefghijklmnopqrstuvwxyz\r\r\n").as_bytes());
    }
    all
}

#[test]
fn what_real_tools_wrote_is_read_to_the_byte() {
    for (name, files) in Files::all() {
        let got = files.read();
        assert_eq!(got.fault, None, "{name}");
        if name == "sudo, pipes" {
            assert_eq!(
                (&got.output[..], &got.error[..], &got.input[..]),
                (&b"Ann\nout\n"[..], &b"err\n"[..], &b"Ann\n"[..])
            );
            assert!(got.told.on_pipes);
            continue;
        }
        assert!(
            got.output == shown(!name.starts_with("asciicast")),
            "{name}: {:?}",
            String::from_utf8_lossy(&got.output)
        );
        assert!(got.error.is_empty() && !got.told.on_pipes, "{name}");
        // It waits 0.15 s, 0.25 s and 0.2 s.
        assert!((550_000..1_500_000).contains(&got.end_us), "{name}: {}", got.end_us);
        let has_input = !matches!(name, "asciicast-1" | "script" | "ttyrec");
        assert_eq!(got.input, if has_input { &b"Ann\r"[..] } else { &[] }, "{name}");
        // Recorders of one file without sizes cannot know.
        let knows_size = has_input && name != "script";
        assert_eq!(
            got.others.iter().filter(|(_, what)| what == "100x30").count(),
            usize::from(knows_size),
            "{name}: {:?}",
            got.others
        );
        assert_eq!(got.others.len(), usize::from(knows_size), "{name}: {:?}", got.others);
    }
}

#[test]
fn what_they_say_of_themselves_is_understood() {
    for (name, files) in Files::all() {
        let told = files.read().told;
        let size = match name {
            "ttyrec" => None,
            // asciinema 1 notes the size at the end.
            "asciicast-1" => Some((100, 30)),
            _ => Some((80, 24)),
        };
        assert_eq!(told.size, size, "{name}");
        let day = told.started_us.map(|us| us / 1_000_000 / 86_400);
        assert_eq!(day, (name != "asciicast-1").then_some(20_785), "{name}");
        // asciinema 3 keeps it in version 3 only.
        let has_term = !matches!(name, "ttyrec" | "asciicast-2");
        assert_eq!(told.term.as_deref(), has_term.then_some("xterm-256color"), "{name}");
        let exit = matches!(name, "asciicast-2" | "asciicast-3" | "script" | "script, advanced" | "script, one log")
            .then_some(3);
        assert_eq!(told.exit, exit, "{name}");
        let command = match name {
            "ttyrec" | "tlog" | "tlog, small messages" => String::new(),
            "sudo, pipes" => "/usr/bin/sh -c cat; echo out; echo err >&2; exit 4".into(),
            _ if name.starts_with("sudo") => "/usr/bin/sh demo.sh".into(),
            _ => "sh demo.sh".into(),
        };
        assert_eq!(told.command.join(" "), command, "{name}");
    }
}

#[test]
fn the_format_is_found_by_how_a_file_begins() {
    for (name, files) in Files::all() {
        let (expected, bytes) = match files {
            Files::One(format, bytes) => (format, bytes),
            Files::Script { output, .. } => (Format::Script, output),
            Files::Sudo { .. } => continue,
        };
        assert_eq!(Format::of(&bytes), Some(expected), "{name}");
    }
    assert_eq!(Format::of(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0"), None);
    assert_eq!(Format::of(b""), None);
    assert_eq!(Format::of(b"just text\n"), None);
}

#[test]
fn a_prefix_gives_what_is_good_and_says_what_is_missing() {
    for (name, files) in Files::all() {
        let whole = files.read();
        let length = files.clone().main().len();
        let (mut cut, mut faults) = (files.clone(), 0);
        for end in 0..length {
            *cut.main() = files.clone().main()[..end].to_vec();
            let got = cut.read();
            // Without its last timing lines, the rest of script's log has no time, and is there all the same; script's own
            // last line with it.
            let limit =
                if name.starts_with("script") { got.output.len().min(whole.output.len()) } else { got.output.len() };
            assert!(
                whole.output.starts_with(&got.output[..limit.min(got.output.len())]) || name == "script, one log",
                "{name}, cut at {end}"
            );
            assert!(got.end_us <= whole.end_us, "{name}, cut at {end}");
            faults += usize::from(got.fault.is_some());
        }
        // Ends between two records cannot be seen.
        let most_ends_show = faults * 10 > length * 8;
        assert!(most_ends_show, "{name}: {faults} of {length}");
    }
}

#[test]
fn what_is_missing_in_a_log_is_said_with_the_line_that_needs_it() {
    let Files::Script { output, timing, .. } = Files::of_script("classic.typescript", "classic.timing", None) else {
        return;
    };
    let got = Files::Script { output: output[..300].to_vec(), timing, input: None }.read();
    let fault = got.fault.unwrap();
    assert!(fault.starts_with("timing, line ") && fault.contains("and output ends"), "{fault}");
    // What is there of the last piece is taken, too.
    let first_line = output.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    assert_eq!(got.output, output[first_line..300]);
}

#[test]
fn faults_say_where() {
    let fault = |format, bytes: &[u8]| Files::One(format, bytes.to_vec()).read().fault.unwrap_or_default();
    let cast = b"{\"version\":2,\"width\":80,\"height\":24}\n[0.1, \"o\", \"a\"]\nnonsense\n";
    assert_eq!(fault(Format::Asciicast2, cast), "a file, line 3 (byte 53): no event: expected ident, at column 2");
    let negative = b"{\"version\":3,\"term\":{\"cols\":80,\"rows\":24}}\n[-1, \"o\", \"a\"]\n";
    assert!(fault(Format::Asciicast3, negative).contains("-1 is no time in seconds"));
    let endless = b"{\"version\":3,\"term\":{\"cols\":80,\"rows\":24}}\n[1e300, \"o\", \"a\"]\n";
    assert!(fault(Format::Asciicast3, endless).contains("is no time in seconds"));
    assert!(fault(Format::Asciicast2, b"{\"version\":9}\n").contains("asciicast version 9 is not known"));
    let record = [&[0; 8][..], &u32::MAX.to_le_bytes()].concat();
    assert!(fault(Format::Ttyrec, &record).starts_with("a file, byte 0: no header of a record"));
    let mut long = b"{\"version\":2,\"width\":80,\"height\":24}\n".to_vec();
    long.resize(long.len() + super::source::MOST_BYTES + 2, b'[');
    assert!(fault(Format::Asciicast2, &long).contains("line 2 (byte 37): a line of more than 16 MiB"));
    let one = fault(Format::Asciicast1, b"{\"version\": 1, \"stdout\": [[0.1, \"a\"], [0.1]]}");
    assert!(one.starts_with("a file, line 1, column "), "{one}");
}

#[test]
fn what_asciicast_has_not_is_foreign_and_holes_of_tlog_are_said() {
    let cast = b"{\"version\":3,\"term\":{\"cols\":80,\"rows\":24}}\n# a comment\n\n[0.1, \"o\", \"a\"]\n[0.0, \"b\", \"ff\"]\n[0.2, \"m\", \"here\"]\n[0.1, \"q\", 7]\n[0.1, \"r\", \"wide\"]\n";
    let got = Files::One(Format::Asciicast3, cast.to_vec()).read();
    let others: Vec<_> = got.others.iter().map(|(ms, what)| format!("{ms} {what}")).collect();
    let foreign = |code: &str| format!("foreign: an event of code {code:?}");
    let expected = [
        format!("100 {}", foreign("b")),
        "300 marker here".into(),
        format!("400 {}", foreign("q")),
        format!("500 {}", foreign("r")),
    ];
    assert_eq!((got.fault, others), (None, expected.to_vec()));

    let small = String::from_utf8(fixture("small.tlog")).unwrap();
    let lines: Vec<&str> = small.lines().collect();
    let without = [&lines[..1], &lines[2..]].concat().join("\n");
    let got = Files::One(Format::Tlog, without.into_bytes()).read();
    assert!(got.fault.is_none() && got.others[0].1 == "missing: messages 2 to 2 of tlog are missing", "{got:?}");
    let two = [fixture("small.tlog"), fixture("demo.tlog")].concat();
    let got = Files::One(Format::Tlog, two).read();
    assert!(got.fault.unwrap().contains("another recording begins here"));
    assert_eq!(got.output, shown(true));
}

#[test]
fn whoever_wants_no_more_gets_no_more() {
    for (name, files) in Files::all() {
        let Files::One(format, bytes) = files else { continue };
        let mut count = 0;
        let take = &mut |_: u64, _: Event<'_>| {
            count += 1;
            ControlFlow::Break(())
        };
        let (source, told) = (source("a file", &bytes).unwrap(), &mut Told::default());
        let read = match format {
            Format::Asciicast1 => asciicast1::read(source, told, take),
            Format::Asciicast2 | Format::Asciicast3 => asciicast::read(source, told, take),
            Format::Ttyrec => ttyrec::read(source, told, take),
            _ => tlog::read(source, told, take),
        };
        assert!(matches!(read, Err(Fault::Ended)) && count == 1, "{name}: {read:?}");
    }
}

/// Anything, or what one of the tools wrote with some bytes of it changed.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let changed = (0..Files::all().len(), prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4));
    let changed = changed.prop_map(|(index, changes)| {
        let mut bytes = Files::all().swap_remove(index).1.main().clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    });
    prop_oneof![prop::collection::vec(any::<u8>(), 0..400), changed]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nothing_makes_a_reader_panic(a in bytes(), b in bytes(), c in bytes()) {
        let _ = Format::of(&a);
        for format in [Format::Asciicast1, Format::Asciicast2, Format::Ttyrec, Format::Tlog] {
            Files::One(format, a.clone()).read();
        }
        Files::Script { output: b.clone(), timing: a.clone(), input: Some(c.clone()) }.read();
        let streams = [Some(b.clone()), Some(c.clone()), None, Some(b.clone()), Some(c.clone())];
        Files::Sudo { timing: a.clone(), json: None, log: None, streams: streams.clone() }.read();
        Files::Sudo { timing: Vec::new(), json: Some(b.clone()), log: Some(c), streams: streams.clone() }.read();
        Files::Sudo { timing: a, json: None, log: Some(b), streams }.read();
    }
}
