//! What the second pass must refuse in blocks, frames and footers.

use hansard_schemas::Digest;

use super::fixed::epoch;
use super::good::{HELLO, hello, hello_footer, one};
use super::raw::{FOOTER, LINES, Plain, Raw, cast_header, frame, framed, hmac, recovered, unended};
use super::{Case, Fixed, case};

pub fn cases(fixed: &Fixed) -> Vec<Case> {
    [keyed(fixed), blocks(fixed), frames(fixed), bombs(fixed), footers(fixed)].into_iter().flatten().collect()
}

/// One segment whose blocks were changed before they were sealed.
fn blocks_of(fixed: &Fixed, bend: impl FnOnce(&mut Vec<Plain>)) -> Vec<u8> {
    let mut raw = hello(fixed);
    bend(&mut raw.blocks);
    raw.bytes()
}

fn keyed(fixed: &Fixed) -> Vec<Case> {
    // Sealed and committed under another secret than the one that the keys line wraps.
    let other = Digest(hmac(&hmac(&epoch(1), "hansard/1 segment"), "hansard/1 commit")).to_string();
    let commit = Raw {
        bend_header: Box::new(move |line| {
            let (begin, end) = line.split_once("\"commit\":\"").unwrap();
            format!("{begin}\"commit\":\"{other}{}", &end[64..])
        }),
        ..hello(fixed)
    };
    let index =
        Raw { bend_header: Box::new(|line| line.replacen("\"index\":0", "\"index\":65535", 1)), ..hello(fixed) };
    vec![
        case("commit", "commit", "the header commits to another secret (KEY-2)", commit.bytes()),
        case("commit-index", "commit", "the secret of another index, the highest", index.bytes()),
    ]
}

fn blocks(fixed: &Fixed) -> Vec<Case> {
    let sealed = |at: usize, bend: fn(&[u8], u64) -> Vec<u8>| {
        let bend = move |n, frame: Vec<u8>| {
            let position = u64::from_le_bytes(frame[4..12].try_into().unwrap());
            if n == at { bend(&frame[12..frame.len() - 4], position) } else { frame }
        };
        Raw { bend_frame: Box::new(bend), ..Raw::first(fixed, &[HELLO, HELLO], &hello_footer(2, true)) }.bytes()
    };
    let swapped = {
        let mut raw = Raw::first(fixed, &[HELLO, HELLO], &hello_footer(2, true));
        raw.blocks.iter_mut().for_each(|block| block.position = 2);
        let frames = raw.build().frames;
        raw.bend_frame = Box::new(move |n, frame| if n < 2 { frames[1 - n].clone() } else { frame });
        raw.bytes()
    };
    let elsewhere = {
        let frames = Raw { last: false, next: Some(2), ..hello(fixed) }.build().frames;
        Raw { bend_frame: Box::new(move |n, _| frames[n].clone()), index: 1, ..hello(fixed) }.bytes()
    };
    let auth = |name, note, bytes| case(name, "block-auth", note, bytes);
    let bad = |name, note, bytes| case(name, "bad-block", note, bytes);
    vec![
        auth(
            "block-auth",
            "a sealed bit, with the right CRC",
            sealed(1, |bytes, position| {
                let mut bytes = bytes.to_vec();
                bytes[3] ^= 1;
                framed(position, &bytes)
            }),
        ),
        auth(
            "block-auth-tag",
            "a bit of the tag",
            sealed(1, |bytes, position| {
                let mut bytes = bytes.to_vec();
                *bytes.last_mut().unwrap() ^= 1;
                framed(position, &bytes)
            }),
        ),
        auth(
            "block-auth-position",
            "another position than the sealed one",
            sealed(1, |bytes, position| framed(position - 1, bytes)),
        ),
        auth("block-auth-swapped", "two blocks exchanged", swapped),
        auth("block-auth-elsewhere", "the blocks of another segment", elsewhere),
        auth(
            "block-auth-not-last",
            "the footer without the last-block byte",
            blocks_of(fixed, |blocks| blocks[1].last = false),
        ),
        auth(
            "block-auth-last-early",
            "the last-block byte before the last block",
            blocks_of(fixed, |blocks| blocks[0].last = true),
        ),
        bad("bad-block-kind", "kind 2 (BLK-5)", blocks_of(fixed, |blocks| blocks[0].kind = 2)),
        bad(
            "bad-block-no-footer",
            "event lines in the last block (BLK-3)",
            blocks_of(fixed, |blocks| {
                blocks.pop();
                blocks[0].last = true;
            }),
        ),
        bad(
            "bad-block-two-footers",
            "a footer before the last block (BLK-3)",
            blocks_of(fixed, |blocks| {
                let footer = Plain { last: false, ..blocks[1].clone() };
                blocks.insert(1, footer);
            }),
        ),
        bad("bad-block-recovered-kind", "a recovered segment whose last lines bear the last-block byte", {
            let mut raw = Raw::first(fixed, &[HELLO], &hello_footer(1, true));
            raw.blocks.pop();
            raw.blocks[0].last = true;
            let built = raw.build();
            let entry = recovered(&raw, 1, built.kept(1), None);
            [&built.open()[..], &super::raw::END, &entry.line].concat()
        }),
    ]
}

/// A hello whose kind 0 blocks hold these bytes in place of the frame's.
fn holding(fixed: &Fixed, pieces: &[&[u8]]) -> Vec<u8> {
    let raw = hello(fixed);
    let footer = raw.blocks.last().unwrap().clone();
    let mut blocks: Vec<Plain> =
        pieces.iter().map(|data| Plain { position: 1, kind: LINES, data: data.to_vec(), last: false }).collect();
    blocks.push(Plain { position: 1, kind: FOOTER, ..footer });
    Raw { blocks, ..raw }.bytes()
}

fn text() -> Vec<u8> {
    [&cast_header().0[..], HELLO].concat()
}

fn frames(fixed: &Fixed) -> Vec<Case> {
    let text = text();
    let whole = frame(&[&text]).concat();
    let skippable = [&b"\x50\x2a\x4d\x18\x04\0\0\0abcd"[..], &whole].concat();
    let half = cast_header().0.len() - 5;
    let torn = frame(&[&text[..half], &text[half..]]);
    let with_checksum = {
        let mut encoder = zstd::bulk::Compressor::new(3).unwrap();
        encoder.include_checksum(true).unwrap();
        let mut frame = encoder.compress(&text).unwrap();
        *frame.last_mut().unwrap() ^= 1;
        frame
    };
    let empty = frame(&[b""]).concat();
    let bad = |name, note, pieces: &[&[u8]]| case(name, "bad-block", note, holding(fixed, pieces));
    vec![
        bad("bad-block-not-zstd", "event lines that were not compressed", &[&text]),
        bad("bad-block-second-frame", "two zstd frames (BLK-2)", &[&whole, &empty]),
        bad("bad-block-second-frame-inside", "two zstd frames in one block", &[&[&whole[..], &empty].concat()]),
        bad("bad-block-skippable", "a skippable frame first", &[&skippable]),
        bad("bad-block-not-ended", "a frame without its end in a closed segment", &[&unended(&[&text], false)[0]]),
        bad("bad-block-inside-line", "a block that ends inside a line (BLK-2)", &[&torn[0], &torn[1]]),
        bad("bad-block-checksum", "a frame whose own checksum is wrong", &[&with_checksum]),
        bad("bad-block-damaged", "a frame that does not decompress", &[&[&whole[..6], &[0xff; 40]].concat()]),
    ]
}

fn bombs(fixed: &Fixed) -> Vec<Case> {
    let limit = |name, note, pieces: &[&[u8]]| case(name, "limit", note, holding(fixed, pieces));
    let bomb = frame(&[&vec![b'\n'; 1 << 30]]).concat();
    let header = cast_header().0;
    // Unknown codes: lines that a reader skips, so that nothing but the length is wrong.
    let line = format!("[0.000, \"z\", \"{}\"]\n", "x".repeat((1 << 19) - 17));
    let part = line.repeat(7);
    let mut texts = vec![&header[..]];
    texts.resize(20, part.as_bytes());
    let many = frame(&texts);
    let many: Vec<&[u8]> = many.iter().map(Vec::as_slice).collect();
    // Magic number, descriptor without single segment, window of 2^24 (exponent 14), an empty last block.
    let window = b"\x28\xb5\x2f\xfd\x00\x70\x01\x00\x00";
    vec![
        limit("limit-block-lines", "a zstd bomb: 1 GiB in one block (LIM-3)", &[&bomb]),
        limit("limit-segment-lines", "66 MiB of lines in twenty blocks (LIM-1)", &many),
        limit("limit-window", "a zstd window of 16 MiB (LIM-9)", &[window]),
    ]
}

fn footers(fixed: &Fixed) -> Vec<Case> {
    let with = |footer: &str| Raw::first(fixed, &[HELLO], footer).bytes();
    let right = hello_footer(1, true);
    let bend = |from: &str, to: &str| {
        assert!(right.contains(from), "{from}");
        with(&right.replacen(from, to, 1))
    };
    let bad = |name, note, bytes| case(name, "bad-footer", note, bytes);
    let stopped_early = {
        let first = Raw { last: false, next: Some(2), ..Raw::first(fixed, &[HELLO], &right) }.build();
        [first.bytes(), one(fixed, first.digest).bytes()].concat()
    };
    vec![
        bad("bad-footer-json", "not JSON", with("{\"lines\":LINES")),
        bad("bad-footer-duplicate", "a member twice", bend("\"lines\":LINES", "\"lines\":LINES,\"lines\":LINES")),
        bad("bad-footer-lines", "a wrong count of lines", bend("LINES", "3")),
        bad(
            "bad-footer-duration",
            "another duration than the lines have",
            bend("\"duration_ms\":100", "\"duration_ms\":101"),
        ),
        bad("bad-footer-bytes", "a wrong count of bytes", bend("\"bytes\":7", "\"bytes\":8")),
        bad(
            "bad-footer-stream",
            "a stream that does not occur",
            bend("\"streams\":{", "\"streams\":{\"e\":{\"events\":0,\"bytes\":0},"),
        ),
        bad("bad-footer-no-stop", "no stop in the last segment", with(&hello_footer(1, false))),
        bad("bad-footer-early-stop", "a stop before the last segment", stopped_early),
        case(
            "bad-trailer-lines",
            "bad-trailer",
            "the trailer counts other lines than there are",
            Raw { lines: 9, ..hello(fixed) }.bytes(),
        ),
    ]
}
