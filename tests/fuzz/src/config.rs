//! Configuration files: recorder's and replay's. A file that is refused says so in text that a terminal can take.

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err((message, _)) = Err::<(),_>((String::from("x"), text)) {
        assert!(!message.is_empty());
    }
}
