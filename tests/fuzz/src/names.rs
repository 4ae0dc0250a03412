//! Names from stores, and text from anywhere that is printed.

use hansard_schemas::names::{ChainName, SegmentName, decode, encode, safe};

pub fn run(data: &[u8]) {
    let name = encode(data);
    assert!((1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-~.".contains(&b)));
    assert!(!name.starts_with('.') && !name.ends_with('.'), "no name is a path of its own");
    match decode(&name) {
        Ok(Some(raw)) => assert_eq!(raw, data),
        Ok(None) => assert!(name.contains("~~")),
        Err(error) => panic!("{name}: {error}"),
    }
    let text = String::from_utf8_lossy(data);
    if let Ok(Some(raw)) = decode(&text) {
        assert_eq!(encode(&raw), text);
    }
    if let Ok(name) = SegmentName::parse(&text) {
        assert_eq!(name.path(), text);
    }
    if let Ok(name) = ChainName::parse(&text) {
        assert_eq!(name.path(), text);
    }
    let shown = safe(&text);
    assert!(!shown.chars().any(acts), "{shown:?}");
    assert_eq!(safe(&shown), shown, "what is safe stays as it is");
}

/// Characters that make a terminal or a reader's eye do something.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{61c}' | '\u{feff}')
}
