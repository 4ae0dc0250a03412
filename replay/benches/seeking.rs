//! How long it takes until a position of a long recording is on screen, opened for the first time and again.
//!
//! `cargo bench -p hansard-replay --bench seeking` makes recordings of 1, 4 and 8 hours (`SEEKING_HOURS`; 32 MiB of output an
//! hour, a segment every 30 seconds, an epoch an hour), goes to 12 moments of each (`SEEKING_POSITIONS`) and prints a table. Each
//! opening is a process of its own, so that its memory can be told; the times are from the opened store's listing to the
//! finished picture. Not a test: nothing fails.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code, missing_docs, reason = "a measurement")]

#[path = "../tests/suite/programs.rs"]
mod programs;
#[path = "../tests/suite/store.rs"]
mod store;

use std::process::Command;
use std::time::{Duration, Instant};

use hansard_replay::cache::Cache;
use hansard_replay::cache::beside::{Beside, Work};
use hansard_replay::cache::warm::{self, Start};
use hansard_replay::cli::{Colour, KeyArgs, StoreArgs};
use hansard_replay::cmd::play::{Opened, shape};
use hansard_replay::context::Context;
use hansard_replay::play::{Settings, still};
use hansard_schemas::SessionId;
use hansard_schemas::cast::{Code, Encoder};
use hansard_schemas::chain::Kind;
use hansard_schemas::keys::{EpochSecret, Recipients};
use hansard_schemas::seal::SigningKey;
use hansard_schemas::segment::{HeaderSpec, SegmentWriter};
use hansard_schemas::session::{Footer, Stop, StopOutcome, StreamCount, Streams};
use hansard_sinks::TimeRange;
use store::{Host, Session, Stored, World};

const SEGMENT_MS: u64 = 30_000;
const SEGMENTS_AN_HOUR: usize = 120;
const SEGMENT_BYTES: usize = (32 << 20) / SEGMENTS_AN_HOUR;
const EVENT_BYTES: usize = 4 << 10;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args.iter().position(|arg| arg == "--child") {
        Some(at) => child(&args[at + 1], &args[at + 2], args[at + 3].parse().unwrap()),
        None => table(),
    }
}

fn table() {
    println!("| recording | stored | opening | checked | median to screen | slowest | peak memory |");
    println!("|---|---|---|---|---|---|---|");
    let set = |name: &str, or: &str| std::env::var(name).unwrap_or_else(|_| or.to_owned());
    let positions: u64 = set("SEEKING_POSITIONS", "12").parse().unwrap();
    for hours in set("SEEKING_HOURS", "1 4 8").split(' ').map(|hours| hours.parse::<usize>().unwrap()) {
        let world = World::new();
        let stored = generate(&world, hours);
        let root = world.root.to_str().unwrap();
        let begun = Instant::now();
        let (_, filled) = run("fill", root, 0);
        let filling = begun.elapsed();
        for mode in ["first", "again"] {
            let mut times = Vec::new();
            let mut memory = 0;
            let mut checks = Vec::new();
            for n in 1..=positions {
                let at_ms = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (hours as u64 * 3_600_000);
                let (said, peak) = run(mode, root, at_ms);
                let numbers: Vec<u64> = said.split_whitespace().map(|word| word.parse().unwrap()).collect();
                checks.push(numbers[0]);
                times.push(numbers[1]);
                memory = memory.max(peak);
            }
            times.sort_unstable();
            checks.sort_unstable();
            println!(
                "| {hours} h, {} MiB | {} MiB | {mode} | {} ms | {} ms | {} ms | {} MiB |",
                hours * 32,
                stored >> 20,
                checks[checks.len() / 2],
                times[times.len() / 2],
                times[times.len() - 1],
                memory >> 10
            );
        }
        let size = std::fs::read_dir(world.root.join(".cache/hansard")).unwrap();
        let size: u64 = size.flatten().map(|entry| entry.metadata().unwrap().len()).sum();
        println!(
            "| {hours} h | | gone through beside playing, kept | | {} ms | | {} MiB; file {} KiB |",
            filling.as_millis(),
            filled >> 10,
            size >> 10
        );
    }
}

/// What a process of its own said, and its peak memory in KiB.
fn run(mode: &str, root: &str, at_ms: u64) -> (String, u64) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--child", mode, root, &at_ms.to_string()])
        .env_clear()
        .env("HOME", root)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    let (said, peak) = said.trim().rsplit_once(' ').unwrap();
    (said.to_owned(), peak.parse().unwrap())
}

fn child(mode: &str, root: &str, at_ms: u64) {
    let context = Context::new(Some(Colour::Never), None, "bench").unwrap();
    let args = StoreArgs { from: Some(format!("file://{root}/.local/share/hansard")) };
    let cache = Cache::of_keyframes(context.cache_path().unwrap());
    let begun = Instant::now();
    let desk = context.desk(&args, &KeyArgs::default(), &TimeRange::default()).unwrap();
    let session = desk.find("latest").unwrap().session.clone();
    let cache = (mode != "first").then_some(cache);
    let Start { evidence, known, unread } = warm::start(&desk, &session, cache.as_ref()).unwrap();
    assert_eq!(unread, mode == "again", "{mode}");
    let checked = begun.elapsed();
    let recording = desk.open_examined(evidence.clone(), false).unwrap().recording;
    let (size, feed) = shape(&recording);
    let (index, end_ms) = known.map_or((None, None), |(index, end_ms)| (Some(index), end_ms));
    let mut opened = Opened::new(recording, end_ms).unwrap();
    if mode == "fill" {
        let beside = Beside::begin(Work { desk, session, evidence, unread, index, source: opened, size, feed, cache });
        let beside = beside.unwrap();
        while !beside.is_done() {
            std::thread::sleep(Duration::from_millis(5));
        }
        print!("0 0");
    } else {
        let settings = Settings { start_at: Duration::from_millis(at_ms), index, ..Settings::default() };
        let picture = still(&mut opened, size, feed, &settings, (80, 24)).unwrap();
        assert!(picture.len() > 200);
        print!("{} {}", checked.as_millis(), begun.elapsed().as_millis());
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    println!(" {}", peak.split_whitespace().next().unwrap());
}

/// Makes a recording; gives the bytes as stored.
fn generate(world: &World, hours: usize) -> u64 {
    let mut host = Host::at("web1", store::an_hour_ago() - 9 * 3_600_000);
    let plan = host.plan(world, hours * SEGMENTS_AN_HOUR);
    let id = SessionId::new(plan.at_ms, &[9; 10]);
    let (line, identity) = store::header(id, "web1", &plan).to_line().unwrap();
    let mut signer = SigningKey::generate();
    let start = host.append(Kind::Start { session: id, signer: signer.public(), identity });
    let recipients = Recipients::parse_line(&world.recipient).unwrap();
    let mut epoch = EpochSecret::generate();
    let mut keys = epoch.wrap(&recipients).unwrap();
    let mut session = Session { id, chain: host.id(), segments: Vec::new() };
    let mut encoder = Encoder::new();
    let mut random = 1u64;
    let mut position = 0;
    for number in 0..plan.segments {
        let index = u32::try_from(number % SEGMENTS_AN_HOUR).unwrap();
        if number > 0 && index == 0 {
            epoch = EpochSecret::generate();
            keys = epoch.wrap(&recipients).unwrap();
        }
        let (secret, advanced) = epoch.advance();
        epoch = advanced;
        let (last, following) = (number + 1 == plan.segments, SigningKey::generate());
        let offset_ms = encoder.offset_ms();
        let spec = HeaderSpec {
            session: id,
            segment: u32::try_from(number).unwrap(),
            start: store::time(plan.at_ms + offset_ms),
            offset_ms,
            epoch: u32::try_from(number / SEGMENTS_AN_HOUR).unwrap(),
            index,
            signer: signer.public(),
            entry: (number == 0).then(|| String::from_utf8(start.line.clone()).unwrap().trim_end().to_owned()),
        };
        let (mut writer, mut bytes) = SegmentWriter::new(spec, &secret, &keys, 3).unwrap();
        let mut lines = Vec::new();
        match number {
            0 => lines.extend_from_slice(&line),
            _ => drop(encoder.text(&mut lines, Code::Resize, offset_ms, "80x24")),
        }
        let mut count = StreamCount { events: 0, bytes: 0 };
        let events = SEGMENT_BYTES / EVENT_BYTES;
        for event in 0..events {
            let part = output(&mut random);
            let at_ms = number as u64 * SEGMENT_MS + SEGMENT_MS * (event as u64 + 1) / events as u64;
            encoder.stream(&mut lines, Code::Output, at_ms, &part);
            count.events += 1;
            count.bytes += part.len() as u64;
            position += 1;
            writer.seal(&lines, position, &mut bytes).unwrap();
            lines.clear();
        }
        let stop = Stop { outcome: StopOutcome::Exited, status: 0, signal: None, left_behind: Vec::new() };
        let footer = Footer {
            lines: writer.lines(),
            duration_ms: encoder.offset_ms() - offset_ms,
            streams: Streams { o: Some(count), e: None, i: None },
            stop: last.then_some(stop),
        };
        let closed = writer.finish(&footer, &mut bytes).unwrap();
        let prev = session.segments.last().map(|segment| segment.digest);
        let (trailer, digest) = closed.sign(prev, (!last).then(|| following.public()), last, signer).unwrap();
        session.segments.push(Stored { bytes: [bytes, trailer].concat(), digest });
        signer = following;
    }
    host.end(&session);
    session.save(world);
    host.save(world);
    session.segments.iter().map(|segment| segment.bytes.len() as u64).sum()
}

/// Lines as a build or a log prints them: words, numbers, colours.
fn output(random: &mut u64) -> Vec<u8> {
    let mut text = Vec::new();
    while text.len() < EVENT_BYTES {
        *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let n = *random >> 33;
        text.extend(format!("\x1b[3{}m{:>8}\x1b[0m src/{:x}.rs: warning {n}\r\n", n % 8, n % 100_000, n >> 9).bytes());
    }
    text.truncate(EVENT_BYTES);
    text
}
