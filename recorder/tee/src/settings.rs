//! `/etc/hansard/shell.conf`: the few things that a login shell must know before it has an agent.
//!
//! Lines `key = value`, `#` begins a comment. Not TOML, whose reader would be larger than all else here; and never an
//! environment variable, which the user could set.

use std::path::{Path, PathBuf};

/// Where it lies.
pub const SHELL_CONF: &str = "/etc/hansard/shell.conf";

/// What it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The agent's socket.
    pub socket: PathBuf,
    /// How long a start waits for an agent that does not answer, in microseconds.
    pub start_wait_us: u64,
    /// Whose members get in without an agent; nobody where it is not given.
    pub break_glass_gid: Option<u32>,
    /// What users are told when they do not: whom to call.
    pub contact: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            socket: "/run/hansard/agent.sock".into(),
            start_wait_us: 10_000_000,
            break_glass_gid: None,
            contact: None,
        }
    }
}

impl Settings {
    /// Reads the file; the defaults where there is none.
    pub fn load(path: &Path) -> Result<Self, String> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text).map_err(|what| format!("{}: {what}", path.display())),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(format!("{}: {e}", path.display())),
        }
    }

    /// Reads its text. Errors name the line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut settings = Self::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            settings.set(line).map_err(|what| format!("line {}: {what}", number + 1))?;
        }
        Ok(settings)
    }

    fn set(&mut self, line: &str) -> Result<(), String> {
        let (key, value) = line.split_once('=').ok_or("no `key = value`")?;
        let (key, value) = (key.trim(), value.trim().trim_matches('"'));
        match key {
            "socket" if value.starts_with('/') => self.socket = value.into(),
            "socket" => return Err("socket is not an absolute path".into()),
            "start_wait" => {
                let seconds: u64 = value.parse().map_err(|_| "start_wait is not a number of seconds")?;
                self.start_wait_us = seconds.min(3600) * 1_000_000;
            }
            "break_glass_gid" => {
                self.break_glass_gid = Some(value.parse().map_err(|_| "break_glass_gid is not a group's number")?);
            }
            "contact" => self.contact = Some(value.to_owned()),
            _ => {
                return Err(format!("unknown key {key}; known are socket, start_wait, break_glass_gid, contact"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_known_and_every_other_is_refused() {
        let text =
            "# comment\nsocket = /run/x.sock\n\nstart_wait = 3\nbreak_glass_gid=27\ncontact = \"ops, 555-0100\"\n";
        let settings = Settings::parse(text).expect("good");
        assert_eq!(settings.socket, Path::new("/run/x.sock"));
        assert_eq!((settings.start_wait_us, settings.break_glass_gid), (3_000_000, Some(27)));
        assert_eq!(settings.contact.as_deref(), Some("ops, 555-0100"));
        for bad in ["sokcet = /x", "socket = x", "start_wait = soon", "break_glass_gid = wheel", "nonsense"] {
            let why = Settings::parse(&format!("\n{bad}\n")).expect_err(bad);
            assert!(why.starts_with("line 2: "), "{why}");
        }
        assert_eq!(Settings::parse(""), Ok(Settings::default()));
    }
}
