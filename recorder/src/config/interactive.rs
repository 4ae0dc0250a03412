//! `[interactive]`: marks of commands in the shells of sessions on a terminal.
//!
//! Not for how a shell gets them: `hansard_tee::put_marks`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::paths;

/// `[interactive]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Interactive {
    /// Whether bash, zsh and fish are started so that they mark their prompts and commands.
    pub shell_marks: bool,
    /// The folder of the files that make them do so.
    pub shell_marks_dir: PathBuf,
}

impl Default for Interactive {
    fn default() -> Self {
        Self { shell_marks: false, shell_marks_dir: paths::SHELL_MARKS.into() }
    }
}

impl Interactive {
    /// What of it cannot be.
    pub(super) fn validate(&self) -> Result<(), String> {
        let dir = &self.shell_marks_dir;
        // Shells read it as part of their own languages.
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-".contains(byte);
        if dir.is_absolute() && dir.as_os_str().as_encoded_bytes().iter().all(plain) {
            return Ok(());
        }
        Err(format!(
            "interactive.shell_marks_dir is {dir:?}: it must be an absolute path of letters, digits and the characters . _ -"
        ))
    }
}

#[cfg(test)]
mod tests {
    use crate::config::parse;

    #[test]
    fn a_folder_means_nothing_to_a_shell() {
        assert!(parse("[interactive]\nshell_marks = true\nshell_marks_dir = '/opt/h-1.0/shell_marks'\n").is_ok());
        for bad in ["shell", "/a b", "/a$(b)", "/a'b", "/a\\nb", "/é"] {
            assert!(parse(&format!("[interactive]\nshell_marks_dir = \"{bad}\"\n")).is_err(), "{bad}");
        }
        assert!(!parse("").unwrap().interactive.shell_marks);
    }
}
