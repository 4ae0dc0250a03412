//! The real shell of a user, as `enroll` keeps it.
//!
//! Not for the file and who writes it: `crate::enroll`.

use std::path::{Path, PathBuf};

use crate::enroll::Shells;

/// What runs where nothing is said of a user.
const DEFAULT: &str = "/bin/sh";

/// The shell of a user. A file that cannot be read is said, and leaves everybody the default: a login with another shell is
/// better than none.
pub fn of(file: &Path, user: &str) -> PathBuf {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(e) => {
            tracing::warn!(file = %file.display(), "the users' shells cannot be read, {DEFAULT} is run: {e}");
            return DEFAULT.into();
        }
    };
    find(&text, user).unwrap_or_else(|why| {
        tracing::warn!(file = %file.display(), "the users' shells cannot be used, {DEFAULT} is run: {why}");
        DEFAULT.into()
    })
}

fn find(text: &str, user: &str) -> Result<PathBuf, String> {
    let shells = Shells::parse(text)?;
    Ok(shells.get(user).map_or_else(|| DEFAULT.into(), Path::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_a_shell() {
        assert_eq!(find("ann:/bin/zsh\nben:/bin/bash\n", "ben"), Ok("/bin/bash".into()));
        assert_eq!(find("ann:/bin/zsh\n", "cid"), Ok("/bin/sh".into()));
        assert!(find("ann /bin/zsh\n", "ann").is_err());
    }
}
