//! Event lines and exact bytes: the parser on what comes, and the writer's lines always read back as what was written.

use hansard_schemas::cast::{CastHeader, Code, Encoder, EventData, Gap, LineReader};
use hansard_schemas::{exact, limits};

pub fn run(data: &[u8]) {
    let Some((choice, rest)) = data.split_first() else { return };
    match choice % 4 {
        0 => parse(rest),
        1 => bytes(rest),
        2 => groups(rest),
        _ => encode(rest),
    }
}

fn parse(data: &[u8]) {
    let mut reader = LineReader::new(data.first() == Some(&b'{'), 0);
    for block in data.split_inclusive(|byte| *byte == 0x1e) {
        let block = block.strip_suffix(b"\x1e").unwrap_or(block);
        if reader.push(block).is_err() {
            return;
        }
    }
    let _ = CastHeader::parse_line(data);
    let _ = Gap::parse(&String::from_utf8_lossy(data));
}

/// Any bytes become text and groups and come back; cutting them anywhere changes neither bytes nor text.
fn bytes(data: &[u8]) {
    let (text, exact) = exact::split(data);
    assert_eq!(text, String::from_utf8_lossy(data));
    let back = exact.map_or_else(|| text.as_bytes().to_vec(), |exact| exact::join(&text, &exact).expect("joins"));
    assert_eq!(back, data);
    let step = usize::from(data.first().copied().unwrap_or(0) % 7) + 1;
    let (mut splitter, mut joined) = (exact::Splitter::new(), Vec::new());
    let (mut decoder, mut decoded) = (exact::Decoder::new(), String::new());
    for part in data.chunks(step) {
        joined.extend_from_slice(&splitter.push(part));
        assert!(splitter.pending().len() <= 3);
        decoded += &decoder.push(part);
    }
    joined.extend(splitter.take());
    decoded += &decoder.finish();
    assert_eq!((joined.as_slice(), decoded.as_str()), (data, &*text));
}

fn groups(data: &[u8]) {
    let cut = data.iter().position(|byte| *byte == 0x1e).unwrap_or(data.len());
    let (text, groups) = (String::from_utf8_lossy(&data[..cut]), String::from_utf8_lossy(&data[cut..]));
    let _ = exact::join(&text, groups.trim_start_matches('\x1e'));
}

/// Pieces, each with a first byte that says what it is, go through the writer and the reader.
fn encode(data: &[u8]) {
    let (mut encoder, mut out, mut wanted, mut now) = (Encoder::new(), Vec::new(), Vec::new(), 0);
    for piece in data.split(|byte| *byte == 0x1e).filter_map(<[u8]>::split_first) {
        let (how, raw) = piece;
        now += u64::from(*how);
        let raw = &raw[..raw.len().min(limits::EVENT_RAW as usize)];
        let code = [Code::Output, Code::Input, Code::Error, Code::Marker][usize::from(how % 4)];
        if code == Code::Marker {
            let text = String::from_utf8_lossy(raw);
            encoder.text(&mut out, code, now, &text);
            wanted.push((now, code, EventData::Text(text.into_owned())));
        } else if !raw.is_empty() {
            encoder.stream(&mut out, code, now, raw);
            wanted.push((now, code, EventData::Bytes(raw.to_vec())));
        }
    }
    let mut sized = Vec::new();
    Encoder::new().text(&mut sized, Code::Resize, 0, "80x24");
    sized.extend(out);
    let read = LineReader::new(false, 0).push(&sized).expect("what is written reads");
    let read: Vec<_> = read.into_iter().skip(1).map(|event| (event.time_ms, event.code, event.data)).collect();
    assert_eq!(read, wanted);
}
