//! Recordings of other tools, of every format that is imported; those of several files with a separator between.
//!
//! The first byte chooses the format, its upper bits after how many events the taker has enough.

use std::io::Cursor;
use std::ops::ControlFlow;

use hansard_record::import::origin::Format;
use hansard_record::import::source::{Source, Tally};
use hansard_record::import::{Event, Fault, Told, asciicast, asciicast1, script, sudo, tlog, ttyrec};

/// Between two files; an empty file is none.
pub const SEPARATOR: &[u8] = b"\x1e\x1e";
/// The greatest time of a recording, in microseconds.
const MOST_US: u64 = 9_007_199_254_000_000;

/// What a reader gave, in words, so that two readings can be compared.
#[derive(Debug, Default, PartialEq)]
struct Given {
    events: Vec<(u64, String)>,
    told: String,
    fault: Option<String>,
    ended: bool,
}

pub fn run(data: &[u8]) {
    let Some((&choice, rest)) = data.split_first() else { return };
    let _ = Format::of(rest);
    let all = read(choice & 7, rest, usize::MAX);
    assert!(!all.ended, "nobody wanted it to end");
    assert_eq!(read(choice & 7, rest, usize::MAX), all, "it is read twice, and is the same both times");
    // Whoever wants no more gets no more, and what he got is what comes first.
    let enough = usize::from(choice >> 3);
    let some = read(choice & 7, rest, enough);
    assert_eq!(some.ended, enough < all.events.len());
    assert!(all.events.starts_with(&some.events), "{some:?}\n{all:?}");
}

/// Reads it until more than so many events were given.
fn read(format: u8, data: &[u8], enough: usize) -> Given {
    let mut given = Given::default();
    let (mut told, mut last_us) = (Told::default(), 0);
    let mut take = |t_us: u64, event: Event<'_>| {
        assert!(!given.ended, "an event after the end");
        assert!((last_us..=MOST_US).contains(&t_us), "times do not go back: {t_us} after {last_us}");
        last_us = t_us;
        given.events.push((t_us, format!("{event:?}")));
        given.ended = given.events.len() > enough;
        if given.ended { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let read = of(format, data, &mut told, &mut take);
    given.told = format!("{told:?}");
    match read {
        Ok(()) => assert!(!given.ended, "a reader that was told to end says so"),
        Err(Fault::Ended) => assert!(given.ended, "a reader ended by itself"),
        Err(fault) => {
            assert!(!given.ended, "a fault in place of an end: {fault}");
            given.fault = Some(fault.to_string());
        }
    }
    given
}

fn of(
    format: u8,
    data: &[u8],
    told: &mut Told,
    take: &mut dyn FnMut(u64, Event<'_>) -> ControlFlow<()>,
) -> Result<(), Fault> {
    let source =
        |name: &str, bytes: &[u8]| Source::over(name.to_owned(), Cursor::new(bytes.to_vec()), &Tally::default());
    let mut parts = parts(data);
    let mut next = |name: &str| source(name, parts.next().unwrap_or_default());
    let maybe = |source: Result<Source, Fault>| {
        let mut source = source?;
        // What cannot be unpacked is a fault of reading, later.
        let empty = source.peek().is_ok_and(<[u8]>::is_empty);
        Ok::<_, Fault>((!empty).then_some(source))
    };
    let one = source("file", data);
    match format {
        0 => asciicast1::read(one?, told, take),
        1 | 2 => asciicast::read(one?, told, take),
        3 => ttyrec::read(one?, told, take),
        4 => tlog::read(one?, told, take),
        5 | 6 => {
            let files =
                script::Files { timing: next("timing")?, output: next("output")?, input: maybe(next("input"))? };
            script::read(files, told, take)
        }
        _ => {
            let (timing, json, log) = (next("timing")?, maybe(next("log.json"))?, maybe(next("log"))?);
            let mut streams = [None, None, None, None, None];
            for (stream, name) in streams.iter_mut().zip(sudo::STREAMS) {
                *stream = maybe(next(name))?;
            }
            sudo::read(sudo::Files { timing, json, log, streams }, told, take)
        }
    }
}

/// The files.
fn parts(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(data);
    std::iter::from_fn(move || {
        let bytes = rest?;
        match bytes.windows(SEPARATOR.len()).position(|two| two == SEPARATOR) {
            Some(at) => {
                rest = bytes.get(at + SEPARATOR.len()..);
                bytes.get(..at)
            }
            None => rest.take(),
        }
    })
}
