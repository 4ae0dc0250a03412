//! `/etc/hansard/shells`: the real shells of enrolled users.
//!
//! Lines `user:/bin/bash`, as `enroll` writes them. Not for writing them.

use std::path::{Path, PathBuf};

/// What runs where nothing is said of a user.
const DEFAULT: &str = "/bin/sh";

/// The shell of a user.
pub fn of(file: &Path, user: &str) -> PathBuf {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    find(&text, user).unwrap_or(DEFAULT).into()
}

fn find<'t>(text: &'t str, user: &str) -> Option<&'t str> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let mut shells = lines.filter_map(|line| line.split_once(':')).filter(|(name, _)| *name == user);
    shells.next().map(|(_, shell)| shell.trim()).filter(|shell| shell.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn the_first_line_of_a_user_counts_and_only_a_path_does() {
        let text = "# saved\nann:/bin/zsh\nben:/bin/bash \nann:/bin/sh\ncid:bash\n";
        assert_eq!(find(text, "ann"), Some("/bin/zsh"));
        assert_eq!(find(text, "ben"), Some("/bin/bash"));
        assert_eq!(find(text, "cid"), None);
        assert_eq!(find(text, "dan"), None);
    }
}
