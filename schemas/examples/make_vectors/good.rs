//! What must open: the forms a segment can have, and recovered ones.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hansard_schemas::cast::{Code, Encoder};
use hansard_schemas::keys::{EpochSecret, KeysLine, SegmentSecret};
use hansard_schemas::segment::{HeaderSpec, SegmentWriter, reseal};
use hansard_schemas::session::{Footer, Stop, StopOutcome, Streams};
use hansard_schemas::{ChainId, Digest};

use super::fixed::{epoch, session, signer, time};
use super::raw::{END, FOOTER, Raw, cast_header, chain, recovered};
use super::{Case, Fixed, case};

pub const STOP: &str = r#""stop":{"outcome":"exited","status":0,"signal":null,"left_behind":[]}"#;
pub const SIZE: &[u8] = b"[0.000, \"r\", \"80x24\"]\n";
pub const HELLO: &[u8] = b"[0.100, \"o\", \"hello\\r\\n\"]\n";

/// A footer after `HELLO`, `n` times.
pub fn hello_footer(n: u64, stop: bool) -> String {
    let stop = if stop { format!(",{STOP}") } else { String::new() };
    let (ms, bytes) = (100 * n, 7 * n);
    format!(r#"{{"lines":LINES,"duration_ms":{ms},"streams":{{"o":{{"events":{n},"bytes":{bytes}}}}}{stop}}}"#)
}

/// One segment that says hello.
pub fn hello(fixed: &Fixed) -> Raw {
    Raw::first(fixed, &[HELLO], &hello_footer(1, true))
}

/// Segment 0 of two.
pub fn zero(fixed: &Fixed) -> Raw {
    Raw { last: false, next: Some(2), ..Raw::first(fixed, &[HELLO], &hello_footer(1, false)) }
}

/// Segment 1 after [`zero`].
pub fn one(fixed: &Fixed, prev: Digest) -> Raw {
    Raw { offset_ms: 100, ..Raw::later(fixed, 1, prev, &[SIZE, HELLO], &hello_footer(1, true)) }
}

/// Adds what a reader must come to: counted here from the texts, not read back.
fn sums(case: Case, segments: usize, texts: &[&[u8]], output: &[u8]) -> Case {
    let lines = [&cast_header().0[..], &texts.concat()].concat();
    case.with("chain", ChainId::of(&signer(90).public()))
        .with("segments", segments)
        .with("lines", Digest::of(&lines))
        .with("output", Digest::of(output))
}

pub fn cases(fixed: &Fixed) -> Vec<Case> {
    let simple = |case| sums(case, 1, &[HELLO], b"hello\r\n");
    let mut all = vec![simple(case("ok-single", "ok", "one segment, the last", hello(fixed).bytes()))];

    let first = zero(fixed).build();
    let second = one(fixed, first.digest);
    let joined = [first.bytes(), second.bytes()].concat();
    let two = |case| sums(case, 2, &[HELLO, SIZE, HELLO], b"hello\r\nhello\r\n");
    all.push(two(case("ok-continuation", "ok", "two segments of one epoch", joined)));
    let second = Raw { epoch: 1, index: 0, keys: fixed.keys[1].clone(), ..second };
    let bytes = [first.bytes(), second.bytes()].concat();
    all.push(Case { note: "the second segment begins a new epoch", ..two(case("ok-epochs", "ok", "", bytes)) });
    let second = Raw { index: 9, ..one(fixed, first.digest) };
    let bytes = [first.bytes(), second.bytes()].concat();
    all.push(two(case("ok-index-skips", "ok", "eight secrets of the epoch were never used", bytes)));
    let bytes = first.bytes();
    all.push(simple(case("ok-cut", "ok", "the first segment of two: not the end, and no fault of its own", bytes)));

    let both = Raw { keys: fixed.keys_both.clone(), ..hello(fixed) }.bytes();
    let ssh = BASE64.encode(&fixed.ssh_identity);
    let note = "sealed to an X25519 and an ssh-ed25519 key, opened with the first";
    all.push(simple(case("ok-two-recipients", "ok", note, both.clone())));
    let note = "sealed to an X25519 and an ssh-ed25519 key, opened with the second";
    all.push(simple(case("ok-ssh-recipient", "ok", note, both).with("ssh-identity", ssh)));
    all.extend(tolerant(fixed).into_iter().map(simple));
    all.extend(written(fixed));
    all.extend(streams(fixed));
    all.extend(left(fixed));
    all
}

/// What a reader must overlook.
fn tolerant(fixed: &Fixed) -> Vec<Case> {
    let members = Raw {
        bend_header: Box::new(|header| {
            let (members, entry) = header.split_once("\"entry\":").unwrap();
            format!("{members}\"entry\":{},\"later\":{{\"a\":[null,true]}}}}", entry.strip_suffix('}').unwrap())
        }),
        bend_trailer: Box::new(|trailer| trailer + "\"later\":\"\\\"sig\\\":\","),
        ..hello(fixed)
    };
    let unknown = String::from_utf8(fixed.keys[0].clone()).unwrap();
    let unknown = unknown.replace("]}\n", r#",{"type":"later","recipients":[],"wrapped":"?"}]}"#) + "\n";
    let with = |keys| Raw { keys, ..hello(fixed) }.bytes();
    vec![
        case("ok-unknown-members", "ok", "members of a later writer in header and trailer, signed", members.bytes()),
        case("ok-unknown-wrap", "ok", "a second wrap of an unknown type", with(unknown.into_bytes())),
    ]
}

/// Segments that the library wrote.
fn written(fixed: &Fixed) -> Vec<Case> {
    let entry = String::from_utf8(chain(1)[1].line.clone()).unwrap().trim_end().to_owned();
    let keys = KeysLine::parse(&fixed.keys[0]).unwrap();
    let secret = |index| SegmentSecret::derive(&EpochSecret::from_bytes(&epoch(0)), index).unwrap();
    let spec = HeaderSpec {
        session: session(),
        segment: 0,
        start: time(0),
        offset_ms: 0,
        epoch: 0,
        index: 0,
        signer: signer(1).public(),
        entry: Some(entry),
    };
    let (mut writer, mut bytes) = SegmentWriter::new(spec, &secret(0), &keys, 3).unwrap();
    let mut encoder = Encoder::new();
    let (mut lines, mut all, mut output, mut streams) = (Vec::new(), Vec::new(), Vec::new(), Streams::default());
    for n in 0..64u64 {
        let raw =
            [format!("line {n} ").as_bytes(), &[n as u8, 0xc0 ^ n as u8, 0xef, 0xbf, 0xbd, b'\r', b'\n']].concat();
        lines.clear();
        if n == 0 {
            lines.extend(cast_header().0);
        }
        encoder.stream(&mut lines, Code::Output, 10 * n + 3, &raw);
        all.extend(&lines);
        output.extend(&raw);
        streams.add(Code::Output, 1, raw.len() as u64);
        writer.seal(&lines, n + 1, &mut bytes).unwrap();
    }
    let stop = Some(Stop { outcome: StopOutcome::Signalled, status: 143, signal: Some(15), left_behind: vec![] });
    let footer = Footer { lines: writer.lines(), duration_ms: encoder.offset_ms(), streams, stop };
    let closed = writer.finish(&footer, &mut bytes).unwrap();
    let (mut joined, resealed) = reseal(&bytes, &secret(0), (&secret(1), 1)).unwrap();
    bytes.extend(closed.sign(None, None, true, signer(1)).unwrap().0);
    joined.extend(resealed.sign(None, None, true, signer(1)).unwrap().0);
    let lines = Digest::of(&all);
    let sums = |case: Case| case.with("segments", 1).with("lines", lines).with("output", Digest::of(&output));
    vec![
        sums(case("ok-written", "ok", "as a recorder writes: 64 small blocks, most with exact bytes", bytes)),
        sums(case("ok-joined", "ok", "the same, joined under the next secret before it was signed", joined)),
    ]
}

/// Every code, and every kind of byte.
fn streams(fixed: &Fixed) -> Vec<Case> {
    let bad = "\u{fffd}";
    let text = format!(
        "[0.000, \"o\", \"a{bad}{bad}b{bad}\"]\n[0.000, \"b\", \"ff e282 efbfbd\"]\n[0.001, \"o\", \"\\u0000\\u001b[0m é\"]\n"
    );
    let footer = format!(r#"{{"lines":LINES,"duration_ms":1,"streams":{{"o":{{"events":2,"bytes":16}}}},{STOP}}}"#);
    let output = [&b"a\xff\xe2\x82b\xef\xbf\xbd"[..], b"\0\x1b[0m \xc3\xa9"].concat();
    let bytes = Raw::first(fixed, &[text.as_bytes()], &footer).bytes();
    let exact = case("ok-exact-bytes", "ok", "ill-formed sequences beside a genuine U+FFFD", bytes);

    let codes = concat!(
        "[0.000, \"o\", \"out\"]\n[0.002, \"e\", \"err\"]\n[0.000, \"i\", \"in\\r\"]\n[1.000, \"r\", \"132x43\"]\n",
        "[0.000, \"m\", \"\"]\n[10.000, \"z\", \"later\"]\n",
        "[0.000, \"g\", \"{\\\"what\\\":\\\"input\\\",\\\"why\\\":\\\"masked\\\",\\\"bytes\\\":8}\"]\n[0.000, \"x\", \"143\"]\n"
    );
    let counts = r#"{"o":{"events":1,"bytes":3},"e":{"events":1,"bytes":3},"i":{"events":1,"bytes":3}}"#;
    let footer = format!(r#"{{"lines":LINES,"duration_ms":11002,"streams":{counts},{STOP}}}"#);
    let bytes = Raw::first(fixed, &[codes.as_bytes()], &footer).bytes();
    let codes_case = case("ok-codes", "ok", "every code, and an unknown one whose interval counts", bytes);
    vec![sums(exact, 1, &[text.as_bytes()], &output), sums(codes_case, 1, &[codes.as_bytes()], b"out")]
}

/// What a crash left, closed by an entry of the chain.
fn left(fixed: &Fixed) -> Vec<Case> {
    let closed_by = |raw: &Raw, blocks: usize, continues| {
        let built = raw.build();
        let entry = recovered(raw, blocks, built.kept(blocks), continues);
        let bytes = [&built.header[..], &built.keys, &built.frames[..blocks].concat(), &END, &entry.line].concat();
        // The digest is over the same without the keys line.
        let digest = [&built.header[..], &built.frames[..blocks].concat(), &END, &entry.line].concat();
        (bytes, Digest::of(&digest))
    };
    let raw = Raw::first(fixed, &[HELLO, HELLO, HELLO], &hello_footer(3, true));
    assert_eq!(raw.blocks[3].kind, FOOTER);
    let all = closed_by(&raw, 4, None).0;
    let cut = closed_by(&raw, 2, None).0;
    let none = closed_by(&raw, 0, None).0;
    let (mut on, digest) = closed_by(&raw, 2, Some(2));
    let second = Raw { offset_ms: 200, ..one(fixed, digest) };
    on.extend(second.bytes());
    let note = "killed between footer and trailer";
    let whole = sums(case("recovered", "recovered", note, all), 1, &[&HELLO.repeat(3)], &b"hello\r\n".repeat(3));
    let note = "killed at work: no footer, the zstd frame without its end";
    let cut = sums(case("recovered-cut", "recovered", note, cut), 1, &[&HELLO.repeat(2)], &b"hello\r\n".repeat(2));
    let note = "killed before the first block was whole";
    let none = case("recovered-nothing", "recovered", note, none).with("segments", 1);
    let none = none.with("lines", Digest::of(b"")).with("output", Digest::of(b""));
    let note = "killed, and gone on with in a next segment";
    let texts = [&HELLO.repeat(2)[..], SIZE, HELLO];
    let on = sums(case("recovered-continues", "recovered", note, on), 2, &texts, &b"hello\r\n".repeat(3));
    let (mut later, digest) = closed_by(&raw, 2, Some(2));
    let second = Raw { offset_ms: 5_000, epoch: 1, index: 0, keys: fixed.keys[1].clone(), ..one(fixed, digest) };
    later.extend(second.bytes());
    let note = "killed, and gone on with by another recorder: later, and in a new epoch (CAST-3)";
    let later = sums(case("recovered-resumed", "recovered", note, later), 2, &texts, &b"hello\r\n".repeat(3));
    vec![whole, cut, none, on, later]
}
