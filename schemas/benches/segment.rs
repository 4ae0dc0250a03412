//! `cargo bench -p hansard-schemas --bench segment`: sealing, checking and opening, in MiB/s of event lines.
//!
//! The text is like a log: words, numbers that change, some colour. Not for event lines: `format`.

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hansard_schemas::cast::{Code, Encoder};
use hansard_schemas::keys::{EpochSecret, KeysLine, Recipients, SegmentSecret, generate_identity};
use hansard_schemas::seal::SigningKey;
use hansard_schemas::segment::{Checker, Compression, HeaderSpec, Reader, SegmentWriter, reseal};
use hansard_schemas::session::{Footer, Streams};
use hansard_schemas::{SessionId, limits};

/// Event lines of one segment.
const SIZE: usize = 16 << 20;

/// As for a session that somebody types in.
const SMALL: Compression = Compression { level: 3, window_log: Some(17), bulk: false, stores_small: false };

/// As the recorder's journal has it.
const JOURNAL: Compression = Compression { level: 3, window_log: None, bulk: true, stores_small: true };

/// About [`SIZE`] bytes of event lines, in blocks as bulk output makes them.
fn blocks(raw_per_block: usize) -> Vec<Vec<u8>> {
    let mut text = String::new();
    let mut n = 0u64;
    let mut encoder = Encoder::new();
    let mut all = Vec::new();
    let mut total = 0;
    while total < SIZE {
        text.clear();
        while text.len() < raw_per_block {
            n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (id, ms, level) =
                (n >> 40, (n >> 20) % 1000, ["info", "debug", "\x1b[33mwarn\x1b[0m"][(n % 3) as usize]);
            let _ = write!(text, "2026-11-22T09:30:{:02}.{ms:03}Z {level} request {id:x} took {ms} us\r\n", n % 60);
        }
        let mut lines = Vec::new();
        for raw in text.as_bytes().chunks(limits::EVENT_RAW) {
            encoder.stream(&mut lines, Code::Output, n >> 60, raw);
        }
        total += lines.len();
        all.push(lines);
    }
    all
}

struct Keys {
    line: KeysLine,
    epoch: EpochSecret,
    signer: SigningKey,
}

impl Keys {
    fn new() -> Self {
        let epoch = EpochSecret::generate();
        let to = Recipients::parse_line(&generate_identity().1).unwrap_or_default();
        let line = epoch.wrap(&to).or_else(|_| KeysLine::parse(b"{}\n"));
        let Ok(line) = line else { unreachable!("{{}} is a keys line") };
        Self { line, epoch, signer: SigningKey::generate() }
    }

    fn secret(&self, index: u32) -> SegmentSecret {
        let Ok(secret) = SegmentSecret::derive(&self.epoch, index) else { unreachable!("a small index") };
        secret
    }

    fn writer(&self, how: Compression) -> (SegmentWriter, Vec<u8>) {
        let Ok(start) = "2026-11-22T09:30:00.000Z".parse() else { unreachable!("a time") };
        let spec = HeaderSpec {
            session: SessionId::new(1_795_339_800_000, &[1; 10]),
            segment: 1,
            start,
            offset_ms: 0,
            epoch: 0,
            index: 0,
            signer: self.signer.public(),
            entry: None,
        };
        let Ok(made) = SegmentWriter::new(spec, &self.secret(0), &self.line, how) else { unreachable!("a header") };
        made
    }

    /// A closed segment, without and with its trailer.
    fn segment(&self, blocks: &[Vec<u8>], how: Compression) -> (Vec<u8>, Vec<u8>) {
        let (mut writer, mut bytes) = self.writer(how);
        for (n, lines) in blocks.iter().enumerate() {
            let _ = writer.seal(lines, n as u64, &mut bytes);
        }
        let lines = writer.lines();
        let footer = Footer { lines, duration_ms: 0, streams: Streams::default(), stop: None };
        let Ok(closed) = writer.finish(&footer, &mut bytes) else { unreachable!("a footer that fits") };
        let key = SigningKey::from_bytes(&self.signer.to_bytes());
        let prev = hansard_schemas::Digest([0; 32]);
        let Ok((trailer, _)) = closed.sign(Some(prev), Some(self.signer.public()), false, key) else {
            unreachable!("its own key")
        };
        let signed = [&bytes[..], &trailer].concat();
        (bytes, signed)
    }
}

fn len(blocks: &[Vec<u8>]) -> u64 {
    blocks.iter().map(|lines| lines.len() as u64).sum()
}

fn seal(c: &mut Criterion) {
    let keys = Keys::new();
    let mut group = c.benchmark_group("seal");
    group.sample_size(10);
    for (name, raw, how) in [
        ("bulk, level -1", limits::BLOCK_RAW, Compression::from(-1)),
        ("bulk, level 1", limits::BLOCK_RAW, Compression::from(1)),
        ("bulk, level 3", limits::BLOCK_RAW, Compression::from(3)),
        ("bulk, level 3 for bulk", limits::BLOCK_RAW, JOURNAL),
        ("keystrokes, level 3", 80, SMALL),
        ("keystrokes, stored", 80, JOURNAL),
    ] {
        let blocks = blocks(raw);
        group.throughput(Throughput::Bytes(len(&blocks)));
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            let mut out = Vec::new();
            b.iter_batched(
                || keys.writer(how).0,
                |mut writer| {
                    for (n, lines) in blocks.iter().enumerate() {
                        out.clear();
                        let _ = black_box(writer.seal(lines, n as u64, &mut out));
                    }
                    writer
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

fn read(c: &mut Criterion) {
    let keys = Keys::new();
    let blocks = blocks(limits::BLOCK_RAW);
    let (_, signed) = keys.segment(&blocks, Compression::default());
    let secret = keys.secret(0);

    let mut group = c.benchmark_group("read");
    group.throughput(Throughput::Bytes(len(&blocks)));
    group.sample_size(20);
    group.bench_function("check, of event lines", |b| {
        b.iter(|| {
            let mut checker = Checker::new();
            let _ = checker.push(black_box(&signed));
            checker.finish().is_ok()
        });
    });
    group.bench_function("open", |b| {
        b.iter(|| {
            let Ok(mut reader) = Reader::new(black_box(&signed), &secret) else { return 0 };
            while let Ok(Some(block)) = reader.next_block() {
                black_box(block);
            }
            reader.lines()
        });
    });
    group.throughput(Throughput::Bytes(signed.len() as u64));
    group.bench_function("check, of stored bytes", |b| {
        b.iter(|| {
            let mut checker = Checker::new();
            let _ = checker.push(black_box(&signed));
            checker.finish().is_ok()
        });
    });
    group.finish();
}

fn join(c: &mut Criterion) {
    let keys = Keys::new();
    let blocks = blocks(80);
    let small = &blocks[..20_000.min(blocks.len())];
    let (journal, _) = keys.segment(small, SMALL);
    let (old, new) = (keys.secret(0), keys.secret(1));
    let mut group = c.benchmark_group("join");
    group.throughput(Throughput::Bytes(len(small)));
    group.sample_size(10);
    group.bench_function("keystrokes", |b| b.iter(|| reseal(black_box(&journal), &old, (&new, 1)).is_ok()));
    group.finish();
}

criterion_group!(benches, seal, read, join);
criterion_main!(benches);
