//! The inside of JSON strings (RFC 8259, section 7), both ways. Hot in a recorder, which writes all output as such, and
//! in a search, which reads all of it: text is copied in runs between what is escaped. Not for other JSON: `json`.

/// 0 for bytes that stand for themselves, else what follows the backslash; `u` for four hex digits.
const ESCAPE: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = b'u';
        byte += 1;
    }
    table[0x08] = b'b';
    table[0x09] = b't';
    table[0x0a] = b'n';
    table[0x0c] = b'f';
    table[0x0d] = b'r';
    table[0x22] = b'"';
    table[0x5c] = b'\\';
    table
};

/// Appends `text` as the inside of a JSON string (CAST-4).
pub(super) fn escape(out: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text;
    while !rest.is_empty() {
        let (plain, special) = rest.split_at(plain_prefix(rest));
        out.extend_from_slice(plain);
        rest = special;
        // Carriage return and line feed come together.
        while let Some((&byte, after)) = rest.split_first() {
            match ESCAPE[usize::from(byte)] {
                0 => break,
                b'u' => {
                    let low = b"0123456789abcdef"[usize::from(byte & 15)];
                    out.extend_from_slice(&[b'\\', b'u', b'0', b'0', b'0' + (byte >> 4), low]);
                }
                letter => out.extend_from_slice(&[b'\\', letter]),
            }
            rest = after;
        }
    }
}

/// Appends what the inside of a JSON string stands for, valid UTF-8; a sentence when it is none.
///
/// It takes exactly what a strict parser takes: a lone surrogate, a control character or a quote that is not escaped,
/// another escape than those of the RFC and ill-formed UTF-8 are errors. After one, what was appended is of no use.
pub(super) fn unescape(text: &[u8], out: &mut Vec<u8>) -> Result<(), &'static str> {
    let start = out.len();
    let mut rest = text;
    while !rest.is_empty() {
        let (plain, special) = rest.split_at(plain_prefix(rest));
        out.extend_from_slice(plain);
        rest = special;
        while let Some((&byte, after)) = rest.split_first() {
            match byte {
                b'\\' => rest = unescape_one(after, out)?,
                b'"' => return Err("a quote that is not escaped"),
                ..0x20 => return Err("a control character that is not escaped"),
                _ => break,
            }
        }
    }
    // What an escape stands for never completes a character, so this finds all that is ill-formed.
    std::str::from_utf8(&out[start..]).map(drop).map_err(|_| "not UTF-8")
}

/// One escape, after its backslash; gives what follows it.
fn unescape_one<'a>(rest: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8], &'static str> {
    let (&letter, rest) = rest.split_first().ok_or("it ends in an escape")?;
    let byte = match letter {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'"' | b'\\' | b'/' => letter,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'u' => return unescape_unit(rest, out),
        _ => return Err("an escape that there is not"),
    };
    out.push(byte);
    Ok(rest)
}

/// An escape of four hex digits, or a pair of them; after its `\u`.
fn unescape_unit<'a>(rest: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8], &'static str> {
    let (first, mut rest) = hex(rest)?;
    let scalar = if let 0xd800..0xdc00 = first {
        let lone = "a surrogate alone";
        let (second, after) = hex(rest.strip_prefix(b"\\u").ok_or(lone)?)?;
        if !matches!(second, 0xdc00..0xe000) {
            return Err(lone);
        }
        rest = after;
        0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)
    } else {
        first
    };
    // Control characters, by far the most.
    if let 0..0x80 = scalar {
        out.push(scalar as u8);
    } else {
        let ch = char::from_u32(scalar).ok_or("a surrogate alone")?;
        out.extend_from_slice(ch.encode_utf8(&mut [0; 4]).as_bytes());
    }
    Ok(rest)
}

fn hex(rest: &[u8]) -> Result<(u32, &[u8]), &'static str> {
    let (digits, rest) = rest.split_first_chunk::<4>().ok_or("it ends in an escape")?;
    let mut value = 0;
    for digit in digits {
        let digit = char::from(*digit).to_digit(16).ok_or("an escape that is not four hex digits")?;
        value = value << 4 | digit;
    }
    Ok((value, rest))
}

/// How many bytes at the start need no escape.
fn plain_prefix(text: &[u8]) -> usize {
    const WIDE: usize = 32;
    let (blocks, tail) = text.as_chunks::<WIDE>();
    // Without a branch a byte, so that the compiler takes many at once.
    let is_special = |byte: u8| u8::from(byte < 0x20) | u8::from(byte == b'"') | u8::from(byte == b'\\');
    match blocks.iter().position(|block| block.iter().fold(0, |any, byte| any | is_special(*byte)) != 0) {
        Some(at) => at * WIDE + plain_prefix_by_words(&blocks[at]),
        None => blocks.len() * WIDE + plain_prefix_by_words(tail),
    }
}

/// The same, for few bytes.
fn plain_prefix_by_words(text: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = ONES << 7;
    let (words, rest) = text.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // The classic test for a byte below n: subtracting borrows into its high bit. A borrow can only falsify bytes
        // above the first true one, and only the first is used.
        let below_space = word.wrapping_sub(ONES * 0x20);
        let quote = (word ^ (ONES * 0x22)).wrapping_sub(ONES);
        let backslash = (word ^ (ONES * 0x5c)).wrapping_sub(ONES);
        let special = (below_space | quote | backslash) & !word & HIGHS;
        if special != 0 {
            return at * 8 + special.trailing_zeros() as usize / 8;
        }
    }
    let tail = rest.iter().position(|byte| ESCAPE[usize::from(*byte)] != 0).unwrap_or(rest.len());
    words.len() * 8 + tail
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{escape, unescape};

    fn ours(text: &[u8]) -> Option<Vec<u8>> {
        let mut out = b"before".to_vec();
        unescape(text, &mut out).ok()?;
        Some(out.strip_prefix(b"before").unwrap().to_vec())
    }

    fn parsers(text: &[u8]) -> Option<Vec<u8>> {
        let quoted = [b"\"", text, b"\""].concat();
        serde_json::from_slice::<String>(&quoted).ok().map(String::into_bytes)
    }

    #[test]
    fn what_a_strict_parser_refuses_is_refused() {
        let good = [r"a\r\n", r"\u001b[m", r"\ud83d\ude00x", r#"\"\\\/\b\f\t"#, "é", "", r"\uABCD\u00e9", "\u{7f}"];
        for text in good {
            assert_eq!(ours(text.as_bytes()), parsers(text.as_bytes()), "{text}");
            assert!(ours(text.as_bytes()).is_some(), "{text}");
        }
        let bad: [&[u8]; 14] = [
            b"\"",
            b"a\nb",
            b"\x00",
            b"\\",
            b"\\x41",
            b"\\u12",
            b"\\u12g4",
            b"\\ud800",
            b"\\udc00",
            b"\\ud800\\u0041",
            b"\\ud800x",
            b"\xff",
            b"\xc3\\n",
            b"\\ud800\\udbff",
        ];
        for text in bad {
            assert_eq!((ours(text), parsers(text)), (None, None), "{}", text.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn it_reads_what_a_parser_reads(
            parts in proptest::collection::vec(prop_oneof![
                "[ -~]{0,70}".prop_map(String::into_bytes),
                r#"\\[nrtbf"/u\\x]"#.prop_map(String::into_bytes),
                r"\\u[0-9a-fA-F]{4}".prop_map(String::into_bytes),
                r"\\u[dD][89a-fA-F][0-9a-f]{2}".prop_map(String::into_bytes),
                "[é€😀\u{1}\u{7f}]".prop_map(String::into_bytes),
                proptest::collection::vec(any::<u8>(), 0..3),
            ], 0..6),
        ) {
            let text = parts.concat();
            prop_assert_eq!(ours(&text), parsers(&text));
        }

        #[test]
        fn what_is_escaped_is_read_again(text in "\\PC{0,80}|[\u{0}-\u{7f}]{0,80}") {
            let mut escaped = Vec::new();
            escape(&mut escaped, text.as_bytes());
            prop_assert_eq!(ours(&escaped), Some(text.into_bytes()));
        }
    }
}
