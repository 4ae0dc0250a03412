//! Which program a command line runs, where that can be said from the line alone.
//!
//! A line is taken apart only if every shell (those of POSIX, csh, fish) takes it for the same words: no substitution,
//! no operator, no glob, no escape. Otherwise the answer is "unclear", which no rule by command matches. It is what the line asks
//! for: the shell that runs it reads the user's start files first, and a bare name is found in the user's `PATH`. Only what
//! `transfer` recognises runs without a shell.

/// Most bytes of one argument that the kernel passes to a program; a longer line cannot have come through one.
const LINE_MAX: usize = 128 << 10;

/// One word of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// Without its quotes.
    pub text: String,
    /// Some of it was quoted.
    pub quoted: bool,
}

/// Characters that no shell gives a meaning to, wherever in a word they stand; of a word's place, see `program`.
fn is_plain(character: char) -> bool {
    match character {
        '_' | '.' | '/' | ',' | ':' | '=' | '@' | '%' | '+' | '-' => true,
        other => other.is_alphanumeric(),
    }
}

/// Characters that stay what they are between quotes of either kind. A backslash does not (fish), nor an exclamation mark
/// (csh), nor what double quotes expand.
fn is_plain_quoted(character: char) -> bool {
    !character.is_control() && !matches!(character, '\\' | '!' | '$' | '`')
}

/// The words of a line that is nothing but words; `None` where a shell would do anything else with it.
pub(super) fn words(line: &str) -> Option<Vec<Word>> {
    if line.len() > LINE_MAX {
        return None;
    }
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut quote: Option<char> = None;
    for character in line.chars() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (Some(_), _) if is_plain_quoted(character) => word.as_mut()?.text.push(character),
            (None, ' ') => words.extend(word.take()),
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_with(|| Word { text: String::new(), quoted: true }).quoted = true;
            }
            (None, _) if is_plain(character) => {
                word.get_or_insert_with(|| Word { text: String::new(), quoted: false }).text.push(character);
            }
            _ => return None,
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// What a command line runs: an absolute path without `.` and `..`, or a bare name.
pub(super) fn program(line: &str) -> Option<String> {
    let first = words(line)?.into_iter().next()?;
    // No `=`, which makes an assignment; no `%`, a job; no `:` and `@`, commands of a shell.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '+' | '-');
    if first.quoted || !first.text.chars().all(plain) {
        return None;
    }
    let is_whole = match first.text.strip_prefix('/') {
        Some(rest) => !rest.split('/').any(|part| matches!(part, "" | "." | "..")),
        // A relative path is whatever the user has put there.
        None => !first.text.contains('/') && !first.text.starts_with(['.', '-', '+']),
    };
    is_whole.then_some(first.text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_plain_line_names_its_program() {
        for (line, expected) in [
            ("/usr/bin/rsync --server . x", "/usr/bin/rsync"),
            ("rsync --server . x", "rsync"),
            ("  uptime", "uptime"),
            ("git-upload-pack '/srv/a b.git'", "git-upload-pack"),
            ("grep \"it's\" file", "grep"),
            ("g++ x.c", "g++"),
            ("/opt/x-1.2/bin/tool ümläut", "/opt/x-1.2/bin/tool"),
        ] {
            assert_eq!(program(line).as_deref(), Some(expected), "{line}");
        }
    }

    #[test]
    fn evasions_name_none() {
        for line in [
            "",
            " ",
            "/usr/bin/rsync; bash",
            "/usr/bin/rsync\nbash",
            "/usr/bin/rsync\rbash",
            "/usr/bin/rsync\tbash",
            "/usr/bin/rsync\0bash",
            "/usr/bin/rsync $(bash)",
            "/usr/bin/rsync `bash`",
            "/usr/bin/rsync & bash",
            "/usr/bin/rsync | bash",
            "/usr/bin/rsync < x",
            "/usr/bin/rsync > ~/.bashrc",
            "/usr/bin/rsync $HOME",
            "/usr/bin/rsync \"$(bash)\"",
            "/usr/bin/rsync \"`bash`\"",
            "/usr/bin/rsync 'a\\' 'b;bash'",
            "/usr/bin/rsync 'a!b'",
            "/usr/bin/rsync 'open",
            "/usr/bin/rsync \"open'",
            "/usr/bin/rsync *.c",
            "/usr/bin/rsync {a,b}",
            "/usr/bin/rsync #x",
            "/usr/bin/rsync ^x",
            "/usr/bin/rsync \\x",
            "(/usr/bin/rsync)",
            "{ /usr/bin/rsync; }",
            "! /usr/bin/rsync",
            "~/bin/scp -t x",
            "bin/scp -t x",
            "./scp -t x",
            "../bin/scp",
            "FOO=1 /usr/bin/rsync",
            "PATH=/tmp rsync",
            "=rsync",
            "%1",
            ": x",
            "@ x",
            ". ~/x",
            ". x",
            "'/usr/bin/rsync' x",
            "/usr/bin/'rsync'",
            "/usr/bin/../../tmp/x",
            "/usr/bin/./x",
            "//usr/bin/rsync",
            "/usr/bin/",
            "/",
            "/usr/bin/rsync\u{a0}x",
            "/usr/bin/rsync\u{2028}bash",
            "-x",
        ] {
            assert_eq!(program(line), None, "{line:?}");
        }
        assert_eq!(program(&format!("/usr/bin/rsync {}", "x".repeat(LINE_MAX))), None);
    }

    #[test]
    fn quotes_belong_to_their_word() {
        let word = |text: &str, quoted| Word { text: text.into(), quoted };
        assert_eq!(
            words("a 'b c'd  \"\" e"),
            Some(vec![word("a", false), word("b cd", true), word("", true), word("e", false)])
        );
    }

    proptest! {
        /// A POSIX shell agrees about the words of every line that is taken apart.
        #[test]
        fn a_shell_agrees(line in "[a-c/=%:@+.'\" $;*~#!\\\\&|-]{1,24}") {
            if let Some(words) = words(&line) {
                let script = format!("set -f; set -- {line}\nfor word do printf '%s\\0' \"$word\"; done");
                let output = std::process::Command::new("/bin/sh").args(["-c", &script]).output().unwrap();
                let said = String::from_utf8(output.stdout).unwrap();
                let shell: Vec<&str> = said.split_terminator('\0').collect();
                let ours: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
                prop_assert_eq!(ours, shell);
            }
        }

        /// Whatever comes, outside of quotes nothing is left that a shell acts on.
        #[test]
        fn any_line_is_taken_apart_or_not(line in any::<String>()) {
            if let Some(program) = program(&line) {
                prop_assert!(line.trim_start_matches(' ').starts_with(&program));
                prop_assert!(!line.contains(['\n', '\0', '$', '`', '\\', '!']));
                let operator = line.contains([';', '&', '|', '<', '>', '(', ')', '{', '*', '~', '#']);
                prop_assert!(!operator || line.contains(['\'', '"']));
            }
        }
    }
}
