//! What people write: configuration files of recorder and replay, files of recipients and of identities. What is read
//! and shown again (as `check` does) reads as the same.

use hansard_schemas::keys::{Identities, Recipients};

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match hansard_record::config::parse(text) {
        Ok(config) => {
            let shown = toml::to_string(&config).expect("a configuration can be shown");
            let again = hansard_record::config::parse(&shown).expect("what was shown reads");
            assert_eq!(format!("{config:?}"), format!("{again:?}"));
        }
        Err((message, _)) => assert!(!message.is_empty()),
    }
    if let Err((message, _)) = hansard_replay::config::Config::parse(text) {
        assert!(!message.is_empty());
    }
    if let Ok(recipients) = Recipients::parse_file(text) {
        assert_eq!(recipients.is_empty(), recipients.ids().is_empty());
    }
    let _ = Identities::parse(text).map(|identities| identities.recipients());
}
