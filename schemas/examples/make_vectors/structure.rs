//! What the first pass, without a key, must refuse.

use hansard_schemas::segment::Header;
use hansard_schemas::{Digest, chain};

use super::fixed::{boot, keys_line, session, signer, time};
use super::good::{HELLO, SIZE, hello, hello_footer, one, zero};
use super::raw::{END, Plain, Raw, framed, recovered};
use super::{Case, Fixed, case};

/// One segment with its header line bent.
fn header(fixed: &Fixed, bend: impl Fn(String) -> String + 'static) -> Vec<u8> {
    Raw { bend_header: Box::new(bend), ..hello(fixed) }.bytes()
}

fn replaced(fixed: &Fixed, from: &'static str, to: &'static str) -> Vec<u8> {
    header(fixed, move |line| {
        assert!(line.contains(from), "{from}");
        line.replacen(from, to, 1)
    })
}

pub fn cases(fixed: &Fixed) -> Vec<Case> {
    [headers(fixed), keys(fixed), blocks(fixed), trailers(fixed), joints(fixed), ends(fixed), limits(fixed)]
        .into_iter()
        .flatten()
        .collect()
}

fn headers(fixed: &Fixed) -> Vec<Case> {
    let bad = |name, note, bytes| case(name, "bad-header", note, bytes);
    let jpeg = [&b"\xff\xd8\xff\xe0\x00\x10JFIF\0"[..], &[0x42; 300]].concat();
    let bom = [&b"\xef\xbb\xbf"[..], &hello(fixed).bytes()].concat();
    let upper = header(fixed, |line| {
        let (begin, end) = line.split_once("\"commit\":\"").unwrap();
        format!("{begin}\"commit\":\"{}{}", end[..64].to_uppercase(), &end[64..])
    });
    let no_entry = header(fixed, |line| line.split_once(",\"entry\"").unwrap().0.to_owned() + "}");
    let other =
        header(fixed, |line| line.replacen(&signer(1).public().to_string(), &signer(3).public().to_string(), 1));
    let late_entry = {
        let entry = String::from_utf8(super::raw::chain(1)[1].line.clone()).unwrap();
        let bend = move |line: String| {
            let mut header: Header = serde_json::from_str(&line).unwrap();
            header.entry = Some(entry.trim_end().to_owned());
            serde_json::to_string(&header).unwrap()
        };
        Raw { bend_header: Box::new(bend), ..one(fixed, Digest([1; 32])) }.bytes()
    };
    let unsupported = |name, note, bytes| case(name, "unsupported-version", note, bytes);
    vec![
        bad("bad-header-picture", "a JPEG", jpeg),
        bad("bad-header-text", "a line of text", b"hello\n".to_vec()),
        bad("bad-header-bom", "a byte order mark before it (JSON-2)", bom),
        bad(
            "bad-header-order",
            "two members exchanged (SEG-1)",
            replaced(fixed, "\"epoch\":0,\"index\":0", "\"index\":0,\"epoch\":0"),
        ),
        bad("bad-header-missing", "no offset_ms", replaced(fixed, "\"offset_ms\":0,", "")),
        bad(
            "bad-header-duplicate",
            "a member twice (JSON-3)",
            replaced(fixed, "\"epoch\":0", "\"epoch\":0,\"epoch\":0"),
        ),
        bad(
            "bad-header-fraction",
            "a number with a fraction (JSON-3)",
            replaced(fixed, "\"epoch\":0", "\"epoch\":0.0"),
        ),
        bad(
            "bad-header-large",
            "an integer of 2^53 (JSON-3)",
            replaced(fixed, "\"offset_ms\":0", "\"offset_ms\":9007199254740992"),
        ),
        bad(
            "bad-header-negative",
            "a negative integer (JSON-3)",
            replaced(fixed, "\"offset_ms\":0", "\"offset_ms\":-1"),
        ),
        bad(
            "bad-header-deep",
            "an unknown member whose arrays are the 33rd level (JSON-7)",
            header(fixed, |line| {
                format!("{},\"x\":{}{}}}", line.strip_suffix('}').unwrap(), "[".repeat(32), "]".repeat(32))
            }),
        ),
        bad("bad-header-cr", "a carriage return before the line feed (JSON-2)", header(fixed, |line| line + "\r")),
        bad("bad-header-offset", "intervals before segment 0", replaced(fixed, "\"offset_ms\":0", "\"offset_ms\":1")),
        bad("bad-header-hex", "upper-case hex (JSON-6)", upper),
        bad("bad-header-time", "a time without milliseconds (JSON-6)", replaced(fixed, "30:00.125Z", "30:00Z")),
        bad(
            "bad-header-session",
            "a session id that is no UUIDv7",
            replaced(fixed, "\"session\":\"01", "\"session\":\"0x"),
        ),
        bad("bad-header-no-entry", "segment 0 without its start entry", no_entry),
        bad("bad-header-late-entry", "a start entry in segment 1", late_entry),
        bad("bad-header-other-signer", "the start entry names another signer (SEG-3)", other),
        bad(
            "bad-header-version-zero",
            "version 01, which is no number",
            replaced(fixed, "\"hansard\":1,", "\"hansard\":01,"),
        ),
        unsupported("unsupported-version", "version 2", replaced(fixed, "\"hansard\":1,", "\"hansard\":2,")),
        unsupported(
            "unsupported-version-alien",
            "version 2, the rest unlike version 1",
            b"{\"hansard\":2,1.5\r\n\0".to_vec(),
        ),
        unsupported(
            "unsupported-version-suite",
            "another suite (SEG-2)",
            replaced(fixed, "zstd+A256GCM", "zstd+ML-KEM"),
        ),
    ]
}

fn keys(fixed: &Fixed) -> Vec<Case> {
    let with = |keys: &[u8]| Raw { keys: keys.to_vec(), ..hello(fixed) }.bytes();
    let instead = |keys: &'static [u8]| Raw { bend_keys: Box::new(|_| keys.to_vec()), ..hello(fixed) }.bytes();
    let flipped = Raw {
        bend_keys: Box::new(|mut keys| {
            let at = keys.len() - 20;
            keys[at] ^= 1;
            keys
        }),
        ..hello(fixed)
    };
    let second = fixed.keys[0].strip_prefix(b"{\"wraps\":[").unwrap();
    let short = String::from_utf8(fixed.keys_short.clone()).unwrap();
    let mut twice = short.strip_suffix("]}\n").unwrap().as_bytes().to_vec();
    twice.push(b',');
    twice.extend(second);
    let bad = |name, note, bytes| case(name, "bad-keys", note, bytes);
    vec![
        bad("bad-keys-json", "not JSON, and the one that the header names", with(b"{\"wraps\":[}\n")),
        bad("bad-keys-none", "no wrap at all", with(b"{\"wraps\":[]}\n")),
        bad("bad-keys-erased-by-header", "the line {} that the header itself names", with(b"{}\n")),
        bad(
            "bad-keys-first-type",
            "the first wrap is of an unknown type (KEYS-1)",
            with(&keys_line(&[("later", "AAAA")])),
        ),
        bad("bad-keys-base64", "base64 without its padding", with(&keys_line(&[("age", "AAA")]))),
        bad("bad-keys-age", "what is wrapped is no age file", with(&keys_line(&[("age", "aGVsbG8=")]))),
        bad("bad-keys-before-good", "the first wrap holds 16 bytes, the second the secret", with(&twice)),
        bad("bad-keys-short", "an age file that holds 16 bytes", with(&fixed.keys_short)),
        case("erased", "erased", "the keys line is {} (KEYS-2)", instead(b"{}\n")),
        case("altered-keys", "altered", "one bit of the keys line (KEYS-2)", flipped.bytes()),
        case("altered-keys-text", "altered", "the keys line is something else", instead(b"hello\n")),
        case("no-recipient", "no-recipient", "no identity at hand opens it", hello(fixed).bytes())
            .with("identity", &fixed.stranger),
    ]
}

/// One segment whose frame `number` is changed before it is signed.
fn frame(fixed: &Fixed, number: usize, bend: impl Fn(Vec<u8>) -> Vec<u8> + 'static) -> Vec<u8> {
    let bend = move |n, frame| if n == number { bend(frame) } else { frame };
    Raw { bend_frame: Box::new(bend), ..hello(fixed) }.bytes()
}

fn blocks(fixed: &Fixed) -> Vec<Case> {
    let flip = |at: usize| {
        move |mut frame: Vec<u8>| {
            frame[at] ^= 0x10;
            frame
        }
    };
    let mut falling = Raw::first(fixed, &[HELLO, HELLO], &hello_footer(2, true));
    falling.blocks[0].position = 5;
    vec![
        case("block-crc", "block-crc", "a sealed bit", frame(fixed, 0, flip(20))),
        case("block-crc-position", "block-crc", "a bit of the position", frame(fixed, 0, flip(4))),
        case(
            "block-crc-crc",
            "block-crc",
            "a bit of the CRC of the footer",
            frame(fixed, 1, |mut frame| {
                *frame.last_mut().unwrap() ^= 1;
                frame
            }),
        ),
        case("bad-block-short", "bad-block", "16 sealed bytes (LIM-4)", frame(fixed, 0, |_| framed(1, &[7; 16]))),
        case("bad-block-empty", "bad-block", "a length of 0, as in a zeroed file", frame(fixed, 0, |_| vec![0; 16])),
        case("bad-block-position", "bad-block", "a position that falls (BLK-1)", falling.bytes()),
        case("limit-sealed", "limit", "a length of 4 MiB and 1 (LIM-4)", frame(fixed, 0, |_| vec![1, 0, 0x40, 0])),
        case(
            "limit-sealed-4-gib",
            "limit",
            "a length of 4 GiB less 2",
            frame(fixed, 0, |_| vec![0xfe, 0xff, 0xff, 0xff]),
        ),
    ]
}

fn trailers(fixed: &Fixed) -> Vec<Case> {
    let unsigned = |from: &'static str, to: &'static str| {
        let bend = move |line: String| {
            assert!(line.contains(from), "{from}");
            line.replacen(from, to, 1)
        };
        Raw { bend_trailer: Box::new(bend), ..hello(fixed) }.bytes()
    };
    let signed = |bend: fn(String) -> String| Raw { bend_signed: Box::new(bend), ..hello(fixed) }.bytes();
    let bad = |name, note, bytes| case(name, "bad-trailer", note, bytes);
    let wrong = |name, note, bytes| case(name, "bad-signature", note, bytes);
    let first = Raw { prev: Some(Digest([3; 32])), ..hello(fixed) };
    let next = Raw { next: Some(2), ..hello(fixed) };
    let no_next = Raw { next: None, ..zero(fixed) };
    let no_prev = Raw { prev: None, ..one(fixed, Digest([1; 32])) };
    let empty = Raw { blocks: vec![], ..hello(fixed) };
    let fewer = {
        let built = Raw::first(fixed, &[HELLO, HELLO], &hello_footer(2, true)).build();
        [&built.header[..], &built.keys, &built.frames[0], &built.frames[2], &END, &built.trailer].concat()
    };
    let other_key = {
        let built = Raw { signer: 7, ..hello(fixed) }.build();
        let right = hello(fixed).build();
        [&right.open()[..], &END, &built.trailer].concat()
    };
    let header_bit = {
        let mut bytes = hello(fixed).bytes();
        let at = memchr::memmem::find(&bytes, b"30:00.125Z").unwrap();
        bytes[at] = b'5';
        bytes
    };
    vec![
        bad("bad-trailer-blocks", "a wrong count of blocks", unsigned("\"blocks\":2", "\"blocks\":3")),
        bad("bad-trailer-block-removed", "the second of three blocks is not there", fewer),
        bad("bad-trailer-no-blocks", "no block at all", empty.bytes()),
        bad("bad-trailer-prev", "a digest before segment 0", first.bytes()),
        bad("bad-trailer-no-prev", "no digest before segment 1", no_prev.bytes()),
        bad("bad-trailer-next", "a next signer after the last segment", next.bytes()),
        bad("bad-trailer-no-next", "no next signer, and not the last segment", no_next.bytes()),
        bad(
            "bad-trailer-order",
            "two members exchanged",
            unsigned("\"prev\":null,\"next\":null", "\"next\":null,\"prev\":null"),
        ),
        bad("bad-trailer-missing", "no member lines", unsigned("\"lines\":2,", "")),
        bad(
            "bad-trailer-sig-first",
            "members after the signature (TRL-1)",
            signed(|line| line.replace("\"}\n", "\",\"x\":1}\n")),
        ),
        bad(
            "bad-trailer-sig-upper",
            "a signature in upper-case hex",
            signed(|line| {
                let at = line.len() - 131;
                format!("{}{}\"}}\n", &line[..at], line[at..at + 128].to_uppercase())
            }),
        ),
        bad("bad-trailer-text", "something else", signed(|_| "hello\n".into())),
        wrong(
            "bad-signature",
            "one digit of it",
            signed(|line| {
                let mut line = line.into_bytes();
                let at = line.len() - 10;
                line[at] = if line[at] == b'0' { b'1' } else { b'0' };
                String::from_utf8(line).unwrap()
            }),
        ),
        wrong(
            "bad-signature-member",
            "a member changed after signing",
            signed(|line| line.replace("\"lines\":2", "\"lines\":3")),
        ),
        wrong("bad-signature-other-key", "by another key than the header's", other_key),
        wrong("bad-signature-header", "the header changed after signing", header_bit),
        wrong(
            "bad-signature-zero",
            "all zero, which weak keys would take",
            signed(|line| format!("{}{}\"}}\n", &line[..line.len() - 131], "0".repeat(128))),
        ),
    ]
}

/// Recovered entries as trailers, and segments that do not follow each other.
fn joints(fixed: &Fixed) -> Vec<Case> {
    let raw = Raw::first(fixed, &[HELLO, HELLO], &hello_footer(2, true));
    let built = raw.build();
    let closed = |line: &[u8]| [&built.open()[..], &END, line].concat();
    let other_kept = recovered(&raw, 3, built.kept(2), None).line;
    let other_count = recovered(&raw, 2, built.kept(3), None).line;
    let other_number =
        recovered(&Raw { number: 1, prev: Some(Digest([1; 32])), ..hello(fixed) }, 3, built.kept(3), None).line;
    let end = {
        let kind = chain::Kind::End { session: session(), segment: 0, digest: built.digest, outcome: "exited".into() };
        let [_, start] = super::raw::chain(1);
        chain::append_with(&start, &signer(92), kind, time(9), boot(), signer(93).public()).unwrap().line
    };
    let newer = String::from_utf8(recovered(&raw, 3, built.kept(3), None).line).unwrap();
    let newer = newer.replacen("\"hansard\":1", "\"hansard\":2", 1).into_bytes();
    let altered = |name, note, bytes| case(name, "altered", note, bytes);

    let first = zero(fixed).build();
    let after = |second: Raw| [first.bytes(), second.bytes()].concat();
    let follow = || one(fixed, first.digest);
    vec![
        altered("altered-recovered-kept", "a recovered entry about fewer bytes than there are", closed(&other_kept)),
        altered(
            "altered-recovered-blocks",
            "a recovered entry about fewer blocks than there are",
            closed(&other_count),
        ),
        altered("altered-recovered-number", "a recovered entry about another segment", closed(&other_number)),
        case("bad-trailer-entry", "bad-trailer", "an end entry for a trailer (TRL-6)", closed(&end)),
        case(
            "unsupported-version-entry",
            "unsupported-version",
            "a chain entry of version 2 for a trailer",
            closed(&newer),
        ),
        altered(
            "altered-signer",
            "the second segment is signed by a key nobody announced (SEG-3)",
            after(Raw { signer: 8, ..follow() }),
        ),
        altered(
            "altered-prev",
            "the second segment names another digest",
            after(Raw { prev: Some(Digest([8; 32])), ..follow() }),
        ),
        altered("altered-number", "segment 2 after segment 0", after(Raw { number: 2, ..follow() })),
        altered("altered-index", "an index used twice in one epoch (SEG-4)", after(Raw { index: 0, ..follow() })),
        altered(
            "altered-epoch-keys",
            "a new epoch with the old keys line (SEG-4)",
            after(Raw { epoch: 1, ..follow() }),
        ),
        altered(
            "altered-keys-epoch",
            "a new keys line in the old epoch (SEG-4)",
            after(Raw { keys: fixed.keys[1].clone(), ..follow() }),
        ),
        altered("altered-offset", "the third segment begins before the second", {
            let middle = Raw::later(fixed, 1, first.digest, &[SIZE, HELLO], &hello_footer(1, false));
            let middle = Raw { offset_ms: 100, last: false, next: Some(3), ..middle }.build();
            let late = Raw::later(fixed, 2, middle.digest, &[SIZE, HELLO], &hello_footer(1, true));
            [first.bytes(), middle.bytes(), Raw { offset_ms: 99, ..late }.bytes()].concat()
        }),
        case(
            "trailing-data-exchanged",
            "trailing-data",
            "the segments exchanged: the last stands first",
            [one(fixed, first.digest).bytes(), first.bytes()].concat(),
        ),
    ]
}

fn ends(fixed: &Fixed) -> Vec<Case> {
    let whole = hello(fixed).bytes();
    let built = hello(fixed).build();
    let cut = |len: usize| whole[..len].to_vec();
    let (header, keys) = (built.header.len(), built.keys.len());
    let truncated = |name, note, bytes| case(name, "truncated", note, bytes);
    vec![
        truncated("truncated-nothing", "no byte at all", Vec::new()),
        truncated("truncated-header", "in the header line", cut(header - 1)),
        truncated("truncated-keys", "after the header line", cut(header)),
        truncated("truncated-block", "in the first block", cut(header + keys + 9)),
        truncated("truncated-end", "before the end marker", cut(whole.len() - built.trailer.len() - 4)),
        truncated("truncated-trailer", "before the line feed of the trailer", cut(whole.len() - 1)),
        case(
            "trailing-data",
            "trailing-data",
            "a line after the last segment (TRL-4)",
            [&whole[..], b"hello\n"].concat(),
        ),
        case("trailing-data-segment", "trailing-data", "a second segment after the last", whole.repeat(2)),
        case(
            "bad-header-between",
            "bad-header",
            "a line after a segment that is not the last",
            [&zero(fixed).bytes()[..], b"hello\n"].concat(),
        ),
    ]
}

fn limits(fixed: &Fixed) -> Vec<Case> {
    let limit = |name, note, bytes| case(name, "limit", note, bytes);
    let long = |len: usize| {
        move |line: String| {
            let close = line.strip_suffix('}').unwrap();
            let room = len - close.len() - ",\"x\":\"\"}\n".len();
            format!("{close},\"x\":\"{}\"}}", "x".repeat(room))
        }
    };
    let keys = {
        let mut keys = fixed.keys[0].strip_suffix(b"}\n").unwrap().to_vec();
        keys.resize((1 << 20) - 1, b' ');
        keys.extend(b"}\n");
        Raw { keys, ..hello(fixed) }.bytes()
    };
    let stored = {
        // Zeros in place of sealed bytes: nobody comes to open them, and the vector stays small.
        let frame = framed(1, &vec![0; 4 << 20]);
        let block = Plain { position: 1, kind: 0, data: Vec::new(), last: false };
        let bend = Box::new(move |_, _| frame.clone());
        Raw { blocks: vec![block; 32], bend_frame: bend, ..hello(fixed) }.bytes()
    };
    let trailer =
        Raw { bend_trailer: Box::new(|line| format!("{line}\"x\":\"{}\",", "x".repeat(64 << 10))), ..hello(fixed) };
    vec![
        limit(
            "limit-header",
            "a header line of 64 KiB and 1, its line feed included (LIM-5)",
            header(fixed, long((64 << 10) + 1)),
        ),
        limit(
            "limit-header-endless",
            "a header line that does not end (LIM-5)",
            [&b"{\"hansard\":1,\"x\":\""[..], &vec![b'x'; 1 << 20]].concat(),
        ),
        limit("limit-keys", "a keys line of 1 MiB and 1 (LIM-6)", keys),
        limit("limit-trailer", "a trailer line over 64 KiB (LIM-5)", trailer.bytes()),
        limit("limit-index", "index 65,536 (LIM-10)", replaced(fixed, "\"index\":0", "\"index\":65536")),
        limit("limit-segment", "segment 1,000,000 (LIM-11)", replaced(fixed, "\"segment\":0", "\"segment\":1000000")),
        limit("limit-epoch", "epoch 1,000,000 (LIM-11)", replaced(fixed, "\"epoch\":0", "\"epoch\":1000000")),
        limit("limit-stored", "128 MiB and more (LIM-12)", stored),
    ]
}
