//! How fast `grep` goes through many recordings: plaintext a second and processor.
//!
//! `cargo bench -p hansard-replay --bench searching` records `SEARCHING_SESSIONS` sessions (100) of a MiB each, searches
//! them with the program itself and prints a table. What the sessions show is made up of what terminals mostly show (see
//! `daily`), of which the shares are told. Not a test: nothing fails.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code, missing_docs, reason = "a measurement")]

#[path = "../tests/suite/daily.rs"]
mod daily;
#[path = "../tests/suite/programs.rs"]
mod programs;
#[path = "../tests/suite/recorded.rs"]
mod recorded;
#[path = "../tests/suite/store.rs"]
mod store;

use std::time::{Duration, Instant};

use daily::{KINDS, Random, session};
use hansard_schemas::cast::Encoder;
use hansard_schemas::session::Kind;
use recorded::record;
use store::{Host, World};
use zstd::zstd_safe::CParameter;

/// Bytes of output of a session.
const SESSION: usize = 1 << 20;

fn main() {
    let sessions: usize = std::env::var("SEARCHING_SESSIONS").map_or(100, |n| n.parse().unwrap());
    println!("| what was shown | stored | what is done | time | processor | MiB of it a second and processor |");
    println!("|---|---|---|---|---|---|");
    for (name, makes) in KINDS {
        let world = World::new();
        let mut host = Host::new("web1");
        let mut random = Random(1);
        let mut all = Vec::new();
        for _ in 0..sessions {
            let events = session(&mut random, makes, SESSION);
            let (mut lines, mut line) = (Vec::new(), Encoder::new());
            for (at_ms, code, raw) in &events {
                line.stream(&mut lines, *code, *at_ms, raw);
            }
            all.push(lines);
            record(&world, &mut host, (120, 40), Kind::Interactive, &[events]);
        }
        host.save(&world);
        let stored: u64 = world.files("hseg").iter().map(|path| path.metadata().unwrap().len()).sum();
        let shown = (sessions * SESSION) as f64 / f64::from(1 << 20);
        let row = |what: &str, (wall, processor): (Duration, Duration)| {
            println!(
                "| {name}, {shown} MiB | {} MiB | {what} | {} ms | {} ms | {:.0} |",
                stored >> 20,
                wall.as_millis(),
                processor.as_millis(),
                shown / processor.as_secs_f64()
            );
        };
        row("zstd alone: its event lines decompressed, no more", decompressed(&all));
        for pattern in [&["-F", "no such thing"][..], &["error.*refused"], &["-i", "permission denied"]] {
            row(&format!("`{}`", pattern.join(" ")), search(&world, &[&["--no-cache"], pattern].concat()));
        }
        row("`unheard-of`, and sieves are kept", search(&world, &["unheard-of"]));
        for pattern in [&["-F", "no such thing"][..], &["error.*refused"], &["-i", "permission denied"]] {
            row(&format!("`{}`, after that", pattern.join(" ")), search(&world, pattern));
        }
        let kept = world.root.join(".cache/hansard").read_dir().unwrap();
        let kept: u64 = kept.map(|file| file.unwrap().metadata().unwrap().len()).sum();
        println!("kept: {} KiB", kept >> 10);
        if std::env::var_os("SEARCHING_KEEP").is_some() {
            println!("left there: {}", world.root.display());
            std::mem::forget(world);
        }
    }
}

/// What it takes to undo the recorder's compression, with nothing around it.
fn decompressed(sessions: &[Vec<u8>]) -> (Duration, Duration) {
    let mut pack = zstd::bulk::Compressor::new(3).unwrap();
    for parameter in [CParameter::MinMatch(7), CParameter::HashLog(19), CParameter::ChainLog(15)] {
        pack.set_parameter(parameter).unwrap();
    }
    let packed: Vec<Vec<u8>> = sessions.iter().map(|lines| pack.compress(lines).unwrap()).collect();
    let mut out = Vec::with_capacity(sessions.iter().map(Vec::len).max().unwrap_or(0));
    let mut unpack = zstd::bulk::Decompressor::new().unwrap();
    let (begun, before) = (Instant::now(), own());
    for frame in &packed {
        out.clear();
        unpack.decompress_to_buffer(frame, &mut out).unwrap();
    }
    (begun.elapsed(), own() - before)
}

/// Elapsed time and processor time of a search.
fn search(world: &World, pattern: &[&str]) -> (Duration, Duration) {
    let before = children();
    let begun = Instant::now();
    let said = world.run(&[&["grep", "--count"], pattern].concat());
    let wall = begun.elapsed();
    assert!(said.code < 2, "{said:?}");
    (wall, children() - before)
}

/// Processor time of the processes that were waited for.
fn children() -> Duration {
    ticks(13)
}

/// Processor time of this one.
fn own() -> Duration {
    ticks(11)
}

fn ticks(field: usize) -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after = text.rsplit_once(") ").unwrap().1;
    let ticks: u64 = after.split(' ').skip(field).take(2).map(|word| word.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}
