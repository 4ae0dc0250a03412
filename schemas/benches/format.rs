//! `cargo bench -p hansard-schemas --bench format`: event lines, written and read, in MiB/s of raw stream bytes.
//!
//! The kinds of text differ in what the encoder must do: copy, escape now and then, escape often, check
//! multi-byte characters, or list exact bytes. Not for sealing: `segment`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hansard_schemas::cast::{Code, Encoder, LineReader};
use hansard_schemas::limits;

const SIZE: usize = 8 << 20;

/// Streams of [`SIZE`] bytes, the same in every run.
fn streams() -> Vec<(&'static str, Vec<u8>)> {
    let fill = |piece: &[u8]| piece.iter().copied().cycle().take(SIZE).collect::<Vec<u8>>();
    let line = "The quick brown fox jumps over the lazy dog, and the lazy dog does not mind it.";
    // A generator of no quality at all is enough: the point is that few bytes are valid UTF-8.
    let noise = (0..SIZE as u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
    vec![
        ("plain", fill(line.as_bytes())),
        ("lines", fill(format!("{line}\r\n").as_bytes())),
        ("colours", fill(b"\x1b[1;32mok\x1b[0m src/\x1b[34mmain.rs\x1b[0m \"a\"\t12\r\n")),
        ("cjk", fill("会议记录是逐字保存的,每一个字节都在。\r\n".as_bytes())),
        ("noise", noise),
    ]
}

fn encode(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode");
    group.throughput(Throughput::Bytes(SIZE as u64));
    for (name, raw) in streams() {
        group.bench_with_input(BenchmarkId::from_parameter(name), &raw, |b, raw| {
            let mut out = Vec::new();
            b.iter(|| {
                // As the recorder does: one buffer, lines of a block at a time.
                let mut encoder = Encoder::new();
                for block in raw.chunks(limits::BLOCK_RAW) {
                    out.clear();
                    encoder.stream(&mut out, Code::Output, 0, black_box(block));
                    black_box(&out);
                }
            });
        });
    }
    group.finish();

    let mut group = c.benchmark_group("encode-keystroke");
    group.throughput(Throughput::Elements(1));
    group.bench_function("one-byte", |b| {
        let mut out = Vec::new();
        let (mut encoder, mut t_ms) = (Encoder::new(), 0);
        b.iter(|| {
            out.clear();
            t_ms += 120;
            encoder.stream(&mut out, Code::Output, t_ms, black_box(b"x"));
            black_box(&out);
        });
    });
    group.finish();
}

fn decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Bytes(SIZE as u64));
    for (name, raw) in streams() {
        let mut encoder = Encoder::new();
        let blocks: Vec<Vec<u8>> = raw
            .chunks(limits::BLOCK_RAW)
            .map(|block| {
                let mut out = Vec::new();
                encoder.stream(&mut out, Code::Output, 0, block);
                out
            })
            .collect();
        group.bench_with_input(BenchmarkId::from_parameter(name), &blocks, |b, blocks| {
            b.iter(|| {
                let mut reader = LineReader::new(false, 0);
                let mut events = reader.push(b"[0.000, \"r\", \"80x24\"]\n").map_or(0, |events| events.len());
                for block in blocks {
                    events += reader.push(black_box(block)).map_or(0, |events| events.len());
                }
                events
            });
        });
    }
    group.finish();
}

criterion_group!(benches, encode, decode);
criterion_main!(benches);
