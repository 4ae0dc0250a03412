//! What names and command lines are compared with: text in which `*` stands for any characters.
//!
//! Not regular expressions: a rule must be readable at a glance, and matching linear in what a user sends.

/// A name with stars in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Glob(String);

impl Glob {
    pub(super) fn new(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(format!("{text:?} is no name: write a name, or one with * for any characters"));
        }
        Ok(Self(text.to_owned()))
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        starred(self.0.as_bytes(), text.as_bytes())
    }
}

/// The program of a command line: an absolute path or a bare name. A star stays within one part of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProgramGlob(String);

impl ProgramGlob {
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let bad =
            |why: &str| Err(format!("{text:?} {why}: write an absolute path such as /usr/bin/rsync, or a bare name"));
        if text.is_empty() || text.chars().any(|c| c.is_control() || c == ' ') {
            return bad("is no program");
        }
        match text.strip_prefix('/') {
            None if text.contains('/') => bad("is a relative path"),
            None => Ok(Self(text.to_owned())),
            Some(rest) if rest.split('/').any(|part| matches!(part, "" | "." | "..")) => {
                bad("has an empty part, `.` or `..` in it, which no command line matches")
            }
            Some(_) => Ok(Self(text.to_owned())),
        }
    }

    pub(super) fn matches(&self, program: &str) -> bool {
        let (mut wanted, mut found) = (self.0.split('/'), program.split('/'));
        loop {
            match (wanted.next(), found.next()) {
                (None, None) => return true,
                (Some(wanted), Some(found)) if starred(wanted.as_bytes(), found.as_bytes()) => {}
                _ => return false,
            }
        }
    }
}

/// Whether `text` is `pattern` with each star replaced by something. Only the last star is ever taken back, so the cost is
/// at most the product of the lengths.
fn starred(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut last: Option<(usize, usize)> = None;
    while t < text.len() {
        match (pattern.get(p), last) {
            (Some(b'*'), _) => {
                last = Some((p, t));
                p += 1;
            }
            (Some(wanted), _) if *wanted == text[t] => {
                p += 1;
                t += 1;
            }
            (_, Some((star, from))) => {
                last = Some((star, from + 1));
                p = star + 1;
                t = from + 1;
            }
            _ => return false,
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stars_stand_for_any_characters() {
        for (pattern, text, expected) in [
            ("ann", "ann", true),
            ("ann", "anna", false),
            ("ext-*", "ext-bob", true),
            ("ext-*", "next-bob", false),
            ("*", "", true),
            ("*-*-*", "a-b-c", true),
            ("a*b*c", "abbbcc", true),
            ("a*b*c", "abbbcd", false),
            ("**x", "x", true),
        ] {
            assert_eq!(Glob::new(pattern).unwrap().matches(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_star_stays_within_one_part_of_a_path() {
        let all = ProgramGlob::new("/usr/bin/*").unwrap();
        assert!(all.matches("/usr/bin/rsync"));
        assert!(!all.matches("/usr/bin/x/y"));
        assert!(!all.matches("/usr/bin/../../tmp/x"));
        assert!(!all.matches("rsync"));
        assert!(!ProgramGlob::new("rsync").unwrap().matches("/usr/bin/rsync"));
        for bad in ["", "bin/x", "./x", "/usr//bin/x", "/usr/../x", "/usr/bin/", "/usr/bin/rsync --server", "a\0"] {
            assert!(ProgramGlob::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn stars_without_end_cost_little() {
        assert!(!starred("*a".repeat(200).as_bytes(), "a".repeat(20_000).replace('a', "b").as_bytes()));
    }

    proptest! {
        /// Against the plain definition.
        #[test]
        fn the_same_as_by_definition(pattern in "[ab*]{0,8}", text in "[ab]{0,10}") {
            fn plainly(pattern: &[u8], text: &[u8]) -> bool {
                match pattern.split_first() {
                    None => text.is_empty(),
                    Some((b'*', rest)) => (0..=text.len()).any(|skip| plainly(rest, &text[skip..])),
                    Some((first, rest)) => text.first() == Some(first) && plainly(rest, &text[1..]),
                }
            }
            prop_assert_eq!(starred(pattern.as_bytes(), text.as_bytes()), plainly(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
